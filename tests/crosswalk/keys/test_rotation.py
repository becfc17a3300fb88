"""Keys are replaced while others work, in steps that may be broken off."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import psycopg
import pytest
from tests.crosswalk.scenario import DOE, FACTS, ROE, Run, discover, sightings
from tests.processes import FRESH

from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.keys.keychain import Keychain
from dicomanon.errors import Fatal, Held, Retriable
from dicomanon.identity import PatientIdentity

Result = TypeVar("Result")

STUDIES = [f"1.2.{number}" for number in range(1, 8)]


@pytest.fixture
def filled(crosswalk: Crosswalk) -> Crosswalk:
    ids = [discover(crosswalk, study, sightings(study, 2)) for study in STUDIES]
    run = Run(crosswalk)
    for study_id in ids:
        crosswalk.mapping.add_known_values(study_id, ["TOLEDO"])
    run.complete(DOE)
    crosswalk.patients.get_or_create(ROE)
    crosswalk.releases.record_access("ada", "read", "why", 1)
    return crosswalk


def opened(crosswalk: Crosswalk) -> set[str]:
    """Return every source UID and Patient ID of the crosswalk."""
    uids, patients = crosswalk.exports.maps("ada", "test")
    return {value.reveal() for value, _ in uids} | {value.reveal() for value, _ in patients}


def wrapped(dsn: str) -> dict[UUID, bytes]:
    with psycopg.connect(dsn) as connection:
        return dict(
            connection.execute(
                "SELECT id, key_wrapped FROM crosswalk.patient UNION ALL SELECT id, key_wrapped FROM crosswalk.study"
            ).fetchall()
        )


def sealed(dsn: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute("SELECT id, uid_sealed FROM crosswalk.study ORDER BY id").fetchall()


class TestWrappingKey:
    @pytest.mark.parametrize("at_once", [1, 3, 1000])
    def test_rotated_wraps_every_data_key_and_changes_no_value(
        self, filled: Crosswalk, crosswalk_dsn: str, keyring: Keyring, at_once: int
    ) -> None:
        expected, before, values = opened(filled), wrapped(crosswalk_dsn), sealed(crosswalk_dsn)
        number, rewrapped = filled.keys.rotate_wrapping_key(at_once=at_once)
        assert (number, rewrapped) == (2, len(STUDIES) + 2 + 1)
        after = wrapped(crosswalk_dsn)
        assert all(after[row] != before[row] for row in before)
        assert sealed(crosswalk_dsn) == values
        (status,) = filled.keys.status().wrapping
        assert (status.number, status.data_keys) == (2, rewrapped)
        assert opened(filled) == expected
        with Crosswalk(crosswalk_dsn, keyring) as another_process:
            assert opened(another_process) == expected

    def test_the_former_one_is_gone(self, filled: Crosswalk, crosswalk_dsn: str) -> None:
        filled.keys.rotate_wrapping_key()
        with psycopg.connect(crosswalk_dsn) as connection:
            numbers = connection.execute("SELECT number FROM crosswalk.wrapping_key_slot").fetchall()
        assert numbers == [(2,)]

    def test_a_process_that_opened_before_picks_up_the_new_one(
        self, filled: Crosswalk, crosswalk_dsn: str, keyring: Keyring
    ) -> None:
        with Crosswalk(crosswalk_dsn, keyring) as earlier:
            expected = opened(earlier)
            filled.keys.rotate_wrapping_key()
            assert opened(earlier) == expected
            earlier.patients.get_or_create(PatientIdentity("NEW"))
        assert filled.keys.status().wrapping[0].number == 2
        assert len(filled.keys.status().wrapping) == 1

    @pytest.mark.parametrize("after", [0, 1, 4, 9])
    def test_broken_off_it_is_finished_by_the_next_call(
        self, filled: Crosswalk, monkeypatch: pytest.MonkeyPatch, after: int
    ) -> None:
        expected = opened(filled)
        rewrap, calls = Keychain.rewrapped, 0

        def killed(*arguments: Any) -> bytes:
            nonlocal calls
            calls += 1
            if calls > after:
                raise KeyboardInterrupt
            return rewrap(*arguments)

        with monkeypatch.context() as patched:
            patched.setattr(Keychain, "rewrapped", killed)
            with pytest.raises(KeyboardInterrupt):
                filled.keys.rotate_wrapping_key(at_once=2)
        assert [key.number for key in filled.keys.status().wrapping] == [1, 2]
        assert opened(filled) == expected
        number, rewrapped = filled.keys.rotate_wrapping_key(at_once=2)
        assert number == 2
        assert rewrapped >= len(STUDIES) + 3 - after
        assert len(filled.keys.status().wrapping) == 1
        assert opened(filled) == expected

    def test_rotated_while_others_read_and_write_loses_nothing(self, crosswalk_dsn: str, keyring_file: Path) -> None:
        keyring = Keyring.load(keyring_file)
        with Crosswalk(crosswalk_dsn, keyring) as crosswalk:
            crosswalk.migrate()
            stop = FRESH.Event()
            with FRESH.Pool(2, _remember, (stop,)) as pool:
                workers = [pool.apply_async(work_until_stopped, (crosswalk_dsn, keyring_file, name)) for name in "ab"]
                rotations = 0
                while rotations < 12 or min(_studies(crosswalk_dsn, name) for name in "ab") < 5:
                    crosswalk.keys.rotate_wrapping_key(at_once=2)
                    rotations += 1
                    # One that is ready has failed, and says why.
                    assert not [worker.get() for worker in workers if worker.ready()]
                stop.set()
                expected = set[str]().union(*(worker.get(60) for worker in workers))
            assert opened(crosswalk) == expected
            (left,) = crosswalk.keys.status().wrapping
            assert left.number == rotations + 1


class TestDataKeys:
    def test_moved_to_another_row_are_refused(self, filled: Crosswalk, crosswalk_dsn: str, keyring: Keyring) -> None:
        with psycopg.connect(crosswalk_dsn) as connection:
            connection.execute(
                "UPDATE crosswalk.study t SET key_wrapped = o.key_wrapped, uid_sealed = o.uid_sealed"
                " FROM crosswalk.study o WHERE t.id < o.id"
            )
        with Crosswalk(crosswalk_dsn, keyring) as fresh, pytest.raises(Fatal, match="does not open"):
            opened(fresh)

    def test_replaced_for_one_patient_seal_everything_of_theirs_anew(
        self, filled: Crosswalk, crosswalk_dsn: str, keyring: Keyring
    ) -> None:
        expected, before, values = opened(filled), wrapped(crosswalk_dsn), dict(sealed(crosswalk_dsn))
        patient = filled.patients.get_or_create(DOE)
        other = filled.patients.get_or_create(ROE)
        assert filled.keys.reseal(patient.pseudonym) == len(STUDIES)
        after = wrapped(crosswalk_dsn)
        assert {row for row in before if after[row] == before[row]} == {other.id}
        assert all(values[row] != value for row, value in sealed(crosswalk_dsn))
        with Crosswalk(crosswalk_dsn, keyring) as fresh:
            assert opened(fresh) == expected
            assert fresh.patients.get_or_create(DOE) == patient
            for study_id in values:
                assert "TOLEDO" in fresh.mapping.known_values([study_id])[study_id]

    def test_replaced_open_the_details_of_events_too(self, filled: Crosswalk) -> None:
        patient = filled.patients.get_or_create(DOE)
        with pytest.raises(Held):
            filled.patients.get_or_create(replace(DOE, name="QUIXANO^ALONSO"))
        discover(filled, "1.2.99", [replace(sightings("1.2.99", 1)[0], sop_uid=f"{STUDIES[0]}.0.0")])
        filled.keys.reseal(patient.pseudonym)
        seen = {
            event.kind: filled.identities.show(event.id, actor="ada", reason="why").seen.reveal()
            for event in filled.identities.events()
        }
        assert seen == {"patient-differs": replace(DOE, name="QUIXANO^ALONSO"), "uid-reused": None}

    def test_replaced_again_and_again_while_others_write_lose_nothing(
        self, crosswalk_dsn: str, keyring_file: Path
    ) -> None:
        keyring = Keyring.load(keyring_file)
        with Crosswalk(crosswalk_dsn, keyring) as crosswalk:
            crosswalk.migrate()
            pseudonym = crosswalk.patients.get_or_create(PatientIdentity("P-a")).pseudonym
            stop = FRESH.Event()
            with FRESH.Pool(1, _remember, (stop,)) as pool:
                worker = pool.apply_async(work_until_stopped, (crosswalk_dsn, keyring_file, "a"))
                while _studies(crosswalk_dsn, "a") < 8:
                    crosswalk.keys.reseal(pseudonym)
                    assert not worker.ready()
                stop.set()
                expected = worker.get(60)
            assert opened(crosswalk) == expected

    def test_the_database_refuses_a_new_date_shift_under_the_same_key(
        self, filled: Crosswalk, crosswalk_dsn: str
    ) -> None:
        with psycopg.connect(crosswalk_dsn) as connection, pytest.raises(psycopg.errors.RestrictViolation):
            connection.execute("UPDATE crosswalk.patient SET date_shift_sealed = 'x'")

    @pytest.mark.parametrize(
        "change",
        ["kind = 'x'", "patient_id = NULL", "parts = '{}'", "other_patient_id = patient_id", "recorded_at = now()"],
    )
    def test_the_database_refuses_to_change_what_an_event_says(
        self, filled: Crosswalk, crosswalk_dsn: str, change: str
    ) -> None:
        with pytest.raises(Exception, match="identity-conflict"):
            filled.patients.get_or_create(PatientIdentity(DOE.patient_id, "", "OTHER^NAME"))
        with psycopg.connect(crosswalk_dsn) as connection, pytest.raises(psycopg.errors.RestrictViolation):
            connection.execute(f"UPDATE crosswalk.identity_event SET {change}")  # type: ignore[arg-type]


class TestMasterKey:
    def test_both_open_until_the_rotation_is_finished(
        self, filled: Crosswalk, crosswalk_dsn: str, keyring: Keyring
    ) -> None:
        expected = opened(filled)
        renewed = keyring.replaced_sealing_key()
        with Crosswalk(crosswalk_dsn, renewed) as rotating:
            assert rotating.keys.admit_master_key() == 1
            assert rotating.keys.admit_master_key() == 0
            for held in (keyring, renewed, renewed.without_former_keys()):
                with Crosswalk(crosswalk_dsn, held) as process:
                    assert opened(process) == expected
            assert rotating.keys.retire_other_master_keys() == 1
        with Crosswalk(crosswalk_dsn, renewed.without_former_keys()) as process:
            assert opened(process) == expected
        with pytest.raises(Fatal, match="no master key at hand"), Crosswalk(crosswalk_dsn, keyring):
            pass

    def test_is_not_finished_before_the_new_one_opens_everything(
        self, filled: Crosswalk, crosswalk_dsn: str, keyring: Keyring
    ) -> None:
        early = Crosswalk(crosswalk_dsn, keyring.replaced_sealing_key())
        with early, pytest.raises(Fatal, match="does not open every"):
            early.keys.retire_other_master_keys()
        with Crosswalk(crosswalk_dsn, keyring):
            pass

    def test_a_wrapping_key_that_comes_between_opens_for_both(
        self, filled: Crosswalk, crosswalk_dsn: str, keyring: Keyring
    ) -> None:
        renewed = keyring.replaced_sealing_key()
        with Crosswalk(crosswalk_dsn, renewed) as rotating:
            rotating.keys.admit_master_key()
            rotating.keys.rotate_wrapping_key()
        for held in (keyring, renewed.without_former_keys()):
            with Crosswalk(crosswalk_dsn, held) as process:
                assert DOE.patient_id in opened(process)

    def test_a_process_with_only_one_of_two_makes_no_wrapping_key(
        self, filled: Crosswalk, crosswalk_dsn: str, keyring: Keyring
    ) -> None:
        with Crosswalk(crosswalk_dsn, keyring.replaced_sealing_key()) as rotating:
            rotating.keys.admit_master_key()
        with pytest.raises(Fatal, match="not at hand"):
            filled.keys.rotate_wrapping_key()

    def test_that_does_not_open_what_it_wrapped_is_not_admitted(self, filled: Crosswalk, crosswalk_dsn: str) -> None:
        class Broken:
            name = "command:broken"

            def wrap(self, key: bytes, context: str) -> bytes:
                return key[::-1]

            def unwrap(self, wrapped: bytes, context: str) -> bytes:
                return wrapped

        with Crosswalk(crosswalk_dsn, _with(filled, Broken())) as process:
            with pytest.raises(Fatal, match="does not open what it wrapped"):
                process.keys.admit_master_key()
            assert [master.opens for master in process.keys.status().masters] == [0, 1]


def _with(crosswalk: Crosswalk, master: Any) -> Keyring:
    keyring = crosswalk._keyring
    return keyring.with_masters((master, *keyring.masters))


def _studies(dsn: str, name: str) -> int:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(
            "SELECT count(*) FROM crosswalk.study st JOIN crosswalk.instance i ON i.study_id = st.id"
            " JOIN crosswalk.batch b ON b.id = i.batch_id JOIN crosswalk.run r ON r.id = b.run_id"
            " WHERE i.state = 'deidentified' AND r.dag_id = %s",
            (name,),
        ).fetchone()
    return row[0] if row else 0


_stop: Any = None


def _remember(stop: Any) -> None:
    global _stop  # noqa: PLW0603 -- handed to the process when it starts; there is no other way for an Event
    _stop = stop


def again(work: Callable[..., Result]) -> Result:
    """Do what a key that was replaced at this moment has stopped, as a task would; what was read is read anew."""
    for _ in range(100):
        try:
            return work()
        except Retriable:
            continue
    return work()


def work_until_stopped(dsn: str, keyring_file: Path, name: str) -> set[str]:
    """Discover, read and record study after study of a patient of its own; return what must open afterwards."""
    from tests.crosswalk.scenario import deidentified

    from dicomanon.crosswalk.rows import PlannedInstance

    expected = {f"P-{name}"}
    with Crosswalk(dsn, Keyring.load(keyring_file)) as crosswalk:
        number = 0
        while not _stop.is_set():
            number += 1
            study = f"1.{ord(name)}.{number}"
            study_id = again(lambda uid=study: discover(crosswalk, uid, sightings(uid, 2)))
            run = crosswalk.ledger.open_run(name, study)
            mine: list[PlannedInstance] = [one for one in crosswalk.ledger.unplanned(run) if one.study_id == study_id]
            batch = crosswalk.ledger.open_batch(run, 1, [one.instance_id for one in mine])
            patient = again(lambda: crosswalk.patients.get_or_create(PatientIdentity(f"P-{name}")))
            again(lambda of=study_id, uid=study: crosswalk.mapping.add_known_values(of, [uid]))
            sources = again(lambda of=batch: crosswalk.ledger.batch_sources(of))
            facts = replace(FACTS, accession_number=f"ACC-{name}")
            outcomes = [deidentified(source, patient.id, facts=facts) for source in sources]
            again(lambda of=batch, what=outcomes: crosswalk.mapping.record(of, what))
            known = again(lambda of=study_id: crosswalk.mapping.known_values([of]))
            assert study in known[study_id]
            expected |= {study} | {one.series_uid for one in sightings(study, 2)}
            expected |= {one.sop_uid for one in sightings(study, 2)}
    return expected
