"""Promise 4: outside the clinical PACS, memory and the sealed crosswalk there is no PHI, whatever goes wrong."""

import copy
import io
import json
import pickle
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import psycopg
import pytest
import requests
from tests.deidentify.faces.heads import phantom
from tests.head_series import defacing_profile, head_ct, raw
from tests.proxy import Reply, proxy
from tests.site import Ingested, Run, Site, ct, encoded, logged, read, study

from dicomanon.crosswalk.mapping import Mapping
from dicomanon.deidentify.pixels.reading import text_reader
from dicomanon.errors import DicomanonError
from dicomanon.identity import InstanceSighting, PatientIdentity, StudyFacts, StudySighting
from dicomanon.pacs.connection import Connection
from dicomanon.pacs.query import ClinicalPacs
from dicomanon.pipeline import ingest, pull, validate
from dicomanon.pipeline.staging import Staging
from dicomanon.profile import compile_profile, load_profile
from dicomanon.reasons import HoldReason
from dicomanon.review.looks import Looks
from dicomanon.review.pages import facts_of
from dicomanon.sample.leaks import LeakScanner
from dicomanon.sample.planted import Planted
from dicomanon.settings import ClinicalSettings
from dicomanon.values import MASK, Phi

SECRET = "Thistlemantle^Erminbertinus"


@pytest.fixture(scope="module")
def planted(ingested: Ingested) -> LeakScanner:
    return LeakScanner(ingested.planted)


@pytest.fixture(scope="module")
def sources() -> tuple[list[bytes], LeakScanner]:
    """Three slices, and a scanner for every identifying string in them."""
    found = Planted()
    of = study("stays home", planted=found)
    datasets = [ct(of, number) for number in (1, 2, 3)]
    for dataset in datasets:
        found.gather(dataset)
    return [encoded(dataset) for dataset in datasets], LeakScanner(found.values())


def test_the_scanner_finds_what_is_there(ingested: Ingested, planted: LeakScanner) -> None:
    for source in ingested.sources.values():
        assert planted.scan_bytes(source)


def test_no_research_object_holds_any(ingested: Ingested, planted: LeakScanner) -> None:
    assert [leak for uid, data in ingested.research.items() for leak in planted.scan_bytes(data, uid)] == []


def test_nothing_that_was_staged_holds_any(ingested: Ingested, planted: LeakScanner) -> None:
    assert len(ingested.staged) >= len(ingested.research)
    for name, data in ingested.staged.items():
        assert planted.scan_text(name) == []
        assert planted.scan_bytes(data, name) == []


def test_no_pixel_of_a_face_that_goes_is_written_down(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DICOMANON_PROFILE", str(defacing_profile(tmp_path)))
    head = phantom(spacing=(4.0, 2.0, 2.0))
    objects = head_ct(study("face"), head)
    site.load(*raw(objects))
    Run().pulled()
    written = b"".join(path.read_bytes() for path in site.folder.rglob("*") if path.is_file())
    slices, rows, columns = np.nonzero(head.face)
    for at in range(0, len(slices), 97):
        pixels = objects[slices[at]].pixel_array[rows[at], columns[at] - 4 : columns[at] + 4]
        assert pixels.astype("<i2").tobytes() not in written
    brain = objects[45].pixel_array[70, 40:60].astype("<i2").tobytes()
    assert brain in written, "what stays is there, so what goes would be found"


def test_no_log_line_holds_any(ingested: Ingested, planted: LeakScanner) -> None:
    assert "dicomanon" in ingested.log
    assert planted.scan_text(ingested.log) == []


def test_no_page_of_the_data_docs_and_no_file_name_holds_any(ingested: Ingested, planted: LeakScanner) -> None:
    assert list(ingested.site.data_docs.rglob("*.html"))
    assert planted.scan_path(ingested.site.folder) == []


def test_no_row_of_the_crosswalk_shows_any(ingested: Ingested, planted: LeakScanner) -> None:
    tables = ingested.site.rows("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'crosswalk'")
    assert tables
    with psycopg.connect(ingested.site.dsn) as connection:
        for (table,) in tables:
            rows = connection.execute(f"SELECT t::text FROM crosswalk.{table} t").fetchall()
            assert planted.scan_text("\n".join(row[0] for row in rows), table) == []


def test_no_trace_holds_any(ingested: Ingested, planted: LeakScanner) -> None:
    for account in ingested.site.accounts().values():
        assert planted.scan_text(ingested.site.trace(str(account.research_study_uid)).to_json()) == []
        assert planted.scan_text(repr(account)) == []


def test_steps_return_counts_only(site: Site, sources: tuple[list[bytes], LeakScanner]) -> None:
    site.load(*sources[0])
    for step in Run().steps():
        returned = step()
        assert all(type(value) is int for value in returned.values())
        assert sources[1].scan_text(json.dumps(returned)) == []


def foreign(text: str) -> Iterator[BaseException]:
    """Yield exceptions as libraries raise them: with the value, the URL or the row in their text."""
    yield ValueError(f"invalid literal: {text!r}")
    yield KeyError(text)
    yield UnicodeDecodeError("utf-8", text.encode(), 0, 1, f"cannot decode {text}")
    yield requests.ConnectionError(f"HTTPConnectionPool(host='pacs'): /dicom-web/studies?PatientName={text}")
    yield psycopg.errors.UniqueViolation(f"Key (name)=({text}) already exists")
    yield OSError(5, "Input/output error", f"/tmp/{text}.dcm")


PLACES: list[tuple[str, object, str]] = [
    ("discover", Connection, "search_studies"),
    ("discover", Connection, "search_instances"),
    ("pull", Mapping, "record"),
    ("pull", Staging, "write"),
    ("pull", pull, "requests_for"),
    ("validate", validate, "findings_frame"),
    ("store", Mapping, "record_receipts"),
    ("reconcile", ingest, "totals"),
]


@pytest.mark.parametrize(("step", "owner", "name"), PLACES, ids=[f"{place[0]}-{place[2]}" for place in PLACES])
def test_a_failing_step_tells_nothing(
    site: Site,
    monkeypatch: pytest.MonkeyPatch,
    sources: tuple[list[bytes], LeakScanner],
    step: str,
    owner: object,
    name: str,
) -> None:
    objects, scanner = sources
    first = read(objects[0])
    secret = f"{first.PatientName}|{first.PatientID}|{first.AccessionNumber}|{first.StudyInstanceUID}"
    assert len({leak.planted for leak in scanner.scan_text(secret)}) >= 4, "what is told would be found"
    site.load(*objects)
    for failing in Run().steps():
        if getattr(failing, "func", failing).__name__ == step:
            break
        failing()
    for error in foreign(secret):
        written = io.StringIO()
        with monkeypatch.context() as patched, logged(written):
            patched.setattr(owner, name, raising(error))
            with pytest.raises(DicomanonError) as caught:
                failing()
        told = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + written.getvalue()
        assert scanner.scan_text(told) == [], type(error)
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__
    recorded = site.rows("SELECT t::text FROM crosswalk.task_event t WHERE event = 'failed'")
    assert recorded
    assert scanner.scan_text("\n".join(row[0] for row in recorded)) == []


def raising(error: BaseException) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


def test_a_pacs_that_answers_with_phi_and_an_error_tells_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch, sources: tuple[list[bytes], LeakScanner]
) -> None:
    objects, scanner = sources
    site.load(*objects)
    run = Run()
    run.discover()
    (batch,) = run.plan()

    def refuse(reply: Reply) -> None:
        if reply.is_wado:
            reply.status, reply.content_type, reply.body = 500, "text/plain", objects[0]

    written = io.StringIO()
    with proxy(site.clinical, refuse) as between, logged(written):
        monkeypatch.setenv("DICOMANON_CLINICAL__URL", between.url)
        with pytest.raises(DicomanonError) as caught:
            run.pull(batch)
        assert scanner.scan_text("\n".join(between.paths)), "the URLs themselves hold UIDs"
    assert scanner.scan_text("".join(traceback.format_exception(caught.value)) + written.getvalue()) == []


def test_nothing_identifiable_is_written_to_any_disk(site: Site, sources: tuple[list[bytes], LeakScanner]) -> None:
    objects, scanner = sources
    site.load(*objects)
    run = Run()
    run.discover()
    (batch,) = run.plan()
    with watched_files() as opened:
        run.pull(batch)
    written = [path for path in opened if not path.startswith("/dev/")]
    assert written
    ours = (site.staging, site.folder / "openlineage")
    assert all(any(Path(path).is_relative_to(folder) for folder in ours) for path in written), written
    assert [hit for folder in ours for hit in scanner.scan_path(folder)] == []


def test_what_a_reviewer_looks_at_is_written_nowhere(
    site: Site,
) -> None:
    held = ct(study("looked at"))
    held.BurnedInAnnotation = "YES"
    site.ingest(encoded(held))
    scanner = LeakScanner((str(held.PatientName), str(held.PatientID), held.StudyInstanceUID, held.SOPInstanceUID))
    assert scanner.scan_bytes(encoded(held)), "what is told would be found"
    text_reader()  # Its models are opened once, to be read.
    written = io.StringIO()
    with (
        site.crosswalk() as crosswalk,
        ClinicalPacs(ClinicalSettings.load().clinical) as clinical,
        watched_files() as opened,
        logged(written),
    ):
        rules = compile_profile(load_profile("research"))
        looks = Looks(crosswalk, clinical, rules, actor="reviewer", reason="to see it")
        (one,) = crosswalk.quarantine.of_reason(HoldReason.UNCONFIRMED_DEVICE, limit=9)
        for contrast in (False, True):
            shown = looks.look(one.instance_id, contrast=contrast)
            assert shown.picture is not None
            assert scanner.scan_text(repr(shown) + "".join(facts_of(shown, rules))) == []
    assert [path for path in opened if not path.startswith("/dev/")] == []
    assert scanner.scan_text(written.getvalue()) == []


def test_no_process_carries_any_in_its_arguments(
    site: Site, monkeypatch: pytest.MonkeyPatch, sources: tuple[list[bytes], LeakScanner]
) -> None:
    objects, scanner = sources
    publish, seen = Staging.publish, []

    def watching(staging: Staging, uid: Any) -> None:
        own = psutil.Process()
        seen.extend("\0".join(process.cmdline()) for process in (own, *own.children(recursive=True)))
        publish(staging, uid)

    monkeypatch.setattr(Staging, "publish", watching)
    site.ingest(*objects)
    assert seen
    assert scanner.scan_text("\n".join(seen)) == []


@pytest.mark.parametrize(
    "show", [str, repr, "{}".format, "{!r:>40}".format, "%s".__mod__, lambda value: repr([value]), lambda v: f"{v}"]
)
def test_phi_is_masked_in_every_text(show: Callable[[object], str]) -> None:
    assert SECRET not in show(Phi(SECRET))
    assert MASK in show(Phi(SECRET))
    assert Phi(SECRET).reveal() == SECRET


@pytest.mark.parametrize("leave", [pickle.dumps, json.dumps, copy.deepcopy])
def test_phi_does_not_leave_the_process(leave: Callable[[object], object]) -> None:
    with pytest.raises(TypeError) as caught:
        leave(Phi(SECRET))
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        PatientIdentity(SECRET, SECRET, SECRET, SECRET, SECRET),
        StudyFacts(SECRET, SECRET, SECRET, SECRET),
        StudySighting(SECRET, 3),
        InstanceSighting(SECRET, SECRET, SECRET),
        pull.Request(SECRET, SECRET, SECRET),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_carries_phi_does_not_print_it(value: object) -> None:
    for text in (repr(value), str(value), f"{value}", repr((value,)), repr({"key": value})):
        assert SECRET not in text


class watched_files:
    """Notes every file that this process opens for writing; audit hooks cannot be removed, so this one sleeps after."""

    _awake: list[str] | None = None
    _installed = False

    def __enter__(self) -> list[str]:
        cls = type(self)
        if not cls._installed:
            sys.addaudithook(cls._hook)
            cls._installed = True
        cls._awake = []
        return cls._awake

    def __exit__(self, *_: object) -> None:
        type(self)._awake = None

    @classmethod
    def _hook(cls, event: str, arguments: tuple[Any, ...]) -> None:
        if cls._awake is not None and event == "open":
            path, mode, flags = arguments
            if isinstance(path, str | bytes) and (flags & 0b11 if isinstance(flags, int) else "r" not in str(mode)):
                cls._awake.append(path if isinstance(path, str) else path.decode())
