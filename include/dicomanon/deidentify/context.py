"""What the engine must know of a patient, from the crosswalk."""

from dataclasses import dataclass

from dicomanon.deidentify.uids import UidMapper
from dicomanon.values import MASK


@dataclass(frozen=True, slots=True, repr=False)
class PatientContext:
    """The pseudonym, the secret number of days that this patient's dates move by, and the site's UID mapper."""

    pseudonym: str
    date_shift_days: int
    uids: UidMapper

    def __repr__(self) -> str:
        return f"PatientContext({MASK})"
