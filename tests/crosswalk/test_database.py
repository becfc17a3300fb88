"""Opening, migrating, the keyring that belongs to a database, and errors that keep their mouth shut."""

import traceback
from pathlib import Path

import psycopg
import pytest
from tests.crosswalk.scenario import DOE, Run, discover, in_processes, migrate, sightings

from dicomanon.crosswalk import migrations
from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.session import translated
from dicomanon.errors import Fatal, Retriable

OTHER = Keyring(b"a" * 32, b"b" * 32, b"c" * 32, b"d" * 32)


class TestMigrate:
    def test_second_time_does_nothing(self, crosswalk: Crosswalk) -> None:
        assert crosswalk.migrate() == 0

    def test_four_processes_at_once_apply_each_step_once(self, empty_dsn: str, keyring_file: Path) -> None:
        applied = in_processes(migrate, [(empty_dsn, keyring_file)] * 4)
        assert sorted(applied) == [0, 0, 0, len(migrations.migrations())]

    def test_refuses_a_database_of_a_newer_version(self, crosswalk: Crosswalk, crosswalk_dsn: str) -> None:
        with psycopg.connect(crosswalk_dsn) as connection:
            connection.execute("INSERT INTO crosswalk.migration (number, name, checksum) VALUES (9999, 'x', 'x')")
        with pytest.raises(Fatal, match="newer version"):
            crosswalk.migrate()

    def test_refuses_files_that_were_changed_after_they_were_applied(
        self, crosswalk: Crosswalk, crosswalk_dsn: str
    ) -> None:
        with psycopg.connect(crosswalk_dsn) as connection:
            connection.execute("UPDATE crosswalk.migration SET checksum = 'x' WHERE number = 2")
        with pytest.raises(Fatal, match="0002"):
            crosswalk.migrate()

    def test_not_done_is_said(self, empty_dsn: str, keyring: Keyring) -> None:
        with Crosswalk(empty_dsn, keyring) as crosswalk, pytest.raises(Fatal, match="migrate it first"):
            crosswalk.patients.get_or_create(DOE)


class TestKeyring:
    def test_another_one_is_refused_when_opening(self, crosswalk: Crosswalk, crosswalk_dsn: str) -> None:
        with pytest.raises(Fatal, match="another keyring"), Crosswalk(crosswalk_dsn, OTHER):
            pass

    def test_another_one_is_refused_when_migrating(self, crosswalk_dsn: str, keyring: Keyring) -> None:
        late = Crosswalk(crosswalk_dsn, OTHER)
        with late, Crosswalk(crosswalk_dsn, keyring) as crosswalk:
            crosswalk.migrate()
            with pytest.raises(Fatal, match="another keyring"):
                late.migrate()

    def test_one_changed_key_is_enough_to_be_refused(self, crosswalk_dsn: str) -> None:
        with Crosswalk(crosswalk_dsn, OTHER) as crosswalk:
            crosswalk.migrate()
        changed = Keyring(b"a" * 32, b"b" * 32, b"x" * 32, b"d" * 32)
        with pytest.raises(Fatal, match="another keyring"), Crosswalk(crosswalk_dsn, changed):
            pass


class TestErrors:
    def test_unreachable_server_is_retriable(self, keyring: Keyring) -> None:
        with (
            pytest.raises(Retriable, match="cannot be reached"),
            Crosswalk("postgresql://nobody:secret-word@127.0.0.1:1/none", keyring),
        ):
            pass

    def test_wrong_login_shows_no_password(self, crosswalk_dsn: str, keyring: Keyring) -> None:
        wrong = psycopg.conninfo.make_conninfo(crosswalk_dsn, password="secret-word")
        with pytest.raises(Retriable) as refused, Crosswalk(wrong, keyring):
            pass
        assert "secret-word" not in "".join(traceback.format_exception(refused.value))

    def test_connection_cut_in_the_middle_is_retriable_and_the_next_call_works(
        self, crosswalk: Crosswalk, crosswalk_dsn: str
    ) -> None:
        with pytest.raises(Retriable), crosswalk.patients._session.transaction() as connection:
            with psycopg.connect(crosswalk_dsn) as killer:
                killer.execute("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))
            connection.execute("SELECT 1")
        assert crosswalk.patients.get_or_create(DOE)

    def test_connections_dropped_while_idle_are_replaced(self, crosswalk: Crosswalk, crosswalk_dsn: str) -> None:
        crosswalk.patients.get_or_create(DOE)
        with psycopg.connect(crosswalk_dsn) as killer:
            killer.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        assert crosswalk.patients.identity_events() == []

    @pytest.mark.parametrize("state", ["40001", "40P01", "55P03", "57P01", "08006", "53300"])
    def test_what_trying_again_can_cure_is_retriable(self, state: str) -> None:
        with pytest.raises(Retriable, match=state), translated():
            raise psycopg.errors.lookup(state)("DETAIL: Key (patient_id)=(MRN-1) ...")

    @pytest.mark.parametrize("state", ["23505", "22001", "42601", "23514"])
    def test_the_rest_is_fatal_and_says_nothing_of_the_row(self, state: str) -> None:
        with pytest.raises(Fatal) as refused, translated():
            raise psycopg.errors.lookup(state)("DETAIL: Key (patient_id)=(MRN-1) already exists.")
        assert "MRN-1" not in "".join(traceback.format_exception(refused.value))

    def test_used_outside_its_block_is_fatal(self, crosswalk_dsn: str, keyring: Keyring) -> None:
        with pytest.raises(Fatal, match="not open"):
            Crosswalk(crosswalk_dsn, keyring).patients.get_or_create(DOE)


def refused(dsn: str, statement: str) -> bool:
    """Tell whether the database refuses a statement of its own owner."""
    with psycopg.connect(dsn) as connection:
        try:
            connection.execute(statement)  # type: ignore[arg-type]
        except psycopg.errors.RestrictViolation:
            return True
        finally:
            connection.rollback()
    return False


class TestAppendOnly:
    TABLES = (
        *("identity_event", "verdict", "store_receipt", "task_event", "access_event"),
        *("release", "release_instance"),
        *("profile_version", "profile_approval", "action_counts"),
        *("reidentification_request", "reidentification_decision", "reidentification_showing"),
        *("identity_decision", "identity_event_decision", "identity_event_instance", "patient_key", "patient_variant"),
        *("patient_merge", "study_assignment", "shared_accession"),
    )
    CHANGES = (
        "UPDATE crosswalk.patient SET pseudonym = 'DX'",
        "UPDATE crosswalk.patient SET date_shift_sealed = 'x'",
        "UPDATE crosswalk.study SET research_study_uid = '2.25.1'",
        "UPDATE crosswalk.series SET research_series_uid = '2.25.1'",
        "UPDATE crosswalk.instance SET state = 'validated'",
        "UPDATE crosswalk.instance SET output_digest = 'x'",
        "UPDATE crosswalk.instance SET action_counts_id = NULL",
        "UPDATE crosswalk.verdict SET passed = false",
    )

    def test_rows_cannot_be_removed_even_by_the_owner(self, crosswalk: Crosswalk, crosswalk_dsn: str) -> None:
        for table in self.TABLES:
            assert refused(crosswalk_dsn, f"DELETE FROM crosswalk.{table}"), table
            assert refused(crosswalk_dsn, f"TRUNCATE crosswalk.{table} CASCADE"), table

    def test_what_is_settled_cannot_be_changed_even_by_the_owner(
        self, crosswalk: Crosswalk, crosswalk_dsn: str
    ) -> None:
        discover(crosswalk, "1.2.3", sightings("1.2.3", 1))
        Run(crosswalk).complete()
        for change in self.CHANGES:
            assert refused(crosswalk_dsn, change), change
