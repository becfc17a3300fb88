from dicomanon.standard.burned_in import device_rules, header_signals, sop_class_risks
from dicomanon.standard.dictionary import dictionary_vrs
from dicomanon.standard.iods import iod_by_sop_class


def test_every_known_sop_class_has_a_risk() -> None:
    assert sop_class_risks().keys() == iod_by_sop_class().keys()
    assert sop_class_risks()["1.2.840.10008.5.1.4.1.1.7"].risk == "high"


def test_every_signal_reads_a_known_attribute_with_a_known_test() -> None:
    assert all(signal.tag in dictionary_vrs() for signal in header_signals())
    assert {signal.test for signal in header_signals()} == {"equals", "contains", "present", "absent"}
    assert all(signal.values for signal in header_signals() if signal.test in {"equals", "contains"})


def test_no_device_rule_would_match_every_device() -> None:
    assert all(rule.manufacturer or rule.model for rule in device_rules())
