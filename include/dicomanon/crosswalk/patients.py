"""Gives every patient one pseudonym and one date shift for ever, and notices when two people share a Patient ID."""

import secrets
import threading
from collections import OrderedDict
from uuid import UUID, uuid4

from dicomanon.crosswalk.identities import (
    comparable,
    completed,
    differing_parts,
    patient_key,
    surely_one_person,
)
from dicomanon.crosswalk.identity_events import record_identity_event
from dicomanon.crosswalk.keys.data_keys import Sealer
from dicomanon.crosswalk.keys.resealing import reseal_patient
from dicomanon.crosswalk.rows import IdentityEvent, Patient
from dicomanon.crosswalk.sealed import (
    index_patient,
    index_patient_id,
    open_date_shift,
    open_identity,
    seal_date_shift,
    seal_identity,
)
from dicomanon.crosswalk.session import Connection, Session
from dicomanon.errors import Fatal, Held
from dicomanon.identity import PatientIdentity
from dicomanon.reasons import HoldReason
from dicomanon.values import Pseudonym

# Crockford's base 32: no I, L, O or U, so that a pseudonym survives being read aloud and spells no word.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PSEUDONYM_CHARACTERS = 11
# Every shifted date lies 2.7 to 12.7 years back: never in the future, and far enough to hide the real one.
_SHORTEST_SHIFT, _LONGEST_SHIFT = 1000, 4652
_MOST_CACHED = 10_000
_TRIES = 8
_SELECT = (
    "SELECT id, pseudonym, date_shift_sealed, identity_sealed, key_wrapped, key_destroyed_at IS NOT NULL"
    " FROM crosswalk.patient"
)


class Patients:
    """Pseudonyms and date shifts; safe for any number of threads and processes at once."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._cache: OrderedDict[bytes, tuple[Patient, PatientIdentity]] = OrderedDict()
        self._cache_lock = threading.Lock()

    def get_or_create(self, identity: PatientIdentity) -> Patient:
        """Return the patient whom the identity names, made on first sight.

        Issuer of Patient ID and Patient ID decide who it is. Name, birth date and sex, where they are known on both
        sides, have to agree; what was unknown so far is added. Where one side names no issuer, the same Patient ID
        is the same patient if name and birth date are known on both sides and agree.

        Raises
        ------
        Held
            ``MISSING_IDENTITY`` without a Patient ID; ``IDENTITY_CONFLICT`` when this Patient ID is known with
            another name, birth date or sex, recorded as an identity event; ``KEYS_DESTROYED`` when this patient's
            keys were destroyed, or those of one with the same Patient ID who cannot be told from this one any more.
        """
        issuer, patient_id = patient_key(identity)
        if not patient_id:
            raise Held(HoldReason.MISSING_IDENTITY, "Patient ID is empty")
        index = index_patient(self._session.keyring, issuer, patient_id)
        cached = self._from_cache(index)
        if cached and not differing_parts(cached[1], identity) and completed(cached[1], identity) == cached[1]:
            return cached[0]
        with self._session.transaction() as connection:
            patient, known = self._find(connection, index) or self._adopt_or_create(connection, index, identity)
            if completed(known, identity) != known:
                # Read again under a lock: another process may be adding the same part with another value.
                patient, known = self._by_row(connection, patient.id) or (patient, known)
            conflict = differing_parts(known, identity)
            if conflict:
                self._record_conflict(connection, patient, identity, conflict)
            else:
                known = self._complete(connection, patient, known, identity)
        # Only now: what was rolled back must not be remembered.
        self._to_cache(index, patient, known)
        if conflict:
            raise Held(HoldReason.IDENTITY_CONFLICT, "this Patient ID is known with another " + ", ".join(conflict))
        return patient

    def identity_events(self) -> list[IdentityEvent]:
        """Return what an administrator has to look at, oldest first; values stay sealed."""
        with self._session.transaction() as connection:
            rows = connection.execute(
                "SELECT id, kind, patient_id, study_id, instance_id, recorded_at"
                " FROM crosswalk.identity_event ORDER BY recorded_at, id"
            ).fetchall()
        return [IdentityEvent(*row) for row in rows]

    def _find(self, connection: Connection, index: bytes) -> tuple[Patient, PatientIdentity] | None:
        row = connection.execute(_SELECT + " WHERE patient_index = %s", (index,)).fetchone()
        return None if row is None else self._opened(row)

    def _by_row(self, connection: Connection, row_id: UUID) -> tuple[Patient, PatientIdentity] | None:
        row = connection.execute(_SELECT + " WHERE id = %s FOR NO KEY UPDATE", (row_id,)).fetchone()
        return None if row is None else self._opened(row)

    def _opened(self, row: tuple[UUID, str, bytes, bytes, bytes | None, bool]) -> tuple[Patient, PatientIdentity]:
        row_id, pseudonym, date_shift_sealed, identity_sealed, wrapped, destroyed = row
        if destroyed:
            raise Held(HoldReason.KEYS_DESTROYED)
        key = self._session.keys.of("patient", row_id, wrapped)
        patient = Patient(row_id, Pseudonym(pseudonym), open_date_shift(key, row_id, date_shift_sealed))
        return patient, open_identity(key, row_id, identity_sealed)

    def _adopt_or_create(
        self, connection: Connection, index: bytes, identity: PatientIdentity
    ) -> tuple[Patient, PatientIdentity]:
        issuer, patient_id = patient_key(identity)
        id_index = index_patient_id(self._session.keyring, patient_id)
        # One at a time for a Patient ID: two processes that meet it with and without its issuer must find one patient.
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (int.from_bytes(id_index[:8], "big", signed=True),))
        rows = connection.execute(
            # Of one whose keys were destroyed nothing is left to compare: held, but where two issuers are named.
            _SELECT + " WHERE patient_id_index = %s AND NOT (coalesce(issuer_was_named, false) AND %s)"
            " ORDER BY key_destroyed_at NULLS FIRST, created_at, id",
            (id_index, bool(issuer)),
        ).fetchall()
        for patient, known in map(self._opened, rows):
            if not (issuer and patient_key(known)[0]) and surely_one_person(known, identity):
                return patient, known
        return self._create(connection, index, identity)

    def _create(
        self, connection: Connection, index: bytes, identity: PatientIdentity
    ) -> tuple[Patient, PatientIdentity]:
        keyring = self._session.keyring
        make_key = self._session.keys.maker(connection)
        for _ in range(_TRIES):
            row = uuid4()
            key, wrapped = make_key("patient", row)
            # Nothing is inserted when another process was first (then its row is found), or when the pseudonym is
            # taken (then another one is drawn).
            connection.execute(
                "INSERT INTO crosswalk.patient"
                " (id, pseudonym, patient_index, patient_id_index, identity_sealed, date_shift_sealed, key_wrapped)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
                (
                    row,
                    _new_pseudonym(),
                    index,
                    index_patient_id(keyring, patient_key(identity)[1]),
                    seal_identity(key, row, identity),
                    seal_date_shift(key, row, _new_date_shift()),
                    wrapped,
                ),
            )
            found = self._find(connection, index)
            if found:
                return found
        raise Fatal("no free pseudonym could be drawn")

    def _complete(
        self, connection: Connection, patient: Patient, known: PatientIdentity, seen: PatientIdentity
    ) -> PatientIdentity:
        merged = completed(known, seen)
        if merged != known:
            connection.execute(
                "UPDATE crosswalk.patient SET identity_sealed = %s WHERE id = %s",
                (seal_identity(self._key(connection, patient.id), patient.id, merged), patient.id),
            )
        return merged

    def _record_conflict(
        self, connection: Connection, patient: Patient, identity: PatientIdentity, parts: tuple[str, ...]
    ) -> None:
        key = self._key(connection, patient.id)
        for part in parts:
            record_identity_event(
                connection,
                self._session.keyring,
                key,
                part,
                f"{patient.id}|{comparable(identity)}",
                detail={"seen": getattr(identity, part)},
                patient_id=patient.id,
            )

    def _key(self, connection: Connection, row_id: UUID) -> Sealer:
        """Return the patient's data key, which nobody replaces before the transaction ends."""
        keys = self._session.keys
        row = connection.execute(
            "SELECT key_wrapped FROM crosswalk.patient WHERE id = %s FOR KEY SHARE", (row_id,)
        ).fetchone()
        wrapped = (row and row[0]) or reseal_patient(keys, connection, row_id)
        if wrapped is None:
            raise Held(HoldReason.KEYS_DESTROYED)
        return keys.of("patient", row_id, wrapped)

    def _from_cache(self, index: bytes) -> tuple[Patient, PatientIdentity] | None:
        with self._cache_lock:
            entry = self._cache.get(index)
            if entry:
                self._cache.move_to_end(index)
            return entry

    def _to_cache(self, index: bytes, patient: Patient, known: PatientIdentity) -> None:
        with self._cache_lock:
            self._cache[index] = (patient, known)
            self._cache.move_to_end(index)
            if len(self._cache) > _MOST_CACHED:
                self._cache.popitem(last=False)


def _new_pseudonym() -> str:
    return "D" + "".join(secrets.choice(_ALPHABET) for _ in range(_PSEUDONYM_CHARACTERS))


def _new_date_shift() -> int:
    return -(_SHORTEST_SHIFT + secrets.randbelow(_LONGEST_SHIFT - _SHORTEST_SHIFT + 1))
