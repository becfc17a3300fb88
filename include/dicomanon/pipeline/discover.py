"""Finds what the clinical PACS has and the ledger does not: new studies, and studies that have grown."""

import logging
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

from dicomanon.crosswalk.rows import DueStudy
from dicomanon.errors import DicomanonError
from dicomanon.pipeline.chunks import in_chunks
from dicomanon.pipeline.runtime import Runtime
from dicomanon.pipeline.task_reads import record_read

log = logging.getLogger(__name__)

Counts = dict[str, int]

OBSERVED_AT_ONCE = 1000


def discover(
    runtime: Runtime, start: date | None = None, end: date | None = None, quiet_minutes: int | None = None
) -> Counts:
    """Enter every study of the window into the ledger, and every instance of those that are new or grown and quiet.

    Parameters
    ----------
    start, end
        Study Date window, inclusive; ``None`` leaves that side open. Without any bound the site's ``discover_days``
        look back that far; where that is 0, everything is listed, studies without a date too.
    quiet_minutes
        How long a study's instance count must have stood still; the site's setting where ``None``.
    """
    ledger = runtime.crosswalk.ledger
    quiet = timedelta(minutes=runtime.settings.quiet_minutes if quiet_minutes is None else quiet_minutes)
    counts = {"studies": 0, "new": 0, "grown": 0, "shrunk": 0, "enrolled_studies": 0, "enrolled_instances": 0}
    if start is None and end is None and runtime.settings.discover_days:
        start = datetime.now(UTC).date() - timedelta(days=runtime.settings.discover_days)
    # Studies without a date can only be found by listing the whole archive, which a bounded query is there to avoid.
    undated = start is None and end is None
    for chunk in in_chunks(runtime.clinical.find_studies(start, end, include_undated=undated), OBSERVED_AT_ONCE):
        seen = ledger.observe(chunk, datetime.now(UTC))
        counts["studies"] += len(chunk)
        counts["new"] += seen.new
        counts["grown"] += seen.grown
        counts["shrunk"] += seen.shrunk

    def enroll(study: DueStudy) -> int | DicomanonError:
        try:
            sightings = runtime.clinical.list_instances(study.study_uid.reveal())
        except DicomanonError as error:
            # The study stays due, and makes the run red at its end; until then the others go on.
            return error
        return ledger.enroll(study.study_id, sightings, datetime.now(UTC)).new

    due = ledger.due(quiet, datetime.now(UTC))
    record_read(runtime.crosswalk, "task.discover", "source UIDs", len(due))
    troubles: Counter[str] = Counter()
    with ThreadPoolExecutor(runtime.settings.clinical.threads) as pool:
        for outcome in pool.map(enroll, due):
            if isinstance(outcome, DicomanonError):
                troubles[str(outcome)] += 1
            else:
                counts["enrolled_studies"] += 1
                counts["enrolled_instances"] += outcome
    counts["not_listed"] = troubles.total()
    for trouble, studies in troubles.most_common():
        log.warning("%d studies could not be listed: %s", studies, trouble)
    return counts
