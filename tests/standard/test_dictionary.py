from dicomanon.standard.confidentiality import confidentiality_by_tag
from dicomanon.standard.dictionary import (
    dictionary_vrs,
    is_registered_uid,
    is_single_valued,
    name_of,
    uid_roles,
    uid_type,
)


def test_tags_newer_than_pydicom_have_their_vr() -> None:
    assert dictionary_vrs()[0x0010_0041] == "SQ"
    assert dictionary_vrs()[0x3004_007F] == "LO"


def test_every_tag_of_the_table_has_a_vr() -> None:
    assert all(dictionary_vrs().get(tag) for tag in confidentiality_by_tag())


def test_repeating_groups_are_not_in_the_lookup() -> None:
    assert not [tag for tag in dictionary_vrs() if tag >> 24 in {0x50, 0x60}]


def test_fifteen_instance_uids_are_known_to_be_left_out_by_the_table() -> None:
    left_out = [tag for tag, role in uid_roles().items() if role.startswith("instance-level:not-in-table")]
    assert len(left_out) == 15
    assert all(dictionary_vrs()[tag] == "UI" for tag in left_out)


def test_registered_uids() -> None:
    assert is_registered_uid("1.2.840.10008.5.1.4.1.1.2")
    assert not is_registered_uid("1.2.840.10008.5.1.4.1.1.2.99.1")
    assert uid_type("1.2.840.10008.1.2.1") == "Transfer Syntax"
    assert uid_type("1.2.3") == ""


def test_single_valued_attributes() -> None:
    assert is_single_valued(0x0028_0010)
    assert not is_single_valued(0x0008_0008)


def test_names() -> None:
    assert name_of(0x0008_1030) == "Study Description"
    assert name_of(0x3004_007F) == "Dose Calculation Model Name"
    assert name_of(0x0010_FFF1) == ""
