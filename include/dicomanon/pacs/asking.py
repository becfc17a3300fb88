"""Asks an archive for named people and accession numbers, as far as its answers can be known to be whole.

An answer smaller than another that the same server has given was not cut; one that may have been is split by date and
then by time, as in :mod:`dicomanon.pacs.sweep`.
"""

from collections.abc import Iterator, Mapping

from dicomanon.errors import Fatal
from dicomanon.pacs.connection import Connection, Row
from dicomanon.pacs.paging import list_rows, text
from dicomanon.pacs.wanted import ACCESSION_NUMBER, ALWAYS, ISSUER, PATIENT_ID, NamedStudy, Question
from dicomanon.pacs.windows import STUDY_DATE, Window

STUDY_UID = "0020000D"

_FIELDS = (STUDY_UID, STUDY_DATE, PATIENT_ID, ISSUER, ACCESSION_NUMBER)
_PAGES = 4
"""Enough to know how much the server shows at once."""


class StudyQuestions:
    """Asks one archive; may be used by several threads.

    Parameters
    ----------
    connection
        To the archive; it is asked at once how large an answer it gives.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._largest = len(self._list({}, connection.endpoint.page_size * _PAGES))

    def ask(self, question: Question) -> Iterator[NamedStudy]:
        """Yield what the archive shows, some of it more than once; whether it is what was asked is not looked at.

        Of an answer that is cut, studies without a Study Date may be missing.

        Raises
        ------
        Fatal
            It hides some of it: more fall on one minute than it shows.
        """
        first = self._list(_filters(question, question.window), None)
        yield from first
        if self._may_be_cut(first):
            yield from self._parts(question, question.window)

    def _parts(self, question: Question, window: Window) -> Iterator[NamedStudy]:
        halves = window.halves()
        if halves is None:
            raise Fatal(
                f"the {self._connection.endpoint.name} PACS (QIDO-RS) cuts its answers: "
                f"raise its limit of results above {self._largest}"
            )
        for half in halves:
            found = self._list(_filters(question, half), None)
            yield from found
            if self._may_be_cut(found):
                yield from self._parts(question, half)

    def _may_be_cut(self, found: list[NamedStudy]) -> bool:
        # Nobody cuts answers at a single row.
        return len(found) > 1 and len(found) >= self._largest

    def _list(self, filters: Mapping[str, str], most: int | None) -> list[NamedStudy]:
        def fetch(limit: int, offset: int) -> list[Row]:
            return self._connection.search_studies(filters, _FIELDS, limit, offset)

        listing = list_rows(fetch, _read, page_size=self._connection.endpoint.page_size, most=most)
        return list(listing.rows.values())


def _filters(question: Question, window: Window) -> dict[str, str]:
    return dict(question.filters) | ({} if window == ALWAYS else window.filters())


def _read(row: Row) -> tuple[str, NamedStudy]:
    """Tell rows apart by patient too: an archive that has a study under two Patient IDs shows a row for each."""
    study = NamedStudy(*(text(row, tag) for tag in _FIELDS))
    key = f"{study.study_uid}/{study.patient_id}/{study.issuer}/{study.accession_number}"
    return (key if study.study_uid else ""), study
