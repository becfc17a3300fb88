"""The clinical PACS as the pipeline sees it: which studies and instances there are, and their bytes."""

from collections.abc import Iterator
from datetime import date
from typing import Self

from dicomanon.errors import DicomanonError
from dicomanon.identity import InstanceSighting, StudySighting
from dicomanon.pacs.asking import StudyQuestions
from dicomanon.pacs.census import ListedStudy, census
from dicomanon.pacs.connection import Connection
from dicomanon.pacs.endpoint import PacsEndpoint
from dicomanon.pacs.listing import list_instances, told_number
from dicomanon.pacs.rendered import rendered_frame
from dicomanon.pacs.retrieve import retrieve
from dicomanon.pacs.sweep import StudySweep


class ClinicalPacs:
    """Reads from a PACS; may be used by several threads.

    Every method raises ``Retriable`` when the PACS cannot answer now and ``Fatal`` when someone has to correct the
    settings of either side. Neither says more than the name of the endpoint, an HTTP status and counts.

    Parameters
    ----------
    endpoint
        Where it is and how hard it may be used.
    """

    def __init__(self, endpoint: PacsEndpoint) -> None:
        self._connection = Connection(endpoint)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def find_studies(
        self, start: date | None = None, end: date | None = None, *, include_undated: bool = True
    ) -> Iterator[StudySighting]:
        """Yield each study of a range of Study Dates once, with the number of instances that the PACS reports.

        Neither one page, nor a limit, an offset, an empty page or a total is trusted: see
        :mod:`dicomanon.pacs.sweep`. Without a bound the whole archive is listed, two to three times.

        Parameters
        ----------
        start, end
            First and last Study Date (0008,0020), both inclusive; ``None`` for no bound.
        include_undated
            Also studies whose Study Date is absent, empty or not a date, whatever the range. That lists the whole
            archive: leave it out of a frequent query of a short range.

        Raises
        ------
        Fatal
            After everything that could be found: more studies fall on one minute than the PACS shows, or studies with
            neither date nor time may hide behind its limit. Nothing found is lost, but something may be missing.

        Notes
        -----
        On a PACS that cuts answers, a study without Study Time is found when its day fits into an answer, and one
        with neither date nor time when the archive does. That such studies exist is noticed only if one is shown.
        """
        sweep = StudySweep(
            self._connection, start or date.min, end or date.max, date.today(), include_undated=include_undated
        )
        for study_uid, row in sweep.run():
            # Some archives leave the number out, or say none although they list the study.
            yield StudySighting(study_uid, row.instances or self._count_or_none(study_uid))

    def census(self) -> Iterator[ListedStudy]:
        """Yield every study of the archive, see :func:`dicomanon.pacs.census.census`."""
        return census(self._connection, date.today())

    def questions(self) -> StudyQuestions:
        """Return what asks by Patient ID or accession number, see :mod:`dicomanon.pacs.asking`."""
        return StudyQuestions(self._connection)

    def sighting(self, study_uid: str) -> StudySighting:
        """Return a study by its UID, with the number of instances that the PACS reports, under all its Patient IDs."""
        told = told_number(self._connection, study_uid)
        return StudySighting(study_uid, told or self._count_or_none(study_uid))

    def list_instances(self, study_uid: str) -> list[InstanceSighting]:
        """Return every instance of a study; none if the PACS does not know the study."""
        return list_instances(self._connection, study_uid)

    def count_instances(self, study_uid: str) -> int:
        """Count the instances of a study by listing them."""
        return len(self.list_instances(study_uid))

    def _count_or_none(self, study_uid: str) -> int:
        """Return 0 for a study that cannot be counted: whoever asks for its instances will hear why, of it alone."""
        try:
            return self.count_instances(study_uid)
        except DicomanonError:
            return 0

    def retrieve_study(self, study_uid: str) -> Iterator[bytes]:
        """Yield the PS3.10 file of each instance of a study; see :func:`dicomanon.pacs.retrieve.retrieve`."""
        return retrieve(self._connection, ("studies", study_uid))

    def retrieve_series(self, study_uid: str, series_uid: str) -> Iterator[bytes]:
        """Yield the PS3.10 file of each instance of a series."""
        return retrieve(self._connection, ("studies", study_uid, "series", series_uid))

    def retrieve_instance(
        self, study_uid: str, series_uid: str, sop_uid: str, *, most_bytes: int | None = None
    ) -> Iterator[bytes]:
        """Yield the PS3.10 file of an instance; more than one part would be a defect of the PACS, and is yielded."""
        path = ("studies", study_uid, "series", series_uid, "instances", sop_uid)
        return retrieve(self._connection, path, most_bytes=most_bytes)

    def rendered_frame(self, study_uid: str, series_uid: str, sop_uid: str, frame: int) -> bytes:
        """Return the PACS's own picture of a frame, see :func:`dicomanon.pacs.rendered.rendered_frame`."""
        return rendered_frame(self._connection, study_uid, series_uid, sop_uid, frame)
