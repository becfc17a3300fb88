"""What an object itself says about whom its texts could name: collected from every nesting level."""
# Texts have these characters, and so do the patterns that search them.
# ruff: noqa: RUF001

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property
from importlib.resources import files
from itertools import accumulate
from typing import NamedTuple

from pydicom.datadict import tag_for_keyword

from dicomanon.deidentify.charset import CharacterSet
from dicomanon.deidentify.excerpts import once_per_series
from dicomanon.deidentify.header import SPECIFIC_CHARACTER_SET, Header
from dicomanon.deidentify.reader import Element, innermost_first
from dicomanon.deidentify.text.contexts import words_of
from dicomanon.deidentify.text.folding import BRAHMIC, MARKS, fold, legible, loosely
from dicomanon.deidentify.text.tokens import tokens_of
from dicomanon.deidentify.text.vocabulary import MEDICAL, NAME, UNKNOWN, ends_like_place, is_listed, kind_of
from dicomanon.values import MASK

_PIECES = re.compile(rf"(?:[^\W\d_]|[{MARKS}])+")
_NAME_PARTS = re.compile(r"[\s^=,;/\\()_]+")
_APOSTROPHES = re.compile(r"['’`´ʼ]")
_DATE = re.compile(r"(\d{4})[-./]?(\d{2})[-./]?(\d{2})", re.ASCII)
_EAST_ASIAN = re.compile(r"[぀-ヿ㐀-鿿가-힣\uf900-\ufaff]")
_BRAHMIC = re.compile(f"[{BRAHMIC}]")
_KATAKANA = {hiragana: hiragana + 0x60 for hiragana in range(0x3041, 0x3097)}
_DECODED = frozenset({"AE", "CS", "DA", "DT", "LO", "LT", "PN", "SH", "ST", "UC", "UT", "UR", "UN", "IS"})
_LONGEST_VALUE = 1024
_SHORTEST_NAME = 2
_SHORTEST_IDENTIFIER = 4
_SHORTEST_NUMBER = 5
_SHORTEST_PHONE = 7
_NATIONAL_PHONE = 10


@dataclass(frozen=True, repr=False)
class KnownValues:
    """Who and what an object's header names; equal for the slices of a series.

    Attributes
    ----------
    names
        Person names as they are encoded, all component groups.
    identifiers
        Identifiers of the patient, the visit, the order.
    devices
        Names and numbers of single devices.
    patient_identifiers
        Those whose short forms matter too.
    phones, contacts
        Telephone numbers; other ways to reach somebody.
    places
        Institutions, addresses.
    departments
        Departments, services, wards: many hospitals have one of the same name.
    dates, birth_dates
        ``YYYYMMDD``.
    """

    names: frozenset[str] = frozenset()
    identifiers: frozenset[str] = frozenset()
    devices: frozenset[str] = frozenset()
    patient_identifiers: frozenset[str] = frozenset()
    phones: frozenset[str] = frozenset()
    contacts: frozenset[str] = frozenset()
    places: frozenset[str] = frozenset()
    departments: frozenset[str] = frozenset()
    dates: frozenset[str] = frozenset()
    birth_dates: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return f"KnownValues({MASK})"

    @staticmethod
    def of(source: Header) -> "KnownValues":
        """Collect from all elements of an object by attribute, and from every value of VR PN."""
        return _known_values(source)

    @cached_property
    def needles(self) -> "Needles":
        """These values as what texts are searched for."""
        return Needles(self)


def letters_of(text: str) -> str:
    """Return the letters and digits of a text, folded."""
    return "".join(character for character in fold(text) if character.isalnum())


class Phrase(NamedTuple):
    """A known value as it may be written: its letters and digits, folded, and where its words begin and end."""

    letters: str
    starts: frozenset[int]
    ends: frozenset[int]
    """Counted from the end."""

    @staticmethod
    def of(words: Sequence[str]) -> "Phrase":
        """Put words together."""
        folded = [letters_of(word) for word in words]
        letters = "".join(folded)
        starts = frozenset(accumulate(map(len, folded)))
        return Phrase(letters, starts, frozenset(len(letters) - start for start in starts))


class Needles:
    """Known values without what everybody shares, in the forms that words of a text are compared in.

    Attributes
    ----------
    names
        Folded words of person names, of two letters or more.
    loose_names
        The same, of five letters or more, as :func:`loosely` gives them.
    written
        Names in scripts that do not part words, to be found anywhere; hiragana as katakana.
    places
        For each folded word of a place that says which place, whether it does so without its neighbours.
    place_words
        All words of known places.
    whole_places
        Known places of several words, as their words are compared, joined: together they name one, whatever each of
        them means.
    identifiers
        Identifiers as :func:`normalized` gives them.
    dates, birth_dates
        Days of the header.
    phrases
        Names, places and identifiers of the patient as they are written.
    """

    def __init__(self, known: KnownValues) -> None:
        self.identifiers: set[str] = set()
        self.names: set[str] = set()
        self.written: set[str] = set()
        for value in known.names:
            self._add_name(value)
        self.initials = {name[0] for name in self.names}
        self.loose_names = {loosely(name) for name in self.names if len(name) >= _SHORTEST_NUMBER}
        self.places: dict[str, bool] = {}
        self.place_words: set[str] = set()
        several = ["".join([token.folded for token in tokens_of(value)]) for value in known.places if " " in value]
        self.whole_places = {joined for joined in several if len(joined) >= _SHORTEST_NUMBER}
        for value in known.places | known.departments:
            self._add_place(value)
        for value in known.identifiers | known.devices | known.patient_identifiers | known.contacts:
            self._add_identifier(value, value in known.patient_identifiers)
        for value in known.phones:
            self._add_phone(value)
        self.identifiers_have_digits = all(
            any(character.isdigit() for character in identifier) for identifier in self.identifiers
        )
        self.dates = {day for value in known.dates if (day := _day(value))}
        self.birth_dates = {day for value in known.birth_dates if (day := _day(value))}
        self.phrases = frozenset(_phrases(known))

    def _add_name(self, value: str) -> None:
        for part in _NAME_PARTS.split(value):
            folded = fold(_APOSTROPHES.sub("", part))
            if _EAST_ASIAN.search(folded):
                folded = folded.translate(_KATAKANA)
                self.written.update(piece for piece in re.split(r"[・･·\-.]", folded) if len(piece) >= _SHORTEST_NAME)
                continue
            if _BRAHMIC.search(folded):
                self.written.update(form for form in (folded, legible(part)) if len(form) >= _SHORTEST_NAME)
                continue
            pieces = {folded.replace("-", "").strip("."), *_PIECES.findall(fold(part))}
            self.names.update(
                piece
                for piece in pieces
                if len(piece) >= _SHORTEST_NAME and piece not in words_of("no-name") and piece.isalpha()
            )
        for part in re.split(r"[\^=]", value):
            # "van der Berg" as one word.
            together = fold(re.sub(r"[\W_]+", "", part))
            if together in words_of("no-name"):
                continue
            if len(together) >= _SHORTEST_NUMBER and together.isalpha() and not _EAST_ASIAN.search(together):
                self.names.add(together)
        for group in value.split("="):
            joined = fold(re.sub(r"[\s^,・]+", "", group)).translate(_KATAKANA)
            if _EAST_ASIAN.search(joined) and len(joined) > 1:
                self.written.add(joined)

    def _add_place(self, value: str) -> None:
        for word in _PIECES.findall(fold(_APOSTROPHES.sub("", value))):
            if _EAST_ASIAN.search(word) or _BRAHMIC.search(word):
                self.written.add(word)
                continue
            self.place_words.add(word)
            if len(word) < _SHORTEST_IDENTIFIER - 1 or word in words_of("generic-place"):
                continue
            kind = kind_of(word)
            if kind == MEDICAL and not (ends_like_place(word) and not is_listed(word)):
                continue
            self.places[word] = kind in {NAME, UNKNOWN, MEDICAL}
        for number in re.findall(r"\w*\d\w*", value):
            if len(number) >= _SHORTEST_NUMBER:
                self.identifiers.add(normalized(number))

    def _add_identifier(self, value: str, of_patient: bool) -> None:
        form = normalized(value)
        digits = sum(character.isdigit() for character in form)
        shortest = _SHORTEST_IDENTIFIER if of_patient else _SHORTEST_NUMBER
        if form.isdigit():
            if len(form) >= shortest and not (len(form) == _SHORTEST_IDENTIFIER and form[:2] in {"19", "20"}):
                self.identifiers.add(form)
        elif digits >= 2 and len(form) >= _SHORTEST_IDENTIFIER:  # noqa: PLR2004
            self.identifiers.add(form)
            number = max(re.findall(r"\d+", form), key=len, default="")
            if len(number) >= _SHORTEST_NUMBER + 1:
                self.identifiers.add(number.lstrip("0"))
        elif len(form) >= _SHORTEST_IDENTIFIER and all(
            kind_of(fold(piece)) in {UNKNOWN, NAME} for piece in _PIECES.findall(value) if len(piece) > 1
        ):
            self.identifiers.add(form)

    def _add_phone(self, value: str) -> None:
        digits = "".join(character for character in value if character.isdigit())
        if len(digits) >= _SHORTEST_PHONE:
            self.identifiers.update({normalized(digits), digits[-_SHORTEST_PHONE:], digits[-_NATIONAL_PHONE:]})

    def is_name(self, folded: str) -> bool:
        """Tell whether a folded word is a word of a known person's name, or an inflected or misread form of one."""
        if folded in self.names:
            return True
        if len(folded) >= _SHORTEST_NUMBER and loosely(folded) in self.loose_names:
            return True
        if folded.isascii() or len(folded) < _SHORTEST_NUMBER:
            return False
        # Greek and Slavic names change their endings.
        return any(
            len(name) >= _SHORTEST_NUMBER
            and folded.startswith(name[: max(4, len(name) - 2)])
            and len(folded) <= len(name) + 3
            for name in self.names
            if not name.isascii()
        )


def _phrases(known: KnownValues) -> Iterator[Phrase]:
    for value in known.places | known.departments | known.patient_identifiers | known.identifiers:
        yield Phrase.of(value.split())
    for name in known.names:
        family, given, middle, *_ = [_NAME_PARTS.split(part) for part in f"{name.split('=')[0]}^^^".split("^")]
        for names in (given, [*given, *middle]):
            yield Phrase.of([*family, *names])
            yield Phrase.of([*names, *family])


def as_katakana(text: str) -> str:
    """Return a text, of the same length, with katakana for hiragana: a reading is written in either."""
    return text.translate(_KATAKANA)


def normalized(value: str) -> str:
    """Return an identifier without separators and leading zeros, and with digits for the letters mistaken for them."""
    form = re.sub(r"[\W_]+", "", fold(value))
    if any(character.isdigit() for character in form):
        form = "".join(str(int(character)) if character.isdecimal() else character for character in form)
        form = form.replace("o", "0").replace("l", "1").replace("i", "1")
    return form.lstrip("0")


_FIELDS = {
    "name": "names",
    "id": "identifiers",
    "device": "devices",
    "patient-id": "patient_identifiers",
    "phone": "phones",
    "contact": "contacts",
    "place": "places",
    "department": "departments",
    "date": "dates",
    "birth": "birth_dates",
}


@cache
def _kinds() -> tuple[dict[int, str], dict[int, dict[int, str]]]:
    """Return the kind of value per attribute, and per sequence those that count only inside."""
    text = files("dicomanon.deidentify.text").joinpath("data", "known_values.csv").read_text(encoding="utf-8")
    anywhere: dict[int, str] = {}
    inside: dict[int, dict[int, str]] = {}
    for row in csv.DictReader(text.splitlines()):
        *path, keyword = [tag_for_keyword(part) for part in row["attribute"].split("/")]
        assert keyword is not None and None not in path
        if path:
            inside.setdefault(path[-1] or 0, {})[keyword] = row["kind"]
        else:
            anywhere[keyword] = row["kind"]
    return anywhere, inside


def _telling(source: Header) -> list[Element]:
    """Return the elements of the main data set that may hold known values, and those that tell how to read them."""
    anywhere, _ = _kinds()
    return [
        element
        for element in source.file.elements
        if element.items or element.vr == "PN" or element.tag in anywhere or element.tag == SPECIFIC_CHARACTER_SET
    ]


@once_per_series(_telling)
def _known_values(source: Header) -> KnownValues:
    fields: dict[str, set[str]] = {field: set() for field in KnownValues.__dataclass_fields__}
    for kind, value, character_set in frozenset(_values(source)):
        text = character_set.decode(value, name=kind == "name")
        read = value.decode("latin-1") if text is None else text
        fields[_FIELDS[kind]].update(piece for part in read.split("\\") if (piece := part.strip(" \0\r\n\t")))
    return KnownValues(**{field: frozenset(values) for field, values in fields.items()})


_Level = tuple[list[Element], CharacterSet, dict[int, str]]


def _values(source: Header) -> Iterator[tuple[str, bytes, CharacterSet]]:
    anywhere, inside = _kinds()
    buffer = source.file.buffer
    levels: list[Iterator[_Level]] = [iter([(source.file.elements, source.character_set, {})])]
    for elements, character_set, here in innermost_first(levels):
        for element in elements:
            if element.items is not None:
                within = inside.get(element.tag, here)
                levels.append(_items(element.items, buffer, character_set, within))
                continue
            kind = "name" if element.vr == "PN" else here.get(element.tag) or anywhere.get(element.tag)
            if kind is None or element.vr not in _DECODED or not 0 < element.end - element.value <= _LONGEST_VALUE:
                continue
            yield kind, bytes(buffer[element.value : element.end]), character_set


def _items(
    items: Sequence[list[Element]], buffer: memoryview, character_set: CharacterSet, within: dict[int, str]
) -> Iterator[_Level]:
    for item in items:
        declared = next((each for each in item[:2] if each.tag == SPECIFIC_CHARACTER_SET), None)
        theirs = CharacterSet.of(bytes(buffer[declared.value : declared.end])) if declared else character_set
        yield item, theirs, within


def _day(value: str) -> date | None:
    match = _DATE.match(value)
    try:
        return date(int(match[1]), int(match[2]), int(match[3])) if match else None
    except ValueError:
        return None
