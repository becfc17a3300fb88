"""What a researcher asks for, checked: the boundary where a person's or a program's request becomes typed criteria."""

import json
import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from dicomanon.cohort.parameters import MODALITY_PATTERN, PROJECT_PATTERN
from dicomanon.errors import Fatal
from dicomanon.values import MASK

MOST_IDENTIFIERS = 100_000


def _lines(value: object) -> object:
    """Take one string per line as well, and drop blank ones: both come from the form's text area."""
    if value is None:
        return ()
    if isinstance(value, str):
        value = value.splitlines()
    if isinstance(value, list | tuple):
        return tuple(item.strip() if isinstance(item, str) else item for item in value if item != "")
    return value


def _drop_blank(value: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(item for item in value if item)


def _day(value: object) -> object:
    """Read ``2026-11-22`` or DICOM's ``20261122`` (PS3.5, VR DA)."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        for form in ("%Y-%m-%d", "%Y%m%d"):
            try:
                return datetime.strptime(value.strip(), form).date()
            except ValueError:
                continue
        raise ValueError("write a date as YYYY-MM-DD")
    if isinstance(value, date):
        return value
    raise ValueError("write a date as YYYY-MM-DD")


_Identifiers = Annotated[
    tuple[Annotated[str, Field(max_length=256)], ...],
    BeforeValidator(_lines),
    Field(max_length=MOST_IDENTIFIERS),
    AfterValidator(_drop_blank),
]
_Day = Annotated[date | None, BeforeValidator(_day)]


class CohortCriteria(BaseModel):
    """A cohort request. A study must meet every criterion that is given; within one list, any entry will do.

    Attributes
    ----------
    project
        Name or number of the project that the release is for.
    modality
        Modalities (0008,0060) of the series wanted; none means all.
    study_date_from, study_date_to
        Real study dates, both days included.
    description_words
        Words that must all occur in the study's or series' description, in any case.
    patient_ids
        Patient IDs (0010,0020); ``ID^^^ISSUER`` (the notation of HL7's CX) where the issuer is not the site's own.
    accession_numbers
        Accession numbers (0008,0050).
    group_by
        Whether the tables beside the manifest are by patient and study, or by study alone.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True, hide_input_in_errors=True)

    project: Annotated[str, Field(pattern=rf"^(?:{PROJECT_PATTERN})$")]
    modality: Annotated[
        tuple[Annotated[str, Field(pattern=rf"^(?:{MODALITY_PATTERN})$")], ...], BeforeValidator(_lines)
    ] = ()
    study_date_from: _Day = None
    study_date_to: _Day = None
    description_words: _Identifiers = ()
    patient_ids: _Identifiers = ()
    accession_numbers: _Identifiers = ()
    group_by: Literal["patient", "study"] = "patient"

    @model_validator(mode="after")
    def _make_sense(self) -> "CohortCriteria":
        if self.study_date_from and self.study_date_to and self.study_date_from > self.study_date_to:
            raise ValueError("study_date_from is after study_date_to")
        selects = (self.modality, self.study_date_from, self.study_date_to, self.description_words,
                   self.patient_ids, self.accession_numbers)  # fmt: skip
        if not any(selects):
            raise ValueError("give at least one criterion: everything that was ever stored is not a cohort")
        return self

    def __repr__(self) -> str:
        return f"CohortCriteria({MASK})"

    __str__ = __repr__

    @classmethod
    def read(cls, parameters: Mapping[str, object]) -> "CohortCriteria":
        """Check opened parameters.

        Raises
        ------
        Fatal
            Something is missing, malformed, unknown or contradictory. The message names parameters and positions in
            lists, never what was written there.
        """
        try:
            return cls.model_validate(dict(parameters))
        except ValidationError as error:
            problems = sorted({_problem(item["type"], item["loc"], item["msg"]) for item in error.errors()})
            raise Fatal(f"the request cannot be carried out: {'; '.join(problems)}") from None

    def canonical(self) -> str:
        """Return one text per meaning: lists sorted, doubles dropped; to be digested with a key."""
        plain = {
            name: sorted(set(value)) if isinstance(value, list) else value
            for name, value in self.model_dump(mode="json").items()
        }
        return json.dumps(plain, sort_keys=True, separators=(",", ":"))

    def counts(self) -> dict[str, int | bool]:
        """Tell how much was asked, without what: fit for a log or XCom."""
        return {
            "modalities": len(self.modality),
            "description_words": len(self.description_words),
            "patient_ids": len(self.patient_ids),
            "accession_numbers": len(self.accession_numbers),
            "date_window": self.study_date_from is not None or self.study_date_to is not None,
        }


def split_patient_id(text: str, default_issuer: str) -> tuple[str, str]:
    """Return issuer and Patient ID of ``ID`` or ``ID^^^ISSUER``."""
    patient_id, mark, issuer = text.partition("^^^")
    return (issuer.strip(), patient_id.strip()) if mark and issuer.strip() else (default_issuer, patient_id.strip())


def _problem(kind: str, where: tuple[int | str, ...], message: str) -> str:
    if kind == "extra_forbidden":
        return "it has a parameter that does not exist"
    if not where:
        return re.sub(r"^Value error, ", "", message)
    name = str(where[0])
    position = next((f" (entry {part + 1})" for part in where[1:] if isinstance(part, int)), "")
    return f"{name}{position}: {re.sub(r'^Value error, ', '', message)}"
