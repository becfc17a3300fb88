"""What a request is about: study, series, instance, each a UID and nothing else; pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from dicomanon.crosswalk.audit.events import Subject, SubjectKind
from dicomanon.gateway.refusals import BAD_REQUEST, Refusal, nothing_there

_UID: Final = re.compile(r"[0-9]+(\.[0-9]+)*")
_LONGEST_UID: Final = 64
_FRAMES: Final = re.compile(r"[1-9][0-9]{0,8}(,[1-9][0-9]{0,8})*")
_LONGEST_LIST: Final = 6000
_BULK_PART: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}")
_MOST_BULK_PARTS: Final = 32


def is_uid(text: str) -> bool:
    """Tell whether a text is a UID (PS3.5 9.1); leading zeros are let pass, as archives do."""
    return len(text) <= _LONGEST_UID and _UID.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Address:
    """A study, a series of it, or an instance of that."""

    study_uid: str
    series_uid: str | None = None
    sop_uid: str | None = None

    @classmethod
    def of(cls, parameters: Mapping[str, str]) -> "Address":
        """Read the parts of a path.

        Raises
        ------
        Refusal
            404: one is no UID, so that nothing can be there.
        """
        given = {name: parameters[name] for name in ("study_uid", "series_uid", "sop_uid") if name in parameters}
        if not all(is_uid(uid) for uid in given.values()):
            raise nothing_there()
        return cls(**given)

    @property
    def path(self) -> list[str]:
        """Return the parts of its path below the root of a DICOMweb service (PS3.18 10.1)."""
        path = ["studies", self.study_uid]
        if self.series_uid:
            path += ["series", self.series_uid]
        if self.sop_uid:
            path += ["instances", self.sop_uid]
        return path

    @property
    def subject(self) -> Subject:
        """Return what the audit trail has it as."""
        if self.sop_uid:
            return Subject(SubjectKind.INSTANCE, self.sop_uid)
        if self.series_uid:
            return Subject(SubjectKind.SERIES, self.series_uid)
        return Subject(SubjectKind.STUDY, self.study_uid)


def frames(text: str) -> str:
    """Return a list of frames, counted from 1.

    Raises
    ------
    Refusal
        400: it is none.
    """
    if len(text) > _LONGEST_LIST or not _FRAMES.fullmatch(text):
        raise Refusal(BAD_REQUEST, "Frames are numbers from 1 on, with commas between them.")
    return text


def bulk_path(text: str) -> list[str]:
    """Return the parts of a path to bulk data below an instance.

    Raises
    ------
    Refusal
        404: it is none.
    """
    parts = text.split("/")
    if len(parts) > _MOST_BULK_PARTS or not all(_BULK_PART.fullmatch(part) for part in parts):
        raise nothing_there()
    return parts
