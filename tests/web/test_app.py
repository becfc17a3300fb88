"""Evidence is shown to those who may see it, and nothing but evidence."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from fastapi import FastAPI, HTTPException, Request
from fastapi.testclient import TestClient

from dicomanon.pipeline.data_docs import run_folder
from dicomanon.web.app import create_app
from dicomanon.web.data_docs import reports, runs

RUN = "scheduled__2026-11-22T08:00:00+00:00"
PUBLIC = X25519PrivateKey.generate().public_key().public_bytes_raw()
ENGINEER, RESEARCHER = {"Authorization": "engineer"}, {"Authorization": "researcher"}


def evidence_access(request: Request) -> None:
    login(request)
    if request.headers["Authorization"] != "engineer":
        raise HTTPException(403, "Forbidden")


def login(request: Request) -> None:
    if "Authorization" not in request.headers:
        raise HTTPException(401, "Not authenticated")


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    root = tmp_path / "docs"
    for batch in ("batch-2", "batch-10"):
        site = root / run_folder(RUN) / batch / "site"
        (site / "validations").mkdir(parents=True)
        (site / "index.html").write_text(f"report of {batch}")
        (site / "validations" / "index.html").write_text("inner")
    (tmp_path / "secret.txt").write_text("SECRET")
    (root / "link").symlink_to(tmp_path / "secret.txt")
    return root


@pytest.fixture
def client(docs: Path) -> Iterator[TestClient]:
    outer = FastAPI()
    pages = create_app(docs, base64.b64encode(PUBLIC).decode(), evidence_access=evidence_access, login=login)
    outer.mount("/dicomanon", pages)
    with TestClient(outer) as opened:
        yield opened


@pytest.mark.parametrize("path", ["", "runs/x", "files/x", "request-key", "nothing"])
def test_nothing_is_open_to_everybody(client: TestClient, path: str) -> None:
    assert client.get(f"/dicomanon/{path}").status_code in {401, 404}


@pytest.mark.parametrize("path", ["", f"runs/{RUN}", f"files/{run_folder(RUN)}/batch-2/site/index.html"])
def test_researcher_sees_no_evidence(client: TestClient, path: str) -> None:
    assert client.get(f"/dicomanon/{path}", headers=RESEARCHER).status_code == 403
    assert client.get(f"/dicomanon/{path}", headers=ENGINEER).status_code == 200


def test_run_leads_to_its_reports_in_the_order_of_batches(client: TestClient) -> None:
    listing = client.get("/dicomanon/", headers=ENGINEER)
    assert f"runs/{run_folder(RUN)}" in listing.text
    page = client.get(f"/dicomanon/runs/{RUN}", headers=ENGINEER)
    assert page.text.index("batch-2") < page.text.index("batch-10")
    assert "inner" not in page.text
    href = f"/dicomanon/files/{run_folder(RUN)}/batch-2/site/index.html"
    assert href in page.text
    report = client.get(href, headers=ENGINEER)
    assert report.text == "report of batch-2"
    assert "connect-src 'none'" in report.headers["content-security-policy"]
    assert report.headers["x-content-type-options"] == "nosniff"


def test_only_report_is_opened_at_once(client: TestClient, docs: Path) -> None:
    (docs / "one").mkdir()
    (docs / "one" / "index.html").write_text("the one")
    assert client.get("/dicomanon/runs/one", headers=ENGINEER).text == "the one"


def test_run_without_reports_says_so(client: TestClient) -> None:
    assert "none yet" in client.get("/dicomanon/runs/manual__x", headers=ENGINEER).text


@pytest.mark.parametrize(
    "path",
    [
        "../secret.txt", "%2e%2e/secret.txt", "..%2fsecret.txt", "%2e%2e%2fsecret.txt", "x/../../secret.txt",
        "//etc/passwd", "%2fetc%2fpasswd", "link", "..%5csecret.txt", "%00",
    ],
)  # fmt: skip
def test_no_path_leads_out_of_the_folder(client: TestClient, path: str) -> None:
    answer = client.get(f"/dicomanon/files/{path}", headers=ENGINEER)
    assert answer.status_code in {404, 400}
    assert "SECRET" not in answer.text
    assert "root:" not in answer.text


@pytest.mark.parametrize("name", ["..", ".", "", "%2e%2e", "..%2f"])
def test_no_run_is_outside_the_folder(client: TestClient, docs: Path, name: str) -> None:
    assert "secret" not in client.get(f"/dicomanon/runs/{name}", headers=ENGINEER).text
    assert reports(docs, name) == []


def test_site_without_reports(tmp_path: Path) -> None:
    with TestClient(create_app(None, None, evidence_access=login, login=login)) as client:
        assert "none yet" in client.get("/", headers=ENGINEER).text
        assert client.get("/files/x", headers=ENGINEER).status_code == 404
        assert client.get("/request-key", headers=ENGINEER).status_code == 503
    assert runs(tmp_path / "missing") == []


def test_programs_learn_the_key_to_seal_with(client: TestClient) -> None:
    answer = client.get("/dicomanon/request-key", headers=RESEARCHER).json()
    assert bytes.fromhex(answer["public_key"]) == PUBLIC
    assert "patient_ids" in answer["sealed_parameters"]["cohort_extraction"]


@pytest.mark.parametrize("run_id", [RUN, "a/../b", "..", "<script>", "manual__ä"])
def test_folder_of_a_run_is_a_plain_name(run_id: str) -> None:
    name = run_folder(run_id)
    assert "/" not in name
    assert name not in {"", ".", ".."}
    assert run_folder(name) == name
