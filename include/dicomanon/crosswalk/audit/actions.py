"""What each action of the trail is in the words of DICOM: read from ``actions.csv``."""

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True)
class ActionKind:
    """How an action is reported.

    Attributes
    ----------
    event_code, event_meaning
        Of PS3.16 CID 400, Audit Event ID.
    action_code
        Create, read, update, delete or execute (PS3.15 A.5.2).
    outcome
        Event Outcome Indicator: 0 success, 4 minor failure.
    """

    event_code: str
    event_meaning: str
    action_code: str
    outcome: str


UNKNOWN = ActionKind("110100", "Application Activity", "E", "0")
"""Of an action that the table does not have: recorded and exported all the same, under its own name as event type."""


@cache
def action_kinds() -> dict[str, ActionKind]:
    """Return the table, by action."""
    text = resources.files("dicomanon.crosswalk.audit").joinpath("actions.csv").read_text("utf-8")
    return {
        row["action"]: ActionKind(row["event_code"], row["event_meaning"], row["action_code"], row["outcome"])
        for row in csv.DictReader(text.splitlines())
    }


def kind_of(action: str) -> ActionKind:
    """Return how an action is reported."""
    return action_kinds().get(action, UNKNOWN)
