"""A clean object has no finding; whatever is planted anywhere in one is found, counted by rule, and never repeated."""

import struct
import time
from collections.abc import Callable

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.sequence import Sequence
from tests.patience import HUNG
from tests.validate.support import (
    KNOWN,
    OPTIONS,
    PSEUDONYM,
    SHIFT,
    SYNTAXES,
    clean_dataset,
    code,
    encoded,
    expected,
    research_uid,
)

from dicomanon.reasons import HoldReason
from dicomanon.validate.allowed import DEFACING, AllowedAttributes
from dicomanon.validate.examine import Findings, examine
from dicomanon.validate.search import KnownValueSearch

Check = Callable[..., Findings]
NAME = "Featherstone"


def swapped(data: bytes) -> bytes:
    data += b" " * (len(data) % 2)
    return b"".join(data[i : i + 2][::-1] for i in range(0, len(data), 2))


# -- clean ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_clean_object_has_no_finding(check: Check, dataset: Dataset, syntax: str) -> None:
    findings = check(dataset, syntax=syntax)
    assert findings.counts == {}
    assert findings.passed
    assert findings.reason is None


def test_clean_object_without_dates_has_no_finding(dataset: Dataset) -> None:
    del dataset.StudyTime
    dataset.StudyDate = ""
    dataset.LongitudinalTemporalInformationModified = "REMOVED"
    del dataset.DeidentificationMethodCodeSequence[1]
    data = encoded(dataset)
    assert examine(data, expected(data), KnownValueSearch(KNOWN), AllowedAttributes.for_options([])).counts == {}


def test_low_count_noise_has_no_finding_that_holds(dataset: Dataset) -> None:
    """Pixels between 48 and 122 read as 16-bit text: by chance they spell short names."""
    letters = np.random.default_rng(11).integers(97, 123, (512, 512), "<u2")
    dataset.Rows = dataset.Columns = 512
    dataset.PixelData = letters.tobytes()
    text = bytes(dataset.PixelData).decode("utf-16-le")
    known = {text[at : at + 6] for at in range(0, len(text), 4001)}
    data = encoded(dataset)
    findings = examine(data, expected(data), KnownValueSearch(known), AllowedAttributes.for_options(OPTIONS))
    assert findings.passed
    assert findings.counts["known-value-by-chance"] > 0


def test_pixels_of_one_value_are_no_number(check: Check, dataset: Dataset) -> None:
    dataset.PixelData = b"00" * (256 * 256)
    assert check(dataset, known=KnownValueSearch({"00000000", "000000000000"})).counts == {}


def test_pattern_that_fills_an_image_takes_no_time(check: Check, dataset: Dataset) -> None:
    dataset.PixelData = b"abcabc" * 21845 + b"ab"
    started = time.process_time()
    assert check(dataset, known=KnownValueSearch({"abcabcabc", "bcabcabca"})).counts
    assert time.process_time() - started < HUNG


# -- planted known values ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize(
    "written",
    [
        NAME.encode(), NAME.upper().encode(), NAME.encode("utf-16-le"), NAME.encode("utf-16-be"),
        swapped(NAME.encode()), "Müllerström".encode(), "MÜLLERSTRÖM".encode("latin-1"), b"Mullerstrom",
    ],
)  # fmt: skip
def test_name_in_pixel_data_is_found_in_every_encoding(
    check: Check, dataset: Dataset, written: bytes, syntax: str
) -> None:
    pixels = bytearray(dataset.PixelData)
    pixels[5001 : 5001 + len(written)] = written
    dataset.add_new(0x7FE00010, "OW", bytes(pixels))
    findings = check(dataset, syntax=syntax)
    assert findings.counts == {"known-text": 1}
    assert findings.places["known-text"] == ("7FE0,0010",)
    assert findings.reason is HoldReason.RESIDUAL_PHI


@pytest.mark.parametrize(
    ("written", "rule"),
    [
        (b"88120457", "known-number"), (b"20190105", "known-date"), (b"1948-07-22", "known-date"),
        (b"MRN0048213", "known-text"), (b"6045550199", "known-number"),
        (b"1.2.276.0.7230010.3.1.2.8323329.4711.1", "known-uid"),
    ],
)  # fmt: skip
def test_numbers_dates_and_uids_in_pixel_data_are_found(
    check: Check, dataset: Dataset, written: bytes, rule: str
) -> None:
    pixels = bytearray(dataset.PixelData)
    pixels[5001 : 5001 + len(written)] = written
    dataset.PixelData = bytes(pixels)
    assert check(dataset).counts.get(rule) == 1


def test_name_in_deflated_data_set_is_found(check: Check, dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset.DerivationCodeSequence = Sequence([code("1", NAME, "99LOCAL")])
    monkeypatch.setitem(SYNTAXES, "deflated", "1.2.840.10008.1.2.1.99")
    assert check(dataset, syntax="deflated").counts == {"known-text": 1}


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_name_nested_deep_is_found(check: Check, dataset: Dataset, syntax: str) -> None:
    inner = code("X1", f"seen by {NAME}", "99LOCAL")
    for _ in range(4):
        outer = Dataset()
        outer.add_new(0x00081140, "SQ", Sequence([inner]))
        inner = outer
    dataset.add_new(0x00082112, "SQ", Sequence([inner]))
    findings = check(dataset, syntax=syntax)
    assert findings.counts["known-text"] == 1
    assert findings.places["known-text"][0].count("/") == 5


@pytest.mark.parametrize("value", ["Gray", "Ng Li", "4417", "ng li"])
def test_short_value_in_text_is_found_as_a_word(check: Check, dataset: Dataset, value: str) -> None:
    dataset.DeviceSerialNumber = f"box {value}-7"
    assert {"known-text", "known-number"} & check(dataset).counts.keys()


@pytest.mark.parametrize("place", ["preamble", "after", "meta", "between"])
def test_name_outside_the_data_set_is_found(check: Check, dataset: Dataset, place: str) -> None:
    data = encoded(dataset)
    name = NAME.encode()
    if place == "preamble":
        spoiled = name + data[len(name) :]
    elif place == "after":
        spoiled = data + name
    elif place == "meta":
        title = struct.pack("<HH2sH", 0x0002, 0x0016, b"AE", len(name)) + name
        length = struct.unpack_from("<I", data, 140)[0]
        end = 144 + length
        spoiled = data[:140] + struct.pack("<I", length + len(title)) + data[144:end] + title + data[end:]
    else:
        # A private element of a length that the data set does not have room for.
        spoiled = data + struct.pack("<HH2sHL", 0x7FE1, 0x1001, b"OB", 0, 100) + name
    findings = check(spoiled)
    assert findings.counts["known-text"] == 1
    assert not findings.passed


def test_private_element_is_found_with_and_without_a_name(check: Check, dataset: Dataset) -> None:
    block = dataset.private_block(0x0009, "VENDOR", create=True)
    block.add_new(0x01, "OB", f"..{NAME}..".encode())
    block.add_new(0x02, "UN", b"x" + NAME.encode("utf-16-be") + b"x")
    findings = check(dataset)
    assert findings.counts == {"private-attribute": 3, "known-text": 2}


def test_original_date_is_found_and_shifted_one_is_not(check: Check, dataset: Dataset) -> None:
    assert check(dataset).passed
    dataset.StudyDate = "20190105"
    assert check(dataset).counts == {"known-date": 1}
    dataset.StudyDate = ""
    dataset.AcquisitionDateTime = "20190105101500.5"
    assert check(dataset).counts == {"known-date": 1}


def test_shifted_date_that_falls_on_another_original_date_is_a_note(check: Check, dataset: Dataset) -> None:
    assert SHIFT == -1500
    known = KnownValueSearch({"20190105", "20230213"})
    dataset.StudyDate = "20190105"
    with_shift = check(dataset, known=known)
    assert with_shift.counts == {"known-value-by-chance": 1}
    assert with_shift.passed
    assert check(dataset, known=known, date_shift_days=None).counts == {"known-date": 1}


def test_original_uid_is_found_twice_over(check: Check, dataset: Dataset) -> None:
    dataset.FrameOfReferenceUID = "1.2.276.0.7230010.3.1.2.8323329.4711.1"
    assert check(dataset).counts == {"known-uid": 1, "foreign-uid": 1}


def test_known_value_inside_our_pseudonym_is_no_finding(check: Check, dataset: Dataset) -> None:
    assert check(dataset, known=KnownValueSearch({"4K7QZ0M", PSEUDONYM, "K7QZ0M2X"})).passed


# -- technical words --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Axial", "Primary", "Original", "Standard", "Chest", "Basic", "Dates", "Retain"])
def test_patient_named_like_a_technical_word_does_not_hold_every_image(
    check: Check, dataset: Dataset, name: str
) -> None:
    dataset.BodyPartExamined = "CHEST"
    findings = check(dataset, known=KnownValueSearch({name}))
    assert findings.passed
    assert set(findings.counts) == {"known-value-technical-word"}


def test_code_value_that_equals_a_record_number_is_a_note(check: Check, dataset: Dataset) -> None:
    assert check(dataset, known=KnownValueSearch({"113100"})).counts == {"known-value-technical-word": 1}


def test_local_code_that_equals_a_record_number_is_a_finding(check: Check, dataset: Dataset) -> None:
    dataset.DerivationCodeSequence = Sequence([code("4417", "x", "99HOSPITAL")])
    assert check(dataset).counts == {"known-number": 1}


@pytest.mark.parametrize("name", ["Axial", "Standard"])
def test_technical_word_is_a_finding_where_the_standard_puts_none(check: Check, dataset: Dataset, name: str) -> None:
    dataset.StationName = name
    assert check(dataset, known=KnownValueSearch({name})).counts["known-text"] == 1


def test_name_in_code_string_is_found(check: Check, dataset: Dataset) -> None:
    dataset.BodyPartExamined = "FEATHERSTONE"
    assert check(dataset).counts == {"known-text": 1}


def test_short_name_inside_a_longer_word_is_no_finding(check: Check, dataset: Dataset) -> None:
    dataset.ManufacturerModelName = "Magnetomatic"
    assert check(dataset, known=KnownValueSearch({"netoma", "mato"})).passed


# -- attributes, UIDs, persons, patterns ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("OperatorsName", PSEUDONYM), ("PatientAddress", "x"), ("ImageComments", "x"), ("PatientAge", "070Y"),
        ("InstitutionalDepartmentName", ""), ("OtherPatientIDs", ""),
    ],
)  # fmt: skip
def test_attribute_that_the_basic_profile_removes_is_found_even_empty(
    check: Check, dataset: Dataset, keyword: str, value: str
) -> None:
    setattr(dataset, keyword, value)
    counts = check(dataset).counts
    assert ("attribute-not-allowed" in counts) is (keyword != "OperatorsName"), "X/Z/D may stay, emptied or as a dummy"


def test_overlay_curve_and_unknown_attributes_are_found(check: Check, dataset: Dataset) -> None:
    dataset.add_new(0x60000010, "US", 1)
    dataset.add_new(0x60003000, "OW", b"\0\0")
    dataset.add_new(0x50003000, "OW", b"\0\0")
    dataset.add_new(0x00081FFE, "LO", "x")
    assert check(dataset).counts == {"attribute-not-allowed": 2, "attribute-unknown": 1}


def test_duplicate_and_group_length_are_found(check: Check, dataset: Dataset) -> None:
    data = encoded(dataset)
    end = 144 + struct.unpack_from("<I", data, 140)[0]
    group_length = struct.pack("<HH2sHL", 0x0008, 0x0000, b"UL", 4, 8)
    character_set = struct.pack("<HH2sH", 0x0008, 0x0005, b"CS", 10) + b"ISO_IR 192"
    assert check(data[:end] + group_length + data[end:]).counts["structure"] == 1
    assert check(data[:end] + character_set + data[end:]).counts == {"structure": 1}


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
@pytest.mark.parametrize(
    "uid", ["1.2.3.4.5.6", "2.25.1", "2.25.3325839809379844461264382260940242222", "2.25.x", "1.2.840.10008.99.1"]
)
def test_uid_that_is_not_ours_is_found(check: Check, dataset: Dataset, uid: str) -> None:
    dataset.add_new(0x00200052, "UI", uid)
    assert check(dataset).counts == {"foreign-uid": 1}


@pytest.mark.parametrize("uid", ["1.2.840.10008.1.4.1.1", "", research_uid("any")])
def test_registered_empty_and_our_uids_are_allowed(check: Check, dataset: Dataset, uid: str) -> None:
    dataset.add_new(0x00200052, "UI", uid)
    assert check(dataset).counts == {}


@pytest.mark.parametrize(
    ("name", "found"), [("REMOVED", False), ("", False), (PSEUDONYM, False), ("Okonkwo^Ada", True)]
)
def test_person_name_other_than_ours_is_found(check: Check, dataset: Dataset, name: str, found: bool) -> None:
    dataset.ContentCreatorName = name
    assert ("person-name" in check(dataset).counts) is found


def test_option_that_keeps_an_attribute_lets_its_values_stay(dataset: Dataset) -> None:
    dataset.StationName = NAME
    dataset.DeidentificationMethodCodeSequence.append(code("113109", "Retain Device Identity Option"))
    data = encoded(dataset)
    allowed = AllowedAttributes.for_options({*OPTIONS, "retain-device-identity"})
    assert examine(data, expected(data), KnownValueSearch(KNOWN), allowed).counts == {}


# -- conformance ------------------------------------------------------------------------------------------------------


def test_other_bytes_than_were_made_are_found(dataset: Dataset) -> None:
    data = encoded(dataset)
    other = encoded(dataset).replace(b"STANDARD", b"STANDARE")
    findings = examine(other, expected(data), KnownValueSearch(()), AllowedAttributes.for_options(OPTIONS))
    assert findings.counts == {"digest": 1}
    assert findings.reason is HoldReason.NONCONFORMANT


@pytest.mark.parametrize("tag", [0x00080016, 0x00080018, 0x00100010, 0x00100020, 0x0020000D, 0x0020000E])
def test_identifier_that_the_crosswalk_does_not_expect_is_found(check: Check, dataset: Dataset, tag: int) -> None:
    vr = dataset[tag].VR
    data = encoded(dataset)
    other = clean_dataset()
    other.file_meta = None
    other.add_new(tag, vr, research_uid("other") if vr == "UI" else "D00000000000")
    assert check(data).passed
    spoiled = check(encoded(other))
    assert spoiled.counts["identifier"] == 1


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("PatientIdentityRemoved", "NO"),
        ("PatientIdentityRemoved", None),
        ("DeidentificationMethod", "research@000000000000"),
        ("LongitudinalTemporalInformationModified", "UNMODIFIED"),
        ("LongitudinalTemporalInformationModified", None),
    ],
)
def test_missing_or_untrue_marker_is_found(check: Check, dataset: Dataset, keyword: str, value: str | None) -> None:
    if value is None:
        delattr(dataset, keyword)
    else:
        setattr(dataset, keyword, value)
    assert check(dataset).counts == {"marker": 1}


@pytest.mark.parametrize("codes", [[], ["113100"], ["113100", "113107", "113101"], ["113107"]])
def test_method_codes_other_than_the_options_are_found(check: Check, dataset: Dataset, codes: list[str]) -> None:
    dataset.DeidentificationMethodCodeSequence = Sequence([code(value, "x") for value in codes])
    assert check(dataset).counts == {"method-code": 1}


@pytest.mark.parametrize(
    ("option", "claimed", "says", "counts"),
    [
        (DEFACING, True, "NO", {}),
        (DEFACING, False, None, {}),
        (DEFACING, True, None, {"method-code": 1}),
        (DEFACING, True, "YES", {"method-code": 1, "marker": 1}),
        (DEFACING, False, "YES", {"marker": 1}),
        ("", True, "NO", {"method-code": 1}),
        ("", False, "YES", {}),
    ],
)
def test_a_face_is_claimed_to_be_out_only_by_a_profile_that_takes_it_out_and_is_not_let_out_by_that(
    dataset: Dataset, option: str, claimed: bool, says: str | None, counts: dict[str, int]
) -> None:
    if claimed:
        dataset.DeidentificationMethodCodeSequence.append(code("113102", "Clean Recognizable Visual Features Option"))
    if says:
        dataset.RecognizableVisualFeatures = says
    data = encoded(dataset)
    allowed = AllowedAttributes.for_options(OPTIONS | ({option} if option else set()))
    assert examine(data, expected(data), KnownValueSearch(KNOWN), allowed).counts == counts


def test_file_meta_of_the_source_is_found(check: Check, dataset: Dataset) -> None:
    data = encoded(dataset).replace(b"DICOMANON 0.1", b"VENDOR_PACS 4")
    assert check(data).counts == {"file-meta": 1}


@pytest.mark.parametrize("cut", [0, 100, 132, 150, 400, 900, 2000])
def test_truncated_object_never_raises_and_never_passes(check: Check, dataset: Dataset, cut: int) -> None:
    findings = check(encoded(dataset)[:cut])
    assert not findings.passed


@pytest.mark.filterwarnings("ignore")
def test_random_damage_never_raises(check: Check, dataset: Dataset) -> None:
    data = encoded(dataset)
    generator = np.random.default_rng(9)
    for _ in range(150):
        spoiled = bytearray(data)
        for at in generator.integers(0, 1800, 6):
            spoiled[at] = generator.integers(0, 256)
        check(bytes(spoiled))


def test_findings_hold_no_planted_value(check: Check, dataset: Dataset) -> None:
    dataset.PatientName = "Featherstone^Agnieszka"
    dataset.ImageComments = "MRN0048213 seen 2019-01-05"
    shown = repr(check(dataset)).lower()
    assert not any(value.lower() in shown for value in KNOWN if len(value) > 4)
