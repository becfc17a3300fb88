"""The gateway against the research PACS that is behind it: bytes per second, time to answer, clients at once, memory.

A PostgreSQL, an Orthanc and the gateway of their own in a temporary folder; one large study, and a small one for each
of some clients, of slices of 512 KB. Everything is read twice, from the PACS and through the gateway, in turns.

    python bench/gateway.py [--megabytes 2048] [--clients 50] [--rounds 3]
"""

import argparse
import hashlib
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import numpy as np
import requests
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from rich.console import Console
from rich.table import Table

from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.roles.role import Role
from dicomanon.crosswalk.rows import MappedOutcome, Receipt, Verdict
from dicomanon.identity import InstanceSighting, PatientIdentity, StudyFacts, StudySighting
from dicomanon.local_stack.orthanc import OrthancServer, start_orthanc
from dicomanon.local_stack.ports import free_port
from dicomanon.local_stack.postgres import PostgresServer, start_postgres

SLICE = 512 * 512 * 2
SMALL_STUDY = 40
AS_STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*'
WANTED_SHARE, WANTED_MEGABYTES = 0.8, 200
REPEATED = 200
MEMBER = "crosswalk"


@dataclass(frozen=True)
class Made:
    """A study as both sides know it."""

    uid: str
    series: str
    sops: list[str]


@dataclass(frozen=True)
class Side:
    """Where objects are read from."""

    name: str
    url: str
    headers: dict[str, str]
    auth: tuple[str, str] | None

    def session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        session.headers.update({"Accept": AS_STORED, **self.headers})
        session.auth = self.auth
        return session

    def read(self, session: requests.Session, path: str, accept: str = AS_STORED) -> int:
        """Return how many bytes came, keeping none."""
        with session.get(self.url + path, headers={"Accept": accept}, stream=True, timeout=600) as answer:
            answer.raise_for_status()
            size, tail = 0, b""
            for chunk in answer.iter_content(1 << 20):
                size += len(chunk)
                tail = chunk
        if "multipart" in answer.headers["Content-Type"] and not tail.rstrip().endswith(b"--"):
            raise RuntimeError(f"{self.name}: the body was broken off")
        return size


def main() -> None:
    """Measure, print a table, and say whether what was wanted is reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=2048, help="of the large study")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        reached = measure(Path(folder), (arguments.megabytes << 20) // SLICE, arguments.clients, arguments.rounds)
    sys.exit(0 if reached else 1)


def measure(folder: Path, slices: int, clients: int, rounds: int) -> bool:
    password = secrets.token_hex(12)
    postgres = start_postgres(folder / "postgres", free_port())
    orthanc = start_orthanc(folder / "pacs", "research", free_port(), None, "reader", password, detach=False)
    try:
        postgres.create_roles()
        postgres.create_database("crosswalk", MEMBER, password)
        postgres.create_login("gateway", password, "crosswalk", [Role.GATEWAY])
        postgres.create_login(MEMBER, password, "crosswalk", Role)
        Keyring.generate(folder / "keyring.json")
        dsn = postgres.dsn("crosswalk", user=MEMBER, password=password)
        with Crosswalk(dsn, Keyring.load(folder / "keyring.json")) as crosswalk:
            crosswalk.migrate()
            large, *small = fill(crosswalk, orthanc, [slices, *[SMALL_STUDY] * clients])
            crosswalk.projects.add("BENCH", MEMBER, actor="bench", reason="bench")
            tokens = [
                crosswalk.tokens.create("BENCH", MEMBER, lifetime=timedelta(hours=4), actor="bench", reason="bench")[1]
                for _ in range(clients)
            ]
        with served(folder, postgres, orthanc, password) as (url, process):
            direct = Side("research PACS", orthanc.dicom_web_url, {}, (orthanc.username, orthanc.password))
            gateways = [Side("gateway", url, {"Authorization": f"Bearer {token}"}, None) for token in tokens]
            return compare(direct, gateways, large, small, rounds, process)
    finally:
        orthanc.stop()
        postgres.stop()


def compare(
    direct: Side, gateways: list[Side], large: Made, small: list[Made], rounds: int, process: "subprocess.Popen[bytes]"
) -> bool:
    table = Table("", "research PACS", "gateway", "share")
    idle = resident(process, "VmRSS")
    speeds: dict[str, list[float]] = {"research PACS": [], "gateway": []}
    for _ in range(rounds):
        for side in (direct, gateways[0]):
            speeds[side.name].append(one_study(side, large))
    shares = [add(table, "one study, MB/s", speeds)]
    after_large = resident(process, "VmHWM")
    speeds = {"research PACS": [], "gateway": []}
    for _ in range(rounds):
        for sides in ([direct] * len(small), gateways):
            speeds[sides[0].name].append(many_at_once(sides, small))
    shares.append(add(table, f"{len(small)} clients at once, MB/s", speeds))
    instance = f"/studies/{large.uid}/series/{large.series}/instances/{large.sops[0]}"
    for what, path, accept in (
        ("an instance, ms", instance, AS_STORED),
        (
            "its metadata, ms",
            f"{instance}/metadata",
            "application/dicom+json",
        ),
        ("studies, 50 rows, ms", "/studies?limit=50", "application/dicom+json"),
        ("instances of a study, 100 rows, ms", f"/studies/{large.uid}/instances?limit=100", "application/dicom+json"),
    ):
        times = [latency(side, path, accept) for side in (direct, gateways[0])]
        table.add_row(what, f"{times[0]:.1f}", f"{times[1]:.1f}", "")
    Console().print(table)
    most = resident(process, "VmHWM")
    print(f"memory of the gateway: {idle} MB idle, {after_large} MB after the large study, {most} MB at most")
    return min(shares) >= WANTED_SHARE and most <= WANTED_MEGABYTES


def add(table: Table, name: str, speeds: dict[str, list[float]]) -> float:
    pacs, gateway = (statistics.median(speeds[side]) for side in ("research PACS", "gateway"))
    table.add_row(name, f"{pacs:.0f}", f"{gateway:.0f}", f"{gateway / pacs:.0%}")
    return gateway / pacs


def one_study(side: Side, study: Made) -> float:
    with side.session() as session:
        start = time.perf_counter()
        size = side.read(session, f"/studies/{study.uid}")
        return size / (time.perf_counter() - start) / 1e6


def many_at_once(sides: list[Side], studies: list[Made]) -> float:
    """Return the megabytes per second of all together."""

    def read(side: Side, study: Made) -> int:
        with side.session() as session:
            return side.read(session, f"/studies/{study.uid}")

    start = time.perf_counter()
    with ThreadPoolExecutor(len(sides)) as pool:
        size = sum(pool.map(read, sides, studies))
    return size / (time.perf_counter() - start) / 1e6


def latency(side: Side, path: str, accept: str) -> float:
    """Return the median time of an answer, in milliseconds."""
    times = []
    with side.session() as session:
        for _ in range(REPEATED):
            start = time.perf_counter()
            side.read(session, path, accept)
            times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000


def resident(process: "subprocess.Popen[bytes]", field: str) -> int:
    """Return what the kernel says that a process has in memory, now or at most, in megabytes."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) >> 10 for line in lines if line.startswith(field))


@contextmanager
def served(
    folder: Path, postgres: PostgresServer, orthanc: OrthancServer, password: str
) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """Serve the gateway as people start it."""
    settings = {
        "DICOMANON_CROSSWALK_DSN": postgres.dsn("crosswalk", user="gateway", password=password),
        "DICOMANON_RESEARCH__NAME": "research",
        "DICOMANON_RESEARCH__URL": orthanc.dicom_web_url,
        "DICOMANON_RESEARCH__USERNAME": orthanc.username,
        "DICOMANON_RESEARCH__PASSWORD": orthanc.password,
        "DICOMANON_GATEWAY__PORT": "0",
    }
    command = [Path(sys.executable).parent / "dicomanon", "gateway"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, **settings}, cwd=folder) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().decode().strip(), process
        finally:
            process.terminate()


def fill(crosswalk: Crosswalk, orthanc: OrthancServer, sizes: list[int]) -> list[Made]:
    """Put studies of so many slices into the PACS and into the crosswalk, and release them."""
    now = datetime.now(UTC)
    sources = {f"1.2.3.{number}": size for number, size in enumerate(sizes)}
    crosswalk.ledger.observe([StudySighting(uid, size) for uid, size in sources.items()], now)
    for due in crosswalk.ledger.due(timedelta(0), now + timedelta(days=1)):
        uid = due.study_uid.reveal()
        listing = [InstanceSighting(f"{uid}.1", f"{uid}.1.{n}", CTImageStorage) for n in range(sources[uid])]
        crosswalk.ledger.enroll(due.study_id, listing, now)
    run = crosswalk.ledger.open_run("bench", "bench")
    batch = crosswalk.ledger.open_batch(run, 1, [one.instance_id for one in crosswalk.ledger.unplanned(run)])
    pixels = np.random.default_rng(1).integers(-1000, 2000, SLICE // 2, dtype="<i2").tobytes()
    made: dict[str, Made] = {}
    with requests.Session() as session:
        session.trust_env = False
        session.auth = (orthanc.username, orthanc.password)
        outcomes = []
        for source in crosswalk.ledger.batch_sources(batch):
            names = [research(one.reveal()) for one in (source.study_uid, source.series_uid, source.sop_uid)]
            patient = crosswalk.patients.get_or_create(PatientIdentity(f"MRN-{source.study_uid.reveal()}"))
            content = slice_of(*names, patient.pseudonym, len(outcomes), pixels)
            session.post(f"{orthanc.url}/instances", data=content, timeout=60).raise_for_status()
            made.setdefault(names[0], Made(names[0], names[1], [])).sops.append(names[2])
            digest = hashlib.sha256(content).digest()
            outcomes.append(
                MappedOutcome(
                    instance_id=source.instance_id, state="deidentified", patient_id=patient.id,
                    research_study_uid=names[0], research_series_uid=names[1], research_sop_uid=names[2],
                    sop_class_uid=CTImageStorage, modality="CT", facts=StudyFacts(), input_digest=digest,
                    output_digest=digest, input_bytes=len(content), output_bytes=len(content),
                    profile_version="bench@1", code_version="0", action_counts={},
                )
            )  # fmt: skip
    ids = [one.instance_id for one in outcomes]
    crosswalk.mapping.record(batch, outcomes)
    crosswalk.mapping.record_verdicts(batch, [Verdict(row, True, {}) for row in ids])
    crosswalk.mapping.record_receipts(batch, [Receipt(row, accepted=True, confirmed=True, status=0) for row in ids])
    crosswalk.releases.create("BENCH", "bench", b"bench", ids, request_key="bench")
    return sorted(made.values(), key=lambda study: -len(study.sops))


def research(uid: str) -> str:
    return f"2.25.{int.from_bytes(hashlib.sha256(uid.encode()).digest()[:15])}"


def slice_of(study: str, series: str, sop: str, pseudonym: str, number: int, pixels: bytes) -> bytes:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = CTImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = sop
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.PatientID = study, series, pseudonym
    dataset.PatientName, dataset.Modality, dataset.InstanceNumber = pseudonym, "CT", number
    dataset.StudyDate, dataset.StudyTime = "20200101", "120000"
    dataset.Rows = dataset.Columns = 512
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation, dataset.SamplesPerPixel = 15, 1, 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.PixelData = pixels
    file = BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


if __name__ == "__main__":
    main()
