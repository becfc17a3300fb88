"""Enters a decision, settles events by it, and frees what was held for them."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID, uuid4

from dicomanon.crosswalk.access_events import record_access_event
from dicomanon.crosswalk.audit.events import Subject, SubjectKind
from dicomanon.crosswalk.decisions.rows import Decided, DecisionKind, ReleaseName, Signed
from dicomanon.crosswalk.identity_events import REASONS
from dicomanon.crosswalk.people import one_decision_at_a_time
from dicomanon.crosswalk.sealed import seal_text
from dicomanon.crosswalk.session import Connection, Session
from dicomanon.errors import Fatal
from dicomanon.values import Pseudonym


@dataclass(slots=True)
class Decision:
    """A decision that is being taken: its row is there, what follows from it goes into the same transaction."""

    id: UUID
    kind: DecisionKind
    session: Session
    connection: Connection
    done: Decided
    about: Pseudonym | None = None
    """Whom an event that is decided is about."""
    void: bool = False
    """There was nothing to decide: no row is left."""

    @property
    def subject(self) -> Subject | None:
        """What the audit trail says that the decision is about."""
        pseudonym = self.done.survivor or self.about
        return Subject(SubjectKind.PSEUDONYM, pseudonym) if pseudonym else None


@contextmanager
def decision(session: Session, kind: DecisionKind, signed: Signed) -> Iterator[Decision]:
    """Enter a decision and give it to the body; with the body's end it is in force, or rolled back in a dry run.

    Decisions are taken one at a time, so that their numbers are in the order in which they are in force.

    Raises
    ------
    Fatal
        Author or reason is empty.
    """
    if not (signed.author.strip() and signed.reason.strip()):
        raise Fatal("a decision about identities is taken by somebody, for a reason: say why with --reason")
    with session.transaction() as connection:
        one_decision_at_a_time(connection)
        row = uuid4()
        connection.execute(
            "INSERT INTO crosswalk.identity_decision (id, kind, decided_by, reason_sealed) VALUES (%s, %s, %s, %s)",
            (
                row,
                kind,
                signed.author.strip(),
                seal_text(session.keys.site, "identity_decision.reason", row, signed.reason),
            ),
        )
        taken = Decision(row, kind, session, connection, Decided(kind, dry_run=signed.dry_run))
        yield taken
        if signed.dry_run or taken.void:
            connection.rollback()
        else:
            # Last, since the trail may be written by one at a time.
            record_access_event(
                connection,
                session.keys.site,
                signed.author,
                f"identity.{kind}",
                signed.reason,
                taken.done.freed,
                subject=taken.subject,
            )


def settle_events(taken: Decision, event_ids: Collection[UUID]) -> int:
    """Settle open events and set back what is held for them; return how many instances the next run takes up.

    An instance that another open event touches as well stays held. So does one whose SOP Instance UID is another's.

    Raises
    ------
    Fatal
        An event is not there, or was decided before.
    """
    connection, ids = taken.connection, sorted(set(event_ids))
    if not ids:
        return 0
    # Instances first, as whoever records outcomes locks them; what they link meanwhile is found below.
    connection.execute(
        "SELECT i.id FROM crosswalk.instance i WHERE i.id IN (SELECT instance_id FROM crosswalk.identity_event_instance"
        " WHERE event_id = ANY(%s)) ORDER BY i.id FOR NO KEY UPDATE",
        (ids,),
    )
    found = connection.execute(
        "SELECT id FROM crosswalk.identity_event WHERE id = ANY(%s) ORDER BY id FOR UPDATE", (ids,)
    ).fetchall()
    if len(found) != len(ids):
        raise Fatal("no such identity event: `dicomanon identity list` names them")
    if connection.execute(
        "SELECT 1 FROM crosswalk.identity_event_decision WHERE event_id = ANY(%s) LIMIT 1", (ids,)
    ).fetchone():
        raise Fatal("the identity event was decided before: what was decided is never changed")
    connection.execute(
        "INSERT INTO crosswalk.identity_event_decision (event_id, decision_id) SELECT unnest(%s::uuid[]), %s",
        (ids, taken.id),
    )
    if taken.kind is DecisionKind.UPHOLD:
        return 0
    return connection.execute(
        "WITH locked AS MATERIALIZED (SELECT i.id FROM crosswalk.instance i"
        " WHERE i.id IN (SELECT instance_id FROM crosswalk.identity_event_instance WHERE event_id = ANY(%(events)s))"
        " AND i.state = 'held' AND i.reason = ANY(%(reasons)s) AND NOT i.uid_reused"
        " AND NOT EXISTS (SELECT FROM crosswalk.identity_event_instance l WHERE l.instance_id = i.id"
        " AND NOT EXISTS (SELECT FROM crosswalk.identity_event_decision d WHERE d.event_id = l.event_id))"
        " ORDER BY i.id FOR NO KEY UPDATE)"
        " UPDATE crosswalk.instance i SET state = 'discovered', reason = '', detail = '', state_changed_at = now()"
        " FROM locked WHERE i.id = locked.id",
        {"events": ids, "reasons": list(REASONS)},
    ).rowcount


def open_reissues(taken: Decision, study_ids: Sequence[UUID]) -> tuple[int, tuple[ReleaseName, ...]]:
    """Mark what is stored of studies as to be re-issued, and set back what is made but not stored.

    Returns
    -------
    int
        How many stored instances bear the wrong pseudonym.
    tuple
        The releases that contain any of them.
    """
    connection, ids = taken.connection, list(study_ids)
    connection.execute(
        "WITH locked AS MATERIALIZED (SELECT id FROM crosswalk.instance WHERE study_id = ANY(%s)"
        " AND state IN ('deidentified', 'validated') ORDER BY id FOR NO KEY UPDATE)"
        " UPDATE crosswalk.instance i SET state = 'discovered', output_digest = NULL, output_bytes = 0,"
        " state_changed_at = now() FROM locked WHERE i.id = locked.id",
        (ids,),
    )
    opened = connection.execute(
        "INSERT INTO crosswalk.reissue (instance_id, decision_id) SELECT id, %s FROM crosswalk.instance"
        " WHERE study_id = ANY(%s) AND state = 'stored' ORDER BY id"
        " ON CONFLICT (instance_id) WHERE closed_at IS NULL DO NOTHING",
        (taken.id, ids),
    ).rowcount
    return opened, releases_of(connection, ids)


def releases_of(connection: Connection, study_ids: Sequence[UUID]) -> tuple[ReleaseName, ...]:
    """Return the releases that contain instances of studies."""
    rows = connection.execute(
        "SELECT DISTINCT re.project, re.number, re.requester FROM crosswalk.release_instance ri"
        " JOIN crosswalk.instance i ON i.id = ri.instance_id JOIN crosswalk.release re ON re.id = ri.release_id"
        " WHERE i.study_id = ANY(%s) ORDER BY 1, 2",
        (list(study_ids),),
    ).fetchall()
    return tuple(ReleaseName(*row) for row in rows)
