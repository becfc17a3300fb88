"""No attribute is left that PS3.3 allows only beside one that is gone, and none is missing that another makes due."""

import pytest

from dicomanon.deidentify.codec import BIG_EXPLICIT, LITTLE_EXPLICIT, LITTLE_IMPLICIT, Codec
from dicomanon.deidentify.conditions import keep_conditions
from dicomanon.standard.dictionary import dictionary_vrs
from dicomanon.standard.tables import parse_tag, read_table

RESPONSIBLE_PERSON, ROLE, ORGANISATION = 0x00102297, 0x00102298, 0x00102299
SPECIES, COMMITTEE, APPROVAL = 0x00102201, 0x00120081, 0x00120082
CODECS = (LITTLE_EXPLICIT, LITTLE_IMPLICIT, BIG_EXPLICIT)


def _kept(codec: Codec, **values: int) -> dict[int, bytes]:
    elements = [(tag, codec.element(tag, "LO", value.strip("_").encode())) for value, tag in values.items()]
    return {tag: bytes(chunk) for tag, chunk in keep_conditions(elements, codec)}


@pytest.mark.parametrize("codec", CODECS)
def test_role_goes_with_its_person_and_committee_with_its_approval(codec: Codec) -> None:
    assert set(_kept(codec, OWNER=ROLE, BOARD=COMMITTEE, LOBBY=0x00081010)) == {0x00081010}


@pytest.mark.parametrize("codec", CODECS)
def test_role_goes_when_its_person_is_empty(codec: Codec) -> None:
    assert set(_kept(codec, _=RESPONSIBLE_PERSON, OWNER=ROLE)) == {RESPONSIBLE_PERSON}


@pytest.mark.parametrize("codec", CODECS)
def test_role_and_committee_stay_beside_what_they_belong_to(codec: Codec) -> None:
    kept = _kept(codec, SOMEBODY=RESPONSIBLE_PERSON, OWNER=ROLE, BOARD=COMMITTEE, NUMBER=APPROVAL)
    assert set(kept) == {RESPONSIBLE_PERSON, ROLE, COMMITTEE, APPROVAL}


@pytest.mark.parametrize("codec", CODECS)
def test_animal_has_its_type_2_owner_empty(codec: Codec) -> None:
    kept = _kept(codec, FELINE=SPECIES)
    assert kept[RESPONSIBLE_PERSON] == codec.header(RESPONSIBLE_PERSON, "PN", 0)
    assert kept[ORGANISATION] == codec.header(ORGANISATION, "LO", 0)


def test_nothing_is_copied_where_no_condition_applies() -> None:
    elements = [(0x00081010, b"")]
    assert keep_conditions(elements, LITTLE_EXPLICIT) is elements


def test_table_names_attributes_by_their_vr() -> None:
    for row in read_table("attribute_conditions"):
        assert dictionary_vrs()[parse_tag(row["tag"])] == row["vr"]


def test_an_element_in_pieces_is_as_long_as_all_of_them() -> None:
    person = LITTLE_EXPLICIT.element(RESPONSIBLE_PERSON, "LO", b"Quill")
    role = LITTLE_EXPLICIT.element(ROLE, "CS", b"OWNER")
    kept = keep_conditions(
        [(RESPONSIBLE_PERSON, person[:8]), (RESPONSIBLE_PERSON, person[8:]), (ROLE, role)], LITTLE_EXPLICIT
    )
    assert ROLE in {tag for tag, _ in kept}
