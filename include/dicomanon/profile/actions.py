"""The actions that the engine can carry out on one attribute, and how rules are looked up."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Action(StrEnum):
    """What happens to an attribute that is present; an absent one is never added by a rule."""

    KEEP = "keep"
    """Left as encoded, if the VR is the one of PS3.6 (K, or not in Table E.1-1)."""
    KEEP_NUMBER = "keep-number"
    """Left as encoded if it is numeric text as VR DS or IS demands, else the fallback."""
    KEEP_DATE = "keep-date"
    """Left if it is nothing but dates of its VR (K of the full-dates and device options), else the fallback."""
    KEEP_TIME = "keep-time"
    """Left if it is nothing but times of day or offsets from UTC: a shift by whole days keeps them."""
    KEEP_UID = "keep-uid"
    """Left if it is nothing but UIDs (K of the retain-UIDs option), else mapped."""
    CAP_AGE = "cap-age"
    """Left if it is an age string up to the profile's maximum age; above, that age."""
    SCRUB = "scrub"
    """Text that stays but for what identifies: known values of the patient and patterns."""
    CLEAN = "clean"
    """C for text: as scrub, and every word that nothing knows to be harmless goes (PS3.15 E.3.5)."""
    CLEAN_DOCUMENT = "clean-document"
    """C for an encapsulated document."""
    RECURSE = "recurse"
    """A sequence whose items get the profile."""
    CLEAN_CONTENT = "clean-content"
    """C for a sequence of content items (PS3.15 E.3.4): each item by its concept name and value type."""
    REMOVE = "remove"
    """X"""
    EMPTY = "empty"
    """Z, as a value of zero length"""
    DUMMY = "dummy"
    """D"""
    UID = "uid"
    """U: one to one by the crosswalk's key; registered UIDs stay"""
    SHIFT_DATE = "shift-date"
    """C of the modified-dates option, for DA and DT"""
    PSEUDONYM = "pseudonym"
    """The patient's research identifier"""
    DEFACE = "deface"
    """Pixels that show a face become air (PS3.15 E.3.2); of no attribute's rule, but of a series of images"""


class TextKind(StrEnum):
    """What a text is for, as far as it says which words to expect."""

    DESCRIPTION = "description"
    """Descriptions, comments, reports: words of a language."""
    LABEL = "label"
    """Names of structures and segments: an eponym that stands alone means the thing."""
    CODE = "code"
    """Meaning of a code: from a list, unless a site made its own."""
    TERM = "term"
    """A defined term or a code out of a list: a word of the standard stays whoever bears it as a name."""
    TECHNICAL = "technical"
    """Values that equipment writes: anything that is not known to identify stays."""


@dataclass(frozen=True, slots=True)
class AttributeRule:
    """What to do with one attribute.

    Parameters
    ----------
    action
        What to do.
    vr
        VR that a new value is written with.
    accepted
        VRs in which a value may be kept: an attribute that comes in another VR than PS3.6 gives it is not what its
        tag says, and is removed.
    length
        Length in bytes of a value that may be kept, 0 if any: a number of VM 1 has no room for text.
    fallback
        What to do when the action finds a value that it does not understand.
    text
        How to read the text that ``SCRUB`` and ``CLEAN`` work on.
    origin
        ``E.1-1`` code, ``option``, or the name of our own rule, for explanations.
    """

    action: Action
    vr: str
    accepted: frozenset[str] = frozenset()
    length: int = 0
    fallback: Action = Action.REMOVE
    text: TextKind = TextKind.TECHNICAL
    origin: str = ""


class LevelRules(Protocol):
    """The rules of one nesting level of one SOP class."""

    def __getitem__(self, tag: int) -> AttributeRule:
        """Return the rule of a public attribute; never fails."""

    def inside(self, tag: int) -> "LevelRules":
        """Return the rules for the items of a sequence of this level."""

    def private(self, creator: str, tag: int) -> AttributeRule:
        """Return the rule of a private attribute.

        Parameters
        ----------
        creator
            The private creator that reserved its block, ``""`` if none did.
        tag
            With the block as it is in the object: rules look at group and last byte.
        """

    def item(self, concept: tuple[str, str], value_type: str) -> "LevelRules | None":
        """Return the rules for one content item of this level, ``None`` if the item goes (PS3.15 E.3.4).

        Parameters
        ----------
        concept
            Code value and coding scheme designator of the concept name, empty if absent.
        value_type
            (0040,A040), ``""`` if absent.
        """
