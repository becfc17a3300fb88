"""The objects of a release as files, where its request asks for them: beside the releases, which never change."""

import logging
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeGuard

from dicomanon.cohort.archive import CHECKSUMS, write_archive
from dicomanon.cohort.nifti import CONVERSION, write_nifti
from dicomanon.crosswalk.rows import ReleaseRow
from dicomanon.errors import Fatal

log = logging.getLogger(__name__)

_WRITERS: Final[Mapping[str, tuple[Callable[..., Any], str]]] = MappingProxyType(
    {"archive": (write_archive, CHECKSUMS), "nifti": (write_nifti, CONVERSION)}
)
"""By output, what writes it, and the file that is written last."""


def has_files(output: object) -> TypeGuard[str]:
    """Tell whether an output, as a request names it, is files."""
    return isinstance(output, str) and output in _WRITERS


def place_of(output: str, project: str, number: int) -> Path:
    """Return where the files of a release lie, in the release folder; no project's name begins with a dot."""
    return Path(f".{output}", project, f"{number:04d}")


def is_written(release_dir: Path, output: str, release: ReleaseRow) -> bool:
    """Tell whether all files of a release are there."""
    return (release_dir / place_of(output, release.project, release.number) / _WRITERS[output][1]).exists()


def written_folders(release_dir: Path, project: str, number: int) -> dict[str, Path]:
    """Return the folders of what is written of a release, all of it, by output."""
    folders = {output: release_dir / place_of(output, project, number) for output in _WRITERS}
    return {output: folder for output, folder in folders.items() if (folder / _WRITERS[output][1]).exists()}


def write_output(folder: Path, release_dir: Path, output: str, release: ReleaseRow, **reading: Any) -> dict[str, int]:
    """Write what is missing of the files of a release; return counts.

    Parameters
    ----------
    folder
        Of the release, with its manifest.
    reading
        ``retrieve`` and ``threads``, as the writers take them.

    Raises
    ------
    Fatal
        The release has ended or cannot be read, the files cannot be written, or the PACS gives other bytes.
    Retriable
        The PACS cannot answer now.
    """
    write, _ = _WRITERS[output]
    place = place_of(output, release.project, release.number)
    done = asdict(write(folder, release_dir / place, **reading))
    log.info("files: %s in the release folder", place)
    return {f"{output}_{name}": count for name, count in done.items()}


def remove_files(release_dir: Path, release: ReleaseRow) -> None:
    """Remove the files of a release that has ended.

    Raises
    ------
    Fatal
        They cannot be removed.
    """
    for output in _WRITERS:
        try:
            shutil.rmtree(release_dir / place_of(output, release.project, release.number))
        except FileNotFoundError:
            continue
        except OSError as error:
            raise Fatal(f"the files of an ended release cannot be removed: {type(error).__name__}") from None
