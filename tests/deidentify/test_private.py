"""Private attributes under the Retain Safe Private Option (PS3.15 E.3.10)."""

from io import BytesIO

import pydicom
import pytest
from pydicom.dataset import Dataset
from tests.deidentify.builders import BIG, CONTEXT, EXPLICIT, IMPLICIT, SHIFT, Instance, Leaf, Nest, Node

from dicomanon.deidentify import Deidentified, deidentify, encode, parse
from dicomanon.deidentify.dates import shift_dates
from dicomanon.profile import Profile, compile_profile, load_profile

RESEARCH = load_profile("research")
TRUSTING = Profile.model_validate({**RESEARCH.model_dump(), "trust_block_identifying_information": True})
SIEMENS = Leaf(0x00190010, "LO", "SIEMENS MR HEADER")
B_VALUE = Leaf(0x0019100C, "IS", "1000")


def _run(*nodes: Node, profile: Profile = RESEARCH, syntax: str = EXPLICIT) -> Dataset:
    source = parse(Instance(extra=nodes, syntax=syntax).raw())
    outcome = deidentify(source, compile_profile(profile), CONTEXT)
    assert isinstance(outcome, Deidentified), outcome
    return pydicom.dcmread(BytesIO(encode(outcome)))


def _private(dataset: Dataset) -> list[int]:
    return [int(element.tag) for element in dataset if element.tag.is_private]


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
def test_what_the_table_calls_safe_stays_with_its_creator(syntax: str) -> None:
    dataset = _run(SIEMENS, B_VALUE, syntax=syntax)
    assert dataset[0x00190010].value == "SIEMENS MR HEADER"
    assert dataset[0x0019100C].value == 1000
    assert _private(dataset) == [0x00190010, 0x0019100C]


def test_the_block_does_not_matter_and_the_creator_does() -> None:
    other = Leaf(0x00190010, "LO", "ACME MR")
    third = Leaf(0x001900FE, "LO", "SIEMENS MR HEADER")
    dataset = _run(other, B_VALUE, third, Leaf(0x0019FE0C, "IS", "500"))
    assert _private(dataset) == [0x001900FE, 0x0019FE0C]


@pytest.mark.parametrize(
    "nodes",
    [
        (B_VALUE,),
        (SIEMENS, Leaf(0x0019110C, "IS", "1000")),
        (SIEMENS, Leaf(0x001910FF, "LO", "not in the table")),
        (SIEMENS, Leaf(0x0019100C, "IS", "FEATHERSTONE")),
        (SIEMENS, Leaf(0x0019100C, "PN", "1000")),
        (Leaf(0x00190010, "LO", "Featherstone SITE"), B_VALUE),
        (SIEMENS,),
    ],
)
def test_nothing_else_survives_nor_does_its_creator(nodes: tuple[Node, ...]) -> None:
    assert _private(_run(*nodes)) == []


@pytest.mark.parametrize("vr", ["SQ", "UN"])
def test_sequences_of_the_table_are_walked(vr: str) -> None:
    creator = Leaf(0x20010010, "LO", "Philips Imaging DD 001")
    inside = (
        Leaf(0x00080020, "DA", "20240229"), Leaf(0x00100010, "PN", "Featherstone^Wilhelmina"),
        Leaf(0x20010010, "LO", "Philips Imaging DD 001"), Leaf(0x20011003, "FL", b"\0\0\x7a\x44"),
        Leaf(0x20011099, "LO", "unlisted"),
    )  # fmt: skip
    dataset = _run(creator, Nest(0x2001105F, (inside,), vr=vr))
    (item,) = dataset[0x2001105F].value
    assert item.StudyDate == shift_dates("20240229", "DA", SHIFT)
    assert "Featherstone" not in str(item.PatientName)
    assert item[0x20011003].value == 1000.0
    assert 0x20011099 not in item


def test_a_sequence_that_cannot_be_read_goes_and_the_instance_stays() -> None:
    creator = Leaf(0x20010010, "LO", "Philips Imaging DD 001")
    assert _private(_run(creator, Leaf(0x2001105F, "SQ", b"Featherstone"))) == []


def _declaration(status: str, numbers: bytes = b"") -> Nest:
    return Nest(
        0x00080300,
        (
            (
                Leaf(0x00080301, "US", b"\x09\0"), Leaf(0x00080302, "LO", "ACME 1.0"),
                Leaf(0x00080303, "CS", status), Leaf(0x00080304, "US", numbers),
            ),
        ),
    )  # fmt: skip


ACME = (Leaf(0x00090010, "LO", "ACME 1.0"), Leaf(0x00091001, "DS", "1.5"), Leaf(0x00091002, "LO", "fast mode"))


@pytest.mark.parametrize(
    ("declaration", "kept"),
    [
        (_declaration("SAFE"), [0x00090010, 0x00091001, 0x00091002]),
        (_declaration("MIXED", b"\x01\0"), [0x00090010, 0x00091001]),
        (_declaration("UNSAFE", b"\x01\0"), []),
        (_declaration("MIXED"), []),
    ],
)
def test_what_the_object_declares_safe_stays_only_where_the_profile_trusts_it(
    declaration: Nest, kept: list[int]
) -> None:
    assert _private(_run(declaration, *ACME, profile=TRUSTING)) == kept
    assert _private(_run(declaration, *ACME)) == []


def test_a_declaration_does_not_make_names_safe() -> None:
    names = (ACME[0], Leaf(0x00091001, "PN", "Featherstone^W"), Leaf(0x00091002, "UN", "Featherstone"))
    assert _private(_run(_declaration("SAFE"), *names, profile=TRUSTING)) == []
