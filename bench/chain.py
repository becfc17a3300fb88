"""The whole chain against a plain DICOMweb copy of the same studies between the same two servers, in one run.

Prints instances per second of both, their ratio, the seconds of each step, and the peak memory of the task processes
for a small and for a large study. Starts a stack of its own in a temporary folder.

    python bench/chain.py [--studies 4] [--slices 200]
"""

import argparse
import os
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import psutil
from dicomweb_client import DICOMwebClient
from pydicom import Dataset
from requests import Session
from rich.console import Console
from rich.table import Table

from dicomanon.local_stack import airflow, stack
from dicomanon.local_stack.config import STATE_VARIABLE, Ports, StackConfig, state_folder
from dicomanon.local_stack.dag_runs import DagRuns
from dicomanon.local_stack.orthanc import OrthancServer
from dicomanon.pipeline.load import load_folder
from dicomanon.pipeline.runtime import open_runtime
from dicomanon.sample.bulk import write_ct_studies

DAG = "ingest_studies"
TASK_TITLE = re.compile(r"airflow worker -- [0-9a-f]{8}-")
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
        while not self._over.wait(0.2):
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


def step_seconds(run_id: str) -> tuple[dict[str, float], float]:
    """Return each step's seconds, added over the batches, and the seconds from the first pull to the last update."""
    with open_runtime() as runtime:
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=4)
    parser.add_argument("--slices", type=int, default=200)
    given = parser.parse_args()
    console = Console()
    with own_stack() as config, tempfile.TemporaryDirectory() as folder:
        clinical, research = stack.start_pacs(config)
        write_ct_studies(Path(folder) / "small", studies=1, slices=40, seed=5)
        load_folder(Path(folder) / "small")
        _, small_peak = ingest(config)  # also warms every server up, so that nobody pays for a cold start
        clinical.clear()
        research.clear()
        write_ct_studies(Path(folder) / "large", studies=given.studies, slices=given.slices, seed=6)
        load_folder(Path(folder) / "large")
        copies = {}
        for threads in (1, 2):
            copies[threads] = plain_copy(clinical, research, threads)
            research.clear()
        run_id, large_peak = ingest(config)
        spent, seconds = step_seconds(run_id)

    instances = given.studies * given.slices
    rate = instances / seconds
    table = Table(title=f"{instances} CT of 0.5 MB, {os.cpu_count()} cores")
    for name in ("", "seconds", "instances/s", "chain takes"):
        table.add_column(name, justify="right")
    for threads, (copied, copy_seconds) in copies.items():
        table.add_row(
            f"plain copy, {threads} STOW thread(s)", f"{copy_seconds:.1f}", f"{copied / copy_seconds:.0f}",
            f"{seconds / copy_seconds:.2f} times",
        )  # fmt: skip
    table.add_row("whole chain, first pull to last update", f"{seconds:.1f}", f"{rate:.0f}", "")
    for step, value in spent.items():
        table.add_row(f"  {step} (all batches)", f"{value:.1f}", f"{instances / value:.0f}", "")
    console.print(table)
    console.print(
        f"peak memory of a task process (unshared): {small_peak >> 20} MB for a study of 40 instances, "
        f"{large_peak >> 20} MB for studies of {given.slices}"
    )


if __name__ == "__main__":
    main()
