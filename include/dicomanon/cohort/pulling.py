"""What a request has the clinical PACS asked for, and whether it still waits for it."""

from datetime import UTC, date, datetime, timedelta

from dicomanon.cohort.criteria import CohortCriteria, split_patient_id
from dicomanon.cohort.extract import CohortRequest, Counts, Services, allowed
from dicomanon.cohort.permission import reasons_to_hold
from dicomanon.cohort.telling import NEEDS_APPROVAL, approved_for
from dicomanon.errors import Fatal
from dicomanon.pacs.wanted import ALWAYS, Identifier, Wanted
from dicomanon.pacs.windows import DateWindow


def request_missing(services: Services, request: CohortRequest) -> Counts:
    """Have the clinical PACS asked for what a request names, by the next run of ingest; return how much it names.

    Nothing where it does not ask for that, or only counts.

    Raises
    ------
    Fatal
        The request cannot be carried out, its project may not make it, or it was not approved where it has to be.
    Retriable
        The crosswalk cannot be reached.
    """
    criteria, project = allowed(services, request)
    if not criteria.pull_missing or criteria.dry_run:
        return {"entries": 0}
    # Whatever Airflow says, as at the end; how many it leads to is seen then.
    reasons = reasons_to_hold(
        project.terms, criteria.given(), patients=project.terms.minimum_patients, dry_run=False, is_near=False
    )
    if not reasons <= approved_for(services.crosswalk, request.key):
        raise Fatal(NEEDS_APPROVAL)
    entries = len(criteria.patient_ids) + len(criteria.index_dates) + len(criteria.accession_numbers)
    services.crosswalk.pulls.want(
        request.key,
        wanted(criteria, services.settings.default_issuer).to_text(),
        entries,
        at=datetime.now(UTC),
        wait=timedelta(hours=services.settings.pull_hours),
        actor=request.requester,
        reason=f"project {criteria.project}, {request.dag_id} {request.run_id}: {criteria.purpose or 'nothing said'}",
    )
    return {"entries": entries}


def is_over(services: Services, request: CohortRequest) -> bool:
    """Tell whether a request has nothing to wait for any more."""
    standing = services.crosswalk.pulls.standing(request.key, datetime.now(UTC))
    return standing is None or standing.is_over


def wanted(criteria: CohortCriteria, default_issuer: str) -> Wanted:
    """Return what a PACS can be asked of a request: people, accession numbers and days, together."""

    def identified(text: str) -> Identifier:
        return split_patient_id(text, default_issuer)

    named = dict.fromkeys(map(identified, criteria.patient_ids))
    people: dict[Identifier, tuple[DateWindow, ...]] = {} if criteria.index_dates else dict.fromkeys(named, (ALWAYS,))
    for entry in criteria.index_dates:
        who = identified(entry.patient_id)
        if not named or who in named:
            people[who] = (*people.get(who, ()), _around(entry.day, criteria))
    return Wanted(
        people=people if named or criteria.index_dates else None,
        accession_numbers=frozenset(criteria.accession_numbers),
        window=DateWindow(criteria.study_date_from or date.min, criteria.study_date_to or date.max),
        not_people=frozenset(map(identified, criteria.exclude_patient_ids)),
        not_accession_numbers=frozenset(criteria.exclude_accession_numbers),
    )


def _around(day: date, criteria: CohortCriteria) -> DateWindow:
    before, after = (timedelta(days=days or 0) for days in (criteria.days_before, criteria.days_after))
    start = day - before if day - date.min > before else date.min
    end = day + after if date.max - day > after else date.max
    return DateWindow(start, end)
