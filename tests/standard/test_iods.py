import pytest

from dicomanon.standard.iods import iod_actions, iod_by_sop_class, tags_resolved_per_iod

CT = "1.2.840.10008.5.1.4.1.1.2"


def test_ordinary_image_drops_what_is_type_3() -> None:
    assert iod_actions(CT).top[0x0008_0021] == "X"


def test_type_2_is_emptied_and_type_1_replaced() -> None:
    assert iod_actions(CT).top[0x0018_0010] == "Z"
    assert iod_actions(CT).nested[0x0008_0080] == "D"


def test_presentation_states_get_a_dummy_creation_date_although_the_table_says_x() -> None:
    assert iod_actions("1.2.840.10008.5.1.4.1.1.11.1").top[0x0070_0082] == "D"


def test_unknown_sop_class_is_refused() -> None:
    with pytest.raises(KeyError):
        iod_actions("1.2.840.10008.5.1.4.1.1.6")


def test_180_sop_classes_are_known() -> None:
    assert len(iod_by_sop_class()) == 180


def test_compound_codes_and_requirements_against_the_code_depend_on_the_iod() -> None:
    assert {0x0008_0080, 0x0070_0082} <= tags_resolved_per_iod()
    assert 0x0008_0020 not in tags_resolved_per_iod()
