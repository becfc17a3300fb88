"""Writes the objects of releases as files where their requests ask for that, and records that they leave."""

from typing import TYPE_CHECKING, Protocol

from dicomanon.cohort.extract import CohortRequest, Counts, ReleaseSettings, Services
from dicomanon.cohort.output import has_files, is_written, write_output
from dicomanon.cohort.own_objects import retrieve_for
from dicomanon.cohort.release_files import release_folder
from dicomanon.cohort.tombstone import mark_if_ended
from dicomanon.crosswalk.audit.events import Subject, SubjectKind
from dicomanon.crosswalk.rows import ReleaseRow
from dicomanon.errors import Fatal
from dicomanon.one_by_one import one_by_one
from dicomanon.pacs.endpoint import PacsEndpoint

if TYPE_CHECKING:
    from dicomanon.pacs.store import ResearchPacs


class ReadingSettings(ReleaseSettings, Protocol):
    """What of the site's settings it takes to read objects."""

    @property
    def research(self) -> PacsEndpoint:
        """The research PACS, and how hard it may be used."""
        ...


class ReadingServices(Services, Protocol):
    """What it takes to read objects, too."""

    @property
    def settings(self) -> ReadingSettings:
        """The site's settings."""
        ...

    @property
    def research(self) -> "ResearchPacs":
        """The research PACS."""
        ...


def deliver(services: ReadingServices, request: CohortRequest) -> Counts:
    """Write the files that a request asks for of its release; nothing where it asks for none, or released nothing.

    Done again, it goes on with what is missing.

    Raises
    ------
    Fatal
        The release has ended, or the files cannot be written.
    Retriable
        Crosswalk or research PACS cannot be reached.
    """
    output = request.conf.get("output")
    if not has_files(output):
        return {}
    release = services.crosswalk.releases.asked_for(str(request.conf["project"]), request.key)
    return {} if release is None else _deliver(services, release, output, request.requester)


def deliver_standing(services: ReadingServices) -> Counts:
    """Write the files of the newest versions of standing requests, where they are missing.

    Raises
    ------
    Retriable, Fatal
        As of the first that failed, when the others are done.
    """
    standing = services.crosswalk.standing
    written = 0
    with one_by_one("files of a standing request") as each:
        for one in standing.all(ended=False):
            with each(one.request_key):
                output, newest = standing.conf(one).get("output"), standing.newest(one)
                if not has_files(output) or newest is None:
                    continue
                release = newest.release
                if services.crosswalk.releases.find(release.id).has_ended:
                    continue
                if not is_written(services.settings.release_dir, output, release):
                    _deliver(services, release, output, one.requester)
                    written += 1
    return {"releases": written}


def _deliver(services: ReadingServices, release: ReleaseRow, output: str, requester: str) -> Counts:
    crosswalk, release_dir = services.crosswalk, services.settings.release_dir
    _refuse_ended(services, release)
    # Before anything leaves: who breaks it off has had some of it.
    crosswalk.releases.record_access(
        requester,
        f"release.{output}",
        f"release {release.project}/{release.number:04d}",
        release.instances,
        subject=Subject(SubjectKind.RELEASE, str(release.id)),
    )
    folder = release_folder(release_dir, release)
    counts = write_output(
        folder,
        release_dir,
        output,
        release,
        retrieve=retrieve_for(crosswalk, release.project, folder, services.research.retrieve_instance),
        threads=services.settings.research.threads,
    )
    # A removal may have ended it meanwhile, and then removed less than is there now.
    _refuse_ended(services, release)
    return counts


def _refuse_ended(services: ReadingServices, release: ReleaseRow) -> None:
    if mark_if_ended(services.crosswalk, services.settings.release_dir, release):
        raise Fatal("the release has ended, for objects of it were removed: ask for a new one")
