"""When two statements about a patient speak of the same person; pure functions over decoded values."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from dicomanon.identity import PatientIdentity

PARTS = ("name", "birth_date", "sex")
"""What is compared of two identities under one Patient ID."""

_SEXES = {"M", "F", "O"}
_DATE_DIGITS = 8


def patient_key(identity: PatientIdentity) -> tuple[str, str]:
    """Return issuer and Patient ID as they are compared: without the padding that LO allows (PS3.5 Table 6.2-1)."""
    return _trimmed(identity.issuer), _trimmed(identity.patient_id)


def differing_parts(known: PatientIdentity, seen: PatientIdentity) -> tuple[str, ...]:
    """Name the parts that both sides know and that cannot belong to one person."""
    parts = []
    if not _names_agree(known.name, seen.name):
        parts.append("name")
    for part, normalise in (("birth_date", _birth_date), ("sex", _sex)):
        left, right = normalise(getattr(known, part)), normalise(getattr(seen, part))
        if left and right and left != right:
            parts.append(part)
    return tuple(parts)


def tells(identity: PatientIdentity, part: str) -> bool:
    """Whether the identity says something of a part that can be compared."""
    if part == "name":
        return bool(name_words(identity.name))
    return bool((_birth_date if part == "birth_date" else _sex)(getattr(identity, part)))


def conflicting_parts(known: Sequence[PatientIdentity], seen: PatientIdentity) -> tuple[str, ...]:
    """Name the parts in which ``seen`` differs from every identity of the patient that tells them.

    Part by part: records of one person are corrected in one field at a time.
    """
    differing = [(one, differing_parts(one, seen)) for one in known]
    return tuple(
        part
        for part in PARTS
        if (telling := [parts for one, parts in differing if tells(one, part)])
        and all(part in parts for parts in telling)
    )


def adds_to(known: Sequence[PatientIdentity], seen: PatientIdentity) -> bool:
    """Tell whether ``seen`` says something that no identity of the patient tells."""
    return any(tells(seen, part) and not any(tells(one, part) for one in known) for part in PARTS)


def surely_one_person(known: PatientIdentity, seen: PatientIdentity) -> bool:
    """Tell whether two statements under one Patient ID name the same person, with nothing left to guess."""
    both_told = all(tells(each, "name") and tells(each, "birth_date") for each in (known, seen))
    return both_told and not differing_parts(known, seen)


def completed(known: PatientIdentity, seen: PatientIdentity) -> PatientIdentity:
    """Return ``known`` with the parts filled in that only ``seen`` knows."""
    return PatientIdentity(
        patient_id=known.patient_id,
        issuer=known.issuer,
        name=known.name if tells(known, "name") else seen.name,
        birth_date=known.birth_date if tells(known, "birth_date") else seen.birth_date,
        sex=known.sex if tells(known, "sex") else seen.sex,
    )


def comparable(identity: PatientIdentity) -> str:
    """Return one text that is equal for identities that differ in spelling only; for fingerprints."""
    name = "^".join(sorted(name_words(identity.name)))
    return "|".join([*patient_key(identity), name, _birth_date(identity.birth_date), _sex(identity.sex)])


def identifying_values(identity: PatientIdentity) -> frozenset[str]:
    """Return what of an identity must not be found in a de-identified object."""
    pieces = re.split(r"[\^=\s,]+", identity.name)
    values = {identity.patient_id, identity.issuer, identity.name, identity.birth_date, *pieces}
    return frozenset(stripped for value in values if (stripped := _trimmed(value)))


@dataclass(frozen=True, slots=True)
class _Name:
    family: str
    given: str
    middle: str


def _names_agree(known: str, seen: str) -> bool:
    left, right = name_words(known), name_words(seen)
    # The same words in another order or punctuation: "DOE^JOHN" and "Doe, John".
    if not left or not right or sorted(left) == sorted(right):
        return True
    one, two = _components(known), _components(seen)
    family_and_given_agree = all(
        not a or not b or a == b for a, b in ((one.family, two.family), (one.given, two.given))
    )
    # Middle names are often cut to an initial; prefixes and suffixes come and go.
    middle_agrees = one.middle.startswith(two.middle) or two.middle.startswith(one.middle)
    return family_and_given_agree and middle_agrees


def _components(name: str) -> _Name:
    # PS3.5 6.2.1: family ^ given ^ middle ^ prefix ^ suffix, in up to three groups parted by "=".
    parts = [" ".join(name_words(part)) for part in _first_group(name).split("^")]
    family, given, middle = (*parts, "", "", "")[:3]
    return _Name(family, given, middle)


def name_words(name: str) -> list[str]:
    """Return the words of the name's first group: no case, no accents, no punctuation."""
    decomposed = unicodedata.normalize("NFKD", _first_group(name).casefold())
    plain = "".join(character for character in decomposed if not unicodedata.combining(character))
    return [word for word in re.split(r"[\W_]+", plain) if word]


def _first_group(name: str) -> str:
    return next((group for group in name.split("=") if group.strip(" ^\0")), "")


def _birth_date(value: str) -> str:
    digits = re.sub(r"\D", "", value)
    if len(digits) != _DATE_DIGITS:
        return ""
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:])).isoformat()
    except ValueError:
        return ""


def _sex(value: str) -> str:
    code = value.strip().upper()[:1]
    return code if code in _SEXES else ""


def _trimmed(value: str) -> str:
    return value.strip(" \0")
