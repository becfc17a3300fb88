"""Writes access events: who was given, asked or decided what, and why they said they needed it."""

from collections.abc import Sequence
from uuid import UUID, uuid4

from dicomanon.crosswalk.audit.events import AccessEvent, Subject
from dicomanon.crosswalk.keys.data_keys import Sealer
from dicomanon.crosswalk.sealed import seal_text
from dicomanon.crosswalk.session import Connection
from dicomanon.errors import Fatal


def record_access_events(connection: Connection, site: Sealer, events: Sequence[AccessEvent]) -> list[UUID]:
    """Append events in their order, all or none; their reasons are sealed: people type names and numbers into them.

    Call it last in a transaction that locks other rows: from here to its end nobody else can append, and whoever waits
    for its turn while holding a row that this transaction wants would wait for ever.

    Returns
    -------
    list
        Ids of the events.

    Raises
    ------
    Fatal
        Actor, action or reason of one is empty.
    """
    if not all(event.actor.strip() and event.action.strip() and event.reason.strip() for event in events):
        raise Fatal("an access is recorded with who, what and why")
    ids = [uuid4() for _ in events]
    connection.execute(
        "INSERT INTO crosswalk.access_event"
        " (id, actor, action, reason_sealed, count, instance_id, subject_kind, subject)"
        " SELECT * FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::bytea[], %s::bigint[], %s::bigint[],"
        " %s::text[], %s::text[])",
        (
            ids,
            [event.actor for event in events],
            [event.action for event in events],
            [seal_text(site, "access_event.reason", row, event.reason) for row, event in zip(ids, events, strict=True)],
            [event.count for event in events],
            [event.instance_id for event in events],
            [event.subject.kind.value if event.subject else "" for event in events],
            [event.subject.id if event.subject else "" for event in events],
        ),
    )
    return ids


def record_access_event(
    connection: Connection,
    site: Sealer,
    actor: str,
    action: str,
    reason: str,
    count: int,
    *,
    instance_id: int | None = None,
    subject: Subject | None = None,
) -> UUID:
    """Append one event, as :func:`record_access_events` does.

    ``instance_id`` names the one instance that was shown, where it is about one; ``subject`` anything else that it is
    about.

    Raises
    ------
    Fatal
        Actor, action or reason is empty.
    """
    event = AccessEvent(actor, action, reason, count, subject, instance_id)
    return record_access_events(connection, site, [event])[0]
