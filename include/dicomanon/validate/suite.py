"""The rules that a de-identified object is checked against: what each one means, and whether it holds the instance."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from dicomanon.reasons import HoldReason


class Severity(StrEnum):
    """What a finding does."""

    HOLD = "hold"
    """The instance does not reach the research PACS."""
    NOTE = "note"
    """Shown and counted; the instance goes on."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; its ``id`` is stored with verdicts and never changes its meaning once released."""

    id: str
    title: str
    paragraph: str
    reason: HoldReason = HoldReason.RESIDUAL_PHI
    severity: Severity = Severity.HOLD


_RESIDUAL = (
    Rule("known-uid", "No original UID of the patient's study is left", "PS3.15 E.3.9, Table E.1-1 code U"),
    Rule("known-date", "No original date is left, in any written form", "PS3.15 E.3.6"),
    Rule("known-number", "No original identifying number is left", "PS3.15 E.1.1"),
    Rule("known-text", "No original name, address or other identifying text is left", "PS3.15 E.1.1"),
    Rule("pattern-phone", "No text looks like a telephone number", "PS3.15 E.1.1; 45 CFR 164.514(b)(2)(i)(D)"),
    Rule("pattern-email", "No text looks like an e-mail address", "PS3.15 E.1.1; 45 CFR 164.514(b)(2)(i)(F)"),
    Rule("pattern-national-id", "No text looks like a national or health number", "45 CFR 164.514(b)(2)(i)(G)"),
    Rule("pattern-record-number", "No text is labelled as a record number", "45 CFR 164.514(b)(2)(i)(H)"),
    Rule("pattern-date", "No date is written in text", "PS3.15 E.3.6; 45 CFR 164.514(b)(2)(i)(C)"),
    Rule("pattern-url", "No text holds the address of a page or file", "45 CFR 164.514(b)(2)(i)(N)"),
    Rule("pattern-network-address", "No text holds the network address of a computer", "45 CFR 164.514(b)(2)(i)(O)"),
    Rule("pattern-titled-name", "No text names a person by title, as Dr Name", "PS3.15 E.3.5"),
    Rule("pattern-person-name", "No text has the form of a DICOM person name", "PS3.5 6.2.1"),
    Rule("pattern-uid", "No text holds a UID that is neither registered nor issued by us", "PS3.15 E.3.9"),
    Rule("person-name", "No person name other than the pseudonym is left", "PS3.15 Table E.1-1"),
    Rule("foreign-uid", "Every UID is registered or issued by us", "PS3.15 E.3.9; PS3.5 B.2"),
    Rule("attribute-not-allowed", "No attribute is left that the profile removes", "PS3.15 Table E.1-1"),
    Rule("attribute-unknown", "No attribute is left that the standard does not define", "PS3.15 E.1.1"),
    Rule("private-attribute", "No private attribute is left but those known to be safe", "PS3.15 E.3.10"),
    Rule("private-value", "The values of safe private attributes are what Table E.3.10-1 says", "PS3.15 E.3.10"),
    Rule("content-item", "No content item is left that the profile removes or replaces", "PS3.15 E.3.4, Table E.3.4-1"),
    Rule("age-over-maximum", "No age above the highest that may show is left", "45 CFR 164.514(b)(2)(i)(C)"),
    Rule("date-not-removed", "No date is left where the profile keeps none", "PS3.15 E.3.6"),
    Rule("undecoded", "No public attribute hides its value in a VR that is not its own", "PS3.5 6.2.2"),
    Rule("document-not-searched", "No encapsulated document is left whose text cannot be searched", "PS3.15 E.3.5"),
    Rule("preamble", "The preamble is zero", "PS3.10 7.1"),
)
_CONFORMANCE = (
    Rule("digest", "The object is the one that was de-identified", "-", HoldReason.NONCONFORMANT),
    Rule(
        "structure", "The object is a well-formed data set and nothing follows it", "PS3.5 7", HoldReason.NONCONFORMANT
    ),
    Rule(
        "file-meta",
        "The file meta information is ours and agrees with the data set",
        "PS3.10 7.1",
        HoldReason.NONCONFORMANT,
    ),
    Rule(
        "identifier", "Pseudonym and UIDs are the ones the crosswalk expects", "PS3.15 E.1.1", HoldReason.NONCONFORMANT
    ),
    Rule("marker", "The object says truthfully that it is de-identified", "PS3.15 E.1.1", HoldReason.NONCONFORMANT),
    Rule(
        "method-code",
        "The method codes are those of the profile's options",
        "PS3.16 CID 7050",
        HoldReason.NONCONFORMANT,
    ),
)
_NOTES = (
    Rule(
        "known-value-technical-word",
        "An original value is also a word of the standard, and stands where the standard puts such words",
        "PS3.6; PS3.16",
        severity=Severity.NOTE,
    ),
    Rule(
        "known-value-by-chance",
        "An original value occurs among bytes or shifted dates that give it by chance",
        "PS3.15 E.3.6",
        severity=Severity.NOTE,
    ),
)

RULES: Final[Mapping[str, Rule]] = MappingProxyType({rule.id: rule for rule in (*_RESIDUAL, *_CONFORMANCE, *_NOTES)})
"""Every rule by id, in the order in which pages show them."""
HOLDING: Final = frozenset(rule.id for rule in RULES.values() if rule.severity is Severity.HOLD)
"""The ids of the rules whose findings hold an instance."""
