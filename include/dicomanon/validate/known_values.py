"""Gather from an ORIGINAL data set the values by which its patient, staff, devices and site are known.

What is gathered: every person name at any depth, and the values of all attributes that Table E.1-1 removes, empties,
replaces or remaps, except free-text descriptions (their words are not identifiers; patterns and names are sought in
them all the same, and the dates in them are gathered), labels of devices and departments that every hospital has
(Radiology, CT1), patient characteristics (age, sex, ethnic group: shared by millions), times of day and numbers.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Final

from pydicom._private_dict import private_dictionaries
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset

from dicomanon.standard.confidentiality import (
    attributes_beyond_table,
    confidentiality_by_tag,
    descriptions_beyond_table,
)
from dicomanon.standard.dictionary import dictionary_vrs, is_registered_uid, uid_roles
from dicomanon.standard.tables import parse_tag, read_table
from dicomanon.validate.elements import Element, Malformed, read_part10, vr_of, walk
from dicomanon.validate.text import CHARACTER_SET, decode_text, encodings_of
from dicomanon.validate.variants import MIN_TOKEN
from dicomanon.validate.vocabulary import technical_words
from dicomanon.validate.written_dates import written_dates

_DEFAULT_ENCODINGS: Final = ["iso8859"]
_MAX_VALUE: Final = 256
"""A longer text is not an identifier, and no one would repeat it whole."""
_DATE_LENGTH: Final = 8
_WORD: Final = re.compile(r"[^\W_]+")
_MODELS: Final = frozenset({parse_tag("0008,0070"), parse_tag("0008,1090")})
_INSTITUTION: Final = parse_tag("0008,0080")
_DEPARTMENTS: Final = frozenset({
    parse_tag("0008,1040"), parse_tag("0032,1020"), parse_tag("0032,1033"), parse_tag("0038,0300"),
    parse_tag("0040,0011"), parse_tag("0040,0243"), parse_tag("0040,1005"),
})  # fmt: skip
"""Departments, services, and where a patient or a procedure is."""
_NAME_COMPONENTS: Final = 3
"""Family, given and middle name; prefix and suffix (Dr, MD, Jr) are not identifying (PS3.5 section 6.2.1)."""
_DESCRIPTIVE_OPTIONS: Final = frozenset({"clean-descriptors", "retain-patient-characteristics"})
_TEMPORAL_OPTIONS: Final = frozenset({"retain-longitudinal-full-dates", "retain-longitudinal-modified-dates"})
_TEXT_VRS: Final = frozenset({"AE", "LO", "LT", "SH", "ST", "UC", "UR", "UT"})
_GATHERED_VRS: Final = frozenset({"DA", "DT", "PN", "UI", *_TEXT_VRS})
_COMMON: Final = frozenset({
    "anonymous", "anonymized", "anonymised", "default", "empty", "false", "male", "female", "missing", "none",
    "not available", "normal", "null", "other", "removed", "test", "true", "unknown", "unspecified", "yes",
    "dummy", "enter", "example", "here", "name", "patient", "person", "sample", "string", "text", "value", "your",
})  # fmt: skip
"""Fillers that stand in thousands of objects: they identify nobody, and would hold every object that has them."""


@cache
def identifying_attributes() -> Mapping[int, str]:
    """Return the attributes whose values are gathered, with their VR."""
    found: dict[int, str] = {tag: vr for tag, vr in dictionary_vrs().items() if vr == "PN"}
    for tag, row in confidentiality_by_tag().items():
        shared = row.options.keys() & (_DESCRIPTIVE_OPTIONS | _TEMPORAL_OPTIONS)
        if row.vr in _GATHERED_VRS and not (shared and row.vr in _TEXT_VRS):
            found[tag] = row.vr
    for tag in attributes_beyond_table():
        vr = dictionary_vrs().get(tag, "")
        if vr in _GATHERED_VRS:
            found[tag] = vr
    for tag, role in uid_roles().items():
        if role.startswith(("e1_1:U", "instance-level", "organisation-identifier")):
            found[tag] = "UI"
    return found


@cache
def described_attributes() -> frozenset[int]:
    """Return the free-text descriptions: only the dates in them are gathered."""
    listed = {
        tag
        for tag, row in confidentiality_by_tag().items()
        if row.vr in _TEXT_VRS and tag not in identifying_attributes()
    }
    return frozenset(listed | descriptions_beyond_table().keys())


@cache
def labels_of_places() -> frozenset[int]:
    """Return the attributes of devices and departments, whose values are often words that every hospital has."""
    devices = {
        tag
        for tag, row in confidentiality_by_tag().items()
        if "retain-device-identity" in row.options and row.vr != "UI"
    }
    return frozenset(devices | _DEPARTMENTS)


def is_shared(label: str, models: Collection[str]) -> bool:
    """Tell whether a label is hardly more than words of the standard or of the device's model: CT1, SKYRA.

    Parameters
    ----------
    label
        Of a device or department.
    models
        Words of makers and models, in lower case.
    """
    own = [word for word in _words(label) if word not in models and word not in technical_words()]
    return sum(map(len, own)) <= MIN_TOKEN


@cache
def words_of_makers() -> frozenset[str]:
    """Return the words that makers of devices call their private attributes by, their own names among them."""
    return frozenset(word for creator in private_dictionaries for word in _words(creator))


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


@cache
def placeholders() -> frozenset[str]:
    """Return values, in lower case, that are never taken for known: fillers, and the dummies that we write."""
    return _COMMON | {row["value"].lower() for row in read_table("dummy_values")} | {"00010101", "99991231"}


def collect_known_values(source: bytes | bytearray | memoryview | Dataset) -> frozenset[str]:
    """Gather the known values of an original object.

    Parameters
    ----------
    source
        The source object, before de-identification: its Part 10 bytes (quickest), or a data set, which is not changed
        and whose raw elements stay raw.

    Returns
    -------
    frozenset of str
        Whole values, parts of names, dates as YYYYMMDD. All of it PHI: keep it sealed. Values of fewer than
        three characters, registered UIDs and fillers are left out. An object that cannot be read gives what was read
        up to there; de-identification holds it.
    """
    values: set[str] = set()
    collector = _Collector(values)
    if isinstance(source, Dataset):
        pending = [(source, _DEFAULT_ENCODINGS)]
        while pending:
            pending.extend(collector.data_set(*pending.pop()))
    else:
        parsed = read_part10(bytes(source))
        collector.walked(parsed.body, parsed.elements, _DEFAULT_ENCODINGS)
    collector.finish()
    return frozenset(value for value in values if _worth_searching(value))


def _worth_searching(value: str) -> bool:
    return (
        (len(value) >= MIN_TOKEN or not value.isascii())
        and not placeholders().issuperset(re.split(r"[\s^,]+", value.lower()))
        and value.lower() not in placeholders()
        and any(character.isalnum() for character in value)
    )


class _Collector:
    def __init__(self, values: set[str]) -> None:
        self._values = values
        self._labels: set[str] = set()
        self._institutions: set[str] = set()
        self._models: set[str] = set()
        self._attributes = identifying_attributes()
        self._described = described_attributes() | _MODELS

    def finish(self) -> None:
        """Gather the labels of devices and departments, now that all models are known."""
        self._values.update(label for label in self._labels if not is_shared(label, self._models))
        # A device that was never set up calls its place after its maker, who is no secret.
        makers = self._models & words_of_makers()
        self._values.update(name for name in self._institutions if not makers.issuperset(_words(name)))

    def data_set(self, dataset: Dataset, encodings: list[str]) -> Iterator[tuple[Dataset, list[str]]]:
        """Gather from one data set and yield its items, to be gathered from next."""
        elements: Mapping[int, DataElement | RawDataElement] = dataset._dict
        character_set = elements.get(CHARACTER_SET)
        if character_set is not None:
            encodings = _encodings(character_set.value) or encodings
        for tag, element in elements.items():
            value = element.value
            if isinstance(element, DataElement):
                if element.VR == "SQ":
                    for item in value:
                        yield item, encodings
                    continue
                vr = self._attributes.get(tag) or ("PN" if element.VR == "PN" else "")
                if vr and value is not None:
                    self.add(vr, _texts(value), tag)
                elif tag in self._described and value is not None:
                    self.add_described(tag, _texts(value))
                continue
            raw_vr = element.VR or vr_of(tag)
            if raw_vr == "SQ" and value:
                self.raw_sequence(tag, element, encodings)
                continue
            vr = self._attributes.get(tag) or ("PN" if raw_vr == "PN" else "")
            if not isinstance(value, bytes) or not value:
                continue
            if vr:
                self.add(vr, _decode(value, vr, encodings), tag)
            elif tag in self._described:
                self.add_described(tag, [decode_text(value, encodings)])

    def raw_sequence(self, tag: int, sequence: RawDataElement, encodings: list[str]) -> None:
        """Gather from a sequence that pydicom has left as bytes, without decoding it into data sets."""
        data = sequence.value
        if data is None:
            return
        walker = walk(
            data, 0, len(data), implicit=sequence.is_implicit_VR, big=not sequence.is_little_endian, in_sequence=tag
        )
        # What cannot be read ends the gathering: de-identification holds such an object.
        with suppress(Malformed):
            self.walked(data, walker, encodings)

    def walked(self, data: bytes, elements: Iterable[Element], encodings: list[str]) -> None:
        """Gather from elements by their byte ranges; a character set holds for its item, the main one for all."""
        own = {0: encodings}
        for tag, vr, start, length, _, item in elements:
            if tag == CHARACTER_SET:
                own[item] = _encodings(data[start : start + length]) or encodings
                continue
            gathered = self._attributes.get(tag) or ("PN" if vr == "PN" else "")
            if gathered and length and vr != "SQ":
                value = data[start : start + length]
                self.add(gathered, _decode(value, gathered, own.get(item) or own[0]), tag)
            elif length and tag in self._described and vr != "SQ":
                self.add_described(tag, [decode_text(data[start : start + length], own.get(item) or own[0])])

    def add_described(self, tag: int, texts: Iterable[str]) -> None:
        """Gather the dates in free text; one of two readings, or of a year in two digits, is none to search for."""
        for text in texts:
            if tag in _MODELS:
                # Devices are called after what they are: SKYRA.
                self._models.update(_words(text[:_MAX_VALUE]))
                continue
            for written in written_dates(text.lower()):
                if len(written.readings) == 1:
                    self._values.update(written.readings)

    def add(self, vr: str, texts: Iterable[str], tag: int) -> None:
        for text in texts:
            value = text.strip(" \0")
            if not value or len(value) > _MAX_VALUE:
                continue
            if vr == "PN":
                self._values.update(name_forms(value))
            elif vr in ("DA", "DT"):
                # Ranges, time zones, and the points of ACR-NEMA days: 2019.01.05 (PS3.5 section 6.2).
                dates = (part.strip().replace(".", "")[:_DATE_LENGTH] for part in value.split("-"))
                self._values.update(date for date in dates if _is_date(date))
            elif vr == "UI":
                if not is_registered_uid(value):
                    self._values.add(value)
            elif tag in labels_of_places():
                self._labels.add(value)
            elif tag == _INSTITUTION:
                self._institutions.add(value)
            else:
                self._values.add(value)
                self._values.update(line.strip() for line in value.splitlines())


def _is_date(text: str) -> bool:
    return len(text) == _DATE_LENGTH and text.isdecimal() and text.isascii()


def name_forms(name: str) -> Iterator[str]:
    """Yield a person name whole, its parts, and its parts in the orders in which people write them."""
    for representation in name.split("="):
        components = [part.strip() for part in representation.split("^")[:_NAME_COMPONENTS]]
        present = [part for part in components if part]
        if not present:
            continue
        yield representation.strip("^ ")
        for part in present:
            yield part
            yield from (piece for piece in re.split(r"[\s\-,.]+", part) if piece)
        family, *given = present
        if given:
            yield from (f"{family} {given[0]}", f"{given[0]} {family}", f"{family}, {given[0]}", f"{family}^{given[0]}")


def _decode(value: bytes, vr: str, encodings: Sequence[str]) -> list[str]:
    text = decode_text(value, encodings)
    return [text] if vr in ("LT", "ST", "UT", "UR") else text.split("\\")


def _encodings(character_set: object) -> list[str]:
    if isinstance(character_set, bytes):
        return encodings_of(character_set.decode("latin-1").split("\\"))
    return encodings_of(_texts(character_set))


def _texts(value: object) -> list[str]:
    if isinstance(value, list | tuple) or (hasattr(value, "__iter__") and not isinstance(value, str | bytes)):
        return [str(single) for single in value]
    return [str(value)]
