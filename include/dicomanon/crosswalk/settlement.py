"""Decides what a recorded outcome does to the rows it is about; pure, so that every case can be tested alone."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TypeVar
from uuid import UUID

from dicomanon.crosswalk.accessions import Claim
from dicomanon.crosswalk.rows import IdentityEventKind, InstanceState, MappedOutcome
from dicomanon.errors import Fatal, Retriable
from dicomanon.reasons import HoldReason

Choice = TypeVar("Choice", bound=Hashable)

# Defined terms of Modality are one upper-case word (PS3.3 C.7.3.1.1.1); anything else is not written in clear.
_MODALITY = re.compile(r"[A-Z0-9]{2,16}")


@dataclass(slots=True)
class StudyState:
    """What is settled of a study: set once, and changed by decisions about identities only.

    ``keyed_patient_id`` is the row that its objects' Patient ID was met with, ``assigned`` whether somebody said whose
    the study is.
    """

    patient_id: UUID | None
    research_study_uid: str | None
    keyed_patient_id: UUID | None = None
    assigned: bool = False


@dataclass(slots=True)
class SeriesState:
    """What is settled of a series."""

    research_series_uid: str | None
    modality: str


@dataclass(frozen=True, slots=True)
class InstanceRow:
    """An instance as it stands, locked by the caller."""

    id: int
    study_id: UUID
    series_id: UUID
    state: InstanceState
    reason: str
    uid_reused: bool
    input_digest: bytes | None
    output_digest: bytes | None
    profile_version: str
    code_version: str


@dataclass(frozen=True, slots=True)
class Misfit:
    """An identity event to be written; ``subject`` tells repetitions of the same one."""

    kind: IdentityEventKind
    subject: str
    patient_id: UUID | None
    study_id: UUID
    instance_id: int
    other_patient_id: UUID | None = None
    claim: Claim | None = None


@dataclass(slots=True)
class Settlement:
    """What has to be written."""

    outcomes: list[MappedOutcome] = field(default_factory=list)
    misfits: list[Misfit] = field(default_factory=list)
    fitting: list[MappedOutcome] = field(default_factory=list)
    """Outcomes that belong to the study's patient: only their facts describe the study."""


def checked(outcomes: Iterable[MappedOutcome]) -> dict[int, MappedOutcome]:
    """Return one outcome an instance.

    An instance that arrived twice with different content cannot be told from a re-used UID and is held.

    Raises
    ------
    Fatal
        An outcome lacks what its state needs: a defect of the caller.
    """
    single: dict[int, MappedOutcome] = {}
    for outcome in outcomes:
        _require_complete(outcome)
        earlier = single.get(outcome.instance_id)
        if earlier and earlier.input_digest != outcome.input_digest:
            single[outcome.instance_id] = _held(
                outcome, HoldReason.UID_REUSED, "arrived twice in one batch, with different content"
            )
        elif earlier is None or earlier.state != InstanceState.HELD:
            single[outcome.instance_id] = outcome
    return single


def settle(
    outcomes: Mapping[int, MappedOutcome],
    studies: Mapping[UUID, StudyState],
    series: Mapping[UUID, SeriesState],
    instances: Sequence[InstanceRow],
    survivors: Mapping[UUID, UUID] = MappingProxyType({}),
    foreign: Mapping[int, Claim] = MappingProxyType({}),
    withdrawn: Collection[UUID] = (),
) -> Settlement:
    """Decide for each instance, and fill in what was not settled yet of ``studies`` and ``series``.

    The first patient of a study is its patient for ever; where two come in the same call, the one with more
    instances. An object of any other patient, or whose research UIDs are not those of its study and series, or whose
    accession number is another patient's, is held. Whatever belongs to a patient of ``withdrawn``, or comes in a study
    of such a patient, is withdrawn.

    Parameters
    ----------
    survivors
        The patient that each was merged into; whoever is not in it was not merged.
    foreign
        By instance, the study of another patient that has its accession number.
    withdrawn
        Patients who have withdrawn.

    Raises
    ------
    Retriable
        An object was made for a patient who was merged, or before its study was given to another, meanwhile.
    """
    by_study: dict[UUID, list[MappedOutcome]] = defaultdict(list)
    by_series: dict[UUID, list[MappedOutcome]] = defaultdict(list)
    for row in sorted(instances, key=lambda row: row.id):
        by_study[row.study_id].append(outcomes[row.id])
        by_series[row.series_id].append(outcomes[row.id])
    for study_id, members in by_study.items():
        study = studies[study_id]
        _require_current(members, study, survivors)
        study.patient_id = study.patient_id or _most(members, lambda outcome: outcome.patient_id)
        study.keyed_patient_id = study.keyed_patient_id or _most(
            [member for member in members if member.patient_id == study.patient_id],
            lambda outcome: outcome.keyed_patient_id or outcome.patient_id,
        )
        study.research_study_uid = study.research_study_uid or _most(
            members, lambda o: _of_patient(o, o.research_study_uid)
        )
    for series_id, members in by_series.items():
        one = series[series_id]
        one.research_series_uid = one.research_series_uid or _most(
            members, lambda o: _of_patient(o, o.research_series_uid)
        )
        one.modality = one.modality or _most(members, _clear_modality) or ""
    settlement = Settlement()
    for row in instances:
        study = studies[row.study_id]
        outcome = outcomes[row.id]
        if study.patient_id in withdrawn or outcome.patient_id in withdrawn:
            outcome = taken_back(outcome)
        _settle_instance(settlement, row, outcome, study, series[row.series_id], foreign.get(row.id))
    return settlement


def _require_current(members: Sequence[MappedOutcome], study: StudyState, survivors: Mapping[UUID, UUID]) -> None:
    """Refuse what was made before a decision about identities that is in force by now."""
    for patient_id in {outcome.patient_id for outcome in members if outcome.patient_id} - {study.patient_id}:
        person = survivors.get(patient_id, patient_id)
        if study.patient_id is None:
            outdated = person != patient_id
        else:
            outdated = study.assigned or person == survivors.get(study.patient_id, study.patient_id)
        if outdated:
            raise Retriable("somebody decided meanwhile whose the study is: its objects are made anew")


def _settle_instance(
    settlement: Settlement,
    row: InstanceRow,
    outcome: MappedOutcome,
    study: StudyState,
    series: SeriesState,
    claim: Claim | None,
) -> None:
    if row.uid_reused or row.state is InstanceState.WITHDRAWN:
        return
    if row.state is InstanceState.STORED:
        if outcome.input_digest and outcome.input_digest != row.input_digest:
            subject = f"{row.id}|{outcome.input_digest.hex()}"
            settlement.misfits.append(
                Misfit(IdentityEventKind.UID_REUSED, subject, outcome.patient_id, row.study_id, row.id)
            )
        return
    if outcome.state == InstanceState.WITHDRAWN:
        settlement.outcomes.append(outcome)
        return
    if outcome.patient_id and outcome.patient_id != study.patient_id:
        subject = f"{row.study_id}|{outcome.patient_id}"
        settlement.misfits.append(
            Misfit(IdentityEventKind.TWO_PATIENTS, subject, outcome.patient_id, row.study_id, row.id, study.patient_id)
        )
        outcome = _held(outcome, HoldReason.IDENTITY_CONFLICT, "the study belongs to another patient")
    elif outcome.patient_id and (
        (outcome.research_study_uid and outcome.research_study_uid != study.research_study_uid)
        or (outcome.research_series_uid and outcome.research_series_uid != series.research_series_uid)
    ):
        subject = f"{row.id}|{outcome.research_study_uid}|{outcome.research_series_uid}"
        settlement.misfits.append(
            Misfit(IdentityEventKind.UID_REUSED, subject, outcome.patient_id, row.study_id, row.id)
        )
        outcome = _held(outcome, HoldReason.UID_REUSED, "study or series UID is not the enrolled one")
    elif outcome.reason == HoldReason.UID_REUSED:
        subject = f"{row.id}|{outcome.input_digest.hex()}"
        settlement.misfits.append(
            Misfit(IdentityEventKind.UID_REUSED, subject, outcome.patient_id, row.study_id, row.id)
        )
    elif outcome.patient_id and claim:
        subject = f"{claim.accession_index.hex()}|{row.study_id}"
        settlement.misfits.append(
            Misfit(
                IdentityEventKind.ACCESSION_REUSED,
                subject,
                outcome.patient_id,
                row.study_id,
                row.id,
                claim.patient_id,
                claim,
            )
        )
        # What waits for a person anyway goes on waiting for that first.
        if outcome.state != InstanceState.HELD:
            outcome = _held(outcome, HoldReason.IDENTITY_CONFLICT, "its accession number is another patient's")
    elif outcome.patient_id:
        settlement.fitting.append(outcome)
    if not _is_recorded(row, outcome):
        settlement.outcomes.append(outcome)


def _is_recorded(row: InstanceRow, outcome: MappedOutcome) -> bool:
    """Tell whether the row says this already, or says more: a verdict on the same bytes is not undone."""
    same_content = (row.input_digest or b"", row.output_digest, row.profile_version, row.code_version) == (
        outcome.input_digest,
        outcome.output_digest,
        outcome.profile_version,
        outcome.code_version,
    )
    if outcome.state == InstanceState.DEIDENTIFIED:
        return same_content and row.state in {InstanceState.DEIDENTIFIED, InstanceState.VALIDATED, InstanceState.HELD}
    return same_content and row.state == outcome.state and row.reason == outcome.reason


def _most(members: Sequence[MappedOutcome], choose: Callable[[MappedOutcome], Choice | None]) -> Choice | None:
    """Return the commonest choice: of de-identified outcomes where there are any, the first in a tie."""
    for candidates in ([one for one in members if one.state == InstanceState.DEIDENTIFIED], members):
        votes = Counter(choice for outcome in candidates if (choice := choose(outcome)))
        if votes:
            return votes.most_common(1)[0][0]
    return None


def _of_patient(outcome: MappedOutcome, uid: str) -> str:
    # Whose patient is not known, of those nobody knows under which key their research UIDs are to be made.
    return uid if outcome.patient_id else ""


def _clear_modality(outcome: MappedOutcome) -> str:
    # Of de-identified objects only: what they say of their modality goes to the research PACS anyway.
    if outcome.state != InstanceState.DEIDENTIFIED:
        return ""
    return outcome.modality if _MODALITY.fullmatch(outcome.modality) else ""


def taken_back(outcome: MappedOutcome) -> MappedOutcome:
    """Return the outcome of an object whose patient has withdrawn: that it is his, and nothing else of it."""
    return replace(
        outcome,
        state=InstanceState.WITHDRAWN,
        reason="",
        detail="",
        research_study_uid="",
        research_series_uid="",
        research_sop_uid="",
        modality="",
        facts=None,
        output_digest=None,
        output_bytes=0,
        action_counts={},
        device=None,
        event_id=None,
    )


def retired(outcome: MappedOutcome) -> MappedOutcome:
    """Return the outcome of an object whose research UID was that of an object that was removed."""
    return _held(
        outcome, HoldReason.RECALLED, "its research UID was removed: a re-issue with --with-recalled makes it anew"
    )


def _held(outcome: MappedOutcome, reason: HoldReason, detail: str) -> MappedOutcome:
    return replace(outcome, state=InstanceState.HELD, reason=reason, detail=detail, output_digest=None, output_bytes=0)


def held_for_destroyed_keys(outcome: MappedOutcome) -> MappedOutcome:
    """Return what becomes of an outcome when the keys of its patient were destroyed: held, and nothing of it kept."""
    nothing_kept = replace(
        outcome,
        patient_id=None,
        keyed_patient_id=None,
        facts=None,
        research_study_uid="",
        research_series_uid="",
        research_sop_uid="",
    )
    return _held(nothing_kept, HoldReason.KEYS_DESTROYED, "")


def _require_complete(outcome: MappedOutcome) -> None:
    state = outcome.state
    if state == InstanceState.DEIDENTIFIED:
        needed = (
            outcome.patient_id,
            outcome.research_study_uid,
            outcome.research_series_uid,
            outcome.research_sop_uid,
            outcome.input_digest,
            outcome.output_digest,
            outcome.profile_version,
            outcome.code_version,
        )
        if not all(needed) or outcome.reason:
            raise Fatal("a de-identified outcome needs patient, research UIDs, digests and versions, and no reason")
    elif state in {InstanceState.HELD, InstanceState.FILTERED}:
        if not outcome.reason or outcome.output_digest is not None:
            raise Fatal("a held or filtered outcome needs a reason and has no output")
    else:
        raise Fatal("an outcome is deidentified, held or filtered")
