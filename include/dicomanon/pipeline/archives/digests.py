"""Reads a sample of what was stored, and compares its bytes with what the crosswalk says."""

import hashlib
import logging
from datetime import UTC, datetime

from dicomanon.crosswalk.archives.causes import Cause
from dicomanon.crosswalk.archives.rows import Difference, StoredSample
from dicomanon.errors import DicomanonError, Held
from dicomanon.pipeline.runtime import Runtime

log = logging.getLogger(__name__)


def compare_digests(runtime: Runtime, number: int) -> int:
    """Fetch ``number`` stored instances, chosen anew each time, and enter those whose bytes are others.

    Returns
    -------
    int
        How many could be read.
    """
    read = 0
    archives = runtime.crosswalk.archives
    archives.note_removed(datetime.now(UTC))
    for one in archives.sample_stored(number):
        try:
            same = _digest(runtime, one) == one.output_digest
        except Held:
            # That it is missing is what a look finds.
            continue
        except DicomanonError as error:
            log.warning("an instance could not be read: %s", error)
            continue
        read += 1
        difference = Difference(Cause.DIGEST_DIFFERS, one.study_id, one.instance_id)
        now = datetime.now(UTC)
        if same:
            archives.note_same(difference, now)
        else:
            archives.record([difference], now)
    return read


def _digest(runtime: Runtime, one: StoredSample) -> bytes:
    parts = runtime.research.retrieve_instance(one.research_study_uid, one.research_series_uid, one.research_sop_uid)
    digests = [hashlib.sha256(part).digest() for part in parts]
    return digests[0] if len(digests) == 1 else b""
