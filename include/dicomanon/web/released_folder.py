"""What of a release may be shown: the files that its folder names itself, and those written of its objects."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dicomanon.cohort.output import written_folders
from dicomanon.cohort.release_files import ATTESTATION, RELEASE

_NOT_NAMED_IN_IT: Final = (RELEASE, ATTESTATION)


@dataclass(frozen=True, slots=True)
class ShownFile:
    """A file of a release; its SHA-256 (hexadecimal) is empty where another of its files says it."""

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
        if "/" not in name and _is_within(folder, Path(name))
    )


def written_files(release_dir: Path, project: str, number: int) -> Iterator[ShownFile]:
    """Yield the files of a release's objects by their place, such as ``archive/<pseudonym>/<study>.zip``."""
    for output, folder in written_folders(release_dir, project, number).items():
        for path in sorted(folder.rglob("*")):
            place = path.relative_to(folder)
            if _is_within(folder, place):
                yield ShownFile(f"{output}/{place.as_posix()}", path.stat().st_size, "")


def written_file(release_dir: Path, project: str, number: int, place: str) -> Path | None:
    """Return the file at a place that :func:`written_files` names; ``None`` where it names none such."""
    output, _, rest = place.partition("/")
    folder = written_folders(release_dir, project, number).get(output)
    if folder is None or "\0" in rest or not _is_within(folder, Path(rest)):
        return None
    return folder / rest


def _is_within(folder: Path, place: Path) -> bool:
    """Tell whether a place is of a finished file below the folder, and leads nowhere else."""
    if place.is_absolute() or any(part.startswith(".") for part in place.parts):
        return False
    path = folder / place
    return path.is_file() and path.resolve() == folder.resolve() / place
