"""Identity events: each thing that does not fit once, however often it is met, and the instances that it touches."""

import json
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID, uuid4

from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.keys.data_keys import Sealer
from dicomanon.crosswalk.rows import IdentityEvent, IdentityEventKind
from dicomanon.crosswalk.sealed import seal_text
from dicomanon.crosswalk.session import Connection
from dicomanon.errors import Fatal, Retriable
from dicomanon.reasons import HoldReason

REASONS = (HoldReason.IDENTITY_CONFLICT.value, HoldReason.UID_REUSED.value)
"""What is held for an identity event is held for one of these."""

_TRIES = 8


def record_identity_event(
    connection: Connection,
    keyring: Keyring,
    key: Sealer,
    kind: IdentityEventKind,
    subject: str,
    *,
    detail: dict[str, object] | None = None,
    parts: Sequence[str] = (),
    patient_id: UUID | None = None,
    other_patient_id: UUID | None = None,
    study_id: UUID | None = None,
    other_study_id: UUID | None = None,
    instance_id: int | None = None,
    accession_index: bytes | None = None,
) -> UUID:
    """Return the event of this kind for this subject, added unless there is one that is open or was upheld.

    Parameters
    ----------
    key
        Data key of the study, or of the patient where no study is named: when it is destroyed, so is the detail.
    subject
        What the event is about, values included; it is stored as a keyed hash only.
    detail
        Values for the administrator who looks into it; stored sealed.
    parts
        In what identities differ.
    patient_id, study_id
        What came and does not fit; ``other_patient_id`` and ``other_study_id`` are what it does not fit to.
    """
    fingerprint = keyring.index("identity-event", f"{kind}|{subject}")
    for _ in range(_TRIES):
        found = connection.execute(
            "SELECT e.id FROM crosswalk.identity_event e"
            " LEFT JOIN crosswalk.identity_event_decision ed ON ed.event_id = e.id"
            " LEFT JOIN crosswalk.identity_decision d ON d.id = ed.decision_id"
            " WHERE e.kind = %s AND e.fingerprint = %s AND (d.id IS NULL OR d.kind = 'uphold')",
            (kind, fingerprint),
        ).fetchone()
        if found is None:
            row = uuid4()
            found = connection.execute(
                "INSERT INTO crosswalk.identity_event (id, kind, fingerprint, occurrence, patient_id, study_id,"
                " instance_id, detail_sealed, parts, other_patient_id, other_study_id, accession_index)"
                " VALUES (%(row)s, %(kind)s, %(fingerprint)s,"
                " (SELECT count(*) FROM crosswalk.identity_event WHERE kind = %(kind)s"
                " AND fingerprint = %(fingerprint)s),"
                " %(patient)s, %(study)s, %(instance)s, %(detail)s, %(parts)s, %(other_patient)s, %(other_study)s,"
                " %(accession)s) ON CONFLICT (kind, fingerprint, occurrence) DO NOTHING RETURNING id",
                {
                    "row": row,
                    "kind": kind,
                    "fingerprint": fingerprint,
                    "patient": patient_id,
                    "study": study_id,
                    "instance": instance_id,
                    "detail": seal_text(key, "identity_event.detail", row, json.dumps(detail or {})),
                    "parts": list(parts),
                    "other_patient": other_patient_id,
                    "other_study": other_study_id,
                    "accession": accession_index,
                },
            ).fetchone()
        if found:
            event_id: UUID = found[0]
            return event_id
    raise Fatal("an identity event could not be entered")


def link_instances(connection: Connection, links: Iterable[tuple[UUID, int]]) -> None:
    """Say which instances events touch.

    Raises
    ------
    Retriable
        An event was decided since the instance was held for it: what it said may not hold any more.
    """
    rows = sorted(set(links))
    if not rows:
        return
    events = [event for event, _ in rows]
    # The foreign key waits here for a decision that is being taken; only then does the next statement see it.
    connection.execute(
        "INSERT INTO crosswalk.identity_event_instance (event_id, instance_id)"
        " SELECT * FROM unnest(%s::uuid[], %s::bigint[]) ON CONFLICT DO NOTHING",
        (events, [instance for _, instance in rows]),
    )
    decided = connection.execute(
        "SELECT 1 FROM crosswalk.identity_event_decision ed JOIN crosswalk.identity_decision d ON d.id = ed.decision_id"
        " WHERE ed.event_id = ANY(%s) AND d.kind <> 'uphold' LIMIT 1",
        (events,),
    ).fetchone()
    if decided:
        raise Retriable("an identity event was decided meanwhile: what it touches is made anew")


def identity_events(
    connection: Connection, *, open_only: bool = False, event_id: UUID | None = None
) -> list[IdentityEvent]:
    """Return events, oldest first, or the one that is named; values stay sealed."""
    rows = connection.execute(
        "SELECT e.id, e.kind, e.patient_id, e.study_id, e.instance_id, e.recorded_at, e.parts, e.other_patient_id,"
        " e.other_study_id, (SELECT count(*) FROM crosswalk.identity_event_instance l"
        " JOIN crosswalk.instance i ON i.id = l.instance_id"
        " WHERE l.event_id = e.id AND i.state = 'held' AND i.reason = ANY(%(reasons)s)), coalesce(d.kind, '')"
        " FROM crosswalk.identity_event e LEFT JOIN crosswalk.identity_event_decision ed ON ed.event_id = e.id"
        " LEFT JOIN crosswalk.identity_decision d ON d.id = ed.decision_id"
        " WHERE (d.id IS NULL OR NOT %(open_only)s) AND (%(event)s::uuid IS NULL OR e.id = %(event)s)"
        " ORDER BY e.recorded_at, e.id",
        {"reasons": list(REASONS), "open_only": open_only, "event": event_id},
    ).fetchall()
    return [_event(*row) for row in rows]


def _event(*columns: Any) -> IdentityEvent:
    row, kind, patient_id, study_id, instance_id, recorded_at, parts, other_patient_id, other_study_id, *rest = columns
    return IdentityEvent(
        id=row,
        kind=kind,
        patient_id=patient_id,
        study_id=study_id,
        instance_id=instance_id,
        recorded_at=recorded_at,
        parts=tuple(parts),
        other_patient_id=other_patient_id,
        other_study_id=other_study_id,
        held=rest[0],
        decided=rest[1],
    )
