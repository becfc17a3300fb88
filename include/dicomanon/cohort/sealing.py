"""Seals identifying request parameters to a public key, so that only a worker with the private key can read them.

HPKE (RFC 9180) with X25519, HKDF-SHA256 and AES-256-GCM. The ``info`` of a sealing names the DAG and the parameter, so
a sealed value cannot be moved to another parameter or another DAG.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from pydantic import JsonValue

from dicomanon.cohort.parameters import PARAMETERS, SEALED_PREFIX
from dicomanon.errors import Fatal

__all__ = ["is_sealed", "open_conf", "open_parameter", "public_key_from_text", "seal_conf", "seal_parameter"]

_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_BLOCK: Final = 256
"""Plaintexts are padded to a multiple of this many bytes: the length of a name or a date tells as much as it hides."""
_OVERHEAD: Final = 32 + 16
"""The encapsulated key and the authentication tag."""
_SHORTEST_TEXT: Final = len(SEALED_PREFIX) + 100
_KEY_BYTES: Final = 32
_HEX_KEY: Final = re.compile(r"[0-9A-Fa-f]{64}")


def public_key_from_text(text: str) -> bytes:
    """Read a public key, as it stands in the api-server's environment or as ``/dicomanon/request-key`` shows it.

    Parameters
    ----------
    text
        Base64 (RFC 4648, section 4 or 5), or hexadecimal digits, of the 32 bytes of an X25519 public key.

    Raises
    ------
    Fatal
        It is not such a key, or a key that nothing can be sealed to.
    """
    digits = text.strip()
    try:
        if _HEX_KEY.fullmatch(digits):
            key = bytes.fromhex(digits)
        else:
            key = base64.b64decode(digits.replace("-", "+").replace("_", "/"), validate=True)
        if len(key) != _KEY_BYTES:
            raise ValueError
        _SUITE.encrypt(b"", X25519PublicKey.from_public_bytes(key), info=b"trial")
    except ValueError:
        raise Fatal("the public key for requests is neither base64 nor hex of an X25519 public key") from None
    return key


def is_sealed(value: object) -> bool:
    """Tell whether a parameter's value is already sealed: one sealed string, or a list of nothing but those."""
    if isinstance(value, list):
        return bool(value) and all(isinstance(item, str) and is_sealed(item) for item in value)
    if not isinstance(value, str) or not value.startswith(SEALED_PREFIX) or len(value) < _SHORTEST_TEXT:
        return False
    try:
        sealed = _decode(value)
    except Fatal:
        return False
    return len(sealed) >= _OVERHEAD and (len(sealed) - _OVERHEAD) % _BLOCK == 0


def seal_parameter(public_key: bytes, dag_id: str, name: str, value: JsonValue) -> str:
    """Seal one value.

    Parameters
    ----------
    public_key
        The 32 bytes of the X25519 public key.
    dag_id, name
        Where the value will be used; it opens nowhere else.
    value
        Anything that JSON can hold.

    Returns
    -------
    str
        ``sealed:v1:`` and base64url without padding.
    """
    text = json.dumps(value, separators=(",", ":")).encode("ascii")
    padded = text.ljust(-(-len(text) // _BLOCK) * _BLOCK)  # JSON ignores the spaces after a value
    sealed = _SUITE.encrypt(padded, X25519PublicKey.from_public_bytes(public_key), info=_info(dag_id, name))
    return SEALED_PREFIX + base64.urlsafe_b64encode(sealed).rstrip(b"=").decode("ascii")


def open_parameter(private_key: bytes, dag_id: str, name: str, sealed: str) -> JsonValue:
    """Open what :func:`seal_parameter` sealed.

    Raises
    ------
    Fatal
        It was sealed for another parameter, DAG or key, or was altered.
    """
    try:
        text = _SUITE.decrypt(_decode(sealed), X25519PrivateKey.from_private_bytes(private_key), _info(dag_id, name))
        value: JsonValue = json.loads(text)
    except (InvalidTag, ValueError):
        raise Fatal(f"parameter {name} cannot be opened: it was sealed for another place or key, or altered") from None
    return value


def seal_conf(public_key: bytes, dag_id: str, conf: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Return a run's ``conf`` with every identifying value sealed, in the types that the DAG's parameters have.

    A list is sealed as a whole and becomes a list of one sealed string, which hides how many values it had. What is
    empty or already sealed stays as it is.

    Raises
    ------
    Fatal
        A list holds sealed and clear values, or a value has another type than the parameter; no value is named.
    """
    result = dict(conf)
    for parameter in PARAMETERS[dag_id]:
        value = result.get(parameter.name)
        if not parameter.sealed or value is None or value in ("", []):
            continue
        if not isinstance(value, list if parameter.many else str):
            expected = "a list of strings" if parameter.many else "one string"
            raise Fatal(f"parameter {parameter.name} must be {expected}")
        if is_sealed(value):
            continue
        if isinstance(value, list):
            if not all(isinstance(item, str) for item in value):
                raise Fatal(f"parameter {parameter.name} must be a list of strings")
            if any(is_sealed(item) for item in value):
                raise Fatal(f"parameter {parameter.name} mixes sealed and clear values")
            result[parameter.name] = [seal_parameter(public_key, dag_id, parameter.name, value)]
        else:
            result[parameter.name] = seal_parameter(public_key, dag_id, parameter.name, value)
    return result


def open_conf(private_key: bytes, dag_id: str, conf: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Return a run's ``conf`` with its sealed values opened, to be used at once and kept nowhere.

    Raises
    ------
    Fatal
        A value cannot be opened, or an identifying value was stored in clear text: then the api-server runs without
        the sealing middleware, and nothing should go on.
    """
    result = dict(conf)
    for parameter in PARAMETERS[dag_id]:
        value = result.get(parameter.name)
        if not parameter.sealed or value is None or value in ("", []):
            continue
        if not is_sealed(value):
            raise Fatal(f"parameter {parameter.name} reached Airflow unsealed: its api-server must load our plugin")
        if isinstance(value, list):
            opened: list[JsonValue] = []
            for item in value:
                part = open_parameter(private_key, dag_id, parameter.name, str(item))
                opened.extend(part if isinstance(part, list) else [part])
            result[parameter.name] = opened
        else:
            result[parameter.name] = open_parameter(private_key, dag_id, parameter.name, str(value))
    return result


def _info(dag_id: str, name: str) -> bytes:
    return f"dicomanon request parameter|{dag_id}|{name}".encode()


def _decode(sealed: str) -> bytes:
    if not sealed.startswith(SEALED_PREFIX):
        raise Fatal("not a sealed value")
    text = sealed.removeprefix(SEALED_PREFIX)
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise Fatal("not a sealed value") from None
