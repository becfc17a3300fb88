from datetime import date, timedelta
from io import BytesIO

import pydicom
import pytest
from pydicom.dataset import Dataset
from tests.deidentify.builders import (
    BIG,
    CONTEXT,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    PSEUDONYM,
    SERIES_UID,
    SOP_UID,
    STUDY_UID,
    Instance,
    Leaf,
    Nest,
    part10,
    write,
)
from tests.deidentify.conftest import Run

from dicomanon.deidentify import (
    Deidentified,
    HeldInstance,
    PatientContext,
    UidMapper,
    deidentify,
    encode,
    engine,
    parse,
)
from dicomanon.errors import Held
from dicomanon.profile import CompiledProfile
from dicomanon.reasons import HoldReason
from dicomanon.standard.confidentiality import attributes_beyond_table, descriptions_beyond_table
from dicomanon.standard.dictionary import dictionary_vrs

UIDS = CONTEXT.uids


def test_patient_is_the_pseudonym_at_every_level(run_research: Run) -> None:
    nested = Nest(0x00081115, ((Leaf(0x00100010, "PN", "Other^Name"), Leaf(0x00100020, "LO", "OTHER-ID")),))
    dataset = run_research(Instance(extra=(nested,)).raw())
    item = dataset[0x00081115].value[0]
    assert dataset.PatientID == dataset.PatientName == item.PatientID == item.PatientName == PSEUDONYM
    assert dataset.PatientBirthDate == ""


def test_absent_patient_name_is_added(run_research: Run) -> None:
    assert run_research(Instance(without=frozenset({0x00100010})).raw()).PatientName == PSEUDONYM


def test_uids_are_mapped_and_told_in_the_outcome(research: CompiledProfile) -> None:
    outcome = deidentify(parse(Instance().raw()), research, CONTEXT)
    assert isinstance(outcome, Deidentified)
    assert (outcome.study_uid, outcome.series_uid, outcome.sop_uid) == tuple(
        map(UIDS, (STUDY_UID, SERIES_UID, SOP_UID))
    )
    dataset = pydicom.dcmread(BytesIO(encode(outcome)))
    assert (dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID) == (
        outcome.study_uid,
        outcome.series_uid,
        outcome.sop_uid,
    )
    assert dataset.SOPClassUID == outcome.sop_class_uid == "1.2.840.10008.5.1.4.1.1.2"


def test_references_resolve_to_what_the_referenced_object_becomes(run_research: Run) -> None:
    reference = Nest(0x00081115, (
        (
            Leaf(0x0020000E, "UI", SERIES_UID),
            Nest(0x0008114A, ((Leaf(0x00081150, "UI", "1.2.840.10008.5.1.4.1.1.2"), Leaf(0x00081155, "UI", SOP_UID)),)),
        ),
    ))  # fmt: skip
    dataset = run_research(Instance(extra=(reference,)).raw())
    item = dataset.ReferencedSeriesSequence[0]
    assert item.SeriesInstanceUID == dataset.SeriesInstanceUID
    assert item.ReferencedInstanceSequence[0].ReferencedSOPInstanceUID == dataset.SOPInstanceUID
    assert item.ReferencedInstanceSequence[0].ReferencedSOPClassUID == "1.2.840.10008.5.1.4.1.1.2"


@pytest.mark.parametrize(
    "tag",
    [
        0x00081167, 0x00083012, 0x0018991E, 0x00200242, 0x00209312, 0x00209313, 0x00280304, 0x0040A021, 0x0040A022,
        0x00440102, 0x00440108, 0x00687004, 0x0070031B, 0x00701209, 0x300A0675, 0x0040E011, 0x0040E030, 0x00089123,
    ],
)  # fmt: skip
def test_uid_that_the_table_leaves_out_is_mapped_too(tag: int, run_strict: Run) -> None:
    dataset = run_strict(Instance(extra=(Leaf(tag, "UI", "1.2.3.4.5\\1.2.3.4.6"),)).raw())
    assert list(dataset[tag].value) == [UIDS("1.2.3.4.5"), UIDS("1.2.3.4.6")]


def test_well_known_frame_of_reference_stays(run_research: Run) -> None:
    raw = Instance(extra=(Leaf(0x00200052, "UI", "1.2.840.10008.1.4.1.1"),)).raw()
    assert run_research(raw).FrameOfReferenceUID == "1.2.840.10008.1.4.1.1"


def test_research_profile_shifts_dates_and_keeps_times(run_research: Run) -> None:
    dataset = run_research(Instance().raw())
    assert dataset.StudyDate == "20201013"
    assert dataset.StudyTime == "101112"
    assert dataset.LongitudinalTemporalInformationModified == "MODIFIED"


def test_strict_profile_has_no_dates(run_strict: Run) -> None:
    dataset = run_strict(Instance().raw())
    assert dataset.StudyDate == ""
    assert dataset.StudyTime == ""
    assert dataset.LongitudinalTemporalInformationModified == "REMOVED"


@pytest.mark.parametrize("tag", [0x00080020, 0x00080022, 0x00080030, 0x00080032, 0x00080201, 0x0008002A])
def test_date_that_cannot_be_read_falls_back_to_the_basic_action(tag: int, research: CompiledProfile) -> None:
    outcome = deidentify(parse(Instance(extra=(Leaf(tag, "LO", "Featherstone"),)).raw()), research, CONTEXT)
    assert isinstance(outcome, Deidentified)
    assert b"Featherstone" not in encode(outcome)


def test_markers_say_what_was_done_and_replace_older_claims(run_research: Run, research: CompiledProfile) -> None:
    older = (
        Leaf(0x00120062, "CS", "NO"),
        Leaf(0x00120063, "LO", "by Dr Featherstone"),
        Nest(0x00120064, ((Leaf(0x00080104, "LO", "Featherstone"),),)),
        Leaf(0x00280303, "CS", "UNMODIFIED"),
    )
    for raw in (Instance().raw(), Instance(extra=older).raw()):
        dataset = run_research(raw)
        assert dataset.PatientIdentityRemoved == "YES"
        assert list(dataset.DeidentificationMethod) == ["DICOManon", research.version, "PS3.15 2026d"]
        codes = dataset.DeidentificationMethodCodeSequence
        assert [code.CodeValue for code in codes] == [code.value for code in research.method_codes]
        assert {code.CodingSchemeDesignator for code in codes} == {"DCM"}


def test_burned_in_annotation_is_not_claimed(run_research: Run) -> None:
    assert "BurnedInAnnotation" not in run_research(Instance().raw())
    assert run_research(Instance(extra=(Leaf(0x00280301, "CS", "NO"),)).raw()).BurnedInAnnotation == "NO"


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
def test_technical_attributes_and_pixels_survive(syntax: str, run_research: Run) -> None:
    dataset = run_research(Instance(syntax=syntax).raw())
    assert (dataset.Rows, dataset.Columns, dataset.BitsStored) == (4, 4, 12)
    assert dataset.RescaleIntercept == -1024
    assert dataset.PixelData == bytes(range(32))
    assert dataset.Manufacturer == "ACME"
    assert dataset.file_meta.TransferSyntaxUID == syntax


def test_deflated_object_stays_deflated(run_research: Run) -> None:
    import zlib

    deflater = zlib.compressobj(wbits=-15)
    data = deflater.compress(write(Instance().nodes())) + deflater.flush()
    dataset = run_research(part10(data, DEFLATED))
    assert dataset.file_meta.TransferSyntaxUID == DEFLATED
    assert dataset.PixelData == bytes(range(32))


def test_sequences_of_vr_un_are_cleaned_and_read_back(run_research: Run) -> None:
    item = (
        Leaf(0x00081155, "UI", "1.2.3"),
        Leaf(0x00100010, "PN", "Featherstone"),
        Leaf(0x00280010, "US", b"\2\0"),
        Leaf(0x00280106, "US", b"\3\0"),
    )
    for undefined in (False, True):
        raw = Instance(extra=(Nest(0x00081115, (item,), vr="UN", undefined=undefined),)).raw()
        inner = run_research(raw).ReferencedSeriesSequence[0]
        assert inner.ReferencedSOPInstanceUID == UIDS("1.2.3")
        assert inner.PatientName == PSEUDONYM
        assert inner.Rows == 2
        assert 0x00280106 in inner


def test_value_of_vr_un_follows_the_rule_of_its_tag(run_research: Run) -> None:
    raw = Instance(extra=(Leaf(0x00081048, "UN", b"Featherstone"), Leaf(0x00180015, "UN", b"CHEST "))).raw()
    dataset = run_research(raw)
    assert 0x00081048 not in dataset
    assert dataset.BodyPartExamined == "CHEST"


@pytest.mark.parametrize(
    "node",
    [
        pytest.param(Leaf(0x00280006, "LO", "Featherstone"), id="text where a number belongs"),
        pytest.param(Leaf(0x00280006, "UN", b"Featherstone"), id="text in VR UN where a number belongs"),
        pytest.param(Leaf(0x00180050, "DS", "Featherstone"), id="letters in a decimal string"),
        pytest.param(Leaf(0x00081115, "LO", "Featherstone"), id="text where a sequence belongs"),
        pytest.param(Nest(0x00180015, ((Leaf(0x00180015, "CS", "Featherstone"),),)), id="sequence where text belongs"),
        pytest.param(Leaf(0x00180015, "CS", b"CHEST\0Featherstone"), id="text behind a null"),
        pytest.param(Leaf(0x0020000D, "UN", STUDY_UID), id="UID in VR UN"),
        pytest.param(Leaf(0x00080018, "LO", SOP_UID), id="UID as text"),
        pytest.param(Leaf(0x00209161, "UI", "Featherstone"), id="name where a UID belongs"),
        pytest.param(Leaf(0x00142006, "PN", "Featherstone"), id="name that the table leaves out"),
        pytest.param(Leaf(0x00080005, "CS", "ISO_IR 100\0\0Featherstone"), id="text behind a character set"),
        pytest.param(Leaf(0x00080005, "CS", "Featherstone"), id="no character set"),
        pytest.param(Leaf(0xFFFCFFFC, "OB", b"Featherstone"), id="trailing padding"),
        pytest.param(Leaf(0x00080000, "UL", b"Featherstone"), id="group length"),
        pytest.param(Leaf(0x00080001, "UN", b"Featherstone"), id="unknown attribute"),
        pytest.param(Leaf(0x00020016, "AE", "Featherstone"), id="file meta element in the data set"),
        pytest.param(Leaf(0x7FE00010, "OW", bytes(range(32)) + b"Featherstone"), id="bytes behind the last pixel"),
        pytest.param(Nest(0x00081115, ((Leaf(0x7FE00010, "OW", b"Featherstone"),),)), id="nested pixel data"),
    ],
)
@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_what_stands_where_it_does_not_belong_does_not_pass(
    node: Leaf | Nest, syntax: str, research: CompiledProfile
) -> None:
    try:
        source = parse(Instance(extra=(node,), syntax=syntax).raw())
    except Held as held:
        # Without VRs some of these are no data set at all.
        assert syntax == IMPLICIT
        assert held.reason is HoldReason.UNREADABLE
        return
    outcome = deidentify(source, research, CONTEXT)
    assert isinstance(outcome, Deidentified)
    data = encode(outcome)
    for planted in (b"Featherstone", STUDY_UID.encode(), SOP_UID.encode()):
        assert planted not in data


@pytest.mark.parametrize("node", [Leaf(0x00180015, "PN", "Featherstone"), Leaf(0x00180015, "DA", "19561107")])
def test_name_or_date_under_the_tag_of_a_code_is_removed(node: Leaf, run_research: Run) -> None:
    assert node.tag not in run_research(Instance(extra=(node,)).raw())


def test_preamble_and_file_meta_are_our_own(research: CompiledProfile) -> None:
    raw = Instance(preamble=b"Featherstone".ljust(128, b" ")).raw()
    outcome = deidentify(parse(raw), research, CONTEXT)
    assert isinstance(outcome, Deidentified)
    data = encode(outcome)
    assert data[:128] == bytes(128)
    meta = pydicom.dcmread(BytesIO(data)).file_meta
    assert meta.MediaStorageSOPInstanceUID == outcome.sop_uid
    assert meta.MediaStorageSOPClassUID == outcome.sop_class_uid
    assert meta.ImplementationVersionName == "DICOMANON"
    assert b"META-AE-TITLE" not in data
    assert {int(element.tag) for element in meta} == {0x00020000 + n for n in (0, 1, 2, 3, 0x10, 0x12, 0x13)}


def test_structured_report_keeps_its_frame_and_no_content(run_strict: Run) -> None:
    content = Nest(0x0040A730, ((Leaf(0x0040A040, "CS", "TEXT"), Leaf(0x0040A160, "UT", "Featherstone")),))
    raw = Instance(extra=(content,), sop_class="1.2.840.10008.5.1.4.1.1.88.11", pixels=None).raw()
    (item,) = run_strict(raw).ContentSequence
    assert item.TextValue == "REMOVED"
    assert item.ConceptNameCodeSequence[0].CodeValue == "121106"


def test_dummy_uid_belongs_to_the_instance(run_strict: Run) -> None:
    step = Nest(0x00081111, ((Leaf(0x00081155, "UI", "1.2.3"),),))
    enhanced_mr = "1.2.840.10008.5.1.4.1.1.4.1"
    one = run_strict(Instance(extra=(step,), sop_class=enhanced_mr).raw())
    other = run_strict(Instance(extra=(step, Leaf(0x00080018, "UI", "1.2.9.9")), sop_class=enhanced_mr).raw())
    uids = [dataset[0x00081111].value[0].ReferencedSOPInstanceUID for dataset in (one, other)]
    assert len({*uids, UIDS("1.2.3")}) == 3


def test_exception_in_a_rule_holds_and_shows_neither_text_nor_value(
    research: CompiledProfile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> str:
        raise LookupError("Featherstone")

    context = PatientContext(PSEUDONYM, -1000, UidMapper(b"0123456789abcdef"))
    source = parse(Instance().raw())
    monkeypatch.setattr(UidMapper, "_map", fail)
    context.uids._cached = fail  # type: ignore[assignment]
    outcome = deidentify(source, research, context)
    assert outcome == HeldInstance(HoldReason.RULE_FAILED, "LookupError at (0008,0018)")


def test_exception_before_the_rules_is_unexpected(research: CompiledProfile, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError("Featherstone")

    monkeypatch.setattr(engine, "decide", fail)
    outcome = deidentify(parse(Instance().raw()), research, CONTEXT)
    assert outcome == HeldInstance(HoldReason.UNEXPECTED, "MemoryError at the start")


@pytest.mark.parametrize(
    "context",
    [
        PatientContext("", -1000, CONTEXT.uids),
        PatientContext("Featherstone^W", -1000, CONTEXT.uids),
        PatientContext(PSEUDONYM, 0, CONTEXT.uids),
    ],
)
def test_context_that_would_hide_nothing_is_held(context: PatientContext, research: CompiledProfile) -> None:
    outcome = deidentify(parse(Instance().raw()), research, context)
    assert isinstance(outcome, HeldInstance)
    assert outcome.reason is HoldReason.RULE_FAILED
    assert "Featherstone" not in outcome.detail


def test_context_and_outcome_print_no_secret(research: CompiledProfile) -> None:
    outcome = deidentify(parse(Instance().raw()), research, CONTEXT)
    assert "-1234" not in repr(CONTEXT)
    assert isinstance(outcome, Deidentified)
    assert "Feather" not in repr(outcome)


def test_source_is_not_changed(research: CompiledProfile) -> None:
    raw = bytearray(Instance().raw())
    source = parse(raw)
    before = (bytes(raw), Dataset(source.dataset))
    deidentify(source, research, CONTEXT)
    assert (bytes(raw), source.dataset) == before


def test_actions_are_counted(research: CompiledProfile) -> None:
    outcome = deidentify(parse(Instance(extra=(Leaf(0x00091001, "LO", "x"),)).raw()), research, CONTEXT)
    assert isinstance(outcome, Deidentified)
    assert outcome.action_counts["remove"] == 1
    assert outcome.action_counts["uid"] == 5
    assert outcome.action_counts["pseudonym"] == 2
    assert outcome.action_counts["shift-date"] == 1


@pytest.mark.parametrize("tag", sorted(attributes_beyond_table().keys() | descriptions_beyond_table().keys()))
def test_text_that_the_table_leaves_out_does_not_pass(tag: int, research: CompiledProfile) -> None:
    vr = dictionary_vrs()[tag]
    plain = Nest(tag, ((Leaf(0x00080104, "LO", "Featherstone"),),)) if vr == "SQ" else Leaf(tag, vr, "Featherstone")
    for node in (plain, Nest(0x00081115, ((plain,),))):
        outcome = deidentify(parse(Instance(extra=(node,)).raw()), research, CONTEXT)
        assert isinstance(outcome, Deidentified)
        assert b"Featherstone" not in encode(outcome)


@pytest.mark.parametrize("charset", ["ISO_IR 192", "ISO 2022 IR 6\\ISO 2022 IR 87", "GB18030", "ISO-IR 100", ""])
def test_character_set_survives(charset: str, run_research: Run) -> None:
    raw = Instance(extra=(Leaf(0x00080005, "CS", charset),)).raw()
    value = run_research(raw).SpecificCharacterSet
    assert ("\\".join(value) if isinstance(value, pydicom.multival.MultiValue) else value or "") == charset


@pytest.mark.parametrize(
    ("number", "stays"), [("417733", False), ("00417733", False), ("417734", True), ("41.7733", True)]
)
def test_number_of_the_patient_does_not_pass_as_a_number(number: str, stays: bool, run_research: Run) -> None:
    dataset = run_research(Instance(extra=(Leaf(0x00181150, "IS" if "." not in number else "DS", number),)).raw())
    assert bool(dataset[0x00181150].value) is stays


def test_what_can_be_looked_up_does_not_tell_how_many_days_dates_move(run_research: Run) -> None:
    code = (
        Leaf(0x00080100, "SH", "T-D4000"), Leaf(0x00080102, "SH", "SRT"), Leaf(0x00080103, "SH", "20090131"),
        Leaf(0x00080104, "LO", "Abdomen"), Leaf(0x00080105, "CS", "DCMR"), Leaf(0x00080106, "DT", "20030108"),
        Leaf(0x00080107, "DT", "20040109"), Leaf(0x0008010F, "CS", "4031"), Leaf(0x00080122, "LO", "Mapping 20100203"),
    )  # fmt: skip
    extra = (Leaf(0x00080020, "DA", "20200131"), Leaf(0x00181020, "LO", "V 20110405"), Nest(0x00082218, (code,)))
    dataset = run_research(Instance(extra=extra).raw())
    moved = date.fromisoformat(dataset.StudyDate) - date(2020, 1, 31)
    assert moved == timedelta(CONTEXT.date_shift_days)
    text = str(dataset)
    for published in (date(2009, 1, 31), date(2003, 1, 8), date(2004, 1, 9), date(2010, 2, 3), date(2011, 4, 5)):
        assert (published + moved).strftime("%Y%m%d") not in text
