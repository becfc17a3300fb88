"""The pages of a checkpoint stand alone: a first page that says the verdict, links that lead somewhere."""

import re
from dataclasses import replace
from pathlib import Path

from tests.validate.support import expected

from dicomanon.validate.checkpoint import run_checkpoint
from dicomanon.validate.findings import Findings
from dicomanon.validate.frame import StudyCount, findings_frame, studies_frame


def site(folder: Path, *findings: Findings) -> Path:
    rows = [(replace(expected(), sop_uid=f"2.25.{number}"), found) for number, found in enumerate(findings)]
    studies = studies_frame([StudyCount("2.25.7", enrolled=len(rows), staged=len(rows))])
    index = run_checkpoint(findings_frame(rows), folder / "docs", run_name="run batch-1", studies=studies).docs_index
    assert index is not None
    return index


def test_first_page_names_each_held_instance_with_its_rules(tmp_path: Path) -> None:
    page = site(tmp_path, Findings({}, {}), Findings({"known-text": 1}, {})).read_text()
    assert "instances are held" in page
    assert "2.25.1</code>" in page
    assert "known-text:" in page
    assert "2.25.0</code>" not in page


def test_first_page_of_a_clean_batch_says_passed(tmp_path: Path) -> None:
    page = site(tmp_path, Findings({}, {})).read_text()
    assert '<strong class="passed">passed</strong>' in page
    assert "Held instances" not in page


def test_every_link_of_the_first_page_leads_to_a_page(tmp_path: Path) -> None:
    index = site(tmp_path, Findings({}, {}))
    links = re.findall(r'href="([^"]+)"', index.read_text())
    assert len(links) == 2
    for link in links:
        assert (index.parent / link.replace("%20", " ")).is_file()


def test_no_page_asks_a_server_outside(tmp_path: Path) -> None:
    for page in site(tmp_path, Findings({}, {})).parent.rglob("*.html"):
        assert not re.findall(r"https?://", page.read_text())
