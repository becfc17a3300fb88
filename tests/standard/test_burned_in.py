from dicomanon.standard.burned_in import device_rules, fits, header_signals, sop_class_risks
from dicomanon.standard.dictionary import dictionary_vrs
from dicomanon.standard.iods import iod_by_sop_class
from dicomanon.standard.tables import read_table


def test_every_known_sop_class_has_a_risk() -> None:
    assert sop_class_risks().keys() == iod_by_sop_class().keys()
    assert sop_class_risks()["1.2.840.10008.5.1.4.1.1.7"].risk == "high"


def test_every_signal_reads_a_known_attribute_with_a_known_test() -> None:
    assert all(signal.tag in dictionary_vrs() for signal in header_signals())
    assert {signal.test for signal in header_signals()} == {"equals", "contains", "present", "absent"}
    assert all(signal.values for signal in header_signals() if signal.test in {"equals", "contains"})


def test_every_signal_has_a_known_risk() -> None:
    assert {signal.risk for signal in header_signals()} == {"high", "medium", "hold"}


def test_no_device_rule_would_match_every_device() -> None:
    assert all(rule.manufacturer or rule.model or rule.pictures for rule in device_rules())


def test_every_rule_has_areas_inside_of_its_images() -> None:
    for rule in device_rules():
        for left, top, width, height in rule.areas:
            assert width is None or width > 0
            assert height is None or height > 0
            assert left < min(rule.columns, default=left + 1)
            assert top < min(rule.rows, default=top + 1)
            assert len(rule.columns) != 1 or left + (width or 0) <= min(rule.columns)
            assert len(rule.rows) != 1 or top + (height or 0) <= min(rule.rows)


def test_rows_of_one_name_agree_in_all_conditions() -> None:
    of_rule = {}
    for row in read_table("device_rules"):
        conditions = {key: row[key] for key in row if key not in {"left", "top", "width", "height", "source", "mended"}}
        assert of_rule.setdefault(row["rule"], conditions) == conditions
    assert len({tuple(conditions.values())[1:] for conditions in of_rule.values()}) == len(of_rule)


def test_every_iod_of_a_rule_is_one_of_ours() -> None:
    iods = set(iod_by_sop_class().values())
    assert all(any(fits(pattern, iod) for iod in iods) for rule in device_rules() for pattern in rule.iods)


def test_a_pattern_fits_anywhere_at_the_start_or_as_a_whole() -> None:
    assert fits("VCT", "LIGHTSPEED VCT")
    assert fits("^LIGHT", "LIGHTSPEED VCT")
    assert not fits("^VCT", "LIGHTSPEED VCT")
    assert fits("=VCT", "VCT")
    assert not fits("=VCT", "LIGHTSPEED VCT")
