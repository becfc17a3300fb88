import pytest

from dicomanon.deidentify.pixels.device_rules import boxes, holds, rules_of_device
from dicomanon.deidentify.pixels.facts import IMAGE_TYPE, MANUFACTURER, MODALITY, MODEL, SOFTWARE_VERSIONS, HeaderFacts
from dicomanon.deidentify.pixels.regions import Box

US = "1.2.840.10008.5.1.4.1.1.6.1"
SC = "1.2.840.10008.5.1.4.1.1.7"
REGIONS = 0x00186011


def _facts(manufacturer: str, model: str, rows: int, columns: int, **more: str) -> HeaderFacts:
    texts = {MODALITY: "US", IMAGE_TYPE: "ORIGINAL\\PRIMARY", MANUFACTURER: manufacturer, MODEL: model}
    names = {"software": SOFTWARE_VERSIONS, "image_type": IMAGE_TYPE, "regions": REGIONS}
    sop_class = more.pop("sop_class", US)
    return HeaderFacts(sop_class, "", rows, columns, texts | {names[name]: text for name, text in more.items()})


def _names(facts: HeaderFacts) -> list[str]:
    return [rule.name for rule in rules_of_device(facts) if holds(rule, facts)]


def test_a_rule_limited_by_image_type_holds_without_that_type_only() -> None:
    sequoia = _facts("ACUSON", "SEQUOIA", 768, 1024)
    assert _names(sequoia) == ["sequoia-768x1024"]
    excluded = _facts("ACUSON", "SEQUOIA", 768, 1024, image_type="ORIGINAL\\PRIMARY\\\\0000")
    assert _names(excluded) == []
    assert rules_of_device(excluded)


def test_a_rule_that_asks_for_ultrasound_regions_holds_with_them_only() -> None:
    assert _names(_facts("SONOSITE", "TURBO", 480, 640)) == []
    assert len(_names(_facts("SONOSITE", "TURBO", 480, 640, regions="items"))) == 1


@pytest.mark.parametrize(("sop_class", "count"), [(US, 1), (SC, 0)])
def test_a_rule_limited_to_an_iod_holds_there_only(sop_class: str, count: int) -> None:
    assert len(_names(_facts("GE HEALTHCARE", "VIVID7", 434, 636, sop_class=sop_class))) == count


def test_a_device_that_no_rule_names_has_none() -> None:
    assert rules_of_device(_facts("ACME", "ONE", 480, 640)) == ()


def test_areas_reach_to_the_edge_where_nothing_is_said_and_never_beyond() -> None:
    areas = [(0, 0, None, 10), (90, 5, 100, None), (200, 0, 5, 5)]
    assert boxes(areas, 50, 100) == {Box(0, 0, 100, 10), Box(90, 5, 100, 50)}
    assert boxes(areas, 0, 0) == frozenset()
