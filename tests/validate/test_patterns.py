"""Text that looks identifying is found; technical text is not."""

import pytest

from dicomanon.validate.patterns import find_patterns


def rules(text: str) -> set[str]:
    return {rule for rule, _, _ in find_patterns(text.lower())}


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("call 604-555-0199", "pattern-phone"),
        ("(604) 555-0199", "pattern-phone"),
        ("+49 228 555 0123", "pattern-phone"),
        ("write ada@example.org now", "pattern-email"),
        ("123-45-6789", "pattern-national-id"),
        ("PHN 9876 543 210", "pattern-national-id"),
        ("MRN: 123", "pattern-record-number"),
        ("Acc. No.: AB12345", "pattern-record-number"),
        ("patient id=4711", "pattern-record-number"),
        ("on 2019-01-05", "pattern-date"),
        ("05.01.2019", "pattern-date"),
        ("20190105", "pattern-date"),
        ("5 Jan 2019", "pattern-date"),
        ("January 5, 2019", "pattern-date"),
        ("Okonkwo^Ada", "pattern-person-name"),
        ("1.2.276.0.7230010.3.1.2", "pattern-uid"),
    ],
)
def test_identifying_form_is_found(text: str, rule: str) -> None:
    assert rule in rules(text)


@pytest.mark.parametrize(
    "text",
    [
        "syngo CT VB20A", "512x512", "10^3/ul", "mm^2", "1.2.3", "TE 12.5 TR 4000", "0.20190105", "B30f", "256 256 16",
        "PS3.15 2026d", "T1 3D 192", "2.5.1", "4711", "-0.97265625", "L3-L4", "12:30:15",
    ],
)  # fmt: skip
def test_technical_text_is_not(text: str) -> None:
    assert rules(text) == set()
