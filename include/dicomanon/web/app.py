"""The pages below ``/dicomanon`` of the api-server: Data Docs and releases for those who may see them, and the key."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from fastapi import Depends, FastAPI, HTTPException, Request
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.responses import RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from dicomanon.cohort.parameters import SEALED_PARAMETERS
from dicomanon.cohort.sealing import public_key_from_text
from dicomanon.errors import Fatal
from dicomanon.pipeline.data_docs import run_folder
from dicomanon.web import airflow_access
from dicomanon.web.data_docs import reports, runs
from dicomanon.web.releases import ReleaseShelf, release_pages
from dicomanon.web.rendering import page

NOT_FOUND: Final = 404

_HEADERS: Final = {
    "Cache-Control": "private, no-store",
    # The reports run scripts on Airflow's own origin: they may draw, but not talk to Airflow's API in the user's name.
    "Content-Security-Policy": "connect-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def create_app(
    data_docs: Path | None,
    public_key: str | None,
    *,
    evidence_access: Callable[..., Any] | None = None,
    login: Callable[..., Any] | None = None,
    login_name: Callable[..., Any] | None = None,
    shelf: ReleaseShelf | None = None,
) -> FastAPI:
    """Make the application that the plugin mounts.

    Parameters
    ----------
    data_docs
        The site's Data Docs folder; without it there are no reports.
    public_key
        Base64 of the public key for requests, as the sealing middleware has it.
    evidence_access, login
        FastAPI dependencies that let in who may see evidence, and whoever is logged in; Airflow's unless given.
    login_name
        The same, that returns whoever is logged in by name.
    shelf
        Releases, and who may see which; without it there are none.
    """
    app = FastAPI(title="DICOManon", docs_url=None, redoc_url=None, openapi_url=None)
    may_see_evidence = [Depends(evidence_access or airflow_access.evidence_access())]
    files = StaticFiles(directory=data_docs, follow_symlink=False) if data_docs and data_docs.is_dir() else None
    root = data_docs or Path("/nonexistent")

    @app.middleware("http")
    async def add_headers(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await answer(request)
        response.headers.update(_HEADERS)
        return response

    app.include_router(release_pages(shelf, login_name or airflow_access.login_name()))

    @app.get("/", dependencies=may_see_evidence)
    def list_runs() -> Response:
        """Show the runs that have validation reports."""
        return page("links", "Validation reports", links=[(name, f"runs/{quote(name)}") for name in runs(root)])

    @app.get("/runs/{run_id}", dependencies=may_see_evidence)
    def list_reports(run_id: str, request: Request) -> Response:
        """Show a run's reports, or the only one at once; takes the run id as Airflow writes it."""
        name = run_folder(run_id)
        found = reports(root, name)
        base = request.scope.get("root_path", "")
        links = [(report.title, f"{base}/files/{quote(report.index)}") for report in found]
        if len(links) == 1:
            return RedirectResponse(links[0][1])
        return page("links", f"Validation reports of {name}", links=links)

    @app.get("/files/{path:path}", dependencies=may_see_evidence)
    async def file(path: str, request: Request) -> Response:
        """Serve a file of the Data Docs; Starlette refuses whatever resolves to a place outside the folder."""
        if files is None:
            raise HTTPException(NOT_FOUND, "There are no validation reports.")
        try:
            return await files.get_response(path, request.scope)
        except StarletteHTTPException as error:
            raise HTTPException(error.status_code, "No such report.") from None

    @app.get("/request-key", dependencies=[Depends(login or airflow_access.login())])
    def request_key() -> dict[str, Any]:
        """Tell programs what to seal, and to which key, if they would rather not send it in clear text at all."""
        try:
            key = public_key_from_text(public_key or "")
        except Fatal:
            raise HTTPException(503, "This api-server has no public key for requests.") from None
        return {
            "scheme": "HPKE X25519 HKDF-SHA256 AES-256-GCM",
            "public_key": key.hex(),
            "sealed_parameters": {dag_id: sorted(names) for dag_id, names in SEALED_PARAMETERS.items()},
        }

    return app
