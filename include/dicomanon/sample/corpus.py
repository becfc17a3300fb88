"""Writes the sample: two waves of invented studies that look real, and the manifest of what must become of them."""

import datetime as dt
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from pydicom import dcmwrite
from pydicom.dataset import Dataset
from pydicom.uid import (
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    ImplicitVRLittleEndian,
    RLELossless,
    UltrasoundMultiFrameImageStorage,
)

from dicomanon.sample import documents, images, traps
from dicomanon.sample.headers import Series, Study, Uids
from dicomanon.sample.people import Cast, make_cast, some_day
from dicomanon.sample.planted import Planted

STORED = "stored"
HELD = "held"
WAVES = (1, 2)


@dataclass(frozen=True, slots=True)
class SampleInstance:
    """One written object.

    Attributes
    ----------
    path
        File name below the folder.
    wave
        The wave that it is sent with.
    expected
        ``stored`` or ``held`` under the shipped profiles.
    reason
        Value of :class:`dicomanon.reasons.HoldReason` when held, else empty.
    """

    path: str
    wave: int
    kind: str
    modality: str
    patient_id: str
    issuer: str
    study_uid: str
    series_uid: str
    sop_uid: str
    sop_class_uid: str
    expected: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SampleStudy:
    """What the clinical PACS holds of a study once the manifest's wave has arrived, and what must come of it."""

    study_uid: str
    patient_id: str
    issuer: str
    patient_name: str
    accession_number: str
    study_date: str
    modalities: tuple[str, ...]
    instances: int
    expected_stored: int
    expected_held: int
    new_instances: int
    """How many of them came with this wave."""


@dataclass(frozen=True, slots=True)
class SampleManifest:
    """What a wave wrote, and the totals up to it.

    Attributes
    ----------
    files
        The objects of this wave.
    studies
        Every study so far; its counts are totals over this wave and those before.
    planted
        Every identifying string so far.
    """

    seed: int
    wave: int
    files: tuple[SampleInstance, ...]
    studies: tuple[SampleStudy, ...]
    planted: tuple[str, ...]

    @property
    def instances(self) -> int:
        """Instances in the clinical PACS after this wave."""
        return sum(study.instances for study in self.studies)

    @property
    def expected_stored(self) -> int:
        """Instances in the research PACS after this wave."""
        return sum(study.expected_stored for study in self.studies)

    @property
    def expected_held(self) -> int:
        """Instances held after this wave."""
        return sum(study.expected_held for study in self.studies)

    def paths(self, folder: Path) -> list[Path]:
        """Return where this wave's objects are."""
        return [folder / file.path for file in self.files]

    def to_json(self) -> str:
        """Return the manifest as JSON; it holds every planted string, so keep it beside the sample only."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1)

    @classmethod
    def from_json(cls, text: str) -> "SampleManifest":
        """Return the manifest that :meth:`to_json` wrote."""
        raw = json.loads(text)
        return cls(
            seed=raw["seed"],
            wave=raw["wave"],
            files=tuple(SampleInstance(**file) for file in raw["files"]),
            studies=tuple(
                SampleStudy(**{**study, "modalities": tuple(study["modalities"])}) for study in raw["studies"]
            ),
            planted=tuple(raw["planted"]),
        )


@dataclass(frozen=True, slots=True)
class _Object:
    """An object to be written: how to make it, and what must become of it."""

    wave: int
    kind: str
    series: Series
    instance: int
    make: Callable[[np.random.Generator], Dataset]
    reason: str = ""


def write_sample(folder: Path, *, wave: int = 1, seed: int = 1) -> SampleManifest:
    """Write one wave of the sample, the same bytes for the same seed, whether or not another wave was written before.

    Wave 1 holds six patients in seven studies. Wave 2 holds instances that arrive late in a study of wave 1, among
    them one with another patient's name, and a new study of a patient of wave 1.

    Everything is invented. See :func:`dicomanon.sample.people.make_cast` for why a find of a planted string is a leak
    and no chance.

    Parameters
    ----------
    folder
        Where to write; made when it does not exist.

    Returns
    -------
    SampleManifest
        With totals over this wave and those before.
    """
    if wave not in WAVES:
        raise ValueError(f"wave is one of {WAVES}")
    folder.mkdir(parents=True, exist_ok=True)
    planted = Planted()
    written: list[SampleInstance] = []
    studies: dict[str, Study] = {}
    for number, planned in enumerate(_plan(seed, planted), start=1):
        if planned.wave > wave:
            continue
        # Earlier waves are made again, not written: what they plant belongs into the list too.
        dataset = planned.make(np.random.default_rng([seed, 2, number]))
        planted.gather(dataset)
        study = planned.series.study
        studies.setdefault(study.uid, study)
        entry = SampleInstance(
            path=f"wave{planned.wave}-{number:03d}-{planned.kind}.dcm",
            wave=planned.wave,
            kind=planned.kind,
            modality=planned.series.modality,
            patient_id=study.person.patient_id,
            issuer=study.person.issuer,
            study_uid=study.uid,
            series_uid=planned.series.uid,
            sop_uid=str(dataset.SOPInstanceUID),
            sop_class_uid=str(dataset.SOPClassUID),
            expected=HELD if planned.reason else STORED,
            reason=planned.reason,
        )
        written.append(entry)
        if planned.wave == wave:
            dcmwrite(folder / entry.path, dataset, enforce_file_format=True)
    return SampleManifest(
        seed=seed,
        wave=wave,
        files=tuple(entry for entry in written if entry.wave == wave),
        studies=tuple(_study_row(study, wave, written) for study in studies.values()),
        planted=tuple(planted.values()),
    )


def _study_row(study: Study, wave: int, written: list[SampleInstance]) -> SampleStudy:
    own = [entry for entry in written if entry.study_uid == study.uid]
    return SampleStudy(
        study_uid=study.uid,
        patient_id=study.person.patient_id,
        issuer=study.person.issuer,
        patient_name=study.person.name,
        accession_number=study.accession_number,
        study_date=study.da,
        modalities=tuple(sorted({entry.modality for entry in own})),
        instances=len(own),
        expected_stored=sum(entry.expected == STORED for entry in own),
        expected_held=sum(entry.expected == HELD for entry in own),
        new_instances=sum(entry.wave == wave for entry in own),
    )


def _plan(seed: int, planted: Planted) -> Iterator[_Object]:
    cast = make_cast(seed)
    rng = np.random.default_rng([seed, 3])
    days = [some_day(rng) for _ in cast.patients]

    def study(key: str, patient: int, title: str, *, site: int = 0, later: int = 0) -> Study:
        day = days[patient] + dt.timedelta(days=later)
        return Study(key, cast.patients[patient], cast.sites[site], day, seed, title, Uids(seed), cast, planted)

    yield from _ct_chest(study("ct-chest", 0, "CT CHEST"), cast)
    yield from _mr_brain(study("mr-brain", 1, "MR BRAIN", site=1))
    yield from _mr_follow_up(study("mr-follow-up", 1, "MR BRAIN FOLLOW-UP", site=1, later=180))
    chest = Series(study("cr-chest", 1, "CHEST PA", later=-40), 1, "CR", "Thorax p.a.", "CHEST", model="Plate 2")
    yield _Object(1, "cr", chest, 1, lambda rng: images.cr(chest, 1, rng))
    yield from _pet_ct(study("pet-ct", 2, "PET-CT WHOLE BODY", site=1))
    yield from _ultrasound(study("ultrasound", 3, "US ABDOMEN", site=2))
    yield from _radiograph(study("dx-chest", 4, "CHEST PA"))
    yield from _ct_head(study("ct-head", 5, "CT HEAD", site=2))


def _ct_chest(study: Study, cast: Cast) -> Iterator[_Object]:
    axial = Series(study, 1, "CT", "Thorax 5.0 B30f", "CHEST")
    lung = Series(study, 2, "CT", "Lung 5.0 B70f", "CHEST")
    on_time, late = 12, 3
    slices = [(CTImageStorage, axial.sop_uid(number)) for number in range(1, on_time + late + 1)]

    def first(rng: np.random.Generator) -> Dataset:
        dataset = images.ct(axial, 1, on_time + late, rng)
        traps.private_elements(dataset, study)
        traps.nested(dataset, study)
        traps.preamble(dataset, study)
        traps.trailing_padding(dataset, study)
        traps.private_meta(dataset, study)
        images.icon(dataset, study)
        return dataset

    def conflicting(rng: np.random.Generator) -> Dataset:
        dataset = images.ct(lung, 9, 9, rng)
        dataset.PatientName = cast.patients[4].name
        return dataset

    yield _Object(1, "ct-with-traps", axial, 1, first)
    for number in range(2, on_time + late + 1):
        yield _Object(1 if number <= on_time else 2, "ct", axial, number, _ct_of(axial, number, on_time + late))
    for number in range(1, 9):
        yield _Object(1, "ct", lung, number, _ct_of(lung, number, 9))
    contours = Series(study, 3, "RTSTRUCT", "Contours", model="Planner")
    state = Series(study, 4, "PR", "Presentation", rich=False)
    keys = Series(study, 5, "KO", "Key images", rich=False)
    report = Series(study, 6, "SR", "Report", rich=False)
    screen = Series(study, 7, "SC", "Screen save", rich=False)
    yield _Object(
        1, "rtstruct", contours, 1, lambda _: documents.structure_set(contours, 1, axial.uid, slices[:on_time])
    )
    yield _Object(1, "pr", state, 1, lambda _: documents.presentation_state(state, 1, axial.uid, slices[:2]))
    # The last of these arrives with wave 2 only: the reference must resolve then.
    yield _Object(1, "ko", keys, 1, lambda _: documents.key_objects(keys, 1, axial.uid, [slices[3], slices[-1]]))
    yield _Object(1, "sr", report, 1, lambda _: documents.structured_report(report, 1, axial.uid, slices[:3]))
    yield _Object(
        1, "screenshot", screen, 1, lambda rng: images.screenshot(screen, 1, slices[0], rng), "unconfirmed-device"
    )
    yield _Object(2, "sr-addendum", report, 2, lambda _: documents.structured_report(report, 2, axial.uid, slices[-2:]))
    yield _Object(2, "ct-of-another-name", lung, 9, conflicting, "identity-conflict")


def _mr_brain(study: Study) -> Iterator[_Object]:
    for number, title in ((1, "t2 tse tra"), (2, "t1 tse tra")):
        series = Series(study, number, "MR", title, "BRAIN", model="Aurora 3T")
        for instance in range(1, 9):
            yield _Object(1, "mr", series, instance, _mr_of(series, instance, 8))
    perfusion = Series(study, 3, "MR", "perfusion", "BRAIN", model="Aurora 3T")
    yield _Object(1, "enhanced-mr", perfusion, 1, lambda rng: images.enhanced_mr(perfusion, 1, rng))


def _mr_follow_up(study: Study) -> Iterator[_Object]:
    series = Series(study, 1, "MR", "t2 tse tra", "BRAIN", model="Aurora 3T")
    for instance in range(1, 9):
        yield _Object(2, "mr", series, instance, _mr_of(series, instance, 8))


def _pet_ct(study: Study) -> Iterator[_Object]:
    emission = Series(study, 1, "PT", "PET WB", "WHOLEBODY", model="Corona PET")
    for instance in range(1, 13):
        yield _Object(1, "pt", emission, instance, _pt_of(emission, instance, 12))
    attenuation = Series(study, 2, "CT", "AC CT", "WHOLEBODY", rich=False, transfer_syntax=RLELossless)
    for instance in range(1, 5):
        yield _Object(1, "ct-rle", attenuation, instance, _ct_of(attenuation, instance, 4))


def _ultrasound(study: Study) -> Iterator[_Object]:
    cine = Series(study, 1, "US", "Abdomen cine", "ABDOMEN", model="Echo 9")
    letter = Series(study, 2, "DOC", "Letter", rich=False)
    report = Series(study, 3, "SR", "Report", rich=False)
    cines = [(UltrasoundMultiFrameImageStorage, cine.sop_uid(1))]
    yield _Object(1, "us-multi-frame", cine, 1, lambda rng: images.ultrasound(cine, 1, rng), "unconfirmed-device")
    yield _Object(1, "pdf", letter, 1, lambda _: documents.encapsulated_pdf(letter, 1))
    yield _Object(1, "sr", report, 1, lambda _: documents.structured_report(report, 1, cine.uid, cines))


def _radiograph(study: Study) -> Iterator[_Object]:
    chest = Series(study, 1, "DX", "Chest PA", "CHEST", model="Panel 43")
    report = Series(study, 2, "SR", "Report", rich=False)
    pictures = [(DigitalXRayImageStorageForPresentation, chest.sop_uid(1))]
    yield _Object(1, "dx", chest, 1, lambda rng: images.dx(chest, 1, rng))
    yield _Object(
        1,
        "basic-text-sr",
        report,
        1,
        lambda _: documents.structured_report(report, 1, chest.uid, pictures, comprehensive=False),
    )


def _ct_head(study: Study) -> Iterator[_Object]:
    series = Series(study, 1, "CT", "Head 3.0", "HEAD", transfer_syntax=ImplicitVRLittleEndian)

    def first(rng: np.random.Generator) -> Dataset:
        dataset = images.ct(series, 1, 6, rng)
        traps.private_elements(dataset, study)
        traps.private_creator(dataset, study)
        traps.nested(dataset, study)
        return dataset

    yield _Object(1, "ct-implicit-with-traps", series, 1, first)
    for instance in range(2, 7):
        yield _Object(1, "ct-implicit", series, instance, _ct_of(series, instance, 6))


def _ct_of(series: Series, instance: int, count: int) -> Callable[[np.random.Generator], Dataset]:
    return lambda rng: images.ct(series, instance, count, rng)


def _mr_of(series: Series, instance: int, count: int) -> Callable[[np.random.Generator], Dataset]:
    return lambda rng: images.mr(series, instance, count, rng)


def _pt_of(series: Series, instance: int, count: int) -> Callable[[np.random.Generator], Dataset]:
    return lambda rng: images.pt(series, instance, count, rng)


def main(arguments: list[str]) -> None:
    """Write both waves and their manifests: ``python -m dicomanon.sample.corpus FOLDER [SEED]``."""
    folder, seed = Path(arguments[0]), int(arguments[1]) if len(arguments) > 1 else 1
    for wave in WAVES:
        manifest = write_sample(folder / f"wave{wave}", wave=wave, seed=seed)
        (folder / f"manifest{wave}.json").write_text(manifest.to_json())


if __name__ == "__main__":
    main(sys.argv[1:])
