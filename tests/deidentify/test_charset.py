import pytest

from dicomanon.deidentify.charset import CharacterSet


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (b"ISO_IR 100", "Jérôme Äpfel"),
        (b"ISO_IR 101", "Łukasz Wałęsa"),
        (b"ISO_IR 126", "Διονυσιος"),
        (b"ISO_IR 144", "Люкceмбypг"),
        (b"ISO_IR 148", "Çavuşoğlu"),
        (b"ISO_IR 192", "王^小东 山田 홍길동 naïve"),
        (b"GB18030", "王^小东"),
        (b"GBK", "王^小东"),
        (b"\\ISO 2022 IR 87", "ABDOMEN 山田\\太郎\r\nやまだ 3 mm"),
        (b"ISO 2022 IR 6\\ISO 2022 IR 149", "CT 洪 chest\\吉洞\n홍길동"),
        (b"ISO_IR 13\\ISO 2022 IR 87", "ﾔﾏﾀﾞ ﾀﾛｳ\\山田 太郎"),
        (b"iso-ir 192 ", "Grüße"),
        (b"ISO_2022_IR_100", "Grüße"),
    ],
)
def test_text_is_written_as_it_was_read(names: bytes, text: str) -> None:
    character_set = CharacterSet.of(names)
    encoded = character_set.encode(text)
    assert encoded is not None
    assert character_set.decode(encoded) == text


def test_each_part_of_a_name_begins_in_the_initial_state() -> None:
    value = b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf"
    assert CharacterSet.of(b"\\ISO 2022 IR 149").decode(value, name=True) == "Hong^Gildong=洪^吉洞=홍^길동"


@pytest.mark.parametrize("names", [b"", b"ISO_IR 6", b"ISO_IR 999", b"latin1", b"SMITH^JANE", b"\xff\xfe"])
def test_ascii_is_read_under_any_name(names: bytes) -> None:
    assert CharacterSet.of(names).decode(b"CT CHEST ") == "CT CHEST "


@pytest.mark.parametrize(
    ("names", "value"),
    [
        (b"", "Müller".encode()),
        (b"ISO_IR 999", "Müller".encode()),
        (b"ISO_IR 192", "Müller".encode("latin-1")),
        (b"ISO_IR 192", "山田".encode("shift_jis")),
        (b"GB18030", b"\xff\xff"),
        (b"", b"\x1b$B;3ED\x1b(B"),
        (b"\\ISO 2022 IR 87", b"\x1b$B;3\xff\x1b(B"),
        (b"\\ISO 2022 IR 87", b"\x1b%/1Doe"),
    ],
)
def test_what_is_not_in_the_declared_character_set_is_not_guessed(names: bytes, value: bytes) -> None:
    assert CharacterSet.of(names).decode(value) is None


def test_text_outside_the_repertoire_is_not_written() -> None:
    assert CharacterSet.of(b"ISO_IR 100").encode("山田") is None


@pytest.mark.parametrize(("names", "known"), [(b"", True), (b"ISO_IR 100", True), (b"ISO_IR 100\\SMITH", False)])
def test_names_that_nobody_defined_are_told(names: bytes, known: bool) -> None:
    assert CharacterSet.of(names).known is known
