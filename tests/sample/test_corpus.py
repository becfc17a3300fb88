"""The sample is what its manifest says, reads back everywhere, and lists every identifying string that it holds."""

import datetime as dt
import itertools
import re
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import UID, UID_dictionary

from dicomanon.local_stack.orthanc import OrthancServer
from dicomanon.reasons import HoldReason
from dicomanon.sample.corpus import HELD, STORED, SampleManifest, write_sample
from dicomanon.sample.forms import SHORTEST
from dicomanon.sample.leaks import LeakScanner
from dicomanon.sample.people import STUDY_DATES
from dicomanon.sample.planted import elements, texts

Wave = tuple[Path, SampleManifest]


@pytest.fixture(scope="module")
def everything(sample_wave_1: Wave, sample_wave_2: Wave) -> list[tuple[Path, Dataset]]:
    """Every object of both waves, read with warnings as errors."""
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for folder, manifest in (sample_wave_1, sample_wave_2):
            for path in manifest.paths(folder):
                dataset = dcmread(path)
                dataset.decode()
                found.append((path, dataset))
    return found


class TestManifest:
    def test_counts_of_both_waves(self, sample_wave_1: Wave, sample_wave_2: Wave) -> None:
        first, second = sample_wave_1[1], sample_wave_2[1]
        assert (len(first.files), first.instances, first.expected_stored, first.expected_held) == (70, 70, 68, 2)
        assert (len(second.files), second.instances, second.expected_stored, second.expected_held) == (13, 83, 80, 3)
        assert (len(first.studies), len(second.studies)) == (7, 8)

    def test_study_counts_agree_with_the_files(self, sample_wave_1: Wave, sample_wave_2: Wave) -> None:
        files = sample_wave_1[1].files + sample_wave_2[1].files
        for study in sample_wave_2[1].studies:
            own = Counter(file.expected for file in files if file.study_uid == study.study_uid)
            assert own == Counter({STORED: study.expected_stored, HELD: study.expected_held})
            assert study.instances == own.total()

    def test_hold_reasons_are_codes_of_ours(self, sample_wave_1: Wave, sample_wave_2: Wave) -> None:
        held = {file.kind: file.reason for file in sample_wave_1[1].files + sample_wave_2[1].files if file.reason}
        assert held == {
            "us-multi-frame": HoldReason.UNCONFIRMED_DEVICE,
            "screenshot": HoldReason.UNCONFIRMED_DEVICE,
            "ct-of-another-name": HoldReason.IDENTITY_CONFLICT,
        }

    def test_survives_json(self, sample_wave_2: Wave) -> None:
        manifest = sample_wave_2[1]
        assert SampleManifest.from_json(manifest.to_json()) == manifest

    def test_wave_2_adds_to_old_studies_and_brings_a_new_study_of_an_old_patient(
        self, sample_wave_1: Wave, sample_wave_2: Wave
    ) -> None:
        old = {study.study_uid: study for study in sample_wave_1[1].studies}
        touched = [study for study in sample_wave_2[1].studies if study.new_instances]
        grown = [study for study in touched if study.study_uid in old]
        new = [study for study in touched if study.study_uid not in old]
        assert [study.instances - old[study.study_uid].instances for study in grown] == [5]
        assert [study.patient_id in {s.patient_id for s in old.values()} for study in new] == [True]


class TestDeterminism:
    def test_same_seed_same_bytes_in_any_order(self, sample_wave_2: Wave, tmp_path: Path) -> None:
        folder, manifest = sample_wave_2
        again = write_sample(tmp_path, wave=2)
        assert again == manifest
        assert all((tmp_path / file.path).read_bytes() == (folder / file.path).read_bytes() for file in manifest.files)

    def test_another_seed_shares_no_uid_and_no_patient(self, sample_wave_1: Wave, tmp_path: Path) -> None:
        other = write_sample(tmp_path, seed=2)
        mine = sample_wave_1[1]
        for field in ("study_uid", "patient_id", "accession_number"):
            assert not {getattr(s, field) for s in mine.studies} & {getattr(s, field) for s in other.studies}
        assert not {file.sop_uid for file in mine.files} & {file.sop_uid for file in other.files}

    def test_unknown_wave_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="wave"):
            write_sample(tmp_path, wave=3)


class TestConformity:
    def test_every_object_reads_back_as_the_manifest_says(
        self, everything: list[tuple[Path, Dataset]], sample_wave_1: Wave, sample_wave_2: Wave
    ) -> None:
        files = {file.path: file for file in sample_wave_1[1].files + sample_wave_2[1].files}
        assert len(files) == len(everything)
        for path, dataset in everything:
            file = files[path.name]
            assert dataset.SOPInstanceUID == dataset.file_meta.MediaStorageSOPInstanceUID == file.sop_uid
            assert dataset.SOPClassUID == dataset.file_meta.MediaStorageSOPClassUID == file.sop_class_uid
            assert (dataset.StudyInstanceUID, dataset.SeriesInstanceUID) == (file.study_uid, file.series_uid)
            assert (dataset.PatientID, dataset.IssuerOfPatientID) == (file.patient_id, file.issuer)
            assert dataset.Modality == file.modality

    def test_sop_uids_are_unique_and_all_uids_valid(self, everything: list[tuple[Path, Dataset]]) -> None:
        assert len({dataset.SOPInstanceUID for _, dataset in everything}) == len(everything)
        for _, dataset in everything:
            for element in elements(dataset):
                assert element.VR != "UI" or all(UID(value).is_valid for value in texts(element))

    def test_values_fit_their_representation(self, everything: list[tuple[Path, Dataset]]) -> None:
        longest = {"SH": 16, "LO": 64, "AE": 16, "CS": 16, "DA": 8, "DS": 16, "AS": 4, "ST": 1024, "LT": 10240}
        for _, dataset in everything:
            for element in elements(dataset):
                if element.VR in longest:
                    assert all(len(value) <= longest[element.VR] for value in texts(element)), element.tag

    def test_pixel_data_decodes_to_the_described_shape(self, everything: list[tuple[Path, Dataset]]) -> None:
        pictured = [dataset for _, dataset in everything if "PixelData" in dataset]
        assert len(pictured) > 60
        for dataset in pictured:
            frames = int(dataset.get("NumberOfFrames", 1))
            shape = (*((frames,) if frames > 1 else ()), dataset.Rows, dataset.Columns)
            pixels = dataset.pixel_array
            assert pixels.shape == (*shape, 3) if dataset.SamplesPerPixel == 3 else shape
            assert pixels.min() < pixels.max()

    def test_slices_of_a_series_differ(self, everything: list[tuple[Path, Dataset]]) -> None:
        pictures = [dataset.PixelData for _, dataset in everything if "PixelData" in dataset]
        assert len(set(pictures)) == len(pictures)

    def test_type_1_and_2_attributes_of_the_general_modules_are_there(
        self, everything: list[tuple[Path, Dataset]]
    ) -> None:
        present = [
            "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID",
            "ReferringPhysicianName", "AccessionNumber", "SeriesNumber", "Manufacturer", "InstanceNumber",
        ]  # fmt: skip
        for path, dataset in everything:
            assert [keyword for keyword in present if not dataset.get(keyword)] == [], path.name

    def test_references_between_objects_resolve(self, everything: list[tuple[Path, Dataset]]) -> None:
        known = {str(dataset.SOPInstanceUID) for _, dataset in everything}
        for path, dataset in everything:
            if dataset.Modality in {"RTSTRUCT", "PR", "KO", "SR"}:
                image_references = [
                    str(item.ReferencedSOPInstanceUID)
                    for element in elements(dataset)
                    if element.VR == "SQ"
                    for item in element.value
                    if UID(str(item.get("ReferencedSOPClassUID", ""))).name.count("Image Storage")
                ]
                assert image_references and set(image_references) <= known, path.name

    def test_key_objects_of_wave_1_refer_to_an_instance_of_wave_2(
        self, everything: list[tuple[Path, Dataset]], sample_wave_2: Wave
    ) -> None:
        late = {file.sop_uid for file in sample_wave_2[1].files}
        (keys,) = [dataset for _, dataset in everything if dataset.Modality == "KO"]
        evidence = keys.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence
        assert any(item.ReferencedSOPInstanceUID in late for item in evidence)

    def test_has_the_scripts_syntaxes_and_kinds_that_it_promises(self, everything: list[tuple[Path, Dataset]]) -> None:
        assert {UID(d.file_meta.TransferSyntaxUID).name for _, d in everything} == {
            "Explicit VR Little Endian", "Implicit VR Little Endian", "RLE Lossless", "JPEG Baseline (Process 1)",
        }  # fmt: skip
        names = {str(d.PatientName) for _, d in everything}
        assert any("'" in name for name in names) and any("=" in name for name in names)
        assert len({str(d.SpecificCharacterSet) for _, d in everything}) == 3
        assert {d.Modality for _, d in everything} == {
            "CT", "MR", "PT", "CR", "DX", "US", "SR", "KO", "PR", "RTSTRUCT", "SC", "DOC",
        }  # fmt: skip

    def test_two_patients_share_a_number_and_differ_by_issuer(self, sample_wave_1: Wave) -> None:
        studies = sample_wave_1[1].studies
        people = {(study.patient_id, study.issuer): study.patient_name for study in studies}
        assert len(people) == len(set(people.values())) == 6
        assert len({patient_id for patient_id, _ in people}) == 5

    @pytest.mark.stack
    def test_orthanc_takes_and_returns_every_object_unchanged(
        self, clinical_orthanc: OrthancServer, sample_wave_1: Wave, sample_wave_2: Wave
    ) -> None:
        session = clinical_orthanc.session()
        for folder, manifest in (sample_wave_1, sample_wave_2):
            for path in manifest.paths(folder):
                body = b"--xx\r\nContent-Type: application/dicom\r\n\r\n" + path.read_bytes() + b"\r\n--xx--"
                answer = session.post(
                    f"{clinical_orthanc.dicom_web_url}/studies",
                    data=body,
                    headers={
                        "Content-Type": 'multipart/related; type="application/dicom"; boundary=xx',
                        "Accept": "application/dicom+json",
                    },
                    timeout=30,
                )
                assert answer.status_code == 200, path.name
                assert not answer.json().get("00081198", {}).get("Value"), path.name
        studies = session.get(f"{clinical_orthanc.dicom_web_url}/studies?includefield=00201208", timeout=30).json()
        counted = {study["0020000D"]["Value"][0]: study["00201208"]["Value"][0] for study in studies}
        assert counted == {study.study_uid: study.instances for study in sample_wave_2[1].studies}
        folder, manifest = sample_wave_1
        trapped = manifest.files[0]
        where = f"studies/{trapped.study_uid}/series/{trapped.series_uid}/instances/{trapped.sop_uid}"
        returned = session.get(f"{clinical_orthanc.dicom_web_url}/{where}", timeout=30).content
        assert (folder / trapped.path).read_bytes() in returned


class TestPlanted:
    def test_every_name_uid_and_date_is_listed(
        self, everything: list[tuple[Path, Dataset]], sample_wave_2: Wave
    ) -> None:
        planted = set(sample_wave_2[1].planted)
        for path, dataset in everything:
            for element in elements(dataset):
                for value in texts(element):
                    if element.VR == "PN":
                        missing = [part for part in re.split(r"[\^=]", value) if len(part.encode()) >= 8]
                        missing = [part for part in (value, *missing) if part not in planted]
                    elif element.VR == "UI":
                        missing = [] if value in UID_dictionary else [value]
                        # The implementation that wrote a file is nobody's identity.
                        missing = [uid for uid in missing if uid not in planted and element.tag != 0x00020012]
                    elif element.VR in {"DA", "DT"}:
                        missing = [] if value[:8] in planted else [value]
                    else:
                        continue
                    assert not missing, (path.name, element.tag)

    def test_whatever_identifies_in_free_text_and_bytes_is_listed(
        self, everything: list[tuple[Path, Dataset]], sample_wave_2: Wave
    ) -> None:
        scanner = LeakScanner(sample_wave_2[1].planted)
        described = {
            "PatientComments", "AdditionalPatientHistory", "StudyDescription", "ProtocolName", "PatientAddress",
            "PatientTelephoneNumbers", "InstitutionName", "InstitutionAddress", "StationName", "DeviceSerialNumber",
            "AccessionNumber", "StudyID", "AdmissionID", "PatientID", "IssuerOfPatientID", "UnformattedTextValue",
            "PrivateInformation", "SourceApplicationEntityTitle", "ContributionDescription", "EncapsulatedDocument",
            "VisitComments", "CurrentPatientLocation", "DocumentTitle", "StructureSetName", "ROIDescription",
        }  # fmt: skip
        seen = set()
        for path, dataset in everything:
            for element in elements(dataset):
                private_text = element.tag.is_private and not element.tag.is_private_creator
                private_text = private_text and element.tag.group == 0x29 and element.VR != "SQ"
                if element.keyword in described or private_text or element.tag == 0xFFFCFFFC:
                    value = element.value if isinstance(element.value, bytes) else "\\".join(texts(element)).encode()
                    assert scanner.scan_bytes(value), (path.name, element.tag)
                    seen.add(element.keyword)
        assert described <= seen

    def test_preamble_is_listed(self, sample_wave_1: Wave) -> None:
        folder, manifest = sample_wave_1
        preamble = (folder / manifest.files[0].path).read_bytes()[:128]
        assert preamble.rstrip(b"\0").decode() in manifest.planted

    def test_strings_are_too_long_to_turn_up_by_chance(self, sample_wave_2: Wave) -> None:
        planted = sample_wave_2[1].planted
        assert all(len(value.encode()) >= SHORTEST for value in planted)
        scanner = LeakScanner(planted)
        noise = np.random.default_rng(7).bytes(16 << 20)
        assert scanner.scan_bytes(noise) == []
        assert scanner.scan_bytes(noise.hex().encode()) == []

    def test_dates_are_never_a_shift_apart_nor_near_today(self, sample_wave_2: Wave, tmp_path: Path) -> None:
        for manifest in (sample_wave_2[1], write_sample(tmp_path, wave=1, seed=5)):
            dates = [
                dt.datetime.strptime(value, "%Y%m%d").date()
                for value in manifest.planted
                if len(value) == 8 and value.isdigit()
            ]
            assert len(dates) > 10
            for one, other in itertools.combinations(dates, 2):
                assert not 1000 <= abs((one - other).days) <= 4652
            assert all(day.year < 2010 or STUDY_DATES[0] <= day <= STUDY_DATES[1] for day in dates)

    def test_registered_uids_and_clean_words_are_not_listed(self, sample_wave_2: Wave) -> None:
        planted = set(sample_wave_2[1].planted)
        assert not planted & set(UID_dictionary)
        assert not planted & {"CT CHEST", "Thorax 5.0 B30f", "ISO_IR 100", "ISO_IR 192"}

    def test_every_object_holds_planted_strings(self, sample_wave_1: Wave) -> None:
        folder, manifest = sample_wave_1
        found = {leak.where for leak in LeakScanner(manifest.planted).scan_path(folder)}
        assert found == {file.path for file in manifest.files}


def test_multi_values_are_read_one_by_one() -> None:
    dataset = Dataset()
    dataset.OperatorsName = ["A^B", "C^D"]
    assert isinstance(dataset.OperatorsName, MultiValue)
    assert [list(texts(element)) for element in elements(dataset)] == [["A^B", "C^D"]]
