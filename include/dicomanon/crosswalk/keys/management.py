"""What an administrator does with the keys of a crosswalk, and what there is to see of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from dicomanon.crosswalk.keys.keychain import Keychain
from dicomanon.crosswalk.keys.masters import MasterKey
from dicomanon.crosswalk.keys.resealing import reseal_patient, reseal_study
from dicomanon.crosswalk.keys.rotation import WRAPPED_BY, add_slots, remove_other_slots, rotate_wrapping_key
from dicomanon.crosswalk.keys.shredding import Destroyed, destroy_keys
from dicomanon.crosswalk.keys.wrapping import wrapped_prefix
from dicomanon.crosswalk.session import Connection, Session
from dicomanon.errors import Fatal

Reseal = Callable[[Keychain, Connection, UUID], bytes | None]

_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class MasterStatus:
    """A master key that opens wrapping keys in use, by name."""

    name: str
    opens: int
    at_hand: bool
    in_use: bool


@dataclass(frozen=True, slots=True)
class WrappingStatus:
    """A wrapping key in use, and how many data keys it wraps."""

    number: int
    created_at: datetime
    data_keys: int


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """The keys of a crosswalk; nothing of it is secret.

    ``unsealed_patients`` and ``unsealed_studies`` count rows that are still sealed as before there were data keys.
    """

    masters: tuple[MasterStatus, ...]
    wrapping: tuple[WrappingStatus, ...]
    unsealed_patients: int
    unsealed_studies: int
    destroyed_patients: int


class KeyManagement:
    """Rotation, re-sealing and destruction; every operation may be repeated while others work."""

    def __init__(self, session: Session, masters: Sequence[MasterKey]) -> None:
        self._session = session
        self._masters = tuple(masters)

    @property
    def chain(self) -> Keychain:
        """The keys as this process holds them."""
        return self._session.keys

    def status(self) -> KeyStatus:
        """Return what there is of keys, all at one moment."""
        with self._session.transaction() as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            wrapping = connection.execute(
                "SELECT number, created_at FROM crosswalk.wrapping_key WHERE retired_at IS NULL ORDER BY number"
            ).fetchall()
            slots: dict[str, int] = dict(
                connection.execute(
                    "SELECT s.master, count(*) FROM crosswalk.wrapping_key_slot s"
                    " JOIN crosswalk.wrapping_key k USING (number) WHERE k.retired_at IS NULL"
                    " GROUP BY s.master ORDER BY s.master"
                ).fetchall()
            )
            at_hand = [master.name for master in self._masters]
            return KeyStatus(
                masters=tuple(
                    MasterStatus(name, slots.get(name, 0), name in at_hand, name == at_hand[0])
                    for name in dict.fromkeys((at_hand[0], *slots))
                ),
                wrapping=tuple(
                    WrappingStatus(
                        number, created_at, _count(connection, WRAPPED_BY, {"prefix": wrapped_prefix(number)})
                    )
                    for number, created_at in wrapping
                ),
                unsealed_patients=_count(
                    connection,
                    "SELECT count(*) FROM crosswalk.patient WHERE key_wrapped IS NULL AND key_destroyed_at IS NULL",
                ),
                unsealed_studies=_count(
                    connection,
                    "SELECT count(*) FROM crosswalk.study WHERE key_wrapped IS NULL AND key_destroyed_at IS NULL",
                ),
                destroyed_patients=_count(
                    connection, "SELECT count(*) FROM crosswalk.patient WHERE key_destroyed_at IS NOT NULL"
                ),
            )

    def admit_master_key(self) -> int:
        """Let the master key in use open every wrapping key; return for how many it is new."""
        return add_slots(self._session, self._masters[0])

    def retire_other_master_keys(self) -> int:
        """Let no other master key open anything; return how many slots went.

        Raises
        ------
        Fatal
            The master key in use does not open everything yet.
        """
        return remove_other_slots(self._session, self._masters[0])

    def rotate_wrapping_key(self, *, at_once: int = _AT_ONCE) -> tuple[int, int]:
        """Replace the wrapping key; return its number, and how many data keys were wrapped anew.

        Where an earlier rotation was broken off, it is finished.

        Raises
        ------
        Fatal
            A master key that opens the present one is not at hand.
        """
        return rotate_wrapping_key(self._session, self._masters, at_once=at_once)

    def reseal_unsealed(self) -> tuple[int, int]:
        """Seal anew what is sealed as before there were data keys; return how many patients and studies.

        Each is a transaction of its own.
        """
        return (
            self._reseal(
                "SELECT id FROM crosswalk.patient WHERE key_wrapped IS NULL AND key_destroyed_at IS NULL"
                " ORDER BY id LIMIT %s",
                reseal_patient,
            ),
            self._reseal(
                "SELECT id FROM crosswalk.study WHERE key_wrapped IS NULL AND key_destroyed_at IS NULL"
                " ORDER BY id LIMIT %s",
                reseal_study,
            ),
        )

    def reseal(self, pseudonym: str) -> int:
        """Give a patient, whoever was merged with them, and each of their studies a new data key.

        Returns
        -------
        int
            How many studies.

        Raises
        ------
        Fatal
            There is no such pseudonym, or their keys were destroyed.
        """
        with self._session.transaction() as connection:
            rows = connection.execute(
                "SELECT p.id FROM crosswalk.patient named JOIN crosswalk.patient p ON p.survivor_id = named.survivor_id"
                " WHERE named.pseudonym = %s ORDER BY p.id",
                (pseudonym,),
            ).fetchall()
            if not rows:
                raise Fatal("the crosswalk has no such pseudonym")
            for (patient_id,) in rows:
                if reseal_patient(self._session.keys, connection, patient_id) is None:
                    raise Fatal("the keys of this patient were destroyed")
        with self._session.transaction() as connection:
            studies = connection.execute(
                "SELECT id FROM crosswalk.study WHERE patient_id = ANY(%s) ORDER BY id", ([row[0] for row in rows],)
            ).fetchall()
        for (study_id,) in studies:
            with self._session.transaction() as connection:
                reseal_study(self._session.keys, connection, study_id)
        return len(studies)

    def destroy(self, pseudonym: str, *, actor: str, reason: str) -> Destroyed:
        """Destroy the keys of a patient, of whom was merged with them, and of all their studies; for ever.

        It is recorded as an access event.

        Raises
        ------
        Fatal
            There is no such pseudonym, their keys were destroyed already, or actor or reason is empty.
        """
        return destroy_keys(self._session, pseudonym, actor=actor, reason=reason)

    def _reseal(self, some: LiteralString, reseal: Reseal) -> int:
        done = 0
        while True:
            with self._session.transaction() as connection:
                rows = connection.execute(some, (_AT_ONCE,)).fetchall()
            if not rows:
                return done
            for (row,) in rows:
                with self._session.transaction() as connection:
                    reseal(self._session.keys, connection, row)
            done += len(rows)


def _count(connection: Connection, query: LiteralString, values: dict[str, object] | None = None) -> int:
    row = connection.execute(query, values).fetchone()
    return row[0] if row else 0
