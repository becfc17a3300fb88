"""Devices that a person should see first: what is entered once, what was said stays, and what waits is queued again."""

from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from tests.crosswalk.scenario import Run, discover, held, in_processes, sightings

from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.devices import Confirmation, ConfirmedDevices, DeviceDecision, DeviceKey
from dicomanon.errors import Fatal
from dicomanon.reasons import HoldReason

WAITS = HoldReason.UNCONFIRMED_DEVICE


def key(model: str = "One", rows: int = 480) -> DeviceKey:
    return DeviceKey.of(
        modality="US",
        manufacturer="Acme",
        model=model,
        software_versions="1",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.6.1",
        rows=rows,
        columns=640,
        image_type="ORIGINAL\\PRIMARY",
    )


def hold_instances(crosswalk: Crosswalk, *devices: DeviceKey, reason: str = WAITS, study: str = "1.2") -> Run:
    """Hold an instance of a study for each device."""
    discover(crosswalk, study, sightings(study, len(devices)))
    run = Run(crosswalk)
    outcomes = [
        held(outcome, reason, "class-high")
        for outcome in (run.outcomes(device=device)[n] for n, device in enumerate(devices))
    ]
    crosswalk.mapping.record(run.batch, outcomes)
    return run


def confirm(crosswalk: Crosswalk, decision: DeviceDecision = DeviceDecision.CLEAN, **changes: object) -> int:
    boxes = ((0, 0, 640, 40),) if decision is DeviceDecision.MASK else ()
    (device, *_) = crosswalk.devices.all()
    given = {
        "device_id": device.id,
        "decision": decision,
        "boxes": boxes,
        "author": "ada",
        "reason": "looked",
        **changes,
    }
    return crosswalk.devices.confirm(**given)  # type: ignore[arg-type]


def observe_in_a_process(dsn: str, keyring_file: Path, first: int) -> None:
    with Crosswalk(dsn, Keyring.load(keyring_file)) as crosswalk:
        crosswalk.devices.observe([key(rows=rows) for rows in range(first, first + 20)])


class TestObserve:
    def test_a_device_is_entered_once(self, crosswalk: Crosswalk) -> None:
        crosswalk.devices.observe([key(), key()])
        crosswalk.devices.observe([key()])
        (device,) = crosswalk.devices.all()
        assert device.key == key()
        assert (device.state, device.instances, device.studies, device.waiting) == ("unconfirmed", 0, 0, 0)

    def test_by_several_processes_at_once_too(self, crosswalk_dsn: str, keyring_file: Path) -> None:
        with Crosswalk(crosswalk_dsn, Keyring.load(keyring_file)) as crosswalk:
            crosswalk.migrate()
            in_processes(observe_in_a_process, [(crosswalk_dsn, keyring_file, first) for first in (1, 5, 10)])
            assert len(crosswalk.devices.all()) == 29

    def test_recorded_with_the_outcomes_and_counted(self, crosswalk: Crosswalk) -> None:
        hold_instances(crosswalk, key(), key(), key("Two"))
        hold_instances(crosswalk, key(), study="1.3")
        devices = crosswalk.devices.all()
        assert [(one.key, one.instances, one.studies, one.waiting) for one in devices] == [
            (key(), 3, 2, 3),
            (key("Two"), 1, 1, 1),
        ]

    def test_recorded_again_counts_nothing_twice(self, crosswalk: Crosswalk) -> None:
        run = hold_instances(crosswalk, key())
        crosswalk.mapping.record(run.batch, [held(one, WAITS) for one in run.outcomes(device=key())])
        assert crosswalk.devices.all()[0].instances == 1

    def test_seen_and_released_does_not_wait(self, crosswalk: Crosswalk) -> None:
        discover(crosswalk, "1.2", sightings("1.2", 1))
        Run(crosswalk).record(device=key())
        assert (crosswalk.devices.all()[0].instances, crosswalk.devices.all()[0].waiting) == (1, 0)


class TestConfirm:
    def test_nothing_is_confirmed_before_anybody_says_so(self, crosswalk: Crosswalk) -> None:
        hold_instances(crosswalk, key())
        assert crosswalk.devices.confirmed() == ConfirmedDevices({})

    @pytest.mark.parametrize("decision", DeviceDecision)
    def test_what_is_said_of_one_device_is_given_to_the_decision(
        self, crosswalk: Crosswalk, decision: DeviceDecision
    ) -> None:
        hold_instances(crosswalk, key(), key(), key("Two"))
        confirm(crosswalk, decision)
        confirmed = crosswalk.devices.confirmed()
        boxes = ((0, 0, 640, 40),) if decision is DeviceDecision.MASK else ()
        assert confirmed.get(key()) == Confirmation(decision, boxes)
        assert confirmed.get(key("Two")) is None

    def test_the_newest_counts_and_the_older_ones_stay(self, crosswalk: Crosswalk) -> None:
        hold_instances(crosswalk, key())
        confirm(crosswalk)
        confirm(crosswalk, DeviceDecision.HOLD, author="bob", reason="a name in the corner")
        (device,) = crosswalk.devices.all()
        assert device.state == "hold"
        assert [(one.said.decision, one.author, one.reason.reveal()) for one in device.confirmations] == [
            ("clean", "ada", "looked"),
            ("hold", "bob", "a name in the corner"),
        ]
        assert "corner" not in repr(device)
        assert crosswalk.devices.confirmed().get(key()) == Confirmation(DeviceDecision.HOLD)

    def test_queues_again_just_what_waits_for_this_device(self, crosswalk: Crosswalk) -> None:
        hold_instances(crosswalk, key("Two"), study="1.3")
        hold_instances(crosswalk, key(), reason=HoldReason.BURNED_IN_RISK, study="1.4")
        run = hold_instances(crosswalk, key(), key())
        assert crosswalk.devices.all()[0].key == key()
        assert confirm(crosswalk) == 2
        assert run.states() == ["discovered", "discovered"]
        assert [(one.key.model, one.waiting) for one in crosswalk.devices.all()] == [("TWO", 1), ("ONE", 0)]
        assert len(crosswalk.ledger.unplanned(Run(crosswalk).id)) == 0  # the run that was just opened took both
        assert confirm(crosswalk, device_id=next(d.id for d in crosswalk.devices.all() if d.key == key())) == 0

    def test_a_queued_instance_is_recorded_anew(self, crosswalk: Crosswalk) -> None:
        run = hold_instances(crosswalk, key())
        confirm(crosswalk)
        again = Run(crosswalk)
        again.record()
        assert again.states() == ["deidentified"]
        assert run.sources() == []

    def test_hold_queues_nothing(self, crosswalk: Crosswalk) -> None:
        run = hold_instances(crosswalk, key())
        assert confirm(crosswalk, DeviceDecision.HOLD) == 0
        assert run.states() == ["held"]

    @pytest.mark.parametrize(
        "changes",
        [
            {"author": " "},
            {"reason": ""},
            {"boxes": ((0, 0, 1, 1),)},
            {"decision": DeviceDecision.MASK, "boxes": ()},
            {"decision": DeviceDecision.MASK, "boxes": ((0, 0, 0, 1),)},
            {"decision": DeviceDecision.MASK, "boxes": ((1, 0, 640, 40),)},
            {"decision": DeviceDecision.MASK, "boxes": ((0, 5000, 640, 40),)},
            {"device_id": UUID(int=1)},
        ],
        ids=str,
    )
    def test_refused_without_leaving_anything(self, crosswalk: Crosswalk, changes: dict[str, object]) -> None:
        hold_instances(crosswalk, key())
        with pytest.raises(Fatal):
            confirm(crosswalk, **changes)  # type: ignore[arg-type]
        assert crosswalk.devices.all()[0].confirmations == ()
        assert crosswalk.devices.all()[0].waiting == 1

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE crosswalk.device_confirmation SET decision = 'hold'",
            "DELETE FROM crosswalk.device_confirmation",
            "TRUNCATE crosswalk.device_confirmation",
            "UPDATE crosswalk.device SET first_seen_at = now()",
        ],
    )
    def test_nobody_changes_what_was_said(self, crosswalk: Crosswalk, crosswalk_dsn: str, statement: str) -> None:
        hold_instances(crosswalk, key())
        confirm(crosswalk)
        with psycopg.connect(crosswalk_dsn) as connection, pytest.raises(psycopg.errors.RestrictViolation):
            connection.execute(statement)  # type: ignore[call-overload]
