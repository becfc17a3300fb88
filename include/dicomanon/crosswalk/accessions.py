"""Notices when an accession number comes with another patient than before.

An accession number names an order (PS3.3 C.7.2.1), so one patient's studies may share it: several procedures of one
order, or one procedure split over devices (IHE Scheduled Workflow). Two patients share an order never. Two issuers of
Patient ID are two numbering authorities, whose accession numbers have nothing to do with each other.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from dicomanon.crosswalk.identities import patient_key
from dicomanon.crosswalk.keys.keychain import Keychain
from dicomanon.crosswalk.rows import MappedOutcome
from dicomanon.crosswalk.sealed import index_accession, open_identity
from dicomanon.crosswalk.session import Connection, Session


@dataclass(frozen=True, slots=True)
class Claim:
    """A study that has an accession number, and its patient."""

    accession_index: bytes
    study_id: UUID
    patient_id: UUID


def foreign_claims(
    session: Session,
    connection: Connection,
    outcomes: Iterable[MappedOutcome],
    studies: Mapping[int, UUID],
    survivors: Mapping[UUID, UUID],
) -> dict[int, Claim]:
    """Return for instances whose accession number is another patient's the study that had it first.

    Until the transaction ends nobody else enters one of these numbers: two batches at once notice each other.

    Parameters
    ----------
    studies
        Study by instance.
    survivors
        Surviving patient by patient, of all outcomes.
    """
    index_of = lru_cache(maxsize=None)(lambda number: index_accession(session.keyring, number))
    numbered = [
        (index_of(outcome.facts.accession_number), outcome)
        for outcome in sorted(outcomes, key=lambda outcome: outcome.instance_id)
        if outcome.patient_id and outcome.facts and outcome.facts.accession_number.strip(" \0")
    ]
    if not numbered:
        return {}
    numbers = {index for index, _ in numbered}
    shared = connection.execute("SELECT * FROM crosswalk.shared_accessions(%s::bytea[])", (list(numbers),)).fetchall()
    indexes = sorted(numbers - {row[0] for row in shared})
    # In one order everywhere, so that two batches at once never wait for each other in a circle.
    for index in indexes:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (int.from_bytes(index[:8], "big", signed=True),))
    claims, persons = _claims(connection, indexes)
    persons = {**persons, **survivors}
    issuers = _Issuers(connection, session.keys)
    found: dict[int, Claim] = {}
    for index, outcome in numbered:
        if index not in indexes or outcome.patient_id is None:
            continue
        study_id = studies[outcome.instance_id]
        others = claims.setdefault(index, {})
        if study_id in others:
            continue
        foreign = next(
            (
                claim
                for claim in others.values()
                if persons[claim.patient_id] != persons.get(outcome.patient_id, outcome.patient_id)
                and issuers.may_agree(claim.patient_id, outcome.patient_id)
            ),
            None,
        )
        if foreign:
            found[outcome.instance_id] = foreign
        else:
            others[study_id] = Claim(index, study_id, outcome.patient_id)
    return found


def _claims(
    connection: Connection, indexes: Collection[bytes]
) -> tuple[dict[bytes, dict[UUID, Claim]], dict[UUID, UUID]]:
    """Return the claims on accession numbers by number and study, and the persons of their patients."""
    claims: dict[bytes, dict[UUID, Claim]] = {}
    persons: dict[UUID, UUID] = {}
    for index, study_id, patient_id, survivor_id in connection.execute(
        "SELECT accession_index, study_id, patient_id, survivor_id FROM crosswalk.accession_claims(%s::bytea[])",
        (list(indexes),),
    ):
        claims.setdefault(index, {})[study_id] = Claim(index, study_id, patient_id)
        persons[patient_id] = survivor_id
    return claims, persons


class _Issuers:
    """Issuers of Patient ID, opened where they are asked for: seldom. After the keys were destroyed, unknown."""

    def __init__(self, connection: Connection, keys: Keychain) -> None:
        self._connection = connection
        self._keys = keys
        self._known: dict[UUID, str] = {}

    def may_agree(self, one: UUID, other: UUID) -> bool:
        """Tell whether two patients may have their numbers from one authority."""
        left, right = self._of(one), self._of(other)
        return not (left and right and left != right)

    def _of(self, patient_id: UUID) -> str:
        if patient_id not in self._known:
            row = self._connection.execute(
                "SELECT identity_sealed, key_wrapped FROM crosswalk.patient WHERE id = %s AND key_destroyed_at IS NULL",
                (patient_id,),
            ).fetchone()
            self._known[patient_id] = self._opened(patient_id, *row) if row else ""
        return self._known[patient_id]

    def _opened(self, patient_id: UUID, sealed: bytes, wrapped: bytes | None) -> str:
        key = self._keys.of("patient", patient_id, wrapped)
        return patient_key(open_identity(key, patient_id, sealed))[0]
