"""De-identifies a folder of files with the pipeline's engine, checks and pseudonyms, without any PACS."""

import hashlib
import json
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, partial
from mmap import ACCESS_READ, mmap
from pathlib import Path

from dicomanon.account import signer
from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keys.opening import load_keyring
from dicomanon.crosswalk.roles.role import Role
from dicomanon.deidentify import SourceInstance, UidMapper, parse
from dicomanon.deidentify.faces.policy import must_be_defaced
from dicomanon.errors import Fatal, Held
from dicomanon.pipeline.allowing import allowed_attributes
from dicomanon.pipeline.anonymize import Anonymized, Anonymizer, Source
from dicomanon.pipeline.export import write_map
from dicomanon.pipeline.profiles import require_profile_name, resolve_profile
from dicomanon.pipeline.series import WaitingSeries
from dicomanon.pipeline.slices import SliceBuffer
from dicomanon.profile import CompiledProfile, Profile, compile_profile
from dicomanon.reasons import HoldReason
from dicomanon.settings import CrosswalkSettings
from dicomanon.validate.allowed import AllowedAttributes
from dicomanon.validate.examine import Expected, examine
from dicomanon.validate.findings import Findings
from dicomanon.validate.search import KnownValueSearch
from dicomanon.values import Phi

Counts = dict[str, int]
_NOT_EXAMINED = Findings({}, {})

FILES_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class FileResult:
    """What became of one file; the identifiers of the source are PHI and stay out of ``repr``."""

    state: str
    reason: str = ""
    detail: str = ""
    findings: Findings = _NOT_EXAMINED
    written: str = ""
    uids: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    patient: tuple[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class _Worker:
    """What a process of the pool works with."""

    anonymizer: Anonymizer
    crosswalk: Crosswalk
    allowed: AllowedAttributes
    destination: Path


def deidentify_folder(
    source: Path,
    destination: Path,
    *,
    profile: str,
    jobs: int,
    uid_map: Path | None = None,
    patient_map: Path | None = None,
    report: Path | None = None,
    note: Callable[[int, Sequence["FileResult"]], None] = lambda _, __: None,
) -> Counts:
    """De-identify every file below ``source`` into ``destination``, named by research UIDs.

    Each object is validated on its own before it is written; what fails is held and reported, not written. Pseudonyms,
    date shifts and UIDs are those of the crosswalk, so that a patient is the same one here and in the research PACS.

    Raises
    ------
    Fatal
        The destination is not empty or lies in the source, the profile is not valid or not approved as the site
        demands, or a file cannot be written.
    """
    require_possible(source, destination, profile, [uid_map, patient_map, report])
    files = sorted(path for path in source.rglob("*") if path.is_file())
    # First, so that it stands whatever becomes of the rest.
    rules = _admit(profile, len(files), maps=bool(uid_map or patient_map))
    _make(destination)
    results: dict[Path, FileResult] = {}
    chunks = _chunks(files, rules)
    work = partial(_deidentify_files, rules, destination.resolve())
    with ProcessPoolExecutor(jobs) as pool:
        for chunk, done in zip(chunks, pool.map(work, chunks), strict=True):
            results.update(zip(chunk, done, strict=True))
            note(len(files), done)
    if uid_map is not None:
        write_map(uid_map, _distinct(pair for result in results.values() for pair in result.uids))
    if patient_map is not None:
        write_map(patient_map, _distinct(result.patient for result in results.values() if result.patient))
    if report is not None:
        _write_report(report, {str(path.relative_to(source)): result for path, result in results.items()})
    states = Counter(result.state for result in results.values())
    return {"files": len(files), "written": states["written"], "held": states["held"], "filtered": states["filtered"]}


def _chunks(files: Sequence[Path], rules: Profile) -> list[list[Path]]:
    """Return files in portions for a process; of a series whose face goes, all of them at once."""
    profile = compile_profile(rules)
    whole: dict[str, list[Path]] = defaultdict(list)
    others: list[Path] = []
    for path in files:
        series_uid = _series_to_deface(path, profile) if profile.defaces else None
        (others if series_uid is None else whole[series_uid]).append(path)
    return [*whole.values(), *(others[start : start + FILES_AT_ONCE] for start in range(0, len(others), FILES_AT_ONCE))]


def _series_to_deface(path: Path, profile: CompiledProfile) -> str | None:
    """Return the Series Instance UID of a file whose face goes; of the file no more than its headers is read."""
    try:
        with path.open("rb") as file:
            source = parse(memoryview(mmap(file.fileno(), 0, access=ACCESS_READ)))
        return source.series_uid if must_be_defaced(source, profile) else None
    except Exception:
        return None  # What is wrong with it is found out again, and reported, when it is de-identified.


def require_possible(source: Path, destination: Path, profile: str, outputs: Iterable[Path | None]) -> None:
    """Refuse what cannot end well before anything is done.

    Raises
    ------
    Fatal
        The destination is not empty, lies in the source or cannot be made, the source holds no file, the profile is not
        valid, or the folder of a map or of the report is not there.
    """
    require_profile_name(profile)
    if any(output is not None and not output.absolute().parent.is_dir() for output in outputs):
        raise Fatal("the folder of a map or of the report does not exist: make it first")
    if destination.resolve().is_relative_to(source.resolve()):
        raise Fatal("the destination lies inside the source: name a folder elsewhere")
    try:
        filled = destination.exists() and any(destination.iterdir())
    except OSError as error:
        raise Fatal(f"the destination cannot be read ({error.strerror}): name another folder") from None
    if filled:
        raise Fatal("the destination is not empty: name a new folder, so that no older file is taken for a result")
    if not any(path.is_file() for path in source.rglob("*")):
        raise Fatal("no files in SOURCE: name the folder that holds the DICOM files")
    _require_makeable(destination)


def _make(destination: Path) -> None:
    try:
        destination.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise Fatal(f"the destination cannot be made: {error.strerror}; name another folder") from None


def _require_makeable(destination: Path) -> None:
    """Refuse a destination that cannot be made, by making it and taking away again what was not there."""
    made = [folder for folder in (destination, *destination.parents) if not folder.exists()]
    try:
        _make(destination)
    finally:
        for folder in made:
            with suppress(OSError):
                folder.rmdir()


@cache
def _worker(profile: Profile, destination: Path) -> _Worker:
    """Open what this process works with, once; it is closed with the process."""
    os.umask(0o077)
    settings = CrosswalkSettings.load()
    keyring = load_keyring(settings)
    crosswalk = Crosswalk(settings.crosswalk_dsn.get_secret_value(), keyring, role=Role.INGEST, max_size=1)
    crosswalk.__enter__()
    compiled = compile_profile(profile)
    return _Worker(
        anonymizer=Anonymizer(
            compiled,
            UidMapper(keyring.uid_key),
            crosswalk.patients,
            settings.default_issuer,
            devices=crosswalk.devices.confirmed(),
            reads_unconfirmed=True,
        ),
        crosswalk=crosswalk,
        allowed=allowed_attributes(profile),
        destination=destination,
    )


def _deidentify_files(profile: Profile, destination: Path, paths: Sequence[Path]) -> list[FileResult]:
    worker = _worker(profile, destination)
    results: dict[int, FileResult] = {}
    slices = SliceBuffer()
    series: dict[str, WaitingSeries] = defaultdict(lambda: WaitingSeries(worker.anonymizer))

    def take(outcomes: Iterable[tuple[Source, Anonymized]]) -> None:
        for source, done in outcomes:
            results[source.instance_id] = _result(worker, source, done)

    def finish(groups: Iterable[Sequence[Source]]) -> None:
        for group in groups:
            take(zip(group, worker.anonymizer.anonymize_together(group), strict=True))

    for number, path in enumerate(paths):
        source = _read(worker, number, path)
        if isinstance(source, FileResult):
            results[number] = source
            continue
        if worker.anonymizer.needs_series(source.parsed):
            take(series[source.parsed.series_uid].add(source))
            continue
        key = worker.anonymizer.together(source.parsed)
        if key is None:
            take([(source, worker.anonymizer.anonymize(source))])
        else:
            finish(slices.add(key, source))
    finish(slices.drain())
    for waiting in series.values():
        take(waiting.finish())
    return [results[number] for number in range(len(paths))]


def _read(worker: _Worker, number: int, path: Path) -> Source | FileResult:
    try:
        raw = path.read_bytes()
    except OSError as error:
        return FileResult("held", HoldReason.UNREADABLE, f"the file cannot be read ({error.strerror})")
    try:
        return Source(number, raw, worker.anonymizer.read(raw))
    except Held as held:
        return FileResult("held", held.reason, held.detail)


def _result(worker: _Worker, source: Source, done: Anonymized) -> FileResult:
    if done.outcome.device is not None:
        worker.crosswalk.devices.observe([done.outcome.device])
    if not done.pieces:
        return FileResult(done.outcome.state, done.outcome.reason, done.outcome.detail)
    return _check_and_write(worker, source.parsed, done, b"".join(done.pieces))


def _check_and_write(worker: _Worker, source: SourceInstance, done: Anonymized, data: bytes) -> FileResult:
    outcome = done.outcome
    reason, detail, findings = _judge(worker, done, data)
    if reason:
        return FileResult("held", reason, detail, findings)
    folders = (done.pseudonym, outcome.research_study_uid, outcome.research_series_uid)
    name = Path(*folders, f"{outcome.research_sop_uid}.dcm")
    if not _write_new(worker.destination / name, data):
        return FileResult("held", HoldReason.UID_REUSED, "another file of the folder has the same SOP Instance UID")
    return FileResult(
        "written",
        findings=findings,
        written=str(name),
        uids=(
            (source.study_uid, outcome.research_study_uid),
            (source.series_uid, outcome.research_series_uid),
            (source.sop_uid, outcome.research_sop_uid),
        ),
        patient=(source.identity.patient_id, done.pseudonym),
    )


def _judge(worker: _Worker, done: Anonymized, data: bytes) -> tuple[str, str, Findings]:
    """Return why a de-identified object must be held, ``""`` where it may be written; the detail; the findings."""
    outcome = done.outcome
    expected = Expected(
        pseudonym=done.pseudonym,
        study_uid=outcome.research_study_uid,
        series_uid=outcome.research_series_uid,
        sop_uid=outcome.research_sop_uid,
        sop_class_uid=outcome.sop_class_uid,
        output_digest=outcome.output_digest,
        profile_version=outcome.profile_version,
        date_shift_days=done.date_shift_days,
    )
    try:
        findings = examine(data, expected, KnownValueSearch(done.known_values), worker.allowed)
    except Exception as error:
        # A defect of ours stops no other file, and its text, which may quote a value, goes nowhere.
        return HoldReason.UNEXPECTED, f"{type(error).__name__} while it was validated", _NOT_EXAMINED
    if findings.passed:
        return "", "", findings
    return findings.reason or HoldReason.NONCONFORMANT, findings.detail, findings


def _write_new(path: Path, data: bytes) -> bool:
    """Write a file that is not there yet; tell whether the one that is has the same content."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        incoming = path.with_name(f".{path.name}.{os.getpid()}")
        incoming.write_bytes(data)
        try:
            os.link(incoming, path)  # unlike a rename, it never replaces
        except FileExistsError:
            return hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(data).digest()
        finally:
            incoming.unlink()
    except OSError as error:
        raise Fatal(f"the destination cannot be written ({error.strerror})") from None
    return True


def _distinct(pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[Phi[str], str]]:
    for old, new in dict.fromkeys(pairs):
        yield Phi(old), new


def _admit(profile: str, files: int, *, maps: bool) -> Profile:
    """Return the rules to work by, once who is about to use them on what is in the audit trail."""
    settings = CrosswalkSettings.load()
    keyring = load_keyring(settings)
    with Crosswalk(settings.crosswalk_dsn.get_secret_value(), keyring, role=Role.INGEST, max_size=1) as crosswalk:
        rules = resolve_profile(profile, crosswalk, settings.profile_approvals)
        crosswalk.archives.require_checked()
        reason = "maps of old and new identifiers were written" if maps else "no map was written"
        crosswalk.releases.record_access(signer(), "folder.deidentify", reason, files)
    return rules


def _write_report(path: Path, results: dict[str, FileResult]) -> None:
    """Write what became of each file, by the name that it has in the source: the report stays with the source."""
    shown = {
        name: {
            "state": r.state,
            "reason": r.reason,
            "detail": r.detail,
            "findings": r.findings.counts,
            "places": r.findings.places,
            "written": r.written,
        }
        for name, r in results.items()
    }
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(shown, file, indent=1)
    except OSError as error:
        raise Fatal(f"the report cannot be written ({error.strerror})") from None
