"""One check of the archives: survey, looks as long as there is time, what is not settled, what staging has left."""

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID

from dicomanon.crosswalk.archives.causes import Cause, Severity, found_by, texts
from dicomanon.crosswalk.archives.rows import ArchiveCheck, Difference, LedgerStudy
from dicomanon.deidentify.uids import UidMapper
from dicomanon.errors import Fatal
from dicomanon.pipeline.archives.digests import compare_digests
from dicomanon.pipeline.archives.look import look
from dicomanon.pipeline.archives.survey import Survey
from dicomanon.pipeline.removal.certificate import certified_removals
from dicomanon.pipeline.runtime import Runtime
from dicomanon.pipeline.staging import Staging, staged_batches

log = logging.getLogger(__name__)

Counts = dict[str, int]

_STUDIES_AT_ONCE = 100
_FIRST = UUID(int=0)
_BLOCKING = {Cause.PSEUDONYM_UNKNOWN, Cause.STUDY_UNKNOWN, Cause.REMOVAL_UNKNOWN}
"""After a restore. A study that is not recognised may be of a new patient too, if the clinical PACS has it no more."""


def check_archives(runtime: Runtime, *, minutes: int | None = None, digests: int = 0) -> Counts:
    """Compare all places, enter what differs, and print it; nothing is changed but the list of differences.

    Parameters
    ----------
    minutes
        How long instances are compared one by one, study after study, from where the last check stopped; the site's
        setting where ``None``.
    digests
        How many stored instances are read whole, to compare their digests.

    Returns
    -------
    dict
        How much differs, by cause; how many studies were looked at.
    """
    archives = runtime.crosswalk.archives
    check = archives.open_check(datetime.now(UTC))
    mapper = UidMapper(runtime.keyring.uid_key)
    try:
        whole = Survey(runtime, check.id, mapper).run()
    finally:
        archives.clear_survey(check.id)
    time = timedelta(minutes=runtime.settings.archives_minutes if minutes is None else minutes)
    looked = _look_around(runtime, check, mapper, time)
    _unsettled(runtime)
    _leftovers(runtime)
    _unknown_removals(runtime)
    read = compare_digests(runtime, digests) if digests else 0
    found = archives.open_counts()
    if whole and not found.keys() & _BLOCKING:
        archives.confirm_restorations(datetime.now(UTC))
    counts = {"studies_looked_at": looked, "digests_compared": read} | {
        cause.value: number for cause, number in found.items()
    }
    archives.close_check(check.id, counts, datetime.now(UTC))
    for line in report(found):
        log.info(line)
    return counts


def report(found: Mapping[Cause, int]) -> list[str]:
    """Return what differs in words, the worst first."""
    if not found:
        return ["both archives, the ledger and the crosswalk say the same"]
    order = list(Severity)
    worst_first = sorted(found, key=lambda cause: (order.index(texts()[cause].severity), cause))
    lines = []
    for cause in worst_first:
        text = texts()[cause]
        lines += [f"{found[cause]:>8}  {cause} ({text.severity}): {text.meaning}", f"{'':10}{text.action}"]
    return lines


def require_nothing_lost(counts: Mapping[str, int], red: str) -> None:
    """Make a check red when something is lost, or when anything differs that does not pass by itself.

    Parameters
    ----------
    red
        ``lost`` or ``any``, the setting ``archives_red``.

    Raises
    ------
    Fatal
        Naming how many; the list has the rest.
    """
    bad = {Severity.LOST} if red == "lost" else set(Severity) - {Severity.PASSING}
    number = sum(counts.get(cause.value, 0) for cause, text in texts().items() if text.severity in bad)
    if number:
        raise Fatal(f"{number} differences need somebody: `dicomanon archives list` names them and says what to do")


def _look_around(runtime: Runtime, check: ArchiveCheck, mapper: UidMapper, time: timedelta) -> int:
    """Look again at studies of which something differs, then at all by id, from where the last check stopped.

    It ends when all have been looked at, or when the time is over; the first take at most half of it.
    """
    archives = runtime.crosswalk.archives
    begun = datetime.now(UTC)
    looked = 0
    with ThreadPoolExecutor(runtime.settings.clinical.threads) as pool:

        def each(studies: Sequence[LedgerStudy]) -> int:
            return len(list(pool.map(lambda study: look(runtime, study, mapper), studies)))

        after: UUID | None = _FIRST
        while after is not None and datetime.now(UTC) < begun + time / 2:
            studies = archives.studies_after(after, _STUDIES_AT_ONCE, doubtful=True)
            looked += each(studies)
            after = studies[-1].study_id if studies else None
        after = check.looked_up_to or _FIRST
        while after is not None and datetime.now(UTC) < begun + time:
            studies = archives.studies_after(after, _STUDIES_AT_ONCE)
            looked += each(studies)
            after = studies[-1].study_id if len(studies) == _STUDIES_AT_ONCE else None
            archives.note_looked(check.id, after)
    return looked


def _unsettled(runtime: Runtime) -> None:
    begun = datetime.now(UTC)
    before = begun - timedelta(hours=runtime.settings.unsettled_hours)
    chunk: list[Difference] = []
    for study_id, instances in runtime.crosswalk.archives.unsettled(before):
        chunk.append(Difference(Cause.UNSETTLED, study_id, detail=f"{instances} instances"))
        if len(chunk) == _STUDIES_AT_ONCE:
            _record(runtime, chunk)
            chunk = []
    _record(runtime, chunk)
    runtime.crosswalk.archives.note_gone(found_by("ledger"), begun, datetime.now(UTC))


def _leftovers(runtime: Runtime) -> None:
    """Enter folders of staging that are old, and whose batch has nothing left to do or is none of this crosswalk."""
    begun = datetime.now(UTC)
    before = (begun - timedelta(hours=runtime.settings.unsettled_hours)).timestamp()
    found = []
    for batch_id in staged_batches(runtime.settings.staging_dir):
        folder = Staging(runtime.settings.staging_dir, batch_id).folder
        if folder.stat().st_mtime < before:
            sources = runtime.crosswalk.ledger.batch_sources(batch_id)
            state = "settled" if sources and all(source.state.terminal for source in sources) else "not settled"
            found.append(
                Difference(Cause.STAGING_LEFTOVER, detail=f"batch {batch_id}: {state if sources else 'empty'}")
            )
    _record(runtime, found)
    runtime.crosswalk.archives.note_gone(found_by("staging"), begun, datetime.now(UTC))


def _unknown_removals(runtime: Runtime) -> None:
    """Enter certificates of removals that the crosswalk does not know, since it was restored from before them."""
    begun = datetime.now(UTC)
    certified = certified_removals(runtime.settings.certificate_dir)
    archives = runtime.crosswalk.archives
    unknown = archives.unknown_removals(certified)
    _record(runtime, [Difference(Cause.REMOVAL_UNKNOWN, detail=certified[one].name) for one in sorted(unknown)])
    archives.note_gone(found_by("certificates"), begun, datetime.now(UTC))


def _record(runtime: Runtime, found: Sequence[Difference]) -> None:
    runtime.crosswalk.archives.record(found, datetime.now(UTC))
