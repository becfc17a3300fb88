import pytest
from tests.deidentify.builders import Instance, Leaf, Nest, Node
from tests.deidentify.pixels.make_device_fixtures import FILE, fixtures

from dicomanon.deidentify import parse
from dicomanon.deidentify.pixels.decision import PixelPath
from dicomanon.deidentify.pixels.facts import HeaderFacts
from dicomanon.deidentify.pixels.fixtures import Fixture, differences, fixture_of
from dicomanon.errors import Fatal
from dicomanon.standard.burned_in import device_rules

SHIPPED = [Fixture.from_json(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
US = "1.2.840.10008.5.1.4.1.1.6.1"
SERIES_DESCRIPTION = 0x0008103E


@pytest.mark.parametrize("fixture", SHIPPED, ids=[fixture.name for fixture in SHIPPED])
def test_shipped_fixture_is_met(fixture: Fixture) -> None:
    assert fixture.found() == fixture.expected


def test_every_rule_has_a_fixture_that_masks() -> None:
    by_name = {fixture.name: fixture for fixture in SHIPPED}
    for rule in device_rules():
        assert by_name[rule.name].expected.path is PixelPath.MASK


def test_no_device_of_a_rule_passes_in_another_size_or_software() -> None:
    assert {f.expected.path for f in SHIPPED if f.name.endswith(" otherwise")} == {PixelPath.MASK, PixelPath.READ}
    assert all(f.expected.flagged_as or f.expected.boxes for f in SHIPPED)


def test_the_file_is_what_its_maker_writes() -> None:
    assert [fixture.to_json() for fixture in fixtures()] == [fixture.to_json() for fixture in SHIPPED]


def _source(*extra: Node, sop_class: str = US) -> Instance:
    base = (Leaf(0x00080060, "CS", "US"), Leaf(0x00081090, "LO", "iU22"), Leaf(0x00080070, "LO", "Philips"))
    replaced = {node.tag for node in extra}
    return Instance(extra=(*(leaf for leaf in base if leaf.tag not in replaced), *extra), sop_class=sop_class)


def test_fixture_of_an_object_leads_to_its_decision_and_survives_json() -> None:
    regions = Nest(0x00186011, ((Leaf(0x00186012, "US", b"\1\0"),),))
    source = parse(_source(regions, Leaf(0x00080008, "CS", "DERIVED\\SECONDARY\\0001")).raw())
    fixture = fixture_of("one", source)
    assert fixture.expected.path is PixelPath.READ
    assert Fixture.from_json(fixture.to_json()).to_json() == fixture.to_json()
    assert differences([fixture]) == {}


def test_text_that_people_type_is_reduced_to_words_of_our_tables() -> None:
    typed = "Dose Report of Featherstone 17 May"
    source = parse(_source(Leaf(SERIES_DESCRIPTION, "LO", typed), Leaf(0x00181012, "DA", "20240229")).raw())
    fixture = fixture_of("one", source)
    assert "FEATHERSTONE" not in fixture.to_json().upper()
    assert "20240229" not in fixture.to_json()
    assert "DOSE REPORT" in fixture.facts.text(SERIES_DESCRIPTION)
    assert differences([fixture]) == {}


@pytest.mark.parametrize(
    "extra",
    [
        Leaf(0x00081090, "LO", "Featherstone"),
        Leaf(0x00080070, "LO", "MRN-00417733"),
        Leaf(0x00181020, "LO", "Dr. Miller"),
        Leaf(0x00080008, "CS", "ORIGINAL\\PRIMARY\\Wilhelmina"),
    ],
)
def test_refused_where_a_fact_of_the_device_may_identify_a_person(extra: Leaf) -> None:
    with pytest.raises(Fatal) as refused:
        fixture_of("one", parse(_source(extra).raw()))
    assert str(extra.value).upper() not in str(refused.value).upper()


def test_refused_where_the_sop_class_is_unknown() -> None:
    with pytest.raises(Fatal):
        fixture_of("one", parse(_source(sop_class="1.2.3.4").raw()))


@pytest.mark.parametrize("line", ["", "{}", "[]", '{"name": "a", "expected": {"path": "x"}}'])
def test_refused_where_a_line_is_no_fixture(line: str) -> None:
    with pytest.raises(Fatal):
        Fixture.from_json(line)


def test_a_fixture_that_is_not_met_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    fixture = SHIPPED[0]
    other = Fixture("other", HeaderFacts(US), fixture.expected)
    found = differences([fixture, other])
    assert list(found) == ["other"]
    assert found["other"][0] == fixture.expected
