"""Writes the outcomes of a batch into the mapping: one transaction, rows locked in one order."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from dicomanon.crosswalk import action_counts, devices
from dicomanon.crosswalk.accessions import foreign_claims
from dicomanon.crosswalk.enrollment import standard_sop_class
from dicomanon.crosswalk.facts import SERIES_FIELDS, CollectedFacts, collect, open_facts, seal_facts
from dicomanon.crosswalk.identity_events import link_instances, record_identity_event
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.keys.data_keys import Sealer
from dicomanon.crosswalk.keys.resealing import reseal_study
from dicomanon.crosswalk.people import survivors
from dicomanon.crosswalk.removals.objects import former_uids
from dicomanon.crosswalk.rows import InstanceState, MappedOutcome
from dicomanon.crosswalk.sealed import index_accession
from dicomanon.crosswalk.session import Connection, Session
from dicomanon.crosswalk.settlement import (
    InstanceRow,
    Misfit,
    SeriesState,
    StudyState,
    checked,
    held_for_destroyed_keys,
    retired,
    settle,
    taken_back,
)
from dicomanon.devices import DeviceKey
from dicomanon.errors import Fatal, Retriable
from dicomanon.identity import StudyFacts
from dicomanon.values import BatchId

State = TypeVar("State")

_LONGEST_DETAIL = 500


@dataclass(frozen=True, slots=True)
class _Parent(Generic[State]):
    """A locked study or series row: as it was, as it is to be, the facts it has, and the study's data key."""

    before: State
    after: State
    facts: CollectedFacts
    key: Sealer


@dataclass(frozen=True, slots=True)
class _Patients:
    """Locked patient rows: whose keys were destroyed, who has withdrawn, and the salt of each."""

    destroyed: set[UUID]
    withdrawn: set[UUID]
    salts: dict[UUID, bytes | None]


def record(session: Session, batch_id: BatchId, outcomes: Iterable[MappedOutcome]) -> None:
    """Record what became of instances of a batch; the contract is :meth:`Mapping.record`'s."""
    single = checked(outcomes)
    keyring = session.keyring
    with session.transaction() as connection:
        patients = _lock_patients(connection, single.values())
        former = former_uids(connection, [outcome.research_sop_uid for outcome in single.values()])
        single = {row: _as_it_may_be(outcome, patients, former) for row, outcome in single.items()}
        members = _members(connection, batch_id, single.keys())
        ours = [single[instance_id] for instance_id in members]
        _require_current_salt(ours, patients.salts)
        persons = survivors(connection, (o.patient_id for o in ours if o.patient_id))
        foreign = foreign_claims(
            session, connection, ours, {row: study for row, (study, _) in members.items()}, persons
        )
        studies = _lock_studies(session, connection, {study_id for study_id, _ in members.values()})
        # What was destroyed meanwhile is settled; whoever still works on it is too late.
        members = {instance: parents for instance, parents in members.items() if parents[0] in studies}
        series = _lock_series(connection, {series: studies[study].key for study, series in members.values()})
        instances = _lock_instances(connection, batch_id, members)
        persons |= survivors(connection, (one.before.patient_id for one in studies.values() if one.before.patient_id))
        settlement = settle(
            single,
            {row: parent.after for row, parent in studies.items()},
            {row: parent.after for row, parent in series.items()},
            instances,
            persons,
            foreign,
            # Their studies are locked: who withdraws now waits for us, and finds what we write.
            patients.withdrawn | _withdrawn_of_studies(connection, studies),
        )
        facts = _facts_by_parent(settlement.fitting, members)
        _write_studies(connection, keyring, studies, facts)
        _write_series(connection, series, facts)
        _write_instances(connection, settlement.outcomes)
        _enter_devices(session, connection, settlement.outcomes)
        links = [
            (_event(connection, keyring, studies[misfit.study_id].key, misfit), misfit.instance_id)
            for misfit in settlement.misfits
        ]
        links += [(one.event_id, one.instance_id) for one in settlement.outcomes if one.event_id]
        link_instances(connection, links)


def _event(connection: Connection, keyring: Keyring, key: Sealer, misfit: Misfit) -> UUID:
    return record_identity_event(
        connection,
        keyring,
        key,
        misfit.kind,
        misfit.subject,
        patient_id=misfit.patient_id,
        other_patient_id=misfit.other_patient_id,
        study_id=misfit.study_id,
        other_study_id=misfit.claim.study_id if misfit.claim else None,
        instance_id=misfit.instance_id,
        accession_index=misfit.claim.accession_index if misfit.claim else None,
    )


def _members(connection: Connection, batch_id: BatchId, instance_ids: Iterable[int]) -> dict[int, tuple[UUID, UUID]]:
    """Return study and series of those instances that still belong to the batch.

    An instance that a later run has taken over is left to that run: whoever still works for the old batch is too late.
    """
    wanted = list(instance_ids)
    rows = connection.execute(
        "SELECT id, study_id, series_id, batch_id FROM crosswalk.instance WHERE id = ANY(%s)", (wanted,)
    ).fetchall()
    if len(rows) != len(wanted):
        raise Fatal(f"{len(wanted) - len(rows)} outcomes are about instances that the ledger does not have")
    return {row[0]: (row[1], row[2]) for row in rows if row[3] == batch_id}


def _lock_patients(connection: Connection, outcomes: Iterable[MappedOutcome]) -> _Patients:
    """Return what became of the patients since they were asked for, or before.

    They stay locked, so that nothing of this happens to anybody, nobody is merged, and nobody's objects are re-issued,
    between here and the commit.
    """
    rows = connection.execute(
        "SELECT id, key_destroyed_at IS NOT NULL, withdrawn_by IS NOT NULL, uid_salt FROM crosswalk.patient"
        " WHERE id = ANY(%s) ORDER BY id FOR SHARE",
        (list({outcome.patient_id for outcome in outcomes if outcome.patient_id}),),
    ).fetchall()
    return _Patients(
        {row[0] for row in rows if row[1]}, {row[0] for row in rows if row[2]}, {row[0]: row[3] for row in rows}
    )


def _require_current_salt(outcomes: Iterable[MappedOutcome], salts: dict[UUID, bytes | None]) -> None:
    """Refuse what was made before a re-issue that is in force by now: its UIDs fit nothing else of the patient."""
    if any(o.patient_id and o.research_sop_uid and salts.get(o.patient_id) != o.uid_salt for o in outcomes):
        raise Retriable("the patient was re-issued meanwhile: its objects are made anew")


def _withdrawn_of_studies(connection: Connection, studies: dict[UUID, _Parent[StudyState]]) -> set[UUID]:
    """Return the patients of the studies who have withdrawn."""
    patients = {study.after.patient_id for study in studies.values() if study.after.patient_id}
    rows = connection.execute(
        "SELECT id FROM crosswalk.patient WHERE id = ANY(%s) AND withdrawn_by IS NOT NULL", (list(patients),)
    ).fetchall()
    return {row[0] for row in rows}


def _as_it_may_be(outcome: MappedOutcome, patients: _Patients, former: set[str]) -> MappedOutcome:
    # Destroyed first: of such a patient not even that an object is his may be learned again.
    if outcome.patient_id in patients.destroyed:
        return held_for_destroyed_keys(outcome)
    if outcome.patient_id in patients.withdrawn:
        return taken_back(outcome)
    if outcome.state == InstanceState.DEIDENTIFIED and outcome.research_sop_uid in former:
        return retired(outcome)
    return outcome


def _lock_studies(session: Session, connection: Connection, ids: set[UUID]) -> dict[UUID, _Parent[StudyState]]:
    """Return the studies, each with a data key; without those whose keys were destroyed."""
    locked = (
        "SELECT id, patient_id, research_study_uid, keyed_patient_id, patient_assigned, facts_sealed, key_wrapped"
        " FROM crosswalk.study"
        " WHERE id = ANY(%s) AND key_destroyed_at IS NULL ORDER BY id FOR NO KEY UPDATE"
    )
    rows = connection.execute(locked, (list(ids),)).fetchall()
    if keyless := [row[0] for row in rows if row[6] is None]:
        for study_id in keyless:
            reseal_study(session.keys, connection, study_id)
        rows = connection.execute(locked, (list(ids),)).fetchall()
    studies = {}
    for study_id, *state, facts_sealed, wrapped in rows:
        key = session.keys.of("study", study_id, wrapped)
        facts = open_facts(key, "study.facts", study_id, facts_sealed)
        studies[study_id] = _Parent(StudyState(*state), StudyState(*state), facts, key)
    return studies


def _lock_series(connection: Connection, keys: dict[UUID, Sealer]) -> dict[UUID, _Parent[SeriesState]]:
    rows = connection.execute(
        "SELECT id, research_series_uid, modality, facts_sealed FROM crosswalk.series WHERE id = ANY(%s)"
        " ORDER BY id FOR NO KEY UPDATE",
        (list(keys),),
    ).fetchall()
    return {
        row[0]: _Parent(
            SeriesState(row[1], row[2]),
            SeriesState(row[1], row[2]),
            open_facts(keys[row[0]], "series.facts", row[0], row[3]),
            keys[row[0]],
        )
        for row in rows
    }


def _lock_instances(connection: Connection, batch_id: BatchId, ids: Iterable[int]) -> list[InstanceRow]:
    rows = connection.execute(
        "SELECT i.id, i.study_id, i.series_id, i.state, i.reason, i.uid_reused, i.input_digest, i.output_digest,"
        " coalesce(r.profile_version, ''), coalesce(r.code_version, '')"
        " FROM crosswalk.instance i LEFT JOIN crosswalk.recipe r ON r.id = i.recipe_id"
        " WHERE i.id = ANY(%s) AND i.batch_id = %s ORDER BY i.id FOR NO KEY UPDATE OF i",
        (list(ids), batch_id),
    ).fetchall()
    return [InstanceRow(row[0], row[1], row[2], InstanceState(row[3]), *row[4:]) for row in rows]


def _facts_by_parent(
    outcomes: Sequence[MappedOutcome], members: dict[int, tuple[UUID, UUID]]
) -> dict[UUID, dict[StudyFacts, None]]:
    facts: dict[UUID, dict[StudyFacts, None]] = defaultdict(dict)
    for outcome in outcomes:
        if outcome.facts is not None:
            for parent in members[outcome.instance_id]:
                facts[parent][outcome.facts] = None
    return facts


def _write_studies(
    connection: Connection,
    keyring: Keyring,
    studies: dict[UUID, _Parent[StudyState]],
    facts: dict[UUID, dict[StudyFacts, None]],
) -> None:
    for study_id, study in studies.items():
        collected = collect(study.facts, facts.get(study_id, ()))
        if study.after == study.before and collected == study.facts:
            continue
        connection.execute(
            "UPDATE crosswalk.study SET patient_id = %s, research_study_uid = %s, keyed_patient_id = %s,"
            " facts_sealed = %s WHERE id = %s",
            (
                study.after.patient_id,
                study.after.research_study_uid,
                study.after.keyed_patient_id,
                seal_facts(study.key, "study.facts", study_id, collected),
                study_id,
            ),
        )
        for accession_number in collected.get("accession_number", ()):
            connection.execute(
                "INSERT INTO crosswalk.study_accession (accession_index, study_id) VALUES (%s, %s)"
                " ON CONFLICT DO NOTHING",
                (index_accession(keyring, accession_number), study_id),
            )


def _write_series(
    connection: Connection,
    series: dict[UUID, _Parent[SeriesState]],
    facts: dict[UUID, dict[StudyFacts, None]],
) -> None:
    for series_id, one in series.items():
        collected = collect(one.facts, facts.get(series_id, ()), SERIES_FIELDS)
        if one.after != one.before or collected != one.facts:
            connection.execute(
                "UPDATE crosswalk.series SET research_series_uid = %s, modality = %s, facts_sealed = %s WHERE id = %s",
                (
                    one.after.research_series_uid,
                    one.after.modality,
                    seal_facts(one.key, "series.facts", series_id, collected),
                    series_id,
                ),
            )


def _write_instances(connection: Connection, outcomes: Sequence[MappedOutcome]) -> None:
    if not outcomes:
        return
    recipes = _recipes(connection, {(outcome.profile_version, outcome.code_version) for outcome in outcomes})
    counted = action_counts.rows_for(connection, (o.action_counts for o in outcomes if _is_counted(o)))
    connection.execute(
        "CREATE TEMP TABLE IF NOT EXISTS recorded (id bigint, state crosswalk.instance_state, reason text, detail text,"
        " input_digest bytea, output_digest bytea, input_bytes bigint, output_bytes bigint, research_sop_uid text,"
        " sop_class_uid text, recipe_id integer, action_counts_id bigint) ON COMMIT DELETE ROWS"
    )
    with connection.cursor().copy(
        "COPY pg_temp.recorded (id, state, reason, detail, input_digest, output_digest, input_bytes, output_bytes,"
        " research_sop_uid, sop_class_uid, recipe_id, action_counts_id) FROM STDIN"
    ) as copy:
        for outcome in outcomes:
            copy.write_row(
                (
                    outcome.instance_id,
                    str(outcome.state),
                    str(outcome.reason),
                    outcome.detail[:_LONGEST_DETAIL],
                    outcome.input_digest or None,
                    outcome.output_digest,
                    outcome.input_bytes,
                    outcome.output_bytes,
                    outcome.research_sop_uid or None,
                    standard_sop_class(outcome.sop_class_uid),
                    recipes[outcome.profile_version, outcome.code_version],
                    counted[action_counts.canonical(outcome.action_counts)] if _is_counted(outcome) else None,
                )
            )
    connection.execute(
        "UPDATE crosswalk.instance i SET state = r.state, reason = r.reason, detail = r.detail,"
        " input_digest = r.input_digest, output_digest = r.output_digest,"
        " input_bytes = r.input_bytes, output_bytes = r.output_bytes, research_sop_uid = r.research_sop_uid,"
        " sop_class_uid = CASE WHEN r.sop_class_uid = '' THEN i.sop_class_uid ELSE r.sop_class_uid END,"
        " recipe_id = r.recipe_id, action_counts_id = r.action_counts_id, state_changed_at = now()"
        " FROM pg_temp.recorded r WHERE i.id = r.id"
    )


def _enter_devices(session: Session, connection: Connection, outcomes: Sequence[MappedOutcome]) -> None:
    seen: dict[DeviceKey, list[int]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.device is not None:
            seen[outcome.device].append(outcome.instance_id)
    if seen:
        devices.enter(session, connection, seen)


def _is_counted(outcome: MappedOutcome) -> bool:
    return outcome.state == InstanceState.DEIDENTIFIED and bool(outcome.action_counts)


def _recipes(connection: Connection, wanted: set[tuple[str, str]]) -> dict[tuple[str, str], int]:
    found = {}
    for profile_version, code_version in sorted(wanted):
        key = (profile_version, code_version)
        query = "SELECT id FROM crosswalk.recipe WHERE profile_version = %s AND code_version = %s"
        row = connection.execute(query, key).fetchone()
        if row is None:
            connection.execute(
                "INSERT INTO crosswalk.recipe (profile_version, code_version) VALUES (%s, %s) ON CONFLICT DO NOTHING",
                key,
            )
            row = connection.execute(query, key).fetchone()
        if row is None:
            raise Fatal("a recipe that was just entered is not in the crosswalk")
        found[key] = row[0]
    return found
