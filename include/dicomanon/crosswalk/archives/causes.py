"""The causes of differences between the archives and the crosswalk, and what to do about each: a table."""

import csv
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources


class Cause(StrEnum):
    """Why two places do not say the same; ``causes.csv`` has the words."""

    NOT_IN_LEDGER = "not-in-ledger"
    CLINICAL_COUNT_DIFFERS = "clinical-count-differs"
    GONE_FROM_CLINICAL = "gone-from-clinical"
    INSTANCES_NOT_IN_LEDGER = "instances-not-in-ledger"
    INSTANCES_GONE_FROM_CLINICAL = "instances-gone-from-clinical"
    STUDY_MISSING = "study-missing"
    INSTANCE_MISSING = "instance-missing"
    STUDY_UNKNOWN = "study-unknown"
    INSTANCE_UNKNOWN = "instance-unknown"
    STUDY_NOT_REMOVED = "study-not-removed"
    INSTANCE_NOT_REMOVED = "instance-not-removed"
    HELD_IN_RESEARCH = "held-in-research"
    STUDY_NOT_RECORDED = "study-not-recorded"
    INSTANCE_NOT_RECORDED = "instance-not-recorded"
    REMOVAL_UNKNOWN = "removal-unknown"
    PSEUDONYM_UNKNOWN = "pseudonym-unknown"
    PATIENT_DIFFERS = "patient-differs"
    OBJECT_DIFFERS = "object-differs"
    DIGEST_DIFFERS = "digest-differs"
    UNSETTLED = "unsettled"
    STAGING_LEFTOVER = "staging-leftover"
    NOT_LISTED = "not-listed"
    SURVEY_INCOMPLETE = "survey-incomplete"


class Severity(StrEnum):
    """How bad a difference is, the worst first."""

    LOST = "lost"
    LEAK = "leak"
    DAMAGE = "damage"
    BLOCKING = "blocking"
    LOOK = "look"
    PASSING = "passing"


@dataclass(frozen=True, slots=True)
class CauseText:
    """One row of the table.

    ``found_by`` is the part of a check that sees such a difference, and therefore also sees that it has gone.
    """

    severity: Severity
    found_by: str
    meaning: str
    action: str


@cache
def texts() -> dict[Cause, CauseText]:
    """Return the table, every cause once."""
    table = resources.files("dicomanon.crosswalk.archives").joinpath("causes.csv").read_text("utf-8")
    return {
        Cause(row["cause"]): CauseText(Severity(row["severity"]), row["found_by"], row["meaning"], row["action"])
        for row in csv.DictReader(table.splitlines())
    }


def found_by(part: str) -> list[Cause]:
    """Return the causes that a part of a check finds."""
    return [cause for cause, text in texts().items() if text.found_by == part]
