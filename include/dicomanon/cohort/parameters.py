"""The parameters of the DAGs that take requests about patients, as data: which exist, and which may identify a patient.

The api-server's middleware, the DAG's form and the criteria all read this table; nothing heavy is imported, since the
DAG processor and the api-server load it too.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, get_args

from dicomanon.errors import Fatal
from dicomanon.values import TICKET_PATTERN

COHORT_DAG_ID = "cohort_extraction"
STANDING_DAG_ID = "standing_cohorts"
WITHDRAW_DAG_ID = "withdraw_patient"
RECALL_DAG_ID = "recall_release"

APPROVAL_TASK_ID = "await_approval"
APPROVE, APPROVE_VERSIONS, REFUSE = "Approve", "Approve with later versions", "Refuse"
"""What may be answered to a cohort request that waits."""
APPROVAL_REASON = "approval.reason"
"""What the reason of such an answer is sealed as; no parameter of a request."""
APPROVAL_DAYS = 30
"""How long a request waits before its run ends."""

SEALED_PREFIX = "sealed:v1:"
SEALED_SCHEMA_PATTERN = r"^sealed:v1:[A-Za-z0-9_-]{100,}$"
"""What a stored value must look like: Airflow checks it before it stores a run, whichever door the run came in by."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a DAG whose requests may identify patients.

    Parameters
    ----------
    name
        The key in ``conf``.
    sealed
        Whether the value can identify a patient, and so must be sealed before Airflow sees it.
    reserved
        Whether a clear value under this name is refused in every other request too. Not for a date, which by itself
        is an engineer's window as well.
    type
        The JSON type of the value; an array is one of strings. What is sealed is a string or an array.
    pattern
        For strings in clear text: what each must match as a whole, narrow enough to hold no sentence.
    """

    name: str
    sealed: bool = False
    reserved: bool = False
    type: Literal["string", "array", "number", "boolean"] = "string"
    pattern: str = ""

    @property
    def many(self) -> bool:
        """Whether the value is a list of strings."""
        return self.type == "array"

    def takes(self, value: object) -> bool:
        """Tell whether a value may be kept in clear text under this name."""
        if self.type == "boolean":
            return isinstance(value, bool)
        if self.type == "number":
            return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST_NUMBER
        texts = value if self.many and isinstance(value, list) else [value]
        return all(isinstance(text, str) and re.fullmatch(self.pattern, text) for text in texts)

    @property
    def form(self) -> str:
        """What a value in clear text must be, in words."""
        if self.type in {"number", "boolean"}:
            return "be a number below a million" if self.type == "number" else "be true or false"
        return f"match {self.pattern}"


def _clear(name: str, pattern: str, *, many: bool = False) -> Parameter:
    return Parameter(name, type="array" if many else "string", pattern=pattern)


def _choice(name: str, choices: Any) -> Parameter:
    return _clear(name, "|".join(get_args(choices)))


def _number(name: str) -> Parameter:
    return Parameter(name, type="number")


def _sealed(name: str, *, reserved: bool = False) -> Parameter:
    return Parameter(name, sealed=True, reserved=reserved)


def _sealed_list(name: str, *, reserved: bool = True) -> Parameter:
    return Parameter(name, sealed=True, reserved=reserved, type="array")


_LARGEST_NUMBER = 1_000_000
"""Shorter than what a patient is called by in most places."""


PROJECT_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}"
MODALITY_PATTERN = r"[A-Z][A-Z0-9]{1,15}"
"""Code strings of PS3.3 C.7.3.1.1.1."""
BODY_PART_PATTERN = r"[A-Z]{2,16}"
"""Body Part Examined, code strings of PS3.16 Annex L."""
SEX_PATTERN = r"[MFO]"
LATERALITY_PATTERN = r"[RLUB]"
"""Laterality (0020,0060) and Image Laterality (0020,0062): right, left, unpaired, both."""
Contrast = Literal["any", "yes", "no"]
Sample = Literal["random", "first", "last"]
GroupBy = Literal["patient", "study", "series"]
SortBy = Literal["patient", "modality", "size"]
Output = Literal["access", "archive", "nifti", "manifest"]
"""What a release gives beside its manifest: objects through the gateway, as files too, or nothing."""
DAY_PATTERN = r"\d{4}-\d{2}-\d{2}"
PSEUDONYM_PATTERN = r"D[0-9A-HJKMNP-TV-Z]{11}"
RESEARCH_UID_PATTERN = r"2\.25\.[0-9]{1,39}"

PARAMETERS: Mapping[str, tuple[Parameter, ...]] = MappingProxyType(
    {
        COHORT_DAG_ID: (
            _clear("project", PROJECT_PATTERN),
            _sealed("purpose"),
            # people
            _sealed_list("patient_ids"),
            _sealed_list("names_with_birth_dates"),
            _sealed("birth_date_from", reserved=True),
            _sealed("birth_date_to", reserved=True),
            _sealed("age_from"),
            _sealed("age_to"),
            _clear("sex", SEX_PATTERN, many=True),
            # studies
            _sealed_list("accession_numbers"),
            _sealed("study_date_from"),
            _sealed("study_date_to"),
            _sealed_list("index_dates"),
            _number("days_before"),
            _number("days_after"),
            Parameter("pull_missing", type="boolean"),
            _sealed_list("description_words"),
            _sealed_list("referring_service_words"),
            # series
            _clear("modality", MODALITY_PATTERN, many=True),
            _clear("body_part", BODY_PART_PATTERN, many=True),
            _clear("laterality", LATERALITY_PATTERN, many=True),
            _choice("contrast", Contrast),
            _number("slice_thickness_from"),
            _number("slice_thickness_to"),
            _number("images_from"),
            _number("images_to"),
            _sealed_list("manufacturer", reserved=False),
            _sealed_list("protocol_words", reserved=False),
            # what is left out
            _sealed_list("exclude_patient_ids"),
            _sealed_list("exclude_names_with_birth_dates"),
            _sealed_list("exclude_accession_numbers"),
            _sealed_list("exclude_description_words"),
            # what is made of it
            _choice("sample", Sample),
            _number("sample_seed"),
            _number("per_patient"),
            _number("limit"),
            _number("controls_per_case"),
            _number("control_age_years"),
            _sealed_list("control_patient_ids"),
            _sealed_list("control_description_words"),
            _sealed_list("control_exclude_description_words"),
            _number("split_train"),
            _number("split_validation"),
            _number("split_test"),
            _choice("group_by", GroupBy),
            _choice("sort_by", SortBy),
            _choice("output", Output),
            Parameter("standing", type="boolean"),
            _clear("standing_until", DAY_PATTERN),
            Parameter("dry_run", type="boolean"),
        ),
        WITHDRAW_DAG_ID: (
            _clear("pseudonym", PSEUDONYM_PATTERN),
            _sealed("patient_id", reserved=True),
            _sealed("reason"),
            _clear("ticket", TICKET_PATTERN),
        ),
        RECALL_DAG_ID: (
            _clear("release", rf"{PROJECT_PATTERN}/[0-9]{{1,9}}"),
            _clear("instances", RESEARCH_UID_PATTERN, many=True),
            _sealed("reason"),
            _clear("ticket", TICKET_PATTERN),
        ),
    }
)
"""By DAG id. A DAG that is not named here takes no identifying parameter at all."""

SEALED_PARAMETERS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        dag_id: frozenset(parameter.name for parameter in parameters if parameter.sealed)
        for dag_id, parameters in PARAMETERS.items()
    }
)

RESERVED_NAMES: frozenset[str] = frozenset(
    parameter.name for parameters in PARAMETERS.values() for parameter in parameters if parameter.reserved
)
"""Names whose clear values are refused wherever else they turn up."""


def check_conf(dag_id: str, conf: Mapping[str, object]) -> None:
    """Check what a request to a DAG of the table names, and what of it is kept in clear text.

    Raises
    ------
    Fatal
        A key is unknown, or a value in clear text could hold more than it should. No value is named.
    """
    parameters = {parameter.name: parameter for parameter in PARAMETERS[dag_id]}
    if not conf.keys() <= parameters.keys():
        raise Fatal(f"conf has a key that {dag_id} does not know; it knows {', '.join(parameters)}")
    for name, value in conf.items():
        parameter = parameters[name]
        if not parameter.sealed and value is not None and not parameter.takes(value):
            raise Fatal(f"{name} must {parameter.form}: it is kept in clear text")
