"""What a profile's overrides change, as this room is told it: a value that needs nothing of the profile room."""

from dataclasses import dataclass
from enum import StrEnum


class Effect(StrEnum):
    """What may be left of an attribute that an override is about."""

    KEPT = "kept"
    """Its value as it was: an original value there is no finding."""
    CLEANED = "cleaned"
    """A value that has been emptied, replaced, shifted or cleaned: it is searched like any other."""
    REMOVED = "removed"
    """Nothing."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """One override, for a public attribute (``tag``) or private ones (``creator`` with ``group``).

    Parameters
    ----------
    effect
        What may be left.
    tag
        The attribute, where it is public.
    creator, group, byte
        The private creator, the odd group, and the last byte of the element; ``byte`` None stands for the whole block.
    path
        Tags of the sequences around it, from the main data set down. Empty stands for anywhere.
    sop_class_uid, modality
        The only objects that it is about; empty stands for all.
    """

    effect: Effect
    tag: int | None = None
    creator: str = ""
    group: int = 0
    byte: int | None = None
    path: tuple[int, ...] = ()
    sop_class_uid: str = ""
    modality: str = ""

    @property
    def narrowness(self) -> tuple[bool, ...]:
        """What it says, most important first: of two that are about one attribute, the narrower one counts."""
        return bool(self.path), bool(self.sop_class_uid), bool(self.modality), self.byte is not None

    def is_about(self, path: tuple[int, ...]) -> bool:
        """Whether an attribute below ``path`` is meant."""
        return self.path in {(), path}
