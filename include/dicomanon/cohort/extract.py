"""Answers a cohort request: opens it, resolves it in the crosswalk, and writes the release."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pydantic import JsonValue

from dicomanon import __version__
from dicomanon.cohort.criteria import CohortCriteria
from dicomanon.cohort.disclosure import Told, attrition, told_of_cohort, told_of_pull, told_of_release
from dicomanon.cohort.gathering import Cohort, gather
from dicomanon.cohort.left_out import answers
from dicomanon.cohort.manifest import ManifestCounts, counts, manifest_table
from dicomanon.cohort.permission import Standing, require_allowed
from dicomanon.cohort.release_files import release_folder
from dicomanon.cohort.release_record import ReleaseRecord, persons
from dicomanon.cohort.releasing import site_key, write_again
from dicomanon.cohort.sealing import open_conf
from dicomanon.cohort.telling import cohort_of, require_told
from dicomanon.cohort.tombstone import mark_if_ended
from dicomanon.crosswalk.audit.events import Subject, SubjectKind
from dicomanon.crosswalk.projects.requests import CohortOf
from dicomanon.crosswalk.projects.rows import ProjectVersion
from dicomanon.crosswalk.rows import ReleaseRow
from dicomanon.errors import Fatal

if TYPE_CHECKING:
    from dicomanon.crosswalk.database import Crosswalk
    from dicomanon.crosswalk.keyring import Keyring

log = logging.getLogger(__name__)

Counts = dict[str, int]

_IDENTIFIERS = ("patient_ids", "names_with_birth_dates", "accession_numbers", "index_dates", "control_patient_ids")
"""Parameters whose entries are of one patient or study each."""

_MOST_POSITIONS = 200
"""Places of unmatched identifiers that a log shows; ``release.json`` has them all."""


class ReleaseSettings(Protocol):
    """What of the site's settings this room needs."""

    @property
    def release_dir(self) -> Path:
        """Folder that releases are written to."""
        ...

    @property
    def default_issuer(self) -> str:
        """Issuer of Patient ID of identifiers that name none."""
        ...

    @property
    def pull_hours(self) -> int:
        """How long a request waits for what it has the clinical PACS asked for."""
        ...


class Services(Protocol):
    """What a step works with."""

    @property
    def settings(self) -> ReleaseSettings:
        """The site's settings."""
        ...

    @property
    def keyring(self) -> "Keyring":
        """The keys; the request key opens sealed parameters."""
        ...

    @property
    def crosswalk(self) -> "Crosswalk":
        """The open crosswalk."""
        ...


@dataclass(frozen=True, slots=True)
class CohortRequest:
    """A request as Airflow holds it: where it came from, and its still sealed parameters."""

    dag_id: str
    run_id: str
    requester: str
    conf: Mapping[str, JsonValue]

    @property
    def key(self) -> str:
        """Name the request, as releases and approvals do."""
        return f"{self.dag_id}/{self.run_id}"


def check_request(services: Services, request: CohortRequest) -> Counts:
    """Open and check a request; return how much it asks for.

    Raises
    ------
    Fatal
        It cannot be carried out, or its project may not make it; the message names parameters and positions, no
        values.
    """
    # Before it is opened: what is asked for identifies patients, too.
    services.crosswalk.releases.record_access(
        request.requester, "cohort.request", f"{request.dag_id} {request.run_id}", 1
    )
    criteria, _ = allowed(services, request)
    return criteria.counts()


def extract(services: Services, request: CohortRequest) -> Told:
    """Resolve a request and release what it finds; without a stored instance, and for a dry run, there is no release.

    The release is ``<release folder>/<project>/<number>/``, complete from the moment that it exists. The same request,
    which is the same DAG run, gets the same release however often its task is tried.

    Raises
    ------
    Fatal
        The request cannot be carried out, its project may not make it any more, it was not approved where it has to
        be, or the release folder cannot be written.
    Retriable
        The crosswalk cannot be reached.
    """
    criteria, project = allowed(services, request)
    crosswalk, settings = services.crosswalk, services.settings
    cohort = resolved(services, request, criteria, project)
    people = cohort_of(services.keyring, criteria, request.key, cohort)
    require_told(crosswalk, project, criteria, people)
    instances, minimum = cohort.instances, project.terms.minimum_patients
    pulled = told_of_pull(crosswalk.pulls.standing(request.key, datetime.now(UTC)), minimum)
    if criteria.dry_run or not instances:
        held = counts(manifest_table(instances))
        stays = _keep_open(services, request, criteria, people, None)
        return told_of_cohort(cohort, held, criteria.counts(), minimum) | pulled | {"release": 0} | stays
    site_key()  # before anything is entered: without it nothing can be written
    release = crosswalk.releases.create(
        criteria.project,
        request.requester,
        services.keyring.index("cohort.criteria", criteria.canonical()),
        [instance.instance_id for instance in instances],
        request_key=request.key,
        record=record_of(crosswalk, request, criteria, project, cohort, pulled).to_json(),
        output=criteria.output,
    )
    stays = _keep_open(services, request, criteria, people, release)
    target = write_folder(crosswalk, settings.release_dir, release)
    _log_unmatched(cohort.unmatched)
    return told_of_release(cohort, _written_counts(target), minimum) | pulled | {"release": release.number} | stays


def write_folder(crosswalk: "Crosswalk", release_dir: Path, release: ReleaseRow) -> Path:
    """Write the folder of a release that was entered, unless it is there; return it.

    Raises
    ------
    Fatal
        It has ended, or cannot be written.
    """
    target = release_folder(release_dir, release)
    if not target.exists():
        # What was entered, by whichever try: this one may have found other things, which the next request gets.
        write_again(crosswalk, release_dir, target, release.id, site_key())
        # A removal may have ended it since it was entered, and then looked for its folder in vain.
        mark_if_ended(crosswalk, release_dir, release)
    return target


def _keep_open(
    services: Services,
    request: CohortRequest,
    criteria: CohortCriteria,
    people: CohortOf,
    release: ReleaseRow | None,
) -> Counts:
    """Let a standing request stay open unless it was approved for once alone; tell whether it does."""
    if not criteria.standing:
        return {}
    standing = services.crosswalk.standing
    if not standing.may_open(request.key):
        return {"standing": 0}
    standing.open(people, request.requester, request.conf, criteria.standing_until, release)
    return {"standing": 1}


def record_of(
    crosswalk: "Crosswalk",
    request: CohortRequest,
    criteria: CohortCriteria,
    project: ProjectVersion,
    cohort: Cohort,
    pulled: Told,
    *,
    version: int = 1,
) -> ReleaseRecord:
    """Return what a release is made of beside the crosswalk's ledger.

    Parameters
    ----------
    pulled
        What is told of the request's pull.
    version
        Which one of a standing request it is.
    """
    facts = {
        "dag_id": request.dag_id,
        "run_id": request.run_id,
        "code_version": __version__,
        "output": criteria.output,
        **({"standing_version": version} if criteria.standing else {}),
        "criteria": criteria.counts(),
        "split": criteria.shares(),
        "controls": cohort.controls,
        "attrition": attrition(cohort.attrition, project.terms.minimum_patients),
        "fewer_than": project.terms.minimum_patients,
        **pulled,
        **{f"unmatched_{name}": list(places) for name, places in cohort.unmatched.items()},
        **_terms_of(project, datetime.now(UTC).date()),
    }
    studies = {instance.study_id for instance in cohort.instances}
    return ReleaseRecord(
        facts=facts,
        group_by=criteria.group_by,
        sort_by=criteria.sort_by,
        columns=cohort.columns,
        patients=persons(cohort.instances),
        answers=answers(cohort.unmatched, crosswalk.releases.left_out_of(list(studies))),
    )


def allowed(services: Services, request: CohortRequest) -> tuple[CohortCriteria, ProjectVersion]:
    """Open a request and hold it against its project's terms: in each task, for they may change in between.

    Raises
    ------
    Fatal
        It cannot be carried out, or its project may not make it.
    """
    criteria = CohortCriteria.read(open_conf(services.keyring.request_private_key, request.dag_id, request.conf))
    projects = services.crosswalk.projects
    standing = Standing(projects.newest(criteria.project), projects.may_request(criteria.project, request.requester))
    return criteria, require_allowed(standing, criteria.given().keys(), datetime.now(UTC).date())


def resolved(services: Services, request: CohortRequest, criteria: CohortCriteria, project: ProjectVersion) -> Cohort:
    """Return the cohort of a request; that it is looked for is recorded before.

    Raises
    ------
    Retriable
        The crosswalk cannot be reached.
    """
    purpose = f": {criteria.purpose}" if criteria.purpose else ""
    services.crosswalk.releases.record_access(
        request.requester,
        "cohort.resolve",
        f"project {criteria.project}, {request.dag_id} {request.run_id}{purpose}",
        sum(len(getattr(criteria, name)) for name in _IDENTIFIERS),
        subject=Subject(SubjectKind.PROJECT, criteria.project),
    )
    return gather(services.crosswalk, services.keyring, criteria, project.terms, services.settings.default_issuer)


def _terms_of(project: ProjectVersion, made: date) -> dict[str, object]:
    """Return under which terms a release is made, and how long it may be kept."""
    kept_until = made + timedelta(days=project.terms.retention_days)
    return {
        "project_title": project.terms.title,
        "project_version": project.version,
        "ethics_number": project.terms.ethics_number,
        "keep_until": kept_until.isoformat(),
    }


def _written_counts(target: Path) -> ManifestCounts:
    try:
        release = json.loads((target / "release.json").read_text(encoding="utf-8"))
        return ManifestCounts(**{field.name: int(release[field.name]) for field in fields(ManifestCounts)})
    except (OSError, ValueError, KeyError) as error:
        raise Fatal(f"the release that is already there cannot be read: {type(error).__name__}") from None


def _log_unmatched(unmatched: Mapping[str, tuple[int, ...]]) -> None:
    for name, positions in unmatched.items():
        if positions:
            shown = ", ".join(str(position) for position in positions[:_MOST_POSITIONS])
            more = ", ..." if len(positions) > _MOST_POSITIONS else ""
            log.info("%s without a study, by their place in the list: %s%s", name, shown, more)
