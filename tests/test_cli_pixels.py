"""``dicomanon pixels`` as people run it: devices are listed and confirmed, fixtures added and checked."""

import json
import os
import pwd
import stat
import subprocess
from pathlib import Path

import pytest
from tests.command import dicomanon
from tests.deidentify.pixels.pictures import instance, slice_of_body, with_text
from tests.site import Site, ct, encoded, study

from dicomanon.console import DONE, FATAL, PARTLY

WRONG_LINE = 2
ME = pwd.getpwuid(os.getuid()).pw_name
OF = study("devices")


def run(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return dicomanon("pixels", *arguments, cwd=cwd)


@pytest.fixture
def waiting(site: Site) -> Site:
    """A site where an instance waits for its device."""
    site.begin(_held)
    return site


def _held(site: Site) -> None:
    dataset = ct(OF)
    dataset.BurnedInAnnotation = "YES"
    dataset.ManufacturerModelName = "Scanner Nine"
    site.ingest(encoded(dataset))
    assert set(site.states().values()) == {"held(unconfirmed-device)"}


def device() -> dict[str, object]:
    (row,) = json.loads(run("devices", "--json").stdout)
    assert isinstance(row, dict)
    return row


class TestDevices:
    def test_tells_the_device_and_what_waits(self, waiting: Site) -> None:
        shown = run("devices").stdout
        assert "SCANNER NINE" in shown
        assert "unconfirmed; 1 instances of 1 studies, 1 waiting" in shown
        row = device()
        assert (row["model"], row["waiting"], row["state"]) == ("SCANNER NINE", 1, "unconfirmed")

    def test_says_so_where_there_is_none(self, site: Site) -> None:
        assert "no device" in run("devices").stdout


class TestConfirm:
    def test_clean_queues_again_and_is_signed(self, waiting: Site) -> None:
        begin = str(device()["id"])[:8]
        done = run("confirm", begin, "--as", "clean", "--reason", "looked at ten of them")
        assert done.returncode == DONE
        assert "1 instances are queued again" in done.stdout
        assert set(waiting.states().values()) == {"discovered"}
        assert f"clean by {ME}" in run("devices").stdout
        assert "no device waits" in run("devices", "--unconfirmed").stdout

    def test_mask_takes_boxes(self, waiting: Site) -> None:
        done = run(
            "confirm",
            str(device()["id"]),
            "--as",
            "mask",
            "--box",
            "0,0,32,4",
            "--box",
            "1,2,3,4",
            "--reason",
            "banner",
        )
        assert done.returncode == DONE
        assert device()["confirmations"][0]["boxes"] == [[0, 0, 32, 4], [1, 2, 3, 4]]  # type: ignore[index]

    def test_hold_holds(self, waiting: Site) -> None:
        done = run("confirm", str(device()["id"]), "--as", "hold", "--reason", "names all over")
        assert "1 instances stay held" in done.stdout
        assert set(waiting.states().values()) == {"held(unconfirmed-device)"}

    @pytest.mark.parametrize(
        ("arguments", "code"),
        [
            (("ffffffffffff", "--as", "clean", "--reason", "x"), FATAL),
            (("", "--as", "clean", "--reason", "x"), FATAL),
            (("ID", "--as", "clean", "--reason", " "), FATAL),
            (("ID", "--as", "mask", "--reason", "x"), FATAL),
            (("ID", "--as", "mask", "--box", "1,2,3", "--reason", "x"), WRONG_LINE),
            (("ID", "--as", "mask", "--box", "1,2,3,-4", "--reason", "x"), WRONG_LINE),
            (("ID", "--as", "perhaps", "--reason", "x"), WRONG_LINE),
        ],
        ids=str,
    )
    def test_refused_without_leaving_anything(self, waiting: Site, arguments: tuple[str, ...], code: int) -> None:
        row = device()
        done = run("confirm", *(str(row["id"]) if word == "ID" else word for word in arguments))
        assert done.returncode == code
        assert device() == row


class TestFixtures:
    def test_added_and_met(self, tmp_path: Path) -> None:
        (tmp_path / "one.dcm").write_bytes(encoded(ct(OF)))
        done = run("fixtures", "add", "one.dcm", "--into", "own.jsonl", cwd=tmp_path)
        assert done.returncode == DONE
        assert "1 added, 0 there already" in done.stdout
        done = run("fixtures", "check", "--file", "own.jsonl", cwd=tmp_path)
        assert (done.returncode, done.stdout.strip()) == (DONE, "1 of 1 fixtures are met")

    def test_one_that_is_not_met_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "one.dcm").write_bytes(encoded(ct(OF)))
        run("fixtures", "add", "one.dcm", cwd=tmp_path)
        file = tmp_path / "device_fixtures.jsonl"
        file.write_text(file.read_text().replace('"path": "clean"', '"path": "mask"'))
        done = run("fixtures", "check", cwd=tmp_path)
        assert done.returncode == PARTLY
        assert "was mask, risk low; is clean, risk low" in done.stderr

    def test_refused_where_a_device_fact_names_a_patient(self, tmp_path: Path) -> None:
        dataset = ct(OF)
        dataset.ManufacturerModelName = str(dataset.PatientName).split("^")[0]
        (tmp_path / "one.dcm").write_bytes(encoded(dataset))
        done = run("fixtures", "add", "one.dcm", cwd=tmp_path)
        assert done.returncode == FATAL
        assert dataset.ManufacturerModelName not in done.stderr
        assert not (tmp_path / "device_fixtures.jsonl").exists()


class TestCheck:
    @pytest.fixture(autouse=True)
    def no_site(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("DICOMANON_STATE_DIR", str(tmp_path / "no-stack"))
        for name in [name for name in os.environ if name.startswith("DICOMANON_CROSSWALK_")]:
            monkeypatch.delenv(name)

    def test_shows_decision_and_text_and_a_picture_for_whom_asks(self, tmp_path: Path) -> None:
        file = tmp_path / "image.dcm"
        file.write_bytes(instance(with_text(slice_of_body(), "Featherstone, Wilhelmina")))
        report = json.loads(run("check", file, "--json", "--pictures", tmp_path / "shown").stdout)[str(file)]
        assert (report["decision"], report["face"]) == ("clean", "no-face")
        assert [text["class"] for text in report["texts"]] == ["identifying"]
        assert len(report["regions"]) == 1
        picture = Path(report["picture"])
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert stat.S_IMODE(picture.stat().st_mode) == 0o600

    def test_says_no_word_of_what_it_read(self, tmp_path: Path) -> None:
        file = tmp_path / "image.dcm"
        file.write_bytes(instance(with_text(slice_of_body(), "Featherstone, Wilhelmina")))
        done = run("check", file)
        assert done.returncode == DONE
        assert "featherstone" not in (done.stdout + done.stderr).lower()
        assert sorted(path.name for path in tmp_path.iterdir()) == ["image.dcm"]

    def test_says_why_a_file_would_be_held(self, tmp_path: Path) -> None:
        file = tmp_path / "notes.txt"
        file.write_text("not DICOM")
        assert "unreadable" in run("check", file).stdout
