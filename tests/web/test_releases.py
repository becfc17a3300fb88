"""Researchers look at and take away what their projects were given, and nothing else; each file is recorded before."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import pytest
from fastapi import FastAPI, HTTPException, Request
from fastapi.testclient import TestClient
from tests.cohort.conftest import OPEN_TERMS
from tests.crosswalk.role_login import login_as
from tests.crosswalk.scenario import DOE, FACTS, ROE, Run, discover, sightings

from dicomanon.cohort.manifest import manifest_table
from dicomanon.cohort.parameters import COHORT_DAG_ID
from dicomanon.cohort.release_files import RELEASE, release_folder, write_release
from dicomanon.crosswalk.audit.trail import Wanted
from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.projects.rows import ProjectTerms
from dicomanon.crosswalk.release_pages import ReleasePages
from dicomanon.crosswalk.removals.rows import Requester
from dicomanon.crosswalk.roles.role import Role
from dicomanon.crosswalk.rows import ReleaseRow
from dicomanon.local_stack.postgres import PostgresServer
from dicomanon.web.app import create_app
from dicomanon.web.releases import ReleaseShelf

WHY = {"actor": "ada", "reason": "asked for"}
RUN = "manual__2026-11-26T08:00:00+00:00"
CARD = "<!doctype html><title>LUNG</title>card"


def login_name(request: Request) -> str:
    if "Authorization" not in request.headers:
        raise HTTPException(401, "Not authenticated")
    return request.headers["Authorization"]


@dataclass
class Shelved:
    """LUNG, HEART and EMPTY have a release each, of the last no files are here; ravi requests for LUNG and EMPTY."""

    client: TestClient
    crosswalk: Crosswalk
    folder: Path
    releases: dict[str, ReleaseRow]

    def get(self, path: str, login: str | None = "ravi", status: int = 200) -> str:
        headers = {"Authorization": login} if login else {}
        answer = self.client.get(f"/dicomanon/releases{path}", headers=headers, follow_redirects=False)
        assert answer.status_code == status, answer.text
        return answer.text

    def recorded(self, action: str) -> list[tuple[str, str]]:
        entries = self.crosswalk.audit.newest(Wanted(action=action), 100)
        return [(entry.actor, entry.subject) for entry in entries]


@pytest.fixture
def pages_dsn(crosswalk: Crosswalk, crosswalk_dsn: str, postgres_server: PostgresServer) -> Iterator[str]:
    with login_as(Role.PAGES, crosswalk_dsn, postgres_server) as dsn:
        yield dsn


@pytest.fixture
def shelved(crosswalk: Crosswalk, pages_dsn: str, tmp_path: Path) -> Iterator[Shelved]:
    releases = {}
    for number, (project, who) in enumerate((("LUNG", DOE), ("HEART", ROE), ("EMPTY", DOE))):
        discover(crosswalk, f"1.2.{number}", sightings(f"1.2.{number}", 2))
        run = Run(crosswalk)
        run.complete(who, facts=replace(FACTS, accession_number=f"ACC-{number}"))
        ids = [source.instance_id for source in run.sources()]
        releases[project] = crosswalk.releases.create(project, "kim", b"d", ids, request_key=f"{COHORT_DAG_ID}/{RUN}")
    folder = tmp_path / "releases"
    for project in ("LUNG", "HEART"):
        target = release_folder(folder, releases[project])
        table = manifest_table(crosswalk.removals.release_instances(releases[project].id))
        write_release(
            folder, target, table, group_by="study", facts={}, beside={"card.html": CARD}, attest=lambda _: "signed"
        )
    crosswalk.projects.add_requester("LUNG", "ravi", **WHY)
    crosswalk.projects.add_requester("EMPTY", "ravi", **WHY)
    outer = FastAPI()
    pages = ReleasePages(pages_dsn)
    shelf = ReleaseShelf(pages, folder, "https://images.example/dicom-web")
    outer.mount("/dicomanon", create_app(None, None, evidence_access=login_name, login_name=login_name, shelf=shelf))
    with TestClient(outer) as client:
        yield Shelved(client, crosswalk, folder, releases)
    pages.close()


def test_a_login_sees_the_releases_of_its_projects(shelved: Shelved) -> None:
    listed = shelved.get("")
    assert 'href="/dicomanon/releases/LUNG/1"' in listed
    assert "HEART" not in listed
    assert [(one["project"], one["number"], one["instances"]) for one in json.loads(shelved.get(".json"))] == [
        ("EMPTY", 1, 2),
        ("LUNG", 1, 2),
    ]
    assert "There are none yet" in shelved.get("", "somebody")


def test_a_release_is_shown_with_its_files_and_each_can_be_taken(shelved: Shelved) -> None:
    shown = shelved.get("/LUNG/1")
    folder = release_folder(shelved.folder, shelved.releases["LUNG"])
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert {"manifest.parquet", "manifest.csv", "release.json", "attestation.json", "card.html"} <= files.keys()
    for name, content in files.items():
        assert f'href="/dicomanon/releases/LUNG/1/{name}"' in shown
        answer = shelved.client.get(f"/dicomanon/releases/LUNG/1/{name}", headers={"Authorization": "ravi"})
        assert answer.content == content
        assert answer.headers["content-disposition"].startswith("inline" if name == "card.html" else "attachment")
    assert "https://images.example/dicom-web" in shown
    assert shelved.recorded("release.read") == [("ravi", str(shelved.releases["LUNG"].id))] * len(files)
    assert shelved.crosswalk.audit.verify().fault is None


def test_a_run_leads_to_its_release(shelved: Shelved) -> None:
    answer = shelved.client.get(
        f"/dicomanon/releases/of-run/{RUN}", headers={"Authorization": "ravi"}, follow_redirects=False
    )
    assert answer.headers["location"] in {"/dicomanon/releases/LUNG/1", "/dicomanon/releases/EMPTY/1"}
    shelved.get("/of-run/manual__other", status=404)
    shelved.get(f"/of-run/{RUN}", "somebody", 404)


@pytest.mark.parametrize("path", ["", ".json", "/LUNG/1", "/LUNG/1/manifest.csv", f"/of-run/{RUN}"])
def test_nothing_without_a_login(shelved: Shelved, path: str) -> None:
    shelved.get(path, None, 401)


@pytest.mark.parametrize("path", ["/HEART/1", "/HEART/1/manifest.csv", "/LUNG/2", "/NOBODYS-NAME/1/manifest.csv"])
def test_nothing_of_other_projects_and_what_was_tried_is_recorded_without_its_words(
    shelved: Shelved, path: str
) -> None:
    shelved.get(path, status=404)
    assert shelved.recorded("release.deny") == [("ravi", "release")]
    assert shelved.recorded("release.read") == []


@pytest.mark.parametrize(
    "name",
    ["..%2f..%2fHEART%2f0001%2fmanifest.csv", "%2e%2e", "..", "%2fetc%2fpasswd", "TOMBSTONE.json", "%00", "planted",
     "link", "' OR 1=1"],
)  # fmt: skip
def test_no_name_leads_to_what_the_release_does_not_name(shelved: Shelved, name: str) -> None:
    folder = release_folder(shelved.folder, shelved.releases["LUNG"])
    (folder / "planted").write_text("SECRET")
    (folder / "link").symlink_to("/etc/passwd")
    answer = shelved.client.get(f"/dicomanon/releases/LUNG/1/{name}", headers={"Authorization": "ravi"})
    assert answer.status_code in {404, 422}
    assert shelved.recorded("release.read") == []


def test_a_release_that_names_what_lies_elsewhere_shows_none_of_it(shelved: Shelved) -> None:
    folder = release_folder(shelved.folder, shelved.releases["LUNG"])
    document = json.loads((folder / RELEASE).read_text())
    (folder / "link").symlink_to("/etc/passwd")
    document["files"] |= {name: {"sha256": "0"} for name in ("../0001/manifest.csv", "/etc/passwd", "link", "absent")}
    (folder / RELEASE).unlink()
    (folder / RELEASE).write_text(json.dumps(document))
    shown = shelved.get("/LUNG/1")
    assert "passwd" not in shown
    assert "link" not in shown
    assert "absent" not in shown


def test_who_requests_for_it_no_more_sees_it_no_more(shelved: Shelved) -> None:
    shelved.get("/LUNG/1/manifest.csv")
    shelved.crosswalk.projects.remove_requester("LUNG", "ravi", **WHY)
    shelved.get("/LUNG/1/manifest.csv", status=404)
    assert "LUNG" not in shelved.get("")


def test_what_has_ended_is_told_and_not_given(shelved: Shelved) -> None:
    removals = shelved.crosswalk.removals
    removal = removals.request_recall("LUNG", 1, Requester("ada"), reason="left", ticket="T-1")
    removals.approve(removal, "bob", "seen")
    removals.mark(removal)
    assert "ended" in shelved.get("/LUNG/1")
    assert "manifest.csv" not in shelved.get("/LUNG/1")
    shelved.get("/LUNG/1/manifest.csv", status=410)
    shelved.get("/LUNG/1/files.json", status=410)
    shelved.get("/LUNG/1/files/archive/SHA256SUMS", status=410)


def test_a_release_whose_files_are_elsewhere_says_so(shelved: Shelved) -> None:
    assert "not here" in shelved.get("/EMPTY/1")
    shelved.get("/EMPTY/1/manifest.csv", status=404)


@pytest.fixture
def archived(shelved: Shelved) -> Path:
    """An archive of LUNG/1, and beside it what is not one of its files."""
    folder = shelved.folder / ".archive" / "LUNG" / "0001"
    (folder / "D1").mkdir(parents=True)
    (folder / "D1" / "2.25.1.zip").write_bytes(b"objects")
    (folder / "D1" / ".2.25.2.zip.unfinished").write_bytes(b"half")
    (folder / "link").symlink_to("/etc/passwd")
    (folder / "SHA256SUMS").write_text("0  D1/2.25.1.zip\n")
    other = shelved.folder / ".archive" / "HEART" / "0001"
    other.mkdir(parents=True)
    (other / "SHA256SUMS").write_text("SECRET")
    return folder


def test_files_of_objects_can_be_taken_when_all_are_written(shelved: Shelved, archived: Path) -> None:
    files = json.loads(shelved.get("/LUNG/1/files.json"))
    assert [file["place"] for file in files] == ["archive/D1/2.25.1.zip", "archive/SHA256SUMS"]
    assert 'href="/dicomanon/releases/LUNG/1/files/archive/D1/2.25.1.zip"' in shelved.get("/LUNG/1")
    assert shelved.get("/LUNG/1/files/archive/D1/2.25.1.zip") == "objects"
    assert len(shelved.recorded("release.read")) == 1
    (archived / "SHA256SUMS").unlink()
    assert shelved.get("/LUNG/1/files.json") == "[]"
    shelved.get("/LUNG/1/files/archive/D1/2.25.1.zip", status=404)


@pytest.mark.parametrize(
    "place",
    ["archive/link", "archive/D1/.2.25.2.zip.unfinished", "archive/..%2f..%2fHEART/0001/SHA256SUMS", "archive/D1",
     "archive/%2fetc/passwd", "archive/", "archive", "nifti/x", "%00", "archive/%00", ".archive/SHA256SUMS", "../x"],
)  # fmt: skip
def test_no_place_leads_to_anything_else(shelved: Shelved, archived: Path, place: str) -> None:
    answer = shelved.client.get(f"/dicomanon/releases/LUNG/1/files/{place}", headers={"Authorization": "ravi"})
    assert answer.status_code in {404, 422}
    assert shelved.recorded("release.read") == []


def test_nothing_is_given_that_cannot_be_recorded(shelved: Shelved, crosswalk_dsn: str) -> None:
    with psycopg.connect(crosswalk_dsn, autocommit=True) as owner:
        owner.execute("REVOKE EXECUTE ON FUNCTION crosswalk.pages_record FROM dicomanon_pages")
    shelved.get("/LUNG/1/manifest.csv", status=503)


def test_an_api_server_that_was_not_told_of_releases_says_so() -> None:
    with TestClient(create_app(None, None, evidence_access=login_name, login_name=login_name)) as client:
        assert client.get("/releases", headers={"Authorization": "ravi"}).status_code == 503
        assert client.get("/releases").status_code == 401


def test_the_login_of_the_pages_records_nothing_but_what_is_taken_there(pages_dsn: str, crosswalk: Crosswalk) -> None:
    with psycopg.connect(pages_dsn) as connection:
        connection.execute("SET ROLE dicomanon_pages")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT crosswalk.pages_record(gen_random_uuid(), 'x', 'cohort.approve', 'other', 'x')")


def test_a_project_with_pseudonyms_of_its_own_is_told_a_day_and_no_gateway(shelved: Shelved) -> None:
    shelved.crosswalk.projects.set("OWN", ProjectTerms(**OPEN_TERMS | {"own_pseudonyms": True}), **WHY)
    shelved.crosswalk.projects.add_requester("OWN", "ravi", **WHY)
    ids = [one.instance_id for one in shelved.crosswalk.removals.release_instances(shelved.releases["LUNG"].id)]
    made = shelved.crosswalk.releases.create("OWN", "kim", b"d", ids, request_key="own")
    target = release_folder(shelved.folder, made)
    write_release(shelved.folder, target, manifest_table([]), group_by="study", facts={})
    (listed,) = (one for one in json.loads(shelved.get(".json")) if one["project"] == "OWN")
    assert listed["own_pseudonyms"]
    assert "T00:00:00" in listed["created_at"]
    shown = shelved.get("/OWN/1")
    assert "https://images.example" not in shown
    assert "the project's own" in shown
