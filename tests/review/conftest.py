"""A site where pictures wait for a person, and a browser's side of the page that shows them."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import JPEGBaseline8Bit
from starlette.testclient import TestClient
from tests.command import COMMAND
from tests.deidentify.pixels.pictures import Pixels, instance, slice_of_body, with_text
from tests.site import Run, Site, judge_by_counts, read

from dicomanon.crosswalk.database import Crosswalk
from dicomanon.pacs.endpoint import PacsEndpoint
from dicomanon.pacs.query import ClinicalPacs
from dicomanon.pipeline import validate
from dicomanon.profile import compile_profile, load_profile
from dicomanon.review.app import create_app
from dicomanon.review.door import Door
from dicomanon.review.looks import Looks
from dicomanon.settings import ClinicalSettings

PORT = 8765
HERE = f"http://127.0.0.1:{PORT}"
WHY = "to see what Sono Nine writes"
NAME = "Featherstone, Wilhelmina"
STUDIES = 3
PICTURES_EACH = 2


def banner(size: int = 128, text: str = NAME) -> Pixels:
    """Return a slice with a dark banner on top, and a name in it."""
    picture = slice_of_body(size=size).copy()
    picture[:24] = -1000
    return with_text(picture, text, at=(2, 16))


def source(study: int, number: int, frames: Any = None, **attributes: object) -> bytes:
    """Return an object of a patient of its own for each study."""
    study_uid = f"1.2.826.0.1.9.{study}"
    return instance(
        banner() if frames is None else frames,
        StudyInstanceUID=study_uid,
        SeriesInstanceUID=f"{study_uid}.1",
        SOPInstanceUID=f"{study_uid}.1.{number}",
        PatientID=f"MRN-77{study}",
        **attributes,
    )


def of_device(study: int, number: int, frames: Any = None, *, model: str = "Sono Nine") -> bytes:
    """Return a picture of a device that nobody has confirmed."""
    return source(study, number, frames, BurnedInAnnotation="YES", ManufacturerModelName=model)


def undecodable(study: int) -> bytes:
    """Return an object whose header contradicts itself about its bits; a PACS draws it all the same."""
    dataset = read(source(study, 1, slice_of_body(size=64).astype("uint8"), syntax=JPEGBaseline8Bit))
    dataset.HighBit = 3
    written = BytesIO()
    dataset.save_as(written)
    return written.getvalue()


@pytest.fixture(autouse=True)
def quick_verdicts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is judged, and how, is not what these tests are about."""
    monkeypatch.setattr(validate, "run_checkpoint", judge_by_counts)


@pytest.fixture
def waiting(site: Site) -> Site:
    """Six pictures of one device wait, in three studies, and one object that cannot be decoded."""
    site.begin(_held)
    return site


def _held(site: Site) -> None:
    pictures = [
        of_device(study, number, banner(text=f"{NAME} {study}{number}"))
        for study in range(STUDIES)
        for number in range(1, PICTURES_EACH + 1)
    ]
    site.load(*pictures, undecodable(7))
    Run().complete()
    assert sorted(site.states().values()) == ["held(unconfirmed-device)"] * 6 + ["held(undecodable-pixels)"] * 1


class Links(HTMLParser):
    """What a page leads to, shows and asks; paths begin after the part that is random."""

    def __init__(self, text: str, root: str) -> None:
        super().__init__()
        self.root = root
        self.links: list[str] = []
        self.pictures: list[str] = []
        self.fields: dict[str, str] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "a":
            self.links.append(values["href"].removeprefix(self.root))
        elif tag == "img":
            self.pictures.append(values["src"].removeprefix(self.root))
        elif tag == "input" and values.get("type") == "hidden":
            self.fields[values["name"]] = values["value"]


@dataclass
class Reviewer:
    """A person who has opened the printed address."""

    client: TestClient
    door: Door
    looks: Looks

    def page(self, path: str) -> Links:
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text
        return Links(answer.text, self.door.root)

    def text(self, path: str) -> str:
        return self.client.get(path).text

    def device(self) -> str:
        """Return the address of the one device."""
        return next(link for link in self.page("/").links if link.startswith("/devices/") and "?" not in link)

    def confirm(self, path: str, **fields: str) -> Any:
        proof = self.page(path).fields["proof"]
        return self.client.post(
            f"{path}/confirm", data={"proof": proof, **fields}, headers={"Origin": HERE}, follow_redirects=True
        )


Opening = Callable[..., Reviewer]


@pytest.fixture
def reviewing(site: Site) -> Iterator[Opening]:
    """Open the page as somebody, once it is known what is held; the PACS may be another than the site's."""
    with ExitStack() as stack:

        def opened(crosswalk: Crosswalk | None = None, **of_pacs: object) -> Reviewer:
            settings = ClinicalSettings.load()
            endpoint = PacsEndpoint.model_validate({**settings.clinical.model_dump(), **of_pacs})
            rows = crosswalk or stack.enter_context(site.crosswalk())
            clinical = stack.enter_context(ClinicalPacs(endpoint))
            door = Door(PORT)
            looks = Looks(rows, clinical, compile_profile(load_profile("research")), actor="reviewer", reason=WHY)
            client = TestClient(create_app(rows, looks, door, author="reviewer"), base_url=HERE + door.root)
            stack.enter_context(client)
            assert client.get(door.address).status_code == 200
            return Reviewer(client, door, looks)

        yield opened


@dataclass
class Served:
    """The command at work, as people start it, in a folder of its own."""

    process: subprocess.Popen[bytes]
    address: str
    folder: Path

    @property
    def home(self) -> str:
        return self.address.partition("/enter")[0]

    @property
    def root(self) -> str:
        return "/" + self.home.rpartition("/")[2]

    def end(self) -> tuple[str, str]:
        """Press Ctrl-C; return what else it said, if not into a file."""
        self.process.send_signal(signal.SIGINT)
        output, errors = self.process.communicate(timeout=20)
        return (output or b"").decode(), (errors or b"").decode()


@pytest.fixture
def served(waiting: Site, tmp_path: Path) -> Iterator[Served]:
    """``dicomanon pixels review``; whatever it takes for temporary or its own is below its folder."""
    folder = tmp_path / "reviewer"
    folder.mkdir()
    process = subprocess.Popen(
        [COMMAND, "pixels", "review", "--reason", WHY],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,  # else what comes right after the first line is read with it, and lost to communicate()
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder), "HOME": str(folder), "XDG_CACHE_HOME": str(folder)},
    )
    assert process.stdout is not None
    try:
        yield Served(process, process.stdout.readline().decode().strip(), folder)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=20)
