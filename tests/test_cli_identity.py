"""``dicomanon identity`` as admins run it: events are listed and shown, merges, splits and overrulings decided."""

import json
import os
import pwd
import subprocess
from pathlib import Path

import pytest
from tests.command import dicomanon
from tests.site import Site, person, slices, study

from dicomanon.console import DONE, FATAL

WRONG_LINE = 2
ME = pwd.getpwuid(os.getuid()).pw_name
PERSON = person()
OTHER = person(0)
RENAMED = person(name="SCHNEIDER^BERTHA")
WHY = ("--reason", "the ward says so")


def run(*arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return dicomanon("identity", *arguments, typed=stdin)


def events() -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(run("list", "--json").stdout)
    return found


@pytest.fixture
def renamed(site: Site) -> Site:
    """A site where a patient came back under another name."""
    site.begin(_came_back)
    return site


def _came_back(site: Site) -> None:
    site.ingest(*slices(study("before")))
    site.ingest(*slices(study("after", RENAMED, number=2)))


def _two_patients(site: Site) -> None:
    site.ingest(*slices(study("one")), *slices(study("other", OTHER)))
    assert site.rows("SELECT count(*) FROM crosswalk.patient") == [(2,)]


def test_list_tells_what_waits_without_phi(renamed: Site) -> None:
    (event,) = events()
    assert (event["kind"], event["parts"], event["held"]) == ("patient-differs", ["name"], 3)
    listed = run("list").stdout
    assert str(event["id"]) in listed
    for value in (PERSON.patient_id, PERSON.name.split("^")[0], "SCHNEIDER"):
        assert value not in listed


def test_list_says_so_where_there_is_none(site: Site) -> None:
    assert "no identity event is open" in run("list").stdout


def test_show_is_recorded_and_shows_both_sides(renamed: Site) -> None:
    begin = str(events()[0]["id"])[:8]
    assert run("show", begin).returncode == WRONG_LINE
    shown = run("show", begin, *WHY)
    assert shown.returncode == DONE
    assert PERSON.name in shown.stdout
    assert "SCHNEIDER^BERTHA" in shown.stdout
    told = "SELECT actor, action, subject_kind FROM crosswalk.access_event WHERE actor <> 'pipeline'"
    assert renamed.rows(told) == [(ME, "identity.show", "pseudonym")]


def test_overruled_it_is_queued_and_the_next_run_stores_it_under_the_same_pseudonym(renamed: Site) -> None:
    begin = str(events()[0]["id"])[:8]
    tried = run("overrule", begin, *WHY, "--dry-run")
    assert "3 instances would be queued again" in tried.stdout
    assert len(events()) == 1
    done = run("overrule", begin, *WHY)
    assert (done.returncode, "3 instances queued again" in done.stdout) == (DONE, True)
    assert events() == []
    renamed.ingest()
    assert set(renamed.states().values()) == {"stored"}
    assert renamed.rows("SELECT count(DISTINCT patient_id) FROM crosswalk.study") == [(1,)]
    assert run("overrule", begin, *WHY).returncode == FATAL


def test_split_by_event_gives_the_held_study_a_new_patient(renamed: Site) -> None:
    done = run("split", str(events()[0]["id"]), *WHY)
    assert "3 instances queued again" in done.stdout
    renamed.ingest()
    assert set(renamed.states().values()) == {"stored"}
    assert renamed.rows("SELECT count(DISTINCT patient_id) FROM crosswalk.study") == [(2,)]
    assert "nothing is to be re-issued" in run("reissues").stdout


def test_uphold_closes_the_event_and_holds_on(renamed: Site) -> None:
    assert run("uphold", str(events()[0]["id"]), *WHY).returncode == DONE
    assert events() == []
    assert len(json.loads(run("list", "--all", "--json").stdout)) == 1
    assert "held(identity-conflict)" in renamed.states().values()


class TestMerge:
    @pytest.fixture
    def two(self, site: Site) -> Site:
        site.begin(_two_patients)
        return site

    def test_by_a_file_of_changed_ids(self, two: Site, tmp_path: Path) -> None:
        changes = tmp_path / "changes.csv"
        changes.write_text(f"{OTHER.issuer},{OTHER.patient_id},{PERSON.issuer},{PERSON.patient_id}\n")
        tried = run("merge", "--from-file", changes, *WHY, "--dry-run")
        assert "nothing was changed" in tried.stdout
        done = run("merge", "--from-file", changes, *WHY)
        assert done.returncode == DONE
        assert OTHER.patient_id not in done.stdout + done.stderr
        assert two.rows("SELECT count(DISTINCT survivor_id) FROM crosswalk.patient") == [(1,)]
        assert run("merge", "--from-file", changes, *WHY).returncode == DONE, "said again it changes nothing"

    def test_by_a_message_from_stdin(self, two: Site) -> None:
        text = (
            "MSH|^~\\&|A|B|C|D|2026||ADT^A40|1|P|2.5\r"
            f"PID|1||{PERSON.patient_id}^^^{PERSON.issuer}\rMRG|{OTHER.patient_id}^^^{OTHER.issuer}\r"
        )
        assert run("merge", "--from-file", "-", *WHY, stdin=text).returncode == DONE
        assert two.rows("SELECT count(DISTINCT survivor_id) FROM crosswalk.patient") == [(1,)]

    def test_by_pseudonym_and_undone(self, two: Site) -> None:
        older, younger = (row[0] for row in two.rows("SELECT pseudonym FROM crosswalk.patient ORDER BY created_at, id"))
        done = run("merge", "--pseudonym", older, "--pseudonym", younger, "--keep", younger, *WHY)
        assert f"merge: patient {younger}, with {older}" in done.stdout
        assert f"unmerge: patient {older}, with {younger}" in run("unmerge", older, *WHY).stdout

    def test_refused_in_words(self, two: Site, tmp_path: Path) -> None:
        assert run("merge", *WHY).returncode == WRONG_LINE
        bad = tmp_path / "bad.csv"
        bad.write_text(f"{OTHER.patient_id},{PERSON.patient_id}\n")
        refused = run("merge", "--from-file", bad, *WHY)
        assert refused.returncode == FATAL
        assert "row 1" in refused.stderr
        assert OTHER.patient_id not in refused.stderr


def test_split_by_study_names_what_is_to_be_reissued(site: Site) -> None:
    site.ingest(*slices(study("one")), *slices(study("two", number=2)))
    ((uid, _),) = site.rows("SELECT research_study_uid, id FROM crosswalk.study ORDER BY id LIMIT 1")
    done = run("split", "--study", uid, *WHY)
    assert "3 stored instances marked to be re-issued" in done.stdout
    assert len(json.loads(run("reissues", "--json").stdout)) == 3
