"""Each role can do its work: by a login that is nothing else, through the code that does it in production."""

import os
import subprocess
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from tests.crosswalk.keys import former_version
from tests.crosswalk.roles.conftest import ULTRASOUND, Filled, openlineage_row
from tests.crosswalk.scenario import DOE, FACTS, NOW, ROE, Run, discover, held, sightings

from dicomanon.crosswalk.audit.events import AccessEvent
from dicomanon.crosswalk.audit.trail import Wanted
from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.roles.role import Role
from dicomanon.crosswalk.rows import TaskEvent
from dicomanon.devices import DeviceDecision
from dicomanon.errors import Fatal, Held
from dicomanon.identity import PatientIdentity
from dicomanon.local_stack.postgres import BINARIES, PostgresServer
from dicomanon.reasons import HoldReason

EVENT = TaskEvent("ingest_studies", "r", "discover", -1, 1, "host:1", None, "started", {})


def test_ingest_takes_studies_all_the_way(filled: Filled, keyring: Keyring) -> None:
    with Crosswalk(filled.logins[Role.INGEST], keyring, role=Role.INGEST) as crosswalk:
        study = discover(crosswalk, "1.2.5", sightings("1.2.5", 3))
        # It grows, loses an instance, and brings a UID that another study has.
        crosswalk.ledger.enroll(study, [*sightings("1.2.5", 4)[1:], *sightings("1.2.3", 1)], NOW)
        run = Run(crosswalk)
        crosswalk.mapping.add_known_values(study, ["TOLEDO"])
        assert "TOLEDO" in crosswalk.mapping.known_values([study])[study]
        outcomes = run.outcomes(DOE)
        unseen = replace(held(outcomes[-1], HoldReason.UNCONFIRMED_DEVICE), device=ULTRASOUND)
        crosswalk.mapping.record(run.batch, [*outcomes[:-1], unseen])
        crosswalk.mapping.record(run.batch, run.outcomes(ROE)[:1])  # of another patient: held
        crosswalk.archives.require_checked()
        assert crosswalk.mapping.date_shift(study)
        run.validate()
        run.store()
        with pytest.raises(Held):
            crosswalk.patients.get_or_create(replace(ROE, name="ROE^JILL"))
        crosswalk.lineage.record_event(EVENT)
        assert crosswalk.lineage.events("ingest_studies", "r")
        assert crosswalk.ledger.balance(run_id=run.id)
        assert crosswalk.lineage.actions("ingest_studies", run.name)[1]["keep"] == 80
        assert crosswalk.devices.confirmed() is not None
        assert crosswalk.profiles.find("site@1")
        crosswalk.audit.record([AccessEvent("pipeline", "ingest.read", "why", 1, None)])
        assert crosswalk.openlineage.add([openlineage_row()], "rebuilt") == 1
        facts = crosswalk.lineage.facts(replace(EVENT, batch_id=run.batch))
        assert facts.batch is not None
        (told, *_) = crosswalk.openlineage.unlooked(older_than=timedelta(0), limit=1)
        crosswalk.openlineage.looked(told.id)
        assert not crosswalk.openlineage.known([uuid4()])
        crosswalk.ledger.close_run(run.id, balanced=True)


@pytest.mark.parametrize("write", ["enroll", "known values", "identity"])
def test_ingest_seals_anew_what_is_older_than_data_keys(
    empty_dsn: str,
    keyring: Keyring,
    postgres_server: PostgresServer,
    monkeypatch: pytest.MonkeyPatch,
    write: str,
) -> None:
    study_id = former_version.fill(empty_dsn, keyring, monkeypatch)
    with Crosswalk(empty_dsn, keyring) as owner:
        owner.migrate()
        database = str(conninfo_to_dict(empty_dsn)["dbname"])
        postgres_server.create_login(f"ingest_{database}", "secret", database, [Role.INGEST])
        dsn = postgres_server.dsn(database, user=f"ingest_{database}", password="secret")
        with Crosswalk(dsn, keyring, role=Role.INGEST) as crosswalk:
            run = Run(crosswalk)
            if write == "enroll":
                crosswalk.ledger.enroll(study_id, sightings(former_version.STUDY_UID, 1), NOW)
            elif write == "known values":
                crosswalk.mapping.add_known_values(study_id, ["MORE"])
            else:
                with pytest.raises(Held):
                    crosswalk.patients.get_or_create(replace(former_version.PATIENT, name="SOMEBODY^ELSE"))
            assert [source.sop_uid.reveal() for source in run.sources()][:1] == [former_version.SOP_UID]
            assert former_version.KNOWN in crosswalk.mapping.known_values([study_id])[study_id]
        status = owner.keys.status()
        assert (status.unsealed_patients, status.unsealed_studies) == ((0, 1) if write == "identity" else (1, 0))
    postgres_server.drop_database(database)
    with psycopg.connect(postgres_server.dsn(), autocommit=True) as administrator:
        administrator.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(f"ingest_{database}")))


def test_cohort_resolves_and_releases(filled: Filled, keyring: Keyring) -> None:
    with Crosswalk(filled.logins[Role.COHORT], keyring, role=Role.COHORT) as crosswalk:
        crosswalk.lineage.record_event(EVENT)
        crosswalk.releases.record_access("ada", "cohort.resolve", "project LUNG", 1)
        everything = list(crosswalk.mapping.studies_for_cohort())
        (doe, *_) = crosswalk.mapping.studies_for_cohort([("", DOE.patient_id)], None)
        assert doe.facts.accession_number == "ACC-55501"
        assert len(everything) > 1
        assert next(crosswalk.mapping.studies_for_cohort([("", DOE.patient_id)], ["ACC-55501"])) == doe
        assert list(crosswalk.mapping.studies_for_cohort([("", DOE.patient_id)], ["ACC-0"])) == []
        assert list(crosswalk.mapping.studies_for_cohort([], None)) == []
        people = crosswalk.mapping.people_for_cohort([("", DOE.patient_id), ("", "nobody")])
        assert people == {("", DOE.patient_id): {doe.patient_id}}
        assert DOE in crosswalk.mapping.identities_for_cohort([doe.patient_id])[doe.patient_id]
        (series,) = crosswalk.mapping.series_for_cohort([doe.study_id])[doe.study_id]
        found = [one.instance_id for one in crosswalk.mapping.cohort_instances([doe.study_id])]
        assert (series.facts.series_description, series.instances) == (FACTS.series_description, len(found))
        release = crosswalk.releases.create("LUNG", "ada", b"d", found, request_key="again")
        assert crosswalk.releases.create("LUNG", "ada", b"d", found, request_key="again") == release
        assert release.number > 1
        assert [one.instance_id for one in crosswalk.removals.release_instances(release.id)] == found
        assert crosswalk.releases.enter_record(release.id, {"salt": "x"}) == {"salt": "x"}
        assert crosswalk.releases.find(release.id).record == {"salt": "x"}
        assert len(crosswalk.releases.input_digests(release.id)) == len(found)
        assert set(crosswalk.releases.released_uids(release.id)) == set(found)
        former = crosswalk.releases.former_version(release.id)
        assert former is not None
        assert former.number < release.number
        assert "unconfirmed-device" in {one.reason for one in crosswalk.releases.left_out_of([doe.study_id])}
        asked = replace(EVENT, dag_id="", run_id="again")
        assert crosswalk.lineage.facts(asked).releases == ()
        named = crosswalk.releases.create("LUNG", "ada", b"d", found, request_key="cohort_extraction/r")
        assert crosswalk.lineage.facts(replace(EVENT, dag_id="cohort_extraction")).releases == (named.id,)


def test_cohort_is_refused_what_is_no_function(filled: Filled, keyring: Keyring) -> None:
    with (
        Crosswalk(filled.logins[Role.COHORT], keyring, role=Role.COHORT) as crosswalk,
        pytest.raises(Fatal, match="InsufficientPrivilege"),
    ):
        crosswalk.ledger.balance()


def test_reviewer_looks_and_confirms(filled: Filled, keyring: Keyring) -> None:
    with Crosswalk(filled.logins[Role.REVIEWER], keyring, role=Role.REVIEWER) as crosswalk:
        assert crosswalk.quarantine.counts()[HoldReason.UNCONFIRMED_DEVICE].instances >= 1
        assert crosswalk.quarantine.of_reason(HoldReason.UNCONFIRMED_DEVICE, limit=5)
        (device,) = crosswalk.devices.all()
        assert device.instances >= 1
        source = crosswalk.quarantine.look(filled.held, actor="ada", action="pixels.review", reason="why")
        assert source is not None
        assert source.sop_uid.reveal().startswith("1.2.3.")
        assert crosswalk.profiles.find("site@1")
        assert crosswalk.devices.confirm(device.id, DeviceDecision.HOLD, (), author="ada", reason="seen") == 0
        assert crosswalk.devices.confirm(device.id, DeviceDecision.CLEAN, (), author="ada", reason="seen") >= 1
        assert crosswalk.quarantine.look(filled.held, actor="ada", action="pixels.review", reason="why") is None


def test_auditor_traces_and_sees_who_did_what(filled: Filled, keyring: Keyring) -> None:
    with Crosswalk(filled.logins[Role.AUDITOR], keyring, role=Role.AUDITOR) as crosswalk:
        found = crosswalk.lineage.trace(str(filled.releases["LUNG"]))
        assert found is not None
        assert found.releases[0].project == "LUNG"
        assert crosswalk.patients.identity_events()
        assert crosswalk.identities.events()
        assert crosswalk.identities.open_reissues() == []
        (difference,) = crosswalk.archives.page(None, gone=True, after=0, limit=5)
        assert difference.sealed
        assert crosswalk.profiles.all()
        assert crosswalk.projects.members()
        crosswalk.releases.record_access("ada", "audit", "reading the trail", 1)
        assert crosswalk.lineage.trace(found.pseudonym or "") is not None
        assert crosswalk.lineage.trace(filled.done.name) is not None
        (newest,) = crosswalk.audit.newest(Wanted(actor="ada"), 1)
        assert newest.action == "audit"
        assert newest.database_login == filled.login(Role.AUDITOR)
        assert crosswalk.audit.reason(newest).reveal() == "reading the trail"
        assert list(crosswalk.audit.entries(Wanted(about=found.pseudonym)))
        checked = crosswalk.audit.verify()
        assert (checked.fault, checked.head.number) == (None, newest.number)
        crosswalk.lineage.record_event(replace(EVENT, dag_id="audit_head"))
        assert crosswalk.lineage.facts(replace(EVENT, dag_id="audit_head")).batch is None
    with filled.acting_as(Role.AUDITOR) as connection:
        assert connection.execute("SELECT actor, action FROM crosswalk.access_event").fetchall()
        assert {row[0] for row in connection.execute("SELECT project FROM crosswalk.release")} == {
            "LUNG",
            "HEART",
            "SKIN",
        }
        assert connection.execute("SELECT count(*) FROM crosswalk.release_instance").fetchone() != (0,)


def test_admin_publishes_approves_and_re_identifies(filled: Filled, keyring: Keyring) -> None:
    with Crosswalk(filled.logins[Role.ADMIN], keyring, role=Role.ADMIN) as crosswalk:
        crosswalk.profiles.publish("site@2", "{}", actor="ada", reason="r", code_version="0.1.0")
        crosswalk.profiles.approve("site@2", actor="bob", reason="r")
        revealed = crosswalk.archives.reveal(1, actor="ada", reason="r")
        assert revealed is not None
        assert revealed.reveal() == "1.2.999"
        uids, patients = crosswalk.exports.maps(actor="ada", reason="r")
        assert {old.reveal() for old, _ in uids} >= {"1.2.3", "1.2.4"}
        pseudonyms = {old.reveal(): new for old, new in patients}
        assert pseudonyms.keys() >= {DOE.patient_id, ROE.patient_id}
        ways = crosswalk.reidentification
        asked = ways.ask(pseudonyms[DOE.patient_id], actor="eve", reason="r", ticket="T-2", hours=1, per_day=1)
        ways.decide(str(asked.id), approved=True, actor="bob", reason="r")
        assert ways.show(str(asked.id), actor="eve")[1].reveal().startswith(DOE.patient_id)
        assert len(ways.all(actor="ada")) >= 2


def test_admin_rotates_reseals_and_destroys_keys(filled: Filled, keyring: Keyring) -> None:
    lost = PatientIdentity("P-LOST", "", "LOST^LUKE", "19600101", "M")
    with Crosswalk(filled.logins[Role.INGEST], keyring, role=Role.INGEST) as crosswalk:
        study_id = discover(crosswalk, "1.2.6", sightings("1.2.6", 2))
        Run(crosswalk).complete(lost)
        pseudonym = crosswalk.patients.get_or_create(lost).pseudonym
    with Crosswalk(filled.logins[Role.ADMIN], keyring, role=Role.ADMIN) as crosswalk:
        assert crosswalk.keys.admit_master_key() == 0
        assert crosswalk.keys.retire_other_master_keys() == 0
        number, rewrapped = crosswalk.keys.rotate_wrapping_key()
        assert number == crosswalk.keys.status().wrapping[0].number
        assert rewrapped == crosswalk.keys.status().wrapping[0].data_keys
        assert crosswalk.keys.reseal(pseudonym) == 1
        assert crosswalk.keys.reseal_unsealed() == (0, 0)
        done = crosswalk.keys.destroy(pseudonym, actor="ada", reason="asked for")
        assert (done.studies, done.instances) == (1, 2)
    with Crosswalk(filled.logins[Role.INGEST], keyring, role=Role.INGEST) as crosswalk:
        with pytest.raises(Held):
            crosswalk.patients.get_or_create(lost)
        with pytest.raises(Held):
            crosswalk.mapping.known_values([study_id])


def test_whatever_a_role_records_is_chained_with_its_login(filled: Filled, keyring: Keyring) -> None:
    who = (Role.INGEST, Role.COHORT, Role.REMOVAL, Role.REVIEWER, Role.AUDITOR, Role.ADMIN)
    for role in who:
        with Crosswalk(filled.logins[role], keyring, role=role) as crosswalk:
            crosswalk.releases.record_access("ada", "work", "why", 1)
    with Crosswalk(filled.logins[Role.AUDITOR], keyring, role=Role.AUDITOR) as crosswalk:
        newest = crosswalk.audit.newest(Wanted(action="work"), len(who))
        assert [entry.database_login for entry in newest] == [filled.login(role) for role in who]
        assert crosswalk.audit.verify().fault is None


def test_backup_dumps_everything_and_nothing_less(filled: Filled) -> None:
    where = conninfo_to_dict(filled.logins[Role.BACKUP])
    dump = [
        BINARIES / "pg_dump", "--role", Role.BACKUP.group, "--host", where["host"], "--port", where["port"],
        "--username", where["user"], where["dbname"],
    ]  # fmt: skip
    done = subprocess.run(
        [str(part) for part in dump],
        env={"PATH": os.environ["PATH"], "PGPASSWORD": str(where["password"])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with psycopg.connect(filled.dsn) as owner:
        for table in (
            "patient",
            "instance",
            "release",
            "release_instance",
            "removal",
            "former_object",
            "tombstone",
            "removal_notice",
            "project_member",
            "access_event",
            "site_key",
        ):
            row = owner.execute(f"SELECT count(*) FROM crosswalk.{table}").fetchone()  # type: ignore[arg-type]
            rows = done.stdout.partition(f"COPY crosswalk.{table} (")[2].partition("\n")[2].partition("\n\\.")[0]
            assert row == (len(rows.splitlines()),), table


def test_a_login_that_is_no_member_is_refused_and_told_what_it_needs(filled: Filled, keyring: Keyring) -> None:
    crosswalk = Crosswalk(filled.logins[Role.COHORT], keyring, role=Role.INGEST)
    with pytest.raises(Fatal, match="may not act as dicomanon_ingest"), crosswalk:
        pass
