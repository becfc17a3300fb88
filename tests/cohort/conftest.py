"""A small clinic in a real crosswalk: its studies went all the way into the research PACS."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.promises import removing
from tests.site import Site, judge_by_counts

from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.projects.rows import ProjectTerms
from dicomanon.crosswalk.rows import MappedOutcome, Receipt, Verdict
from dicomanon.identity import InstanceSighting, PatientIdentity, StudyFacts, StudySighting
from dicomanon.pacs.store import ResearchPacs
from dicomanon.pipeline import validate
from dicomanon.reasons import HoldReason
from dicomanon.signing import SigningKey

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
NOW = datetime(2026, 11, 22, tzinfo=UTC)


@dataclass(frozen=True)
class Study:
    """A study to put there: one series for each modality, each with ``instances`` instances."""

    patient_id: str
    date: str
    accession: str
    description: str = "Thorax"
    modalities: tuple[str, ...] = ("CT",)
    instances: int = 2
    issuer: str = "HOME"
    held: int = 0
    series_descriptions: tuple[str, ...] = field(default=())
    name: str = "Doe^Jane"
    birth_date: str = ""
    sex: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    """More of :class:`StudyFacts`, for all series."""
    series_facts: tuple[Mapping[str, str], ...] = ()
    """The same, series by series."""
    says: Mapping[str, str | int | float] = field(default_factory=dict)
    """What its de-identified objects say of themselves."""


def research(source: str) -> str:
    return "2.25." + str(int.from_bytes(hashlib.sha256(source.encode()).digest()[:12], "big"))


def admit(crosswalk: Crosswalk, studies: Sequence[Study]) -> None:
    """Take studies through ledger, mapping, validation and store, as the pipeline would."""
    for study in studies:
        uid = f"1.2.{study.accession.encode().hex()}"
        series = {f"{uid}.{number}": modality for number, modality in enumerate(study.modalities, start=1)}
        sightings = [
            InstanceSighting(one, f"{one}.{instance}", CT if modality == "CT" else MR)
            for one, modality in series.items()
            for instance in range(1, study.instances + 1)
        ]
        crosswalk.ledger.observe([StudySighting(uid, len(sightings))], NOW)
        due = next(one for one in crosswalk.ledger.due(timedelta(0), NOW) if one.study_uid.reveal() == uid)
        crosswalk.ledger.enroll(due.study_id, sightings, NOW)
        run = crosswalk.ledger.open_run("ingest_studies", f"run-{study.accession}")
        planned = [one.instance_id for one in crosswalk.ledger.unplanned(run)]
        batch = crosswalk.ledger.open_batch(run, 1, planned)
        patient = crosswalk.patients.get_or_create(
            PatientIdentity(study.patient_id, study.issuer, study.name, study.birth_date, study.sex)
        )
        outcomes, verdicts, receipts = [], [], []
        for number, source in enumerate(crosswalk.ledger.batch_sources(batch)):
            modality = series[source.series_uid.reveal()]
            described = study.series_descriptions[number % len(study.series_descriptions)] if (
                study.series_descriptions) else ""  # fmt: skip
            more = dict(study.facts)
            if study.series_facts:
                more |= study.series_facts[list(series).index(source.series_uid.reveal())]
            digest = hashlib.sha256(source.sop_uid.reveal().encode()).digest()
            outcomes.append(
                MappedOutcome(
                    instance_id=source.instance_id,
                    state="deidentified",
                    patient_id=patient.id,
                    research_study_uid=research(uid),
                    research_series_uid=research(source.series_uid.reveal()),
                    research_sop_uid=research(source.sop_uid.reveal()),
                    sop_class_uid=CT if modality == "CT" else MR,
                    modality=modality,
                    facts=StudyFacts(
                        study_date=study.date,
                        accession_number=study.accession,
                        study_description=study.description,
                        modality=modality,
                        series_description=described,
                        **more,
                    ),
                    input_digest=hashlib.sha256(digest).digest(),
                    output_digest=digest,
                    input_bytes=600,
                    output_bytes=500,
                    profile_version="research@000000000000",
                    code_version="0",
                )
            )
            passed = number >= study.held
            reason = None if passed else HoldReason.RESIDUAL_PHI
            verdicts.append(Verdict(source.instance_id, passed, {}, reason, facts=study.says))
            if passed:
                receipts.append(Receipt(source.instance_id, accepted=True, confirmed=True, status=200))
        crosswalk.mapping.record(batch, outcomes)
        crosswalk.mapping.record_verdicts(batch, verdicts)
        crosswalk.mapping.record_receipts(batch, receipts)
        crosswalk.ledger.close_run(run, balanced=True)


OPEN_TERMS: dict[str, Any] = {
    "title": "Nodules", "lead": "Ada", "ethics_number": "EK 1", "ethics_expires": date(9999, 12, 31),
    "retention_days": 365, "profiles": (), "criteria": None, "minimum_patients": 2, "approval_for": frozenset(),
}  # fmt: skip
"""All that a project can be allowed."""


def declare(crosswalk: Crosswalk, project: str = "P", *requesters: str, **changes: Any) -> None:
    """Let a project hold what is allowed at most, but for the changes, and logins ask for it."""
    why = {"actor": "ada", "reason": "decided"}
    crosswalk.projects.set(project, ProjectTerms(**OPEN_TERMS | changes), **why)
    for requester in requesters or ("researcher",):
        crosswalk.projects.add_requester(project, requester, **why)


CLINIC = (
    Study("A1", "20200115", "ACC-1", "CT Thorax", ("CT", "MR")),
    Study("A1", "20210301", "ACC-2", "MR Neuro", ("MR",)),
    Study("B2", "20200220", "ACC-3", "CT Thorax", series_descriptions=("Lung 1.0", "Localizer")),
    Study("C3", "", "ACC-4", "CT Abdomen", held=1),
    Study("D4", "20190101", "ACC-5", "CT Abdomen", held=2),
    Study("A1", "20200115", "ACC-6", "CT Pelvis", issuer="AWAY"),
)


@pytest.fixture
def clinic(crosswalk: Crosswalk) -> Crosswalk:
    """Six studies of five patients; of the fifth study nothing was stored."""
    admit(crosswalk, CLINIC)
    return crosswalk


WARD = (
    Study(
        "P1", "20200115", "W-1", "CT Thorax", ("CT", "CT"), name="Ngata^Hana", birth_date="19500120", sex="F",
        facts={"manufacturer": "ACME", "manufacturer_model": "One", "requesting_service": "Oncology, day ward"},
        series_facts=(
            {"body_part": "CHEST", "slice_thickness": "1.0", "contrast": "YES", "protocol_name": "Thorax low dose"},
            {"body_part": "CHEST", "slice_thickness": "5", "contrast": "NO", "protocol_name": "Thorax"},
        ),
    ),
    Study("P1", "20200420", "W-2", "CT Abdomen", name="Ngata^Hana", birth_date="19500120", sex="F", instances=5,
          facts={"body_part": "ABDOMEN", "slice_thickness": "2.5", "contrast": "NO", "manufacturer": "Umbrella"}),
    Study("P2", "20200301", "W-3", "MG left", ("MR",), name="Moreau^Luc", birth_date="20020301", sex="M",
          facts={"laterality": "L", "body_part": "BREAST", "requesting_service": "Surgery"}),
    Study("P3", "20200301", "W-4", "", name="", instances=1),
)  # fmt: skip


@pytest.fixture
def signing_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SigningKey:
    """The key that the site signs with, named by the environment."""
    path = tmp_path / "audit_key.pem"
    for name, value in {"AUDIT_KEY_FILE": path, "KEYRING_FILE": tmp_path, "CROSSWALK_DSN": "unused"}.items():
        monkeypatch.setenv(f"DICOMANON_{name}", str(value))
    return SigningKey.generate(path)


@pytest.fixture
def ward(crosswalk: Crosswalk) -> Crosswalk:
    """Four studies of three patients: two whose objects tell much, and one of whom nothing is told."""
    admit(crosswalk, WARD)
    return crosswalk


@pytest.fixture
def filled(site: Site, monkeypatch: pytest.MonkeyPatch) -> removing.Clinic:
    """A site with a series of three slices of one patient and one of two of another, released together."""
    monkeypatch.setattr(validate, "run_checkpoint", judge_by_counts)
    return removing.clinic(site)


@pytest.fixture
def pacs(filled: removing.Clinic) -> Iterator[ResearchPacs]:
    """The research PACS that they are in."""
    with filled.site.runtime() as runtime:
        yield runtime.research
