"""Writes access events: who was given what, and why they said they needed it."""

from uuid import UUID, uuid4

from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.sealed import seal_text
from dicomanon.crosswalk.session import Connection
from dicomanon.errors import Fatal


def record_access_event(
    connection: Connection,
    keyring: Keyring,
    actor: str,
    action: str,
    reason: str,
    count: int,
    *,
    instance_id: int | None = None,
) -> UUID:
    """Append an event; the reason is sealed, since people type names and numbers into it.

    ``instance_id`` names the one instance that was shown, where it is about one.

    Raises
    ------
    Fatal
        Actor, action or reason is empty.
    """
    if not (actor.strip() and action.strip() and reason.strip()):
        raise Fatal("an access is recorded with who, what and why")
    row = uuid4()
    connection.execute(
        "INSERT INTO crosswalk.access_event (id, actor, action, reason_sealed, count, instance_id)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        (row, actor, action, seal_text(keyring, "access_event.reason", row, reason), count, instance_id),
    )
    return row
