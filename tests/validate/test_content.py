"""Content items that the profile removes or replaces are found; what it cleans passes, and is searched."""

from collections.abc import Callable

import pytest
from pydicom import Dataset
from pydicom.sequence import Sequence
from tests.validate.support import PSEUDONYM, RESEARCH_OPTIONS, code

from dicomanon.validate.examine import Findings

Check = Callable[..., Findings]
VALUES = {"TEXT": "TextValue", "PNAME": "PersonName", "DATE": "Date", "DATETIME": "DateTime", "UIDREF": "UID"}


def content_item(concept: tuple[str, str], value_type: str, value: str) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", value_type
    item.ConceptNameCodeSequence = Sequence([code(concept[0], "Concept", concept[1])])
    setattr(item, VALUES[value_type], value)
    return item


def report(research: Dataset, *items: Dataset) -> Dataset:
    inner = Dataset()
    inner.RelationshipType, inner.ValueType = "CONTAINS", "CONTAINER"
    inner.ConceptNameCodeSequence = Sequence([code("121070", "Findings")])
    inner.ContentSequence = Sequence(items)
    research.ContentSequence = Sequence([inner])
    return research


@pytest.mark.parametrize(
    ("concept", "value_type", "value"),
    [
        (("121071", "DCM"), "TEXT", "Mass in segment VII"),
        (("121106", "DCM"), "TEXT", "no comment"),
        (("121008", "DCM"), "PNAME", PSEUDONYM),
        (("121008", "DCM"), "PNAME", "REMOVED"),
        (("121022", "DCM"), "TEXT", "REMOVED"),
        (("111018", "DCM"), "DATE", "20141127"),
        (("99", "99LOCAL"), "TEXT", "of no table"),
    ],
)
def test_clean_content_item_passes(
    check_research: Check, research: Dataset, concept: tuple[str, str], value_type: str, value: str
) -> None:
    assert check_research(report(research, content_item(concept, value_type, value))).counts == {}


@pytest.mark.parametrize(
    ("concept", "value_type", "value", "rule"),
    [
        (("121022", "DCM"), "TEXT", "AC 77 31", "content-item"),
        (("121008", "DCM"), "PNAME", "Okonkwo^Ada", "person-name"),
        (("121009", "DCM"), "TEXT", "Springfield Clinic", "content-item"),
        (("121071", "DCM"), "TEXT", "Mass seen by Featherstone", "known-text"),
        (("121071", "DCM"), "TEXT", "call 604-555-0123", "pattern-phone"),
        (("111018", "DCM"), "DATE", "20190105", "known-date"),
    ],
)
def test_leaking_content_item_is_found(
    check_research: Check, research: Dataset, concept: tuple[str, str], value_type: str, value: str, rule: str
) -> None:
    findings = check_research(report(research, content_item(concept, value_type, value)))
    assert rule in findings.counts
    assert not findings.passed


def test_every_content_item_is_a_dummy_without_the_option(check_research: Check, research: Dataset) -> None:
    options = RESEARCH_OPTIONS - {"clean-structured-content"}
    del research.DeidentificationMethodCodeSequence[2]
    dummy = report(research, content_item(("121106", "DCM"), "TEXT", "REMOVED"))
    assert check_research(dummy, options=options).counts == {}
    left = report(research, content_item(("121106", "DCM"), "TEXT", "no comment"))
    assert check_research(left, options=options).counts == {"content-item": 1}


@pytest.mark.parametrize(
    ("age", "unit", "found"), [("89", "a", 0), ("93", "a", 1), ("1070", "mo", 0), ("1130", "mo", 1)]
)
def test_subject_age_above_the_maximum_is_found(
    check_research: Check, research: Dataset, age: str, unit: str, found: int
) -> None:
    measured = Dataset()
    measured.NumericValue = age
    measured.MeasurementUnitsCodeSequence = Sequence([code(unit, "unit", "UCUM")])
    item = Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", "NUM"
    item.ConceptNameCodeSequence = Sequence([code("121033", "Subject Age")])
    item.MeasuredValueSequence = Sequence([measured])
    assert check_research(report(research, item)).counts == ({"age-over-maximum": 1} if found else {})


def test_name_in_the_text_of_a_graphic_annotation_is_found(check_research: Check, research: Dataset) -> None:
    text = Dataset()
    text.UnformattedTextValue = "ROUTINE HEAD"
    annotation = Dataset()
    annotation.TextObjectSequence = Sequence([text])
    research.GraphicAnnotationSequence = Sequence([annotation])
    assert check_research(research).counts == {}
    text.UnformattedTextValue = "ROUTINE HEAD Agnieszka Featherstone"
    assert check_research(research).counts["known-text"] >= 1
