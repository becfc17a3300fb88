"""The attributes that say what was done (PS3.15 E.1.1, PS3.3 C.12.1, C.7.1.1): the truth, and nothing else.

Burned In Annotation (0028,0301) is NO, and the Clean Pixel Data Option is claimed, only where the pixels were looked at
(PS3.15 E.3.1). Elsewhere what the source says stays as true as it was, and what it does not say we cannot know.
Recognizable Visual Features (0028,0302) becomes YES where the header speaks for a face that is released, whatever the
source says. It becomes NO, and the Clean Recognizable Visual Features Option is claimed, where the face of a series was
found and taken out (E.3.2), in each of its slices. Elsewhere it stays as it came.
"""

from collections.abc import Iterator
from functools import lru_cache

from dicomanon import __version__
from dicomanon.deidentify.codec import Codec
from dicomanon.deidentify.faces.facts import VISUAL_FEATURES
from dicomanon.profile.compiler import (
    CLEAN_PIXEL_DATA,
    DEIDENTIFICATION_METHOD,
    DEIDENTIFICATION_METHOD_CODES,
    LONGITUDINAL_INFORMATION_MODIFIED,
    PATIENT_ID,
    PATIENT_IDENTITY_REMOVED,
    PATIENT_NAME,
    CompiledProfile,
)
from dicomanon.profile.options import CLEAN_VISUAL_FEATURES
from dicomanon.standard import EDITION
from dicomanon.standard.confidentiality import method_codes

CONTRIBUTING_EQUIPMENT = 0x0018A001
SYSTEM = b"DICOManon"
"""Manufacturer and model name in our item of the Contributing Equipment Sequence."""

_CODE_VALUE = 0x00080100
_CODING_SCHEME_DESIGNATOR = 0x00080102
_CODE_MEANING = 0x00080104
_MANUFACTURER = 0x00080070
_MODEL = 0x00081090
_SOFTWARE_VERSIONS = 0x00181020
_CONTRIBUTION_DESCRIPTION = 0x0018A003
_PURPOSE_CODES = 0x0040A170
_DEIDENTIFYING_EQUIPMENT = (b"109104", b"DCM", b"De-identifying Equipment")
_ITEM_HEADER = 8
_LONGEST_EQUIPMENT = 4096
"""Bytes of equipment up to which what is written is remembered; the objects of a series have the same."""
_BURNED_IN_ANNOTATION = 0x00280301

_UNMODIFIED, _MODIFIED, _REMOVED = "UNMODIFIED", "MODIFIED", "REMOVED"


def markers(
    profile: CompiledProfile,
    pseudonym: str,
    codec: Codec,
    *,
    equipment: bytes = b"",
    dates_before: str = "",
    pixels_cleaned: bool = False,
    may_show_face: bool | None = None,
) -> tuple[tuple[int, bytes], ...]:
    """Return the elements that every result has, as (tag, encoded element), in order.

    What an earlier de-identification wrote of its method is replaced: its text is not ours to vouch for.

    Parameters
    ----------
    profile
        What was carried out.
    pseudonym
        The patient's.
    codec
        Encoding of the result.
    equipment
        The source's Contributing Equipment Sequence after the profile, encoded with defined lengths; its items stay
        before ours, as PS3.3 C.12.1.1.5 wants a history, but for those of this system.
    dates_before
        Longitudinal Temporal Information Modified of the source: dates that were modified or removed before do not
        become unmodified by leaving them alone.
    pixels_cleaned
        Whether the pixels were looked at and what identifies in them was removed.
    may_show_face
        Whether the pixels, as they are released, may show a face: ``False`` where it was taken out, ``None`` where
        nothing can be said that the source does not say.
    """
    written = _of_series if len(equipment) <= _LONGEST_EQUIPMENT else _written
    return written(profile, pseudonym, codec, equipment, dates_before, pixels_cleaned, may_show_face)


def _written(
    profile: CompiledProfile,
    pseudonym: str,
    codec: Codec,
    equipment: bytes,
    dates_before: str,
    pixels_cleaned: bool,
    may_show_face: bool | None,
) -> tuple[tuple[int, bytes], ...]:
    element = codec.element
    method = "\\".join(("DICOManon", profile.version, EDITION))
    cleaned = ((CLEAN_PIXEL_DATA, pixels_cleaned), (CLEAN_VISUAL_FEATURES, may_show_face is False))
    done = [*profile.method_codes, *(method_codes()[option] for option, claimed in cleaned if claimed)]
    codes = [
        _code(codec, code.value.encode(), code.scheme.encode(), code.meaning.encode())
        for code in sorted(done, key=lambda code: code.value)
    ]
    dates = _dates(profile, dates_before).encode()
    contributions = [*_items_of_others(equipment, codec), _contribution(profile, codec)]
    written = [
        (PATIENT_NAME, element(PATIENT_NAME, "PN", pseudonym.encode())),
        (PATIENT_ID, element(PATIENT_ID, "LO", pseudonym.encode())),
        (PATIENT_IDENTITY_REMOVED, element(PATIENT_IDENTITY_REMOVED, "CS", b"YES")),
        (DEIDENTIFICATION_METHOD, element(DEIDENTIFICATION_METHOD, "LO", method.encode())),
        (DEIDENTIFICATION_METHOD_CODES, codec.sequence(DEIDENTIFICATION_METHOD_CODES, codes)),
        (CONTRIBUTING_EQUIPMENT, codec.sequence(CONTRIBUTING_EQUIPMENT, contributions)),
        (LONGITUDINAL_INFORMATION_MODIFIED, element(LONGITUDINAL_INFORMATION_MODIFIED, "CS", dates)),
        *([(_BURNED_IN_ANNOTATION, element(_BURNED_IN_ANNOTATION, "CS", b"NO"))] if pixels_cleaned else []),
    ]
    if may_show_face is not None:
        written.append((VISUAL_FEATURES, element(VISUAL_FEATURES, "CS", b"YES" if may_show_face else b"NO")))
    return tuple(sorted(written))


_of_series = lru_cache(maxsize=64)(_written)


def _dates(profile: CompiledProfile, before: str) -> str:
    """Return what became of dates in all (PS3.3 C.12.1)."""
    if profile.modifies_dates:
        return _REMOVED if before == _REMOVED else _MODIFIED
    if profile.keeps_dates:
        return before if before in {_MODIFIED, _REMOVED} else _UNMODIFIED
    return _REMOVED


@lru_cache(maxsize=64)
def _code(codec: Codec, value: bytes, scheme: bytes, meaning: bytes) -> bytes:
    return (
        codec.element(_CODE_VALUE, "SH", value)
        + codec.element(_CODING_SCHEME_DESIGNATOR, "SH", scheme)
        + codec.element(_CODE_MEANING, "LO", meaning)
    )


@lru_cache(maxsize=16)
def _contribution(profile: CompiledProfile, codec: Codec) -> bytes:
    """Return our item; without Contribution DateTime, for the same source gives the same bytes on any day."""
    description = f"De-identified with profile {profile.version}, {EDITION}"
    return (
        codec.element(_MANUFACTURER, "LO", SYSTEM)
        + codec.element(_MODEL, "LO", SYSTEM)
        + codec.element(_SOFTWARE_VERSIONS, "LO", __version__.encode())
        + codec.element(_CONTRIBUTION_DESCRIPTION, "ST", description.encode())
        + codec.sequence(_PURPOSE_CODES, [_code(codec, *_DEIDENTIFYING_EQUIPMENT)])
    )


def _items_of_others(equipment: bytes, codec: Codec) -> Iterator[bytes]:
    """Yield the bodies of a sequence's items, but for those that this system wrote."""
    ours = codec.element(_MODEL, "LO", SYSTEM)
    at = len(codec.header(CONTRIBUTING_EQUIPMENT, "SQ", 0))
    while at < len(equipment):
        *_, length = codec.implicit.unpack_from(equipment, at)
        start = at + _ITEM_HEADER
        at = start + length
        body = equipment[start:at]
        if ours not in body:
            yield body
