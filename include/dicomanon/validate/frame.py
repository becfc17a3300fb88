"""Puts the findings of a batch into data frames that hold research UIDs, rule ids and counts, and nothing else."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Final

import pandas as pd

from dicomanon.validate.findings import Expected, Findings
from dicomanon.validate.suite import RULES

IDENTIFIERS: Final = ("study_uid", "series_uid", "sop_uid")
STUDY_COUNTS: Final = ("enrolled", "staged", "held", "filtered", "stored")


@dataclass(frozen=True, slots=True)
class StudyCount:
    """What became of a study's instances so far; ``study_uid`` is the research one.

    ``enrolled`` counts the instances that the batch or study should have; the others where they are now.
    """

    study_uid: str
    enrolled: int
    staged: int
    held: int = 0
    filtered: int = 0
    stored: int = 0


def findings_frame(rows: Iterable[tuple[Expected, Findings]]) -> pd.DataFrame:
    """Return one row per instance: its research UIDs and one count per rule, zero where nothing was found."""
    records = [
        (expected.study_uid, expected.series_uid, expected.sop_uid, *(findings.counts.get(rule, 0) for rule in RULES))
        for expected, findings in rows
    ]
    return pd.DataFrame.from_records(records, columns=[*IDENTIFIERS, *RULES])


def studies_frame(rows: Iterable[StudyCount]) -> pd.DataFrame:
    """Return one row per study: its counts, and how many instances are unaccounted for."""
    frame = pd.DataFrame.from_records([asdict(row) for row in rows], columns=["study_uid", *STUDY_COUNTS])
    accounted = frame[list(STUDY_COUNTS[1:])].sum(axis=1)
    return frame.assign(unaccounted=frame["enrolled"] - accounted)
