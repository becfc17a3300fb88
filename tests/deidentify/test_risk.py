from io import BytesIO

import pydicom
import pytest
from tests.deidentify.builders import CONTEXT, CT, Instance, Leaf, Node, part10, write

from dicomanon.deidentify import Deidentified, HeldInstance, deidentify, encode, parse
from dicomanon.profile import CompiledProfile
from dicomanon.reasons import HoldReason
from dicomanon.standard.burned_in import sop_class_risks

CR = "1.2.840.10008.5.1.4.1.1.1"
DIRECTORY = "1.2.840.10008.1.3.10"
INVENTORY = "1.2.840.10008.5.1.4.1.1.201.1"
XA = "1.2.840.10008.5.1.4.1.1.12.1"
SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
RT_DOSE = "1.2.840.10008.5.1.4.1.1.481.2"


def _outcome(profile: CompiledProfile, *extra: Node, sop_class: str = CT, pixels: bytes | None = bytes(32)) -> object:
    return deidentify(parse(Instance(extra=extra, sop_class=sop_class, pixels=pixels).raw()), profile, CONTEXT)


def _modality(value: str) -> Leaf:
    return Leaf(0x00080060, "CS", value)


@pytest.mark.parametrize(
    ("sop_class", "risk"), [(uid, row.risk) for uid, row in sop_class_risks().items() if uid != DIRECTORY]
)
def test_class_of_high_risk_is_held_and_of_low_risk_passes(
    sop_class: str, risk: str, research: CompiledProfile
) -> None:
    pixels = bytes(32) if sop_class_risks()[sop_class].has_pixel_data else None
    outcome = _outcome(research, sop_class=sop_class, pixels=pixels)
    if sop_class == INVENTORY:
        assert isinstance(outcome, HeldInstance)
        assert outcome.reason is HoldReason.DIRECTORY
    elif risk in {"high", "audio", "document"}:
        assert isinstance(outcome, HeldInstance)
        # Documents are cleaned, and these have no content.
        expected = HoldReason.UNREADABLE if risk == "document" else HoldReason.BURNED_IN_RISK
        assert outcome.reason is expected
    else:
        assert isinstance(outcome, Deidentified), outcome


@pytest.mark.parametrize("sop_class", ["1.2.3.4", "1.2.840.10008.5.1.4.1.1.6", ""])
def test_unknown_or_retired_sop_class_is_held(sop_class: str, research: CompiledProfile) -> None:
    outcome = _outcome(research, sop_class=sop_class)
    assert isinstance(outcome, HeldInstance)
    assert outcome.reason is HoldReason.UNKNOWN_SOP_CLASS


HIGH: list[tuple[str, tuple[Node, ...]]] = [
    ("burned-in-annotation", (Leaf(0x00280301, "CS", "YES"),)),
    ("conversion-type", (Leaf(0x00080064, "CS", "WSD"),)),
    ("digitized-film", (Leaf(0x00080064, "CS", "DF"), _modality("DX"))),
    ("secondary-capture-date", (Leaf(0x00181012, "DA", "20240101"),)),
    ("secondary-capture-manufacturer", (Leaf(0x00181016, "LO", "ACME"),)),
    ("secondary-capture-model", (Leaf(0x00181018, "LO", "ACME"),)),
    ("secondary-capture-software", (Leaf(0x00181019, "LO", "1"),)),
    ("screen-save", (Leaf(0x00080008, "CS", "DERIVED\\PRIMARY\\SCREEN SAVE"),)),
    ("image-type-absent", (Leaf(0x00080008, "CS", ""),)),
    ("secondary-image", (Leaf(0x00080008, "CS", "DERIVED\\SECONDARY"),)),
    ("report-image", (Leaf(0x00080008, "CS", "DERIVED\\PRIMARY\\OTHER\\CSA REPORT"),)),
    ("dose-image", (Leaf(0x00080008, "CS", "DERIVED\\PRIMARY\\DOSE"),)),
    ("dose-series", (Leaf(0x0008103E, "LO", "Patient Protocol"),)),
    ("dose-comment", (Leaf(0x00400310, "ST", "DLP 12"), Leaf(0x00080070, "LO", "GE MEDICAL SYSTEMS"))),
    ("workstation-series", (Leaf(0x0008103E, "LO", "AW electronic film"),)),
    ("workstation-manufacturer", (Leaf(0x00080070, "LO", "Vidar Systems"),)),
    ("workstation-model", (Leaf(0x00081090, "LO", "Volume Viewer"),)),
    ("modality", (_modality("OT"),)),
    ("slide-label-image", (_modality("SM"), Leaf(0x00080008, "CS", "ORIGINAL\\PRIMARY\\LABEL"))),
    ("specimen-label", (Leaf(0x00480010, "CS", "YES"),)),
]


@pytest.mark.parametrize(("signal", "extra"), HIGH, ids=[signal for signal, _ in HIGH])
def test_header_signal_holds_the_instance_and_is_named(
    signal: str, extra: tuple[Node, ...], research: CompiledProfile
) -> None:
    outcome = _outcome(research, *extra)
    assert outcome == HeldInstance(HoldReason.BURNED_IN_RISK, f"header signal {signal}")


def test_absent_image_type_is_held_too(research: CompiledProfile) -> None:
    raw = Instance(without=frozenset({0x00080008})).raw()
    assert isinstance(deidentify(parse(raw), research, CONTEXT), HeldInstance)


@pytest.mark.parametrize(
    ("extra", "sop_class"),
    [
        ((_modality("CR"), Leaf(0x00080008, "CS", "DERIVED\\SECONDARY")), CR),
        ((_modality("SEG"), Leaf(0x00080008, "CS", "")), SEGMENTATION),
        ((Leaf(0x00280301, "CS", "NO"),), CT),
        ((Leaf(0x00400310, "ST", "DLP 12"), Leaf(0x00080070, "LO", "OTHER MAKER")), CT),
    ],
)
def test_what_is_usual_for_a_modality_passes(
    extra: tuple[Node, ...], sop_class: str, research: CompiledProfile
) -> None:
    assert isinstance(_outcome(research, *extra, sop_class=sop_class), Deidentified)


def test_device_with_a_published_text_region_is_held(research: CompiledProfile) -> None:
    device = (_modality("CR"), Leaf(0x00080070, "LO", "Shimadzu Corp"), Leaf(0x00081090, "LO", "CXDI-50"))
    outcome = _outcome(research, *device, sop_class=CR)
    assert isinstance(outcome, HeldInstance)
    assert "published region" in outcome.detail


def test_device_rule_bound_to_rows_holds_only_those(research: CompiledProfile) -> None:
    device = (_modality("XA"), Leaf(0x00081090, "LO", "ZiehmNetPort"))
    size = (Leaf(0x00280010, "US", b"\x00\x02"), Leaf(0x00280011, "US", b"\x00\x02"))
    assert isinstance(_outcome(research, *device, *size, sop_class=XA, pixels=None), HeldInstance)
    assert isinstance(_outcome(research, *device, sop_class=XA), Deidentified)


def test_overlay_in_unused_bits_of_compressed_pixels_is_held(research: CompiledProfile) -> None:
    fragments = bytes.fromhex("feff00e000000000 feff00e004000000 ffd8ffd9 feffdde000000000")
    overlay = (Leaf(0x60000102, "US", b"\x0f\0"), Leaf(0x60000100, "US", b"\x10\0"))
    jpeg_lossless = "1.2.840.10008.1.2.4.70"
    nodes = [*(node for node in Instance(pixels=None).nodes() if node.tag < 0x60000000), *overlay]
    pixels = bytes.fromhex("e07f1000") + b"OB\0\0\xff\xff\xff\xff" + fragments
    outcome = deidentify(parse(part10(write(nodes) + pixels, jpeg_lossless)), research, CONTEXT)
    assert isinstance(outcome, HeldInstance)
    assert "overlay" in outcome.detail


def test_overlay_in_unused_bits_of_native_pixels_goes_and_the_pixels_stay(research: CompiledProfile) -> None:
    overlay = (
        Leaf(0x60000102, "US", b"\x0f\0"), Leaf(0x60000100, "US", b"\x10\0"), Leaf(0x00280100, "US", b"\x10\0"),
        Leaf(0x00280101, "US", b"\x0c\0"), Leaf(0x00280102, "US", b"\x0b\0"), Leaf(0x00280103, "US", b"\0\0"),
    )  # fmt: skip
    outcome = _outcome(research, *overlay, pixels=b"\x34\x82\x34\x02" * 8)
    assert isinstance(outcome, Deidentified)
    assert pydicom.dcmread(BytesIO(encode(outcome))).PixelData == b"\x34\x02" * 16


def test_document_without_its_content_is_held(research: CompiledProfile) -> None:
    outcome = _outcome(research, sop_class="1.2.840.10008.5.1.4.1.1.104.1", pixels=None)
    assert outcome == HeldInstance(HoldReason.UNREADABLE, "document without its content")


def test_image_without_pixel_data_is_held_and_a_dose_of_histograms_passes(research: CompiledProfile) -> None:
    assert _outcome(research, pixels=None) == HeldInstance(HoldReason.UNREADABLE, "image without pixel data")
    assert isinstance(_outcome(research, _modality("RTDOSE"), sop_class=RT_DOSE, pixels=None), Deidentified)
