"""Private attributes of Table E.3.10-1 pass with values of their kind; all others are found."""

from collections.abc import Callable

import pytest
from pydicom import Dataset
from pydicom.sequence import Sequence
from tests.validate.support import SYNTAXES

from dicomanon.validate.examine import Findings
from dicomanon.validate.overrides import Allowance, Effect

Check = Callable[..., Findings]
GE, SIEMENS, PHILIPS = "GEMS_ACQU_01", "SIEMENS MR HEADER", "Philips Imaging DD 001"


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("vr", ["DS", "UN"])
def test_safe_attribute_passes(check_research: Check, research: Dataset, syntax: str, vr: str) -> None:
    block = research.private_block(0x0019, GE, create=True)
    block.add_new(0x23, vr, "12.5" if vr == "DS" else b"12.5")
    assert check_research(research, syntax=syntax).counts == {}


def test_safe_attribute_passes_in_any_block(check_research: Check, research: Dataset) -> None:
    research.add_new(0x001900C0, "LO", GE)
    research.add_new(0x0019C023, "DS", "12.5")
    assert check_research(research).counts == {}


def test_safe_attribute_is_found_without_the_option(check: Check, dataset: Dataset) -> None:
    dataset.private_block(0x0019, GE, create=True).add_new(0x23, "DS", "12.5")
    assert check(dataset).counts == {"private-attribute": 2}


@pytest.mark.parametrize(
    ("creator", "byte"), [(GE, 0x24 + 0x40), ("GEMS_ACQU_99", 0x23), (f"{GE} Okonkwo", 0x23), (SIEMENS, 0x23)]
)
def test_attribute_that_the_table_does_not_list_is_found(
    check_research: Check, research: Dataset, creator: str, byte: int
) -> None:
    research.private_block(0x0019, creator, create=True).add_new(byte, "DS", "12.5")
    assert check_research(research).counts["private-attribute"] >= 1


def test_attribute_without_its_creator_is_found(check_research: Check, research: Dataset) -> None:
    research.add_new(0x00191023, "DS", "12.5")
    assert check_research(research).counts == {"private-attribute": 1}


def test_creator_of_another_item_does_not_count(check_research: Check, research: Dataset) -> None:
    research.private_block(0x0019, GE, create=True).add_new(0x23, "DS", "12.5")
    item = Dataset()
    item.add_new(0x00191023, "DS", "12.5")
    research.ReferencedImageSequence = Sequence([item])
    findings = check_research(research)
    assert findings.counts == {"private-attribute": 1}
    assert findings.places["private-attribute"] == ("0008,1140/0019,1023",)


@pytest.mark.parametrize(
    ("vr", "value"), [("LO", "12.5"), ("UN", b"Adaeze"), ("DS", "1.5\\Adaeze"), ("UN", b"12.5 Okonkwo")]
)
@pytest.mark.filterwarnings("ignore")
def test_value_that_is_not_of_the_tables_kind_is_found(
    check_research: Check, research: Dataset, vr: str, value: object
) -> None:
    block = research.private_block(0x0019, GE, create=True)
    block.add_new(0x23, "UN" if vr == "DS" else vr, value.encode() if vr == "DS" else value)
    assert check_research(research).counts == {"private-value": 1}


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize(
    ("text", "rule"),
    [("for Featherstone", "known-text"), ("Gray 3", "known-text"), ("call 604-555-0199", "pattern-phone")],
)
def test_leak_in_a_safe_text_is_found_also_where_it_is_not_decoded(
    check_research: Check, research: Dataset, text: str, rule: str, syntax: str
) -> None:
    block = research.private_block(0x0019, GE, create=True)
    for vr in ("LO", "UN"):
        block.add_new(0x9E, vr, text if vr == "LO" else text.encode())
        assert rule in check_research(research, syntax=syntax).counts


def test_safe_sequence_is_looked_into(check_research: Check, research: Dataset) -> None:
    item = Dataset()
    item.add_new(0x00080070, "LO", "Maker")
    block = research.private_block(0x2001, PHILIPS, create=True)
    block.add_new(0x5F, "SQ", Sequence([item]))
    for syntax in SYNTAXES:
        assert check_research(research, syntax=syntax).counts == {}
    item.add_new(0x00101040, "LO", "Springfield")
    item.add_new(0x20019901, "LO", "x")
    for syntax in SYNTAXES:
        counts = check_research(research, syntax=syntax).counts
        assert counts == {"attribute-not-allowed": 1, "private-attribute": 1}, syntax


def test_safe_sequence_that_cannot_be_read_is_found(check_research: Check, research: Dataset) -> None:
    block = research.private_block(0x2001, PHILIPS, create=True)
    block.add_new(0x5F, "UN", b"no sequence at all")
    assert check_research(research).counts == {"private-attribute": 1}


def test_override_lets_private_attributes_stay(check_research: Check, research: Dataset) -> None:
    block = research.private_block(0x0029, "OKONKWO LAB", create=True)
    block.add_new(0x01, "LO", "coil 4")
    block.add_new(0x02, "LO", "for Featherstone")
    assert check_research(research).counts["private-attribute"] == 3
    whole = Allowance(Effect.KEPT, creator="okonkwo lab", group=0x0029)
    assert check_research(research, overrides=(whole,)).counts == {"known-text": 1}
    one = Allowance(Effect.KEPT, creator="OKONKWO LAB", group=0x0029, byte=0x01)
    assert check_research(research, overrides=(one,)).counts["private-attribute"] == 1


def test_block_that_the_object_calls_safe_passes_only_if_trusted(check_research: Check, research: Dataset) -> None:
    block = research.private_block(0x0029, "OKONKWO LAB", create=True)
    block.add_new(0x01, "DS", "1")
    block.add_new(0x02, "DS", "2")
    item = Dataset()
    item.PrivateGroupReference = 0x0029
    item.PrivateCreatorReference = "OKONKWO LAB"
    item.BlockIdentifyingInformationStatus = "SAFE"
    research.PrivateDataElementCharacteristicsSequence = Sequence([item])
    for syntax in SYNTAXES:
        assert check_research(research, trusts_blocks=True, syntax=syntax).counts == {}
    assert check_research(research).counts["private-attribute"] == 3, "what an object says of itself is no proof"
    item.BlockIdentifyingInformationStatus = "MIXED"
    item.NonidentifyingPrivateElements = [0x01, 0x07]
    assert check_research(research, trusts_blocks=True).counts == {"private-attribute": 1}
    item.BlockIdentifyingInformationStatus = "UNSAFE"
    assert check_research(research, trusts_blocks=True).counts == {"private-attribute": 3}
