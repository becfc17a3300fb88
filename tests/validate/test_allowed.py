"""The validator's own reading of Table E.1-1."""

import pytest
from tests.validate.support import CT

from dicomanon.errors import Fatal
from dicomanon.validate.allowed import AllowedAttributes

MODIFIED = "retain-longitudinal-modified-dates"
SERIES_DATE = 0x00080021
OPERATORS_NAME = 0x00081070
PATIENT_ADDRESS = 0x00101040
STUDY_DESCRIPTION = 0x00081030
PRESENTATION_DATE = 0x00700082
GSPS = "1.2.840.10008.5.1.4.1.1.11.1"


def test_attribute_of_code_x_is_allowed_only_by_an_option() -> None:
    basic, dated = AllowedAttributes.for_options([]), AllowedAttributes.for_options([MODIFIED])
    described = AllowedAttributes.for_options(["clean-descriptors"])
    assert basic.verdict(PATIENT_ADDRESS, CT, nested=False) == "attribute-not-allowed"
    assert basic.verdict(STUDY_DESCRIPTION, CT, nested=True) == "attribute-not-allowed"
    assert dated.verdict(STUDY_DESCRIPTION, CT, nested=True) == "attribute-not-allowed"
    assert described.verdict(STUDY_DESCRIPTION, CT, nested=True) is None


def test_compound_code_may_stay() -> None:
    assert AllowedAttributes.for_options([]).verdict(OPERATORS_NAME, CT, nested=False) is None


def test_attribute_that_an_iod_requires_may_stay_as_a_dummy() -> None:
    basic = AllowedAttributes.for_options([])
    assert basic.verdict(PRESENTATION_DATE, CT, nested=False) == "attribute-not-allowed"
    assert basic.verdict(PRESENTATION_DATE, GSPS, nested=False) is None


@pytest.mark.parametrize(
    ("tag", "rule"),
    [
        (0x00091001, "private-attribute"),
        (0x60003000, "attribute-not-allowed"),
        (0x601E4000, "attribute-not-allowed"),
        (0x60000010, None),
        (0x50000005, "attribute-not-allowed"),
        (0x00081FFE, "attribute-unknown"),
        (0x00280010, None),
    ],
)
def test_ranges_of_the_table(tag: int, rule: str | None) -> None:
    assert AllowedAttributes.for_options([MODIFIED]).verdict(tag, CT, nested=False) == rule


def test_codes_and_marker_follow_the_options() -> None:
    assert AllowedAttributes.for_options([]).codes == {"113100"}
    assert AllowedAttributes.for_options([]).longitudinal == "REMOVED"
    assert AllowedAttributes.for_options([MODIFIED]).codes == {"113100", "113107"}
    assert AllowedAttributes.for_options([MODIFIED]).longitudinal == "MODIFIED"
    assert AllowedAttributes.for_options(["retain-longitudinal-full-dates"]).longitudinal == "UNMODIFIED"


@pytest.mark.parametrize("option", ["no-such-option", "retain-safe-private"])
def test_option_that_cannot_be_checked_is_refused(option: str) -> None:
    with pytest.raises(Fatal):
        AllowedAttributes.for_options([option])


def test_same_options_are_read_once() -> None:
    assert AllowedAttributes.for_options([MODIFIED]) is AllowedAttributes.for_options({MODIFIED})
