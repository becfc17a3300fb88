"""Remembers what elements came to: the objects of a series repeat most of theirs byte for byte.

Right only where what an element comes to depends on nothing but its bytes and on what :func:`memory_for` is asked
with; the rewriter leaves out what depends on its neighbours or on the SOP Instance UID.
"""

from dataclasses import dataclass, field
from functools import lru_cache

from dicomanon.deidentify.charset import CharacterSet
from dicomanon.deidentify.codec import Buffer, Codec
from dicomanon.deidentify.context import PatientContext
from dicomanon.deidentify.text import KnownValues
from dicomanon.profile.actions import Action
from dicomanon.profile.compiler import CompiledProfile

LONGEST = 4096
"""Bytes of an element that is worth remembering; beyond are pixels and large sequences."""
_MOST = 1024
"""Elements of a series that are remembered; then it begins anew."""
_SERIES = 4
"""Kinds of objects that are remembered at once."""


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What an element came to, nothing if it was removed, and what was done to it and in it."""

    chunks: tuple[tuple[int, bytes], ...]
    actions: tuple[Action, ...]


@dataclass(slots=True)
class Pending:
    """An element that is being rewritten: its bytes, and what has been done so far."""

    key: bytes
    first_chunk: int
    actions: list[Action] = field(default_factory=list)


class Memory:
    """Of elements by their bytes, header and all."""

    def __init__(self) -> None:
        self._by_bytes: dict[bytes, Rewritten] = {}
        self.recall = self._by_bytes.get
        """Return what the same bytes came to before, ``None`` if nothing is remembered of them."""

    def remember(self, pending: Pending, chunks: list[tuple[int, Buffer]]) -> None:
        """Keep what an element came to; copied, for its source must not be kept with it."""
        if len(self._by_bytes) >= _MOST:
            self._by_bytes.clear()
        self._by_bytes[pending.key] = Rewritten(
            tuple([(tag, bytes(chunk)) for tag, chunk in chunks]), tuple(pending.actions)
        )


@lru_cache(maxsize=_SERIES)
def memory_for(
    profile: CompiledProfile,
    context: PatientContext,
    known: KnownValues,
    codec: Codec,
    character_set: CharacterSet,
    sop_class_uid: str,
    modality: str,
) -> Memory:
    """Return the memory that objects share for which the same bytes always come to the same."""
    return Memory()
