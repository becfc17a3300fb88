"""Surveys both archives study by study: finds what one side has and the other does not, and where counts differ.

Memory is that of a chunk of studies. What an archive lists goes into a scratch table of the crosswalk, where the
database joins it with the ledger; what is absent from it is asked for by name before it is believed to be absent.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar
from uuid import UUID

from dicomanon.crosswalk.archives.causes import Cause, found_by
from dicomanon.crosswalk.archives.rows import Difference, LedgerStudy, SurveyedStudy
from dicomanon.crosswalk.archives.surveys import CLINICAL, RESEARCH
from dicomanon.crosswalk.rows import InstanceState
from dicomanon.deidentify.uids import UidMapper
from dicomanon.errors import DicomanonError
from dicomanon.pacs.census import ListedStudy
from dicomanon.pipeline.archives.look import look
from dicomanon.pipeline.chunks import in_chunks
from dicomanon.pipeline.runtime import Runtime
from dicomanon.values import Phi

log = logging.getLogger(__name__)

T = TypeVar("T")

STUDIES_AT_ONCE = 500


class Survey:
    """The survey of one check.

    Parameters
    ----------
    check_id
        The check that the scratch rows belong to.
    """

    def __init__(self, runtime: Runtime, check_id: UUID, mapper: UidMapper) -> None:
        self._runtime = runtime
        self._archives = runtime.crosswalk.archives
        self._check = check_id
        self._mapper = mapper
        self._begun = datetime.now(UTC)
        self._undated = False

    def run(self) -> bool:
        """Survey the clinical PACS, then the research PACS; tell whether both were listed to their end."""
        clinical = self._side(CLINICAL, self._runtime.clinical.census(), self._clinical)
        research = self._side(RESEARCH, self._runtime.research.census(), self._research)
        if clinical and research:
            self._archives.note_gone(found_by("survey"), self._begun, datetime.now(UTC))
        return clinical and research

    def _side(self, side: str, listed: Iterator[ListedStudy], compare: Callable[[list[ListedStudy]], None]) -> bool:
        self._undated = False
        whole = True
        chunks = in_chunks(listed, STUDIES_AT_ONCE)
        while True:
            try:
                chunk = next(chunks, None)
            except DicomanonError as error:
                log.warning("the survey has not come to its end: %s", error)
                whole = False
                break
            if chunk is None:
                break
            self._undated = self._undated or any(not one.dated for one in chunk)
            compare(chunk)
        if self._undated and self._archives.was_cut(self._check, side):
            log.warning("the %s PACS cuts its answers: studies without a date may hide behind that", side)
            whole = False
        if not whole:
            self._record([Difference(Cause.SURVEY_INCOMPLETE, detail=side)])
        self._absent(side)
        if whole:
            self._archives.note_gone(found_by(f"{side} survey"), self._begun, datetime.now(UTC))
        return whole

    def _clinical(self, chunk: list[ListedStudy]) -> None:
        known = self._archives.survey_clinical(
            self._check, [SurveyedStudy(Phi(one.uid), self._mapper(one.uid), one.paged) for one in chunk]
        )
        found = []
        for one in chunk:
            if one.uid not in known:
                found.append(Difference(Cause.NOT_IN_LEDGER, subject=Phi(one.uid)))
            elif one.instances is not None and one.instances != known[one.uid]:
                detail = f"PACS {one.instances}, ledger {known[one.uid]}"
                found.append(Difference(Cause.CLINICAL_COUNT_DIFFERS, subject=Phi(one.uid), detail=detail))
        self._record(found)

    def _research(self, chunk: list[ListedStudy]) -> None:
        known = self._archives.survey_research(
            self._check, [SurveyedStudy(Phi(one.uid), "", one.paged) for one in chunk]
        )
        doubtful = []
        for one in chunk:
            study = known.get(one.uid)
            if study is not None:
                # An archive that says no number leaves it to the looks that come in turn.
                if one.instances is not None and one.instances != study.stored:
                    doubtful.append(study)
                if study.pseudonym and one.patient != hash(str(study.pseudonym)):
                    self._record([Difference(Cause.PATIENT_DIFFERS, study.study_id)])
        self._record(list(self._not_known({one.uid for one in chunk} - known.keys())))
        self._each(lambda study: look(self._runtime, study, self._mapper), doubtful)

    def _not_known(self, uids: set[str]) -> Iterator[Difference]:
        """Tell what was removed, and what is ours and not recorded, from what is not ours."""
        former = self._archives.former_studies(sorted(uids)) if uids else {}
        for uid, row in sorted(former.items()):
            yield Difference(Cause.STUDY_NOT_REMOVED, row, research_uid=uid)
        uids -= former.keys()
        if not uids:
            return
        ours = self._archives.ours(self._check, sorted(uids))
        for uid in sorted(uids - ours.keys()):
            yield Difference(Cause.STUDY_UNKNOWN, subject=Phi(uid))
        for uid, study_id in sorted(ours.items()):
            pseudonyms = self._runtime.research.patient_ids(uid)
            known = bool(pseudonyms) and self._archives.known_pseudonyms(sorted(pseudonyms)) == pseudonyms
            cause = Cause.STUDY_NOT_RECORDED if known else Cause.PSEUDONYM_UNKNOWN
            yield Difference(cause, study_id, research_uid=uid)

    def _absent(self, side: str) -> None:
        """Ask by name for what the survey did not show: a listing may have missed it, or it came meanwhile."""
        after: UUID | None = UUID(int=0)
        while after is not None:
            studies, after = self._archives.unseen(self._check, side, after, STUDIES_AT_ONCE)
            self._record([one for one in self._each(partial(self._missing, side), studies) if one])

    def _missing(self, side: str, study: LedgerStudy) -> Difference | None:
        try:
            if side == CLINICAL and not self._runtime.clinical.count_instances(study.uid.reveal()):
                return Difference(Cause.GONE_FROM_CLINICAL, study.study_id)
            if (
                side == RESEARCH
                and not self._runtime.research.count_instances(study.research_uid)
                # What was removed since the ledger was read is not missing.
                and any(row.state is InstanceState.STORED for row in self._archives.instances(study.study_id))
            ):
                return Difference(Cause.STUDY_MISSING, study.study_id, detail=f"{study.stored} instances")
        except DicomanonError as error:
            log.warning("a study could not be asked for: %s", error)
            return Difference(Cause.NOT_LISTED, study.study_id, detail=side)
        return None

    def _each(self, work: Callable[[LedgerStudy], T], studies: Iterable[LedgerStudy]) -> list[T]:
        with ThreadPoolExecutor(self._runtime.settings.clinical.threads) as pool:
            return list(pool.map(work, studies))

    def _record(self, found: list[Difference]) -> None:
        self._archives.record(found, datetime.now(UTC))
