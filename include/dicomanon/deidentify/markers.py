"""The attributes that say what was done (PS3.15 E.1.1, PS3.3 C.12.1, C.7.1.1): the truth, and nothing else."""

from dicomanon.deidentify.codec import Codec
from dicomanon.profile.compiler import (
    DEIDENTIFICATION_METHOD,
    DEIDENTIFICATION_METHOD_CODES,
    LONGITUDINAL_INFORMATION_MODIFIED,
    PATIENT_ID,
    PATIENT_IDENTITY_REMOVED,
    PATIENT_NAME,
    CompiledProfile,
)
from dicomanon.standard import EDITION

_CODE_VALUE = 0x00080100
_CODING_SCHEME_DESIGNATOR = 0x00080102
_CODE_MEANING = 0x00080104


def markers(profile: CompiledProfile, pseudonym: str, codec: Codec) -> list[tuple[int, bytes]]:
    """Return the elements that every result has, as (tag, encoded element).

    What an earlier de-identification wrote is replaced: its text is not ours to vouch for.
    """
    element = codec.element
    method = "\\".join(("DICOManon", profile.version, EDITION))
    codes = [
        element(_CODE_VALUE, "SH", code.value.encode())
        + element(_CODING_SCHEME_DESIGNATOR, "SH", code.scheme.encode())
        + element(_CODE_MEANING, "LO", code.meaning.encode())
        for code in profile.method_codes
    ]
    dates = b"MODIFIED" if profile.modifies_dates else b"REMOVED"
    return [
        (PATIENT_NAME, element(PATIENT_NAME, "PN", pseudonym.encode())),
        (PATIENT_ID, element(PATIENT_ID, "LO", pseudonym.encode())),
        (PATIENT_IDENTITY_REMOVED, element(PATIENT_IDENTITY_REMOVED, "CS", b"YES")),
        (DEIDENTIFICATION_METHOD, element(DEIDENTIFICATION_METHOD, "LO", method.encode())),
        (DEIDENTIFICATION_METHOD_CODES, codec.sequence(DEIDENTIFICATION_METHOD_CODES, codes)),
        (LONGITUDINAL_INFORMATION_MODIFIED, element(LONGITUDINAL_INFORMATION_MODIFIED, "CS", dates)),
    ]
