"""Requests that wait for somebody else than the requester: found, held, answered."""

from pydantic import JsonValue

from dicomanon.cohort.extract import CohortRequest, Counts, Services, allowed, resolved
from dicomanon.cohort.parameters import APPROVAL_REASON
from dicomanon.cohort.permission import reasons_to_hold
from dicomanon.cohort.sealing import is_sealed, open_parameter
from dicomanon.cohort.telling import cohort_of
from dicomanon.errors import Fatal

WAITS = "waits"


def weigh(services: Services, request: CohortRequest) -> Counts:
    """Hold a request if somebody has to approve it; tell only whether it waits, for whatever reason that is.

    Raises
    ------
    Fatal
        The request cannot be carried out, or its project may not make it.
    Retriable
        The crosswalk cannot be reached.
    """
    criteria, project = allowed(services, request)
    terms, requests = project.terms, services.crosswalk.requests
    if not terms.approval_for:
        return {WAITS: 0}
    found = cohort_of(services.keyring, criteria, request.key, resolved(services, request, criteria, project))
    reasons = reasons_to_hold(
        terms,
        criteria.given(),
        patients=found.fewest,
        dry_run=found.dry_run,
        is_near=requests.is_near(found, terms.minimum_patients),
    )
    standing = requests.approval(request.key)
    if not reasons or (standing is not None and standing.approved is not None and standing.covers(reasons)):
        return {WAITS: 0}
    requests.hold(found, request.requester, reasons, asked=criteria.counts(), purpose=criteria.purpose)
    return {WAITS: 1}


def answer(
    services: Services,
    request: CohortRequest,
    *,
    approved: bool,
    by: str,
    reason: JsonValue,
    covers_versions: bool = False,
) -> Counts:
    """Enter what somebody answered to a request that waits.

    Parameters
    ----------
    covers_versions
        Whether the answer is about later versions too.
    by
        The login of Airflow that answered.
    reason
        Why, sealed as the api-server's door does.

    Raises
    ------
    Fatal
        It does not wait, the requester answered it, or the reason is missing or cannot be opened.
    """
    if not isinstance(reason, str) or not is_sealed(reason):
        raise Fatal("the reason did not come sealed: Airflow's api-server must load our plugin")
    opened = open_parameter(services.keyring.request_private_key, request.dag_id, APPROVAL_REASON, reason)
    services.crosswalk.requests.decide(
        request.key, approved=approved, actor=by, reason=str(opened), covers_versions=covers_versions
    )
    return {"approved": int(approved)}
