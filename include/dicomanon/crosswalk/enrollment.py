"""Enters the instances that the clinical PACS lists for a study."""

import re
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

from dicomanon.crosswalk.identity_events import link_instances, record_identity_event
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.keys.data_keys import Sealer
from dicomanon.crosswalk.keys.resealing import reseal_study
from dicomanon.crosswalk.rows import Enrollment, IdentityEventKind, InstanceState
from dicomanon.crosswalk.sealed import clean_uid, index_uid, seal_text
from dicomanon.crosswalk.session import Connection, Session
from dicomanon.errors import Fatal
from dicomanon.identity import InstanceSighting
from dicomanon.reasons import HoldReason

# A SOP class is kept in clear only where the standard registered it: a private one is free text in disguise.
_STANDARD_SOP_CLASS = re.compile(r"1\.2\.840\.10008\.[0-9.]{1,49}")


def standard_sop_class(uid: str) -> str:
    """Return a SOP class UID that may stand in clear, or ``""``."""
    cleaned = clean_uid(uid)
    return cleaned if _STANDARD_SOP_CLASS.fullmatch(cleaned) else ""


def enroll(session: Session, study_id: UUID, sightings: Sequence[InstanceSighting], at: datetime) -> Enrollment:
    """Add series and instances that are new to the study; the rest of the contract is :meth:`Ledger.enroll`'s."""
    keyring = session.keyring
    listed = _distinct(keyring, sightings)
    with session.transaction() as connection:
        # One enrolment of a study at a time; enrolments of different studies run side by side.
        found = connection.execute(
            "SELECT st.key_wrapped, p.withdrawn_by IS NOT NULL FROM crosswalk.study st"
            " LEFT JOIN crosswalk.patient p ON p.id = st.patient_id WHERE st.id = %s FOR NO KEY UPDATE OF st",
            (study_id,),
        ).fetchone()
        if found is None:
            raise Fatal("the study to enroll is not in the ledger")
        wrapped = found[0] or reseal_study(session.keys, connection, study_id)
        if wrapped is None:  # Destroyed since it was found due.
            return Enrollment(0, 0)
        key = session.keys.of("study", study_id, wrapped)
        series = _enroll_series(connection, keyring, key, study_id, listed)
        known = {
            (row[1], row[2]): (row[0], row[3])
            for row in connection.execute(
                "SELECT id, series_id, sop_index, absent_since IS NOT NULL FROM crosswalk.instance WHERE study_id = %s",
                (study_id,),
            )
        }
        present = {(series[series_index], sop_index) for series_index, sop_index in listed}
        new = {
            (series[series_index], sop_index): sighting
            for (series_index, sop_index), sighting in listed.items()
            if (series[series_index], sop_index) not in known
        }
        # What comes late of a patient who has withdrawn is not even asked for.
        state = InstanceState.WITHDRAWN if found[1] else InstanceState.DISCOVERED
        _insert(connection, keyring, key, study_id, new, at, state)
        _mark_absent(connection, [row for key, (row, absent) in known.items() if not absent and key not in present], at)
        _mark_present(connection, [row for key, (row, absent) in known.items() if absent and key in present])
        connection.execute(
            "UPDATE crosswalk.study SET enrolled_count = %s, enrolled_at = %s WHERE id = %s",
            (len(listed), at, study_id),
        )
    return Enrollment(len(new), len(known) + len(new))


def _distinct(keyring: Keyring, sightings: Sequence[InstanceSighting]) -> dict[tuple[bytes, bytes], InstanceSighting]:
    return {
        (
            index_uid(keyring, "series", clean_uid(sighting.series_uid)),
            index_uid(keyring, "sop", clean_uid(sighting.sop_uid)),
        ): sighting
        for sighting in sightings
    }


def _enroll_series(
    connection: Connection,
    keyring: Keyring,
    key: Sealer,
    study_id: UUID,
    listed: dict[tuple[bytes, bytes], InstanceSighting],
) -> dict[bytes, UUID]:
    series: dict[bytes, UUID] = dict(
        connection.execute("SELECT series_index, id FROM crosswalk.series WHERE study_id = %s", (study_id,)).fetchall()
    )
    for (series_index, _), sighting in listed.items():
        if series_index not in series:
            row = uuid4()
            sealed = seal_text(key, "series.uid", row, clean_uid(sighting.series_uid))
            connection.execute(
                "INSERT INTO crosswalk.series (id, study_id, series_index, uid_sealed) VALUES (%s, %s, %s, %s)",
                (row, study_id, series_index, sealed),
            )
            series[series_index] = row
    return series


def _insert(
    connection: Connection,
    keyring: Keyring,
    key: Sealer,
    study_id: UUID,
    new: dict[tuple[UUID, bytes], InstanceSighting],
    at: datetime,
    state: InstanceState,
) -> None:
    if not new:
        return
    # Ids first: the ciphertext of a row is bound to them.
    ids = [
        row[0]
        for row in connection.execute(
            "SELECT nextval(pg_get_serial_sequence('crosswalk.instance', 'id')) FROM generate_series(1, %s)",
            (len(new),),
        )
    ]
    connection.execute(
        "CREATE TEMP TABLE IF NOT EXISTS enrolled (id bigint, series_id uuid, sop_index bytea, uid_sealed bytea,"
        " sop_class_uid text) ON COMMIT DELETE ROWS"
    )
    with connection.cursor().copy(
        "COPY pg_temp.enrolled (id, series_id, sop_index, uid_sealed, sop_class_uid) FROM STDIN"
    ) as copy:
        for row, ((series_id, sop_index), sighting) in zip(ids, new.items(), strict=True):
            sealed = seal_text(key, "instance.uid", row, clean_uid(sighting.sop_uid))
            copy.write_row((row, series_id, sop_index, sealed, standard_sop_class(sighting.sop_class_uid)))
    # Sorted by the unique key, so that two enrolments which share SOP Instance UIDs never wait in a circle.
    connection.execute(
        "INSERT INTO crosswalk.instance"
        " (id, study_id, series_id, sop_index, uid_sealed, sop_class_uid, enrolled_at, state_changed_at, state)"
        " OVERRIDING SYSTEM VALUE SELECT id, %(study)s, series_id, sop_index, uid_sealed, sop_class_uid,"
        " %(at)s, %(at)s, %(state)s::crosswalk.instance_state"
        " FROM pg_temp.enrolled ORDER BY sop_index, id ON CONFLICT (sop_index) WHERE NOT uid_reused DO NOTHING",
        {"study": study_id, "at": at, "state": state.value},
    )
    reused = connection.execute(
        "INSERT INTO crosswalk.instance"
        " (id, study_id, series_id, sop_index, uid_sealed, sop_class_uid, enrolled_at, state_changed_at,"
        " uid_reused, state, reason, detail)"
        " OVERRIDING SYSTEM VALUE"
        " SELECT id, %(study)s, series_id, sop_index, uid_sealed, sop_class_uid, %(at)s, %(at)s,"
        " true, 'held', %(reason)s, 'SOP Instance UID is enrolled elsewhere'"
        " FROM pg_temp.enrolled e WHERE NOT EXISTS (SELECT FROM crosswalk.instance i WHERE i.id = e.id)"
        " ORDER BY sop_index, id RETURNING id, sop_index",
        {"study": study_id, "at": at, "reason": HoldReason.UID_REUSED.value},
    ).fetchall()
    events = [
        record_identity_event(
            connection,
            keyring,
            key,
            IdentityEventKind.UID_REUSED,
            f"{study_id}|{sop_index.hex()}|{instance_id}",
            study_id=study_id,
            instance_id=instance_id,
        )
        for instance_id, sop_index in reused
    ]
    link_instances(connection, zip(events, [instance_id for instance_id, _ in reused], strict=True))


def _mark_absent(connection: Connection, instance_ids: list[int], at: datetime) -> None:
    if instance_ids:
        connection.execute(
            "WITH locked AS MATERIALIZED"
            " (SELECT id FROM crosswalk.instance WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE)"
            " UPDATE crosswalk.instance i SET absent_since = %s FROM locked WHERE i.id = locked.id",
            (instance_ids, at),
        )


def _mark_present(connection: Connection, instance_ids: list[int]) -> None:
    if instance_ids:
        connection.execute(
            "WITH locked AS MATERIALIZED"
            " (SELECT id FROM crosswalk.instance WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE)"
            " UPDATE crosswalk.instance i SET absent_since = NULL FROM locked WHERE i.id = locked.id",
            (instance_ids,),
        )
