"""The command as people run it: it teaches, says what to set right, keeps its exit codes, and echoes no value."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from socket import socket

import pytest
from tests.command import COMMAND, dicomanon, without_settings

from dicomanon import __version__
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.local_stack import processes
from dicomanon.local_stack.config import Ports, StackConfig

DONE, WRONG_LINE, FATAL, TRY_AGAIN = 0, 2, 3, 4
SECRET = "Wolkenstein"
NOWHERE = "postgresql://crosswalk:swordfish@127.0.0.1:1/crosswalk"


class Command:
    """Runs ``dicomanon`` in an environment that names no site and no state folder but an empty one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.environment = without_settings() | {"DICOMANON_STATE_DIR": str(self.state)}

    def __call__(self, *arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        done = dicomanon(*arguments, environment=self.environment | variables, cwd=self.folder)
        assert SECRET not in done.stdout + done.stderr
        return done


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command(tmp_path)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / f"{SECRET}.dcm").write_bytes(b"not DICOM")
    return folder


@pytest.fixture
def elsewhere(tmp_path: Path) -> dict[str, str]:
    """Variables of a site whose database nobody answers for."""
    keys = tmp_path / "keyring.json"
    Keyring.generate(keys)
    return {"DICOMANON_CROSSWALK_DSN": NOWHERE, "DICOMANON_KEYRING_FILE": str(keys)}


def one_line(text: str) -> str:
    (line,) = text.strip().splitlines()
    return line


# -- it teaches -------------------------------------------------------------------------------------------------------


def test_help_names_every_verb_and_the_exit_codes(command: Command) -> None:
    done = command("--help")
    assert done.returncode == DONE
    for verb in (
        "demo",
        "status",
        "load",
        "trigger",
        "trace",
        "deidentify",
        "migrate",
        "stack",
        "crosswalk",
        "profile",
        "lineage",
    ):
        assert f"\n  {verb} " in done.stdout
    told = " ".join(done.stdout.split())
    assert "Exit codes: 0 done; 1 done, but" in told
    assert "4 a server did not answer" in told


def test_the_program_itself(command: Command) -> None:
    done = subprocess.run([COMMAND, "trace"], env=command.environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (WRONG_LINE, "")
    assert "Try 'dicomanon trace --help'" in done.stderr
    done = subprocess.run([COMMAND, "trace", "x"], env=command.environment, capture_output=True, text=True, check=False)
    assert done.returncode == FATAL
    assert one_line(done.stderr).startswith("error: no local stack here")


def test_help_is_shown_where_nothing_is_asked(command: Command) -> None:
    done = command()
    assert done.returncode == WRONG_LINE
    assert "Commands:" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        (("load",), ("FOLDER", "folder")),
        (("trigger",), ("--conf", "--wait", "JSON")),
        (("trace",), ("pseudonym", "--json", "--graph", "--limit", "--full", "DAG run")),
        (("lineage", "load"), ("damaged.jsonl", "never arrived")),
        (("deidentify",), ("--profile", "--jobs", "--uid-map", "--patient-map", "--report", "PHI")),
        (("crosswalk", "export"), ("--uid-map", "--patient-map", "--reason", "audited")),
        (("stack", "clean"), ("keys",)),
        (("profile",), ("NAME@HASH", "list", "show", "check", "explain", "diff", "preview", "publish", "approve")),
        (("profile", "diff"), ("PROFILE", "Exit code 0: the same; 1: they differ")),
    ],
)
def test_each_verb_explains_itself(command: Command, verb: tuple[str, ...], words: tuple[str, ...]) -> None:
    done = command(*verb, "--help")
    assert done.returncode == DONE
    assert any(word in done.stdout for word in words[:2])
    assert all(word in done.stdout for word in words[2:])


def test_version(command: Command) -> None:
    done = command("--version")
    assert (done.returncode, done.stdout) == (DONE, f"dicomanon {__version__}\n")


# -- wrong command lines ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("conf", "said"),
    [
        (f'{{"patient_ids": ["{SECRET}"', "not JSON (at character"),
        (f'["{SECRET}"]', "a JSON object is needed"),
        (f'"{SECRET}"', "a JSON object is needed"),
    ],
)
def test_conf_that_is_no_json_object_is_a_wrong_line(command: Command, conf: str, said: str) -> None:
    done = command("trigger", "cohort_extraction", "--conf", conf)
    assert done.returncode == WRONG_LINE
    assert said in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("trace",),
        ("load", "/nowhere/at/all"),
        ("deidentify", "/nowhere/at/all", "out"),
        ("deidentify", ".", "out", "--jobs", "0"),
        ("crosswalk", "export", "--uid-map", "u.csv", "--patient-map", "p.csv"),
    ],
)
def test_wrong_lines_have_their_exit_code(command: Command, arguments: tuple[str, ...]) -> None:
    done = command(*arguments)
    assert done.returncode == WRONG_LINE
    assert "Try 'dicomanon" in done.stderr
    assert not command.state.exists()


# -- no stack, or one that does not run -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ("status",),
        ("status", "--json"),
        ("trace", SECRET),
        ("lineage", "load"),
        ("load", "."),
        ("migrate",),
        ("trigger", "ingest_studies"),
        ("crosswalk", "export", "--uid-map", "u.csv", "--patient-map", "p.csv", "--reason", SECRET),
    ],
)
def test_without_a_stack_it_says_how_to_get_one_and_does_nothing(command: Command, arguments: tuple[str, ...]) -> None:
    done = command(*arguments)
    assert done.returncode == FATAL
    assert done.stdout == ""
    assert one_line(done.stderr).startswith("error: no local stack here: start one with `make demo`")
    assert [path.name for path in command.folder.iterdir()] == []


@pytest.mark.parametrize("verb", ["down", "clean"])
def test_stopping_what_is_not_there_is_done(command: Command, verb: str) -> None:
    assert command("stack", verb).returncode == DONE


def test_a_half_configured_site_is_told_which_variables_are_missing(
    command: Command, elsewhere: dict[str, str]
) -> None:
    done = command("status", **elsewhere, DICOMANON_CLINICAL__URL=f"ftp://{SECRET}")
    assert done.returncode == FATAL
    line = one_line(done.stderr)
    assert "DICOMANON_STAGING_DIR" in line
    assert "DICOMANON_CLINICAL" in line


def test_a_database_that_does_not_answer_is_worth_another_try(command: Command, elsewhere: dict[str, str]) -> None:
    done = command("migrate", **elsewhere)
    assert done.returncode == TRY_AGAIN
    assert "the crosswalk database cannot be reached" in one_line(done.stderr)
    assert "swordfish" not in done.stderr


@pytest.fixture
def stopped(command: Command) -> Iterator[Command]:
    """A command whose local stack was made once and does not run."""
    ports = {f"DICOMANON_{name.upper()}_PORT": "0" for name in Ports.model_fields}
    program = "from dicomanon.local_stack.config import StackConfig; StackConfig.load_or_create()"
    subprocess.run([sys.executable, "-c", program], env=command.environment | ports, check=True)
    yield command
    command("stack", "clean")


def test_a_stopped_stack_says_how_to_start_it(stopped: Command) -> None:
    keys = stopped.state / "keys"
    keys.mkdir(mode=0o700)
    Keyring.generate(keys / "keyring.json")
    for arguments in (("status",), ("trace", "2.25.1"), ("trigger", "ingest_studies")):
        done = stopped(*arguments)
        assert done.returncode == TRY_AGAIN
        assert one_line(done.stderr).endswith("start it with `make demo` or `dicomanon stack up`")


def test_a_login_that_the_stack_does_not_have_is_refused(stopped: Command) -> None:
    done = stopped("trigger", "ingest_studies", "--login", SECRET)
    assert done.returncode == FATAL
    assert "engineer, researcher, admin" in one_line(done.stderr)


def test_every_start_takes_the_settings_of_the_shell_over(stopped: Command) -> None:
    ports = StackConfig.model_validate_json((stopped.state / "stack.json").read_text()).ports
    with socket() as database, socket() as pacs:
        for taken, port in ((database, ports.postgres), (pacs, ports.clinical_pacs)):
            taken.bind(("127.0.0.1", port))
            taken.listen()
        for profile in ("strict", "full-dates"):
            assert stopped("stack", "up", DICOMANON_PROFILE=profile).returncode == FATAL
            stored = StackConfig.model_validate_json((stopped.state / "stack.json").read_text())
            assert stored.choices["DICOMANON_PROFILE"] == profile


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("DICOMANON_PROFILE", "reserch", "no profile 'reserch'; shipped are"),
        ("DICOMANON_PROFILE", "", "no profile ''; shipped are"),
        ("DICOMANON_PROFILE_APPROVALS", "many", "must be a number from 1 to 9"),
    ],
)
def test_a_profile_that_cannot_be_used_is_refused_before_anything_starts(
    stopped: Command, name: str, value: str, said: str
) -> None:
    done = stopped("stack", "up", **{name: value})
    assert done.returncode == FATAL
    assert said in one_line(done.stderr)
    assert sorted(path.name for path in stopped.state.iterdir()) == ["stack.json"]
    assert StackConfig.model_validate_json((stopped.state / "stack.json").read_text()).choices == {}


def test_a_running_stack_refuses_other_settings(stopped: Command) -> None:
    processes.start_detached(stopped.state / "logs", "scheduler", ["sleep", "600"])
    try:
        done = stopped("stack", "up", DICOMANON_PROFILE="strict")
    finally:
        processes.stop(stopped.state / "logs", "scheduler")
    assert done.returncode == FATAL
    assert "another DICOMANON_PROFILE" in one_line(done.stderr)
    assert "make down" in one_line(done.stderr)


def test_a_command_refuses_settings_that_the_tasks_do_not_have(stopped: Command) -> None:
    done = stopped("profile", "list", DICOMANON_PROFILE_APPROVALS="2")
    assert done.returncode == FATAL
    assert "another DICOMANON_PROFILE_APPROVALS" in one_line(done.stderr)
    assert done.stdout == ""


def test_a_profile_file_may_be_named_from_where_you_are(stopped: Command) -> None:
    file = stopped.folder / "site.yaml"
    file.write_text(stopped("profile", "show", "research", "--yaml").stdout.replace("name: research", "name: site"))
    stored = stopped.state / "stack.json"
    config = StackConfig.model_validate_json(stored.read_text())
    stored.write_text(config.model_copy(update={"choices": {"DICOMANON_PROFILE": str(file)}}).model_dump_json())
    done = stopped("profile", "explain", "PixelData", DICOMANON_PROFILE="site.yaml")
    assert (done.returncode, done.stderr) == (DONE, "")
    assert "site@" in done.stdout


def test_a_damaged_stack_file_is_not_shown(stopped: Command) -> None:
    file = stopped.state / "stack.json"
    file.write_text(json.dumps({"ports": {"airflow": SECRET}}))
    done = stopped("status")
    assert done.returncode == FATAL
    assert "stack.json is damaged" in one_line(done.stderr)
    file.unlink()


# -- folders ----------------------------------------------------------------------------------------------------------


def test_destination_inside_the_source_is_refused(command: Command, source: Path, elsewhere: dict[str, str]) -> None:
    done = command("deidentify", source, source / "out", **elsewhere)
    assert done.returncode == FATAL
    assert "inside the source" in one_line(done.stderr)
    assert not (source / "out").exists()


def test_destination_that_is_not_empty_is_refused(command: Command, source: Path, elsewhere: dict[str, str]) -> None:
    target = command.folder / "results"
    target.mkdir()
    (target / "older.dcm").touch()
    done = command("deidentify", source, target, **elsewhere)
    assert done.returncode == FATAL
    assert "not empty" in one_line(done.stderr)
    assert [path.name for path in target.iterdir()] == ["older.dcm"]


@pytest.mark.parametrize("destination", ["/proc/x", "/dev/null/x"])
def test_destination_that_cannot_be_made_is_refused(
    command: Command, source: Path, elsewhere: dict[str, str], destination: str
) -> None:
    done = command("deidentify", source, destination, **elsewhere)
    assert done.returncode == FATAL
    assert one_line(done.stderr).startswith("error: the destination cannot be made: ")


def test_destination_that_can_be_made_is_not_left_behind_by_a_refusal(
    command: Command, source: Path, elsewhere: dict[str, str]
) -> None:
    done = command("deidentify", source, "results/of/today", **elsewhere)
    assert done.returncode == TRY_AGAIN
    assert not (command.folder / "results").exists()


def test_source_without_a_file_is_refused(command: Command, elsewhere: dict[str, str]) -> None:
    (command.folder / "source" / "inner").mkdir(parents=True)
    done = command("deidentify", "source", "results", **elsewhere)
    assert done.returncode == FATAL
    assert one_line(done.stderr).startswith("error: no files in SOURCE")
    assert not (command.folder / "results").exists()


@pytest.mark.parametrize("profile", ["reserch", "nowhere.yaml"])
def test_unknown_profile_is_refused_with_those_that_are_shipped(
    command: Command, source: Path, elsewhere: dict[str, str], profile: str
) -> None:
    done = command("deidentify", source, "results", "--profile", profile, **elsewhere)
    assert done.returncode == FATAL
    assert "research, strict" in one_line(done.stderr)
    assert not (command.folder / "results").exists()


def test_profile_that_claims_for_all_what_objects_claim_is_refused(
    command: Command, source: Path, elsewhere: dict[str, str]
) -> None:
    profile = command.folder / "own.yaml"
    profile.write_text("name: own\ntitle: Own\nwhen_to_use: never\noptions: [clean-recognizable-visual-features]\n")
    done = command("deidentify", source, "results", "--profile", profile, **elsewhere)
    assert done.returncode == FATAL
    assert "options" in done.stderr
    assert not (command.folder / "results").exists()
