import struct
from io import BytesIO

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from tests.deidentify.builders import CONTEXT, CT, Instance, Leaf, Nest, Node, part10, write
from tests.deidentify.conftest import Run

from dicomanon.deidentify import Deidentified, deidentify, encode, parse
from dicomanon.profile import CompiledProfile

COMPREHENSIVE_SR = "1.2.840.10008.5.1.4.1.1.88.33"
SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
TOKENS = (b"Quillfeather", b"ORD-5512-B", b"SN-99817", b"OBSERVER-7", b"1.2.826.0.1.3680043.8.498.77")
CONTENT_SEQUENCE = 0x0040A730


def code(tag: int, value: str, scheme: str, meaning: str) -> Nest:
    return Nest(
        tag, ((Leaf(0x00080100, "SH", value), Leaf(0x00080102, "SH", scheme), Leaf(0x00080104, "LO", meaning)),)
    )


def item(
    concept: tuple[str, str], value_type: str, *values: Node, children: tuple[tuple[Node, ...], ...] = ()
) -> tuple[Node, ...]:
    nodes: list[Node] = [
        Leaf(0x0040A010, "CS", "CONTAINS"),
        Leaf(0x0040A040, "CS", value_type),
        code(0x0040A043, *concept, "Meaning"),
        *values,
    ]
    if children:
        nodes.append(Nest(CONTENT_SEQUENCE, children))
    return tuple(nodes)


def text(value: str) -> Leaf:
    return Leaf(0x0040A160, "UT", value)


def name(value: str) -> Leaf:
    return Leaf(0x0040A123, "PN", value)


OBSERVER = (
    item(("121008", "DCM"), "PNAME", name("Quillfeather^Osbert")),
    item(("121088", "DCM"), "PNAME", name("Quillfeather^Osbert")),
    item(("121022", "DCM"), "TEXT", text("ORD-5512-B")),
    item(("121030", "DCM"), "TEXT", text("OBSERVER-7")),
    item(("121016", "DCM"), "TEXT", text("SN-99817")),
    item(("R-42B89", "SRT"), "COMPOSITE"),
    item(("112040", "DCM"), "UIDREF", Leaf(0x0040A124, "UI", "1.2.826.0.1.3680043.8.498.77")),
    item(("121135", "DCM"), "DATETIME", Leaf(0x0040A120, "DT", "20240229101112")),
    item(("121071", "DCM"), "CODE", code(0x0040A168, "39607008", "SCT", "Lung")),
    item(("410668003", "SCT"), "NUM", Nest(0x0040A300, ((Leaf(0x0040A30A, "DS", "14.2"),),))),
)


def report(*items: tuple[Node, ...], sop_class: str = COMPREHENSIVE_SR) -> bytes:
    extra = (
        Leaf(0x00080060, "CS", "SR"),
        Leaf(0x0040A040, "CS", "CONTAINER"),
        code(0x0040A043, "126000", "DCM", "Imaging Measurement Report"),
        Nest(CONTENT_SEQUENCE, items),
    )
    nodes = Instance(extra=extra, pixels=None).nodes()
    nodes = [node for node in nodes if node.tag != 0x00080016] + [Leaf(0x00080016, "UI", sop_class)]
    return part10(write(nodes), sop_class=sop_class)


def cleaned(raw: bytes, profile: CompiledProfile) -> tuple[bytes, Dataset]:
    outcome = deidentify(parse(raw), profile, CONTEXT)
    assert isinstance(outcome, Deidentified), outcome
    encoded = bytes(encode(outcome))
    return encoded, pydicom.dcmread(BytesIO(encoded))


def concepts(items: pydicom.Sequence) -> list[str]:
    return [item.ConceptNameCodeSequence[0].CodeValue for item in items]


KEPT = ["121008", "121030", "112040", "121135", "121071", "410668003"]


class TestReports:
    @pytest.mark.parametrize("depth", [0, 1, 6])
    def test_items_go_by_concept_at_any_depth(self, depth: int, research: CompiledProfile) -> None:
        items = OBSERVER
        for _ in range(depth):
            items = (item(("126010", "DCM"), "CONTAINER", children=items),)
        raw, data_set = cleaned(report(*items), research)
        below = data_set.ContentSequence
        for _ in range(depth):
            below = below[0].ContentSequence
        assert concepts(below) == KEPT
        for token in TOKENS:
            assert token not in raw

    def test_values_of_items_that_stay_are_valid(self, research: CompiledProfile) -> None:
        _, data_set = cleaned(report(*OBSERVER), research)
        by_concept = dict(zip(KEPT, data_set.ContentSequence, strict=True))
        assert by_concept["121008"].PersonName
        assert by_concept["121030"].TextValue
        assert by_concept["112040"].UID.startswith("2.25.")
        assert by_concept["121135"].DateTime == "20201013101112"
        assert by_concept["121071"].ConceptCodeSequence[0].CodeValue == "39607008"
        assert by_concept["410668003"].MeasuredValueSequence[0].NumericValue == 14.2

    def test_a_report_of_which_nothing_may_stay_is_still_a_report(self, research: CompiledProfile) -> None:
        _, data_set = cleaned(report(*OBSERVER[1:3]), research)
        assert data_set.ValueType == "CONTAINER"

    def test_the_same_uid_is_the_same_in_item_and_header(self, research: CompiledProfile) -> None:
        study = "1.2.826.0.1.3680043.8.498.1"
        _, data_set = cleaned(report(item(("110180", "DCM"), "UIDREF", Leaf(0x0040A124, "UI", study))), research)
        assert data_set.StudyInstanceUID == data_set.ContentSequence[0].UID

    def test_nothing_of_the_content_is_left_without_the_option(self, strict: CompiledProfile) -> None:
        raw, _ = cleaned(report(*OBSERVER), strict)
        for token in TOKENS:
            assert token not in raw

    @pytest.mark.parametrize(("file", "removed"), [("test-SR.dcm", set()), ("reportsi.dcm", set())])
    def test_real_reports_keep_their_tree(self, file: str, removed: set[str], run_research: Run) -> None:
        source = pydicom.dcmread(get_testdata_file(file))
        source.PatientID = "MRN-00417733"
        for item in source.ContentSequence:
            if item.get("ValueType") == "PNAME":
                item.PersonName = "Quillfeather^Osbert"
        buffer = BytesIO()
        source.save_as(buffer)
        data_set = run_research(buffer.getvalue())
        wanted = [
            item.ValueType
            for item in source.ContentSequence
            if item.get("ConceptNameCodeSequence", [Dataset()])[0].get("CodeValue") not in removed
        ]
        assert [item.ValueType for item in data_set.ContentSequence] == wanted
        assert "Quillfeather" not in str(data_set)


class TestOtherSequencesOfContentItems:
    def test_acquisition_context(self, run_research: Run) -> None:
        context = Nest(0x00400555, OBSERVER)
        data_set = run_research(Instance(extra=(context,), sop_class=CT).raw())
        assert concepts(data_set.AcquisitionContextSequence) == KEPT

    def test_preparation_steps_of_a_specimen(self, run_research: Run) -> None:
        steps = Nest(0x00400610, ((Nest(0x00400612, OBSERVER),),))
        specimen = Nest(0x00400560, ((Leaf(0x00400551, "LO", "S1"), steps),))
        data_set = run_research(Instance(extra=(specimen,), sop_class=SLIDE).raw())
        (step,) = data_set.SpecimenDescriptionSequence[0].SpecimenPreparationSequence
        assert concepts(step.SpecimenPreparationStepContentItemSequence) == KEPT

    def test_waveform_annotations(self, run_research: Run) -> None:
        source = pydicom.dcmread(get_testdata_file("waveform_ecg.dcm"))
        annotation, identifier = Dataset(), Dataset()
        for target, (value, meaning) in ((annotation, ("8277-6", "LN")), (identifier, ("121022", "DCM"))):
            concept = Dataset()
            concept.CodeValue, concept.CodingSchemeDesignator, concept.CodeMeaning = value, meaning, "Meaning"
            target.ConceptNameCodeSequence = [concept]
            target.AnnotationGroupNumber = 0
            target.ReferencedWaveformChannels = [1, 0]
        annotation.NumericValue = "1.8"
        identifier.UnformattedTextValue = "ORD-5512-B"
        source.WaveformAnnotationSequence = [annotation, identifier]
        buffer = BytesIO()
        source.save_as(buffer)
        data_set = run_research(buffer.getvalue())
        assert concepts(data_set.WaveformAnnotationSequence) == ["8277-6"]
        assert data_set.WaveformAnnotationSequence[0].NumericValue == 1.8


def _reference(*position: int) -> tuple[Node, ...]:
    return (
        Leaf(0x0040A010, "CS", "SELECTED FROM"),
        Leaf(0x0040DB73, "UL", struct.pack(f"<{len(position)}L", *position)),
    )


def test_references_follow_their_item_and_go_with_it(research: CompiledProfile) -> None:
    order, finding = OBSERVER[2], OBSERVER[8]
    num = item(("410668003", "SCT"), "NUM", children=(_reference(1, 3), _reference(1, 1), _reference(1, 4, 1)))
    _, data_set = cleaned(report(order, finding, finding, num), research)
    assert concepts(data_set.ContentSequence) == ["121071", "121071", "410668003"]
    references = data_set.ContentSequence[2].ContentSequence
    # The first shifted by the item that went; the second went with it; the third follows its sibling.
    assert [list(reference.ReferencedContentItemIdentifier) for reference in references] == [[1, 2], [1, 3, 1]]
