"""Answers standing requests anew: those that more has come for get a next version, under the terms that hold now.

A next version is made when it differs from each before by nobody, or by at least as many people as the project's
minimum: else what is new would be told of few. It waits for more, not for an approval, and nobody is told that it does.
Who left by a removal is not counted: that has told so already.
"""

from datetime import UTC, datetime

from dicomanon.cohort.criteria import CohortCriteria
from dicomanon.cohort.extract import CohortRequest, Counts, Services, allowed, record_of, resolved, write_folder
from dicomanon.cohort.gathering import Cohort
from dicomanon.cohort.permission import IDENTIFYING, reasons_to_hold
from dicomanon.cohort.telling import cohort_of
from dicomanon.crosswalk.projects.requests import keyed_people
from dicomanon.crosswalk.projects.rows import ApprovalFor, ProjectVersion
from dicomanon.crosswalk.projects.standing import StandingRequest, StandingState, Version
from dicomanon.crosswalk.releases import NewRelease
from dicomanon.crosswalk.rows import ReleaseRow
from dicomanon.errors import Fatal
from dicomanon.one_by_one import one_by_one

BY_US = "pipeline"
"""Who pauses, resumes and ends, where no person does."""


def evaluate_standing(services: Services) -> Counts:
    """Look at every request that stands, one after the other; return how many stand, and what came of them.

    Done again, or by two at once, it makes no version twice.

    Raises
    ------
    Retriable, Fatal
        As of those that failed, when the others are done.
    """
    counts = {"standing": 0, "versions": 0, "paused": 0, "ended": 0}
    with one_by_one("standing request") as each:
        for one in services.crosswalk.standing.all(ended=False):
            with each(one.request_key), services.crosswalk.standing.alone(one) as standing:
                if standing.state is StandingState.ENDED:
                    continue
                counts["standing"] += 1
                state, version = _evaluate(services, standing)
                counts["versions"] += version is not None
                counts["paused"] += state is StandingState.PAUSED
                counts["ended"] += state is StandingState.ENDED
    return counts


def _evaluate(services: Services, standing: StandingRequest) -> tuple[StandingState, ReleaseRow | None]:
    """Return how a request stands now, and the version that was made of it."""
    group, today = services.crosswalk.standing, datetime.now(UTC).date()
    if standing.until is not None and standing.until < today:
        group.change(standing, StandingState.ENDED, "its last day has passed", by=BY_US)
        return StandingState.ENDED, None
    dag_id, _, run_id = standing.request_key.partition("/")
    request = CohortRequest(dag_id, run_id, standing.requester, group.conf(standing))
    try:
        criteria, project = allowed(services, request)
        approved = _approved(services, request, criteria, project)
    except Fatal as error:  # What it says names parameters and what to do, no value.
        if (standing.state, standing.because) != (StandingState.PAUSED, str(error)):
            group.change(standing, StandingState.PAUSED, str(error), by=BY_US)
        return StandingState.PAUSED, None
    if standing.state is StandingState.PAUSED:
        group.change(standing, StandingState.OPEN, "what it was paused for is mended", by=BY_US)
    # Read before the cohort is: what comes meanwhile is looked at the next time.
    seen = f"{group.research_state()} {project.version}"
    if group.seen(standing) == seen:
        return StandingState.OPEN, None
    newest = group.newest(standing)
    if newest is not None:
        _write(services, newest.release)
    made = _next_version(services, standing, request, criteria, project, approved, newest)
    if made is not None:
        _write(services, made)
    group.note(standing, seen)
    return StandingState.OPEN, made


def _approved(
    services: Services, request: CohortRequest, criteria: CohortCriteria, project: ProjectVersion
) -> frozenset[ApprovalFor]:
    """Return for which reasons somebody stands for later versions.

    Raises
    ------
    Fatal
        It would have to wait for an approval now that it does not have.
    """
    if not services.crosswalk.standing.may_open(request.key):
        raise Fatal("it waits for an approval with later versions: have its request answered, or end it")
    approval = services.crosswalk.requests.approval(request.key)
    approved = approval.held_for if approval is not None else frozenset[ApprovalFor]()
    asks = not IDENTIFYING.isdisjoint(criteria.given())
    if asks and ApprovalFor.IDENTIFIERS in project.terms.approval_for - approved:
        raise Fatal("the project's terms ask for an approval now that it does not have: end it, and ask for it anew")
    return approved


def _next_version(
    services: Services,
    standing: StandingRequest,
    request: CohortRequest,
    criteria: CohortCriteria,
    project: ProjectVersion,
    approved: frozenset[ApprovalFor],
    newest: Version | None,
) -> ReleaseRow | None:
    crosswalk, keyring, terms = services.crosswalk, services.keyring, project.terms
    cohort = resolved(services, request, criteria, project)
    if not cohort.instances or _is_the_same(services, cohort, newest):
        return None
    people = cohort_of(keyring, criteria, request.key, cohort)
    reasons = reasons_to_hold(terms, criteria.given(), patients=people.fewest, dry_run=False, is_near=False)
    if ApprovalFor.SMALL_COHORT in reasons - approved:
        return None
    after = newest.number if newest is not None else 0
    return crosswalk.standing.make_version(
        standing,
        after,
        people,
        NewRelease(
            project=criteria.project,
            requester=request.requester,
            criteria_digest=keyring.index("cohort.criteria", criteria.canonical()),
            instance_ids=[one.instance_id for one in cohort.instances],
            request_key=f"{request.key}#{after + 1}",
            record=record_of(crosswalk, request, criteria, project, cohort, {}, version=after + 1).to_json(),
            output=criteria.output,
        ),
        without=keyed_people(keyring, criteria.project, crosswalk.standing.left_by_removal(standing)),
        fewer_than=terms.minimum_patients,
        with_others=ApprovalFor.OVERLAP in terms.approval_for - approved,
    )


def _is_the_same(services: Services, cohort: Cohort, newest: Version | None) -> bool:
    if newest is None:
        return False
    now = {one.instance_id: one.research_sop_uid for one in cohort.instances}
    return services.crosswalk.releases.released_uids(newest.release.id) == now


def _write(services: Services, release: ReleaseRow) -> None:
    """Write the folder of a version, also where the one who made it was broken off; a removal writes its own."""
    kept = services.crosswalk.releases.find(release.id)
    if kept.record is not None and not kept.has_ended:
        write_folder(services.crosswalk, services.settings.release_dir, release)
