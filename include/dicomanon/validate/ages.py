"""Finds ages above the highest that a profile lets show (45 CFR 164.514(b)(2)(i)(C): all ages over 89)."""

import re
from collections.abc import Iterator
from typing import Final

_AGE_STRING: Final = re.compile(r" *(\d{3})([DWMY])[ \0]*")
_PER_YEAR: Final = {"Y": 1.0, "M": 12.0, "W": 52.18, "D": 365.25}
_OLDEST: Final = 130
"""Numbers above are no ages of people."""
_YEARS: Final = r"(?:years?|yrs?|y|jahre?|ans|anni|años|anos|jaar|år|lat|лет|года?)\.?"
_OLD: Final = (
    r"(?:old|of age|alt|âgée?|d['\u2019 ]âge|de edad|de idade|di età|oud"
    r"|male|female|man|woman|gentleman|lady|[mf](?!\w))"
)
_LABEL: Final = r"(?:patient'?s? )?(?:aged?|alter|âgée?(?: de)?|edad|età|idade|leeftijd|возраст)"
_WRITTEN: Final = re.compile(
    rf"(?<![\w.,/])(?P<a>\d{{2,3}})[ -]*{_YEARS}[ -]*{_OLD}(?!\w)"
    r"|(?<![\w.,/])(?P<b>\d{2,3})[ -]?y\.?/?o\.?(?!\w)"
    rf"|(?<![^\W_]){_LABEL}[ :=]*(?P<c>0?\d{{2,3}})(?![\d.,]\d|\w| ?(?:%|mm|cm|ms|ml|min|days?|weeks?|months?))"
    rf"|(?<![^\W_]){_LABEL}[ :=]*(?P<d>0?\d{{2,3}})[ -]*{_YEARS}(?!\w)"
    r"|(?<![\w.,/])(?P<e>\d{2,3})[ -]?jährig"
    r"|(?<![\w.])(?P<f>\d{3})y(?!\w)"
    r"|(?<!\d)(?P<g>\d{2,3}) ?[岁歳세]"
)


def is_age_over(value: str, maximum: int) -> bool:
    """Whether a value of VR AS is an age above ``maximum`` years (PS3.5 section 6.2); 089Y is not above 89."""
    for single in value.split("\\"):
        match = _AGE_STRING.fullmatch(single)
        # An age of 89 years and 11 months is still 89.
        if match and int(match[1]) / _PER_YEAR[match[2]] >= maximum + 1:
            return True
    return False


def ages_over(text: str, maximum: int) -> Iterator[int]:
    """Yield the positions of ages above ``maximum`` years in lower-cased text."""
    for match in _WRITTEN.finditer(text):
        number = next(int(group) for group in match.groups() if group)
        if maximum < number <= _OLDEST:
            yield match.start()
