"""The file that says what a project may do, as people write it, checked."""

import tomllib
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from dicomanon.cohort.parameters import COHORT_DAG_ID, PARAMETERS, PROJECT_PATTERN
from dicomanon.cohort.permission import FREE
from dicomanon.crosswalk.projects.rows import ApprovalFor, ProjectTerms
from dicomanon.errors import Fatal

DEFAULT_MINIMUM_PATIENTS = 10
LEAST_MINIMUM_PATIENTS = 2
_LONGEST_RETENTION_DAYS = 36_525
_PROFILE_PATTERN = r"^[a-z][a-z0-9-]{0,31}(?:@[0-9a-f]{6,64})?$"

RESTRICTABLE = frozenset(parameter.name for parameter in PARAMETERS[COHORT_DAG_ID]) - FREE
"""Parameters of a request that a project may have, or not."""


def _known(names: tuple[str, ...]) -> tuple[str, ...]:
    if not RESTRICTABLE.issuperset(names):
        raise ValueError(f"names of parameters are {', '.join(sorted(RESTRICTABLE))}")
    return names


def _sorted(values: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(sorted(set(values)))


_Text = Annotated[str, Field(min_length=1, max_length=200)]
_Profile = Annotated[str, Field(pattern=_PROFILE_PATTERN)]


class ProjectFile(BaseModel):
    """A project's terms as TOML; what is left out is as strict as it gets, but that all criteria are allowed.

    Attributes
    ----------
    project
        Its name, as requests give it.
    title, lead, ethics_number, ethics_expires, retention_days
        See :class:`~dicomanon.crosswalk.projects.rows.ProjectTerms`.
    profiles
        Names or versions of profiles; empty for any.
    criteria
        Names of parameters of ``cohort_extraction``; left out, all.
    minimum_patients
        Counts of fewer are not told.
    approval_for
        What waits for an approval.
    own_pseudonyms
        Whether it gets identifiers and dates of its own; settled by its first release.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True, hide_input_in_errors=True)

    project: Annotated[str, Field(pattern=rf"^(?:{PROJECT_PATTERN})$")]
    title: _Text
    lead: _Text
    ethics_number: _Text
    ethics_expires: date
    retention_days: Annotated[int, Field(strict=True, ge=1, le=_LONGEST_RETENTION_DAYS)]
    profiles: Annotated[tuple[_Profile, ...], AfterValidator(_sorted)] = ()
    criteria: Annotated[tuple[str, ...], AfterValidator(_known), AfterValidator(_sorted)] | None = None
    minimum_patients: Annotated[int, Field(strict=True, ge=LEAST_MINIMUM_PATIENTS, le=1000)] = DEFAULT_MINIMUM_PATIENTS
    approval_for: frozenset[ApprovalFor] = frozenset(ApprovalFor)
    own_pseudonyms: Annotated[bool, Field(strict=True)] = False

    @classmethod
    def read(cls, path: Path) -> "ProjectFile":
        """Read and check a file.

        Raises
        ------
        Fatal
            It cannot be read, is no TOML, or says what cannot hold; the message names keys.
        """
        try:
            return cls.parse(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise Fatal(f"the project's file cannot be read: {type(error).__name__}") from None

    @classmethod
    def parse(cls, text: str) -> "ProjectFile":
        """Check the text of such a file.

        Raises
        ------
        Fatal
            As :meth:`read`.
        """
        try:
            return cls.model_validate(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise Fatal(f"the project's file is no TOML: {error}") from None
        except ValidationError as error:
            problems = sorted({f"{_place(item['loc'])}: {item['msg']}" for item in error.errors()})
            raise Fatal(f"the project's file cannot hold: {'; '.join(problems)}") from None

    def terms(self) -> ProjectTerms:
        """Return what the file says, without whose it is."""
        return ProjectTerms(**{name: getattr(self, name) for name in type(self).model_fields if name != "project"})


def _place(where: tuple[int | str, ...]) -> str:
    return ".".join(map(str, where)) or "it"
