"""Identity events as they are decided: overruled, upheld, or by studies that go to another patient."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from uuid import UUID, uuid4

from dicomanon.crosswalk.decisions.merging import (
    assign,
    merge_for_event,
    pseudonym_of,
    require_keys,
    require_present,
    row_of,
)
from dicomanon.crosswalk.decisions.rows import Decided, DecisionKind, Signed
from dicomanon.crosswalk.decisions.signing import Decision, decision, open_reissues, settle_events
from dicomanon.crosswalk.identities import PARTS, tells
from dicomanon.crosswalk.keys.keychain import Keychain
from dicomanon.crosswalk.keys.resealing import key_of_patient
from dicomanon.crosswalk.patients import create
from dicomanon.crosswalk.people import known_identities
from dicomanon.crosswalk.rows import IdentityEventKind
from dicomanon.crosswalk.sealed import open_identity, open_text, seal_variant
from dicomanon.crosswalk.session import Connection, Session
from dicomanon.errors import Fatal, Held
from dicomanon.identity import PatientIdentity
from dicomanon.reasons import HoldReason
from dicomanon.values import Pseudonym


@dataclass(frozen=True, slots=True, repr=False)
class EventRow:
    """An event with what came and did not fit, opened; PHI."""

    id: UUID
    kind: str
    patient_id: UUID | None
    other_patient_id: UUID | None
    study_id: UUID | None
    accession_index: bytes | None
    seen: PatientIdentity | None


def overrule(session: Session, event_id: UUID, shared: bool, signed: Signed) -> Decided:
    """Say that an event is none; the contract is :meth:`Identities.overrule`'s."""
    with decision(session, DecisionKind.OVERRULE, signed) as taken:
        event = _event(taken, event_id)
        if shared and event.kind != IdentityEventKind.ACCESSION_REUSED:
            raise Fatal("only an accession number can be said to be nobody's")
        events = [event_id]
        if event.kind == IdentityEventKind.PATIENT_DIFFERS:
            if event.patient_id is None or event.seen is None:
                raise Fatal("the event does not say who came: split, or correct the source")
            _know_variant(taken, event.patient_id, event.seen)
        elif event.kind == IdentityEventKind.TWO_PATIENTS:
            _leave_with_its_patient(taken, event)
        elif event.kind == IdentityEventKind.ACCESSION_REUSED:
            events = _accept_accession(taken, event, shared)
        reissues = 0
        if event.kind == IdentityEventKind.UID_REUSED:
            reissues = _take_new_content(taken, event_id)
        freed = settle_events(taken, events)
        taken.done = replace(taken.done, settled=tuple(events), freed=freed, reissues=reissues)
        return taken.done


def uphold(session: Session, event_id: UUID, signed: Signed) -> Decided:
    """Say that an event is right; the contract is :meth:`Identities.uphold`'s."""
    with decision(session, DecisionKind.UPHOLD, signed) as taken:
        # What is in the event is not looked at: it may have been destroyed with the keys of its patient.
        row = taken.connection.execute(
            "SELECT p.id FROM crosswalk.identity_event e JOIN crosswalk.patient p ON p.id = e.patient_id"
            " WHERE e.id = %s",
            (event_id,),
        ).fetchone()
        taken.about = pseudonym_of(taken.connection, row[0]) if row else None
        settle_events(taken, [event_id])
        taken.done = replace(taken.done, settled=(event_id,))
        return taken.done


def merge_event(session: Session, event_id: UUID, keep: str | None, signed: Signed) -> Decided:
    """Say that the two patients of an event are one; the contract is :meth:`Identities.merge_event`'s."""
    with decision(session, DecisionKind.MERGE, signed) as taken:
        event = _event(taken, event_id)
        if event.patient_id is None or event.other_patient_id is None:
            raise Fatal("the event is not about two patients: overrule it, or split")
        taken.done = merge_for_event(taken, event.patient_id, event.other_patient_id, keep)
        return taken.done


def split(
    session: Session, research_study_uids: Sequence[str], event_id: UUID | None, to: str | None, signed: Signed
) -> Decided:
    """Give studies to another patient; the contract is :meth:`Identities.split`'s."""
    with decision(session, DecisionKind.SPLIT, signed) as taken:
        connection = taken.connection
        event = _event(taken, event_id) if event_id else None
        if event and event.kind == IdentityEventKind.UID_REUSED:
            raise Fatal("the event is about content, not about a patient: overrule or uphold it")
        if event and event.kind != IdentityEventKind.PATIENT_DIFFERS and not to:
            # A new patient would have two in the study, or the number of another one, as before.
            raise Fatal("say with --to whose the study is")
        studies = _studies(connection, research_study_uids, event)
        target = row_of(connection, to) if to else _new_patient(taken, studies, event)
        survivor, pseudonym = _root(connection, target)
        require_keys(connection, [survivor])
        # In the order in which whoever records locks: patient, study, instance.
        connection.execute("SELECT id FROM crosswalk.patient WHERE id = %s FOR KEY SHARE", (survivor,))
        before = connection.execute(
            "SELECT st.id, st.patient_id, (SELECT p.survivor_id FROM crosswalk.patient p WHERE p.id = st.patient_id)"
            " FROM crosswalk.study st WHERE st.id = ANY(%s) ORDER BY st.id FOR NO KEY UPDATE OF st",
            (studies,),
        ).fetchall()
        require_present(connection, [survivor, *(patient for _, patient, _ in before if patient)])
        # First, while what was made still bears the pseudonym of its study.
        reissues, releases = open_reissues(taken, [study for study, patient, _ in before if patient != survivor])
        assign(taken, studies, survivor, keyed=True)
        for study_id, _, person in before:
            if to and person not in {None, survivor}:
                _let_in(taken, study_id, survivor, person)
            if to and event and event.seen:
                _know_variant(taken, survivor, event.seen, study_id)
        freed = settle_events(taken, [event.id] if event else [])
        taken.done = replace(
            taken.done,
            survivor=pseudonym,
            studies=tuple(studies),
            settled=(event.id,) if event else (),
            freed=freed,
            reissues=reissues,
            releases=releases,
        )
        return taken.done


def event_row(connection: Connection, keys: Keychain, event_id: UUID) -> EventRow:
    """Return an event with its values.

    Raises
    ------
    Fatal
        There is no such event, or its values were destroyed with the keys of its patient or study.
    """
    row = connection.execute(
        "SELECT e.kind, e.patient_id, e.other_patient_id, e.study_id, e.accession_index, e.parts, e.detail_sealed,"
        " CASE WHEN e.study_id IS NULL THEN p.key_wrapped ELSE st.key_wrapped END,"
        " p.key_destroyed_at IS NOT NULL OR st.key_destroyed_at IS NOT NULL"
        " FROM crosswalk.identity_event e LEFT JOIN crosswalk.patient p ON p.id = e.patient_id"
        " LEFT JOIN crosswalk.study st ON st.id = e.study_id WHERE e.id = %s",
        (event_id,),
    ).fetchone()
    if row is None:
        raise Fatal("no such identity event: `dicomanon identity list` names them")
    kind, patient_id, other_patient_id, study_id, accession_index, parts, sealed, wrapped, destroyed = row
    if destroyed:
        raise Fatal("the keys of the patient of this event were destroyed: nothing of it is left but to uphold it")
    key = keys.of("study", study_id, wrapped) if study_id else keys.of("patient", patient_id, wrapped)
    seen = json.loads(open_text(key, "identity_event.detail", event_id, sealed)).get("seen")
    return EventRow(
        id=event_id,
        kind=kind,
        patient_id=patient_id,
        other_patient_id=other_patient_id,
        study_id=study_id,
        accession_index=accession_index,
        seen=_seen(seen, parts),
    )


def _event(taken: Decision, event_id: UUID) -> EventRow:
    """Return the event that is decided, and note whom it is about."""
    event = event_row(taken.connection, taken.session.keys, event_id)
    taken.about = pseudonym_of(taken.connection, event.patient_id) if event.patient_id else None
    return event


def _seen(seen: list[str] | str | None, parts: Sequence[str]) -> PatientIdentity | None:
    if isinstance(seen, str):
        # Before migration 0013 an event was about one part, and kept that alone.
        return PatientIdentity("", **{parts[0]: seen})
    return PatientIdentity(*seen) if seen else None


def _know_variant(taken: Decision, patient_id: UUID, seen: PatientIdentity, study_id: UUID | None = None) -> None:
    if not any(tells(seen, part) for part in PARTS):
        return
    row = uuid4()
    key = key_of_patient(taken.session.keys, taken.connection, patient_id)
    if key is None:
        raise Held(HoldReason.KEYS_DESTROYED)
    taken.connection.execute(
        "INSERT INTO crosswalk.patient_variant (id, patient_id, study_id, identity_sealed, decision_id)"
        " VALUES (%s, %s, %s, %s, %s)",
        (row, patient_id, study_id, seal_variant(key, row, seen), taken.id),
    )


def _leave_with_its_patient(taken: Decision, event: EventRow) -> None:
    """Give the whole study to its patient, whatever other Patient ID some of its objects bear."""
    row = taken.connection.execute(
        "SELECT st.patient_id, o.survivor_id FROM crosswalk.study st JOIN crosswalk.patient o ON o.id = %s"
        " WHERE st.id = %s",
        (event.patient_id, event.study_id),
    ).fetchone()
    if row is None or row[0] is None or event.study_id is None:
        raise Fatal("the study of the event has no patient yet")
    # In the order in which whoever records locks: patient, study, instance. None but a decision changes the patient.
    taken.connection.execute("SELECT id FROM crosswalk.patient WHERE id = %s FOR KEY SHARE", (row[0],))
    assign(taken, [event.study_id], row[0], keyed=True)
    _let_in(taken, event.study_id, row[0], row[1])


def _let_in(taken: Decision, study_id: UUID, patient_id: UUID, person: UUID) -> None:
    """Let objects of a study that a patient was given to name who they named before."""
    for identity in known_identities(taken.connection, taken.session.keys, [person], [study_id]).get(person, ()):
        _know_variant(taken, patient_id, identity, study_id)


def _accept_accession(taken: Decision, event: EventRow, shared: bool) -> list[UUID]:
    """Let a study have the number; where the number is nobody's, everybody. Return the events that this settles."""
    connection = taken.connection
    if not shared:
        connection.execute(
            "INSERT INTO crosswalk.study_accession (accession_index, study_id) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            (event.accession_index, event.study_id),
        )
        return [event.id]
    connection.execute(
        "INSERT INTO crosswalk.shared_accession (accession_index, decision_id) VALUES (%s, %s) ON CONFLICT DO NOTHING",
        (event.accession_index, taken.id),
    )
    rows = connection.execute(
        "SELECT e.id FROM crosswalk.identity_event e WHERE e.accession_index = %s"
        " AND NOT EXISTS (SELECT FROM crosswalk.identity_event_decision d WHERE d.event_id = e.id) ORDER BY e.id",
        (event.accession_index,),
    ).fetchall()
    return sorted({event.id, *(row[0] for row in rows)})


def _take_new_content(taken: Decision, event_id: UUID) -> int:
    """Mark stored instances whose source has other content now; return how many."""
    if taken.connection.execute(
        "SELECT 1 FROM crosswalk.identity_event_instance l JOIN crosswalk.instance i ON i.id = l.instance_id"
        " WHERE l.event_id = %s AND i.uid_reused LIMIT 1",
        (event_id,),
    ).fetchone():
        raise Fatal("its SOP Instance UID is another instance's: correct it in the clinical PACS, and uphold the event")
    return taken.connection.execute(
        "INSERT INTO crosswalk.reissue (instance_id, decision_id)"
        " SELECT i.id, %s FROM crosswalk.identity_event_instance l JOIN crosswalk.instance i ON i.id = l.instance_id"
        " WHERE l.event_id = %s AND i.state = 'stored' ORDER BY i.id"
        " ON CONFLICT (instance_id) WHERE closed_at IS NULL DO NOTHING",
        (taken.id, event_id),
    ).rowcount


def _studies(connection: Connection, research_uids: Collection[str], event: EventRow | None) -> list[UUID]:
    rows = connection.execute(
        "SELECT id, research_study_uid FROM crosswalk.study WHERE research_study_uid = ANY(%(uids)s)"
        " OR id::text = ANY(%(uids)s)",
        {"uids": [uid.strip() for uid in research_uids]},
    ).fetchall()
    if len(rows) != len(set(research_uids)):
        raise Fatal(f"{len(set(research_uids)) - len(rows)} of the studies are not in the crosswalk")
    found = {row[0] for row in rows}
    if event and not found:
        found = {
            row[0]
            for row in connection.execute(
                "SELECT DISTINCT i.study_id FROM crosswalk.identity_event_instance l"
                " JOIN crosswalk.instance i ON i.id = l.instance_id WHERE l.event_id = %s",
                (event.id,),
            )
        }
    if not found:
        raise Fatal("no study to split off: name one with --study, or an event that touches some")
    if connection.execute(
        "SELECT 1 FROM crosswalk.study WHERE id = ANY(%s) AND key_destroyed_at IS NOT NULL LIMIT 1", (list(found),)
    ).fetchone():
        raise Fatal("the keys of a study of this decision were destroyed with those of its patient")
    return sorted(found)


def _new_patient(taken: Decision, study_ids: Sequence[UUID], event: EventRow | None) -> UUID:
    """Enter the patient whom the studies are given to; no Patient ID leads there, for it leads to the first one."""
    if event and event.seen and event.kind == IdentityEventKind.PATIENT_DIFFERS:
        return create(taken.session, taken.connection, event.seen)
    rows = taken.connection.execute(
        "SELECT p.id, p.key_wrapped, p.identity_sealed, p.survivor_id FROM crosswalk.study st"
        " JOIN crosswalk.patient p ON p.id = st.patient_id WHERE st.id = ANY(%s)",
        (list(study_ids),),
    ).fetchall()
    if len({row[3] for row in rows}) != 1:
        raise Fatal("the studies are of no or of several patients: split off those of one patient at a time")
    row, wrapped, sealed, _ = rows[0]
    known = open_identity(taken.session.keys.of("patient", row, wrapped), row, sealed)
    return create(taken.session, taken.connection, PatientIdentity(known.patient_id, known.issuer))


def _root(connection: Connection, patient_id: UUID) -> tuple[UUID, Pseudonym]:
    row = connection.execute(
        "SELECT s.id, s.pseudonym FROM crosswalk.patient p JOIN crosswalk.patient s ON s.id = p.survivor_id"
        " WHERE p.id = %s",
        (patient_id,),
    ).fetchone()
    if row is None:
        raise Fatal("a patient of the decision is not in the crosswalk")
    return row[0], Pseudonym(row[1])
