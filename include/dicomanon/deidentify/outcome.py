"""What becomes of an instance."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from dicomanon.deidentify.codec import Buffer
from dicomanon.profile.actions import Action
from dicomanon.reasons import HoldReason


@dataclass(frozen=True, slots=True)
class ActionEntry:
    """What one element met.

    Attributes
    ----------
    path
        Tags and item indices in turn, from the main data set inwards; it ends with an item's index where a whole
        content item went.
    action, origin
        What was done, and the rule that says so.
    """

    path: tuple[int, ...]
    action: Action
    origin: str


@dataclass(slots=True)
class ActionLog:
    """Collects what every element meets, for those who ask; never a value."""

    entries: list[ActionEntry] = field(default_factory=list)

    def add(self, path: tuple[int, ...], action: Action, origin: str) -> None:
        """Append an entry."""
        self.entries.append(ActionEntry(path, action, origin))


@dataclass(frozen=True, slots=True, repr=False)
class Deidentified:
    """A de-identified instance, encoded but for its file meta information.

    Attributes
    ----------
    sop_class_uid, study_uid, series_uid, sop_uid
        As in the result: research UIDs.
    transfer_syntax
        That of the source, or another where pixels had to be encoded that it has no lossless form for.
    action_counts
        How many elements each action met, by :class:`~dicomanon.profile.Action` value; of an object whose face was
        taken out, how many pixels that were.
    chunks
        The data set in pieces; bulk data are views of the source's buffer. :func:`~dicomanon.deidentify.encode`
        joins them.
    """

    sop_class_uid: str
    study_uid: str
    series_uid: str
    sop_uid: str
    transfer_syntax: str
    action_counts: Mapping[str, int]
    chunks: tuple[Buffer, ...]

    def __repr__(self) -> str:
        return f"Deidentified({self.sop_uid})"


@dataclass(frozen=True, slots=True)
class HeldInstance:
    """An instance that a person must look at; ``detail`` names tags and rules, never values."""

    reason: HoldReason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Filtered:
    """An instance that the profile leaves out on purpose."""

    reason: str


Outcome: TypeAlias = Deidentified | HeldInstance | Filtered
