"""Every study of an archive in little memory, however many there are; some come more than once.

Two ways, because each misses what the other finds. Pages of the answer to no filter at all show what has no Study Date,
but a server may cut them. Windows of Study Date, split until nothing can hide (:mod:`dicomanon.pacs.sweep`), are proven
whole, but show only what has a date. Whoever keeps what came by which way can tell whether the pages were cut.
"""

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from dicomanon.pacs.connection import Connection
from dicomanon.pacs.paging import number, text
from dicomanon.pacs.sweep import StudySweep
from dicomanon.pacs.windows import STUDY_DATE, parse_date

STUDY_UID = "0020000D"
PATIENT_ID = "00100020"
INSTANCES_OF_STUDY = "00201208"

_FIELDS = (STUDY_UID, STUDY_DATE, INSTANCES_OF_STUDY, PATIENT_ID)
_MOST_ROWS = 20


class ListedStudy(NamedTuple):
    """What an archive says of a study in one row.

    ``instances`` is ``None`` where it says nothing usable. ``patient`` is the hash, by this process, of the Patient ID.
    ``paged`` tells whether the row came by the answer to no filter, ``dated`` whether it has a Study Date.
    """

    uid: str
    instances: int | None
    patient: int
    paged: bool
    dated: bool


def census(connection: Connection, today: date) -> Iterator[ListedStudy]:
    """Yield every study at least once.

    Memory is that of a page, and of the largest window of Study Date that can be split no further (a day).

    Raises
    ------
    Fatal
        After everything that could be found: the archive hides studies that have a date, or lists some without a UID.
    """
    yield from _pages(connection)
    sweep = StudySweep(connection, date.min, date.max, today, include_undated=False, distinct=False)
    for uid, row in sweep.run():
        yield ListedStudy(uid, row.instances, row.patient, paged=False, dated=True)


def _pages(connection: Connection) -> Iterator[ListedStudy]:
    """Page by offset; a page that repeats the first one or the last one means that there is no more to be shown."""
    first: set[str] | None = None
    last: set[str] = set()
    offset = 0
    while True:
        page = connection.search_studies({}, _FIELDS, connection.endpoint.page_size, offset)
        uids = {text(row, STUDY_UID) for row in page}
        if not page or uids <= last or (first is not None and uids <= first):
            return
        first = first or uids
        last = uids
        for row in page:
            if uid := text(row, STUDY_UID):
                yield ListedStudy(
                    uid,
                    number(row, INSTANCES_OF_STUDY),
                    hash(text(row, PATIENT_ID)),
                    paged=True,
                    dated=parse_date(text(row, STUDY_DATE)) is not None,
                )
        offset += len(page)


def patient_ids(connection: Connection, study_uid: str) -> set[str]:
    """Return the Patient IDs that an archive has a study under."""
    rows = connection.search_studies({STUDY_UID: study_uid}, (STUDY_UID, PATIENT_ID), _MOST_ROWS, 0)
    return {text(row, PATIENT_ID) for row in rows if text(row, STUDY_UID) == study_uid}
