"""The command as people start it: on this machine alone, for as long as it runs, and without a file."""

import os
import resource
import subprocess
from pathlib import Path

import psutil
import pytest
import requests
from tests.command import COMMAND, dicomanon
from tests.review.conftest import NAME, WHY, Links, Served
from tests.site import Site

from dicomanon.console import DONE, FATAL
from dicomanon.errors import Fatal
from dicomanon.review.serving import bound

WRONG_LINE = 2


@pytest.fixture
def browser() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    return session


def files(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def pictures(served: Served, browser: requests.Session) -> list[str]:
    assert browser.get(served.address, timeout=60).status_code == 200
    return Links(browser.get(f"{served.home}/", timeout=60).text, served.root).pictures


def test_answers_on_this_machine_alone_and_says_what_it_does(served: Served) -> None:
    listening = [each for each in psutil.Process(served.process.pid).net_connections() if each.status == "LISTEN"]
    assert [each.laddr.ip for each in listening] == ["127.0.0.1"]
    assert served.address.startswith(f"http://127.0.0.1:{listening[0].laddr.port}{served.root}/enter?token=")


def test_shows_pictures_and_writes_no_file_for_the_kernel_lets_it_write_none(
    waiting: Site, served: Served, browser: requests.Session
) -> None:
    before = files(waiting.folder)
    wanted = pictures(served, browser)
    for path in (wanted[0], wanted[-1]):
        assert browser.get(served.home + path, timeout=60).content.startswith(b"\x89PNG")
    process = psutil.Process(served.process.pid)
    assert process.rlimit(resource.RLIMIT_FSIZE) == (0, 0)
    assert process.rlimit(resource.RLIMIT_CORE) == (0, 0)
    assert files(waiting.folder) == before
    assert [each for each in process.open_files() if each.mode != "r"] == []
    assert waiting.rows("SELECT count(*) FROM crosswalk.access_event WHERE action = 'pixels.review'") == [(2,)]


def test_what_it_shows_is_not_in_its_output(served: Served, browser: requests.Session) -> None:
    wanted = pictures(served, browser)
    browser.get(served.home + wanted[0], timeout=60)
    browser.get(f"{served.home}/held/nothing", timeout=60)
    output, errors = served.end()
    assert served.process.returncode == DONE
    assert "every picture is recorded as seen by" in output
    assert len(output.splitlines()) == 1
    assert errors == ""
    assert NAME not in output


def test_ends_with_ctrl_c_while_a_browser_is_connected(served: Served, browser: requests.Session) -> None:
    pictures(served, browser)
    served.end()
    assert served.process.returncode == DONE
    with pytest.raises(requests.ConnectionError):
        browser.get(f"{served.home}/", timeout=5)


def test_ends_with_ctrl_c_while_the_pacs_is_silent(
    waiting: Site, browser: requests.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    with bound(0) as silent:
        monkeypatch.setenv("DICOMANON_CLINICAL__URL", f"http://127.0.0.1:{silent.getsockname()[1]}/dicom-web")
        command = [COMMAND, "pixels", "review", "--reason", WHY]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
        assert process.stdout is not None
        served = Served(process, process.stdout.readline().decode().strip(), Path())
        wanted = pictures(served, browser)
        with pytest.raises(requests.RequestException):
            browser.get(served.home + wanted[0], timeout=2)
        served.end()
    assert process.returncode == DONE


def test_its_output_may_go_into_a_file(waiting: Site, tmp_path: Path, browser: requests.Session) -> None:
    said = tmp_path / "said.txt"
    with (
        said.open("w") as file,
        subprocess.Popen([COMMAND, "pixels", "review", "--reason", WHY], stdout=file, stderr=file) as process,
    ):
        while "Ctrl-C" not in said.read_text():
            assert process.poll() is None
        served = Served(process, said.read_text().split()[0], tmp_path)
        pictures(served, browser)
        served.end()
    assert process.returncode == DONE


def test_a_port_that_is_taken_is_said(waiting: Site) -> None:
    with bound(0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Fatal, match=f"port {port} cannot be had .*: choose another with --port"):
            bound(port)
        done = review("--reason", "x", "--port", str(port))
    assert done.returncode == FATAL
    assert "choose another with --port" in done.stderr


def test_refused_without_a_reason(site: Site) -> None:
    assert review("--reason", " ").returncode == WRONG_LINE
    assert review().returncode == WRONG_LINE


def test_refused_without_a_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("DICOMANON_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DICOMANON_STATE_DIR", str(tmp_path))
    done = review("--reason", "x")
    assert done.returncode == FATAL
    assert "Traceback" not in done.stderr


def review(*arguments: str) -> subprocess.CompletedProcess[str]:
    return dicomanon("pixels", "review", *arguments)
