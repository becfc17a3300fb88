"""Cohort requests: which people they led to, which of them wait for an approval, and what was decided.

Who a cohort is of is kept as 64 bits of a blind index for each patient, made of the project and the surviving
pseudonym: enough to compare the cohorts of one project, and nothing that is the same in two. That any two of a million
patients share one has a chance of one in forty million.
"""

import hashlib
import json
import struct
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID, uuid4

from dicomanon.crosswalk.access_events import record_access_event
from dicomanon.crosswalk.audit.events import Subject, SubjectKind
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.projects.rows import ApprovalFor
from dicomanon.crosswalk.sealed import open_phi, seal_text
from dicomanon.crosswalk.session import Connection, Session
from dicomanon.errors import Fatal
from dicomanon.values import Phi

_LOCK_SPACE = 0x0D22
_NOTHING_SAID = "nothing was said"
_SELECT: LiteralString = (
    "SELECT h.id, h.project, h.requester, h.request_key, h.dry_run, h.held_for, h.patients, h.asked, h.held_at,"
    " d.decision, d.decided_by, d.decided_at"
)
_FROM: LiteralString = " FROM crosswalk.cohort_held h LEFT JOIN crosswalk.cohort_decision d ON d.held_id = h.id"


def keyed_people(keyring: Keyring, project: str, pseudonyms: Iterable[str]) -> tuple[int, ...]:
    """Return the keyed ids of people in a project, ascending."""

    def keyed(pseudonym: str) -> int:
        number: int
        (number,) = struct.unpack(">q", keyring.index("cohort.patient", f"{project}|{pseudonym}")[:8])
        return number

    return tuple(sorted({*map(keyed, set(pseudonyms))}))


@dataclass(frozen=True, slots=True)
class CohortOf:
    """Which cohort a request leads to.

    Attributes
    ----------
    project, request_key
        For what, and by which request: its DAG and run.
    dry_run
        Whether it is only counted.
    groups
        Keyed ids of its patients, ascending: of all, and of each group that the requester can tell apart.
    """

    project: str
    request_key: str
    dry_run: bool
    groups: tuple[tuple[int, ...], ...]

    @classmethod
    def of(
        cls, keyring: Keyring, project: str, request_key: str, groups: Iterable[Iterable[str]], *, dry_run: bool
    ) -> "CohortOf":
        """Name a cohort by the surviving pseudonyms of its people."""
        return cls(project, request_key, dry_run, tuple(keyed_people(keyring, project, group) for group in groups))

    @property
    def fewest(self) -> int:
        """How many patients the smallest group has."""
        return min(map(len, self.groups))

    @property
    def patients(self) -> int:
        """How many patients it has."""
        return max(map(len, self.groups))


@dataclass(frozen=True, slots=True)
class Approval:
    """What a request was held for when it last was, and what was decided: ``None`` while nobody has."""

    held_id: UUID
    requester: str
    held_for: frozenset[ApprovalFor]
    approved: bool | None

    def covers(self, reasons: Collection[ApprovalFor]) -> bool:
        """Tell whether it is about all of these reasons."""
        return self.held_for.issuperset(reasons)


@dataclass(frozen=True, slots=True)
class HeldRequest:
    """A request that waits or waited, as people who decide about it are shown it."""

    id: UUID
    project: str
    requester: str
    request_key: str
    dry_run: bool
    held_for: frozenset[ApprovalFor]
    patients: int
    asked: Mapping[str, int]
    held_at: datetime
    decision: str | None
    decided_by: str | None
    decided_at: datetime | None


class CohortRequests:
    """What is held, decided and told; each is committed with its entry of the audit trail."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def is_near(self, cohort: CohortOf, fewer_than: int) -> bool:
        """Tell whether a cohort and an earlier one of the project share patients and leave few on either side."""
        with self._session.transaction() as connection:
            return _is_near(connection, cohort, fewer_than)

    def hold(
        self,
        cohort: CohortOf,
        requester: str,
        held_for: Collection[ApprovalFor],
        *,
        asked: Mapping[str, int],
        purpose: str,
    ) -> None:
        """Let a request wait; one that waits for the same already is not entered twice.

        Parameters
        ----------
        asked
            Which parameters it gives, and how many entries of each.
        purpose
            What for, in the requester's words; sealed.
        """
        with self._session.transaction() as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (_LOCK_SPACE, cohort.request_key))
            newest = _approval(connection, cohort.request_key)
            if newest is not None and newest.approved is None and newest.held_for == frozenset(held_for):
                return
            row = uuid4()
            connection.execute(
                "INSERT INTO crosswalk.cohort_held (id, project, requester, request_key, dry_run, held_for, patients,"
                " asked, purpose_sealed) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
                (
                    *(row, cohort.project, requester, cohort.request_key, cohort.dry_run, sorted(held_for)),
                    *(cohort.patients, json.dumps(dict(asked))),
                    seal_text(self._session.keys.site, "cohort_held.purpose", row, purpose or _NOTHING_SAID),
                ),
            )
            self._record(connection, requester, "cohort.hold", f"held for {', '.join(sorted(held_for))}", row)

    def approval(self, request_key: str) -> Approval | None:
        """Return how a request stands; nothing where it was never held."""
        with self._session.transaction() as connection:
            return _approval(connection, request_key)

    def decide(
        self, request_key: str, *, approved: bool, actor: str, reason: str, covers_versions: bool = False
    ) -> None:
        """Approve or refuse a request that waits; said again by the same answer, it stays as it was.

        Parameters
        ----------
        covers_versions
            Whether later versions are approved with it, of a request that stays open.

        Raises
        ------
        Fatal
            It does not wait, the actor is who requested it, or actor or reason is empty.
        """
        with self._session.transaction() as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (_LOCK_SPACE, request_key))
            held = _approval(connection, request_key)
            if held is None or held.approved not in {None, approved}:
                raise Fatal("the request does not wait for an approval")
            if held.approved is approved:
                return
            if held.requester.strip().lower() == actor.strip().lower():
                raise Fatal("nobody approves what they requested: clear this task, and have somebody else answer")
            decision = "approved" if approved else "refused"
            connection.execute(
                "INSERT INTO crosswalk.cohort_decision (held_id, decision, decided_by, reason_sealed, covers_versions)"
                " VALUES (%s, %s, %s, %s, %s)",
                (
                    *(held.held_id, decision, actor.strip()),
                    seal_text(self._session.keys.site, "cohort_decision.reason", held.held_id, reason),
                    approved and covers_versions,
                ),
            )
            self._record(connection, actor, "cohort.approve" if approved else "cohort.refuse", reason, held.held_id)

    def tell(self, cohort: CohortOf, fewer_than: int, approved: Collection[ApprovalFor]) -> bool:
        """Enter that a cohort is told from now on; return whether it may be.

        Requests of a project are compared one at a time: of two that differ by a patient, one is the earlier.

        Parameters
        ----------
        fewer_than
            How few patients two cohorts may not differ by.
        approved
            What somebody stands for; where that is an overlap, nothing is compared.
        """
        with self._session.transaction() as connection:
            lock_telling(connection, cohort.project)
            if ApprovalFor.OVERLAP not in approved and _is_near(connection, cohort, fewer_than):
                return False
            enter_told(connection, cohort)
            return True

    def held(self, *, all_of_them: bool = False) -> list[HeldRequest]:
        """Return the requests that wait, or all that ever did, as each stands now, the newest first."""
        with self._session.transaction() as connection:
            rows = connection.execute(
                _SELECT
                + _FROM
                + " WHERE (%s OR d.decision IS NULL) AND NOT EXISTS (SELECT FROM crosswalk.cohort_held n"
                " WHERE n.request_key = h.request_key AND n.number > h.number) ORDER BY h.number DESC",
                (all_of_them,),
            ).fetchall()
        return [_held(row) for row in rows]

    def look(self, request_key: str, *, actor: str) -> tuple[HeldRequest, Phi[str], Phi[str] | None]:
        """Return a request, what it is for, and why it was decided so; looking is recorded first.

        Raises
        ------
        Fatal
            It was never held.
        """
        with self._session.transaction() as connection:
            row = connection.execute(
                _SELECT
                + ", h.purpose_sealed, d.reason_sealed"
                + _FROM
                + " WHERE h.request_key = %s ORDER BY h.number DESC LIMIT 1",
                (request_key,),
            ).fetchone()
            if row is None:
                raise Fatal("no such request was held: `dicomanon cohort requests --all` names them")
            *facts, purpose, reason = row
            found, site = _held(facts), self._session.keys.site
            self._record(connection, actor, "cohort.review", "to decide about it", found.id)
        because = open_phi(site, "cohort_decision.reason", found.id, reason) if reason else None
        return found, open_phi(site, "cohort_held.purpose", found.id, purpose), because

    def _record(self, connection: Connection, actor: str, action: str, reason: str, held_id: UUID) -> None:
        subject = Subject(SubjectKind.OTHER, str(held_id))
        record_access_event(connection, self._session.keys.site, actor, action, reason, 1, subject=subject)


def _is_near(connection: Connection, cohort: CohortOf, fewer_than: int) -> bool:
    return any(
        row[0]
        for group in cohort.groups
        for row in connection.execute(
            "SELECT crosswalk.near_cohorts(%s, %s, %s, %s::bigint[], %s)",
            (cohort.project, cohort.request_key, cohort.dry_run, list(group), fewer_than),
        )
    )


def lock_telling(connection: Connection, project: str) -> None:
    """Let requests of a project be compared one at a time, until the transaction ends."""
    connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (_LOCK_SPACE, project))


def enter_told(connection: Connection, cohort: CohortOf) -> None:
    """Enter of whom a cohort is that is told from now on."""
    connection.cursor().executemany(
        "INSERT INTO crosswalk.cohort_told (id, project, request_key, dry_run, digest, patients)"
        " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
        [
            (uuid4(), cohort.project, cohort.request_key, cohort.dry_run, people_digest(group), list(group))
            for group in cohort.groups
        ],
    )


def people_digest(patients: Sequence[int]) -> bytes:
    """Return what the people of a cohort are found by: the same for the same people of a project."""
    return hashlib.sha256(struct.pack(f">{len(patients)}q", *patients)).digest()


def _approval(connection: Connection, request_key: str) -> Approval | None:
    row = connection.execute(
        "SELECT held_id, requester, held_for, decision FROM crosswalk.cohort_approval(%s)", (request_key,)
    ).fetchone()
    if row is None:
        return None
    held_id, requester, held_for, decision = row
    return Approval(
        held_id, requester, frozenset(map(ApprovalFor, held_for)), None if decision is None else decision == "approved"
    )


def _held(row: Sequence[Any]) -> HeldRequest:
    held_id, project, requester, request_key, dry_run, held_for, *rest = row
    return HeldRequest(held_id, project, requester, request_key, dry_run, frozenset(map(ApprovalFor, held_for)), *rest)
