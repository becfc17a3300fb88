"""The four secret keys of an installation, and the blind indexing done with one of them."""

import base64
import binascii
import hashlib
import hmac
import json
import os
import secrets
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from dicomanon.crosswalk.keys.masters import LocalMasterKey, MasterKey
from dicomanon.errors import Fatal
from dicomanon.write_once import write_once

_FORMAT = 1
_KEY_NAMES = ("sealing", "index", "uid", "request")
_KEY_BYTES = 32
# 128 bits: at 10^9 rows the chance that any two values share an index is below 10^-20, at half the index size.
_INDEX_BYTES = 16


class Keyring:
    """Sealing key, index key, UID key and request key: independent, random, 256 bits each.

    The sealing key is the master key of an installation that names no other; it wraps the keys in the crosswalk that
    values are sealed with. Losing the file loses every source value in the crosswalk and the way to give a known
    patient's new study the same pseudonym; keep a copy where the database's backups are not.

    Parameters
    ----------
    sealing, index, uid, request
        The keys, 32 bytes each.
    former
        Sealing keys that were replaced and may still be needed, the newest first.
    """

    __slots__ = ("_former", "_index_mac", "_keys", "_request", "masters")

    def __init__(
        self, sealing: bytes, index: bytes, uid: bytes, request: bytes, *, former: Sequence[bytes] = ()
    ) -> None:
        self._keys = dict(zip(_KEY_NAMES, (sealing, index, uid, request), strict=True))
        self._former = tuple(former)
        keys = (*self._keys.values(), *self._former)
        if any(len(key) != _KEY_BYTES for key in keys):
            raise Fatal("a key of the keyring is not 32 bytes long")
        if len(set(keys)) != len(keys):
            raise Fatal("two keys of the keyring are the same: each must be random and independent")
        self._index_mac = hmac.new(index, digestmod=hashlib.sha256)
        self._request = X25519PrivateKey.from_private_bytes(request)
        self.masters: tuple[MasterKey, ...] = tuple(LocalMasterKey(key) for key in (sealing, *self._former))
        """Master keys that this process holds; the first one wraps, each may open."""

    def with_masters(self, masters: Sequence[MasterKey]) -> "Keyring":
        """Return the same keyring with these master keys in place of its own."""
        changed = Keyring(*self._keys.values(), former=self._former)
        changed.masters = tuple(masters)
        return changed

    @classmethod
    def generate(cls, path: Path) -> "Keyring":
        """Make a new keyring and write it to ``path``, readable by its owner alone.

        Raises
        ------
        Fatal
            The file exists already (a keyring is never overwritten) or cannot be written.
        """
        keyring = cls(*(secrets.token_bytes(_KEY_BYTES) for _ in _KEY_NAMES))
        keyring._write(path)
        return keyring

    @classmethod
    def load(cls, path: Path) -> "Keyring":
        """Read the keyring file.

        Raises
        ------
        Fatal
            The file is missing, open to others than its owner and group, or not a keyring.
        """
        try:
            mode = path.stat().st_mode
            text = path.read_text("ascii")
        except (OSError, UnicodeDecodeError) as error:
            raise Fatal(f"the keyring file cannot be read: {type(error).__name__}") from None
        if mode & (stat.S_IRWXO | stat.S_IWGRP | stat.S_IXGRP):
            raise Fatal("the keyring file is open to others: give it mode 0600 (or 0440 where a secret is mounted)")
        try:
            content = json.loads(text)
            if content["format"] != _FORMAT:
                raise Fatal("the keyring file is of a format that this version does not know")
            keys = [base64.b64decode(content["keys"][name], validate=True) for name in _KEY_NAMES]
            former = [base64.b64decode(key, validate=True) for key in content.get("former_sealing", [])]
        except (ValueError, KeyError, TypeError, binascii.Error):
            raise Fatal("the keyring file is damaged") from None
        return cls(*keys, former=former)

    def replaced_sealing_key(self) -> "Keyring":
        """Return the keyring with a new sealing key, and the present one among the former."""
        _, *others = self._keys.values()
        return Keyring(secrets.token_bytes(_KEY_BYTES), *others, former=(self._keys["sealing"], *self._former))

    def without_former_keys(self) -> "Keyring":
        """Return the keyring with its present keys only."""
        return Keyring(*self._keys.values())

    def replace(self, path: Path) -> None:
        """Put this keyring in the place of the file, which is there in full at any moment, the old one or the new.

        Raises
        ------
        Fatal
            It cannot be written; the file is as it was.
        """
        beside = path.with_name(f".{path.name}.new")
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
            beside.unlink(missing_ok=True)
            self._write(beside)
            beside.chmod(mode)
            beside.replace(path)
            # Or a power cut could bring the former file back, when nothing opens by it any more.
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise Fatal(
                f"the keyring file cannot be replaced ({type(error).__name__}): run this where it is kept, as its owner"
            ) from None

    def _write(self, path: Path) -> None:
        content: dict[str, object] = {
            "format": _FORMAT,
            "keys": {name: base64.b64encode(key).decode() for name, key in self._keys.items()},
        }
        if self._former:
            content["former_sealing"] = [base64.b64encode(key).decode() for key in self._former]
        write_once(path, json.dumps(content, indent=1).encode("ascii"), "the keyring file")

    @property
    def has_former_keys(self) -> bool:
        """Whether sealing keys that were replaced are kept."""
        return bool(self._former)

    @property
    def sealing_key(self) -> bytes:
        """Master key, unless the site names another; before there were data keys, what values were sealed with."""
        return self._keys["sealing"]

    @property
    def uid_key(self) -> bytes:
        """Key of the one-to-one mapping from source UIDs to research UIDs."""
        return self._keys["uid"]

    def project_key(self, project: str) -> bytes:
        """Return the key (32 bytes) of the pseudonyms that a project has of its own, derived of the UID key.

        By HKDF (RFC 5869): neither leads to the other, and no two projects' keys have anything in common.
        """
        label = b"pseudonyms of a project\0" + project.encode()
        return HKDF(SHA256(), _KEY_BYTES, salt=b"dicomanon", info=label).derive(self.uid_key)

    @property
    def request_private_key(self) -> bytes:
        """X25519 private key (32 bytes) that opens the sealed parameters of cohort requests."""
        return self._keys["request"]

    @property
    def request_public_key(self) -> bytes:
        """X25519 public key (32 bytes) that requests are sealed with; not secret."""
        return self._request.public_key().public_bytes_raw()

    def index(self, kind: str, value: str) -> bytes:
        """Return the blind index of a value: 16 bytes of HMAC-SHA256, equal for equal values of one kind only."""
        mac = self._index_mac.copy()
        mac.update(kind.encode() + b"\0" + value.encode("utf-8", "surrogatepass"))
        return mac.digest()[:_INDEX_BYTES]

    def fingerprints(self) -> dict[str, bytes]:
        """Return a one-way mark of each key, by which a database recognises the keyring it was written with."""
        label = b"dicomanon keyring fingerprint"
        return {name: hmac.digest(key, label, "sha256")[:_INDEX_BYTES] for name, key in self._keys.items()}

    def wrote(self, fingerprints: Mapping[str, bytes]) -> bool:
        """Tell whether a database that has these marks was written with this keyring."""
        ours = self.fingerprints()
        return all(ours.get(name) == mark for name, mark in fingerprints.items())

    def __repr__(self) -> str:
        return "Keyring(****)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a keyring is not pickled: load its file where it is needed")
