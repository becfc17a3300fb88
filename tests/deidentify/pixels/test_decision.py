from collections.abc import Mapping
from io import BytesIO

import pydicom
import pytest
from tests.deidentify.builders import CONTEXT, CT, Instance, Leaf, Node, part10, write

from dicomanon.deidentify import Deidentified, HeldInstance, deidentify, encode, parse
from dicomanon.deidentify.pixels.decision import (
    CAPTURE,
    DEVICE_OTHERWISE,
    NOT_CLEANED,
    UNKNOWN_DEVICE,
    PixelDecision,
    PixelPath,
    Risk,
    decide,
    decide_from_facts,
)
from dicomanon.deidentify.pixels.facts import (
    IMAGE_TYPE,
    MANUFACTURER,
    MODALITY,
    MODEL,
    SOFTWARE_VERSIONS,
    HeaderFacts,
)
from dicomanon.deidentify.pixels.regions import Box, Region
from dicomanon.devices import Confirmation, ConfirmedDevices, DeviceDecision
from dicomanon.profile import CompiledProfile
from dicomanon.reasons import HoldReason
from dicomanon.standard.burned_in import sop_class_risks

CR = "1.2.840.10008.5.1.4.1.1.1"
DIRECTORY = "1.2.840.10008.1.3.10"
INVENTORY = "1.2.840.10008.5.1.4.1.1.201.1"
XA = "1.2.840.10008.5.1.4.1.1.12.1"
SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
RT_DOSE = "1.2.840.10008.5.1.4.1.1.481.2"
US = "1.2.840.10008.5.1.4.1.1.6.1"
SC = "1.2.840.10008.5.1.4.1.1.7"
SM = "1.2.840.10008.5.1.4.1.1.77.1.6"
SR = "1.2.840.10008.5.1.4.1.1.88.11"
ENDOSCOPY_VIDEO = "1.2.840.10008.5.1.4.1.1.77.1.1.1"
AUDIO = "1.2.840.10008.5.1.4.1.1.9.4.1"
BURNED_IN_ANNOTATION = 0x00280301
NOTHING = ConfirmedDevices()


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
    elif risk in {"high", "audio", "video", "document"}:
        assert isinstance(outcome, HeldInstance)
        # Documents are cleaned, and these have no content.
        expected = {"document": HoldReason.UNREADABLE, "high": HoldReason.UNCONFIRMED_DEVICE}
        assert outcome.reason is expected.get(risk, HoldReason.BURNED_IN_RISK)
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
    assert isinstance(outcome, HeldInstance)
    # Slides are for a person, and a rule knows where GE writes its doses.
    waits = signal not in {"slide-label-image", "specimen-label", "dose-comment"}
    assert outcome.reason is (HoldReason.UNCONFIRMED_DEVICE if waits else HoldReason.BURNED_IN_RISK)
    assert signal in outcome.detail.split(", ")


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
    outcome = _outcome(research, *device, Leaf(0x00181020, "LO", "2.1"), sop_class=CR)
    assert outcome == HeldInstance(HoldReason.BURNED_IN_RISK, "class-medium, device-rule axiom-2, device-rule cxdi")


@pytest.mark.parametrize("of_rule", [True, False])
def test_device_of_a_rule_is_held_in_every_size(of_rule: bool, research: CompiledProfile) -> None:
    device = (_modality("XA"), Leaf(0x00081090, "LO", "ZiehmNetPort"))
    size = (Leaf(0x00280010, "US", b"\x00\x02"), Leaf(0x00280011, "US", b"\x00\x02")) if of_rule else ()
    outcome = _outcome(research, *device, *size, sop_class=XA, pixels=bytes(512 * 512 * 2) if of_rule else bytes(32))
    code = "device-rule ziehmnetport-512x512" if of_rule else "device-otherwise"
    reason = HoldReason.BURNED_IN_RISK if of_rule else HoldReason.UNCONFIRMED_DEVICE
    assert outcome == HeldInstance(reason, f"class-medium, {code}")


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


def facts(
    sop_class: str = CT,
    *,
    modality: str = "CT",
    rows: int = 512,
    columns: int = 512,
    manufacturer: str = "ACME",
    model: str = "ONE",
    software: str = "",
    image_type: str = "ORIGINAL\\PRIMARY\\AXIAL",
    transfer_syntax: str = "",
    more: Mapping[int, str] | None = None,
) -> HeaderFacts:
    texts = {
        MODALITY: modality,
        MANUFACTURER: manufacturer,
        MODEL: model,
        SOFTWARE_VERSIONS: software,
        IMAGE_TYPE: image_type,
        **(more or {}),
    }
    return HeaderFacts(sop_class, transfer_syntax, rows, columns, {tag: text for tag, text in texts.items() if text})


def ultrasound(model: str = "IU22", rows: int = 768, columns: int = 1024) -> HeaderFacts:
    return facts(
        US,
        modality="US",
        manufacturer="PHILIPS",
        model=model,
        rows=rows,
        columns=columns,
        image_type="ORIGINAL\\PRIMARY",
    )


def decided(some: HeaderFacts, confirmed: Confirmation | None = None) -> PixelDecision:
    return decide_from_facts(some, ConfirmedDevices({some.device: confirmed}) if confirmed else NOTHING)


class TestPath:
    def test_clean_where_class_image_type_and_signals_are_silent(self) -> None:
        decision = decided(facts())
        assert (decision.path, decision.risk, decision.reasons) == (PixelPath.CLEAN, Risk.LOW, ("class-low",))
        assert not decision.flagged

    @pytest.mark.parametrize("sop_class", [CR, XA, SM])
    def test_read_without_a_flag_where_the_class_is_of_medium_risk(self, sop_class: str) -> None:
        decision = decided(facts(sop_class, modality="XA"))
        assert (decision.path, decision.risk, decision.flagged) == (PixelPath.READ, Risk.MEDIUM, False)

    def test_read_where_an_image_of_a_clean_class_was_derived(self) -> None:
        decision = decided(facts(image_type="DERIVED\\PRIMARY\\AXIAL"))
        assert (decision.path, decision.risk) == (PixelPath.READ, Risk.MEDIUM)

    def test_read_and_flagged_where_the_sop_class_is_unknown(self) -> None:
        decision = decided(facts("2.999"))
        assert (decision.path, decision.risk, decision.flagged_as) == (PixelPath.READ, Risk.HIGH, UNKNOWN_DEVICE)
        assert decision.reasons == ("class-unknown",)

    def test_nothing_to_do_where_a_class_has_no_pixels(self) -> None:
        assert decided(facts(SR)).path is PixelPath.NOTHING

    @pytest.mark.parametrize("sop_class", [ENDOSCOPY_VIDEO, AUDIO])
    def test_hold_where_no_method_helps(self, sop_class: str) -> None:
        assert decided(facts(sop_class)).path is PixelPath.HOLD

    def test_hold_where_an_ordinary_class_is_encoded_as_video(self) -> None:
        decision = decided(facts(SC, transfer_syntax="1.2.840.10008.1.2.4.103"))
        assert (decision.path, decision.reasons) == (PixelPath.HOLD, ("class-video",))

    @pytest.mark.parametrize("picture", ["LABEL", "OVERVIEW"])
    def test_hold_where_the_slide_label_is_in_the_image(self, picture: str) -> None:
        decision = decided(facts(SM, modality="SM", image_type=f"ORIGINAL\\PRIMARY\\{picture}\\NONE"))
        assert decision.path is PixelPath.HOLD

    def test_a_sender_that_says_no_proves_nothing(self) -> None:
        saying = facts(CR, more={BURNED_IN_ANNOTATION: "NO"})
        assert decided(saying).path is PixelPath.READ
        assert decided(facts(US, modality="US", more={BURNED_IN_ANNOTATION: "NO"})).flagged

    def test_a_sender_that_says_yes_raises_the_risk(self) -> None:
        decision = decided(facts(more={BURNED_IN_ANNOTATION: "YES"}))
        assert (decision.path, decision.risk) == (PixelPath.READ, Risk.HIGH)
        assert "burned-in-annotation" in decision.reasons


class TestDeviceRules:
    def test_mask_where_a_rule_knows_device_and_size(self) -> None:
        decision = decided(ultrasound())
        assert decision.path is PixelPath.MASK
        assert decision.regions == (Region(Box(0, 0, 1024, 75)),)
        assert not decision.flagged

    def test_all_rules_that_hold_are_joined(self) -> None:
        decision = decided(ultrasound("EPIQ 7G", 600, 1024))
        assert {region.box for region in decision.regions} == {Box(0, 0, 1024, 49), Box(0, 0, 800, 59)}

    def test_boxes_are_clipped_to_the_image(self) -> None:
        decision = decided(ultrasound("CX50", 50, 700))
        assert decision.regions == (Region(Box(0, 0, 700, 50)),)

    @pytest.mark.parametrize(
        ("known", "changed"),
        [
            (ultrasound(), ultrasound(rows=700)),
            (
                facts(CR, modality="CR", manufacturer="KONICA", model="0402", rows=2010, columns=2446, software="2.1"),
                facts(CR, modality="CR", manufacturer="KONICA", model="0402", rows=2010, columns=2446, software="3.1"),
            ),
        ],
    )
    def test_a_known_device_in_another_size_or_version_is_read_and_flagged(
        self, known: HeaderFacts, changed: HeaderFacts
    ) -> None:
        assert decided(known).path is PixelPath.MASK
        decision = decided(changed)
        assert (decision.path, decision.risk, decision.flagged_as) == (PixelPath.READ, Risk.HIGH, DEVICE_OTHERWISE)

    def test_a_rule_about_screenshots_says_nothing_of_other_pictures_of_the_device(self) -> None:
        axial = facts(manufacturer="GE MEDICAL SYSTEMS", model="DISCOVERY CT750 HD")
        assert decided(axial).path is PixelPath.CLEAN
        captured = facts(
            manufacturer="GE MEDICAL SYSTEMS",
            model="DISCOVERY CT750 HD",
            software="4.1",
            more={0x00181018: "VOLUME VIEWER"},
        )
        assert decided(captured).path is PixelPath.MASK

    def test_a_private_attribute_can_be_a_condition(self) -> None:
        ziehm = {0x00190010: "ZIEHM_1.0", 0x00191201: "FLUORO"}
        assert len(decided(facts(XA, modality="XA", more=ziehm)).regions) == 3
        assert decided(facts(XA, modality="XA", more={**ziehm, 0x00191201: "OTHER"})).path is PixelPath.READ

    def test_hold_where_the_profile_does_not_let_pixels_be_changed(self, strict: CompiledProfile) -> None:
        decision = decide_from_facts(ultrasound(), NOTHING, may_mask=False)
        assert (decision.path, decision.regions) == (PixelPath.HOLD, ())
        assert decision.reasons[-1] == NOT_CLEANED
        source = parse(Instance(sop_class=US, extra=_philips()).raw())
        assert decide(source, strict, NOTHING).path is PixelPath.HOLD


class TestFlag:
    def test_an_unknown_device_of_a_risk_class_is_flagged(self) -> None:
        assert decided(facts(US, modality="US")).flagged_as == UNKNOWN_DEVICE

    def test_a_capture_of_unknown_origin_is_flagged_as_such(self) -> None:
        assert decided(facts(SC, modality="OT")).flagged_as == CAPTURE
        assert decided(facts(image_type="DERIVED\\PRIMARY\\SCREEN SAVE")).flagged_as == CAPTURE


class TestConfirmed:
    def test_clean_lifts_the_flag_and_ocr_still_reads(self) -> None:
        decision = decided(facts(US, modality="US"), Confirmation(DeviceDecision.CLEAN))
        assert (decision.path, decision.flagged, decision.risk) == (PixelPath.READ, False, Risk.HIGH)
        assert "confirmed-clean" in decision.reasons

    def test_mask_adds_boxes_to_those_of_rules(self) -> None:
        confirmed = Confirmation(DeviceDecision.MASK, ((10, 700, 100, 500),))
        decision = decided(ultrasound(), confirmed)
        assert {region.box for region in decision.regions} == {Box(0, 0, 1024, 75), Box(10, 700, 110, 768)}

    def test_hold_holds(self) -> None:
        assert decided(ultrasound(), Confirmation(DeviceDecision.HOLD)).path is PixelPath.HOLD

    def test_a_confirmation_is_about_this_size_and_software_only(self) -> None:
        one = facts(US, modality="US", software="1")
        devices = ConfirmedDevices({one.device: Confirmation(DeviceDecision.CLEAN)})
        assert not decide_from_facts(one, devices).flagged
        assert decide_from_facts(facts(US, modality="US", software="2"), devices).flagged
        assert decide_from_facts(facts(US, modality="US", software="1", rows=511), devices).flagged

    def test_what_was_confirmed_of_screenshots_is_not_about_clean_pictures(self) -> None:
        confirmed = Confirmation(DeviceDecision.MASK, ((0, 0, 10, 10),))
        assert decided(facts(), confirmed).path is PixelPath.CLEAN


def _philips() -> tuple[Node, ...]:
    return (
        Leaf(0x00080060, "CS", "US"),
        Leaf(0x00080070, "LO", "Philips Medical Systems"),
        Leaf(0x00081090, "LO", "iU22"),
        Leaf(0x00280010, "US", (768).to_bytes(2, "little")),
    )


def test_an_object_is_decided_by_its_header(research: CompiledProfile) -> None:
    decision = decide(parse(Instance(sop_class=US, extra=_philips()).raw()), research, NOTHING)
    assert decision.path is PixelPath.MASK
    assert (decision.device.manufacturer, decision.device.rows, decision.device.image_type) == (
        "PHILIPS MEDICAL SYSTEMS",
        768,
        "AXIAL",
    )


def test_no_text_of_the_header_is_printed() -> None:
    decision = decided(facts(US, modality="US", manufacturer="FEATHERSTONE"))
    assert "FEATHERSTONE" not in repr(decision)


def test_without_a_look_a_flagged_picture_waits(research: CompiledProfile) -> None:
    source = parse(Instance(extra=(Leaf(0x00280301, "CS", "YES"),)).raw())
    outcome = deidentify(source, research, CONTEXT)
    assert outcome == HeldInstance(HoldReason.UNCONFIRMED_DEVICE, "class-low, burned-in-annotation")
