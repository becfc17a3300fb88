"""No identifying value gets past the door, whatever the request looks like; what is allowed passes unharmed."""

import asyncio
import base64
import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from fastapi import Depends, FastAPI, Request
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomanon.cohort.sealing import open_conf, open_parameter, seal_parameter
from dicomanon.web import sealing_middleware
from dicomanon.web.sealing_middleware import MAX_BODY_BYTES, SealingMiddleware

KEY = X25519PrivateKey.generate()
PUBLIC_TEXT = base64.b64encode(KEY.public_key().public_bytes_raw()).decode()
CANARY = "CANARY 77"  # no form of anything that is kept in clear text
RUNS = "/api/v2/dags/cohort_extraction/dagRuns"
ANSWER = RUNS + "/r/taskInstances/await_approval/-1/hitlDetails"


class Airflow:
    """What Airflow does with a request: the whole body into the audit log first, then the endpoint."""

    def __init__(self, public_key: str | None = PUBLIC_TEXT, root_path: str = "") -> None:
        self.audit: list[bytes] = []
        self.runs: list[Any] = []
        self.received: list[tuple[bytes, str | None]] = []
        self.app = FastAPI(root_path=root_path)
        self.app.add_middleware(SealingMiddleware, public_key=public_key)

        async def action_logging(request: Request) -> None:
            self.audit.append(await request.body() + str(request.url).encode())

        @self.app.post("/api/v2/dags/{dag_id}/dagRuns", dependencies=[Depends(action_logging)])
        async def trigger(dag_id: str, body: dict[str, Any], request: Request) -> dict[str, Any]:
            self.runs.append(body)
            self.received.append((await request.body(), request.headers.get("content-length")))
            return {"dag_id": dag_id, "conf": body.get("conf")}

        @self.app.api_route(
            "/{path:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"], dependencies=[Depends(action_logging)]
        )
        async def anything(path: str) -> dict[str, str]:
            return {"path": path}

    @property
    def kept(self) -> str:
        return repr(self.audit) + repr(self.runs)


@pytest.fixture
def airflow() -> Airflow:
    return Airflow()


@pytest.fixture
def client(airflow: Airflow) -> Iterator[TestClient]:
    with TestClient(airflow.app) as opened:
        yield opened


def opened(conf: dict[str, Any]) -> dict[str, Any]:
    return open_conf(KEY.private_bytes_raw(), "cohort_extraction", conf)


FULL_CONF = {
    "project": "P1", "modality": ["CT"], "group_by": "patient", "patient_ids": [CANARY, "Zoë"],
    "accession_numbers": [CANARY], "study_date_from": "1931-05-06", "study_date_to": None,
    "description_words": [CANARY], "purpose": CANARY, "age_from": "089Y",
    "names_with_birth_dates": [f"{CANARY},19310506"], "index_dates": [f"{CANARY},19310506"], "days_after": 90,
    "slice_thickness_to": 2.5, "contrast": "yes", "dry_run": True,
}  # fmt: skip


def test_form_request_is_sealed_and_opens_to_what_was_typed(airflow: Airflow, client: TestClient) -> None:
    body = {"conf": FULL_CONF, "logical_date": "2026-11-22T08:00:00.000Z", "data_interval_start": None,
            "data_interval_end": None, "partition_key": None}  # fmt: skip
    answer = client.post(RUNS, json=body)
    assert answer.status_code == 200
    assert CANARY not in airflow.kept + answer.text
    assert "1931" not in airflow.kept
    assert opened(airflow.runs[0]["conf"]) == FULL_CONF
    assert airflow.runs[0]["logical_date"] == body["logical_date"]
    content, length = airflow.received[0]
    assert length == str(len(content))


def test_sealed_request_passes_unchanged(airflow: Airflow, client: TestClient) -> None:
    sealed = seal_parameter(KEY.public_key().public_bytes_raw(), "cohort_extraction", "patient_ids", [CANARY])
    conf = {"project": "P1", "patient_ids": [sealed]}
    assert client.post(RUNS, json={"conf": conf, "logical_date": None}).status_code == 200
    assert airflow.runs[0]["conf"] == conf


@pytest.mark.parametrize("url", [RUNS, RUNS + "/", "/api/v2/dags/cohort%5Fextraction/dagRuns", "/sub" + RUNS])
def test_every_spelling_of_the_address_is_guarded(url: str) -> None:
    airflow = Airflow(root_path="/sub" if url.startswith("/sub") else "")
    with TestClient(airflow.app) as client:
        client.post(url, json={"conf": {"project": "P1", "patient_ids": [CANARY]}})
    assert CANARY not in airflow.kept


@pytest.mark.parametrize("public_key", [None, "", "nonsense", base64.b64encode(bytes(32)).decode()])
def test_without_a_usable_key_nothing_is_taken(public_key: str | None) -> None:
    airflow = Airflow(public_key)
    with TestClient(airflow.app) as client:
        answer = client.post(RUNS, json={"conf": {"project": "P1", "patient_ids": [CANARY]}})
        assert client.post("/api/v2/dags/ingest_studies/dagRuns", json={"conf": {}}).status_code == 200
    assert answer.status_code == 503
    assert "public key" in answer.json()["detail"]
    assert CANARY not in airflow.kept


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"conf": {"patient_ids": CANARY}}, 400),
        ({"conf": {"patient_ids": {"a": CANARY}}}, 400),
        ({"conf": {"patient_ids": [[CANARY]]}}, 400),
        ({"conf": {"study_date_from": [CANARY]}}, 400),
        ({"conf": {"mrns": [CANARY]}}, 400),
        ({"conf": {CANARY: None}}, 400),
        ({"conf": {"project": f"Mr {CANARY}"}}, 400),
        ({"conf": {"modality": [CANARY]}}, 400),
        ({"conf": {"modality": CANARY}}, 400),
        ({"conf": {"group_by": CANARY}}, 400),
        ({"conf": {"sex": [CANARY]}}, 400),
        ({"conf": {"body_part": ["MRN 77"]}}, 400),
        ({"conf": {"contrast": CANARY}}, 400),
        ({"conf": {"days_after": CANARY}}, 400),
        ({"conf": {"days_after": True}}, 400),
        ({"conf": {"days_after": [CANARY]}}, 400),
        ({"conf": {"images_from": 19310506}}, 400),
        ({"conf": {"dry_run": CANARY}}, 400),
        ({"conf": {"purpose": [CANARY]}}, 400),
        ({"conf": [CANARY]}, 422),
        ({"conf": CANARY}, 422),
        ({"conf": {}, "note": CANARY}, 400),
        ({"conf": {}, "partition_key": CANARY}, 400),
        ({"conf": {}, "dag_run_id": CANARY}, 400),
        ({"conf": {}, "logical_date": CANARY}, 400),
        ({"conf": {}, "patient_ids": [CANARY]}, 400),
        ({"conf": {}, CANARY: None}, 400),
        ({"conf": {}, "note": [CANARY]}, 400),
        ([{"conf": {"patient_ids": [CANARY]}}], 422),
    ],
)
def test_what_cannot_be_sealed_is_refused_without_repeating_it(
    airflow: Airflow, client: TestClient, body: Any, status: int
) -> None:
    answer = client.post(RUNS, json=body)
    assert answer.status_code == status
    assert set(answer.json()) == {"detail"}
    assert CANARY not in answer.text
    assert not airflow.audit


@pytest.mark.parametrize(
    "content",
    [
        f'{{"conf": {{"patient_ids": ["{CANARY}"]}}'.encode(),
        f"patient_ids={CANARY}".encode(),
        b"\xff" + CANARY.encode(),
        b"[" * 100_000,
        b"",
    ],
    ids=["cut", "form", "not text", "deep", "empty"],
)
def test_cohort_request_that_is_no_json_is_refused_here(airflow: Airflow, client: TestClient, content: bytes) -> None:
    answer = client.post(RUNS, content=content, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert not airflow.audit


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/vnd.x+json", None])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-8-sig"])
def test_content_type_and_encoding_do_not_matter(
    airflow: Airflow, client: TestClient, content_type: str | None, encoding: str
) -> None:
    content = json.dumps({"conf": {"project": "P1", "patient_ids": [CANARY]}}).encode(encoding)
    headers = {"content-type": content_type} if content_type else {}
    assert client.post(RUNS, content=content, headers=headers).status_code == 200
    assert opened(airflow.runs[0]["conf"])["patient_ids"] == [CANARY]
    assert CANARY.encode() not in airflow.received[0][0]


def test_last_of_doubled_keys_is_sealed_and_the_others_are_dropped(airflow: Airflow, client: TestClient) -> None:
    content = f'{{"conf": {{"patient_ids": ["{CANARY}"]}}, "conf": {{"patient_ids": ["{CANARY}2"], "project": "P"}}}}'
    assert client.post(RUNS, content=content, headers={"content-type": "application/json"}).status_code == 200
    assert CANARY not in airflow.kept
    assert opened(airflow.runs[0]["conf"])["patient_ids"] == [CANARY + "2"]


def test_url_carries_no_parameters(airflow: Airflow, client: TestClient) -> None:
    assert client.post(f"{RUNS}?x={CANARY}", json={"conf": {}}).status_code == 400
    assert client.patch(f"/api/v2/dags/x?patient_ids={CANARY}", json={}).status_code == 400
    assert not airflow.audit


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/v2/backfills", {"dag_id": "cohort_extraction", "dag_run_conf": {"x": CANARY}}),
        ("POST", "/api/v2/backfills/dry_run", {"dag_id": "cohort_extraction", "from_date": CANARY}),
        ("POST", "/api/v2/backfills", {"dag_id": "other", "dag_run_conf": {"patient_ids": [CANARY]}}),
        ("POST", "/api/v2/assets/3/materialize", {"conf": {"patient_ids": [CANARY]}}),
        ("POST", "/api/v2/assets/events", {"asset_id": 3, "extra": {"deep": [{"patient_ids": CANARY}]}}),
        ("POST", "/api/v2/dags/cohort_extractoin/dagRuns", {"conf": {"accession_numbers": [CANARY]}}),
        ("POST", "/api/v2/dags/ingest_studies/dagRuns", {"conf": {"description_words": [CANARY]}}),
        ("POST", RUNS + "/r/clear", {"dry_run": False, "note": CANARY}),
        ("PATCH", RUNS + "/r", {"note": CANARY}),
        ("PATCH", "/api/v2/dags/~/dagRuns", {"actions": [{"action": "update", "entities": [
            {"dag_id": "cohort_extraction", "dag_run_id": "r", "note": CANARY}]}]}),
        ("POST", "/api/v2/dags/cohort_extraction/clearTaskInstances", {"note": CANARY}),
        ("PATCH", RUNS + "/r/taskInstances/t", {"note": CANARY}),
        ("POST", RUNS + "/r/taskInstances/t/xcomEntries", {"key": "k", "value": CANARY}),
        ("PATCH", RUNS + "/r/taskInstances/t/xcomEntries/k", {"value": CANARY}),
        ("PUT", RUNS + "/r/taskInstances/t/state-store/k", {"value": CANARY}),
        ("PATCH", ANSWER, {"params_input": {"x": CANARY}}),
        ("PATCH", ANSWER, {"chosen_options": ["Approve"], "params_input": {"x": CANARY}}),
        ("PATCH", ANSWER, {"chosen_options": [CANARY], "params_input": {"reason": "r"}}),
        ("PATCH", ANSWER, {"chosen_options": ["Approve", CANARY], "params_input": {"reason": "r"}}),
        ("PATCH", ANSWER, {"chosen_options": ["Approve"], "params_input": {"reason": "r", "more": CANARY}}),
        ("PATCH", ANSWER, {"chosen_options": ["Approve"], "params_input": {"reason": [CANARY]}}),
        ("PATCH", ANSWER, {"chosen_options": ["Approve"], "params_input": {"reason": "r"}, "note": CANARY}),
        ("PATCH", ANSWER, {"chosen_options": ["Approve"], "params_input": {"reason": " "}}),
        ("PATCH", ANSWER, {"chosen_options": ["Approve"], "params_input": {}}),
        ("PATCH", ANSWER + "?note=" + "x", {"chosen_options": ["Approve"], "params_input": {"reason": "r"}}),
        ("PATCH", "/api/v2/dags/x/dagRuns/r/taskInstances/t/-1/hitlDetails", {"params_input": {"patient_ids": CANARY}}),
        ("POST", "/api/v2/variables", {"key": "k", "value": {"patient_ids": [CANARY]}}),
        ("POST", "/execution/dag-runs/cohort_extraction/r", {"conf": {"project": CANARY}}),
        ("POST", "/execution/dag-runs/other/r", {"conf": {"patient_ids": [CANARY]}}),
        ("POST", "/ui/anything", {"patient_ids": [CANARY]}),
    ],
)  # fmt: skip
def test_no_other_way_in(airflow: Airflow, client: TestClient, method: str, path: str, body: Any) -> None:
    answer = client.request(method, path, json=body)
    assert answer.status_code == 400
    assert CANARY not in answer.text
    assert not airflow.audit


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/v2/dags/ingest_studies/dagRuns", {"conf": {"study_date_from": "2026-01-01"}, "note": "why"}),
        ("POST", RUNS + "/list", {"dag_ids": ["cohort_extraction"]}),
        ("PATCH", RUNS + "/r", {"state": "failed", "note": None}),
        ("POST", RUNS + "/r/clear", {"dry_run": True}),
        ("PATCH", "/api/v2/dags/cohort_extraction", {"is_paused": False}),
        ("DELETE", RUNS + "/r", None),
        ("POST", "/api/v2/backfills", {"dag_id": "ingest_studies", "dag_run_conf": None}),
        ("PATCH", "/api/v2/dags/ingest_studies/dagRuns/r", {"note": "restarted the PACS"}),
    ],
)
def test_ordinary_work_is_not_in_the_way(
    airflow: Airflow, client: TestClient, method: str, path: str, body: Any
) -> None:
    assert client.request(method, path, json=body).status_code == 200
    if body is not None:
        assert airflow.audit[0].startswith(json.dumps(body, separators=(",", ":")).encode())


@pytest.mark.parametrize("chosen", ["Approve", "Approve with later versions", "Refuse"])
@pytest.mark.parametrize("prefix", ["", "/prefix"])
def test_an_answer_to_a_request_passes_with_its_reason_sealed(
    airflow: Airflow, client: TestClient, chosen: str, prefix: str
) -> None:
    body = {"chosen_options": [chosen], "params_input": {"reason": f"{CANARY} wrote to us"}}
    assert client.patch(prefix + ANSWER, json=body).status_code == 200
    assert CANARY not in airflow.kept
    (kept,) = airflow.audit
    stored = json.loads(kept.partition(b"http")[0])
    assert stored["chosen_options"] == [chosen]
    sealed = stored["params_input"]["reason"]
    reason = open_parameter(KEY.private_bytes_raw(), "cohort_extraction", "approval.reason", sealed)
    assert reason == f"{CANARY} wrote to us"
    assert client.patch(ANSWER, json=stored).status_code == 200  # sealed already, on the sender's machine
    assert json.loads(airflow.audit[1].partition(b"http")[0]) == stored


def test_an_answer_is_refused_where_nothing_can_be_sealed() -> None:
    airflow = Airflow(public_key=None)
    with TestClient(airflow.app) as client:
        body = {"chosen_options": ["Approve"], "params_input": {"reason": CANARY}}
        assert client.patch(ANSWER, json=body).status_code == 503
    assert not airflow.audit


def test_malformed_body_elsewhere_is_airflows_to_refuse(client: TestClient) -> None:
    answer = client.post("/api/v2/dags/ingest_studies/dagRuns", content=b"{", headers={"content-type": "text/json"})
    assert answer.status_code == 422
    assert isinstance(answer.json()["detail"], list)


def test_large_body_is_refused_by_its_length_and_by_its_chunks(airflow: Airflow, client: TestClient) -> None:
    assert client.post(RUNS, content=b" " * (MAX_BODY_BYTES + 1)).status_code == 413
    piece = b" " * 65536
    chunks = (piece for _ in range(MAX_BODY_BYTES // len(piece) + 1))
    assert client.post(RUNS, content=chunks).status_code == 413
    assert not airflow.audit


def test_large_list_is_taken(airflow: Airflow, client: TestClient) -> None:
    conf = {"project": "P", "patient_ids": [f"{CANARY}{number}" for number in range(100_000)]}
    assert client.post(RUNS, json={"conf": conf}).status_code == 200
    assert len(opened(airflow.runs[0]["conf"])["patient_ids"]) == 100_000


async def exchange(
    app: Any, messages: list[dict[str, Any]], headers: list[tuple[bytes, bytes]]
) -> list[dict[str, Any]]:
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": RUNS, "raw_path": RUNS.encode(), "query_string": b"", "root_path": "", "headers": headers,
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
    }  # fmt: skip
    waiting, sent = iter(messages), []

    async def receive() -> dict[str, Any]:
        return next(waiting)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, 200), max_size=8))
def test_chunked_body_is_sealed_wherever_it_is_cut(cuts: list[int]) -> None:
    content = json.dumps({"conf": {"project": "P1", "patient_ids": [CANARY]}, "logical_date": None}).encode()
    edges = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    messages = [
        {"type": "http.request", "body": content[start:end], "more_body": True} for start, end in pairwise(edges)
    ]
    messages += [{"type": "http.request", "body": b"", "more_body": False}, {"type": "http.disconnect"}]
    headers = [(b"transfer-encoding", b"chunked"), (b"content-type", b"application/json"), (b"host", b"x")]
    airflow = Airflow()
    sent = asyncio.run(exchange(airflow.app, messages, headers))
    assert sent[0]["status"] == 200
    assert CANARY not in airflow.kept
    body, length = airflow.received[0]
    assert length == str(len(body))
    assert opened(airflow.runs[0]["conf"])["patient_ids"] == [CANARY]


def test_client_that_goes_away_leaves_nothing_behind(airflow: Airflow) -> None:
    messages = [
        {"type": "http.request", "body": CANARY.encode(), "more_body": True},
        {"type": "http.disconnect"},
    ]
    assert asyncio.run(exchange(airflow.app, messages, [(b"host", b"x")])) == []
    assert not airflow.audit


def test_other_requests_are_not_even_read(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(sealing_middleware, "_read_body", fail)
    assert client.get("/api/v2/dags").status_code == 200
    assert client.post("/auth/token", json={"username": "u"}).status_code == 200
    assert client.patch("/execution/task-instances/1/run", json={}).status_code == 200


@settings(max_examples=150, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.sampled_from([CANARY, "", "P1", "patient", "CT"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from([*FULL_CONF, "conf", "note", "dag_run_id", "logical_date", "partition_key", CANARY]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_no_body_at_all_brings_the_value_to_the_audit_log(body: Any) -> None:
    airflow = Airflow()
    with TestClient(airflow.app) as client:
        answer = client.post(RUNS, json=body)
        assert CANARY not in answer.text
        client.post(RUNS, json={"conf": body})
    assert CANARY not in airflow.kept
