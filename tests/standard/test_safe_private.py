from dicomanon.standard.safe_private import creator_key, published_private_vr, safe_private_rows, similar_creator
from dicomanon.standard.tables import read_table


def test_table_has_479_attributes_of_20_creators() -> None:
    assert len(safe_private_rows()) == 479
    assert len({row.creator for row in safe_private_rows().values()}) == 20


def test_each_withheld_row_is_one_of_the_table_and_has_its_vr() -> None:
    for withheld in read_table("safe_private_withheld"):
        key = (creator_key(withheld["private_creator"]), int(withheld["group"], 16), int(withheld["element"][2:], 16))
        assert safe_private_rows()[key].vr == withheld["vr"]
        assert safe_private_rows()[key].withheld == withheld["why"]


def test_creators_are_told_apart_by_more_than_case_and_padding() -> None:
    assert creator_key(" GEMS_PARM_01 \0") == creator_key("gems_parm_01")
    assert creator_key("GEMS_PARM_01") != creator_key("GEMS_PARM_02")
    assert creator_key("A  B") != creator_key("A B")


def test_dictionaries_know_more_than_the_table() -> None:
    assert published_private_vr("SIEMENS MR HEADER", 0x0019, 0x0C) == ("IS", "1")
    assert published_private_vr("siemens mr header", 0x0019, 0x08)[0] == "CS"
    assert published_private_vr("SIEMENS MR HEADER", 0x0019, 0xFE) == ("", "")
    assert published_private_vr("SOMEBODY", 0x0019, 0x0C) == ("", "")


def test_misspelt_creator_is_told_from_one_that_nobody_knows() -> None:
    assert similar_creator("SIEMENS MR HEDAER") == "SIEMENS MR HEADER"
    assert similar_creator("siemens mr header ") == ""
    assert similar_creator("SOMEBODY ELSE") == ""
