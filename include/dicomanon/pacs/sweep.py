"""Finds every study of a date range although the archive may show only a part of any answer, and not say so.

How an answer is known to be whole: a server that cuts answers cuts them at some size. An answer smaller than another
that the same server has given was therefore not cut. An answer as large as any before it may have been, so its window
is split, by date and then by time, and what the parts show more is taken too.
"""

from collections.abc import Generator, Iterator
from datetime import date, timedelta
from typing import NamedTuple

from dicomanon.errors import Fatal
from dicomanon.pacs.connection import Connection, Row
from dicomanon.pacs.paging import Listing, list_rows, number, text
from dicomanon.pacs.windows import MINUTES_OF_DAY, STUDY_DATE, STUDY_TIME, DateWindow, TimeWindow, Window, parse_date

STUDY_UID = "0020000D"
PATIENT_ID = "00100020"
SOP_UID = "00080018"
INSTANCES_OF_STUDY = "00201208"

_FIELDS = (STUDY_UID, STUDY_DATE, STUDY_TIME, INSTANCES_OF_STUDY, PATIENT_ID)
_ONE_DAY = timedelta(days=1)
_EARLIEST_EXPECTED = date(1900, 1, 1)
_WIDEST_DAYS = 36_525
_PAGES_OF_A_WINDOW = 4
_PAGES_OF_INSTANCES = 200


class StudyRow(NamedTuple):
    """What an archive says about a study; ``instances`` is ``None`` where it says nothing usable.

    ``patient`` tells rows of different patients apart, and is no Patient ID.
    """

    date: str
    time: str
    instances: int | None
    patient: int = 0


Found = tuple[str, StudyRow]
"""A Study Instance UID, and what was said about the study."""


class StudySweep:
    """One sweep over the studies of an archive; not to be used twice.

    Parameters
    ----------
    connection
        To the archive.
    start, end
        First and last Study Date wanted; ``date.min`` and ``date.max`` for no bound.
    today
        Where the archive is expected to end.
    include_undated
        Whether to look for studies that no range of dates matches: without a Study Date, or with one that is none.
    distinct
        Whether each study is yielded once. If not, some come more than once, and memory does not grow with the archive
        (unless ``include_undated`` lists it whole).
    """

    def __init__(
        self,
        connection: Connection,
        start: date,
        end: date,
        today: date,
        *,
        include_undated: bool,
        distinct: bool = True,
    ) -> None:
        self._connection = connection
        self._page_size = connection.endpoint.page_size
        self._most = self._page_size * _PAGES_OF_A_WINDOW
        self._start = start
        self._end = end
        self._today = today
        self._include_undated = include_undated
        self._distinct = distinct
        self._seen: set[str] = set()
        self._found = 0
        self._unfiltered: Listing[StudyRow] = Listing({}, 0, overflowed=True)
        self._largest = 0
        self._cuts = False
        self._unproven = 0
        self._nameless = 0

    def run(self) -> Iterator[Found]:
        """Yield each study, once where that was asked for.

        Raises
        ------
        Fatal
            After everything that could be found: the archive hides studies, or lists some without a UID.
        """
        # Asked for first, because it shows how large an answer the server gives.
        self._unfiltered = self._list({}, None if self._include_undated else self._most)
        self._largest = len(self._unfiltered.rows)
        yield from self._fresh(self._unfiltered.rows)
        listed = yield from self._sweep_dates()
        if self._include_undated:
            # An answer to no filter at all may be cut like any other; times find the studies without a date again.
            listed |= yield from self._sweep_times(len(self._unfiltered.rows))
            self._check_neither_date_nor_time(listed)
        who = f"the {self._connection.endpoint.name} PACS (QIDO-RS)"
        if self._nameless:
            raise Fatal(f"{who} listed {self._nameless} studies without UID, besides {self._found} others")
        if self._unproven:
            raise Fatal(
                f"{who} cuts its answers, and {self._unproven} windows cannot be split further: "
                f"raise its limit of results above {self._largest}; {self._found} studies were found"
            )

    def _sweep_dates(self) -> Generator[Found, None, set[str]]:
        """Go from the newest studies to the oldest, in windows that grow where there are few and shrink where many."""
        listed: set[str] = set()
        last = self._today + _ONE_DAY
        if self._end > last:
            listed |= yield from self._examine(DateWindow(max(self._start, last + _ONE_DAY), self._end))
        last = min(self._end, last)
        first = max(self._start, _EARLIEST_EXPECTED)
        days = 1
        while last >= first:
            window = DateWindow(max(first, last - timedelta(days=days - 1)), last)
            found = yield from self._examine(window)
            if self._include_undated:
                # Asked for only then; without it, memory is that of a window.
                listed |= found
            if len(found) <= self._page_size // 4:
                days = min(days * 2, _WIDEST_DAYS)
            elif len(found) > self._page_size:
                days = max(days // 2, 1)
            last = window.start - _ONE_DAY
        if self._start < _EARLIEST_EXPECTED:
            window = DateWindow(self._start, min(self._end, _EARLIEST_EXPECTED - _ONE_DAY))
            listed |= yield from self._examine(window)
        return listed

    def _sweep_times(self, expected: int) -> Generator[Found, None, set[str]]:
        listed: set[str] = set()
        width = max(1, MINUTES_OF_DAY * self._page_size // max(expected, self._page_size))
        for start in range(0, MINUTES_OF_DAY, width):
            listed |= yield from self._examine(TimeWindow(None, start, min(start + width, MINUTES_OF_DAY)))
        return listed

    def _examine(self, window: Window) -> Generator[Found, None, set[str]]:
        """Yield what is new in a window, and return the UIDs of all studies in it."""
        halves = window.halves()
        is_day = isinstance(window, DateWindow) and window.start == window.end
        # A day is listed to its end, since what has no time is not in any part of it.
        listing = self._list(window.filters(), None if is_day or halves is None else self._most)
        yield from self._fresh(listing.rows)
        listed = set(listing.rows)
        self._cuts = self._cuts or not (self._unfiltered.overflowed or listed <= self._unfiltered.rows.keys())
        if not listing.overflowed:
            # Nobody cuts answers at a single row.
            if len(listed) <= 1 or len(listed) < self._largest:
                return listed
            self._largest = len(listed)
        if halves is None:
            listed |= yield from self._ask_for_instances(window, listing)
            return listed
        for half in halves:
            listed |= yield from self._examine(half)
        more = not listing.overflowed and len(listed) > len(listing.rows)
        self._cuts = self._cuts or more
        if is_day and more and any(not row.time for row in listing.rows.values()):
            # The answer for the day was cut, and may have hidden more that have no time.
            listed |= yield from self._ask_for_instances(window, listing)
        return listed

    def _ask_for_instances(self, window: Window, listing: Listing[StudyRow]) -> Generator[Found, None, set[str]]:
        """Take the studies of a window that can be split no further from a list of its instances.

        Archives have another limit for instances, or none; whether that list is whole is told in the same way: the
        archive has shown a longer one.
        """
        try:
            instances = self._list_instances(window.filters(), self._page_size * _PAGES_OF_INSTANCES)
            whole = not instances.overflowed and self._list_instances({}, len(instances.rows)).overflowed
        except Fatal:
            # Searching all instances is optional (PS3.18 10.6.1): without it nothing vouches for the window.
            self._unproven += 1
            return set()
        counted = sum(row.instances or 1 for row in listing.rows.values())
        hidden = set(instances.rows.values()) - listing.rows.keys() - {""}
        for uid in hidden:
            row = self._list({STUDY_UID: uid}, None).rows.get(uid, StudyRow("", "", None))
            counted += row.instances or 1
            yield from self._fresh({uid: row})
        if not whole:
            # Where all that the archive has falls into the window, there is no longer list to be shown. Then the counts
            # have to agree; and if the archive is known to cut answers, with a list that it would have cut.
            agrees = not instances.overflowed and len(instances.rows) >= counted
            self._unproven += not agrees or ((self._cuts or bool(hidden)) and len(instances.rows) <= self._largest)
        return hidden

    def _check_neither_date_nor_time(self, listed: set[str]) -> None:
        """Count it as unproven if a study that no window shows can hide behind a cut of the unfiltered answer."""
        if all(parse_date(row.date) or row.time for row in self._unfiltered.rows.values()):
            return
        missing = listed - self._unfiltered.rows.keys()
        # Asked for again, since what is missing may just have arrived in between.
        if missing and missing - self._list({}, None).rows.keys():
            self._unproven += 1

    def _list(self, filters: dict[str, str], most: int | None) -> Listing[StudyRow]:
        def fetch(limit: int, offset: int) -> list[Row]:
            return self._connection.search_studies(filters, _FIELDS, limit, offset)

        listing = list_rows(fetch, _read_study, page_size=self._page_size, most=most, merge=_one_study)
        self._nameless = max(self._nameless, listing.nameless)
        return listing

    def _list_instances(self, filters: dict[str, str], most: int) -> Listing[str]:
        def fetch(limit: int, offset: int) -> list[Row]:
            return self._connection.search_instances(None, filters, (STUDY_UID, SOP_UID), limit, offset)

        return list_rows(fetch, _read_instance, page_size=self._page_size, most=most)

    def _fresh(self, rows: dict[str, StudyRow]) -> Iterator[Found]:
        for uid, row in rows.items():
            if uid in self._seen:
                continue
            day = parse_date(row.date)
            if self._include_undated if day is None else self._start <= day <= self._end:
                self._found += 1
                if self._distinct:
                    self._seen.add(uid)
                yield uid, row


def _read_study(row: Row) -> tuple[str, StudyRow]:
    return text(row, STUDY_UID), StudyRow(
        text(row, STUDY_DATE), text(row, STUDY_TIME), number(row, INSTANCES_OF_STUDY), hash(text(row, PATIENT_ID))
    )


def _one_study(known: StudyRow, again: StudyRow) -> StudyRow:
    """Merge two rows of a study: an archive that has it under two Patient IDs counts each part by itself."""
    if known == again:
        return known
    return StudyRow(known.date or again.date, known.time or again.time, None)


def _read_instance(row: Row) -> tuple[str, str]:
    """Tell instances apart by study too: a SOP Instance UID that two studies share is two rows, and both count."""
    study_uid, sop_uid = text(row, STUDY_UID), text(row, SOP_UID)
    return (f"{study_uid}/{sop_uid}" if sop_uid else ""), study_uid
