"""The Great Expectations checkpoint judges counts, publishes small pages without values, and uses no network."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import Dataset
from tests.validate.support import KNOWN, expected

from dicomanon.errors import Fatal
from dicomanon.validate.checkpoint import run_checkpoint, warm_up
from dicomanon.validate.findings import Findings
from dicomanon.validate.frame import StudyCount, findings_frame, studies_frame
from dicomanon.validate.suite import HOLDING, RULES

CLEAN = Findings({}, {})


@pytest.fixture(scope="module", autouse=True)
def _warm() -> None:
    warm_up()


def rows(*findings: Findings) -> list:
    return [(replace(expected(), sop_uid=f"2.25.{number}"), found) for number, found in enumerate(findings)]


def test_clean_batch_passes_and_has_pages(tmp_path: Path) -> None:
    studies = studies_frame([StudyCount("2.25.7", enrolled=3, staged=2, held=1)])
    result = run_checkpoint(findings_frame(rows(CLEAN, CLEAN)), tmp_path / "docs", run_name="batch-1", studies=studies)
    assert result.success
    assert result.failed == {}
    assert result.failed_studies == ()
    assert result.docs_index == tmp_path / "docs" / "index.html"
    assert result.statistics["instances"] == 2
    assert result.statistics["failed_expectations"] == 0


def test_only_instances_with_findings_that_hold_fail(tmp_path: Path) -> None:
    batch = rows(
        CLEAN,
        Findings({"known-text": 2, "digest": 1}, {}),
        Findings({"known-value-by-chance": 1}, {}),
        Findings({"foreign-uid": 5}, {}),
    )
    result = run_checkpoint(findings_frame(batch), tmp_path / "docs", run_name="batch-1")
    assert not result.success
    assert {uid: set(rules) for uid, rules in result.failed.items()} == {
        "2.25.1": {"known-text", "digest"},
        "2.25.3": {"foreign-uid"},
    }
    assert result.statistics["noted_expectations"] == 1


def test_every_rule_that_holds_fails_its_instance_and_no_other(tmp_path: Path) -> None:
    result = run_checkpoint(
        findings_frame(rows(Findings(dict.fromkeys(RULES, 1), {}), CLEAN)), tmp_path / "docs", run_name="b"
    )
    assert {uid: set(rules) for uid, rules in result.failed.items()} == {"2.25.0": set(HOLDING)}


def test_study_with_instances_unaccounted_for_fails(tmp_path: Path) -> None:
    studies = studies_frame([StudyCount("2.25.7", enrolled=3, staged=1, held=1), StudyCount("2.25.8", 1, 1)])
    result = run_checkpoint(findings_frame(rows(CLEAN)), tmp_path / "docs", run_name="batch-1", studies=studies)
    assert not result.success
    assert result.failed_studies == ("2.25.7",)


def test_instance_that_is_listed_twice_fails(tmp_path: Path) -> None:
    twice = [*rows(CLEAN), *rows(CLEAN)]
    assert not run_checkpoint(findings_frame(twice), tmp_path / "docs", run_name="batch-1").success


def test_empty_batch_passes(tmp_path: Path) -> None:
    assert run_checkpoint(findings_frame([]), tmp_path / "docs", run_name="batch-1").success


def test_other_columns_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Fatal):
        run_checkpoint(findings_frame(rows(CLEAN)).assign(patient="x"), tmp_path / "docs", run_name="batch-1")


def test_frame_and_pages_hold_no_planted_value(
    tmp_path: Path, check: Callable[..., Findings], dataset: Dataset
) -> None:
    dataset.PatientName = "Featherstone^Agnieszka"
    dataset.StudyDate = "20190105"
    dataset.ImageComments = "MRN0048213 of Gray, 604-555-0199, St Ninian Infirmary"
    findings = check(dataset)
    assert not findings.passed
    frame = findings_frame([(expected(), findings)])
    run_checkpoint(frame, tmp_path / "docs", run_name="batch-1")
    planted = [value.lower() for value in KNOWN if len(value) > 4]
    texts = {"frame": frame.to_csv()}
    texts |= {str(page): page.read_text(errors="replace") for page in (tmp_path / "docs").rglob("*") if page.is_file()}
    assert len(texts) > 3
    assert [(name, value) for name, text in texts.items() for value in planted if value in text.lower()] == []


def test_pages_are_small_replace_the_last_ones_and_load_nothing_from_outside(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    for run in range(2):
        run_checkpoint(findings_frame(rows(CLEAN)), docs, run_name=f"batch-{run}")
    files = [file for file in docs.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 500_000
    assert sum("instances.html" in file.name for file in files) == 1
    pages = [file.read_text() for file in files if file.suffix == ".html"]
    assert not any("http://" in page or "https://" in page for page in pages)
    assert any("No original UID" in page for page in pages)
    assert [entry.name for entry in tmp_path.iterdir()] == ["docs"]


def test_run_uses_no_network_and_prints_no_progress(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("network used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    run_checkpoint(findings_frame(rows(CLEAN)), tmp_path / "docs", run_name="batch-1")
    shown = capfd.readouterr()
    assert shown.out + shown.err == ""
    assert os.environ["GX_ANALYTICS_ENABLED"] == "false"


def test_great_expectations_is_not_imported_before_it_is_needed() -> None:
    script = (
        "import sys, dicomanon.validate.checkpoint, dicomanon.validate.examine\n"
        "sys.exit('great_expectations' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
