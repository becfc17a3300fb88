"""What the site's Data Docs folder holds to be shown: a folder for each run, in it the reports of its batches."""

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Report:
    """One validation report: a title and the path of its first page, relative to the Data Docs folder."""

    title: str
    index: str


def runs(root: Path) -> list[str]:
    """Return the runs that have reports, newest first by their folder's time."""
    if not root.is_dir():
        return []
    folders = [entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith(".")]
    return [entry.name for entry in sorted(folders, key=lambda entry: entry.stat().st_mtime, reverse=True)]


def reports(root: Path, run: str) -> list[Report]:
    """Return the reports of a run, one for each ``index.html`` that has none above it."""
    folder = root / run
    if run not in runs(root):
        return []
    found: list[Path] = []
    for index in sorted(folder.rglob("index.html"), key=lambda path: (len(path.parts), path.parts)):
        if not any(index.is_relative_to(shallower.parent) for shallower in found):
            found.append(index)
    return [
        Report(_title(index.relative_to(folder)), index.relative_to(root).as_posix())
        for index in sorted(found, key=_natural)
    ]


def _title(index: Path) -> str:
    """Name a report by its first folder below the run: the batch."""
    return index.parts[0] if len(index.parts) > 1 else "report"


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sort ``batch-10`` after ``batch-9``."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.as_posix())]
