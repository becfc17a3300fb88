"""In a real api-server, requests are sealed before anything is stored, and pages open to those who may see them."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from tests.plugins.environment import airflow_environment

from dicomanon.cohort.parameters import COHORT_DAG_ID, PARAMETERS, SEALED_PARAMETERS
from dicomanon.cohort.sealing import open_conf, seal_conf

KEY = X25519PrivateKey.generate()
PUBLIC, PRIVATE = KEY.public_key().public_bytes_raw(), KEY.private_bytes_raw()
CANARY = "CANARY77"
RUNS = f"/api/v2/dags/{COHORT_DAG_ID}/dagRuns"
CLEAR = {
    "project": "P1", "modality": ["CT"], "group_by": "study", "patient_ids": [CANARY, "2"], "accession_numbers": None,
    "study_date_from": "1931-05-06", "study_date_to": None, "description_words": [CANARY],
    "index_dates": [f"{CANARY}, 2020-01-01"], "days_after": 90, "slice_thickness_to": 2.5, "sex": ["F"],
    "dry_run": True,
}  # fmt: skip
SEALED = seal_conf(PUBLIC, COHORT_DAG_ID, CLEAR)
RUN_ID = "manual__2026-11-22T08:00:00+00:00"

REQUESTS: dict[str, tuple[str | None, str, str, Any]] = {
    "clear": ("researcher", "POST", RUNS, {"conf": CLEAR, "logical_date": None, "dag_run_id": RUN_ID}),
    "sealed": ("researcher", "POST", RUNS, {"conf": SEALED, "logical_date": None}),
    "stored": ("engineer", "GET", f"{RUNS}/{RUN_ID}", None),
    "without login": (None, "POST", RUNS, {"conf": CLEAR, "logical_date": None}),
    "no project": ("researcher", "POST", RUNS, {"conf": {"patient_ids": ["1"]}, "logical_date": None}),
    "unknown key": ("researcher", "POST", RUNS, {"conf": {"mrn": CANARY}, "logical_date": None}),
    "note": ("researcher", "POST", RUNS, {"conf": {"project": "P"}, "note": CANARY, "logical_date": None}),
    "later note": ("engineer", "PATCH", f"{RUNS}/{RUN_ID}", {"note": CANARY}),
    "misspelt dag": ("admin", "POST", RUNS.replace("extraction", "x"), {"conf": CLEAR, "logical_date": None}),
    "backfill": ("admin", "POST", "/api/v2/backfills", {
        "dag_id": COHORT_DAG_ID, "from_date": "2026-01-01T00:00:00Z", "to_date": "2026-01-02T00:00:00Z",
        "dag_run_conf": CLEAR}),
    "other dag": ("researcher", "POST", "/api/v2/dags/ingest_studies/dagRuns", {"conf": {}, "logical_date": None}),
    "dags": ("researcher", "GET", "/api/v2/dags", None),
    "details": ("researcher", "GET", f"/api/v2/dags/{COHORT_DAG_ID}/details", None),
    "audit log": ("admin", "GET", "/api/v2/eventLogs?limit=100", None),
    "plugins": ("admin", "GET", "/api/v2/plugins", None),
    "plugin errors": ("admin", "GET", "/api/v2/plugins/importErrors", None),
    "reports, anybody": (None, "GET", "/dicomanon/", None),
    "reports, researcher": ("researcher", "GET", "/dicomanon/", None),
    "reports, engineer": ("engineer", "GET", f"/dicomanon/runs/{RUN_ID}", None),
    "key, anybody": (None, "GET", "/dicomanon/request-key", None),
    "key, researcher": ("researcher", "GET", "/dicomanon/request-key", None),
    "releases, anybody": (None, "GET", "/dicomanon/releases", None),
    "releases, researcher": ("researcher", "GET", "/dicomanon/releases", None),
    "last links": ("researcher", "GET", f"{RUNS}/{RUN_ID}/taskInstances/summarise/links", None),
    "links": ("engineer", "GET", f"{RUNS}/{RUN_ID}/taskInstances/validate_request/links", None),
}  # fmt: skip


@dataclass(frozen=True)
class Answers:
    by_name: Mapping[str, tuple[int, str]]
    home: Path

    def status(self, name: str) -> int:
        return self.by_name[name][0]

    def json(self, name: str) -> Any:
        return json.loads(self.by_name[name][1])


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    home = tmp_path_factory.mktemp("airflow")
    report = home / "docs" / "manual__2026-11-22T08_00_00_00_00" / "batch-1"
    report.mkdir(parents=True)
    (report / "index.html").write_text("the report")
    output = home.parent / "answers.json"
    environment = airflow_environment(home, PUBLIC) | {"ANSWERS": str(output)}
    with (home / "server.log").open("wb") as log:
        subprocess.run(
            [sys.executable, str(Path(__file__).with_name("real_airflow.py"))],
            input=json.dumps(list(REQUESTS.values())).encode(),
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=True,
        )
    return Answers(dict(zip(REQUESTS, json.loads(output.read_text()), strict=True)), home)


def test_clear_value_is_in_no_file_of_airflow(answers: Answers) -> None:
    written = [path for path in answers.home.rglob("*") if path.is_file()]
    assert any(path.suffix == ".db" for path in written)
    for path in written:
        content = path.read_bytes()
        assert CANARY.encode() not in content, path
        assert b"1931-05-06" not in content, path


def test_stored_request_opens_to_what_was_typed(answers: Answers) -> None:
    assert answers.status("clear") == 200
    assert open_conf(PRIVATE, COHORT_DAG_ID, answers.json("stored")["conf"]) == CLEAR
    assert answers.json("sealed")["conf"] == SEALED


def test_audit_log_has_the_request_sealed(answers: Answers) -> None:
    triggers = [entry for entry in answers.json("audit log")["event_logs"] if entry["event"] == "trigger_dag_run"]
    assert any("sealed:v1:" in entry["extra"] for entry in triggers)
    assert CANARY not in answers.by_name["audit log"][1]


@pytest.mark.parametrize("name", ["unknown key", "note", "later note", "misspelt dag", "backfill", "no project"])
def test_refused_in_airflows_own_form(answers: Answers, name: str) -> None:
    assert answers.status(name) == 400
    assert isinstance(answers.json(name)["detail"], str)
    assert CANARY not in answers.by_name[name][1]


def test_researcher_has_this_dag_alone(answers: Answers) -> None:
    assert [found["dag_id"] for found in answers.json("dags")["dags"]] == [COHORT_DAG_ID]
    assert answers.status("other dag") == 403
    assert answers.status("without login") == 401


def test_airflow_itself_refuses_clear_values_should_nobody_have_sealed_them(answers: Answers) -> None:
    params = answers.json("details")["params"]
    assert set(params) == {parameter.name for parameter in PARAMETERS[COHORT_DAG_ID]}
    for parameter in PARAMETERS[COHORT_DAG_ID]:
        schema, name = params[parameter.name]["schema"], parameter.name
        if name in SEALED:
            jsonschema.validate(SEALED[name], schema)
        if parameter.sealed:
            jsonschema.validate(None, schema)
            clear = ["2020-01-01"] if parameter.many else "2020-01-01"
            assert not jsonschema.Draft202012Validator(schema).is_valid(clear)
    assert answers.json("details")["allowed_run_types"] == ["manual"]


def test_form_shows_one_field_for_each_parameter(answers: Answers) -> None:
    params = answers.json("details")["params"]
    # The form makes a list of lines of an array of strings, a menu of an enum, a line of a string.
    for parameter in PARAMETERS[COHORT_DAG_ID]:
        kinds = params[parameter.name]["schema"]["type"]
        kind = kinds[-1] if isinstance(kinds, list) else kinds
        assert ("number" if kind == "integer" else kind) == parameter.type
        if parameter.name in SEALED_PARAMETERS[COHORT_DAG_ID]:
            assert "format" not in params[parameter.name]["schema"]  # a sealed date is no date any more


def test_plugin_is_loaded_whole(answers: Answers) -> None:
    assert answers.json("plugin errors")["import_errors"] == []
    plugin = next(found for found in answers.json("plugins")["plugins"] if found["name"] == "dicomanon")
    assert [found["name"] for found in plugin["fastapi_root_middlewares"]] == ["DICOManon request sealing"]
    assert {found["destination"] for found in plugin["external_views"]} == {"nav", "dag_run"}


def test_evidence_is_for_engineers(answers: Answers) -> None:
    statuses = [answers.status(f"reports, {who}") for who in ("anybody", "researcher", "engineer")]
    assert statuses == [401, 403, 200]
    assert answers.by_name["reports, engineer"][1] == "the report"


def test_key_is_for_whoever_is_logged_in(answers: Answers) -> None:
    assert answers.status("key, anybody") == 401
    assert answers.json("key, researcher")["public_key"] == PUBLIC.hex()


def test_only_validate_tasks_link_to_reports_and_only_the_last_one_to_a_release(answers: Answers) -> None:
    assert answers.json("links")["extra_links"] == {"Data Docs": None, "Release": None}
    last = answers.json("last links")["extra_links"]
    assert last["Data Docs"] is None
    assert last["Release"].endswith("/dicomanon/releases/of-run/manual__2026-11-22T08%3A00%3A00%2B00%3A00")


def test_releases_are_for_who_is_logged_in_and_an_api_server_without_them_says_so(answers: Answers) -> None:
    assert answers.status("releases, anybody") == 401
    assert answers.status("releases, researcher") == 503
    assert "DICOMANON_PAGES_DSN" in answers.json("releases, researcher")["detail"]
