"""The attestation of a release: what it was made of, by what, and which bytes it is; signed with the site's key.

An in-toto statement in a DSSE envelope, so that who has received a release can tell, without us, whether it is whole.
"""

import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dicomanon.cohort.release_files import ATTESTATION, TOMBSTONE, sha256_of
from dicomanon.errors import Fatal
from dicomanon.signing import PublicKey, SigningKey
from dicomanon.statements import open_statement, sign_statement, statement

PREDICATE_TYPE: Final = "urn:dicomanon:release:1"
INPUTS: Final = "inputs.txt"


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found of a release folder.

    Attributes
    ----------
    predicate
        What the attestation says.
    misfits
        What of the folder is not as it says, in words.
    has_ended
        Whether a removal has ended the release since.
    """

    predicate: Mapping[str, Any]
    misfits: tuple[str, ...]
    has_ended: bool


def salted(digests: Iterable[bytes], salt: bytes) -> str:
    """Return one HMAC-SHA256 a line, sorted: who has an original and the salt can tell whether it was an input.

    Without the salt nobody can, though the originals are in the hospital: their plain digests would be found by trying.
    """
    return "".join(sorted(hmac.digest(salt, digest, "sha256").hex() + "\n" for digest in digests))


def attestation(key: SigningKey, files: Mapping[str, str], predicate: Mapping[str, Any]) -> str:
    """Return the signed statement about files, by SHA-256; the same text whenever it is made."""
    payload = statement(sorted(files.items()), PREDICATE_TYPE, predicate)
    return json.dumps(sign_statement(key, payload), indent=1) + "\n"


def check_release(folder: Path, key: PublicKey) -> Checked:
    """Compare a release folder with its attestation.

    Raises
    ------
    Fatal
        There is no attestation that the key has signed, or the folder cannot be read.
    """
    try:
        envelope = json.loads((folder / ATTESTATION).read_text(encoding="ascii"))
    except FileNotFoundError:
        raise Fatal(f"the folder has no {ATTESTATION}: it is no release, or one from before there were any") from None
    except (OSError, ValueError):
        raise Fatal(f"{ATTESTATION} is not a signed statement (DSSE envelope)") from None
    if not isinstance(envelope, dict):
        raise Fatal(f"{ATTESTATION} is not a signed statement (DSSE envelope)")
    payload = open_statement(key, envelope)
    if payload.get("predicateType") != PREDICATE_TYPE:
        raise Fatal(f"{ATTESTATION} is signed, but is not about a release")
    named = {one["name"]: one["digest"]["sha256"] for one in payload["subject"]}
    try:
        there = {path.name: path for path in folder.iterdir()}
        misfits = [
            f"{name} {misfit}"
            for name in sorted(named)
            if (misfit := _misfit(there.get(name), named[name])) is not None
        ]
    except OSError as error:
        raise Fatal(f"the release cannot be read: {type(error).__name__}") from None
    misfits += [
        f"{name} is not part of the release" for name in sorted(there.keys() - named.keys() - {ATTESTATION, TOMBSTONE})
    ]
    return Checked(payload["predicate"], tuple(misfits), TOMBSTONE in there)


def _misfit(path: Path | None, digest: str) -> str | None:
    if path is None:
        return "is missing"
    if not path.is_file() or path.is_symlink():
        return "is no file"
    return None if sha256_of(path) == digest else "was changed"
