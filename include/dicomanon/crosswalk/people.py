"""Persons behind patient rows: which rows are one person, what is known of them, and for how long that holds."""

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from time import monotonic
from uuid import UUID

from dicomanon.crosswalk.identities import adds_to, conflicting_parts
from dicomanon.crosswalk.keys.keychain import Keychain
from dicomanon.crosswalk.rows import Patient
from dicomanon.crosswalk.sealed import open_identity, open_variant
from dicomanon.crosswalk.session import Connection, Session
from dicomanon.identity import PatientIdentity

PersonKey = tuple[bytes, UUID | None]
"""Blind index of issuer and Patient ID, and the study where one is asked for."""

CACHE_SECONDS = 0.2
"""How long a decision about identities may pass unnoticed by what is cached; what is recorded is checked again."""

_MOST_CACHED = 10_000


@dataclass(frozen=True, slots=True, repr=False)
class Person:
    """A patient with every identity that is known of the person."""

    patient: Patient
    known: tuple[PatientIdentity, ...]

    def conflict(self, seen: PatientIdentity) -> tuple[str, ...]:
        """Name the parts that cannot be this person's."""
        return conflicting_parts(self.known, seen)

    def says_nothing_new(self, seen: PatientIdentity) -> bool:
        """Tell whether ``seen`` agrees and adds nothing."""
        return not self.conflict(seen) and not adds_to(self.known, seen)


class PersonCache:
    """Remembers persons until somebody decides about identities or a removal is marked, which is noticed within 0.2 s.

    Whoever made an object with what was remembered a moment too long learns it when the object is recorded
    (:mod:`~dicomanon.crosswalk.recording`): nothing is stored under a pseudonym that was merged away before.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._entries: OrderedDict[PersonKey, Person] = OrderedDict()
        self._lock = threading.Lock()
        self._decision = -1
        self._checked = float("-inf")

    def get(self, key: PersonKey) -> Person | None:
        """Return what is remembered and still holds."""
        if monotonic() - self._checked > CACHE_SECONDS:
            with self._session.transaction() as connection:
                self.notice(newest_decision(connection))
        with self._lock:
            entry = self._entries.get(key)
            if entry:
                self._entries.move_to_end(key)
            return entry

    def notice(self, decision: int) -> None:
        """Forget everything if there is a newer decision than the one that all of it was read under."""
        with self._lock:
            if decision > self._decision:
                self._entries.clear()
                self._decision = decision
            self._checked = monotonic()

    def put(self, key: PersonKey, person: Person, decision: int) -> None:
        """Remember a person that was read after ``decision`` was the newest one."""
        with self._lock:
            if decision != self._decision:
                return
            self._entries[key] = person
            self._entries.move_to_end(key)
            if len(self._entries) > _MOST_CACHED:
                self._entries.popitem(last=False)


def newest_decision(connection: Connection) -> int:
    """Return a number that grows with every decision about identities, and with every removal that is marked.

    Both change what is known of a patient: who that is, whether consent ended, under which salt research UIDs are made.
    """
    row = connection.execute(
        "SELECT (SELECT coalesce(max(number), 0) FROM crosswalk.identity_decision)"
        " + (SELECT count(*) FROM crosswalk.removal_step WHERE step = 'marked')"
    ).fetchone()
    return int(row[0]) if row else 0


def one_decision_at_a_time(connection: Connection) -> None:
    """Let nobody else decide who is who, or destroy the keys of a person, before the transaction ends."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtext('crosswalk.identity_decision'))")


def survivors(connection: Connection, patient_ids: Iterable[UUID]) -> dict[UUID, UUID]:
    """Return the surviving patient of each."""
    rows = connection.execute(
        "SELECT id, survivor_id FROM crosswalk.patient WHERE id = ANY(%s)", (list(set(patient_ids)),)
    ).fetchall()
    return dict(rows)


def known_identities(
    connection: Connection, keys: Keychain, survivor_ids: Collection[UUID], study_ids: Collection[UUID] = ()
) -> dict[UUID, tuple[PatientIdentity, ...]]:
    """Return by surviving patient every identity of the person; of those for one study only, those of ``study_ids``.

    Raises
    ------
    Held
        The keys of one of the persons were destroyed (``KEYS_DESTROYED``).
    """
    wanted = list(survivor_ids)
    found: dict[UUID, list[PatientIdentity]] = defaultdict(list)
    rows = connection.execute(
        "SELECT survivor_id, id, key_wrapped, id, identity_sealed, false FROM crosswalk.patient"
        " WHERE survivor_id = ANY(%(wanted)s)"
        " UNION ALL SELECT p.survivor_id, p.id, p.key_wrapped, v.id, v.identity_sealed, true"
        " FROM crosswalk.patient_variant v"
        " JOIN crosswalk.patient p ON p.id = v.patient_id WHERE p.survivor_id = ANY(%(wanted)s)"
        " AND (v.study_id IS NULL OR v.study_id = ANY(%(studies)s))",
        {"wanted": wanted, "studies": list(study_ids)},
    ).fetchall()
    for survivor, patient_id, wrapped, row, sealed, is_variant in rows:
        key = keys.of("patient", patient_id, wrapped)
        found[survivor].append((open_variant if is_variant else open_identity)(key, row, sealed))
    return {survivor: tuple(identities) for survivor, identities in found.items()}
