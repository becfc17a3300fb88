"""Reads changes of Patient IDs as an admission system reports them: rows of a table, or HL7 v2 ADT^A40 messages.

Of a message only what tells the two identifiers is read: MSH-1 and MSH-2 (separators), MSH-9 (type), PID-3 (identifiers
that go on) and MRG-1 (identifiers that end), see HL7 v2.5.1 chapter 3.3.40.
"""

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import StringIO

from dicomanon.crosswalk.decisions.rows import KeyChange
from dicomanon.errors import Fatal

COLUMNS = ("old issuer", "old id", "new issuer", "new id")
"""Of a table, comma-separated, in this order; a first row that says so is skipped."""

_MESSAGE = "ADT"
_MERGE = "A40"
_RECORD_TYPES = frozenset({"", "MR", "PI"})
"""Identifier types of CX.5 that a Patient ID may have (HL7 table 0203): medical record number, patient internal."""
_IDENTIFIER, _AUTHORITY, _TYPE = 0, 3, 4
_FRAMING = "\x0b\x1c \t"
_SHORTEST_HEADER = 8


def read_changes(text: str, default_issuer: str = "") -> list[KeyChange]:
    """Return the changes in a table or in one or more messages, in their order.

    Parameters
    ----------
    default_issuer
        Issuer of Patient ID of identifiers that name none.

    Raises
    ------
    Fatal
        A row or message cannot be read, or changes nothing; nothing of the text is read then. Its number is told, and
        nothing of what it says.
    """
    changes = list(_messages(text) if text.lstrip(_FRAMING + "\ufeff\r\n").startswith("MSH") else _rows(text))
    if not changes:
        raise Fatal("no change of an identifier was found: rows of " + ", ".join(COLUMNS) + ", or ADT^A40 messages")
    return [
        KeyChange(*((issuer or default_issuer, patient_id) for issuer, patient_id in (one.old, one.new)))
        for one in changes
    ]


def _rows(text: str) -> Iterator[KeyChange]:
    try:
        for number, row in enumerate(csv.reader(StringIO(text.lstrip("\ufeff")), strict=True), 1):
            cells = [cell.strip() for cell in row]
            if not any(cells) or (number == 1 and tuple(cell.casefold() for cell in cells) == COLUMNS):
                continue
            if len(cells) != len(COLUMNS):
                raise Fatal(f"row {number} does not have the columns {', '.join(COLUMNS)}")
            yield _change(f"row {number}", (cells[0], cells[1]), (cells[2], cells[3]))
    except csv.Error:
        raise Fatal("the table cannot be read: it is comma-separated, with closed quotes") from None


def _messages(text: str) -> Iterator[KeyChange]:
    segments = [line.strip(_FRAMING) for line in re.split(r"[\r\n]+", text.lstrip("\ufeff"))]
    messages: list[list[str]] = []
    for segment in filter(None, segments):
        if segment.startswith("MSH"):
            messages.append([])
        if not messages:
            raise Fatal("message 1 does not begin with MSH")
        messages[-1].append(segment)
    for number, message in enumerate(messages, 1):
        yield from _of_message(f"message {number}", message)


def _of_message(where: str, segments: list[str]) -> Iterator[KeyChange]:
    """Yield the change of each pair of PID and MRG: a message may have several."""
    header = segments[0]
    if len(header) < _SHORTEST_HEADER or len(set(header[3:8])) != len(header[3:8]):
        raise Fatal(f"{where}: MSH-1 and MSH-2 do not say what separates fields")
    separators = _Separators(*header[3:8])
    # MSH-1 is the separator itself, so that the fields of MSH are counted from one later.
    kind = separators.fields(header)[8:9]
    if [part.strip() for part in separators.components(kind[0] if kind else "")[:2]] != [_MESSAGE, _MERGE]:
        raise Fatal(f"{where}: MSH-9 is not ADT^A40, the only message that is read")
    new: list[tuple[str, str]] | None = None
    found = False
    for segment in segments[1:]:
        fields = separators.fields(segment)
        if fields[0] == "PID":
            if new is not None:
                raise Fatal(f"{where}: a PID has no MRG")
            new = separators.identifiers(fields[3] if len(fields) > 3 else "")  # noqa: PLR2004
        elif fields[0] == "MRG":
            old = separators.identifiers(fields[1] if len(fields) > 1 else "")
            yield _pair(where, old, new or [])
            new, found = None, True
    if new is not None or not found:
        raise Fatal(f"{where}: it needs a PID and an MRG")


def _pair(where: str, old: list[tuple[str, str]], new: list[tuple[str, str]]) -> KeyChange:
    """Return the one change of two lists of identifiers: by issuer, where there are several."""
    pairs = [(one, other) for one in old for other in new if one[0] == other[0]]
    if not pairs and len(old) == len(new) == 1:
        pairs = [(old[0], new[0])]
    if len(pairs) != 1:
        raise Fatal(f"{where}: PID-3 and MRG-1 do not name one identifier each of the same issuer")
    return _change(where, *pairs[0])


def _change(where: str, old: tuple[str, str], new: tuple[str, str]) -> KeyChange:
    if not (old[1] and new[1]):
        raise Fatal(f"{where}: an identifier is empty")
    if old == new:
        raise Fatal(f"{where}: the identifier does not change")
    return KeyChange(old, new)


@dataclass(frozen=True, slots=True)
class _Separators:
    """MSH-1 and MSH-2 (HL7 v2.5.1 chapter 2.5.4)."""

    field: str
    component: str
    repetition: str
    escape: str
    subcomponent: str

    def fields(self, segment: str) -> list[str]:
        return segment.split(self.field)

    def components(self, field: str) -> list[str]:
        return field.split(self.component)

    def identifiers(self, field: str) -> list[tuple[str, str]]:
        """Return (issuer, Patient ID) of each repetition of a CX field that is a patient's number."""
        found: dict[tuple[str, str], None] = {}
        for repetition in filter(None, field.split(self.repetition)):
            parts = [*self.components(repetition), *[""] * (_TYPE + 1)]
            # Issuer of Patient ID is the namespace of the assigning authority (IHE RAD TF-2, Appendix B).
            issuer = parts[_AUTHORITY].split(self.subcomponent)[0]
            if parts[_TYPE].strip() in _RECORD_TYPES and parts[_IDENTIFIER].strip():
                found[self._plain(issuer), self._plain(parts[_IDENTIFIER])] = None
        return list(found)

    def _plain(self, text: str) -> str:
        """Undo escapes of separators; others do not belong into an identifier."""
        meant: Mapping[str, str] = {
            "F": self.field,
            "S": self.component,
            "T": self.subcomponent,
            "R": self.repetition,
            "E": self.escape,
        }
        mark = re.escape(self.escape)

        def character(match: re.Match[str]) -> str:
            if match[1] not in meant:
                raise Fatal("an identifier of a message has an escape sequence that is not of a separator")
            return meant[match[1]]

        return re.sub(f"{mark}([^{mark}]*){mark}", character, text).strip()
