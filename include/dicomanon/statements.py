"""Signed statements: in-toto Statement v1 in a DSSE envelope, signed with Ed25519 (RFC 8032).

Both are open forms that other tools verify too: https://github.com/in-toto/attestation,
https://github.com/secure-systems-lab/dsse.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any

from dicomanon.errors import Fatal
from dicomanon.signing import PublicKey, SigningKey

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"


def statement(subjects: Sequence[tuple[str, str]], predicate_type: str, predicate: Mapping[str, Any]) -> dict[str, Any]:
    """Return an in-toto statement about subjects, each a name and its SHA-256 in hexadecimal."""
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in subjects],
        "predicateType": predicate_type,
        "predicate": dict(predicate),
    }


def sign_statement(key: SigningKey, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return a DSSE envelope around a statement, which is signed as it is written."""
    body = json.dumps(payload, sort_keys=True, separators=(",", ":")).encode("ascii")
    return {
        "payloadType": PAYLOAD_TYPE,
        "payload": base64.b64encode(body).decode("ascii"),
        "signatures": [
            {
                "keyid": key.public.id,
                "sig": base64.b64encode(key.sign(_authenticated(body))).decode("ascii"),
            }
        ],
    }


def open_statement(key: PublicKey, envelope: Mapping[str, Any]) -> dict[str, Any]:
    """Return the statement in an envelope, if this key has signed it.

    Raises
    ------
    Fatal
        It has not, something was changed, or this is no envelope.
    """
    try:
        body = base64.b64decode(envelope["payload"], validate=True)
        signatures = [base64.b64decode(one["sig"], validate=True) for one in envelope["signatures"]]
        if envelope["payloadType"] != PAYLOAD_TYPE:
            raise Fatal("the file holds no in-toto statement")
    except (KeyError, TypeError, ValueError, binascii.Error):
        raise Fatal("the file is not a signed statement (DSSE envelope)") from None
    if not any(key.verifies(signature, _authenticated(body)) for signature in signatures):
        raise Fatal("the signature does not fit: the file was changed, or another key signed it")
    payload: dict[str, Any] = json.loads(body)
    return payload


def _authenticated(body: bytes) -> bytes:
    """Return what is signed: DSSE's pre-authentication encoding."""
    kind = PAYLOAD_TYPE.encode("ascii")
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(body), body)
