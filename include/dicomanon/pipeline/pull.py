"""Streams a batch out of the clinical PACS, de-identifies it in memory and stages what may go on."""

import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from uuid import UUID

from dicomanon.crosswalk.rows import BatchSource
from dicomanon.deidentify import UidMapper
from dicomanon.deidentify.codec import Buffer
from dicomanon.errors import Fatal, Held, Retriable
from dicomanon.pacs.query import ClinicalPacs
from dicomanon.pipeline.anonymize import Anonymized, Anonymizer, Source
from dicomanon.pipeline.profiles import site_profile
from dicomanon.pipeline.runtime import Runtime
from dicomanon.pipeline.series import WaitingSeries
from dicomanon.pipeline.slices import SliceBuffer
from dicomanon.pipeline.staging import Staging
from dicomanon.pipeline.task_reads import record_batch_read
from dicomanon.profile import compile_profile
from dicomanon.reasons import HoldReason
from dicomanon.values import BatchId, ResearchUid

Counts = dict[str, int]

MOST_STRIKES = 5
"""Instances asked for in vain, with none delivered, after which the PACS is taken to be down."""

ROWS_AT_ONCE = 64
"""Crosswalk rows committed together; as many objects wait, written but not published."""


@dataclass(frozen=True, slots=True, repr=False)
class Request:
    """One WADO-RS request: a whole study, a whole series, or one instance; whichever asks for nothing we have."""

    study_uid: str
    series_uid: str = ""
    sop_uid: str = ""

    def stream(self, pacs: ClinicalPacs) -> Iterator[bytes]:
        """Yield the Part 10 objects that the request delivers; none of what the PACS does not have any more.

        Raises
        ------
        Undelivered
            The PACS failed or refused; raised by the stream alone, so that no other trouble is taken for it.
        """
        try:
            if self.sop_uid:
                yield from pacs.retrieve_instance(self.study_uid, self.series_uid, self.sop_uid)
            elif self.series_uid:
                yield from pacs.retrieve_series(self.study_uid, self.series_uid)
            else:
                yield from pacs.retrieve_study(self.study_uid)
        except Held:
            return
        except (Retriable, Fatal) as error:
            raise Undelivered(error) from None


class Undelivered(Exception):
    """A request's stream broke off or was refused; ``cause`` says how, without a value."""

    def __init__(self, cause: Retriable | Fatal) -> None:
        super().__init__(str(cause))
        self.cause = cause


def pull_and_anonymize(runtime: Runtime, batch_id: BatchId, *, last_try: bool = True) -> Counts:
    """Bring every unsettled instance of the batch to ``deidentified``, ``held`` or ``filtered``.

    Mapping rows are committed before an object gets the name under which the next step finds it. Running it again
    does only what is missing.

    Parameters
    ----------
    last_try
        Whether nobody will try again: only then is an instance that the PACS fails to deliver, while it delivers
        others, held as ``not-retrieved``.

    Raises
    ------
    Retriable, Fatal
        The clinical PACS or the crosswalk failed; what was done until then stays done.
    """
    profile = compile_profile(site_profile(runtime))
    anonymizer = Anonymizer(
        profile=profile,
        uids=UidMapper(runtime.keyring.uid_key),
        patients=runtime.crosswalk.patients,
        default_issuer=runtime.settings.default_issuer,
        devices=runtime.crosswalk.devices.confirmed(),
    )
    staging = Staging(runtime.settings.staging_dir, batch_id)
    todo = [source for source in runtime.crosswalk.ledger.batch_sources(batch_id) if _is_missing(source, staging)]
    record_batch_read(runtime.crosswalk, "task.pull", "source UIDs and identities", batch_id, len(todo))
    desk = _Desk(runtime, batch_id, staging)
    fetcher = _Fetcher(runtime, anonymizer, desk, todo)

    def fetch_what_comes(request: Request) -> Undelivered | None:
        try:
            fetcher.fetch(request)
        except Undelivered as error:
            return error
        return None

    strikes: list[int] = []

    def ask_by_name(row: BatchSource) -> Undelivered | None:
        """Ask for one instance; where the PACS fails for others too, it is the PACS that fails."""
        failure = fetch_what_comes(one_instance(row))
        if failure is None:
            return None
        strikes.append(row.instance_id)
        delivered = next((other for other in todo if desk.has(other)), None)
        if delivered is None:
            if len(strikes) >= MOST_STRIKES:
                raise failure.cause
            return failure
        try:
            next(one_instance(delivered).stream(runtime.clinical), None)
        except Undelivered as error:
            raise error.cause from None
        return failure

    try:
        with ThreadPoolExecutor(runtime.settings.pull_threads) as pool:
            requests = requests_for(todo, whole_series=profile.defaces)
            broken = [error for error in pool.map(fetch_what_comes, requests) if error]
            # What a study's or a series' stream left out is asked for by name before it counts as lost.
            refused = [error for error in pool.map(ask_by_name, [row for row in todo if not desk.has(row)]) if error]
        if fetcher.waits_for_more:
            refused += broken
        undelivered = [row.instance_id for row in todo if not desk.has(row)]
        if refused and len(undelivered) == len(todo):
            raise refused[0].cause  # Nothing vouches for the PACS: it is not for the instances to pay.
        if refused and not last_try:
            raise Retriable(f"the clinical PACS does not deliver {len(refused)} instances of {len(todo)}")
        fetcher.hold_the_rest()
    finally:
        desk.flush()
    runtime.crosswalk.mapping.hold(batch_id, undelivered, HoldReason.NOT_RETRIEVED)
    return {"instances": len(todo), **desk.counts, "not_retrieved": len(undelivered)}


def requests_for(sources: Sequence[BatchSource], *, whole_series: bool = False) -> list[Request]:
    """Choose the fewest requests that deliver ``sources`` and nothing that is already settled.

    Parameters
    ----------
    whole_series
        Whether series are needed whole, one at a time, with what is settled of them: a face is found in a volume only.
    """
    by_series: dict[tuple[UUID, UUID], list[BatchSource]] = defaultdict(list)
    by_study: dict[UUID, int] = defaultdict(int)
    for source in sources:
        by_series[source.study_id, source.series_id].append(source)
        by_study[source.study_id] += 1
    requests: dict[Request, None] = {}
    for (study_id, _), members in by_series.items():
        first = members[0]
        if by_study[study_id] == first.study_instances and not whole_series:
            requests[Request(first.study_uid.reveal())] = None
        elif len(members) == first.series_instances or whole_series:
            requests[Request(first.study_uid.reveal(), first.series_uid.reveal())] = None
        else:
            requests |= dict.fromkeys(map(one_instance, members))
    return list(requests)


def one_instance(source: BatchSource) -> Request:
    """Return the request for just this instance."""
    return Request(source.study_uid.reveal(), source.series_uid.reveal(), source.sop_uid.reveal())


def _is_missing(source: BatchSource, staging: Staging) -> bool:
    if source.state == "discovered":
        return True
    if source.state in {"deidentified", "validated"} and source.research_sop_uid:
        return not staging.holds(source.research_sop_uid)
    return False


class _Fetcher:
    """De-identifies what requests deliver, slices of a series together, and hands it to the desk.

    Where the profile takes faces out, objects that may show one wait until the clinical PACS has delivered all that it
    lists of their series.
    """

    def __init__(self, runtime: Runtime, anonymizer: Anonymizer, desk: "_Desk", todo: Sequence[BatchSource]) -> None:
        self._pacs = runtime.clinical
        self._anonymizer = anonymizer
        self._desk = desk
        self._wanted = {one_instance(row): row for row in todo}
        self._rows = {row.instance_id: row for row in todo}
        self._series: dict[tuple[str, str], WaitingSeries] = {}
        for row in todo if anonymizer.profile.defaces else ():
            key = row.study_uid.reveal(), row.series_uid.reveal()
            series = self._series.setdefault(key, WaitingSeries(anonymizer, row.series_instances))
            series.awaited.add(row.sop_uid.reveal())

    @property
    def waits_for_more(self) -> bool:
        """Whether objects wait for others of their series."""
        return any(series.waits for series in self._series.values())

    def hold_the_rest(self) -> None:
        """Hold what waits for objects that do not come."""
        for series in self._series.values():
            self._take_over(
                series.hold(f"{series.missing} of {series.expected} instances of its series did not come whole")
            )

    def fetch(self, request: Request) -> None:
        """Take all that a request delivers.

        Raises
        ------
        Undelivered
            The stream broke off; what came before is taken.
        """
        slices = SliceBuffer()
        try:
            for raw in request.stream(self._pacs):
                self._take(request, raw, slices)
        finally:
            # Also of a stream that broke off: what it delivered is not asked for again.
            self._finish(slices.drain())
            series = self._series.get((request.study_uid, request.series_uid))
            if series is not None and not series.missing:
                self._take_over(series.finish())

    def _take(self, request: Request, raw: bytes, slices: SliceBuffer) -> None:
        try:
            parsed = self._anonymizer.read(raw)
        except Held as held:
            # Only a request for one instance tells which one cannot be read; others find it missing later.
            row = self._wanted.get(request)
            if row is not None and self._desk.claim(row):
                self._desk.take(row, self._anonymizer.unreadable(row.instance_id, raw, held))
            return
        row = self._wanted.get(Request(parsed.study_uid, parsed.series_uid, parsed.sop_uid))
        series = self._series.get((parsed.study_uid, parsed.series_uid))
        if series is not None:
            series.note(parsed.sop_uid)
        if row is None and series is not None and self._anonymizer.needs_series(parsed):
            series.add_other(raw, parsed)
        if row is None or not self._desk.claim(row):
            return
        source = Source(row.instance_id, raw, parsed, row.study_id)
        if series is not None and self._anonymizer.needs_series(parsed):
            self._take_over(series.add(source))
            return
        key = self._anonymizer.together(parsed)
        if key is None:
            self._desk.take(row, self._anonymizer.anonymize(source))
        else:
            self._finish(slices.add(key, source))

    def _finish(self, groups: Iterable[Sequence[Source]]) -> None:
        for group in groups:
            self._take_over(zip(group, self._anonymizer.anonymize_together(group), strict=True))

    def _take_over(self, outcomes: Iterable[tuple[Source, Anonymized]]) -> None:
        for source, done in outcomes:
            self._desk.take(self._rows[source.instance_id], done)


@dataclass(slots=True)
class _Desk:
    """Collects outcomes from the worker threads and commits them in bulk, rows first, objects second."""

    runtime: Runtime
    batch_id: BatchId
    staging: Staging
    counts: Counts = field(default_factory=lambda: {"deidentified": 0, "held": 0, "filtered": 0})
    _waiting: list[Anonymized] = field(default_factory=list)
    _claimed: set[int] = field(default_factory=set)
    _known: dict[UUID, set[str]] = field(default_factory=lambda: defaultdict(set))
    _recorded_known: dict[UUID, set[str]] = field(default_factory=lambda: defaultdict(set))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def claim(self, source: BatchSource) -> bool:
        """Reserve an instance for the calling thread; a second delivery of it is refused."""
        with self._lock:
            if source.instance_id in self._claimed:
                return False
            self._claimed.add(source.instance_id)
            return True

    def has(self, source: BatchSource) -> bool:
        """Tell whether the instance has been delivered."""
        return source.instance_id in self._claimed

    def take(self, source: BatchSource, done: Anonymized) -> None:
        """Take over one outcome; its object is written at once, so that memory holds one object a thread."""
        if done.pieces:
            self._write(ResearchUid(done.outcome.research_sop_uid), done.pieces)
        with self._lock:
            self._claimed.add(source.instance_id)
            self._waiting.append(Anonymized(done.outcome, (), frozenset()))
            self._known[source.study_id] |= done.known_values
            self.counts[done.outcome.state] += 1
            if len(self._waiting) >= ROWS_AT_ONCE:
                self._commit()

    def flush(self) -> None:
        """Commit what waits."""
        with self._lock:
            self._commit()

    def _commit(self) -> None:
        mapping = self.runtime.crosswalk.mapping
        for study_id, values in self._known.items():
            fresh = values - self._recorded_known[study_id]
            if fresh:
                mapping.add_known_values(study_id, fresh)
                self._recorded_known[study_id] |= fresh
        self._known.clear()
        outcomes = [done.outcome for done in self._waiting]
        if outcomes:
            mapping.record(self.batch_id, outcomes)
        for outcome in outcomes:
            if outcome.state == "deidentified":
                self.staging.publish(ResearchUid(outcome.research_sop_uid))
        self._waiting.clear()

    def _write(self, sop_uid: ResearchUid, pieces: tuple[Buffer, ...]) -> None:
        try:
            self.staging.write(sop_uid, pieces)
        except OSError as error:
            raise Fatal(f"staging cannot be written ({error.strerror}): free space in DICOMANON_STAGING_DIR") from None
