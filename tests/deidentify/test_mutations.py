"""Whatever is done to an object, it is held or comes out clean: no exception, no identifier, no long wait.

The suite runs a few thousand damaged files, always the same. For a longer run::

    DICOMANON_MUTATIONS=200000 DICOMANON_MUTATIONS_SEED=7 pytest tests/deidentify/test_mutations.py
"""

import os
import random
import subprocess
import sys
import time
import zlib
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from tests.deidentify import mutations
from tests.deidentify.builders import CONTEXT, DEFLATED, Instance, part10, write
from tests.deidentify.mutations import File, Mutation
from tests.objects import all_objects, find_planted
from tests.patience import HUNG

from dicomanon.deidentify import Deidentified, HeldInstance, deidentify, encode, parse
from dicomanon.errors import Held
from dicomanon.profile import compile_profile, load_profile, shipped_profiles
from dicomanon.reasons import HoldReason

RUNS = int(os.environ.get("DICOMANON_MUTATIONS", "4000"))
SEED = int(os.environ.get("DICOMANON_MUTATIONS_SEED", "3"))
TOKEN = b"QUORVANDALE^ZEPHYRINTH"
"""Put into places of its own by mutations; a planted name, as older systems write it."""
LARGEST = 60_000
"""Bytes of an object that is damaged; larger ones hold only more pixels."""

PROFILES = {name: compile_profile(load_profile(name)) for name in shipped_profiles()}


@cache
def _files() -> dict[str, File]:
    """Return the objects to damage: those that are small enough and clean when undamaged."""
    return {name: File(data) for name, data in all_objects().items() if len(data) <= LARGEST}


@cache
def _leaks_undamaged(profile: str, name: str) -> frozenset[str]:
    """Return what shows without any damage: test_conformance judges that, and here it would only be repeated."""
    outcome = _outcome(_files()[name].data, profile)
    return frozenset(find_planted(encode(outcome))) if isinstance(outcome, Deidentified) else frozenset()


def _outcome(raw: bytes, profile: str) -> Deidentified | Held | HeldInstance:
    try:
        source = parse(raw)
    except Held as held:
        return held
    outcome = deidentify(source, PROFILES[profile], CONTEXT)
    assert isinstance(outcome, Deidentified | HeldInstance), type(outcome)
    return outcome


def _found_under_its_own_tag(token: str, output: bytes, source: File) -> bool:
    """Tell whether a string stands under a tag that held it in the undamaged object."""

    def tags(file: File) -> set[int]:
        spots = file.spots
        return {
            max((spot for spot in spots if spot.start <= at < spot.stop), key=lambda spot: spot.depth).tag
            for form in (token.encode(), token.upper().encode())
            for at in mutations._all(file.body, form)
            if any(spot.start <= at < spot.stop for spot in spots)
        }

    return bool(tags(File(output)) & tags(source)) or not tags(File(output))


def _judge(mutation: Mutation, name: str, profile: str, seed: str, verdicts: Counter[str]) -> str:
    """Damage one object; return what is wrong with the outcome, if anything."""
    source = _files()[name]
    raw = mutation(random.Random(seed), source, TOKEN)
    if raw is None:
        return ""
    started = time.perf_counter()
    try:
        outcome = _outcome(raw, profile)
        output = encode(outcome) if isinstance(outcome, Deidentified) else b""
    except Exception as error:
        return f"{type(error).__name__}"
    seconds = time.perf_counter() - started
    if seconds > HUNG:
        return f"took {seconds:.1f} s"
    if isinstance(outcome, Deidentified):
        verdicts["deidentified"] += 1
        return _wrong_in_output(output, mutation, name, profile, verdicts)
    verdicts[str(outcome.reason)] += 1
    if outcome.reason is HoldReason.UNEXPECTED:
        return "held as unexpected"
    return "a value in the detail" if find_planted(outcome.detail.encode()) else ""


def _wrong_in_output(output: bytes, mutation: Mutation, name: str, profile: str, verdicts: Counter[str]) -> str:
    leaks = [token for token in find_planted(output) if token not in _leaks_undamaged(profile, name)]
    if leaks and mutation in mutations.MAKES_ANOTHER_ATTRIBUTE:
        # What now stands under the tag of a technical attribute is told by nothing from what belongs there.
        moved = [token for token in leaks if not _found_under_its_own_tag(token, output, _files()[name])]
        verdicts["under another tag"] += bool(moved)
        leaks = [token for token in leaks if token not in moved]
    if leaks:
        return f"leaks {leaks[0]}"
    try:
        parse(output)
    except Held as held:
        return f"output is not readable: {held}"
    return ""


@pytest.mark.parametrize("mutation", mutations.MUTATIONS, ids=lambda mutation: mutation.__name__)
def test_damaged_object_is_held_or_comes_out_clean(mutation: Mutation) -> None:
    names = sorted(_files())
    verdicts: Counter[str] = Counter()
    wrong = []
    chance = random.Random(f"{SEED} {mutation.__name__}")
    for run in range(RUNS // len(mutations.MUTATIONS)):
        name, profile = chance.choice(names), chance.choice(list(PROFILES))
        seed = f"{SEED} {mutation.__name__} {run}"
        problem = _judge(mutation, name, profile, seed, verdicts)
        if problem:
            wrong.append(f"{name}, {profile}, seed {seed!r}: {problem}")
    assert not wrong, "\n".join([f"{len(wrong)} problems", *wrong[:20]])
    # The odd string may end up under an innocent tag by chance, and no more than that.
    assert verdicts["under another tag"] <= 2 + RUNS // 1000
    assert sum(verdicts.values())


CHILD = """
import resource, sys, time
from pathlib import Path
from dicomanon.deidentify import deidentify, parse, HeldInstance
from dicomanon.errors import Held
from dicomanon.profile import compile_profile, load_profile
from tests.deidentify.builders import CONTEXT, Instance
profile = compile_profile(load_profile("research"))
deidentify(parse(Instance().raw()), profile, CONTEXT)
resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
raw = Path(sys.argv[1]).read_bytes()
def resident(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) * 1024
before, started = resident("VmRSS:"), time.perf_counter()
try:
    outcome = deidentify(parse(raw), profile, CONTEXT)
except Held as held:
    outcome = HeldInstance(held.reason, held.detail)
state = outcome.reason if isinstance(outcome, HeldInstance) else "deidentified"
print(state, resident("VmHWM:") - before, time.perf_counter() - started)
"""


def _in_child(raw: bytes, folder: Path) -> tuple[str, int, float]:
    """De-identify in a process of its own; return the outcome, the most memory beyond the source, the seconds."""
    path = folder / "object.dcm"
    path.write_bytes(raw)
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([*sys.path, str(root)])}
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(path)], capture_output=True, text=True, timeout=120, check=False,
        env=environment,
    )  # fmt: skip
    assert not done.returncode, done.stderr[-2000:]
    state, memory, seconds = done.stdout.split()
    return state, int(memory), float(seconds)


def _bomb(megabytes: int, unit: bytes) -> bytes:
    """Return a deflated object whose data set goes on for megabytes of the same."""
    data_set = write(Instance(syntax=DEFLATED).nodes(), DEFLATED)
    block = _deflated(unit * ((1 << 20) // len(unit)), zlib.Z_FULL_FLUSH)
    return part10(_deflated(data_set, zlib.Z_FULL_FLUSH) + block * megabytes + _deflated(b"", zlib.Z_FINISH), DEFLATED)


def _deflated(data: bytes, ending: int) -> bytes:
    deflater = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    return deflater.compress(data) + deflater.flush(ending)


@pytest.mark.parametrize(
    "unit",
    [b"\0", b"\xe0\x7f\x20\0OB\0\0\0\0\0\0", b"\x09\0\x10\0UN\0\0\xff\xff\xff\xff"],
    ids=["zeros", "elements", "nesting"],
)
def test_deflate_bomb_is_held_in_bounded_memory(unit: bytes, tmp_path: Path) -> None:
    raw = _bomb(1200, unit)
    assert len(raw) < 8 << 20
    state, memory, seconds = _in_child(raw, tmp_path)
    assert state == HoldReason.UNREADABLE
    assert memory < 600 << 20
    assert seconds < HUNG


@pytest.mark.parametrize("vr", ["OB", "OW", "UN", "SQ", "UT"])
@pytest.mark.parametrize("length", [0xFFFFFFF0, 0xFFFFFFFE, 0x80000000])
def test_length_of_four_gigabytes_is_not_believed(vr: str, length: int) -> None:
    body = write(Instance(pixels=None).nodes()) + mutations.element(0x7FE00010, vr, bytes(64), length=length)
    started = time.perf_counter()
    with pytest.raises(Held):
        parse(part10(body))
    assert time.perf_counter() - started < HUNG


def test_deep_nesting_costs_neither_recursion_nor_time(tmp_path: Path) -> None:
    opening = mutations.element(0x0040A730, "SQ", b"", length=mutations.UNDEFINED) + b"\xfe\xff\x00\xe0" + b"\xff" * 4
    body = write(Instance(pixels=None).nodes()) + opening * 500_000
    state, memory, seconds = _in_child(part10(body), tmp_path)
    assert state == HoldReason.UNREADABLE
    assert memory < 200 << 20
    assert seconds < HUNG


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"])
def test_millions_of_tiny_elements_stay_linear(syntax: str, tmp_path: Path) -> None:
    # Items with nothing in them are the most structure per byte.
    items = b"\xfe\xff\x00\xe0\0\0\0\0" * 200_000
    explicit = syntax != mutations.IMPLICIT
    body = write(Instance(syntax=syntax).nodes(), syntax)
    body += mutations.element(0x0040A730, "SQ", items, explicit=explicit)
    body += mutations.element(0x52009230, "SQ", items, explicit=explicit)
    _, memory, seconds = _in_child(part10(body, syntax), tmp_path)
    assert memory < 100 * len(body)
    assert seconds < HUNG


@pytest.mark.parametrize("depth", [10, 200])
def test_bulk_in_nested_sequences_costs_no_memory_per_level(depth: int, tmp_path: Path) -> None:
    payload = mutations.element(0x00420011, "OB", bytes(5 << 20))
    inner = payload
    for _ in range(depth):
        item = b"\xfe\xff\x00\xe0" + len(inner).to_bytes(4, "little") + inner
        inner = mutations.element(0x00081115, "SQ", item)
    body = write(Instance().nodes()) + inner
    state, memory, seconds = _in_child(part10(body), tmp_path)
    assert state
    assert memory < 60 << 20
    assert seconds < HUNG
