"""The last gate of a cohort: what waits for an approval is not told, and what is told is remembered."""

from typing import TYPE_CHECKING

from dicomanon.cohort.permission import reasons_to_hold
from dicomanon.crosswalk.projects.requests import CohortOf
from dicomanon.crosswalk.projects.rows import ApprovalFor, ProjectVersion
from dicomanon.errors import Fatal

NEEDS_APPROVAL = "the request needs an approval that it does not have: trigger it anew"

if TYPE_CHECKING:
    from dicomanon.cohort.criteria import CohortCriteria
    from dicomanon.cohort.gathering import Cohort
    from dicomanon.crosswalk.database import Crosswalk
    from dicomanon.crosswalk.keyring import Keyring


def cohort_of(keyring: "Keyring", criteria: "CohortCriteria", request_key: str, cohort: "Cohort") -> CohortOf:
    """Return which people a request leads to, by keyed ids."""
    return CohortOf.of(keyring, criteria.project, request_key, cohort.groups(), dry_run=criteria.dry_run)


def require_told(crosswalk: "Crosswalk", project: ProjectVersion, criteria: "CohortCriteria", cohort: CohortOf) -> None:
    """Enter that a cohort is told from now on, or refuse to tell it.

    What was approved is asked of the crosswalk, whatever came before in Airflow: a task there can be cleared, skipped
    or marked as done.

    Raises
    ------
    Fatal
        It was refused, or needs an approval that it does not have; the message does not say for what.
    """
    terms = project.terms
    approved = approved_for(crosswalk, cohort.request_key)
    reasons = reasons_to_hold(terms, criteria.given(), patients=cohort.fewest, dry_run=criteria.dry_run, is_near=False)
    not_asked = frozenset(ApprovalFor) - terms.approval_for
    if not reasons <= approved or not crosswalk.requests.tell(cohort, terms.minimum_patients, approved | not_asked):
        raise Fatal(NEEDS_APPROVAL)


def approved_for(crosswalk: "Crosswalk", request_key: str) -> frozenset[ApprovalFor]:
    """Return what somebody stands for.

    Raises
    ------
    Fatal
        The request was refused.
    """
    standing = crosswalk.requests.approval(request_key)
    if standing is not None and standing.approved is False:
        raise Fatal("the request was refused: whoever answered it can say why")
    return standing.held_for if standing is not None and standing.approved else frozenset()
