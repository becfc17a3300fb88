"""The pages of releases: what a login's projects were given, to look at and to take away."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Depends, HTTPException, Request
from starlette.responses import FileResponse, RedirectResponse, Response

from dicomanon.cohort.parameters import COHORT_DAG_ID
from dicomanon.cohort.release_files import release_folder
from dicomanon.crosswalk.audit.events import Subject, SubjectKind
from dicomanon.crosswalk.release_pages import ListedRelease, ReleasePages
from dicomanon.errors import DicomanonError
from dicomanon.web.released_folder import shown_files, written_file, written_files
from dicomanon.web.rendering import page

_CARD: Final = "card.html"
_MOST_SHOWN: Final = 200
"""Files of objects on a page; programs are told all."""
_NO_SUCH: Final = HTTPException(404, "Your login requests for no project that has this.")


@dataclass(frozen=True, slots=True)
class ReleaseShelf:
    """Where releases are, and who may see which.

    Attributes
    ----------
    folder
        The site's release folder, or a copy of it that cannot be written.
    gateway_url
        Root of the gateway's DICOMweb services as researchers know it; may be empty.
    """

    pages: ReleasePages
    folder: Path
    gateway_url: str = ""


def release_pages(shelf: ReleaseShelf | None, login_name: Callable[..., Any]) -> APIRouter:
    """Return the pages; where the api-server has no way to the crosswalk, all of them say so.

    Parameters
    ----------
    login_name
        FastAPI dependency that returns the name of the login of Airflow that asks: else 401.
    """
    router = APIRouter(prefix="/releases")

    def asked() -> ReleaseShelf:
        if shelf is None:
            raise HTTPException(
                503, "This api-server shows no releases: set DICOMANON_PAGES_DSN and the release folder."
            )
        return shelf

    Login = Annotated[str, Depends(login_name)]
    Shelf = Annotated[ReleaseShelf, Depends(asked)]

    @router.get("")
    def all_of_them(login: Login, shelf: Shelf, request: Request) -> Response:
        """Show the releases of the login's projects."""
        return page("releases", "Releases", releases=_of(shelf, login), base=_base(request))

    @router.get(".json")
    def as_json(login: Login, shelf: Shelf) -> list[dict[str, Any]]:
        """Tell programs which releases there are."""
        return [asdict(one) for one in _of(shelf, login)]

    @router.get("/of-run/{run_id}")
    def of_run(run_id: str, login: Login, shelf: Shelf, request: Request) -> Response:
        """Lead from a run of ``cohort_extraction`` to its release."""
        for one in _of(shelf, login):
            if one.request_key == f"{COHORT_DAG_ID}/{run_id}":
                return RedirectResponse(f"{_base(request)}/{quote(one.project)}/{one.number}")
        return page("links", "This run has made no release that your login may see", 404, links=[])

    @router.get("/{project}/{number}")
    def one_of_them(project: str, number: int, login: Login, shelf: Shelf, request: Request) -> Response:
        """Show a release and its files."""
        release = _one(shelf, login, project, number)
        files = shown_files(release_folder(shelf.folder, release))
        written = [] if release.ended_at else list(written_files(shelf.folder, release.project, release.number))
        return page(
            "release",
            f"Release {release.project}/{release.number:04d}",
            release=release,
            files=files,
            written=written[:_MOST_SHOWN],
            not_shown=len(written[_MOST_SHOWN:]),
            has_card=any(file.name == _CARD for file in files),
            gateway_url=shelf.gateway_url,
            base=_base(request),
        )

    @router.get("/{project}/{number}/files.json")
    def files_as_json(project: str, number: int, login: Login, shelf: Shelf) -> list[dict[str, Any]]:
        """Tell programs what was written of a release's objects."""
        release = _current(shelf, login, project, number)
        return [
            {"place": file.name, "bytes": file.bytes}
            for file in written_files(shelf.folder, release.project, release.number)
        ]

    @router.get("/{project}/{number}/files/{place:path}")
    def file_of_objects(project: str, number: int, place: str, login: Login, shelf: Shelf) -> Response:
        """Give a file of a release's objects, once it is in the audit trail that it was given."""
        release = _current(shelf, login, project, number)
        path = written_file(shelf.folder, release.project, release.number, place)
        if path is None:
            raise HTTPException(404, "The release has no such file.")
        return _given(shelf, login, release, path, path.name)

    @router.get("/{project}/{number}/{name}")
    def file(project: str, number: int, name: str, login: Login, shelf: Shelf) -> Response:
        """Give a file of a release, once it is in the audit trail that it was given."""
        release = _current(shelf, login, project, number)
        folder = release_folder(shelf.folder, release)
        if name not in {file.name for file in shown_files(folder)}:
            raise HTTPException(404, "The release has no such file.")
        return _given(
            shelf, login, release, folder / name, f"{release.project}-{release.number:04d}-{name}", show=name == _CARD
        )

    return router


def _of(shelf: ReleaseShelf, login: str) -> list[ListedRelease]:
    return list(_asking(shelf.pages.of, login))


def _one(shelf: ReleaseShelf, login: str, project: str, number: int) -> ListedRelease:
    """Return a release; that somebody asked for one which his login may not see is recorded, not what he typed."""
    for one in _of(shelf, login):
        if (one.project, one.number) == (project, number):
            return one
    _asking(shelf.pages.record, login, "release.deny", Subject(SubjectKind.OTHER, "release"))
    raise _NO_SUCH


def _current(shelf: ReleaseShelf, login: str, project: str, number: int) -> ListedRelease:
    release = _one(shelf, login, project, number)
    if release.ended_at is not None:
        raise HTTPException(410, "The release has ended: its page says what to go on with.")
    return release


def _given(
    shelf: ReleaseShelf, login: str, release: ListedRelease, path: Path, name: str, *, show: bool = False
) -> Response:
    """Return a file, to be saved or shown, when it is in the audit trail."""
    _asking(shelf.pages.record, login, "release.read", Subject(SubjectKind.RELEASE, str(release.release_id)))
    return FileResponse(path, filename=name, content_disposition_type="inline" if show else "attachment")


def _base(request: Request) -> str:
    return f"{request.scope.get('root_path', '')}/releases"


def _asking(ask: Callable[..., Any], *arguments: object) -> Any:
    """Ask the crosswalk; whoever waits for a page is told to come again, and nothing is given."""
    try:
        return ask(*arguments)
    except DicomanonError:
        raise HTTPException(503, "The crosswalk does not answer. Try again.", {"Retry-After": "5"}) from None
