"""Our engine against the de-identifiers that others use, over the same files in one run: time, memory, what is left.

Every contender reads files from disk and writes files to disk, one core, one process. Start-up is taken out for all in
the same way: Python contenders do another object of the same kind before the clock starts; from a call of a
command-line tool over a folder, a call over a folder with this object is subtracted. The peers of Python live in
an environment of their own below the cache folder, made at the first run; gdcmanon and dcmodify come from the system.

    python bench/deidentify.py [--repeats 3] [--limit 60] [--folder DIR] [--only NAME ...] [--quick]
"""

import argparse
import csv
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path

import pydicom
from rich.console import Console
from rich.table import Table

import dicomanon.standard
import objects
from dicomanon.sample.planted import Planted

WORKER = Path(__file__).with_name("deidentify_worker.py")
PYTHON_PEERS = ("dicom-anonymizer", "deid")
OURS = ("dicomanon-research", "dicomanon-strict")
# A parent's memory counts as its child's peak until the child replaces it: so a small one starts the tools.
LAUNCHER = (
    "import json, resource, subprocess, sys, time; started = time.perf_counter()\n"
    "code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, close_fds=False)\n"
    "seconds, used = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)\n"
    "print(json.dumps({'seconds': seconds, 'peak': used.ru_maxrss * 1024, 'code': code}))"
)
ONCE_IF_SLOWER_THAN = 10.0
START_UP = 10.0
"""Seconds that a contender may take before the clock starts."""
WANTED_MEMORY = 1.2
WANTED_AGAINST_GDCMANON = 1.5
# Where time per frame or item still counts as the same: caches of the processor end somewhere.
LINEAR = 1.5


@dataclass(frozen=True)
class Case:
    """Files to de-identify, a small one of the same kind, and one alone to measure memory on."""

    name: str
    warm_up: Path
    source: Path
    one: Path
    units: int = 0
    """Frames or content items, where the case is one of a row of sizes."""
    counted: bool = True
    """Whether to count what is left in the output."""


@dataclass(frozen=True)
class Run:
    """What one call took: seconds per instance, and bytes beyond the start-up."""

    seconds: float
    memory: int


@dataclass
class Measured:
    """All of one contender on one case; ``extra`` is the memory beyond the process and the object."""

    seconds: list[float] = field(default_factory=list)
    extra: int | None = None
    left: int | None = None
    problem: str = ""


def build(folder: Path, *, quick: bool) -> list[Case]:
    """Write all objects; the same bytes at every run."""

    def made(name: str, write: Callable[[Path, int], None], count: int) -> Path:
        write(folder / name, count)
        return folder / name

    ct, dx = (40, 4) if quick else (400, 20)
    small_ct = made("ct-1", objects.write_ct, 1)
    small_dx = made("dx-1", objects.write_dx, 1)
    cases = [
        Case(f"{ct} CT of 0.5 MB", small_ct, made("ct", objects.write_ct, ct), small_ct),
        Case(f"{dx} DX of 20 MB", small_ct, made("dx", objects.write_dx, dx), small_dx),
    ]
    small = made("frames-4", objects.write_multi_frame, 4)
    for frames in (500, 1000, 2000, 4000):
        source = made(f"frames-{frames}", objects.write_multi_frame, frames)
        cases.append(Case(f"{frames} frames", small, source, source, frames, counted=frames == 500))
    # Another report than those that follow, and as long: what a process keeps of words and texts, which does not grow
    # with the report, is then as it is in one that is at work.
    small = made("items-other", partial(objects.write_report, first=10_000), 1250)
    for count in (1250, 2500, 5000, 10000):
        source = made(f"items-{count}", objects.write_report, count)
        cases.append(Case(f"SR, {count} items", small, source, source, count, counted=count == 1250))
    return cases


def peers_python() -> Path:
    """Return the interpreter that has the peers, made once; never the project's own environment."""
    cache_folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "dicomanon-bench"
    python = cache_folder / "bin" / "python"
    if not python.exists():
        venv.create(cache_folder, with_pip=True, clear=True)
    # The latest of each, whatever the cache has; offline, what it has must do.
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade"]
    if subprocess.run([*install, *PYTHON_PEERS], check=False).returncode:
        print("the peers could not be brought up to date", file=sys.stderr)
    return python


def versions(python: Path) -> str:
    shown = []
    for name in PYTHON_PEERS:
        code = f"from importlib.metadata import version; print(version({name!r}))"
        done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=False)
        shown.append(f"{name} {done.stdout.strip() or 'missing'}")
    for tool in ("gdcmanon", "dcmodify"):
        if shutil.which(tool):
            told = subprocess.run([tool, "--version"], capture_output=True, text=True, check=False)
            number = re.search(r"\d+\.\d+\.\d+", told.stdout + told.stderr)
            shown.append(f"{tool} {number[0] if number else ''}")
    return ", ".join(shown)


class PythonContender:
    """Ours, or a peer that is a Python package: ``deidentify_worker.py`` in a process of its own."""

    def __init__(self, name: str, python: Path) -> None:
        self.name = name
        self._python = python

    def missing(self) -> str:
        return ""

    def run(self, warm_up: Path, source: Path, destination: Path, limit: float) -> Run:
        command = [str(self._python), str(WORKER), self.name, str(warm_up), str(source), str(destination), str(limit)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=limit + START_UP)
        if done.returncode:
            raise RuntimeError(done.stderr.strip().splitlines()[-1])
        told = json.loads(done.stdout)
        if told["refused"]:
            raise RuntimeError(f"{told['refused']} not released: {done.stderr.strip().splitlines()[-1]}")
        return Run(told["seconds"] / told["done"], told["peak"] - told["before"])


class Tool:
    """A command-line tool that takes a whole folder in one call."""

    def __init__(
        self, name: str, package: str, command: Callable[[Path, Path], Sequence[str]], *, copies: bool
    ) -> None:
        self.name = name
        self._package = package
        self._command = command
        self._copies = copies
        """Whether it changes files where they are: they are copied first, and the copy is not counted."""

    def missing(self) -> str:
        return "" if shutil.which(self.name) else f"not installed: apt-get install {self._package}"

    def run(self, warm_up: Path, source: Path, destination: Path, limit: float) -> Run:
        before = self._call(warm_up, destination, limit)
        whole = self._call(source, destination, limit)
        files = len(list(source.iterdir()))
        # The start-up had the small object in its memory already.
        memory = whole["peak"] - before["peak"] + size_of(warm_up)
        return Run((whole["seconds"] - before["seconds"]) / files, int(memory))

    def _call(self, source: Path, destination: Path, limit: float) -> dict[str, float]:
        if self._copies:
            for path in source.iterdir():
                shutil.copyfile(path, destination / path.name)
        command = [sys.executable, "-S", "-E", "-c", LAUNCHER, *self._command(source, destination)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=limit + START_UP)
        told: dict[str, float] = json.loads(done.stdout)
        if told["code"]:
            raise RuntimeError(f"exit code {told['code']:.0f}")
        return told


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def gdcmanon(folder: Path) -> Tool:
    """Its own Basic Application Level Confidentiality Profile; it encrypts the originals for the certificate."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"

    def command(source: Path, destination: Path) -> list[str]:
        if not certificate.exists():
            request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=bench", "-days", "2"]
            request += ["-keyout", str(key), "-out", str(certificate)]
            subprocess.run(request, check=True, capture_output=True)
        return ["gdcmanon", "-e", "-c", str(certificate), "-r", "-i", str(source), "-o", str(destination)]

    return Tool("gdcmanon", "libgdcm-tools", command, copies=False)


@cache
def _basic_profile_options() -> tuple[str, ...]:
    """Return the Basic Profile as far as dcmodify's options can say it: X erased, Z and D emptied at every level."""
    options = ["-nb", "-imt", "-iun", "-ie", "-q", "-ep", "-gst", "-gse", "-gin"]
    data = Path(dicomanon.standard.__file__).parent / "data" / "ps3_15_table_e1_1.csv"
    with data.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            tag, code = row["tag"], row["basic_profile"]
            if "x" in tag or "odd" in tag or tag < "0008" or code == "U" or tag == "0008,0018":
                continue
            if code.startswith("X") or row["vr"] == "SQ":
                options += ["-ea", f"({tag})"]
            else:
                options += ["-ma", f"({tag})="]
    return tuple(options)


def dcmodify() -> Tool:
    def command(source: Path, destination: Path) -> list[str]:
        return ["dcmodify", *_basic_profile_options(), *(str(destination / path.name) for path in source.iterdir())]

    return Tool("dcmodify", "dcmtk", command, copies=True)


def planted_values(path: Path) -> list[str]:
    """Return the names, identifiers, UIDs, dates and places of an object."""
    planted = Planted()
    planted.gather(pydicom.dcmread(path))
    return planted.values()


def values_left(case: Case, destination: Path) -> int | None:
    """Return how many of an object's identifying values are in the bytes that a contender wrote for it.

    Only for the smallest of a row of sizes: the others are alike, and have thousands of values to look for.
    """
    if not case.counted:
        return None
    path = min(case.source.iterdir())
    written = (destination / path.name).read_bytes()
    return sum(value.encode() in written for value in planted_values(path))


@contextmanager
def emptied(folder: Path) -> Iterator[Path]:
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


def measure(
    contenders: Sequence[PythonContender | Tool], cases: Sequence[Case], folder: Path, repeats: int, limit: float
) -> dict[tuple[str, str], Measured]:
    """Measure every contender on every case, taking turns so that a busy moment of the machine meets all of them."""
    results = {(contender.name, case.name): Measured() for contender in contenders for case in cases}
    for case in cases:
        for turn in range(repeats):
            for contender in contenders:
                measured = results[contender.name, case.name]
                slow = measured.seconds and measured.seconds[0] * len(list(case.source.iterdir())) > ONCE_IF_SLOWER_THAN
                if contender.missing() or measured.problem or slow:
                    continue
                with emptied(folder / "out") as destination:
                    # Nobody pays for the way of another's output to the disk.
                    os.sync()
                    try:
                        done = contender.run(case.warm_up, case.source, destination, limit)
                        measured.seconds.append(done.seconds)
                        if not turn:
                            measured.left = values_left(case, destination)
                            if case.one != case.source:
                                done = contender.run(case.warm_up, case.one, destination, limit)
                            measured.extra = done.memory - size_of(case.one)
                    except subprocess.TimeoutExpired:
                        measured.problem = f"over {limit:.0f} s"
                    except (RuntimeError, OSError) as error:
                        measured.problem = "failed"
                        print(f"{contender.name}, {case.name}: {error}", file=sys.stderr)
        print(f"{time.strftime('%H:%M:%S')} {case.name} measured", file=sys.stderr)
    return results


def table(
    title: str,
    contenders: Sequence[PythonContender | Tool],
    cases: Sequence[Case],
    shown: Callable[[str, Case], str],
) -> Table:
    result = Table(title=title)
    result.add_column("")
    for contender in contenders:
        result.add_column(contender.name, justify="right")
    for case in cases:
        result.add_row(
            case.name,
            *("not installed" if contender.missing() else shown(contender.name, case) for contender in contenders),
        )
    return result


def verdicts(results: dict[tuple[str, str], Measured], cases: Sequence[Case]) -> Iterator[str]:
    """Yield what was wanted, and whether it is so."""

    def best(name: str, case: Case) -> float | None:
        measured = results.get((name, case.name))
        return min(measured.seconds) if measured and measured.seconds else None

    def line(text: str, value: float, wanted: float) -> str:
        return f"{'met ' if value <= wanted else 'MISSED'} {text}: {value:.2f} (wanted at most {wanted})"

    for name in OURS:
        for case in cases:
            mine = best(name, case)
            if mine is None:
                yield f"MISSED {name}, {case.name}: not measured"
                continue
            for peer in PYTHON_PEERS:
                theirs = best(peer, case)
                if theirs:
                    yield line(f"{name}, {case.name}: times the time of {peer}", mine / theirs, 1.0)
            theirs = best("gdcmanon", case)
            if theirs and not case.units:
                yield line(f"{name}, {case.name}: times the time of gdcmanon", mine / theirs, WANTED_AGAINST_GDCMANON)
            extra = results[name, case.name].extra
            if extra is not None:
                yield line(f"{name}, {case.name}: extra memory by size", extra / size_of(case.one), WANTED_MEMORY)
        for word in ("frames", "items"):
            row = [(case.units, best(name, case)) for case in cases if word in case.name]
            first, last = row[0], row[-1]
            if first[1] and last[1]:
                growth = (last[1] / last[0]) / (first[1] / first[0])
                yield line(f"{name}, time per unit, {last[0]} {word} against {first[0]}", growth, LINEAR)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3, help="the best of so many turns is shown")
    parser.add_argument("--limit", type=float, default=60, help="seconds after which a contender stops in a case")
    parser.add_argument("--folder", type=Path, help="where the files are made (default: the temporary folder)")
    parser.add_argument("--only", nargs="+", default=[], help="names of contenders")
    parser.add_argument("--quick", action="store_true", help="fewer files")
    parser.add_argument("--verdicts", action="store_true", help="print what is met too, not only what is missed")
    given = parser.parse_args()
    console = Console(width=max(Console().width, 170))
    python = peers_python()
    with tempfile.TemporaryDirectory(dir=given.folder, prefix="dicomanon-bench-") as name:
        folder = Path(name)
        cases = build(folder, quick=given.quick)
        contenders: list[PythonContender | Tool] = [
            PythonContender("copy", Path(sys.executable)),
            *(PythonContender(name, Path(sys.executable)) for name in OURS),
            *(PythonContender(name, python) for name in PYTHON_PEERS),
            gdcmanon(folder),
            dcmodify(),
        ]
        contenders = [contender for contender in contenders if not given.only or contender.name in given.only]
        results = measure(contenders, cases, folder, given.repeats, given.limit)

        def milliseconds(name: str, case: Case) -> str:
            measured = results[name, case.name]
            return measured.problem or f"{min(measured.seconds) * 1000:.1f}"

        def memory(name: str, case: Case) -> str:
            extra = results[name, case.name].extra
            return "" if extra is None else f"{extra / 1e6:.1f} MB, {extra / size_of(case.one):.2f}"

        def left(name: str, case: Case) -> str:
            found = results[name, case.name].left
            return "" if found is None else str(found)

        console.print(versions(python))
        console.print(table("Milliseconds per instance", contenders, cases, milliseconds))
        console.print(table("Peak memory beyond process and object, and in object sizes", contenders, cases, memory))
        counted = [case for case in cases if case.counted]
        console.print(table("Identifying values of an object left in its output", contenders, counted, left))
        for contender in contenders:
            if contender.missing():
                console.print(f"{contender.name} {contender.missing()}")
        judged = list(verdicts(results, cases))
        for text in judged if given.verdicts else (text for text in judged if text.startswith("MISSED")):
            console.print(text)
        console.print(f"{sum(text.startswith('met') for text in judged)} of {len(judged)} wants are met")


if __name__ == "__main__":
    main()
