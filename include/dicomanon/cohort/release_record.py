"""What a release is made of beside the crosswalk's ledger: decided once, recorded, and read whenever it is written."""

import base64
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from dicomanon.cohort.fields import Columns
from dicomanon.cohort.left_out import Answer
from dicomanon.cohort.parameters import GroupBy, SortBy
from dicomanon.crosswalk.release_records import Record
from dicomanon.crosswalk.rows import CohortInstance

_SALT_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class ReleaseRecord:
    """What a release is made of.

    Attributes
    ----------
    facts
        What ``release.json`` says beside what the crosswalk and the manifest tell; no source values.
    columns
        What the request brought to the manifest.
    patients
        The person that each study was counted under, by research Study Instance UID: two patients may be found to be
        one later.
    answers
        What the requester is told of what is not in it.
    salt
        Of the digests of the inputs.
    """

    facts: Mapping[str, Any]
    group_by: GroupBy
    sort_by: SortBy
    columns: Columns
    patients: Mapping[str, str]
    answers: tuple[Answer, ...]
    salt: bytes = field(default_factory=lambda: secrets.token_bytes(_SALT_BYTES), repr=False)

    def to_json(self) -> Record:
        """Return what the crosswalk keeps."""
        return {
            "facts": dict(self.facts),
            "group_by": self.group_by,
            "sort_by": self.sort_by,
            "columns": {name: dict(told) for name, told in self.columns.items()},
            "patients": dict(self.patients),
            "answers": [one.to_json() for one in self.answers],
            "salt": base64.b64encode(self.salt).decode("ascii"),
        }

    @classmethod
    def of(cls, record: Record) -> "ReleaseRecord":
        """Read what the crosswalk has kept."""
        return cls(
            facts=record["facts"],
            group_by=record["group_by"],
            sort_by=record["sort_by"],
            columns=record["columns"],
            patients=record["patients"],
            answers=tuple(Answer(**one) for one in record["answers"]),
            salt=base64.b64decode(record["salt"]),
        )


def persons(instances: Sequence[CohortInstance]) -> dict[str, str]:
    """Return the person that each study is counted under now."""
    return {one.research_study_uid: one.patient for one in instances}
