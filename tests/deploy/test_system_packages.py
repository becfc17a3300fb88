"""The script that installs system packages: quick when all is there, one clear line when it cannot help itself."""

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "deploy" / "system-packages.sh"

RUNTIME = ["python3-venv", "orthanc", "orthanc-dicomweb", "orthanc-gdcm", "libturbojpeg0"]
TESTING = [*RUNTIME, "redis-server", "postgresql", "docker-compose", "chromium"]

# What the script calls, apart from what a test takes away or puts in its place.
TOOLS = ["env", "sh", "sed", "grep", "head", "mktemp", "rm", "id", "dpkg-query", "apt-get"]


@pytest.fixture
def nothing_installed(tmp_path: Path) -> dict[str, str]:
    """An environment in which the real dpkg-query finds no package."""
    database = tmp_path / "dpkg"
    (database / "info").mkdir(parents=True)
    (database / "status").touch()
    for folder in (tmp_path, database, database / "info"):
        folder.chmod(0o755)
    return {"DPKG_ADMINDIR": str(database)}


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder with the script's tools, to be the whole PATH."""
    folder = tmp_path / "bin"
    folder.mkdir(mode=0o755)
    for name in TOOLS:
        real = shutil.which(name)
        assert real, name
        (folder / name).symlink_to(real)
    return folder


def replace(tools: Path, name: str, script: str) -> None:
    (tools / name).unlink(missing_ok=True)
    (tools / name).write_text(f"#!/bin/sh\n{script}\n")
    (tools / name).chmod(0o755)


def run(
    *arguments: str, environment: dict[str, str] | None = None, path: Path | str = os.environ["PATH"]
) -> subprocess.CompletedProcess[str]:
    bash = shutil.which("bash")
    assert bash
    return subprocess.run(
        [bash, SCRIPT, *arguments],
        env={"PATH": str(path)} | (environment or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def only_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert not done.stdout
    return lines[0]


def test_is_valid_bash_and_executable() -> None:
    assert subprocess.run(["bash", "-n", SCRIPT], check=False).returncode == 0
    assert os.access(SCRIPT, os.X_OK)


@pytest.mark.parametrize("which", ["runtime", "test"])
def test_says_nothing_and_is_quick_when_all_is_there(which: str) -> None:
    started = time.monotonic()
    done = run(which)
    seconds = time.monotonic() - started
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert seconds < 1 or seconds < 10 * _seconds_of_one_query()


def _seconds_of_one_query() -> float:
    """Measure what this machine takes for the one query that must be made, which is more than usual when it is busy."""
    started = time.monotonic()
    subprocess.run(["bash", "-c", "dpkg-query --show orthanc"], capture_output=True, check=False)
    return time.monotonic() - started


@pytest.mark.parametrize(("which", "expected"), [("runtime", RUNTIME), ("test", TESTING)])
def test_check_lists_what_is_missing_and_changes_nothing(
    which: str, expected: list[str], nothing_installed: dict[str, str], tools: Path
) -> None:
    replace(tools, "apt-get", "echo called >&2; exit 1")
    done = run("--check", which, environment=nothing_installed, path=tools)
    assert done.returncode == 1
    assert done.stdout.split() == expected
    assert not done.stderr


def test_check_lists_only_what_is_missing(nothing_installed: dict[str, str]) -> None:
    Path(nothing_installed["DPKG_ADMINDIR"], "status").write_text(
        "Package: orthanc\nStatus: install ok installed\nVersion: 1.10.1\nArchitecture: amd64\nMaintainer: nobody\n\n"
        # Removed, its configuration left behind: not installed.
        "Package: orthanc-gdcm\nStatus: deinstall ok config-files\nVersion: 1\nArchitecture: all\nMaintainer: nobody\n"
    )
    done = run("--check", environment=nothing_installed)
    assert done.stdout.split() == ["python3-venv", "orthanc-dicomweb", "orthanc-gdcm", "libturbojpeg0"]


def test_without_root_and_sudo_says_what_to_run(nothing_installed: dict[str, str], tools: Path) -> None:
    replace(tools, "id", "echo 1000")
    done = run("test", environment=nothing_installed, path=tools)
    assert done.returncode == 3
    line = only_line(done)
    command = f"apt-get update && apt-get install -y --no-install-recommends {' '.join(TESTING)}"
    assert line.endswith(f"as root, run: {command}")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_real_user_without_privileges_is_told_the_same(nothing_installed: dict[str, str]) -> None:
    # The repository may be where nobody else can look: the script comes in by standard input.
    done = subprocess.run(
        ["bash", "-s", "runtime"],
        env={"PATH": os.environ["PATH"]} | nothing_installed,
        input=SCRIPT.read_text(),
        user="nobody",
        group="nogroup",
        extra_groups=[],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert only_line(done).startswith("system-packages: missing: python3-venv orthanc")


@pytest.mark.parametrize("absent", ["dpkg-query", "apt-get"])
def test_elsewhere_than_on_debian_says_what_is_needed(absent: str, tools: Path) -> None:
    (tools / absent).unlink()
    done = run("test", path=tools)
    assert done.returncode == 4
    line = only_line(done)
    for needed in ("not a Debian system", "Python 3.11", "Orthanc", "DICOMweb", "GDCM", "redis-server"):
        assert needed in line


def test_as_root_installs_what_is_missing_and_no_more(
    nothing_installed: dict[str, str], tools: Path, tmp_path: Path
) -> None:
    replace(tools, "id", "echo 0")
    replace(tools, "apt-get", f'echo "$DEBIAN_FRONTEND $*" >> {tmp_path}/calls')
    # It stops a service by the name of its program: whatever else runs that program here would stop with it.
    replace(tools, "sh", f'echo "$*" >> {tmp_path}/stopped')
    done = run(environment=nothing_installed, path=tools)
    calls = (tmp_path / "calls").read_text().splitlines()
    assert [call.split()[0] for call in calls] == ["noninteractive"] * 2
    assert calls[0].endswith(" update")
    assert calls[1].endswith(f" install -y --no-install-recommends {' '.join(RUNTIME)}")
    if not Path("/run/systemd/system").is_dir():
        assert "service 'orthanc' stop" in (tmp_path / "stopped").read_text()
    # apt-get claimed success, and nothing is there.
    assert done.returncode == 5
    assert "yet still missing" in done.stderr


def test_with_sudo_that_asks_for_no_password_installs_through_it(
    nothing_installed: dict[str, str], tools: Path, tmp_path: Path
) -> None:
    replace(tools, "id", "echo 1000")
    replace(tools, "sudo", f'echo "$*" >> {tmp_path}/calls; shift; case "$1" in env) exit 100;; esac')
    done = run(environment=nothing_installed, path=tools)
    assert done.returncode == 5
    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls[0] == "-n true"
    assert re.match(r"-n env DEBIAN_FRONTEND=noninteractive .*apt-get .* update$", calls[1])


def test_failure_of_apt_is_one_line_with_its_reason(
    nothing_installed: dict[str, str], tools: Path, tmp_path: Path
) -> None:
    replace(tools, "id", "echo 0")
    reason = "You don't have enough free space in /var/cache/apt/archives/."
    replace(tools, "apt-get", f"""case "$*" in *install*) echo Reading...; echo "E: {reason}" >&2; exit 100;; esac""")
    done = run(environment=nothing_installed | {"TMPDIR": str(tmp_path)}, path=tools)
    assert done.returncode == 5
    announced, failed = done.stderr.splitlines()
    assert announced == f"system-packages: installing {' '.join(RUNTIME)}"
    log = re.fullmatch(
        rf"system-packages: apt-get install failed \(exit 100\): {re.escape(reason)}; its output is in (\S+)", failed
    )
    assert log
    assert "Reading..." in Path(log[1]).read_text()


def test_only_services_that_were_just_installed_are_stopped() -> None:
    services = re.search(r"^SERVICES=\((.*)\)$", SCRIPT.read_text(), re.MULTILINE)
    assert services
    assert set(services[1].split()) <= set(TESTING)


@pytest.mark.parametrize("arguments", [["--bogus"], ["everything"]])
def test_wrong_usage_shows_the_usage(arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert "deploy/system-packages.sh [--check] [runtime|test]" in done.stderr
