"""The whole chain against a plain DICOMweb copy of the same studies between the same two servers, in one run.

Prints instances per second of both, their ratio, the seconds of each step, and the peak memory of the task processes
for a small and for a large study; for CT and for radiographs, whose pixels are read for text as in any run. Starts a
stack of its own in a temporary folder.

    python bench/chain.py [--studies 4] [--slices 200] [--radiographs 120]
"""

import argparse
import os
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import psutil
import requests
from dicomweb_client import DICOMwebClient
from pydicom import Dataset
from requests import Session
from rich.console import Console
from rich.table import Table

from dicomanon.crosswalk.roles.role import Role
from dicomanon.local_stack import airflow, stack
from dicomanon.local_stack.config import STATE_VARIABLE, Ports, StackConfig, state_folder
from dicomanon.local_stack.dag_runs import DagRuns
from dicomanon.local_stack.orthanc import OrthancServer
from dicomanon.pipeline.load import load_folder
from dicomanon.pipeline.runtime import open_runtime
from dicomanon.sample.bulk import write_ct_studies, write_dx

DAG = "ingest_studies"
TASK_TITLE = re.compile(r"airflow worker -- [0-9a-f]{8}-")
_SAMPLE_SECONDS = 1.0
"""To add up a process's memory takes the kernel some 50 ms."""
_WANTED_CT = 45
_WANTED_DX = 3
STEPS = ("pull_and_anonymize", "validate", "store", "update_crosswalk")


def plain_copy(source: OrthancServer, target: OrthancServer, threads: int) -> tuple[int, float]:
    """Copy every study with dicomweb-client as its documentation shows, 20 instances a request."""

    def client(server: OrthancServer) -> DICOMwebClient:
        session = Session()
        session.auth = (server.username, server.password)
        opened = DICOMwebClient(server.dicom_web_url, session=session)
        opened.set_chunk_size(1 << 20)
        return opened

    reader, writer = client(source), client(target)
    started, copied = time.monotonic(), 0
    with ThreadPoolExecutor(threads) as pool:
        for study in reader.search_for_studies():
            uid = study["0020000D"]["Value"][0]
            waiting = []
            for chunk in chunks(reader.iter_study(uid), 20):
                copied += len(chunk)
                waiting.append(pool.submit(writer.store_instances, chunk))
                if len(waiting) > threads:
                    waiting.pop(0).result()
            for future in waiting:
                future.result()
    return copied, time.monotonic() - started


def chunks(instances: Iterator[Dataset], size: int) -> Iterator[list[Dataset]]:
    while chunk := list(islice(instances, size)):
        yield chunk


class MemoryWatch(threading.Thread):
    """Samples the unshared memory of the tasks' processes; keeps the highest."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak = 0
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(_SAMPLE_SECONDS):
            for process in psutil.process_iter(["cmdline"]):
                try:
                    # LocalExecutor's own workers have a colon after their name, a task has its id.
                    if TASK_TITLE.match(" ".join(process.info["cmdline"] or [])):
                        self.peak = max(self.peak, process.memory_full_info().uss)
                except psutil.Error:
                    continue

    def stop(self) -> int:
        self._over.set()
        self.join()
        return self.peak


@contextmanager
def temporary_folder() -> Iterator[str]:
    """Remove the folder at the end, unless something went wrong: then its logs are wanted."""
    folder = tempfile.mkdtemp(prefix="dicomanon-bench-")
    yield folder
    shutil.rmtree(folder)


@contextmanager
def own_stack() -> Iterator[StackConfig]:
    """Start a stack on free ports; stop and forget it at the end."""
    with temporary_folder() as folder:
        os.environ[STATE_VARIABLE] = str(Path(folder) / "state")
        os.environ |= {f"DICOMANON_{name.upper()}_PORT": "0" for name in Ports.model_fields}
        try:
            config = stack.up(print, airflow_variables={"DICOMANON_INGEST_SCHEDULE": ""})
            os.environ.update(stack.pipeline_environment(config))
            yield config
        finally:
            stack.down(print)


def ingest(config: StackConfig) -> tuple[str, int]:
    """Run the DAG; return its run id and the peak memory of its tasks."""
    with airflow.client(config, "engineer") as api:
        runs = DagRuns(api)
        runs.wait_until_known(DAG)
        watch = MemoryWatch()
        watch.start()
        run_id = runs.trigger(DAG, {"quiet_minutes": 0})
        state = runs.wait(DAG, run_id, seconds=1800)
        peak = watch.stop()
        if state != "success":
            raise SystemExit(f"the run is {state}: see {state_folder() / 'logs'}")
        return run_id, peak


def stored_instances(server: OrthancServer) -> int:
    answer = requests.get(f"{server.url}/statistics", auth=(server.username, server.password), timeout=60)
    answer.raise_for_status()
    return int(answer.json()["CountInstances"])


def step_seconds(run_id: str) -> tuple[dict[str, float], float]:
    """Return each step's seconds, added over the batches, and the seconds from the first pull to the last update."""
    with open_runtime(Role.AUDITOR) as runtime:
        events = list(runtime.crosswalk.lineage.events(DAG, run_id))
    begun: dict[tuple[str, int], float] = {}
    spent = dict.fromkeys(STEPS, 0.0)
    first, last = float("inf"), 0.0
    for event in events:
        step = event.task_id.removeprefix("batch.")
        if step not in spent:
            continue
        at = event.recorded_at.timestamp()
        if event.event == "started":
            begun[step, event.map_index] = at
            first = min(first, at)
        elif event.event == "succeeded":
            spent[step] += at - begun[step, event.map_index]
            last = max(last, at)
    return spent, last - first


@dataclass(frozen=True)
class Measured:
    """What the same objects took, copied and through the chain."""

    copies: dict[int, tuple[int, float]]
    """Instances and seconds, by number of STOW threads."""
    seconds: float
    """From the first pull to the last update."""
    steps: dict[str, float]
    peak: int


def measure(
    config: StackConfig, clinical: OrthancServer, research: OrthancServer, write: Callable[[Path], object]
) -> Measured:
    clinical.clear()
    research.clear()
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder))
        load_folder(Path(folder))
    copies = {}
    for threads in (1, 2):
        copies[threads] = plain_copy(clinical, research, threads)
        research.clear()
    run_id, peak = ingest(config)
    steps, seconds = step_seconds(run_id)
    stored, copied = stored_instances(research), copies[1][0]
    if stored != copied:
        # What is held is not pulled a second time, nor validated, nor stored: no time for it says anything.
        raise SystemExit(f"{stored} of {copied} instances were stored: see the run's holds")
    return Measured(copies, seconds, steps, peak)


def show(console: Console, title: str, instances: int, wanted: int, measured: Measured) -> None:
    table = Table(title=f"{instances} {title}, {os.cpu_count()} cores")
    for name in ("", "seconds", "instances/s", "chain takes"):
        table.add_column(name, justify="right")
    for threads, (copied, seconds) in measured.copies.items():
        table.add_row(
            f"plain copy, {threads} STOW thread(s)", f"{seconds:.1f}", f"{copied / seconds:.1f}",
            f"{measured.seconds / seconds:.2f} times",
        )  # fmt: skip
    rate = instances / measured.seconds
    table.add_row("whole chain, first pull to last update", f"{measured.seconds:.1f}", f"{rate:.1f}", "")
    for step, seconds in measured.steps.items():
        table.add_row(f"  {step} (all batches)", f"{seconds:.1f}", f"{instances / seconds:.1f}", "")
    console.print(table)
    console.print(f"{'met' if rate >= wanted else 'MISSED'}: {wanted} instances/s on two cores")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=4)
    parser.add_argument("--slices", type=int, default=200)
    parser.add_argument("--radiographs", type=int, default=120)
    given = parser.parse_args()
    console = Console()
    with own_stack() as config:
        clinical, research = stack.start_pacs(config)
        # Also warms every server up, so that nobody pays for a cold start.
        small = measure(config, clinical, research, lambda folder: write_ct_studies(folder, 1, 40, seed=5))
        ct = measure(
            config, clinical, research, lambda folder: write_ct_studies(folder, given.studies, given.slices, seed=6)
        )
        dx = measure(config, clinical, research, lambda folder: write_dx(folder, given.radiographs, seed=7))
    show(console, "CT of 0.5 MB", given.studies * given.slices, _WANTED_CT, ct)
    show(console, "DX of 20 MB", given.radiographs, _WANTED_DX, dx)
    console.print(
        f"peak memory of a task process (unshared): {small.peak >> 20} MB for a study of 40 slices, "
        f"{ct.peak >> 20} MB for studies of {given.slices}, {dx.peak >> 20} MB for radiographs"
    )


if __name__ == "__main__":
    main()
