"""Words and codes that speak of a head, in the languages of reports and protocols."""

import pytest

from dicomanon.standard.faces import AWAY, HEAD, NECK, WHOLE, region_codes, regions_named


@pytest.mark.parametrize(
    "text",
    [
        "CT HEAD W/O", "t1_mprage_sag_p2_iso", "HEADNECK", "Schädel nativ", "KOPF", "IRM cérébrale", "TC CRÁNEO",
        "RM encefalo", "Hersenen", "Huvud", "ГОЛОВНОЙ МОЗГ", "κεφαλή", "头部平扫", "頭部単純", "두부 CT", "NNH",
        "Orbits",
    ],
)  # fmt: skip
def test_a_head_is_understood(text: str) -> None:
    assert HEAD in regions_named(text)


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("CSPINE", NECK), ("Hals", NECK), ("颈部", NECK), ("PET CT WB", WHOLE), ("WHOLEBODY", WHOLE),
        ("Ganzkörper", WHOLE), ("CTAC 3.0", WHOLE), ("CT THORAX/ABDOMEN", AWAY), ("PROSTATE", AWAY), ("Knie li", AWAY),
        ("肺", AWAY),
    ],
)  # fmt: skip
def test_other_regions_are_understood(text: str, region: str) -> None:
    assert region in regions_named(text)


@pytest.mark.parametrize("text", ["Femoral head left", "HEAD FIRST SUPINE", "head of pancreas", "Hüftkopf", "", "SC 5"])
def test_a_head_that_is_none_is_not_counted(text: str) -> None:
    assert HEAD not in regions_named(text)


def test_a_head_beside_one_that_is_none_counts() -> None:
    assert HEAD in regions_named("Femoral head and head")


def test_codes_have_a_region() -> None:
    codes = region_codes()
    assert codes["69536005"] == codes["T-D1100"] == HEAD
    assert set(codes.values()) <= {HEAD, NECK, WHOLE, AWAY}
