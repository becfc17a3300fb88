from tests.deidentify.builders import SOP_UID, Leaf, Nest, part10, write

from dicomanon.deidentify.source import parse
from dicomanon.deidentify.text import KnownValues

PATIENT = (
    Leaf(0x00080018, "UI", SOP_UID),
    Leaf(0x0020000D, "UI", "1.2.826.0.1.3680043.8.498.1"),
    Leaf(0x0020000E, "UI", "1.2.826.0.1.3680043.8.498.2"),
    Leaf(0x00080005, "CS", "ISO_IR 192"),
    Leaf(0x00100010, "PN", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    Leaf(0x00100020, "LO", "0012345"),
    Leaf(0x00100030, "DA", "19500102"),
    Leaf(0x00080020, "DA", "20210403"),
    Leaf(0x00080050, "SH", "A774411"),
    Leaf(0x00080080, "LO", "Riverside General Hospital"),
    Leaf(0x00081070, "PN", "Quill^Nora\\Test^Phantom"),
    Leaf(0x00102154, "SH", "+49 30 1234567"),
)
NESTED = (
    Nest(
        0x00081084,
        ((Nest(0x00401101, ((Leaf(0x00080104, "LO", "Brightwater, Ann"),),)),),),
    ),
    Nest(
        0x00400275, ((Nest(0x00081032, ((Leaf(0x00080104, "LO", "CT of head"),),)), Leaf(0x00401001, "SH", "RP99887")),)
    ),
)


def known() -> KnownValues:
    return KnownValues.of(parse(part10(write(PATIENT + NESTED))))


def test_names_come_from_every_component_group_and_level() -> None:
    needles = known().needles
    assert {"yamada", "tarou", "quill", "nora", "brightwater", "ann"} <= needles.names
    assert {"山田", "太郎", "山田太郎", "ヤマダタロウ"} <= needles.written


def test_code_meaning_is_a_name_only_inside_person_identification() -> None:
    assert "head" not in known().needles.names


def test_words_that_are_no_names_are_no_needles() -> None:
    needles = known().needles
    assert not {"test", "phantom", "hospital", "general"} & (needles.names | needles.places.keys())


def test_identifiers_phones_and_dates_are_collected() -> None:
    needles = known().needles
    assert {"12345", "a774411", "rp99887"} <= needles.identifiers
    assert "1234567" in needles.identifiers
    assert {day.isoformat() for day in needles.dates} >= {"2021-04-03"}
    assert {day.isoformat() for day in needles.birth_dates} == {"1950-01-02"}


def test_short_and_common_values_are_no_identifiers() -> None:
    needles = KnownValues(
        identifiers=frozenset({"1", "12", "CT", "2021", "1024"}), patient_identifiers=frozenset({"7", "2020"})
    ).needles
    assert not needles.identifiers


def test_equal_for_the_slices_of_a_series() -> None:
    assert known() == known()
    assert hash(known()) == hash(known())
    assert "Yamada" not in repr(known())
