"""What a researcher asks for, checked: the boundary where a person's or a program's request becomes typed criteria."""

import json
import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from dicomanon.cohort.entries import (
    Age,
    IndexDate,
    NameWithBirthDate,
    read_column,
    read_index_dates,
    read_lines,
    read_names_with_birth_dates,
    read_optional_age,
    read_optional_day,
)
from dicomanon.cohort.parameters import (
    BODY_PART_PATTERN,
    LATERALITY_PATTERN,
    MODALITY_PATTERN,
    PROJECT_PATTERN,
    SEX_PATTERN,
    Contrast,
    GroupBy,
    Output,
    Sample,
    SortBy,
)
from dicomanon.errors import Fatal
from dicomanon.values import MASK

MOST_IDENTIFIERS = 100_000
_LONGEST_DAYS = 36_525
"""A hundred years."""
_MOST_CONTROLS = 20
_MOST_YEARS = 100

_Line = Annotated[str, Field(min_length=1, max_length=256)]
_Lines = Annotated[tuple[_Line, ...], BeforeValidator(read_lines), Field(max_length=MOST_IDENTIFIERS)]
_PatientIds = Annotated[
    tuple[_Line, ...], BeforeValidator(read_column("Patient ID")), Field(max_length=MOST_IDENTIFIERS)
]
_AccessionNumbers = Annotated[
    tuple[_Line, ...], BeforeValidator(read_column("accession number")), Field(max_length=MOST_IDENTIFIERS)
]
_Names = Annotated[
    tuple[NameWithBirthDate, ...], BeforeValidator(read_names_with_birth_dates), Field(max_length=MOST_IDENTIFIERS)
]
_IndexDates = Annotated[
    tuple[IndexDate, ...], BeforeValidator(read_index_dates), Field(max_length=MOST_IDENTIFIERS)
]  # fmt: skip
_Day = Annotated[date | None, BeforeValidator(read_optional_day)]
_Age = Annotated[Age | None, BeforeValidator(read_optional_age)]
_Days = Annotated[int | None, Field(strict=True, ge=0, le=_LONGEST_DAYS)]
_Count = Annotated[int | None, Field(strict=True, ge=1)]
_Share = Annotated[int, BeforeValidator(lambda value: 0 if value is None else value), Field(strict=True, ge=0, le=100)]
_Millimetres = Annotated[float | None, Field(strict=True, ge=0, allow_inf_nan=False)]


_Modality = Annotated[str, Field(pattern=rf"^(?:{MODALITY_PATTERN})$")]
_BodyPart = Annotated[str, Field(pattern=rf"^(?:{BODY_PART_PATTERN})$")]
_Sex = Annotated[str, Field(pattern=rf"^(?:{SEX_PATTERN})$")]
_Laterality = Annotated[str, Field(pattern=rf"^(?:{LATERALITY_PATTERN})$")]
_Read = BeforeValidator(read_lines)

_WINDOWS = ("study_date", "birth_date", "age", "slice_thickness", "images")
_SHAPE = frozenset(
    {"sample", "sample_seed", "per_patient", "limit", "controls_per_case", "control_age_years", "control_patient_ids",
     "control_description_words", "control_exclude_description_words", "split_train", "split_validation", "split_test",
     "group_by", "sort_by", "output", "standing", "standing_until", "dry_run"}
)  # fmt: skip
"""What is made of the studies that meet the request."""
_SELECT_NOTHING = _SHAPE | {"project", "purpose", "days_before", "days_after", "pull_missing"}
"""What is no criterion, beside what only leaves out."""
_NOT_OF_CONTROLS = _SHAPE | {
    "purpose", "patient_ids", "names_with_birth_dates", "accession_numbers", "index_dates", "days_before", "days_after",
    "pull_missing", "description_words", "exclude_description_words",
}  # fmt: skip
"""What is asked of cases alone."""
_MEAN_NOTHING = {"purpose", "pull_missing", "output", "standing", "standing_until", "dry_run"}
"""What does not change which cohort is asked for."""


class CohortCriteria(BaseModel):
    """A cohort request. A study must meet every criterion that is given; within one list, any entry will do.

    What is said of series is met by one and the same series, and only such series are released.

    Attributes
    ----------
    project
        Name or number of the project that the release is for.
    purpose
        What for, in words, for the audit trail.
    patient_ids
        Patient IDs (0010,0020); ``ID^^^ISSUER`` (the notation of HL7's CX) where the issuer is not the site's own.
    names_with_birth_dates
        People by Patient's Name and Patient's Birth Date.
    birth_date_from, birth_date_to
        Patient's Birth Date, both days included.
    age_from, age_to
        Age on the day of the study, in full units, both included.
    sex
        Patient's Sex: M, F, O.
    accession_numbers
        Accession numbers (0008,0050).
    study_date_from, study_date_to
        Real study dates, both days included.
    index_dates, days_before, days_after
        Studies of these patients from so many days before their date to so many after; of one patient, any date will
        do. One that is not given is 0.
    pull_missing
        Whether the clinical PACS is asked for studies of these patients and accession numbers that are missing here.
    description_words
        Words that must all occur in the study's or its series' description, in any case.
    referring_service_words
        Words of which one must occur in Requesting Service (0032,1033).
    modality
        Modalities (0008,0060) of the series wanted; none means all.
    body_part, laterality
        Body Part Examined (0018,0015) and laterality of the series wanted.
    contrast
        Whether a contrast agent was used.
    slice_thickness_from, slice_thickness_to
        In mm, both included, for every image of the series.
    images_from, images_to
        How many instances of a series are stored, both included.
    manufacturer
        Words of which one must occur in Manufacturer or Manufacturer's Model Name.
    protocol_words
        Words that must all occur in Protocol Name.
    exclude_patient_ids, exclude_names_with_birth_dates, exclude_accession_numbers, exclude_description_words
        Whoever or whatever meets one of these is left out; of words, one is enough.
    sample, sample_seed
        Which studies are taken where not all are: the first or last by date, or drawn; another seed draws others.
    per_patient
        How many studies of each patient are taken at most.
    limit
        How many patients, studies or series (as ``group_by`` says) are taken at most.
    controls_per_case, control_age_years
        How many controls each patient of the cohort gets: people of the same sex whose age, on the day of their study,
        differs by so many years at most.
    control_patient_ids, control_description_words, control_exclude_description_words
        What studies of controls have to meet instead of the request's identifiers, index dates and description words;
        everything else that is asked, they have to meet as well.
    split_train, split_validation, split_test
        Percent of patients; together 100, or not given at all.
    group_by
        Which tables are beside the manifest: by study, and by patient or series where that is asked for.
    sort_by
        How the rows of the manifest are ordered: by patient, by modality, or the largest objects first.
    output
        What the release gives: objects through the gateway, also as an archive or as NIfTI, or the manifest alone.
    standing, standing_until
        Whether the request stays open, to be answered anew when there is more, and the last day of that.
    dry_run
        Whether only to count; then there is no release.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True, hide_input_in_errors=True)

    project: Annotated[str, Field(pattern=rf"^(?:{PROJECT_PATTERN})$")]
    purpose: Annotated[str, BeforeValidator(lambda value: value or ""), Field(max_length=2000)] = ""
    patient_ids: _PatientIds = ()
    names_with_birth_dates: _Names = ()
    birth_date_from: _Day = None
    birth_date_to: _Day = None
    age_from: _Age = None
    age_to: _Age = None
    sex: Annotated[tuple[_Sex, ...], _Read] = ()
    accession_numbers: _AccessionNumbers = ()
    study_date_from: _Day = None
    study_date_to: _Day = None
    index_dates: _IndexDates = ()
    days_before: _Days = None
    days_after: _Days = None
    pull_missing: Annotated[bool, Field(strict=True)] = False
    description_words: _Lines = ()
    referring_service_words: _Lines = ()
    modality: Annotated[tuple[_Modality, ...], _Read] = ()
    body_part: Annotated[tuple[_BodyPart, ...], _Read] = ()
    laterality: Annotated[tuple[_Laterality, ...], _Read] = ()
    contrast: Contrast = "any"
    slice_thickness_from: _Millimetres = None
    slice_thickness_to: _Millimetres = None
    images_from: _Count = None
    images_to: _Count = None
    manufacturer: _Lines = ()
    protocol_words: _Lines = ()
    exclude_patient_ids: _PatientIds = ()
    exclude_names_with_birth_dates: _Names = ()
    exclude_accession_numbers: _AccessionNumbers = ()
    exclude_description_words: _Lines = ()
    sample: Sample = "random"
    sample_seed: Annotated[int, Field(strict=True, ge=0)] = 0
    per_patient: _Count = None
    limit: _Count = None
    controls_per_case: Annotated[int | None, Field(strict=True, ge=1, le=_MOST_CONTROLS)] = None
    control_age_years: Annotated[float, Field(strict=True, ge=0, le=_MOST_YEARS)] = 2.0
    control_patient_ids: _PatientIds = ()
    control_description_words: _Lines = ()
    control_exclude_description_words: _Lines = ()
    split_train: _Share = 0
    split_validation: _Share = 0
    split_test: _Share = 0
    group_by: GroupBy = "patient"
    sort_by: SortBy = "patient"
    output: Output = "access"
    standing: Annotated[bool, Field(strict=True)] = False
    standing_until: _Day = None
    dry_run: Annotated[bool, Field(strict=True)] = False

    @model_validator(mode="after")
    def _make_sense(self) -> "CohortCriteria":
        for window in _WINDOWS:
            first, last = getattr(self, f"{window}_from"), getattr(self, f"{window}_to")
            if first is not None and last is not None and first > last:
                raise ValueError(f"{window}_from is after {window}_to")
        if not self.selects():
            raise ValueError("give at least one criterion: everything that was ever stored is not a cohort")
        if bool(self.index_dates) != (self.days_before is not None or self.days_after is not None):
            raise ValueError("index_dates and days_before or days_after go together")
        if self.shares() and sum(self.shares().values()) != 100:  # noqa: PLR2004
            raise ValueError("split_train, split_validation and split_test do not add up to 100")
        if self.controls_per_case is None and any(name.startswith("control_") for name in self.given()):
            raise ValueError("controls are asked for by controls_per_case")
        if self.pull_missing:
            self._require_that_a_pacs_can_be_asked()
        if self.standing_until is not None and not self.standing:
            raise ValueError("standing_until is for a standing request")
        if self.standing and (self.dry_run or self.limit is not None or self.controls_per_case is not None):
            raise ValueError("a standing request releases all that meets it: leave out dry_run, limit and controls")
        return self

    def _require_that_a_pacs_can_be_asked(self) -> None:
        named = {
            "patient_ids": self.patient_ids,
            "index_dates": [entry.patient_id for entry in self.index_dates],
            "accession_numbers": self.accession_numbers,
        }
        if not any(named.values()):
            raise ValueError("pull_missing asks for patient_ids, index_dates or accession_numbers: give some")
        for name, entries in named.items():
            places = [str(place) for place, entry in enumerate(entries, start=1) if _MEANS_MORE.search(entry)]
            if places:
                raise ValueError(
                    f"{name} (entry {', '.join(places[:_MOST_PROBLEMS])}): a PACS takes *, ? and \\ for other numbers, "
                    "too: correct it, or ask without pull_missing"
                )

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
            shown = problems[:_MOST_PROBLEMS] + ["…"] * (len(problems) > _MOST_PROBLEMS)
            raise Fatal(f"the request cannot be carried out: {'; '.join(shown)}") from None

    def given(self) -> dict[str, object]:
        """Return what was asked for, by name, without what was left as it is."""
        return {
            name: value
            for name, field in type(self).model_fields.items()
            if (value := getattr(self, name)) != field.default
        }

    def selects(self) -> bool:
        """Tell whether a criterion is given that not every study meets, beside what is left out."""
        return any(name not in _SELECT_NOTHING and not name.startswith("exclude_") for name in self.given())

    def shares(self) -> dict[str, int]:
        """Return the percent of each part of the split; nothing where none is asked for."""
        shares = {"train": self.split_train, "validation": self.split_validation, "test": self.split_test}
        return shares if any(shares.values()) else {}

    def of_controls(self) -> "CohortCriteria":
        """Return what studies of controls have to meet."""
        fields = type(self).model_fields
        return self.model_copy(
            update={name: fields[name].default for name in _NOT_OF_CONTROLS}
            | {
                "patient_ids": self.control_patient_ids,
                "description_words": self.control_description_words,
                "exclude_description_words": self.control_exclude_description_words,
            }
        )

    def canonical(self) -> str:
        """Return one text per meaning: lists sorted, doubles dropped; to be digested with a key.

        What is not asked for is not in it, so that a parameter which a later version adds changes no digest.
        """
        plain = {
            name: sorted({json.dumps(item, sort_keys=True) for item in value}) if isinstance(value, list) else value
            for name, value in self.model_dump(mode="json", exclude_defaults=True, exclude=_MEAN_NOTHING).items()
        }
        return json.dumps(plain, sort_keys=True, separators=(",", ":"))

    def counts(self) -> dict[str, int]:
        """Tell how much was asked, without what: entries of lists, 1 for whatever else; fit for a log or XCom."""
        return {
            name: len(value) if isinstance(value, tuple) else 1
            for name, value in self.given().items()
            if name not in {"project", "group_by", "sort_by", "output"}
        }


_MOST_PROBLEMS = 20
_MEANS_MORE = re.compile(r"[*?\\\x00-\x1f\x7f]")
"""Wildcards and the separator of values (PS3.4 C.2.2.2), and what no such value may have (PS3.5 6.2)."""


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
