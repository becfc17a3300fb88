"""The folder between pull and store: de-identified objects only, named by their research UID, gone when stored."""

import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dicomanon.deidentify.codec import Buffer
from dicomanon.values import BatchId, ResearchUid

_FOLDER = re.compile(r"batch-(\d+)")


@dataclass(frozen=True, slots=True)
class Staging:
    """The staging folder of one batch."""

    root: Path
    batch_id: BatchId

    @property
    def folder(self) -> Path:
        """Return the batch's own folder."""
        return self.root / f"batch-{self.batch_id}"

    def path(self, sop_uid: ResearchUid) -> Path:
        """Return where the object of a research SOP Instance UID is, or will be."""
        return self.folder / f"{sop_uid}.dcm"

    def write(self, sop_uid: ResearchUid, pieces: Iterable[Buffer]) -> None:
        """Write an object under a name that no later step reads until :meth:`publish`."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._unpublished(sop_uid).open("wb") as file:
            file.writelines(pieces)

    def publish(self, sop_uid: ResearchUid) -> None:
        """Give an object its name: it leaves the worker here, so its crosswalk row must be committed before."""
        self._unpublished(sop_uid).rename(self.path(sop_uid))

    def holds(self, sop_uid: ResearchUid) -> bool:
        """Tell whether an object has been published and not removed; an empty one is what a power cut leaves."""
        path = self.path(sop_uid)
        return path.exists() and path.stat().st_size > 0

    def remove(self, sop_uid: ResearchUid) -> None:
        """Remove an object; does nothing where there is none."""
        self.path(sop_uid).unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove the batch's folder and whatever is left in it."""
        if self.folder.exists():
            shutil.rmtree(self.folder)

    def _unpublished(self, sop_uid: ResearchUid) -> Path:
        # The process id keeps two tries of a task apart, should the first still be alive.
        return self.folder / f"{sop_uid}.{os.getpid()}.part"


def staged_batches(root: Path) -> list[BatchId]:
    """Return the batches that have a folder in staging."""
    return [BatchId(int(found[1])) for path in sorted(root.glob("batch-*")) if (found := _FOLDER.fullmatch(path.name))]
