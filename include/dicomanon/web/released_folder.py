"""What of a release's folder may be shown: the files that it names itself, and no others."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dicomanon.cohort.release_files import ATTESTATION, RELEASE

_NOT_NAMED_IN_IT: Final = (RELEASE, ATTESTATION)


@dataclass(frozen=True, slots=True)
class ShownFile:
    """A file of a release; its SHA-256 (hexadecimal) is empty where the attestation alone says it."""

    name: str
    bytes: int
    sha256: str


def shown_files(folder: Path) -> tuple[ShownFile, ...]:
    """Return the files of a release by name; none where the folder is not there or cannot be read."""
    try:
        named = json.loads((folder / RELEASE).read_text(encoding="utf-8"))["files"]
        digests = {str(name): str(facts["sha256"]) for name, facts in named.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ()
    digests |= dict.fromkeys(_NOT_NAMED_IN_IT, "")
    return tuple(
        ShownFile(name, (folder / name).stat().st_size, digest)
        for name, digest in sorted(digests.items())
        if _is_plain(folder, name)
    )


def _is_plain(folder: Path, name: str) -> bool:
    """Tell whether a name is of a file in the folder itself, whatever wrote it."""
    path = folder / name
    return path.name == name and not path.is_symlink() and path.is_file()
