"""A researcher fills in the form in a browser: what is sent is what was meant, and only its sealed form is kept."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from playwright.sync_api import Locator, Page, sync_playwright
from tests.plugins.environment import airflow_environment

from dicomanon.cohort.criteria import CohortCriteria
from dicomanon.cohort.parameters import COHORT_DAG_ID
from dicomanon.cohort.sealing import open_conf
from dicomanon.local_stack.ports import free_port

KEY = X25519PrivateKey.generate()
CANARY = "CANARY77"
PATIENCE_SECONDS = 120


@dataclass(frozen=True)
class Served:
    address: str
    home: Path


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("airflow")
    port = free_port()
    command = [sys.executable, str(Path(__file__).with_name("real_airflow.py")), str(port)]
    environment = airflow_environment(home, KEY.public_key().public_bytes_raw())
    with (home / "server.log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{address}/auth/login/", server)
        yield Served(address, home)
    finally:
        server.kill()
        server.wait()


def _wait_for(page: str, server: "subprocess.Popen[bytes]") -> None:
    until = monotonic() + PATIENCE_SECONDS
    while monotonic() < until and server.poll() is None:
        try:
            if httpx.get(page).is_success:
                return
        except httpx.TransportError:
            sleep(0.5)
    raise AssertionError("the api-server did not come up")


@pytest.fixture
def page(airflow: Served) -> Iterator[Page]:
    """The page of the DAG, as a researcher sees it."""
    path = shutil.which("chromium")
    assert path, "install it with deploy/system-packages.sh test"
    arguments = ["--no-sandbox"] if os.getuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        page = browser.new_page(viewport={"width": 1280, "height": 1400})
        page.set_default_timeout(1000 * PATIENCE_SECONDS)
        page.goto(f"{airflow.address}/auth/login/")
        page.fill("input[name=username]", "researcher")
        page.fill("input[name=password]", "r")
        page.click("[type=submit]")
        page.wait_for_load_state("networkidle")
        page.goto(f"{airflow.address}/dags/{COHORT_DAG_ID}")
        yield page
        browser.close()


def field(form: Locator, name: str) -> Locator:
    return form.locator(f"[name='element_{name}']")


def choose(page: Page, form: Locator, place: int, choice: str) -> None:
    """Choose from one of the lists that are open."""
    form.get_by_role("combobox").nth(place).click()
    page.get_by_role("option", name=choice).click()


def test_what_is_filled_in_arrives_and_is_kept_sealed(airflow: Served, page: Page) -> None:
    page.get_by_role("button", name="Trigger").first.click()
    form = page.locator("[role=dialog][data-state=open]")
    field(form, "project").fill("LUNG")
    field(form, "purpose").fill(f"{CANARY} study")
    form.get_by_role("button", name="People").click()
    field(form, "patient_ids").fill(f"MRN,Name\n{CANARY}-1,Doe\n{CANARY}-2,Roe")
    field(form, "age_from").fill("018Y")
    choose(page, form, 0, "Female")
    form.get_by_role("button", name="Studies").click()
    field(form, "index_dates").fill(f"{CANARY}-1, 1931-05-06")
    field(form, "days_after").fill("90")
    form.get_by_role("button", name="Series:").click()
    choose(page, form, 0, "CT: computed tomography")
    field(form, "slice_thickness_to").fill("2.5")
    with page.expect_response(lambda answer: "dagRuns" in answer.url and answer.request.method == "POST") as sent:
        form.get_by_role("button", name="Trigger", exact=True).click()
    assert sent.value.status == 200

    (database,) = airflow.home.glob("*.db")
    (stored,) = sqlite3.connect(database).execute("SELECT conf FROM dag_run").fetchone()
    asked = CohortCriteria.read(open_conf(KEY.private_bytes_raw(), COHORT_DAG_ID, json.loads(stored)))
    assert asked.patient_ids == (f"{CANARY}-1", f"{CANARY}-2")
    assert asked.given().keys() == {
        "project", "purpose", "patient_ids", "age_from", "sex", "index_dates", "days_after", "modality",
        "slice_thickness_to"}  # fmt: skip
    assert (asked.sex, asked.modality, asked.slice_thickness_to, asked.days_after) == (("F",), ("CT",), 2.5, 90)
    for file in airflow.home.rglob("*"):
        assert not file.is_file() or CANARY.encode() not in file.read_bytes(), file
