import pytest
from tests.deidentify.builders import Instance

from dicomanon.deidentify import parse
from dicomanon.deidentify.pixels.judging import TextClass, TextJudge
from dicomanon.deidentify.pixels.reading import Line
from dicomanon.deidentify.pixels.regions import Box
from dicomanon.deidentify.text import KnownValues
from dicomanon.deidentify.text_cleaning import cleaner_for
from dicomanon.profile import CompiledProfile


@pytest.fixture(scope="module")
def judge(research: CompiledProfile) -> TextJudge:
    known = KnownValues.of(parse(Instance().raw()))
    return TextJudge(known.needles, cleaner_for(known, research, None).clean)


def line(text: str, score: float = 0.95) -> Line:
    return Line(Box(0, 0, 10, 10), text, score)


@pytest.mark.parametrize(
    "text",
    [
        "Featherstone^Wilhelmina",
        "WILHELMINA FEATHERSTONE",
        "PORTABLE Featherstone",
        "FeatherstoneWilhelmina",
        "Fcatherstone",  # misread
        "MRN-00417733",
        "ID: 417733",
        "O0417733",
        "07.11.1956",
        "11/07/1956",
        "ACC-778812",
        "Okonkwo, Adaeze",  # named nowhere in the header
        "St. Brigid Hospital",
        "3/14/2024",
    ],
)
def test_identifying(text: str, judge: TextJudge) -> None:
    assert judge.judge(line(text)) is TextClass.IDENTIFYING


@pytest.mark.parametrize(
    "text",
    ["L", "R", "5.2 cm", "120 kVp", "MI 1.2", "W 400 L 40", "SUPINE", "R MLO", "28Hz", "EF 62%", "Gain 50", "10:22:31"],
)
def test_harmless(text: str, judge: TextJudge) -> None:
    assert judge.judge(line(text)) in {TextClass.HARMLESS, TextClass.NOTHING}


def test_badly_read_text_is_unreadable(judge: TextJudge) -> None:
    assert judge.judge(line("Qxvzt wrk", 0.5)) is TextClass.UNREADABLE


def test_badly_read_known_value_is_identifying_all_the_same(judge: TextJudge) -> None:
    assert judge.judge(line("Featherstonc", 0.45)) is TextClass.IDENTIFYING


@pytest.mark.parametrize(("text", "score"), [("", 0.0), ("8", 0.97), ("Qxvzt wrk", 0.2), ("---", 0.9)])
def test_anatomy_and_noise_are_nothing(text: str, score: float, judge: TextJudge) -> None:
    assert judge.judge(line(text, score)) is TextClass.NOTHING


def test_a_line_does_not_print_its_text() -> None:
    assert "Featherstone" not in f"{line('Featherstone')} {line('Featherstone')!r}"
