"""Gives every patient one pseudonym and one date shift for ever, and notices when two people share a Patient ID."""

import secrets
from uuid import UUID, uuid4

from dicomanon.crosswalk.identities import comparable, completed, patient_key, surely_one_person
from dicomanon.crosswalk.identity_events import identity_events, record_identity_event
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.keys.data_keys import ERASED, Sealer
from dicomanon.crosswalk.keys.resealing import key_of_patient
from dicomanon.crosswalk.people import Person, PersonCache, known_identities, newest_decision
from dicomanon.crosswalk.rows import IdentityEvent, IdentityEventKind, Patient
from dicomanon.crosswalk.sealed import (
    identity_parts,
    index_patient,
    index_patient_id,
    open_date_shift,
    open_identity,
    seal_date_shift,
    seal_identity,
    seal_key,
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
_TRIES = 8
_BY_KEY = (
    "SELECT k.patient_id, s.id, s.pseudonym, s.date_shift_sealed, s.key_wrapped, s.uid_salt, s.withdrawn_by IS NOT NULL"
    " FROM crosswalk.patient_key k"
    " JOIN crosswalk.patient met ON met.id = k.patient_id JOIN crosswalk.patient s ON s.id = met.survivor_id"
    " WHERE k.patient_index = %s"
)


class IdentityConflict(Held):
    """A known Patient ID with another name, birth date or sex; ``event_id`` is the event that says so."""

    def __init__(self, detail: str, event_id: UUID) -> None:
        super().__init__(HoldReason.IDENTITY_CONFLICT, detail)
        self.event_id = event_id


class Withdrawn(Held):
    """The patient has withdrawn consent; what comes of the patient is known as theirs, and nothing else of it."""

    def __init__(self, patient: Patient) -> None:
        super().__init__(HoldReason.CONSENT_WITHDRAWN)
        self.patient = patient


class Patients:
    """Pseudonyms and date shifts; safe for any number of threads and processes at once."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._cache = PersonCache(session)

    def get_or_create(self, identity: PatientIdentity, study_id: UUID | None = None) -> Patient:
        """Return the patient whom the identity names, made on first sight.

        Issuer of Patient ID and Patient ID decide who it is; of patients that were merged it is the survivor. Name,
        birth date and sex have to agree with what is known of the person, where anything is; what was unknown so far
        is added. Where one side names no issuer, the same Patient ID is the same patient if name and birth date are
        known on both sides and agree.

        Parameters
        ----------
        study_id
            The study that the object belongs to. A study that is this person's already keeps the pseudonym and the
            date shift that its objects have, whomever the patient was merged into since; one that somebody gave to a
            patient is that patient's, whatever Patient ID its objects bear.

        Raises
        ------
        Held
            ``MISSING_IDENTITY`` without a Patient ID; :class:`IdentityConflict` when this Patient ID is known with
            another name, birth date or sex, recorded as an identity event; ``KEYS_DESTROYED`` when this patient's
            keys were destroyed, or those of one with the same Patient ID who cannot be told from this one any more.
            That goes for one who had withdrawn before, too: nobody can tell any more whether this is that patient.
        Withdrawn
            The patient has withdrawn; nothing more is learned of him.
        """
        issuer, patient_id = patient_key(identity)
        if not patient_id:
            raise Held(HoldReason.MISSING_IDENTITY, "Patient ID is empty")
        key = index_patient(self._session.keyring, issuer, patient_id), study_id
        cached = self._cache.get(key)
        if cached and cached.says_nothing_new(identity):
            return _present(cached.patient)
        event: UUID | None = None
        with self._session.transaction() as connection:
            decision = newest_decision(connection)
            patient, survivor_id = self._patient(connection, key[0], identity, study_id)
            person = self._person(connection, patient, survivor_id, study_id)
            conflict = person.conflict(identity)
            if not conflict and not patient.withdrawn and not person.says_nothing_new(identity):
                # Read again under a lock: another process may be adding the same part with another value.
                own = self._locked_identity(connection, _keyed(patient))
                person = self._person(connection, patient, survivor_id, study_id)
                conflict = person.conflict(identity)
                if not conflict:
                    person = self._completed(connection, person, own, identity)
            if conflict:
                event = record_identity_event(
                    connection,
                    self._session.keyring,
                    self._key(connection, _keyed(patient)),
                    IdentityEventKind.PATIENT_DIFFERS,
                    f"{_keyed(patient)}|{comparable(identity)}",
                    detail={"seen": identity_parts(identity)},
                    parts=conflict,
                    patient_id=_keyed(patient),
                )
        # Only now: what was rolled back must not be remembered.
        self._cache.notice(decision)
        self._cache.put(key, person, decision)
        if event:
            raise IdentityConflict("this Patient ID is known with another " + ", ".join(conflict), event)
        return _present(patient)

    def identity_events(self) -> list[IdentityEvent]:
        """Return what an administrator has to look at or has decided, oldest first; values stay sealed."""
        with self._session.transaction() as connection:
            return identity_events(connection)

    def _patient(
        self, connection: Connection, index: bytes, identity: PatientIdentity, study_id: UUID | None
    ) -> tuple[Patient, UUID]:
        """Return the patient, and the surviving one of the person."""
        of_study = None
        if study_id is not None:
            of_study = connection.execute(
                "SELECT p.survivor_id, st.patient_assigned, p.id, p.pseudonym, p.date_shift_sealed, p.key_wrapped,"
                " p.uid_salt, p.withdrawn_by IS NOT NULL"
                " FROM crosswalk.study st JOIN crosswalk.patient p ON p.id = st.patient_id WHERE st.id = %s",
                (study_id,),
            ).fetchone()
        if of_study and of_study[1]:
            return self._opened(*of_study[2:], keyed_id=of_study[2]), of_study[0]
        keyed = connection.execute(_BY_KEY, (index,)).fetchone()
        if keyed is None:
            adopt_or_create(self._session, connection, index, identity)
            keyed = connection.execute(_BY_KEY, (index,)).fetchone()
        if keyed is None:
            raise Fatal("a patient who was just entered is not in the crosswalk")
        keyed_id, *survivor = keyed
        # A study has one pseudonym: what it has is not changed by a merge that came later.
        row = of_study[2:] if of_study and of_study[0] == survivor[0] else survivor
        return self._opened(*row, keyed_id=keyed_id), survivor[0]

    def _opened(
        self,
        row: UUID,
        pseudonym: str,
        date_shift_sealed: bytes,
        wrapped: bytes | None,
        uid_salt: bytes | None,
        withdrawn: bool,
        *,
        keyed_id: UUID,
    ) -> Patient:
        key = self._session.keys.of("patient", row, wrapped)
        shift = open_date_shift(key, row, date_shift_sealed)
        return Patient(row, Pseudonym(pseudonym), shift, keyed_id, uid_salt, withdrawn)

    def _person(self, connection: Connection, patient: Patient, survivor_id: UUID, study_id: UUID | None) -> Person:
        studies = [study_id] if study_id else []
        known = known_identities(connection, self._session.keys, [survivor_id], studies)
        return Person(patient, known.get(survivor_id, ()))

    def _locked_identity(self, connection: Connection, row_id: UUID) -> PatientIdentity:
        row = connection.execute(
            "SELECT key_wrapped, identity_sealed FROM crosswalk.patient WHERE id = %s FOR NO KEY UPDATE", (row_id,)
        ).fetchone()
        if row is None:
            raise Fatal("a patient who was just read is not in the crosswalk")
        return open_identity(self._session.keys.of("patient", row_id, row[0]), row_id, row[1])

    def _completed(self, connection: Connection, person: Person, own: PatientIdentity, seen: PatientIdentity) -> Person:
        """Add to the row that the Patient ID was met with what nobody knew of the person."""
        if person.says_nothing_new(seen):
            return person
        row = _keyed(person.patient)
        merged = completed(own, seen)
        connection.execute(
            "UPDATE crosswalk.patient SET identity_sealed = %s WHERE id = %s",
            (seal_identity(self._key(connection, row), row, merged), row),
        )
        return Person(person.patient, (*person.known, merged))

    def _key(self, connection: Connection, row_id: UUID) -> Sealer:
        key = key_of_patient(self._session.keys, connection, row_id)
        if key is None:
            raise Held(HoldReason.KEYS_DESTROYED)
        return key


def find_by_key(connection: Connection, index: bytes) -> tuple[UUID, UUID] | None:
    """Return the row that a key was met with, and its surviving patient."""
    row = connection.execute(
        "SELECT p.id, p.survivor_id FROM crosswalk.patient_key k JOIN crosswalk.patient p ON p.id = k.patient_id"
        " WHERE k.patient_index = %s",
        (index,),
    ).fetchone()
    return None if row is None else (row[0], row[1])


def adopt_or_create(session: Session, connection: Connection, index: bytes, identity: PatientIdentity) -> None:
    """Give a new key to the patient who is surely meant, or to a new one.

    Raises
    ------
    Held
        The keys of the patient who may be meant were destroyed (``KEYS_DESTROYED``): nothing is left to compare.
    """
    keyring = session.keyring
    issuer, patient_id = patient_key(identity)
    lock_patient_id(connection, keyring, patient_id)
    if find_by_key(connection, index):
        return
    for row, wrapped, sealed, destroyed_at, _ in connection.execute(
        "SELECT DISTINCT p.id, p.key_wrapped, p.identity_sealed, p.key_destroyed_at, p.created_at"
        " FROM crosswalk.patient_key k JOIN crosswalk.patient p ON p.id = k.patient_id WHERE k.patient_id_index = %s"
        " AND (p.patient_id_index = k.patient_id_index OR p.key_destroyed_at IS NOT NULL)"
        # Of one whose keys were destroyed nothing is left to compare: held, but where two issuers are named.
        " AND NOT (coalesce(k.issuer_was_named, p.issuer_was_named, false) AND %s)"
        " ORDER BY p.key_destroyed_at NULLS FIRST, p.created_at, p.id",
        (index_patient_id(keyring, patient_id), bool(issuer)),
    ).fetchall():
        if destroyed_at:
            raise Held(HoldReason.KEYS_DESTROYED)
        known = open_identity(session.keys.of("patient", row, wrapped), row, sealed)
        if not (issuer and patient_key(known)[0]) and surely_one_person(known, identity):
            add_key(session, connection, row, identity)
            return
    add_key(session, connection, create(session, connection, identity, index), identity)


def lock_patient_id(connection: Connection, keyring: Keyring, patient_id: str) -> None:
    """Let one at a time enter a Patient ID.

    Two processes that meet it with and without its issuer must find one patient.
    """
    number = int.from_bytes(index_patient_id(keyring, patient_id)[:8], "big", signed=True)
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (number,))


def add_key(
    session: Session,
    connection: Connection,
    patient_row: UUID,
    identity: PatientIdentity,
    decision_id: UUID | None = None,
) -> None:
    """Let issuer and Patient ID of ``identity`` lead to a patient; the caller holds :func:`lock_patient_id`.

    Where the keys of the patient were destroyed, only blind indexes are kept: whoever comes with this key is held.
    """
    issuer, patient_id = patient_key(identity)
    row = uuid4()
    key = key_of_patient(session.keys, connection, patient_row)
    connection.execute(
        "INSERT INTO crosswalk.patient_key"
        " (id, patient_index, patient_id_index, patient_id, key_sealed, issuer_was_named, decision_id)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s)",
        (
            row,
            index_patient(session.keyring, issuer, patient_id),
            index_patient_id(session.keyring, patient_id),
            patient_row,
            seal_key(key, row, (issuer, patient_id)) if key else ERASED,
            None if key else bool(issuer),
            decision_id,
        ),
    )


def create(session: Session, connection: Connection, identity: PatientIdentity, index: bytes | None = None) -> UUID:
    """Enter a new patient and draw a pseudonym and a date shift; without ``index`` no key leads to the patient."""
    keyring = session.keyring
    make_key = session.keys.maker(connection)
    for _ in range(_TRIES):
        row = uuid4()
        key, wrapped = make_key("patient", row)
        # Nothing is inserted when the pseudonym is taken; then another one is drawn.
        inserted = connection.execute(
            "INSERT INTO crosswalk.patient"
            " (id, pseudonym, patient_index, patient_id_index, identity_sealed, date_shift_sealed, key_wrapped)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (pseudonym) DO NOTHING",
            (
                row,
                _new_pseudonym(),
                index or keyring.index("patient-without-key", str(row)),
                index_patient_id(keyring, patient_key(identity)[1]),
                seal_identity(key, row, identity),
                seal_date_shift(key, row, _new_date_shift()),
                wrapped,
            ),
        ).rowcount
        if inserted:
            return row
    raise Fatal("no free pseudonym could be drawn")


def _present(patient: Patient) -> Patient:
    if patient.withdrawn:
        raise Withdrawn(patient)
    return patient


def _keyed(patient: Patient) -> UUID:
    return patient.keyed_id or patient.id


def _new_pseudonym() -> str:
    return "D" + "".join(secrets.choice(_ALPHABET) for _ in range(_PSEUDONYM_CHARACTERS))


def _new_date_shift() -> int:
    return -(_SHORTEST_SHIFT + secrets.randbelow(_LONGEST_SHIFT - _SHORTEST_SHIFT + 1))
