"""``dicomanon removal`` as people run it: it shows before it does, waits for a second person, echoes no identifier."""

import json
import os
import pwd
import subprocess
from pathlib import Path

import pytest
from tests.command import dicomanon
from tests.promises.removing import GONE, Clinic, clinic
from tests.site import Site, judge_by_counts, read

from dicomanon.console import DONE, FATAL, PARTLY
from dicomanon.crosswalk.audit.trail import Wanted
from dicomanon.crosswalk.decisions.rows import Signed
from dicomanon.pipeline import validate

ME = pwd.getpwuid(os.getuid()).pw_name
WHY = ("--reason", "asked by letter", "--ticket", "DPO-17")


def run(*arguments: str | Path, typed: str = "") -> subprocess.CompletedProcess[str]:
    return dicomanon("removal", *arguments, typed=typed)


@pytest.fixture
def filled(site: Site, monkeypatch: pytest.MonkeyPatch) -> Clinic:
    monkeypatch.setattr(validate, "run_checkpoint", judge_by_counts)
    monkeypatch.setenv("DICOMANON_RESEARCH_ORTHANC_URL", site.research.url)
    return clinic(site)


def the_one() -> dict[str, str]:
    (row,) = json.loads(run("list", "--json").stdout)
    assert isinstance(row, dict)
    return row


def test_a_withdrawal_is_shown_then_done_then_verified(filled: Clinic) -> None:
    shown = run("withdraw", filled.pseudonym, *WHY)
    assert shown.returncode == DONE
    assert "takes 3 stored; releases: lung-ai/0001" in shown.stdout
    assert "nothing is removed yet" in shown.stderr
    assert len(filled.site.research_objects()) == 5
    assert (the_one()["state"], the_one()["requested by"]) == ("requested", ME)

    done = run("run", the_one()["removal"][:8])
    assert done.returncode == DONE, done.stderr
    assert set(filled.site.research_objects()) == filled.kept
    assert the_one()["state"] == "certified"

    (file,) = (filled.release_dir / ".certificates").glob("*.json")
    assert str(file) in done.stdout
    verified = run("verify", file)
    assert "the signature is good" in verified.stdout
    assert "held by researcher: 3 objects" in verified.stdout
    file.chmod(0o600)
    file.write_text(file.read_text().replace('"sig": "', '"sig": "AAAA'))
    assert run("verify", file).returncode == FATAL


def test_who_has_only_the_patient_id_types_it(filled: Clinic) -> None:
    source = read(filled.sources[0])
    done = run("withdraw", "--yes", *WHY, typed=f"{source.PatientID}^^^{source.IssuerOfPatientID}\n")
    assert done.returncode == DONE, done.stderr
    assert str(source.PatientID) not in done.stdout + done.stderr
    assert set(filled.site.research_objects()) == filled.kept
    actions = {row[0] for row in filled.site.rows("SELECT action FROM crosswalk.access_event WHERE actor = %s", ME)}
    assert {"patient.look_up", "withdrawal.request", "withdrawal.mark"} <= actions
    with filled.site.crosswalk() as crosswalk:
        reasons = [crosswalk.audit.reason(entry).reveal() for entry in crosswalk.audit.newest(Wanted(actor=ME), 50)]
    assert len(reasons) > 2 and not [reason for reason in reasons if WHY[1] in reason], "auditors open these"


def test_an_unknown_patient_is_told_without_repeating_him(filled: Clinic) -> None:
    done = run("withdraw", *WHY, typed="MRN-WOLKENSTEIN\n")
    assert done.returncode == FATAL
    assert "knows no patient" in done.stderr
    assert "WOLKENSTEIN" not in done.stdout + done.stderr


def test_a_second_person_is_waited_for(filled: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DICOMANON_REMOVAL_APPROVALS", "2")
    asked = run("withdraw", filled.pseudonym, "--yes", *WHY)
    assert asked.returncode == PARTLY
    assert "1 more must stand for it" in asked.stderr
    assert len(filled.site.research_objects()) == 5
    number = the_one()["removal"]
    assert "nobody approves" in run("approve", number, "--reason", "sure").stderr
    assert run("run", number).returncode == FATAL
    with filled.site.crosswalk() as crosswalk:
        crosswalk.removals.approve(crosswalk.removals.find(number), "bob", "seen the letter")
    assert run("run", number).returncode == DONE
    assert the_one()["approved by"] == "bob"


def test_a_recall_takes_a_list_of_objects(filled: Clinic, tmp_path: Path) -> None:
    leak = sorted(filled.former)[0]
    listed = tmp_path / "leaks.txt"
    listed.write_text(f"{leak}\n")
    done = run("recall", "lung-ai/1", "--objects", listed, "--yes", *WHY)
    assert done.returncode == DONE, done.stderr
    assert leak not in filled.site.research_objects()
    assert len(filled.site.research_objects()) == 4


def test_what_was_recalled_is_named_by_a_reissue_that_leaves_it_or_takes_it(filled: Clinic, tmp_path: Path) -> None:
    listed = tmp_path / "leaks.txt"
    listed.write_text(f"{sorted(filled.former)[0]}\n")
    assert run("recall", "lung-ai/1", "--objects", listed, "--yes", *WHY).returncode == DONE
    left = run("reissue", filled.pseudonym, *WHY)
    assert "takes 2 stored; releases: lung-ai/0001" in left.stdout
    assert "1 that were recalled stay held: --with-recalled makes them anew, too" in left.stdout
    taken = run("reissue", filled.pseudonym, "--with-recalled", *WHY)
    assert "takes 2 stored, 1 held" in taken.stdout
    assert "1 that were recalled are made anew, too" in taken.stdout
    assert "one patient at a time" in run("reissue", "--open", "--with-recalled", *WHY).stderr


def test_what_a_split_left_open_is_reissued(filled: Clinic) -> None:
    with filled.site.crosswalk() as crosswalk:
        crosswalk.identities.split(
            [str(filled.site.account(GONE).research_study_uid)], Signed("ada", "the ward filed it wrongly")
        )
    shown = run("reissue", "--open", *WHY)
    assert shown.returncode == DONE
    assert "takes 3 stored; releases: lung-ai/0001" in shown.stdout
    done = run("reissue", "--open", "--yes", *WHY)
    assert done.returncode == DONE, done.stderr
    assert (the_one()["state"], set(filled.site.research_objects())) == ("certified", filled.kept)
    assert "nothing is to be re-issued" in run("reissue", "--open", *WHY).stdout
    assert "no patient is named" in run("reissue", filled.pseudonym, "--open", *WHY).stderr


def test_what_is_left_to_a_person_is_listed(filled: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DICOMANON_RESEARCH_ORTHANC_URL")
    done = run("withdraw", filled.pseudonym, "--yes", *WHY)
    assert done.returncode == FATAL
    assert "by hand" in done.stderr
    shown = run("show", the_one()["removal"], "--objects").stdout
    assert all(uid in shown for uid in filled.former)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("withdraw", "D0000000000X", *WHY), "no patient has this pseudonym"),
        (("withdraw", "D0000000000X", "--reason", "why", "--ticket", "Jane Doe"), "no spaces"),
        (("recall", "lung-ai", *WHY), "PROJECT/NUMBER"),
        (("recall", "lung-ai/7", *WHY), "no such release"),
        (("run", "ffff"), "no such removal"),
    ],
    ids=["pseudonym", "ticket", "release", "number", "removal"],
)
def test_what_cannot_be_is_said(site: Site, arguments: tuple[str, ...], told: str) -> None:
    done = run(*arguments)
    assert done.returncode == FATAL
    assert told in done.stderr
