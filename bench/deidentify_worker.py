"""De-identifies a folder of files in a process of its own with one Python contender, and prints what it took.

Started by ``bench/deidentify.py`` with the interpreter that has the contender. The clock starts when the contender is
imported and has done the files of the warm-up folder, so that nobody pays for imports and tables that are read once.

    python deidentify_worker.py CONTENDER WARM-UP SOURCE DESTINATION SECONDS
"""

import contextlib
import ctypes
import gc
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

Contender = Callable[[Path, Path], bool]
"""Reads a file, writes a file; whether it did."""


def plain_copy() -> Contender:
    def run(source: Path, destination: Path) -> bool:
        destination.write_bytes(source.read_bytes())
        return True

    return run


def dicomanon(profile: str) -> Contender:
    from dicomanon.deidentify import Deidentified, PatientContext, UidMapper, deidentify, encode_in_pieces, parse
    from dicomanon.profile import compile_profile, load_profile

    # What a profile holds for a face would be no work to measure.
    rules = load_profile(profile).model_copy(update={"recognizable_visual_features": "pass"})
    compiled = compile_profile(rules)
    context = PatientContext("D7Q2M8K4ZX1P", -1234, UidMapper(b"a key of thirty-two bytes length"))

    def run(source: Path, destination: Path) -> bool:
        outcome = deidentify(parse(source.read_bytes()), compiled, context)
        if not isinstance(outcome, Deidentified):
            print(outcome, file=sys.stderr)
            return False
        with destination.open("wb") as file:
            file.writelines(encode_in_pieces(outcome))
        return True

    return run


def kitware() -> Contender:
    from dicomanonymizer import anonymize_dicom_file

    def run(source: Path, destination: Path) -> bool:
        anonymize_dicom_file(str(source), str(destination))
        return True

    return run


def deid() -> Contender:
    # Its own recipe, sequences walked, private elements removed: what its documentation calls the default.
    os.environ["MESSAGELEVEL"] = "QUIET"
    from deid.config import DeidRecipe
    from deid.dicom import replace_identifiers

    recipe = DeidRecipe()

    def run(source: Path, destination: Path) -> bool:
        replace_identifiers(
            [str(source)],
            deid=recipe,
            save=True,
            overwrite=True,
            output_folder=str(destination.parent),
            remove_private=True,
        )
        return True

    return run


CONTENDERS: dict[str, Callable[[], Contender]] = {
    "copy": plain_copy,
    "dicomanon-research": lambda: dicomanon("research"),
    "dicomanon-strict": lambda: dicomanon("strict"),
    "dicom-anonymizer": kitware,
    "deid": deid,
}


def run_folder(contender: Contender, source: Path, destination: Path, limit: float) -> tuple[float, int, int]:
    """Return seconds, files done and files not written; stops after ``limit`` seconds."""
    done = refused = 0
    started = time.perf_counter()
    for path in sorted(source.iterdir()):
        refused += not contender(path, destination / path.name)
        done += 1
        if time.perf_counter() - started > limit:
            break
    return time.perf_counter() - started, done, refused


def forget_peak() -> int:
    """Give back what the start left free, begin the peak anew, and return the resident bytes."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return peak_memory()


def peak_memory() -> int:
    """Return the most resident bytes that this process had (not its parent's, which ``ru_maxrss`` starts with)."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("the kernel does not tell the peak of the resident memory")


def main() -> None:
    name, warm_up, source, destination, limit = sys.argv[1:]
    with contextlib.redirect_stdout(sys.stderr):
        contender = CONTENDERS[name]()
        run_folder(contender, Path(warm_up), Path(destination), 60)
        before = forget_peak()
        seconds, done, refused = run_folder(contender, Path(source), Path(destination), float(limit))
    print(json.dumps({"seconds": seconds, "done": done, "refused": refused, "before": before, "peak": peak_memory()}))


if __name__ == "__main__":
    main()
