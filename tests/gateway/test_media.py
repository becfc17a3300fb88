"""What an Accept header asks for, and with what the PACS is asked then."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomanon.gateway.media import Objects, of_objects, of_octets, of_picture, require_json
from dicomanon.gateway.refusals import Refusal

EXPLICIT = "1.2.840.10008.1.2.1"
JPEG_LS = "1.2.840.10008.1.2.4.80"
DICOM = 'multipart/related; type="application/dicom"'
OCTETS = 'multipart/related; type="application/octet-stream"'


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        (None, Objects("*", is_multipart=True)),
        ("*/*", Objects("*", is_multipart=True)),
        (DICOM, Objects("", is_multipart=True)),
        (f"{DICOM}; transfer-syntax=*", Objects("*", is_multipart=True)),
        (f"multipart/related; type=application/dicom; transfer-syntax={EXPLICIT}", Objects(EXPLICIT, True)),
        (f"text/html, {DICOM}", Objects("", is_multipart=True)),
        (f"{DICOM}; transfer-syntax={JPEG_LS}, {DICOM}; transfer-syntax=*", Objects("*", True)),
        ("application/dicom", Objects("", is_multipart=False)),
    ],
)
def test_objects(accept: str | None, wanted: Objects) -> None:
    assert of_objects(accept, one=True) == wanted


@pytest.mark.parametrize(
    "accept", ["application/dicom", "image/jpeg", OCTETS, f"{DICOM}; transfer-syntax=1.2.3", "\r\nX: y"]
)
def test_several_objects_are_not_sent_as(accept: str) -> None:
    with pytest.raises(Refusal):
        of_objects(accept, one=False)


def test_frames_and_pictures() -> None:
    assert of_octets("*/*") == OCTETS
    assert of_octets(f"{OCTETS}; transfer-syntax=*") == f"{OCTETS}; transfer-syntax=*"
    assert of_octets('multipart/related; type="*/*"') == OCTETS
    assert of_picture("image/png") == "image/png"
    assert of_picture("*/*") == "image/jpeg"
    require_json("application/json;q=0.5")


SYNTAXES = ("", "; transfer-syntax=*", f"; transfer-syntax={EXPLICIT}", "; transfer-syntax=1.2.840.10008.1.2")
KNOWN = {start + end for start in (DICOM, OCTETS) for end in SYNTAXES} | {"image/jpeg", "image/png"}
LIKELY = st.from_regex(r"[a-z]+/[a-z*]+(; ?[a-z-]+=\"?[a-z/.*0-9]+\"?)?(, *[a-z]+/[a-z]+)*", fullmatch=True)


@given(st.text(max_size=60) | LIKELY)
def test_the_pacs_is_asked_with_one_of_a_few_headers(accept: str) -> None:
    """Nothing that came from outside reaches it."""
    for judge in (lambda text: of_objects(text, one=True).upstream, of_octets, of_picture):
        try:
            assert judge(accept) in KNOWN
        except Refusal:
            continue
