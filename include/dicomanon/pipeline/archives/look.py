"""Looks at one study in both archives, instance by instance."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from dicomanon.crosswalk.archives.causes import Cause, found_by
from dicomanon.crosswalk.archives.rows import Difference, LedgerStudy
from dicomanon.deidentify.uids import UidMapper
from dicomanon.errors import DicomanonError
from dicomanon.identity import InstanceSighting
from dicomanon.pipeline.archives.comparing import compare_clinical, compare_research
from dicomanon.pipeline.runtime import Runtime

log = logging.getLogger(__name__)

LOOK = "look"


def look(runtime: Runtime, study: LedgerStudy, mapper: UidMapper) -> list[Difference]:
    """Compare one study in all places, and enter what differs and what has gone.

    An archive that cannot be asked hides nothing that was known: then differences are only added.
    """
    begun = datetime.now(UTC)
    archives = runtime.crosswalk.archives
    # Read first: what is stored while the archives are asked then looks as if it were not recorded, never as if lost.
    ledger = archives.instances(study.study_id)
    clinical = _asked(lambda: runtime.clinical.list_instances(study.uid.reveal()))
    research = _asked(lambda: runtime.research.list_instances(study.research_uid)) if study.research_uid else []
    # Read last: what is removed while the archives are asked is not missing.
    former = archives.former_objects(study.study_id)
    found: list[Difference] = []
    keyed = archives.keyed(clinical or [])
    if clinical is None or research is None:
        sides = [name for name, answer in (("clinical", clinical), ("research", research)) if answer is None]
        found.append(Difference(Cause.NOT_LISTED, study.study_id, detail=", ".join(sides)))
    if clinical is not None:
        found += compare_clinical(study, ledger, keyed)
    if research is not None and study.research_uid:
        found += compare_research(study, ledger, keyed, research, mapper.salted(study.uid_salt), former)
    archives.record(found, datetime.now(UTC))
    if clinical is not None and research is not None:
        archives.note_gone(found_by(LOOK), begun, datetime.now(UTC), study.study_id)
    return found


def _asked(question: Callable[[], list[InstanceSighting]]) -> list[InstanceSighting] | None:
    """Return the answer, or ``None``: a study that cannot be asked for hides no other."""
    try:
        return question()
    except DicomanonError as error:
        log.warning("a study could not be listed: %s", error)
        return None
