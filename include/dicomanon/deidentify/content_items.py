"""What a content item is about: its concept name and value type (PS3.3 C.17.3)."""

from collections.abc import Sequence

from dicomanon.deidentify.reader import Element

_VALUE_TYPE = 0x0040A040
_CONCEPT_NAME_CODE_SEQUENCE = 0x0040A043
_CODE_VALUES = frozenset({0x00080100, 0x00080119, 0x00080120})
_CODING_SCHEME_DESIGNATOR = 0x00080102


def concept_of(item: Sequence[Element], buffer: memoryview) -> tuple[tuple[str, str], str]:
    """Return (code value, coding scheme designator) of the concept name, and the value type; ``""`` where absent."""
    concept, value_type = ("", ""), ""
    for element in item:
        if element.tag == _VALUE_TYPE and element.items is None:
            value_type = _text(element, buffer)
        elif element.tag == _CONCEPT_NAME_CODE_SEQUENCE and element.items:
            concept = _code(element.items[0], buffer)
    return concept, value_type


def _code(item: Sequence[Element], buffer: memoryview) -> tuple[str, str]:
    value = scheme = ""
    for element in item:
        if element.tag in _CODE_VALUES and element.items is None:
            value = _text(element, buffer)
        elif element.tag == _CODING_SCHEME_DESIGNATOR and element.items is None:
            scheme = _text(element, buffer)
    return value, scheme


def _text(element: Element, buffer: memoryview) -> str:
    return bytes(buffer[element.value : element.end]).decode("latin-1").strip(" \0")
