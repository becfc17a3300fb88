"""Text that looks identifying whoever the patient is: numbers, addresses and dates in the forms people write."""

import re
from collections.abc import Iterator
from typing import Final

_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_YEAR = r"(?:18|19|20)\d\d"
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_MONTH_NUMBER = r"(?:0?[1-9]|1[0-2])"

_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"

_PATTERNS: Final = {
    "pattern-phone": re.compile(
        r"(?<![\w.])(?:\+\d{1,3}[ .-]?)?(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}(?![\w-])"
        r"|(?<![\w.])\+\d{1,3}(?:[ .-]?\d{2,4}){3,4}(?![\w-])"
    ),
    "pattern-email": re.compile(r"[\w.+-]+@(?:[\w-]+\.)+[^\W\d_]{2,}"),
    "pattern-national-id": re.compile(r"(?<![\w-])(?:\d{3}-\d{2}-\d{4}|9\d{3}[ -]\d{3}[ -]\d{3})(?![\w-])"),
    "pattern-record-number": re.compile(
        r"\b(?:mrn|phn|ssn|pid|patient[ _]?id|patient number|hospital no|chart|accession|acc)"
        r"\.?(?: ?(?:no|nr|number|id))?\.? ?[:#=] ?[a-z]{0,4}-?\d{3,}"
    ),
    "pattern-date": re.compile(
        rf"(?<![\w.])(?:{_YEAR}([-/.]){_MONTH_NUMBER}\1{_DAY}|{_DAY}([-/.]){_MONTH_NUMBER}\2{_YEAR}"
        rf"|{_MONTH_NUMBER}([-/.]){_DAY}\3{_YEAR}|{_YEAR}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
        rf"|{_DAY}[ -]?{_MONTH}\.?[ ,-]*{_YEAR}|{_MONTH}\.? {_DAY},? {_YEAR})(?![\w]|\.\d)"
    ),
    "pattern-person-name": re.compile(r"[^\W\d_]{2,}\^[^\W\d_]+"),
    "pattern-url": re.compile(r"(?:https?|ftp|file|mailto)://?[^\s\"'<>]+|(?<![\w.])www\.[\w-]+\.[\w./-]+"),
    "pattern-network-address": re.compile(
        rf"(?<![\w.])(?:10\.{_OCTET}|172\.(?:1[6-9]|2\d|3[01])|192\.168)\.{_OCTET}\.{_OCTET}(?![\w]|\.\d)"
        rf"|(?<![\w.])(?:ip|host|address|workstation)[ :=]+{_OCTET}(?:\.{_OCTET}){{3}}(?![\w]|\.\d)"
    ),
    "pattern-uid": re.compile(r"(?<![\w.])[0-2](?:\.(?:0|[1-9]\d*)){5,}"),
}


def find_patterns(text: str) -> Iterator[tuple[str, int, str]]:
    """Yield rule id, position and matched text of everything in ``text`` that looks identifying.

    Parameters
    ----------
    text
        Lower-cased text of one or many attributes; what is no text of people (UIDs, codes) is for the caller to leave
        out.
    """
    for rule, pattern in _PATTERNS.items():
        for match in pattern.finditer(text):
            yield rule, match.start(), match.group()
