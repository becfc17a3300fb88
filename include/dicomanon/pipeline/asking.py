"""Has the clinical PACS asked for what cohort requests want, and enters what it shows into the ledger."""

import logging
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from dicomanon.crosswalk.audit.events import AccessEvent, Subject, SubjectKind
from dicomanon.crosswalk.pulls import FoundStudy, Pull
from dicomanon.errors import DicomanonError
from dicomanon.pacs.wanted import NamedStudy, Wanted
from dicomanon.pipeline.chunks import in_chunks
from dicomanon.pipeline.runtime import Runtime
from dicomanon.pipeline.task_reads import ACTOR

log = logging.getLogger(__name__)

Counts = dict[str, int]

_QUESTIONS_AT_ONCE = 1000


def ask_for_wanted(runtime: Runtime) -> Counts:
    """Ask for what is wanted and was not asked for; what is found is taken up like any other study.

    Returns how many requests there were, for how many it could not be done, and how many studies are waited for;
    nothing where nothing is wanted.

    A request whose questions cannot be answered stays for the next run, until nobody waits for it any more; the others
    go on.
    """
    pulls = runtime.crosswalk.pulls.unasked(datetime.now(UTC))
    if not pulls:
        return {}
    counts = {"pulls": len(pulls), "pulls_not_asked": 0, "studies_awaited": 0}
    troubles: Counter[str] = Counter()
    for pull in pulls:
        try:
            counts["studies_awaited"] += _ask(runtime, pull)
        except DicomanonError as error:
            troubles[str(error)] += 1
    counts["pulls_not_asked"] = troubles.total()
    for trouble, times in troubles.most_common():
        log.warning("what %d requests want could not be asked for: %s", times, trouble)
    return counts


def _ask(runtime: Runtime, pull: Pull) -> int:
    # Before anything leaves: identifiers that somebody typed go to the clinical PACS.
    subject = Subject(SubjectKind.OTHER, str(pull.id))
    runtime.crosswalk.audit.record(
        [AccessEvent(ACTOR, "task.ask", f"identifiers of {pull.request_key}", pull.entries, subject)]
    )
    issuer = runtime.settings.default_issuer
    found: dict[str, NamedStudy] = {}
    wanted = Wanted.of(pull.wanted.reveal())
    questions = runtime.clinical.questions()
    with ThreadPoolExecutor(runtime.settings.clinical.threads) as pool:
        for chunk in in_chunks(wanted.questions(issuer), _QUESTIONS_AT_ONCE):
            for answer in pool.map(lambda question: list(questions.ask(question)), chunk):
                found |= {study.study_uid: study for study in answer if wanted.takes(study, issuer)}
        sightings = list(pool.map(runtime.clinical.sighting, found))
    at = datetime.now(UTC)
    runtime.crosswalk.ledger.observe(sightings, at)
    return runtime.crosswalk.pulls.answered(pull.id, _named(found.values(), issuer), at)


def _named(studies: Iterable[NamedStudy], default_issuer: str) -> Iterable[FoundStudy]:
    for study in studies:
        yield FoundStudy(study.study_uid, (study.issuer or default_issuer, study.patient_id))
