"""What a requester is told of what is not in a release: two tables, by codes that tell nothing of anybody.

Of identifiers that led to nothing, their place in the requester's own list, and that alone: whether somebody is not
known, has nothing stored or has withdrawn is one answer. Of the studies in the release, how much of each is missing and
why; of what is missing since it is another patient's, was taken back, or its patient has withdrawn, nothing.
"""

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources
from io import StringIO
from typing import Final, Literal, cast

from dicomanon.crosswalk.rows import LeftOut

Table = Literal["withheld", "failed"]
NOT_FOUND: Final = "not-found"
_HEADER: Final = ("parameter", "position", "StudyInstanceUID", "instances", "reason", "meaning")


@dataclass(frozen=True, slots=True, order=True)
class Answer:
    """One row: an entry of the request by parameter and place (from 1), or so many objects of a study.

    ``code`` is one of ``left_out_reasons.csv``.
    """

    table: Table
    code: str
    parameter: str = ""
    position: int = 0
    study_uid: str = ""
    instances: int = 0

    def to_json(self) -> dict[str, str | int]:
        """Return what a record keeps."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Told:
    """What a reason of ours is called for a requester."""

    table: Table
    code: str
    meaning: str


@cache
def told_reasons() -> Mapping[str, Told | None]:
    """Return by hold reason, or state, what is told; ``None`` for what is not."""
    text = resources.files("dicomanon.cohort").joinpath("left_out_reasons.csv").read_text("utf-8")
    return {
        row["reason"]: Told(cast(Table, row["table"]), row["code"], row["meaning"]) if row["table"] else None
        for row in csv.DictReader(text.splitlines())
    }


def answers(unmatched: Mapping[str, Sequence[int]], left_out: Iterable[LeftOut]) -> tuple[Answer, ...]:
    """Return what is told, in order.

    Parameters
    ----------
    unmatched
        By parameter, the places of entries that led to nothing.
    left_out
        What of the studies in the release is not stored. A reason that the table does not have is not told.
    """
    reasons = told_reasons()
    entries = [
        Answer("withheld", NOT_FOUND, parameter, position)
        for parameter, positions in unmatched.items()
        for position in positions
    ]
    objects: Counter[tuple[Table, str, str]] = Counter()
    for one in left_out:
        if told := reasons.get(one.reason or one.state):
            objects[told.table, told.code, one.research_study_uid] += one.instances
    of_studies = [
        Answer(table, code, study_uid=study, instances=count) for (table, code, study), count in objects.items()
    ]
    return tuple(sorted([*entries, *of_studies]))


def answers_as_csv(told: Iterable[Answer], table: Table) -> str:
    """Return one of the tables."""
    meanings = {one.code: one.meaning for one in told_reasons().values() if one}
    text = StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(_HEADER)
    for one in told:
        if one.table == table:
            count = one.instances or ""
            rows.writerow((one.parameter, one.position or "", one.study_uid, count, one.code, meanings[one.code]))
    return text.getvalue()
