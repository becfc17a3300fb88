"""The form of a profile as an admin writes it."""

import hashlib
import json
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from dicomanon.standard import EDITION
from dicomanon.standard.confidentiality import option_names
from dicomanon.standard.tables import tables_digest

IMPLEMENTED_OPTIONS = frozenset({"retain-longitudinal-modified-dates"})
"""Options that the engine carries out to the letter; any other would be a claim that objects do not keep."""

_VERSION_DIGITS = 12


class Profile(BaseModel):
    """The PS3.15 Basic Profile with options.

    Parameters
    ----------
    name
        Short name, part of every object's DeidentificationMethod.
    title, when_to_use
        For the people who choose a profile.
    options
        Names of PS3.15 options, after the columns of Table E.1-1.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
    title: Annotated[str, Field(min_length=1, max_length=120)]
    when_to_use: Annotated[str, Field(min_length=1)]
    options: tuple[str, ...]

    @field_validator("options")
    @classmethod
    def _implemented(cls, options: tuple[str, ...]) -> tuple[str, ...]:
        unknown = sorted(set(options) - set(option_names()))
        if unknown:
            raise ValueError(f"no such option of PS3.15: {', '.join(unknown)}")
        refused = sorted(set(options) - IMPLEMENTED_OPTIONS)
        if refused:
            raise ValueError(f"not carried out by this version, so not to be claimed: {', '.join(refused)}")
        if len(set(options)) != len(options):
            raise ValueError("an option is listed twice")
        return tuple(sorted(options))

    @property
    def version(self) -> str:
        """Name and content hash, for example ``research@1f3a9c0b7d2e``.

        Changes with anything that changes what the profile does, the edition of the tables included, and not with
        the texts for people.
        """
        canonical = json.dumps(
            {"name": self.name, "options": list(self.options), "edition": EDITION, "tables": tables_digest()},
            sort_keys=True,
            separators=(",", ":"),
        )
        return f"{self.name}@{hashlib.sha256(canonical.encode()).hexdigest()[:_VERSION_DIGITS]}"
