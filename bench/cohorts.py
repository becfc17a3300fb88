"""How long a cohort request takes on a large crosswalk, and what it keeps in memory.

Patients of one study of a hundred instances each, as ``bench/crosswalk.py`` makes them. Each request runs in a process
of its own, so that nothing is cached and memory is its alone.

    python bench/cohorts.py [--instances 1000000]
"""

import argparse
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from crosswalk import PER_STUDY, STUDIES_AT_ONCE, Copies, Writing, identity, opened, write_patients
from dicomanon.cohort.criteria import CohortCriteria
from dicomanon.cohort.resolve import resolve
from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring

WANTED_S = 5.0
SERIES: dict[str, Any] = {"modality": ["CT"], "body_part": ["CHEST"], "slice_thickness_to": 2, "contrast": "no"}


def mrns(many: int) -> list[str]:
    return [identity(number).patient_id for number in range(many)]


def requests(patients: int) -> dict[str, dict[str, Any]]:
    known = [identity(number) for number in range(0, patients, max(1, patients // 312))][:312]
    people = [f"{one.name}, {one.birth_date}" for one in known]
    return {
        "312 MRNs, chest CT, thin, native": {"patient_ids": mrns(312), **SERIES},
        "312 MRNs with index dates": {
            "index_dates": [f"{mrn}, 2020-01-01" for mrn in mrns(312)], "days_after": 90, **SERIES},
        "50,000 MRNs": {"patient_ids": mrns(50_000)},
        "312 names": {"names_with_birth_dates": people, **SERIES},
        "everybody by age and series": {"age_from": "18", "sex": ["F"], **SERIES},
    }  # fmt: skip


def ask(dsn: str, keyring: Path, request: dict[str, Any]) -> tuple[float, int, float]:
    """Return seconds, studies found, and by how many MB the memory of the process grew."""
    with Crosswalk(dsn, Keyring.load(keyring)) as crosswalk:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        started = time.monotonic()
        found = resolve(crosswalk, CohortCriteria.read({"project": "BENCH", **request})).found
        seconds = time.monotonic() - started
        return seconds, len(found), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=int, default=1_000_000)
    patients = max(2, parser.parse_args().instances // PER_STUDY)
    console = Console()
    with opened(None) as (dsn, keyring, crosswalk):
        write_patients(crosswalk, range(patients))
        Writing(crosswalk, "first").study(0, PER_STUDY)
        copies, made = Copies(dsn, Keyring.load(keyring)), 1
        while made < patients:
            many = min(STUDIES_AT_ONCE, patients - made)
            copies.make(many)
            made += many
        copies.settle()
        table = Table(title=f"cohorts out of {made * PER_STUDY:,} instances")
        for column in ("request", "seconds", "studies found", "MB more in memory"):
            table.add_column(column, justify="left" if column == "request" else "right")
        for name, request in requests(patients).items():
            with ProcessPoolExecutor(1, get_context("spawn")) as alone:
                seconds, found, grown = alone.submit(ask, dsn, keyring, request).result()
            table.add_row(name, f"{seconds:.2f}", f"{found:,}", f"{grown:.0f}")
        console.print(table)
        console.print(f"wanted: 312 MRNs in under {WANTED_S:.0f} s")


if __name__ == "__main__":
    main()
