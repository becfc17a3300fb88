"""Devices whose pictures a person should see first: which were met, in what, and what was said of them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any
from uuid import UUID, uuid4

from dicomanon.crosswalk.access_events import record_access_event
from dicomanon.crosswalk.audit.events import Subject, SubjectKind
from dicomanon.crosswalk.rows import DeviceConfirmation, SeenDevice
from dicomanon.crosswalk.sealed import open_phi, open_text, seal_text
from dicomanon.crosswalk.session import Connection, Session
from dicomanon.devices import Confirmation, ConfirmedBox, ConfirmedDevices, DeviceDecision, DeviceKey
from dicomanon.errors import Fatal
from dicomanon.reasons import HoldReason


class Devices:
    """What was seen of devices, and what was confirmed; confirmations are only ever added, and the newest counts."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def observe(self, keys: Iterable[DeviceKey]) -> None:
        """Enter devices that are not known yet; of pictures that have a row, :meth:`Mapping.record` does."""
        with self._session.transaction() as connection:
            enter(self._session, connection, dict.fromkeys(keys, ()))

    def confirmed(self) -> ConfirmedDevices:
        """Return what was confirmed, as it stands now."""
        with self._session.transaction() as connection:
            rows = connection.execute(
                "SELECT DISTINCT ON (d.id) d.id, d.facts_sealed, c.decision, c.boxes FROM crosswalk.device d"
                " JOIN crosswalk.device_confirmation c ON c.device_id = d.id ORDER BY d.id, c.number DESC"
            ).fetchall()
        return ConfirmedDevices(
            MappingProxyType(
                {
                    self._key(row, sealed): Confirmation(DeviceDecision(decision), _boxes(boxes))
                    for row, sealed, decision, boxes in rows
                }
            )
        )

    def confirm(
        self, device_id: UUID, decision: DeviceDecision, boxes: Sequence[ConfirmedBox], *, author: str, reason: str
    ) -> int:
        """Say what becomes of a device's pictures, and queue those again that wait for it.

        Parameters
        ----------
        device_id
            Of :meth:`all`.
        decision
            With ``HOLD`` what is held stays held.
        boxes
            Left, top, width and height in pixels; for ``MASK`` only, and needed there.
        author, reason
            Who says so, and why; the reason is sealed.

        Returns
        -------
        int
            How many instances the next run will take up.

        Raises
        ------
        Fatal
            There is no such device, boxes do not go with the decision, or author or reason is empty.
        """
        if not (author.strip() and reason.strip()):
            raise Fatal("a device is confirmed by somebody, for a reason: say why with --reason")
        if bool(boxes) != (decision is DeviceDecision.MASK):
            raise Fatal("boxes go with mask, and mask with boxes")
        if any(left < 0 or top < 0 or width < 1 or height < 1 for left, top, width, height in boxes):
            raise Fatal("a box is left, top, width and height in pixels, the last two at least 1")
        with self._session.transaction() as connection:
            found = connection.execute(
                "SELECT facts_sealed FROM crosswalk.device WHERE id = %s", (device_id,)
            ).fetchone()
            if found is None:
                raise Fatal("no such device was seen: `dicomanon pixels devices` names them")
            _require_inside(self._key(device_id, found[0]), boxes)
            row = uuid4()
            connection.execute(
                "INSERT INTO crosswalk.device_confirmation"
                " (id, device_id, decision, boxes, confirmed_by, reason_sealed)"
                " VALUES (%s, %s, %s, %s, %s, %s)",
                (
                    row,
                    device_id,
                    decision.value,
                    json.dumps(boxes),
                    author.strip(),
                    seal_text(self._session.keys.site, "device_confirmation.reason", row, reason),
                ),
            )
            queued = 0
            if decision is not DeviceDecision.HOLD:
                found = connection.execute("SELECT crosswalk.queue_again(%s)", (device_id,)).fetchone()
                queued = int(found[0]) if found else 0
            record_access_event(
                connection,
                self._session.keys.site,
                author.strip(),
                "device.confirm",
                f"{decision.value}: {reason}",
                queued,
                subject=Subject(SubjectKind.DEVICE, str(device_id)),
            )
        return queued

    def all(self) -> list[SeenDevice]:
        """Return every device that was seen, those that most instances wait for first."""
        site = self._session.keys.site
        with self._session.transaction() as connection:
            rows = connection.execute(
                "SELECT d.id, d.facts_sealed, d.first_seen_at, count(i.id), count(DISTINCT i.study_id),"
                " count(i.id) FILTER (WHERE i.state = 'held' AND i.reason = %s)"
                " FROM crosswalk.device d LEFT JOIN crosswalk.device_sighting s ON s.device_id = d.id"
                " LEFT JOIN crosswalk.instance i ON i.id = s.instance_id"
                " GROUP BY d.id ORDER BY 6 DESC, 4 DESC, d.first_seen_at, d.id",
                (HoldReason.UNCONFIRMED_DEVICE.value,),
            ).fetchall()
            confirmations: dict[UUID, list[DeviceConfirmation]] = {}
            for row, device, decision, boxes, who, when, sealed in connection.execute(
                "SELECT id, device_id, decision, boxes, confirmed_by, confirmed_at, reason_sealed"
                " FROM crosswalk.device_confirmation ORDER BY number"
            ):
                confirmations.setdefault(device, []).append(
                    DeviceConfirmation(
                        Confirmation(DeviceDecision(decision), _boxes(boxes)),
                        who,
                        when,
                        open_phi(site, "device_confirmation.reason", row, sealed),
                    )
                )
        return [
            SeenDevice(
                row, self._key(row, sealed), first_seen, instances, studies, waiting, tuple(confirmations.get(row, ()))
            )
            for row, sealed, first_seen, instances, studies, waiting in rows
        ]

    def _key(self, row: UUID, sealed: bytes) -> DeviceKey:
        return DeviceKey.from_json(open_text(self._session.keys.site, "device.facts", row, sealed))


def _require_inside(device: DeviceKey, boxes: Sequence[ConfirmedBox]) -> None:
    """Refuse boxes that reach beyond the device's pictures: whoever typed them meant others."""
    for left, top, width, height in boxes:
        if left + width > device.columns or top + height > device.rows:
            raise Fatal(
                f"box {left},{top},{width},{height} goes beyond the pictures of this device, {device.columns} columns "
                f"and {device.rows} rows: a box is left, top, width and height in pixels"
            )


def enter(session: Session, connection: Connection, seen: Mapping[DeviceKey, Iterable[int]]) -> None:
    """Enter devices and the instances that they were seen in; what is entered already stays as it is."""
    keyring = session.keyring
    # In one order everywhere, so that two batches at once never wait for each other in a circle.
    by_index = dict(sorted((keyring.index("device", key.to_json()), key) for key in seen))
    for index, key in by_index.items():
        row = uuid4()
        connection.execute(
            "INSERT INTO crosswalk.device (id, device_index, facts_sealed) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            (row, index, seal_text(session.keys.site, "device.facts", row, key.to_json())),
        )
    sightings = [(index, instance) for index, key in by_index.items() for instance in sorted(seen[key])]
    connection.execute(
        "INSERT INTO crosswalk.device_sighting (device_id, instance_id)"
        " SELECT d.id, s.instance_id FROM unnest(%s::bytea[], %s::bigint[]) AS s (device_index, instance_id)"
        " JOIN crosswalk.device d USING (device_index) ON CONFLICT DO NOTHING",
        ([index for index, _ in sightings], [instance for _, instance in sightings]),
    )


def _boxes(boxes: Sequence[Sequence[Any]]) -> tuple[ConfirmedBox, ...]:
    return tuple((int(left), int(top), int(width), int(height)) for left, top, width, height in boxes)
