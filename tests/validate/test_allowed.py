"""The validator's own reading of Table E.1-1."""

import pytest
from tests.validate.support import CT

from dicomanon.errors import Fatal
from dicomanon.validate.allowed import AllowedAttributes
from dicomanon.validate.elements import Element

MODIFIED = "retain-longitudinal-modified-dates"
SERIES_DATE = 0x00080021
OPERATORS_NAME = 0x00081070
PATIENT_ADDRESS = 0x00101040
STUDY_DESCRIPTION = 0x00081030
PRESENTATION_DATE = 0x00700082
GSPS = "1.2.840.10008.5.1.4.1.1.11.1"


def verdict(allowed: AllowedAttributes, tag: int, sop_class: str = CT, *, path: tuple[int, ...] = ()) -> str | None:
    return allowed.here(sop_class).verdict(Element(tag, "LO", 0, 0, path, len(path)))


def test_attribute_of_code_x_is_allowed_only_by_an_option() -> None:
    basic, dated = AllowedAttributes.for_options([]), AllowedAttributes.for_options([MODIFIED])
    described = AllowedAttributes.for_options(["clean-descriptors"])
    assert verdict(basic, PATIENT_ADDRESS, CT) == "attribute-not-allowed"
    assert verdict(basic, STUDY_DESCRIPTION, CT, path=(0x00081140,)) == "attribute-not-allowed"
    assert verdict(dated, STUDY_DESCRIPTION, CT, path=(0x00081140,)) == "attribute-not-allowed"
    assert verdict(described, STUDY_DESCRIPTION, CT, path=(0x00081140,)) is None


def test_compound_code_may_stay() -> None:
    assert verdict(AllowedAttributes.for_options([]), OPERATORS_NAME, CT) is None


def test_attribute_that_an_iod_requires_may_stay_as_a_dummy() -> None:
    basic = AllowedAttributes.for_options([])
    assert verdict(basic, PRESENTATION_DATE, CT) == "attribute-not-allowed"
    assert verdict(basic, PRESENTATION_DATE, GSPS) is None


@pytest.mark.parametrize(
    ("tag", "rule"),
    [
        (0x60003000, "attribute-not-allowed"),
        (0x601E4000, "attribute-not-allowed"),
        (0x60000010, None),
        (0x50000005, "attribute-not-allowed"),
        (0x00081FFE, "attribute-unknown"),
        (0x00280010, None),
    ],
)
def test_ranges_of_the_table(tag: int, rule: str | None) -> None:
    assert verdict(AllowedAttributes.for_options([MODIFIED]), tag, CT) == rule


def test_codes_and_marker_follow_the_options() -> None:
    assert AllowedAttributes.for_options([]).codes == {"113100"}
    assert AllowedAttributes.for_options([]).longitudinal == {"REMOVED"}
    assert AllowedAttributes.for_options([MODIFIED]).codes == {"113100", "113107"}
    assert AllowedAttributes.for_options([MODIFIED]).longitudinal == {"MODIFIED", "REMOVED"}
    assert "UNMODIFIED" in AllowedAttributes.for_options(["retain-longitudinal-full-dates"]).longitudinal


def test_what_objects_claim_one_by_one_is_not_demanded_of_all() -> None:
    options = ["clean-pixel-data", "clean-recognizable-visual-features", "clean-descriptors"]
    assert AllowedAttributes.for_options(options).codes == {"113100", "113105"}


@pytest.mark.parametrize("option", ["no-such-option"])
def test_option_that_cannot_be_checked_is_refused(option: str) -> None:
    with pytest.raises(Fatal):
        AllowedAttributes.for_options([option])


def test_same_options_are_read_once() -> None:
    assert AllowedAttributes.for_options([MODIFIED]) is AllowedAttributes.for_options({MODIFIED})
