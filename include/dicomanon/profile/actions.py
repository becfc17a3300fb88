"""The actions that the engine can carry out on one attribute."""

from dataclasses import dataclass
from enum import StrEnum


class Action(StrEnum):
    """What happens to an attribute that is present; an absent one is never added by a rule."""

    KEEP = "keep"
    """Left as encoded (K, or not in Table E.1-1)."""
    KEEP_NUMBER = "keep-number"
    """Left as encoded if it is numeric text as VR DS or IS demands, else emptied."""
    RECURSE = "recurse"
    """A sequence whose items get the same profile."""
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
    KEEP_TIME = "keep-time"
    """C of the modified-dates option, for times of day and offsets from UTC: a shift by whole days keeps them"""
    PSEUDONYM = "pseudonym"
    """The patient's research identifier"""


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
    origin
        ``E.1-1`` code, ``option``, or the name of our own rule, for explanations.
    """

    action: Action
    vr: str
    accepted: frozenset[str] = frozenset()
    length: int = 0
    fallback: Action = Action.REMOVE
    origin: str = ""
