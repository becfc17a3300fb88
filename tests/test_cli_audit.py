"""``dicomanon audit`` as people run it: the trail is shown, followed, signed and copied."""

import json
import os
import pwd
import stat
import subprocess
from pathlib import Path

import psycopg
import pytest
from tests.command import dicomanon, without_settings

from dicomanon.crosswalk.audit.events import AccessEvent, Subject, SubjectKind
from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring

DONE, BROKEN, WRONG_LINE, FATAL = 0, 1, 2, 3
ME = pwd.getpwuid(os.getuid()).pw_name
WHY = "Mrs Thistlemantle complained"


class Command:
    """Runs ``dicomanon audit`` at a site with a crosswalk of three entries."""

    def __init__(self, folder: Path, dsn: str) -> None:
        self.folder, self.dsn = folder, dsn
        self.environment = without_settings() | {
            "DICOMANON_STATE_DIR": str(folder / "state"),
            "DICOMANON_CROSSWALK_DSN": dsn,
            "DICOMANON_KEYRING_FILE": str(folder / "keyring.json"),
        }

    def __call__(self, *arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        return dicomanon("audit", *arguments, environment=self.environment | variables, cwd=self.folder)

    def tamper(self, statement: str) -> None:
        with psycopg.connect(self.dsn) as connection:
            connection.execute("ALTER TABLE crosswalk.access_event DISABLE TRIGGER USER")
            connection.execute(statement)  # type: ignore[arg-type]
            connection.execute("ALTER TABLE crosswalk.access_event ENABLE TRIGGER USER")


@pytest.fixture
def command(tmp_path: Path, crosswalk_dsn: str) -> Command:
    Keyring.generate(tmp_path / "keyring.json")
    with Crosswalk(crosswalk_dsn, Keyring.load(tmp_path / "keyring.json")) as crosswalk:
        crosswalk.migrate()
        crosswalk.audit.record(
            [
                AccessEvent("ada", "export maps", WHY, 12),
                AccessEvent("bob", "reidentify.show", WHY, 1, Subject(SubjectKind.PSEUDONYM, "DTEST")),
                AccessEvent("bob", "pixels.review", WHY, 1, Subject(SubjectKind.STUDY, "2.25.7")),
            ]
        )
    return Command(tmp_path, crosswalk_dsn)


@pytest.fixture
def signing(command: Command) -> Command:
    """The same site with a key and a folder for heads."""
    (command.folder / "heads").mkdir()
    command.environment |= {
        "DICOMANON_AUDIT_KEY_FILE": str(command.folder / "audit.pem"),
        "DICOMANON_AUDIT_HEAD_DIR": str(command.folder / "heads"),
    }
    (command.folder / "public.pem").write_text(command("key", "audit.pem").stdout)
    return command


class TestList:
    def test_shows_who_did_what_when_and_to_whom_without_reasons(self, command: Command) -> None:
        done = command("list")
        assert done.returncode == DONE
        lines = done.stdout.splitlines()
        assert [line.split()[0] for line in lines] == ["1", "2", "3", "4"]
        assert lines[1].endswith("bob  reidentify.show  pseudonym DTEST")
        assert "Thistlemantle" not in done.stdout

    def test_looking_is_an_entry_before_anything_is_shown(self, command: Command) -> None:
        assert command("list").stdout.splitlines()[-1].split("  ")[-3:-1] == [ME, "audit.list"]

    @pytest.mark.parametrize(
        ("arguments", "numbers"),
        [
            (("--actor", "bob"), ["2", "3"]),
            (("--action", "export maps"), ["1"]),
            (("--about", "DTEST"), ["2"]),
            (("--about", "2.25.7"), ["3"]),
            (("--since", "2026-01-01", "--until", "2026-01-02"), []),
            (("--limit", "1", "--actor", "bob"), ["3"]),
        ],
    )
    def test_finds_what_is_asked_for(self, command: Command, arguments: tuple[str, ...], numbers: list[str]) -> None:
        rows = json.loads(command("list", "--json", *arguments).stdout)
        assert [str(row["number"]) for row in rows] == numbers

    def test_reasons_are_opened_for_a_reason_alone(self, command: Command) -> None:
        refused = command("list", "--show-reasons")
        assert refused.returncode == WRONG_LINE
        shown = command("list", "--show-reasons", "--reason", "yearly audit")
        assert shown.stdout.count(WHY) == 3
        assert "yearly audit" in shown.stdout


class TestVerify:
    def test_what_holds_is_said_and_what_was_not_compared_too(self, command: Command) -> None:
        done = command("verify")
        assert done.returncode == DONE
        assert "3 entries hold, the last is 3" in done.stdout
        assert "no signed head was compared" in done.stdout

    def test_names_the_first_entry_that_is_wrong(self, command: Command) -> None:
        command.tamper("UPDATE crosswalk.access_event SET actor = 'eve' WHERE number = 2")
        done = command("verify")
        assert done.returncode == BROKEN
        assert "entry 2: it is not what was recorded there" in done.stderr

    def test_compares_the_heads_of_the_site(self, signing: Command) -> None:
        signing("head")
        done = signing("verify")
        assert "1 signed heads agree, the newest of entry 3" in done.stdout
        signing.tamper("DELETE FROM crosswalk.access_event WHERE number > 1")
        done = signing("verify")
        assert done.returncode == BROKEN
        assert "entry 2: it is missing, as is all up to 3" in done.stderr

    def test_compares_a_head_that_was_kept_elsewhere_without_any_key(self, signing: Command) -> None:
        kept = signing.folder / "kept.json"
        kept.write_text(signing("head").stdout)
        for secret in ("audit.pem", "keyring.json"):
            (signing.folder / secret).unlink()
        del signing.environment["DICOMANON_KEYRING_FILE"]
        checked = ("verify", "--head", kept, "--public-key", signing.folder / "public.pem")
        assert signing(*checked).returncode == DONE
        kept.write_text(kept.read_text().replace('"number": 3', '"number": 2'))
        forged = signing(*checked)
        assert forged.returncode == FATAL
        assert "changed, or was signed with another key" in forged.stderr


class TestHead:
    def test_is_one_line_and_a_file(self, signing: Command) -> None:
        done = signing("head")
        (file,) = (signing.folder / "heads").iterdir()
        assert json.loads(done.stdout) == json.loads(file.read_text())
        assert json.loads(done.stdout)["number"] == 3

    def test_what_does_not_hold_is_not_signed(self, signing: Command) -> None:
        signing.tamper("UPDATE crosswalk.access_event SET actor = 'eve' WHERE number = 2")
        done = signing("head")
        assert done.returncode == FATAL
        assert "does not hold: entry 2" in done.stderr
        assert list((signing.folder / "heads").iterdir()) == []

    def test_without_a_key_says_what_to_set(self, command: Command) -> None:
        done = command("head")
        assert done.returncode == FATAL
        assert "DICOMANON_AUDIT_HEAD_DIR, DICOMANON_AUDIT_KEY_FILE" in done.stderr

    def test_a_key_is_never_overwritten(self, signing: Command) -> None:
        done = signing("key", "audit.pem")
        assert done.returncode == FATAL
        assert "never overwritten" in done.stderr


class TestExport:
    def test_one_audit_message_a_line(self, command: Command) -> None:
        done = command("export", "--format", "dicom", "--until", "2100-01-01")
        lines = done.stdout.splitlines()
        assert len(lines) == 4
        assert all(line.startswith("<AuditMessage>") and line.endswith("</AuditMessage>") for line in lines)
        assert "audit.export" in lines[-1]
        assert "Thistlemantle" not in done.stdout

    def test_one_audit_event_a_line_into_a_private_file(self, command: Command) -> None:
        file = command.folder / "events.ndjson"
        done = command(
            "export", "--format", "fhir", "--actor", "bob", "--into", file, DICOMANON_AUDIT_SOURCE="st-james"
        )
        assert "2 entries" in done.stderr
        events = [json.loads(line) for line in file.read_text().splitlines()]
        assert [event["subtype"][0]["code"] for event in events] == ["reidentify.show", "pixels.review"]
        assert {event["source"]["observer"]["identifier"]["value"] for event in events} == {"st-james"}
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert command("export", "--format", "fhir", "--into", file).returncode == FATAL
