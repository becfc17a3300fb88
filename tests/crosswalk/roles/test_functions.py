"""The functions that act for the owner give out what they say, and are not led astray by who calls them."""

from uuid import UUID, uuid4

import psycopg
import pytest
from tests.crosswalk.roles.conftest import Filled
from tests.crosswalk.scenario import Run, discover, sightings

from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.roles.role import Role

LOOK = (
    "INSERT INTO crosswalk.access_event (id, actor, action, reason_sealed, count, instance_id)"
    " VALUES (%s, 'ada', 'look', '', 1, %s)"
)
SOURCE = "SELECT sop_uid_sealed FROM crosswalk.held_source(%s)"


def look(filled: Filled, instance: int) -> UUID:
    event = uuid4()
    with filled.acting_as(Role.REVIEWER) as connection:
        connection.execute(LOOK, (event, instance))
        connection.commit()
    return event


def make_old(filled: Filled, event: UUID) -> None:
    """Do what a minute does: the time of an event is the database's to say, and is never changed else."""
    with psycopg.connect(filled.dsn) as owner:
        owner.execute("ALTER TABLE crosswalk.access_event DISABLE TRIGGER access_event_append_only")
        owner.execute(
            "UPDATE crosswalk.access_event SET recorded_at = recorded_at - interval '2 min' WHERE id = %s", (event,)
        )
        owner.execute("ALTER TABLE crosswalk.access_event ENABLE TRIGGER access_event_append_only")


def stored(filled: Filled) -> int:
    with psycopg.connect(filled.dsn) as connection:
        row = connection.execute("SELECT min(id) FROM crosswalk.instance WHERE state = 'stored'").fetchone()
    assert row
    return int(row[0])


class TestHeldSource:
    def test_is_given_out_for_a_look_that_is_recorded(self, filled: Filled) -> None:
        event = look(filled, filled.held)
        with filled.acting_as(Role.REVIEWER) as connection:
            assert len(connection.execute(SOURCE, (event,)).fetchall()) == 1

    def test_not_for_a_look_that_can_still_be_undone(self, filled: Filled) -> None:
        event = uuid4()
        with filled.acting_as(Role.REVIEWER) as connection:
            connection.execute(LOOK, (event, filled.held))
            assert connection.execute(SOURCE, (event,)).fetchall() == []

    @pytest.mark.parametrize("release", [True, False])
    def test_nor_for_one_within_a_savepoint(self, filled: Filled, release: bool) -> None:
        event = uuid4()
        with filled.acting_as(Role.REVIEWER) as connection:
            connection.execute("SELECT pg_current_xact_id()")
            connection.execute("SAVEPOINT inner_one")
            connection.execute(LOOK, (event, filled.held))
            if release:
                connection.execute("RELEASE inner_one")
            assert connection.execute(SOURCE, (event,)).fetchall() == []

    def test_not_of_what_is_not_held(self, filled: Filled) -> None:
        event = look(filled, stored(filled))
        with filled.acting_as(Role.REVIEWER) as connection:
            assert connection.execute(SOURCE, (event,)).fetchall() == []

    def test_not_for_an_old_look_and_not_for_none(self, filled: Filled) -> None:
        old = look(filled, filled.held)
        make_old(filled, old)
        with filled.acting_as(Role.REVIEWER) as connection:
            for event in (old, uuid4()):
                assert connection.execute(SOURCE, (event,)).fetchall() == []


class TestQueueAgain:
    def test_takes_nothing_up_that_nobody_has_confirmed(self, filled: Filled) -> None:
        with filled.acting_as(Role.REVIEWER) as connection:
            rows = connection.execute("SELECT id FROM crosswalk.device").fetchall()
            for (device,) in [*rows, (uuid4(),)]:
                with pytest.raises(psycopg.errors.RestrictViolation), connection.transaction():
                    connection.execute("SELECT crosswalk.queue_again(%s)", (device,))


class TestBatchSources:
    SOURCES = "SELECT study_uid_sealed, series_uid_sealed, sop_uid_sealed FROM crosswalk.batch_sources(%s)"

    def test_of_a_batch_that_is_done_no_source_uid_comes_out(self, filled: Filled) -> None:
        with filled.acting_as(Role.INGEST) as connection:
            rows = connection.execute(self.SOURCES, (filled.done.batch,)).fetchall()
        assert rows == [(None, None, None)] * 4

    def test_of_one_that_is_worked_on_all_do(self, crosswalk: Crosswalk, crosswalk_dsn: str) -> None:
        discover(crosswalk, "1.2.9", sightings("1.2.9", 3))
        run = Run(crosswalk)
        crosswalk.mapping.record(run.batch, run.outcomes()[:2])
        run.validate()
        run.store()
        for closed in (False, True):  # a run that was closed before it was done is still worked on
            if closed:
                crosswalk.ledger.close_run(run.id, balanced=False)
            assert [row.sop_uid.reveal() != "" for row in run.sources()] == [True] * 3

    def test_a_run_that_is_done_can_be_looked_at_again(self, filled: Filled, keyring: Keyring) -> None:
        with Crosswalk(filled.logins[Role.INGEST], keyring, role=Role.INGEST) as crosswalk:
            sources = crosswalk.ledger.batch_sources(filled.done.batch)
        assert {row.sop_uid.reveal() for row in sources} == {""}
        assert sorted(row.state for row in sources) == ["held", "stored", "stored", "stored"]


def test_known_values_are_refused_of_what_is_not_worked_on(filled: Filled) -> None:
    with filled.acting_as(Role.INGEST) as connection:
        (study,) = (
            connection.execute("SELECT study_id FROM crosswalk.instance WHERE id = %s", (filled.held,)).fetchone() or ()
        )
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="that are being worked on"):
            connection.execute("SELECT * FROM crosswalk.known_values_of(%s)", ([study],))


def test_what_a_caller_makes_is_not_taken_for_what_the_functions_mean(filled: Filled) -> None:
    """The one role that may have temporary objects puts them before everything else, and finds no more than before."""
    sources = "SELECT study_uid_sealed, sop_uid_sealed, state FROM crosswalk.batch_sources(%s)"
    with filled.acting_as(Role.INGEST) as connection:
        honest = connection.execute(sources, (filled.done.batch,)).fetchall()
        # As if the batch were open, were these asked.
        for trick in (
            "CREATE TEMP TABLE batch AS SELECT * FROM crosswalk.batch",
            "CREATE TEMP TABLE run AS SELECT id, NULL::timestamptz AS closed_at FROM crosswalk.run",
            "CREATE FUNCTION pg_temp.is_open(bigint, crosswalk.instance_state) RETURNS boolean LANGUAGE sql"
            " AS 'SELECT true'",
            "CREATE FUNCTION pg_temp.always(crosswalk.instance_state, crosswalk.instance_state) RETURNS boolean"
            " LANGUAGE sql AS 'SELECT true'",
            "CREATE OPERATOR pg_temp.= (LEFTARG = crosswalk.instance_state, RIGHTARG = crosswalk.instance_state,"
            " FUNCTION = pg_temp.always)",
            "SET search_path = pg_temp, crosswalk, pg_catalog",
        ):
            connection.execute(trick)
        assert connection.execute(sources, (filled.done.batch,)).fetchall() == honest


class TestSealingAnew:
    FIRST = "SELECT crosswalk.seal_first(%s, %s, 'k', ARRAY['study.uid'], ARRAY[%s], ARRAY['v'::bytea])"

    def test_gives_ingest_nothing_of_what_has_a_key(self, filled: Filled) -> None:
        with filled.acting_as(Role.INGEST) as connection:
            for owner in ("patient", "study"):
                rows = connection.execute(f"SELECT id FROM crosswalk.{owner}").fetchall()  # type: ignore[arg-type]
                assert rows
                for (row,) in rows:
                    read = "SELECT * FROM crosswalk.sealed_without_key(%s, %s)"
                    assert connection.execute(read, (owner, row)).fetchall() == []

    def test_takes_nothing_from_ingest_for_what_has_a_key(self, filled: Filled) -> None:
        with filled.acting_as(Role.INGEST) as connection:
            for (row,) in connection.execute("SELECT id FROM crosswalk.study").fetchall():
                with pytest.raises(psycopg.errors.RestrictViolation), connection.transaction():
                    connection.execute(self.FIRST, ("study", row, str(row)))

    def test_takes_the_whole_or_nothing(self, filled: Filled) -> None:
        with filled.acting_as(Role.ADMIN) as connection:
            row = connection.execute("SELECT id FROM crosswalk.patient").fetchone()
            assert row
            with pytest.raises(psycopg.errors.RestrictViolation):
                connection.execute(
                    "SELECT crosswalk.seal_anew('patient', %s, 'k', ARRAY['patient.identity'], ARRAY[%s],"
                    " ARRAY['v'::bytea])",
                    (row[0], str(row[0])),
                )

    @pytest.mark.parametrize("owner", ["patient", "study"])
    def test_a_key_is_not_taken_away(self, filled: Filled, owner: str) -> None:
        with psycopg.connect(filled.dsn) as connection, pytest.raises(psycopg.errors.RestrictViolation):
            connection.execute(f"UPDATE crosswalk.{owner} SET key_wrapped = NULL")  # type: ignore[arg-type]


def test_ingest_alone_learns_which_releases_a_request_led_to(filled: Filled) -> None:
    with filled.acting_as(Role.INGEST) as connection:
        told = {row[0] for row in connection.execute("SELECT * FROM crosswalk.releases_of_request('r')")}
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT id FROM crosswalk.release")
    assert told == set(filled.releases.values())
