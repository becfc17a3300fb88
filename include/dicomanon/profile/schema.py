"""The form of a profile as an admin writes it."""

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from dicomanon.profile.options import BY_SWITCH
from dicomanon.standard import EDITION
from dicomanon.standard.confidentiality import option_names
from dicomanon.standard.names import sop_class_named
from dicomanon.standard.tables import tables_digest

OverrideAction = Literal["keep", "remove", "empty", "dummy", "clean", "scrub", "uid", "shift-date", "keep-time"]
Place = tuple[str | int, ...]
"""Where in a profile something is: keys and indices."""

_VERSION_DIGITS = 12
_STRICT = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
_HEX = r"^[0-9A-Fa-f]{4}$"


class PrivateSelector(BaseModel):
    """A private attribute, or all of a creator's in a group.

    Parameters
    ----------
    creator
        Private creator; case and padding do not matter.
    group
        Odd group, four hexadecimal digits.
    element
        Last byte of the element, as in ``xx27`` or ``27``; ``None`` for all elements of the creator.
    vr
        VR of the attribute where neither Table E.3.10-1 nor pydicom's private dictionary knows it.
    """

    model_config = _STRICT

    creator: Annotated[str, Field(min_length=1, max_length=64)]
    group: Annotated[str, Field(pattern=_HEX)]
    element: Annotated[str, Field(pattern=r"^([xX]{2})?[0-9A-Fa-f]{2}$")] | None = None
    vr: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None = None


class Override(BaseModel):
    """Another action than the options give for one attribute.

    Exactly one of ``tag``, ``keyword`` and ``private`` names it. The most specific override counts: one with a path
    before one without, then one for a SOP class, then one for a modality.

    Parameters
    ----------
    tag
        ``GGGG,EEEE``, or ``GGGGEEEE``.
    keyword
        Of PS3.6 or Table E.1-1.
    private
        A private attribute.
    path
        Sequences from the main data set down, by keyword or tag, with ``>`` between them; without it the override
        holds wherever the attribute occurs. The attribute itself may be repeated at the end.
    sop_class
        The only SOP class that it holds for: its UID, keyword or name; the UID is what is kept of it.
    modality
        Value of (0008,0060) that it holds for.
    action
        What to do.
    reason
        Why; required where the override keeps more than the options do.
    """

    model_config = _STRICT

    tag: Annotated[str, Field(pattern=r"^\(?[0-9A-Fa-f]{4},?[0-9A-Fa-f]{4}\)?$")] | None = None
    keyword: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9]*$", max_length=80)] | None = None
    private: PrivateSelector | None = None
    path: Annotated[str, Field(min_length=1, max_length=600)] | None = None
    sop_class: Annotated[str, Field(min_length=1, max_length=120)] | None = None
    modality: Annotated[str, Field(pattern=r"^[A-Z0-9_ ]{1,16}$")] | None = None
    action: OverrideAction
    reason: Annotated[str, Field(max_length=500)] = ""

    @field_validator("sop_class")
    @classmethod
    def _by_uid(cls, sop_class: str | None) -> str | None:
        return (sop_class_named(sop_class) or sop_class) if sop_class is not None else None

    @field_validator("reason")
    @classmethod
    def _said(cls, reason: str) -> str:
        return re.sub(r"\s+", " ", reason).strip()

    @model_validator(mode="after")
    def _one_attribute(self) -> "Override":
        if sum(choice is not None for choice in (self.tag, self.keyword, self.private)) != 1:
            raise ValueError("name the attribute by exactly one of tag, keyword and private")
        return self


class Profile(BaseModel):
    """The PS3.15 Basic Profile with options, switches and overrides.

    Parameters
    ----------
    name
        Short name, part of every object's DeidentificationMethod.
    title, when_to_use
        For the people who choose a profile.
    options
        Names of PS3.15 options, after the columns of Table E.1-1.
    maximum_age
        Ages above it become it; ``None`` keeps all. To be set with retain-patient-characteristics only.
    birth_date
        ``shift`` moves the birth date like all other dates.
    trust_block_identifying_information
        Whether (0008,0300) of the source may declare further private attributes safe (PS3.15 section E.3.10).
    outside_iod
        Attributes that no module of the object's IOD has: ``remove`` does so as far as we know types: for attributes
        of compound codes in the main data set, and for those that Table E.1-1 says are in no standard composite IOD.
    unconfirmed_devices
        What becomes of pictures in which text is likely, from devices that no person has looked at: ``wait`` holds
        them, ``read`` releases them on the text reader's word. ``None`` leaves it to who asks: the DAGs wait, the
        command for folders reads.
    recognizable_visual_features
        Volumes of CT, MR and PET that may show a face: ``pass`` releases them and says so in (0028,0302), ``hold``
        holds them, ``deface`` takes the face out of whole series of CT and MR, and holds where none was found (PS3.15
        section E.3.2).
    overrides
        Exceptions from all that.
    """

    model_config = _STRICT

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
    title: Annotated[str, Field(min_length=1, max_length=120)]
    when_to_use: Annotated[str, Field(min_length=1)]
    options: tuple[str, ...]
    maximum_age: Annotated[int, Field(ge=1, le=130)] | None = 89
    birth_date: Literal["remove", "shift"] = "remove"
    trust_block_identifying_information: bool = False
    outside_iod: Literal["remove", "keep"] = "keep"
    unconfirmed_devices: Literal["wait", "read"] | None = None
    recognizable_visual_features: Literal["pass", "hold", "deface"] = "pass"
    overrides: tuple[Override, ...] = ()

    @field_validator("options")
    @classmethod
    def _carried_out(cls, options: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [index for index, option in enumerate(options) if option not in option_names()]
        if unknown:
            raise PydanticCustomError("unknown_option", "no such option of PS3.15", {"indices": unknown})
        refused = sorted(set(options) & BY_SWITCH.keys())
        if refused:
            raise ValueError(f"{refused[0]} is no option of a profile: say {BY_SWITCH[refused[0]]}")
        if len(set(options)) != len(options):
            raise ValueError("an option is listed twice")
        return tuple(sorted(options))

    @model_validator(mode="after")
    def _consistent(self) -> "Profile":
        from dicomanon.profile.checking import contradictions

        problems: Sequence[tuple[Place, str]] = contradictions(self)
        if problems:
            text = "; ".join(f"{place_name(place)}: {message}" for place, message in problems)
            raise PydanticCustomError("contradiction", "{text}", {"text": text, "problems": problems})
        return self

    @property
    def defaces(self) -> bool:
        """Whether faces are taken out of volumes."""
        return self.recognizable_visual_features == "deface"

    def canonical(self) -> dict[str, Any]:
        """Return all that decides what the profile does; the order in which overrides are written does not."""
        overrides = [one.model_dump(mode="json", exclude={"reason"}, exclude_none=True) for one in self.overrides]
        return {
            **self.model_dump(mode="json", exclude={"title", "when_to_use", "overrides"}),
            "overrides": sorted(overrides, key=lambda one: json.dumps(one, sort_keys=True)),
        }

    @property
    def version(self) -> str:
        """Name and content hash, for example ``research@1f3a9c0b7d2e``.

        Changes with anything that changes what the profile does, the edition of the tables included, and not with
        the texts for people.
        """
        canonical = json.dumps(
            {**self.canonical(), "edition": EDITION, "tables": tables_digest()},
            sort_keys=True,
            separators=(",", ":"),
        )
        return f"{self.name}@{hashlib.sha256(canonical.encode()).hexdigest()[:_VERSION_DIGITS]}"


def place_name(place: Place) -> str:
    """Return a place for people: ``overrides[2].path``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return text.removeprefix(".") or "file"
