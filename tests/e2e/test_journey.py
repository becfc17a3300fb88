"""A researcher's whole way, in a browser: asks, waits for somebody else, takes the release, and reads its images."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pandas as pd
import pytest
import requests
from dicomweb_client import DICOMwebClient
from playwright.sync_api import Browser, Page, sync_playwright
from tests.command import COMMAND
from tests.e2e.conftest import Sample
from tests.e2e.world import Snapshot, World

from dicomanon.cohort.project_file import ProjectFile
from dicomanon.crosswalk.roles.role import Role
from dicomanon.local_stack import airflow
from dicomanon.local_stack.ports import free_port
from dicomanon.local_stack.processes import wait_until
from dicomanon.pipeline.runtime import open_runtime

COHORT = "cohort_extraction"
PROJECT = """
project = "journey"
title = "Journey"
lead = "Ada"
ethics_number = "EK 1"
ethics_expires = 9999-12-31
retention_days = 365
minimum_patients = 2
"""
PATIENCE_SECONDS = 120
WHY = {"actor": "ada", "reason": "decided"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium")
    assert path, "install it with deploy/system-packages.sh test"
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"] if os.getuid() == 0 else [])
        yield opened
        opened.close()


def logged_in(browser: Browser, world: World, who: str) -> Page:
    page = browser.new_context(viewport={"width": 1400, "height": 1000}).new_page()
    page.set_default_timeout(1000 * PATIENCE_SECONDS)
    page.goto(f"{world.config.airflow_url}/auth/login/")
    page.fill("input[name=username]", who)
    page.fill("input[name=password]", getattr(world.config.passwords, who))
    page.click("[type=submit]")
    page.wait_for_load_state("networkidle")
    return page


def asked(page: Page, world: World, patients: list[str]) -> str:
    """Fill the form in and send it; return the run."""
    page.goto(f"{world.config.airflow_url}/dags/{COHORT}")
    page.get_by_role("button", name="Trigger").first.click()
    form = page.locator("[role=dialog][data-state=open]")
    form.locator("[name='element_project']").fill("journey")
    form.get_by_role("button", name="People").click()
    form.locator("[name='element_patient_ids']").fill("\n".join(["Patient ID", *patients]))
    with page.expect_response(lambda answer: "dagRuns" in answer.url and answer.request.method == "POST") as sent:
        form.get_by_role("button", name="Trigger", exact=True).click()
    assert sent.value.status == 200
    return str(sent.value.json()["dag_run_id"])


def wait_for(world: World, run: str, task: str, state: str) -> None:
    with airflow.client(world.config, "admin") as api:

        def is_there() -> bool:
            found = api.get(f"/dags/{COHORT}/dagRuns/{run}/taskInstances/{task}").raise_for_status().json()["state"]
            assert found not in {"failed", "upstream_failed"}
            return bool(found == state)

        assert wait_until(is_there, seconds=PATIENCE_SECONDS, interval=0.5)


@contextmanager
def gateway() -> Iterator[str]:
    port = free_port()
    process = subprocess.Popen([COMMAND, "gateway"], env=os.environ | {"DICOMANON_GATEWAY__PORT": str(port)})
    address = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return requests.get(f"{address}/health", timeout=5).ok
        except requests.RequestException:
            return False

    try:
        assert wait_until(answers, seconds=PATIENCE_SECONDS, interval=0.2)
        yield f"{address}/dicom-web"
    finally:
        process.terminate()
        process.wait()


def test_from_the_form_to_the_images(
    world: World, browser: Browser, after_second: Snapshot, sample_wave_2: Sample, tmp_path: Path
) -> None:
    with open_runtime(Role.ADMIN) as runtime:
        projects = runtime.crosswalk.projects
        projects.set("journey", ProjectFile.parse(PROJECT).terms(), **WHY)
        projects.add_requester("journey", "researcher", **WHY)
        projects.add("journey", "operator", **WHY)
        _, token = runtime.crosswalk.tokens.create("journey", "operator", lifetime=timedelta(hours=1), **WHY)
    researcher, engineer = (logged_in(browser, world, who) for who in ("researcher", "engineer"))
    studies = sample_wave_2[1].studies
    run = asked(researcher, world, sorted({f"{study.patient_id}^^^{study.issuer}" for study in studies}))
    wait_for(world, run, "await_approval", "awaiting_input")

    engineer.goto(f"{world.config.airflow_url}/dags/{COHORT}/runs/{run}/tasks/await_approval/required_actions")
    engineer.locator("[name='element_reason']").fill("seen")
    engineer.get_by_role("button", name="Approve", exact=True).click()
    wait_for(world, run, "summarise", "success")

    researcher.goto(f"{world.config.airflow_url}/dags/{COHORT}/runs/{run}/tasks/summarise")
    researcher.locator("a[href*='/dicomanon/releases/of-run/']").first.wait_for()
    researcher.goto(str(researcher.locator("a[href*='/dicomanon/releases/of-run/']").first.get_attribute("href")))
    assert researcher.url.endswith("/dicomanon/releases/journey/1")
    assert researcher.frame_locator("iframe").locator("h1").inner_text() == "journey/0001"
    with researcher.expect_download() as taken:
        researcher.get_by_role("link", name="manifest.parquet").click()
    taken.value.save_as(tmp_path / "manifest.parquet")
    manifest = pd.read_parquet(BytesIO((tmp_path / "manifest.parquet").read_bytes()))
    assert set(manifest["SOPInstanceUID"]) <= set(after_second.digests)
    assert len(manifest) >= sum(study.expected_stored for study in studies)

    with gateway() as address:
        images = DICOMwebClient(address, headers={"Authorization": f"Bearer {token}"})
        study, series, sop = manifest.iloc[0][["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"]]
        assert {row["0020000D"]["Value"][0] for row in images.search_for_studies(get_remaining=True)} == set(
            manifest["StudyInstanceUID"]
        )
        assert images.retrieve_instance(study, series, sop).SOPInstanceUID == sop
