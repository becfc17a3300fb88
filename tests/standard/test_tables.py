from dicomanon.standard.tables import format_tag, parse_tag, tables_digest


def test_tags_survive_the_way_there_and_back() -> None:
    assert parse_tag("0010,0020") == 0x0010_0020
    assert format_tag(0xFFFC_FFFC) == "(FFFC,FFFC)"


def test_digest_of_the_tables_is_stable_within_a_process() -> None:
    assert tables_digest() == tables_digest()
    assert len(tables_digest()) == 64
