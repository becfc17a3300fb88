"""The rules say what they mean, and what they do."""

from dicomanon.reasons import HoldReason
from dicomanon.validate.findings import Findings
from dicomanon.validate.suite import HOLDING, RULES, Severity


def test_every_rule_has_a_title_and_a_paragraph() -> None:
    assert all(rule.title and rule.paragraph and rule.id == key for key, rule in RULES.items())


def test_only_coincidences_are_notes() -> None:
    notes = {rule.id for rule in RULES.values() if rule.severity is Severity.NOTE}
    assert notes == RULES.keys() - HOLDING == {"known-value-technical-word", "known-value-by-chance"}


def test_residual_phi_is_the_reason_before_nonconformance() -> None:
    assert Findings({"digest": 1}, {}).reason is HoldReason.NONCONFORMANT
    assert Findings({"digest": 1, "known-text": 1}, {}).reason is HoldReason.RESIDUAL_PHI
    assert Findings({"known-value-by-chance": 1}, {}).reason is None
