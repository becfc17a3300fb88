"""Removals as a group of operations on the crosswalk; every one may be repeated."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from uuid import UUID

from dicomanon.crosswalk.access_events import record_access_event
from dicomanon.crosswalk.audit.events import Subject, SubjectKind
from dicomanon.crosswalk.cohort_reading import release_instances
from dicomanon.crosswalk.keys.data_keys import Sealer
from dicomanon.crosswalk.removals import deciding, ending, objects
from dicomanon.crosswalk.removals.marking import RECALLED, Counts, covered, mark
from dicomanon.crosswalk.removals.rows import (
    Extent,
    FormerObject,
    Notice,
    Removal,
    RemovalKind,
    RemovalReceipt,
    Requester,
    Step,
    Tombstone,
)
from dicomanon.crosswalk.rows import CohortInstance, InstanceState
from dicomanon.crosswalk.sealed import index_patient, index_patient_id
from dicomanon.crosswalk.session import Connection, Session
from dicomanon.errors import Fatal
from dicomanon.values import TICKET_PATTERN, BatchId, Phi, Pseudonym

_STORING_LOCK = 0x0D1D
_MOST_WAIT = "10min"
"""For batches that are being stored."""


class Removals:
    """Who wants what out of the research PACS, what it covers, and what became of it."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def request_of_patient(
        self,
        kind: RemovalKind,
        pseudonym: str,
        requester: Requester,
        *,
        reason: str,
        ticket: str,
        request_key: str | None = None,
        with_recalled: bool = False,
    ) -> Removal:
        """Request a withdrawal or a re-issue of a person; a second withdrawal of a person returns the first.

        Parameters
        ----------
        reason
            In words; sealed.
        ticket
            Where it is filed, see :data:`~dicomanon.values.TICKET_PATTERN`.
        request_key
            Names the request, such as its DAG run; asked again with the same key, the same removal is returned.
        with_recalled
            Of a re-issue: make anew what is held as recalled, too.

        Raises
        ------
        Fatal
            Nobody has the pseudonym, or who, why or the ticket is missing or malformed.
        """
        if kind is RemovalKind.RECALL:
            raise Fatal("a recall is of objects, not of a patient")
        if with_recalled and kind is not RemovalKind.RE_ISSUE:
            raise Fatal("only a re-issue leaves out what was recalled")
        _require_told(requester, reason, ticket)
        with self._session.transaction() as connection:
            # One at a time asks for a person.
            rows = connection.execute(
                "SELECT p.id, p.id = named.id FROM crosswalk.patient named"
                " JOIN crosswalk.patient p ON p.survivor_id = named.survivor_id"
                " WHERE named.pseudonym = %s ORDER BY p.id FOR NO KEY UPDATE OF p",
                (pseudonym.strip(),),
            ).fetchall()
            if not rows:
                raise Fatal("no patient has this pseudonym")
            return self._request(
                connection,
                kind,
                subject=Subject(SubjectKind.PSEUDONYM, pseudonym.strip()),
                patient_id=next(row[0] for row in rows if row[1]),
                release_id=None,
                instance_ids=(),
                requester=requester,
                reason=reason,
                ticket=ticket,
                request_key=request_key,
                with_recalled=with_recalled,
            )

    def request_owed(self, requester: Requester, *, reason: str, ticket: str) -> list[Removal]:
        """Request the re-issues that decisions about identities have left open, one of each person.

        Asked again before they are carried out, and before more was decided, it returns the same.

        Raises
        ------
        Fatal
            As :meth:`request_of_patient`.
        """
        with self._session.transaction() as connection:
            owed = connection.execute(
                "SELECT s.pseudonym, max(d.number) FROM crosswalk.reissue x"
                " JOIN crosswalk.identity_decision d ON d.id = x.decision_id"
                " JOIN crosswalk.instance i ON i.id = x.instance_id JOIN crosswalk.study st ON st.id = i.study_id"
                " JOIN crosswalk.patient p ON p.id = st.patient_id JOIN crosswalk.patient s ON s.id = p.survivor_id"
                " WHERE x.closed_at IS NULL GROUP BY s.pseudonym ORDER BY s.pseudonym"
            ).fetchall()
        return [
            self.request_of_patient(
                RemovalKind.RE_ISSUE,
                pseudonym,
                requester,
                reason=reason,
                ticket=ticket,
                request_key=f"identity/{decision}/{pseudonym}",
            )
            for pseudonym, decision in owed
        ]

    def request_recall(
        self,
        project: str,
        number: int,
        requester: Requester,
        *,
        reason: str,
        ticket: str,
        research_sop_uids: Sequence[str] = (),
        request_key: str | None = None,
    ) -> Removal:
        """Request that a release, or some objects of it, be taken back; the rest as :meth:`request_of_patient`.

        Raises
        ------
        Fatal
            There is no such release, or an object is not in it, too.
        """
        _require_told(requester, reason, ticket)
        wanted = {uid.strip() for uid in research_sop_uids}
        with self._session.transaction() as connection:
            rows = connection.execute(
                "SELECT i.id, i.research_sop_uid, re.id FROM crosswalk.release re JOIN crosswalk.release_instance ri"
                " ON ri.release_id = re.id JOIN crosswalk.instance i ON i.id = ri.instance_id"
                " WHERE re.project = %s AND re.number = %s",
                (project, number),
            ).fetchall()
            if not rows:
                raise Fatal("there is no such release")
            missing = wanted - {row[1] for row in rows}
            if missing:
                raise Fatal(f"{len(missing)} of the objects are not in that release")
            chosen = [row[0] for row in rows if not wanted or row[1] in wanted]
            return self._request(
                connection,
                RemovalKind.RECALL,
                subject=Subject(SubjectKind.RELEASE, str(rows[0][2])),
                patient_id=None,
                release_id=rows[0][2],
                instance_ids=chosen,
                requester=requester,
                reason=reason,
                ticket=ticket,
                request_key=request_key,
            )

    def approve(self, removal: Removal, actor: str, reason: str) -> Removal:
        """Let another person stand for a removal; the contract is :func:`.deciding.enter_approval`'s."""
        with self._session.transaction() as connection:
            deciding.enter_approval(connection, self._session.keys.site, removal, actor, reason)
            return deciding.read_removal(connection, removal.id)

    def find(self, named: str | UUID) -> Removal:
        """Return a removal by its id, or by how that begins; ``Fatal`` if that is not just one."""
        with self._session.transaction() as connection:
            return deciding.read_removal(connection, named)

    def all(self) -> list[Removal]:
        """Return every removal, oldest first."""
        with self._session.transaction() as connection:
            return deciding.read_removals(connection)

    def reason(self, removal: Removal) -> Phi[str]:
        """Return why a removal was requested; for admins."""
        with self._session.transaction() as connection:
            return deciding.read_reason(connection, self._session.keys.site, removal.id)

    def extent(self, removal: Removal) -> Extent:
        """Tell what the removal would take if it were carried out now."""
        with self._session.transaction() as connection:
            rows = connection.execute(
                f"SELECT i.id, i.state {covered(removal.kind)} ORDER BY i.state",
                {"removal": removal.id},
            ).fetchall()
            states: dict[InstanceState, int] = {}
            for _, state in rows:
                states[InstanceState(state)] = states.get(InstanceState(state), 0) + 1
            stored = [row[0] for row in rows if row[1] == "stored"]
            counted = connection.execute(f"SELECT count(*) {RECALLED}", {"removal": removal.id}).fetchone()
            return Extent(states, counted[0] if counted else 0, ending.affected_releases(connection, stored))

    def mark(self, removal: Removal, approvals: int = 1) -> Counts:
        """Carry the decision out in the crosswalk; once done, say what it came to.

        Parameters
        ----------
        approvals
            How many persons must stand for it, its requester included.

        Raises
        ------
        Fatal
            Too few do; or it is a re-issue of a patient who has withdrawn, or whose keys were destroyed.
        """
        site = self._session.keys.site
        with self._session.transaction() as connection:
            connection.execute("SELECT id FROM crosswalk.removal WHERE id = %s FOR UPDATE", (removal.id,))
            current = deciding.read_removal(connection, removal.id)
            if Step.MARKED in current.steps:
                return dict(current.steps[Step.MARKED].counts)
            if current.approvals_left(approvals):
                raise Fatal(
                    f"{current.approvals_left(approvals)} more must stand for this removal: another person runs "
                    f"`dicomanon removal approve {current.id} --reason WHY`, then this is run again"
                )
            counts = mark(connection, current)
            _enter_step(connection, site, current, Step.MARKED, counts, count=counts["instances"])
        return counts

    def wait_for_stores(self, removal: Removal) -> None:
        """Return when no batch is being stored any more that began before the removal was marked.

        Such a batch may send what it read as validated; a later one reads the mark first.

        Raises
        ------
        Retriable
            One goes on for longer than ten minutes.
        """
        with self._session.transaction() as connection:
            connection.execute(f"SET LOCAL lock_timeout = '{_MOST_WAIT}'")
            batches = connection.execute(
                "SELECT DISTINCT batch_id FROM crosswalk.former_object"
                " WHERE removal_id = %s AND state <> 'stored' AND batch_id IS NOT NULL ORDER BY 1",
                (removal.id,),
            ).fetchall()
            for (batch,) in batches:
                connection.execute("SELECT pg_advisory_xact_lock(%s, hashint8(%s))", (_STORING_LOCK, batch))

    @contextmanager
    def storing(self, batch_id: BatchId) -> Iterator[None]:
        """Keep removals that are marked meanwhile from looking for what a batch sends before it has sent it."""
        with self._session.transaction() as connection:
            connection.execute("SELECT pg_advisory_xact_lock_shared(%s, hashint8(%s))", (_STORING_LOCK, batch_id))
            yield

    def objects(self, removal: Removal, *, left: bool = False) -> list[FormerObject]:
        """Return what the removal took; with ``left`` only what is not known to be gone."""
        with self._session.transaction() as connection:
            return objects.former_objects(connection, removal.id, left=left)

    def record_receipts(self, removal: Removal, receipts: Iterable[RemovalReceipt]) -> None:
        """Append what the research PACS shows of former objects."""
        with self._session.transaction() as connection:
            objects.record_receipts(connection, removal.id, receipts)

    def tombstones(self, *, removal_id: UUID | None = None, release_id: UUID | None = None) -> list[Tombstone]:
        """Return the tombstones that a removal set, or that a release has."""
        with self._session.transaction() as connection:
            return ending.read_tombstones(connection, removal_id=removal_id, release_id=release_id)

    def release_instances(self, release_id: UUID) -> list[CohortInstance]:
        """Return the instances of a release that are stored."""
        return release_instances(self._session, release_id)

    def record_notice(self, removal: Removal, release_id: UUID, means: str, recipients: Sequence[str]) -> None:
        """Append that people were told of a release's end."""
        with self._session.transaction() as connection:
            ending.enter_notice(connection, removal.id, release_id, means, recipients)

    def notices(self, removal: Removal) -> list[Notice]:
        """Return who was told."""
        with self._session.transaction() as connection:
            return ending.read_notices(connection, removal.id)

    def record_step(self, removal: Removal, step: Step, counts: Mapping[str, int]) -> None:
        """Note that a step is done; what was noted first stays."""
        with self._session.transaction() as connection:
            _enter_step(connection, self._session.keys.site, removal, step, counts)

    def pseudonym_of(self, issuer: str, patient_id: str, *, actor: str, reason: str) -> Pseudonym:
        """Return the surviving pseudonym of whom a Patient ID names; whoever asks is in the trail.

        Raises
        ------
        Fatal
            Nobody is, or several patients of different issuers are.
        """
        keyring = self._session.keyring
        with self._session.transaction() as connection:
            rows = connection.execute(
                "SELECT * FROM crosswalk.pseudonyms_of_key(%s, %s)",
                (
                    index_patient(keyring, issuer, patient_id),
                    None if issuer else index_patient_id(keyring, patient_id),
                ),
            ).fetchall()
            found = Subject(SubjectKind.PSEUDONYM, rows[0][0]) if len(rows) == 1 else None
            record_access_event(
                connection, self._session.keys.site, actor, "patient.look_up", reason, len(rows), subject=found
            )
        if len(rows) != 1:
            told = "several patients have this Patient ID: name its issuer, as in ID^^^ISSUER"
            raise Fatal(told if rows else "the crosswalk knows no patient of this Patient ID")
        return Pseudonym(rows[0][0])

    def _request(
        self,
        connection: Connection,
        kind: RemovalKind,
        *,
        subject: Subject,
        patient_id: UUID | None,
        release_id: UUID | None,
        instance_ids: Sequence[int],
        requester: Requester,
        reason: str,
        ticket: str,
        request_key: str | None,
        with_recalled: bool = False,
    ) -> Removal:
        site = self._session.keys.site
        removal_id = deciding.enter_request(
            connection,
            site,
            kind,
            subject=subject,
            patient_id=patient_id,
            release_id=release_id,
            instance_ids=instance_ids,
            requester=requester,
            reason=reason,
            ticket=ticket.strip(),
            request_key=request_key,
            with_recalled=with_recalled,
        )
        return deciding.read_removal(connection, removal_id)


def _require_told(requester: Requester, reason: str, ticket: str) -> None:
    if not (requester.name.strip() and reason.strip()):
        raise Fatal("a removal is requested with who and why")
    if not re.fullmatch(TICKET_PATTERN, ticket.strip()):
        raise Fatal("a ticket has up to 40 letters, digits and . _ / # - and no spaces: it is kept in clear")


def _enter_step(
    connection: Connection, site: Sealer, removal: Removal, step: Step, counts: Mapping[str, int], count: int = 1
) -> None:
    """Note that a step is done, the first time also in the audit trail; the last that the transaction does."""
    noted = connection.execute(
        "INSERT INTO crosswalk.removal_step (removal_id, step, counts) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        (removal.id, step.value, json.dumps(dict(counts))),
    ).rowcount
    if noted:
        record_access_event(
            connection,
            site,
            removal.requester.name,
            f"{removal.kind}.{step.action}",
            deciding.trail_reason(removal.id, removal.ticket),
            count,
            subject=removal.subject,
        )
