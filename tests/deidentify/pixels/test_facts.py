from tests.deidentify.builders import Instance, Leaf, Nest

from dicomanon.deidentify import parse
from dicomanon.deidentify.pixels.facts import HAS_ITEMS, IMAGE_TYPE, MANUFACTURER, HeaderFacts, asked_tags
from dicomanon.standard.burned_in import header_signals

REGIONS = 0x00186011


def test_everything_is_collected_that_a_rule_asks_for() -> None:
    assert {signal.tag for signal in header_signals()} <= asked_tags()
    assert {IMAGE_TYPE, MANUFACTURER, REGIONS, 0x00190010} <= asked_tags()


def test_nothing_else_is_collected() -> None:
    facts = HeaderFacts.of(parse(Instance().raw()))
    assert not {0x00100010, 0x00100020, 0x00080050} & facts.texts.keys()
    assert set(facts.texts) <= asked_tags()


def test_text_is_in_upper_case_and_sizes_are_numbers() -> None:
    facts = HeaderFacts.of(parse(Instance(extra=(Leaf(MANUFACTURER, "LO", "Acme "),)).raw()))
    assert facts.text(MANUFACTURER) == "ACME"
    assert (facts.rows, facts.columns) == (4, 4)


def test_a_sequence_counts_as_present_if_it_has_items() -> None:
    full, empty = Nest(REGIONS, ((),)), Nest(REGIONS, ())
    assert HeaderFacts.of(parse(Instance(extra=(full,)).raw())).text(REGIONS) == HAS_ITEMS
    assert HeaderFacts.of(parse(Instance(extra=(empty,)).raw())).text(REGIONS) == ""


def test_a_header_without_device_and_size_has_a_key_all_the_same() -> None:
    bare = frozenset({MANUFACTURER, IMAGE_TYPE, 0x00280010})
    key = HeaderFacts.of(parse(Instance(without=bare).raw())).device
    assert (key.manufacturer, key.image_type, key.rows) == ("", "", 0)


def test_prints_nothing_of_the_header() -> None:
    assert "ACME" not in repr(HeaderFacts.of(parse(Instance().raw())))
