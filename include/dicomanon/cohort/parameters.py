"""The parameters of the DAGs that take requests about patients, as data: which exist, and which may identify a patient.

The api-server's middleware, the DAG's form and the criteria all read this table; nothing heavy is imported, since the
DAG processor and the api-server load it too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from dicomanon.values import TICKET_PATTERN

COHORT_DAG_ID = "cohort_extraction"
WITHDRAW_DAG_ID = "withdraw_patient"
RECALL_DAG_ID = "recall_release"

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
    many
        Whether the value is a list of strings; otherwise it is one string.
    pattern
        For a parameter in clear text: what each string must match as a whole, narrow enough to hold no sentence.
    """

    name: str
    sealed: bool = False
    reserved: bool = False
    many: bool = False
    pattern: str = ""


PROJECT_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}"
MODALITY_PATTERN = r"[A-Z][A-Z0-9]{1,15}"
"""Code strings of PS3.3 C.7.3.1.1.1."""
PSEUDONYM_PATTERN = r"D[0-9A-HJKMNP-TV-Z]{11}"
RESEARCH_UID_PATTERN = r"2\.25\.[0-9]{1,39}"

PARAMETERS: Mapping[str, tuple[Parameter, ...]] = MappingProxyType(
    {
        COHORT_DAG_ID: (
            Parameter("project", pattern=PROJECT_PATTERN),
            Parameter("modality", many=True, pattern=MODALITY_PATTERN),
            Parameter("study_date_from", sealed=True),
            Parameter("study_date_to", sealed=True),
            Parameter("description_words", sealed=True, reserved=True, many=True),
            Parameter("patient_ids", sealed=True, reserved=True, many=True),
            Parameter("accession_numbers", sealed=True, reserved=True, many=True),
            Parameter("group_by", pattern=r"patient|study"),
        ),
        WITHDRAW_DAG_ID: (
            Parameter("pseudonym", pattern=PSEUDONYM_PATTERN),
            Parameter("patient_id", sealed=True, reserved=True),
            Parameter("reason", sealed=True),
            Parameter("ticket", pattern=TICKET_PATTERN),
        ),
        RECALL_DAG_ID: (
            Parameter("release", pattern=rf"{PROJECT_PATTERN}/[0-9]{{1,9}}"),
            Parameter("instances", many=True, pattern=RESEARCH_UID_PATTERN),
            Parameter("reason", sealed=True),
            Parameter("ticket", pattern=TICKET_PATTERN),
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
