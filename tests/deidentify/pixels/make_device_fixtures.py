"""Writes device_fixtures.jsonl: for every device rule a header that it is about, and what is decided today.

``python tests/deidentify/pixels/make_device_fixtures.py``; look at the difference before you commit it.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from dicomanon.deidentify.pixels.facts import (
    HAS_ITEMS,
    IMAGE_TYPE,
    MANUFACTURER,
    MODALITY,
    MODEL,
    SOFTWARE_VERSIONS,
    HeaderFacts,
)
from dicomanon.deidentify.pixels.fixtures import Fixture, fixture_from
from dicomanon.deidentify.pixels.ultrasound import SEQUENCE_OF_ULTRASOUND_REGIONS
from dicomanon.standard.burned_in import DeviceRule, device_rules, fits
from dicomanon.standard.iods import iod_by_sop_class

FILE = Path(__file__).with_name("device_fixtures.jsonl")
CLASSES = {
    "US": "ultrasound-image",
    "CT": "ct-image",
    "PT": "positron-emission-tomography-image",
    "NM": "nuclear-medicine-image",
    "XA": "x-ray-angiographic-image",
    "CR": "computed-radiography-image",
    "DX": "digital-x-ray-image",
}


def header(rule: DeviceRule) -> HeaderFacts:
    """Return the plainest header that a rule is about."""
    modality = min(rule.modality, default="US")
    iods = rule.iods or (f"={CLASSES[modality]}",)
    sop_class = next(uid for uid, iod in iod_by_sop_class().items() if fits(iods[0], iod))
    texts = {
        MODALITY: modality,
        IMAGE_TYPE: "ORIGINAL\\PRIMARY\\OTHER",
        MANUFACTURER: _value(rule.manufacturer),
        MODEL: _value(rule.model),
        SOFTWARE_VERSIONS: _value(rule.software_versions),
    }
    for condition in rule.pictures:
        text = _value(condition.patterns)
        texts[condition.tag] = f"DERIVED\\PRIMARY\\{text}" if condition.tag == IMAGE_TYPE else text
    for condition in rule.limits:
        if condition.test == "present":
            texts[condition.tag] = HAS_ITEMS if condition.tag == SEQUENCE_OF_ULTRASOUND_REGIONS else "PRESENT"
    return HeaderFacts(
        sop_class_uid=sop_class,
        transfer_syntax="1.2.840.10008.1.2.1",
        rows=min(rule.rows, default=1024),
        columns=min(rule.columns, default=1280),
        texts={tag: text for tag, text in texts.items() if text},
    )


def fixtures() -> Iterator[Fixture]:
    """Yield one fixture a rule, and one of the same device in another size and software."""
    for rule in device_rules():
        facts = header(rule)
        yield fixture_from(rule.name, facts)
        other = replace(facts, rows=77, columns=99, texts={**facts.texts, SOFTWARE_VERSIONS: "OTHER"})
        yield fixture_from(f"{rule.name} otherwise", other)


def _value(patterns: tuple[str, ...]) -> str:
    return patterns[0].lstrip("^=") if patterns else ""


if __name__ == "__main__":
    FILE.write_text("".join(f"{fixture.to_json()}\n" for fixture in fixtures()), encoding="utf-8")
