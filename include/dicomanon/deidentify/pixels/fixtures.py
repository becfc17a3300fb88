"""Regression fixtures of the decision: facts of a header, without PHI and pixels, and what must follow from them.

One JSON object a line. Of a text that people type, only the words are kept that our own tables ask for; of a value that
only has to be there, that it is.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType
from typing import Any

from dicomanon.deidentify.pixels.decision import PixelDecision, PixelPath, Risk, decide_from_facts
from dicomanon.deidentify.pixels.facts import DEVICE_TAGS, HAS_ITEMS, IMAGE_TYPE, HeaderFacts, asked_tags
from dicomanon.deidentify.pixels.regions import Box
from dicomanon.deidentify.pixels.ultrasound import UltrasoundRegion
from dicomanon.deidentify.source import SourceInstance
from dicomanon.deidentify.text import DateTreatment, KnownValues, text_cleaner
from dicomanon.devices import ConfirmedDevices
from dicomanon.errors import Fatal
from dicomanon.profile.actions import TextKind
from dicomanon.standard.burned_in import device_rules, fits, header_signals
from dicomanon.standard.iods import iod_by_sop_class
from dicomanon.standard.names import keyword_of, tag_named
from dicomanon.standard.tables import format_tag

PRESENT = "PRESENT"
"""Stands for a value of which only matters that it is there."""
_LONGEST_CODE = 16
"""Characters of a value of VR CS (PS3.5 section 6.2)."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What must follow: path, risk, boxes to be masked as left, top, width and height, and why it is flagged."""

    path: PixelPath
    risk: Risk
    boxes: tuple[tuple[int, int, int, int], ...]
    flagged_as: str

    @classmethod
    def of(cls, decision: PixelDecision) -> "Expected":
        """Return what a decision comes to."""
        boxes = [region.box for region in decision.regions]
        return cls(
            decision.path,
            decision.risk,
            tuple((box.left, box.top, box.width, box.height) for box in boxes),
            decision.flagged_as,
        )


@dataclass(frozen=True, slots=True)
class Fixture:
    """Facts of a header and what must follow from them where nothing is confirmed."""

    name: str
    facts: HeaderFacts
    expected: Expected

    def found(self) -> Expected:
        """Return what follows from the facts now."""
        return Expected.of(decide_from_facts(self.facts, ConfirmedDevices()))

    def to_json(self) -> str:
        """Return the fixture in one line."""
        facts = self.facts
        return json.dumps(
            {
                "name": self.name,
                "sop_class": facts.sop_class_uid,
                "transfer_syntax": facts.transfer_syntax,
                "rows": facts.rows,
                "columns": facts.columns,
                "header": {keyword_of(tag) or _bare(tag): text for tag, text in sorted(facts.texts.items())},
                "ultrasound_regions": [
                    [*_corners(region.box), region.spatial_format, region.data_type]
                    for region in facts.ultrasound_regions
                ],
                "expected": {
                    "path": self.expected.path,
                    "risk": self.expected.risk,
                    "boxes": self.expected.boxes,
                    "flagged_as": self.expected.flagged_as,
                },
            }
        )

    @classmethod
    def from_json(cls, line: str) -> "Fixture":
        """Read a fixture.

        Raises
        ------
        Fatal
            It has another form.
        """
        try:
            content: dict[str, Any] = json.loads(line)
            expected = content["expected"]
            return cls(
                content["name"],
                HeaderFacts(
                    sop_class_uid=content["sop_class"],
                    transfer_syntax=content["transfer_syntax"],
                    rows=content["rows"],
                    columns=content["columns"],
                    texts=MappingProxyType({_tag(name): text for name, text in content["header"].items()}),
                    ultrasound_regions=tuple(
                        UltrasoundRegion(Box(*corners), spatial_format, data_type)
                        for *corners, spatial_format, data_type in content["ultrasound_regions"]
                    ),
                ),
                Expected(
                    PixelPath(expected["path"]),
                    Risk(expected["risk"]),
                    tuple((left, top, width, height) for left, top, width, height in expected["boxes"]),
                    expected["flagged_as"],
                ),
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            raise Fatal("a fixture has another form: make it with `dicomanon pixels fixtures add`") from None


def fixture_of(name: str, source: SourceInstance) -> Fixture:
    """Make a fixture of an object and of what is decided about it today.

    Raises
    ------
    Fatal
        A fact of the device holds what is no such fact: a value of the patient, or a text that people type.
    """
    facts = without_free_text(HeaderFacts.of(source))
    _require_device_facts(source, facts)
    return fixture_from(name, facts)


def fixture_from(name: str, facts: HeaderFacts) -> Fixture:
    """Make a fixture of facts and of what is decided about them today."""
    return Fixture(name, facts, Expected.of(decide_from_facts(facts, ConfirmedDevices())))


def without_free_text(facts: HeaderFacts) -> HeaderFacts:
    """Return facts that lead to the same decision, with nothing in them that people type but into the device itself."""
    texts = {
        tag: text if tag in DEVICE_TAGS or text == HAS_ITEMS else _asked_words(tag, text)
        for tag, text in facts.texts.items()
    }
    return replace(facts, texts=MappingProxyType({tag: text for tag, text in texts.items() if text}))


def _asked_words(tag: int, text: str) -> str:
    patterns = _patterns()[tag]
    if not patterns:
        return PRESENT
    found = [pattern for pattern in patterns if fits(pattern, text)]
    # Those that are bound to the start or the whole come first, so that they still fit.
    return " ".join(pattern.lstrip("^=") for pattern in sorted(found, key=lambda one: one[0] not in "^="))


@cache
def _patterns() -> Mapping[int, tuple[str, ...]]:
    """Return what our tables look for in each attribute."""
    patterns: defaultdict[int, dict[str, None]] = defaultdict(dict)
    for signal in header_signals():
        patterns[signal.tag].update(dict.fromkeys(signal.values))
    for rule in device_rules():
        for condition in (*rule.pictures, *rule.limits):
            patterns[condition.tag].update(dict.fromkeys(condition.patterns))
    return MappingProxyType({tag: tuple(patterns[tag]) for tag in asked_tags()})


def _require_device_facts(source: SourceInstance, facts: HeaderFacts) -> None:
    if facts.sop_class_uid not in iod_by_sop_class():
        raise Fatal("the SOP class is none of our edition of PS3.3, and may be anything")
    codes = facts.text(IMAGE_TYPE).split("\\")
    if any(len(code) > _LONGEST_CODE or not set(code) <= _CODE_CHARACTERS for code in codes):
        raise Fatal(f"{format_tag(IMAGE_TYPE)} holds a text that is no code")
    # A date in a software version is that of the software.
    clean = text_cleaner(KnownValues.of(source), DateTreatment(keep=True), None).clean
    for tag in sorted(DEVICE_TAGS):
        for value in source.text(tag).split("\\"):
            if clean(value.strip(), TextKind.TECHNICAL) != value.strip():
                raise Fatal(f"{format_tag(tag)} holds a text that may identify a person: it cannot be in a fixture")


_CODE_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _")


def differences(fixtures: Iterable[Fixture]) -> dict[str, tuple[Expected, Expected]]:
    """Return, for those fixtures that are not met, what was expected and what follows now."""
    return {
        fixture.name: (fixture.expected, found)
        for fixture in fixtures
        if (found := fixture.found()) != fixture.expected
    }


def _corners(box: Box) -> tuple[int, int, int, int]:
    return box.left, box.top, box.right, box.bottom


def _bare(tag: int) -> str:
    return f"{tag >> 16:04X},{tag & 0xFFFF:04X}"


def _tag(name: str) -> int:
    tag = tag_named(name)
    if tag is None:
        raise ValueError("no such attribute")
    return tag
