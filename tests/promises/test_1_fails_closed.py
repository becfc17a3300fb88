"""Promise 1: what is not proven clean is held, nothing unvalidated is stored, and one bad instance stops no other."""

from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from pydicom.dataset import Dataset
from tests.deidentify.faces.heads import phantom
from tests.head_series import defacing_profile, head_ct, raw
from tests.proxy import Reply, proxy
from tests.site import CAST, Ingested, PlantedError, Run, Site, ct, encoded, read, slices, study

from dicomanon.deidentify import Deidentified, SourceInstance, encode
from dicomanon.deidentify.faces import policy
from dicomanon.deidentify.faces.facts import facts_of
from dicomanon.deidentify.faces.recognise import Facts
from dicomanon.devices import DeviceDecision
from dicomanon.errors import Fatal
from dicomanon.pipeline import anonymize, series, validate
from dicomanon.reasons import HoldReason
from dicomanon.sample.corpus import SampleManifest

BAD = 2
"""Number of the slice that is spoilt; its neighbours are not."""

STUDY = study("spoilt")


def sop_uid(source: bytes) -> str:
    return str(read(source).SOPInstanceUID)


def assert_only_this_one_is_held(site: Site, bad: bytes, others: list[bytes], *reasons: str) -> None:
    states = site.states()
    assert states.pop(sop_uid(bad)) in {f"held({reason})" for reason in reasons}
    assert set(states.values()) == {"stored"}
    site.assert_settled(*others)


def unknown_sop_class(dataset: Dataset) -> None:
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.9999"


def private_sop_class(dataset: Dataset) -> None:
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "2.999.1.2.3"


def no_patient_id(dataset: Dataset) -> None:
    dataset.PatientID = ""


def burned_in(dataset: Dataset) -> None:
    dataset.BurnedInAnnotation = "YES"


def slide_label(dataset: Dataset) -> None:
    dataset.SpecimenLabelInImage = "YES"


def secondary_capture(dataset: Dataset) -> None:
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"


def another_patient_id(dataset: Dataset) -> None:
    dataset.PatientID = "QH00000000"


def test_held_where_no_rule_helps(site: Site) -> None:
    reasons = {
        unknown_sop_class: HoldReason.UNKNOWN_SOP_CLASS,
        private_sop_class: HoldReason.UNKNOWN_SOP_CLASS,
        no_patient_id: HoldReason.MISSING_IDENTITY,
        burned_in: HoldReason.UNCONFIRMED_DEVICE,
        secondary_capture: HoldReason.UNCONFIRMED_DEVICE,
        slide_label: HoldReason.BURNED_IN_RISK,
        another_patient_id: HoldReason.IDENTITY_CONFLICT,
    }
    others, expected = [], {}
    for change, reason in reasons.items():
        of = study(change.__name__)
        dataset = ct(of, BAD)
        change(dataset)
        site.load(encoded(dataset))
        others += slices(of, [1, 3])
        expected[str(dataset.SOPInstanceUID)] = f"held({reason})"
    site.ingest(*others)
    assert {uid: state for uid, state in site.states().items() if state != "stored"} == expected
    site.assert_settled(*others)


def confirm_the_device(site: Site, decision: DeviceDecision) -> int:
    with site.crosswalk() as crosswalk:
        (device,) = crosswalk.devices.all()
        assert device.waiting == 1
        return crosswalk.devices.confirm(device.id, decision, (), author="ada", reason="looked at it")


def test_a_device_that_nobody_has_seen_waits_until_somebody_has(site: Site) -> None:
    dataset = ct(STUDY, BAD)
    burned_in(dataset)
    bad, others = encoded(dataset), slices(STUDY, [1, 3])
    site.ingest(bad, *others)
    assert_only_this_one_is_held(site, bad, others, HoldReason.UNCONFIRMED_DEVICE)
    Run().complete()
    assert site.states()[sop_uid(bad)] == "held(unconfirmed-device)"
    assert confirm_the_device(site, DeviceDecision.CLEAN) == 1
    assert site.states()[sop_uid(bad)] == "discovered"
    Run().complete()
    site.assert_settled(bad, *others)


def test_a_device_that_is_to_be_held_is_never_released(site: Site) -> None:
    first, second = ct(STUDY, BAD), ct(STUDY, BAD + 2)
    for dataset in (first, second):
        burned_in(dataset)
    site.ingest(encoded(first))
    assert confirm_the_device(site, DeviceDecision.HOLD) == 0
    site.ingest(encoded(second))
    assert site.states() == {
        str(first.SOPInstanceUID): "held(unconfirmed-device)",
        str(second.SOPInstanceUID): "held(burned-in-risk)",
    }
    assert site.research_objects() == {}


def test_held_when_the_patient_is_known_with_another_birth_date(site: Site) -> None:
    dataset = ct(STUDY, BAD)
    dataset.PatientBirthDate = "19010101"
    bad, others = encoded(dataset), slices(STUDY, [1, 3])
    site.ingest(*others)
    site.ingest(bad)
    assert_only_this_one_is_held(site, bad, others, HoldReason.IDENTITY_CONFLICT)


def test_held_or_stored_as_the_sample_says(
    ingested: Ingested,
    sample_wave_1: tuple[Path, SampleManifest],
    sample_wave_2: tuple[Path, SampleManifest],
) -> None:
    for file in (*sample_wave_1[1].files, *sample_wave_2[1].files):
        expected = f"held({file.reason})" if file.expected == "held" else "stored"
        assert ingested.states[file.sop_uid] == expected, file.path
    assert set(ingested.research) == {ingested.uids[uid] for uid, state in ingested.states.items() if state == "stored"}


@pytest.mark.parametrize(
    "spoilt", ["a slice is missing", "nobody finds a face", "the search fails", "the header trips"]
)
def test_no_face_goes_out_where_it_cannot_be_taken_out(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, spoilt: str
) -> None:
    monkeypatch.setenv("DICOMANON_PROFILE", str(defacing_profile(tmp_path)))
    head = head_ct(study("head"), phantom(spacing=(4.0, 3.0, 3.0)))
    if spoilt == "a slice is missing":
        del head[20]
    elif spoilt == "nobody finds a face":
        for dataset in head:
            dataset.PixelData = bytes(len(dataset.PixelData))
            dataset.BodyPartExamined = dataset.StudyDescription = dataset.SeriesDescription = ""
    elif spoilt == "the search fails":
        monkeypatch.setattr(series, "find_faces", Mock(side_effect=PlantedError))
    else:
        tripping = {str(dataset.SOPInstanceUID) for dataset in head}

        def trip(source: SourceInstance) -> Facts:
            if source.sop_uid in tripping:
                raise PlantedError
            return facts_of(source)

        monkeypatch.setattr(policy, "facts_of", trip)
    balance = site.ingest(*raw(head), *slices(STUDY))
    assert (balance["held"], balance["stored"]) == (len(head), 3)
    reason = HoldReason.UNEXPECTED if spoilt == "the header trips" else HoldReason.RECOGNIZABLE_FACE
    assert {state for state in site.states().values() if state != "stored"} == {f"held({reason})"}
    assert len(site.research_objects()) == 3


def test_held_when_what_arrives_is_no_whole_object(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = slices(STUDY, range(1, 7))
    spoilt = {
        sources[1]: sources[1][:-1],
        sources[2]: sources[2][:-7],
        sources[3]: sources[3][: len(sources[3]) // 2],
        sources[4]: b"<html>please log in</html>",
    }

    def spoil(reply: Reply) -> None:
        if reply.is_wado:
            reply.replace_parts([spoilt.get(part, part) for part in reply.parts()])

    with proxy(site.clinical, spoil) as between:
        monkeypatch.setenv("DICOMANON_CLINICAL__URL", between.url)
        site.ingest(*sources)
    states = site.states()
    assert {states[sop_uid(source)] for source in spoilt} == {"held(unreadable)"}
    site.assert_settled(sources[0], sources[-1])


@pytest.mark.parametrize("seam", ["collect_known_values", "deidentify", "encode_in_pieces"])
def test_an_exception_while_deidentifying_holds_its_instance_only(
    site: Site, monkeypatch: pytest.MonkeyPatch, seam: str
) -> None:
    sources = slices(STUDY)
    original = getattr(anonymize, seam)
    calls = iter(range(100))

    def failing(*given: Any, **named: Any) -> Any:
        if next(calls) == 1:
            raise PlantedError
        return original(*given, **named)

    monkeypatch.setenv("DICOMANON_PULL_THREADS", "1")
    with monkeypatch.context() as patched:
        patched.setattr(anonymize, seam, failing)
        site.ingest(*sources)
    (bad,) = [source for source in sources if site.states()[sop_uid(source)] != "stored"]
    others = [source for source in sources if source != bad]
    assert_only_this_one_is_held(site, bad, others, HoldReason.UNEXPECTED)
    ((detail,),) = site.rows("SELECT detail FROM crosswalk.instance WHERE state = 'held'")
    assert detail == "PlantedError"


def test_an_exception_while_validating_holds_its_instance_only(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = slices(STUDY)
    original = validate.examine
    calls = iter(range(100))

    def failing(*given: Any) -> Any:
        if next(calls) == 1:
            raise PlantedError
        return original(*given)

    with monkeypatch.context() as patched:
        patched.setattr(validate, "examine", failing)
        site.ingest(*sources)
    (bad,) = [source for source in sources if site.states()[sop_uid(source)] != "stored"]
    others = [source for source in sources if source != bad]
    assert_only_this_one_is_held(site, bad, others, HoldReason.UNEXPECTED)


def name_in_a_description(dataset: Dataset) -> None:
    dataset.SeriesDescription = f"seen with {CAST.patients[4].name.split('^')[0].upper()}"


def name_in_utf_16(dataset: Dataset) -> None:
    dataset.add_new(0x00204000, "LT", "see file")
    dataset.PixelData = dataset.PixelData[:-60] + CAST.patients[4].name.split("^")[0].encode("utf-16-le").ljust(
        60, b"\0"
    )


def original_study_uid(dataset: Dataset) -> None:
    dataset.StudyInstanceUID = STUDY.uid


def original_frame_of_reference(dataset: Dataset) -> None:
    dataset.FrameOfReferenceUID = STUDY.frame_of_reference()


def original_date(dataset: Dataset) -> None:
    dataset.AcquisitionDate = STUDY.da


def another_patient(dataset: Dataset) -> None:
    dataset.PatientID = "D0000000000A"


def private_element(dataset: Dataset) -> None:
    dataset.private_block(0x0029, "ACME", create=True).add_new(1, "LO", "harmless")


def no_marker(dataset: Dataset) -> None:
    dataset.PatientIdentityRemoved = "NO"


def test_what_the_engine_lets_through_validation_holds(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    reasons = {
        name_in_a_description: HoldReason.RESIDUAL_PHI,
        name_in_utf_16: HoldReason.RESIDUAL_PHI,
        original_study_uid: HoldReason.RESIDUAL_PHI,
        original_frame_of_reference: HoldReason.RESIDUAL_PHI,
        original_date: HoldReason.RESIDUAL_PHI,
        private_element: HoldReason.RESIDUAL_PHI,
        another_patient: HoldReason.NONCONFORMANT,
        no_marker: HoldReason.NONCONFORMANT,
    }
    sources = slices(STUDY, range(1, len(reasons) + 3))
    bad = dict(enumerate(reasons, start=2))

    def leaking(outcome: Deidentified) -> tuple[bytes]:
        data = encode(outcome)
        dataset = read(data)
        if dataset.InstanceNumber not in bad:
            return (data,)
        bad[dataset.InstanceNumber](dataset)
        return (encoded(dataset),)

    with monkeypatch.context() as patched:
        patched.setattr(anonymize, "encode_in_pieces", leaking)
        site.ingest(*sources)
    states = site.states()
    assert {leak: states[sop_uid(sources[number - 1])] for number, leak in bad.items()} == {
        leak: f"held({reason})" for leak, reason in reasons.items()
    }
    site.assert_settled(sources[0], sources[-1])
    verdicts = site.rows(
        "SELECT passed, findings FROM crosswalk.verdict v JOIN crosswalk.instance i ON i.id = v.instance_id"
        " WHERE i.state = 'held'"
    )
    assert len(verdicts) == len(reasons)
    assert all(findings and not passed for passed, findings in verdicts)


@pytest.mark.parametrize("when", ["before validation", "after validation"])
def test_a_staged_object_that_was_changed_is_not_stored(site: Site, when: str) -> None:
    sources = slices(STUDY)
    site.load(*sources)
    run = Run()
    (batch,) = run.pulled()
    if when == "after validation":
        run.validate(batch)
    bad = site.expected(sources[1]).popitem()[0]
    (staged,) = site.staging.rglob(f"{bad}.dcm")
    dataset = read(staged.read_bytes())
    dataset.PatientName = CAST.patients[4].name
    staged.write_bytes(encoded(dataset))
    if when == "before validation":
        run.validate(batch)
    run.store(batch)
    run.update(batch)
    run.reconcile()
    states = site.states()
    assert states.pop(sop_uid(sources[1])) in {"held(nonconformant)", "held(residual-phi)"}
    assert set(states.values()) == {"stored"}
    site.assert_settled(sources[0], sources[2])


def test_a_file_that_nobody_staged_is_not_stored(site: Site) -> None:
    sources = slices(STUDY)
    site.load(*sources)
    run = Run()
    (batch,) = run.pulled()
    (folder,) = site.staging.iterdir()
    (folder / "2.25.1.dcm").write_bytes(sources[0])
    run.validate(batch)
    run.store(batch)
    run.update(batch)
    site.assert_settled(*sources)


def test_nothing_is_stored_that_was_not_validated(site: Site) -> None:
    sources = slices(STUDY)
    site.load(*sources)
    run = Run()
    (batch,) = run.pulled()
    assert run.store(batch)["stored"] == 0
    assert site.research_objects() == {}
    with pytest.raises(Fatal):
        run.update(batch)
