"""Series whose face goes: kept in memory until they are whole, then looked at and de-identified together."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import TypeAlias

from dicomanon.deidentify import Face, SourceInstance, find_faces
from dicomanon.deidentify.pixels.pixel_data import number_of_frames
from dicomanon.errors import Held
from dicomanon.pipeline.anonymize import Anonymized, Anonymizer, Source
from dicomanon.pipeline.slices import SliceBuffer
from dicomanon.reasons import HoldReason

Done: TypeAlias = Iterator[tuple[Source, Anonymized]]

MOST_BYTES = 1 << 30
"""Of a series in memory: two thousand uncompressed slices of 512 by 512. A larger one is held: the rest of it could
only go to a disk, where no identifiable pixel may."""
_TOO_LARGE = "its series is too large to be held in memory"


@dataclass(slots=True)
class WaitingSeries:
    """The objects of one series that have come so far; several threads may bring some.

    Attributes
    ----------
    expected
        How many objects there are; 0 if nobody knows.
    awaited
        SOP Instance UIDs that must be among them.
    """

    anonymizer: Anonymizer
    expected: int = 0
    awaited: set[str] = field(default_factory=set)
    _arrived: set[str] = field(default_factory=set)
    _sources: list[Source] = field(default_factory=list)
    _others: list[SourceInstance] = field(default_factory=list)
    _bytes: int = 0
    _lock: Lock = field(default_factory=Lock)

    @property
    def missing(self) -> int:
        """How many objects have not come."""
        return max(len(self.awaited - self._arrived), self.expected - len(self._arrived))

    @property
    def waits(self) -> bool:
        """Whether objects wait for those that have not come."""
        return bool(self._sources)

    def note(self, sop_uid: str) -> None:
        """Count an object as having come, whatever it is."""
        self._arrived.add(sop_uid)

    def add(self, source: Source) -> Done:
        """Take an object whose face goes; yield what became of those that need wait no longer."""
        if number_of_frames(source.parsed) != 1:
            yield from anonymize_series(self.anonymizer, [source])
            return
        with self._lock:
            self._sources.append(source)
        if self._is_too_large(source.raw):
            yield from self.hold(_TOO_LARGE)

    def add_other(self, raw: bytes, parsed: SourceInstance) -> None:
        """Take an object that is settled already: without it the volume has a gap."""
        if number_of_frames(parsed) == 1 and not self._is_too_large(raw):
            with self._lock:
                self._others.append(parsed)

    def finish(self) -> Done:
        """De-identify what waits; yield what became of it."""
        if self._is_too_large():
            yield from self.hold(_TOO_LARGE)
        sources, others = self._take()
        if sources:
            yield from anonymize_series(self.anonymizer, sources, others)

    def hold(self, why: str) -> Done:
        """Hold what waits."""
        held = Held(HoldReason.RECOGNIZABLE_FACE, why)
        for source in self._take()[0]:
            yield source, self.anonymizer.anonymize(source, face=held)

    def _take(self) -> tuple[list[Source], list[SourceInstance]]:
        with self._lock:
            taken = self._sources, self._others
            self._sources, self._others = [], []
        return taken

    def _is_too_large(self, raw: bytes = b"") -> bool:
        """Count the bytes of an object; once there are too many there always are."""
        with self._lock:
            self._bytes += len(raw)
            return self._bytes > MOST_BYTES


def anonymize_series(anonymizer: Anonymizer, sources: Sequence[Source], others: Sequence[SourceInstance] = ()) -> Done:
    """De-identify objects of a series without their face, and yield what became of each.

    Parameters
    ----------
    others
        Of the same series: the face is looked for in them, too.

    Raises
    ------
    Retriable, Fatal
        As :meth:`Anonymizer.anonymize`.
    """
    parsed = [source.parsed for source in sources]
    faces = {source.instance_id: face for source, face in zip(sources, _faces([*parsed, *others]), strict=False)}
    slices = SliceBuffer()

    def together(groups: Iterable[Sequence[Source]]) -> Done:
        for group in groups:
            found = [faces[source.instance_id] for source in group]
            yield from zip(group, anonymizer.anonymize_together(group, found), strict=True)

    for source in sources:
        face = faces[source.instance_id]
        key = None if isinstance(face, Held) else anonymizer.together(source.parsed)
        if key is None:
            yield source, anonymizer.anonymize(source, face=face)
        else:
            yield from together(slices.add(key, source))
    yield from together(slices.drain())


def _faces(sources: Sequence[SourceInstance]) -> list[Face | Held]:
    try:
        return find_faces(sources)
    except Exception as error:
        # A defect of ours holds one series; its text may quote a value.
        held = Held(HoldReason.RECOGNIZABLE_FACE, f"{type(error).__name__} while its face was looked for")
        return [held] * len(sources)
