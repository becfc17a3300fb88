"""Keeps slices of a series in memory until there are enough of them to be looked at together."""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field

from dicomanon.pipeline.anonymize import Source

MOST_SLICES = 128
"""Looked at together; text that is in one of them alone has to be brighter or darker than the others in its place."""
MOST_BYTES = 96 << 20
"""Of all that wait."""


@dataclass(slots=True)
class SliceBuffer:
    """What waits, by what its slices have in common."""

    _waiting: dict[Hashable, list[Source]] = field(default_factory=dict)
    _bytes: int = 0

    def add(self, key: Hashable, source: Source) -> Iterator[list[Source]]:
        """Take a slice; yield those that need wait no longer."""
        self._waiting.setdefault(key, []).append(source)
        self._bytes += len(source.raw)
        if len(self._waiting[key]) >= MOST_SLICES:
            yield self._take(key)
        while self._bytes >= MOST_BYTES:
            yield self._take(max(self._waiting, key=lambda each: len(self._waiting[each])))

    def drain(self) -> Iterator[list[Source]]:
        """Yield all that waits."""
        while self._waiting:
            yield self._take(next(iter(self._waiting)))

    def _take(self, key: Hashable) -> list[Source]:
        taken = self._waiting.pop(key)
        self._bytes -= sum(len(source.raw) for source in taken)
        return taken
