"""What two projects with pseudonyms of their own get has no identifier in common, and leads back all the same."""

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import psycopg
import pytest
from tests.cohort.conftest import Study, admit, declare
from tests.cohort.test_extract import Services, Site, opened
from tests.cohort.test_releasing import ADA, SAYS, WHY, contents, release_id, rows

from dicomanon.cohort.attestation import check_release
from dicomanon.cohort.extract import CohortRequest, extract
from dicomanon.cohort.own_pseudonyms import tombstones_as_told
from dicomanon.cohort.parameters import COHORT_DAG_ID
from dicomanon.cohort.release_files import sha256_of
from dicomanon.cohort.releasing import write_again
from dicomanon.cohort.sealing import seal_conf
from dicomanon.cohort.tombstone import mark_if_ended, write_next_version
from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.removals.rows import RemovalKind
from dicomanon.crosswalk.rows import ReleaseRow
from dicomanon.errors import Fatal
from dicomanon.pipeline.removal.notice import notice
from dicomanon.project_view.view import ProjectView
from dicomanon.signing import SigningKey

OWN = ("ALPHA", "BETA")
IDENTIFIER = re.compile(
    r"2\.25\.\d+|\b[DP][0-9A-HJKMNP-TV-Z]{11,15}\b|\b[0-9a-f]{64}\b|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"
)
"""UIDs, pseudonyms, digests and ids of ours, wherever they stand."""
MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d+")
EVERYBODY = ["A1", "B2", "C3", "E5", "nobody"]


@pytest.fixture
def services(clinic: Crosswalk, keyring: Keyring, signing_key: SigningKey, tmp_path: Path) -> Services:
    for project in OWN:
        declare(clinic, project, own_pseudonyms=True)
    declare(clinic, "PLAIN")
    says = SAYS | {"StudyDescription": "Compared with 2023-12-01"}
    admit(clinic, [Study("E5", "20200401", "ACC-7", says=says), Study("E5", "20200420", "ACC-8", says=SAYS)])
    return Services(Site(tmp_path / "releases"), keyring, clinic)


def made(services: Services, project: str, run_id: str = "manual__1", **conf: Any) -> Path:
    wanted = {"project": project, "patient_ids": EVERYBODY, "split_train": 50, "split_test": 50} | conf
    sealed = seal_conf(services.keyring.request_public_key, COHORT_DAG_ID, wanted)
    number = extract(services, CohortRequest(COHORT_DAG_ID, f"{run_id} {project}", "researcher", sealed))["release"]
    return services.settings.release_dir / project / f"{number:04d}"


def identifiers(folder: Path) -> set[str]:
    """Return every identifier that is written anywhere in a folder; digests of its files are of equal tables equal."""
    found: set[str] = set()
    for path in folder.iterdir():
        found |= set(IDENTIFIER.findall(opened(path).decode("utf-8")))
    return found - {sha256_of(path) for path in folder.iterdir()}


def manifest(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder / "manifest.parquet")


def view(services: Services, project: str) -> ProjectView:
    key = services.crosswalk.projects.view_key(project)
    assert key is not None
    return ProjectView(key)


def withdrawn(services: Services) -> list[ReleaseRow]:
    """Withdraw a patient of all projects; return what ended."""
    (study, *_) = services.crosswalk.mapping.studies_for_cohort([("HOME", "B2")])
    removals = services.crosswalk.removals
    removal = removals.request_of_patient(RemovalKind.WITHDRAWAL, str(study.pseudonym), ADA, **WHY)
    removals.mark(removal)
    ended = []
    for tombstone in removals.tombstones(removal_id=removal.id):
        mark_if_ended(services.crosswalk, services.settings.release_dir, tombstone.release)
        write_next_version(services.crosswalk, services.settings.release_dir, tombstone)
        ended.append(tombstone.release)
    return ended


def test_no_identifier_is_in_what_two_projects_get(services: Services) -> None:
    alpha, beta, plain = (identifiers(made(services, project)) for project in (*OWN, "PLAIN"))
    assert len(alpha) == len(beta) > 20
    assert alpha & beta == set()
    assert (alpha | beta) & plain == set()


def test_they_are_of_the_same_patients_and_say_the_same_of_them(services: Services) -> None:
    alpha, beta, plain = (manifest(made(services, project)) for project in (*OWN, "PLAIN"))
    for own in (alpha, beta):
        assert len(own) == len(plain)
        assert sorted(own["patient"].value_counts()) == sorted(plain["patient"].value_counts())
        assert sorted(own["Modality"]) == sorted(plain["Modality"])
        assert set(own.columns) == set(plain.columns) - {"output_digest"}
    assert not set(alpha["StudyDate"].dropna()) & set(plain["StudyDate"].dropna())
    assert set(alpha["age_years"].dropna()) == {90.0}


def test_dates_move_once_more_and_so_do_those_in_texts(services: Services) -> None:
    plain, own = (manifest(made(services, project)) for project in ("PLAIN", "ALPHA"))
    (patient,) = set(plain[plain["StudyDate"].notna()]["pseudonym"])
    days = pd.Timedelta(days=view(services, "ALPHA").days(patient))
    told = own[own["StudyDate"].notna()]
    assert {pd.Timestamp(day) for day in told["StudyDate"]} == {pd.Timestamp("2023-12-24") + days}
    (text,) = set(told["StudyDescription"].dropna())
    assert text == f"Compared with {(pd.Timestamp('2023-12-01') + days):%Y-%m-%d}"


def test_a_patient_has_one_pseudonym_in_a_project_whatever_the_release(services: Services) -> None:
    first = manifest(made(services, "ALPHA", patient_ids=["A1", "B2"]))
    second = manifest(made(services, "ALPHA", "manual__2", patient_ids=["A1", "E5"]))
    both = set(first["SOPInstanceUID"]) & set(second["SOPInstanceUID"])
    assert both
    key = ["SOPInstanceUID", "pseudonym", "StudyInstanceUID", "SeriesInstanceUID"]
    merged = first[key].merge(second[key])
    assert set(merged["SOPInstanceUID"]) == both


def test_who_is_in_which_part_of_a_split_does_not_hang_on_pseudonyms(services: Services) -> None:
    own = manifest(made(services, "ALPHA"))
    again = manifest(made(services, "ALPHA", "manual__2"))
    parts = [dict(zip(told["patient"], told["split"], strict=True)) for told in (own, again)]
    assert parts[0] == parts[1]
    assert own["split"].notna().all()


def test_it_is_written_again_to_the_byte_and_attested(
    services: Services, signing_key: SigningKey, tmp_path: Path
) -> None:
    folder = made(services, "ALPHA")
    write_again(services.crosswalk, tmp_path, tmp_path / "again", release_id(folder), signing_key)
    assert contents(tmp_path / "again") == contents(folder)
    assert check_release(folder, signing_key.public).misfits == ()
    document = json.loads((folder / "release.json").read_text())
    assert document["own_pseudonyms"] is True
    assert "output_digest" not in {row["name"] for row in rows(folder / "data_dictionary.csv")}


def test_whatever_a_project_calls_something_is_traced(services: Services) -> None:
    told = manifest(made(services, "ALPHA"))
    plain = manifest(made(services, "PLAIN"))
    for column, kind in (
        ("SOPInstanceUID", "instance"), ("SeriesInstanceUID", "series"), ("StudyInstanceUID", "study"),
        ("pseudonym", "patient"), ("patient", "patient"),
    ):  # fmt: skip
        trace = services.crosswalk.lineage.trace(told[column][0])
        assert trace is not None
        assert (trace.kind, trace.identifier in set(plain[column])) == (kind, True)
    assert services.crosswalk.lineage.trace(view(services, "BETA").uid("2.25.1")) is None


def test_a_removal_is_told_to_each_project_by_its_own_identifiers(services: Services) -> None:
    folders = {project: made(services, project) for project in (*OWN, "PLAIN")}
    before = {project: set(manifest(folder)["SOPInstanceUID"]) for project, folder in folders.items()}
    ended = withdrawn(services)
    assert {one.project for one in ended} == set(folders)
    told = {project: identifiers(folder) | identifiers(folder.with_name("0002")) for project, folder in folders.items()}
    assert told["ALPHA"] & told["BETA"] == set()
    assert (told["ALPHA"] | told["BETA"]) & told["PLAIN"] == set()
    for project in OWN:
        tombstone = json.loads((folders[project] / "TOMBSTONE.json").read_text())
        (removal,) = tombstone["removals"]
        gone = set(removal["SOPInstanceUID"])
        assert gone
        assert gone <= before[project]
        following = folders[project].with_name("0002")
        assert set(manifest(following)["SOPInstanceUID"]) == before[project] - gone
        assert set(json.loads((following / "changes.json").read_text())["removed"]) == gone
        # What ends two projects' releases ends them at one moment.
        for path in (folders[project] / "TOMBSTONE.json", following / "release.json"):
            assert not MOMENT.search(path.read_text())


def test_so_is_its_notice(services: Services) -> None:
    for project in OWN:
        made(services, project)
    ended = withdrawn(services)
    removals = services.crosswalk.removals
    told = {}
    for release in ended:
        tombstones = tombstones_as_told(services.crosswalk, removals.tombstones(release_id=release.id))
        message = notice(tombstones[0], ["a@b.c"])
        told[release.project] = set(IDENTIFIER.findall(message.as_string()))
    assert told["ALPHA"]
    assert told["ALPHA"] & told["BETA"] == set()


def test_what_is_missing_is_told_by_the_project_s_uids(services: Services) -> None:
    folder = made(services, "ALPHA")
    (missing,) = [row for row in rows(folder / "withheld.csv") if row["StudyInstanceUID"]]
    assert missing["StudyInstanceUID"] in set(manifest(folder)["StudyInstanceUID"])


def test_what_a_project_has_is_settled_by_its_first_release(services: Services, crosswalk_dsn: str) -> None:
    declare(services.crosswalk, "ALPHA", own_pseudonyms=False)
    declare(services.crosswalk, "ALPHA", own_pseudonyms=True)
    made(services, "ALPHA")
    made(services, "PLAIN")
    declare(services.crosswalk, "ALPHA", own_pseudonyms=True, minimum_patients=3)
    for project, other in (("ALPHA", False), ("PLAIN", True)):
        with pytest.raises(Fatal, match="make another project"):
            declare(services.crosswalk, project, own_pseudonyms=other)
        with psycopg.connect(crosswalk_dsn) as connection, pytest.raises(psycopg.errors.RestrictViolation):
            connection.execute(
                "INSERT INTO crosswalk.project_version (id, project, version, title, lead_name, ethics_number,"
                " ethics_expires, retention_days, profiles, minimum_patients, approval_for, set_by, reason_sealed,"
                " own_pseudonyms) SELECT gen_random_uuid(), project, version + 1, title, lead_name, ethics_number,"
                " ethics_expires, retention_days, profiles, minimum_patients, approval_for, set_by, reason_sealed, %s"
                " FROM crosswalk.project_version WHERE project = %s ORDER BY version DESC LIMIT 1",
                (other, project),
            )


def test_an_identifier_stands_for_one_thing(services: Services) -> None:
    projects = services.crosswalk.projects
    projects.enter_identifiers("ALPHA", {"P1": "D1"})
    projects.enter_identifiers("ALPHA", {"P1": "D1"})
    for project, meant in (("ALPHA", "D2"), ("BETA", "D1"), ("PLAIN", "D1")):
        with pytest.raises(Fatal):
            projects.enter_identifiers(project, {"P1": meant})
