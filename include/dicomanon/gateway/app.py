"""The addresses of the gateway (PS3.18 10.1): what is asked is judged by the crosswalk, recorded, then answered."""

import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

import anyio.to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dicomanon.crosswalk.audit.events import Subject, SubjectKind
from dicomanon.crosswalk.gateway.showing import Showing, ShownObject, Use
from dicomanon.errors import DicomanonError
from dicomanon.gateway import media, metadata, objects, single
from dicomanon.gateway.addresses import Address, bulk_path, frames
from dicomanon.gateway.answers import Streamed
from dicomanon.gateway.attributes import Level
from dicomanon.gateway.door import Door
from dicomanon.gateway.plan import steps
from dicomanon.gateway.query import read
from dicomanon.gateway.refusals import BAD_REQUEST, METHOD_NOT_ALLOWED, Refusal, nothing_there, refusal_of
from dicomanon.gateway.search import Search
from dicomanon.gateway.trail import Trail
from dicomanon.guard import no_values_escape
from dicomanon.pacs.connection import Connection
from dicomanon.settings import GatewaySettings

ROOT: Final = "/dicom-web"
HEALTH: Final = "/health"
_NO_CONTENT: Final = 204
_SPARE_THREADS: Final = 8
_HOST: Final = re.compile(r"[0-9A-Za-z.:\[\]_-]{1,255}")
_PORT: Final = re.compile(r":[0-9]+$")
_USUAL_PORTS: Final = {80, 443}
_WARNING: Final = '299 dicomanon "{}"'
_MORE: Final = (  # PS3.18 8.3.4.4
    "The number of results exceeded the maximum supported by the server. Additional results can be requested."
)
_RENDERING: Final = {
    "window": re.compile(r"-?[0-9.]{1,16},-?[0-9.]{1,16},(linear|linear-exact|sigmoid)"),
    "viewport": re.compile(r"[0-9]{1,6},[0-9]{1,6}(,-?[0-9]{0,6}){0,4}"),
    "quality": re.compile(r"[0-9]{1,3}"),
}
"""Parameters of a rendered picture (PS3.18 8.3.5), which the PACS is given."""


def create_app(showing: Showing, pacs: Connection, trail: Trail, settings: GatewaySettings) -> Starlette:
    """Make the application.

    Parameters
    ----------
    showing
        What tokens show.
    pacs
        The research PACS.
    trail
        Where every request is recorded before it is answered.
    """
    limits = settings.gateway
    room = _Gateway(showing, pacs, trail, settings)
    study, series = "/studies/{study_uid}", "/studies/{study_uid}/series/{series_uid}"
    instance = series + "/instances/{sop_uid}"
    handlers: dict[str, Callable[[Request], Response]] = {
        "/studies": room.search(Level.STUDY),
        "/series": room.search(Level.SERIES),
        "/instances": room.search(Level.INSTANCE),
        f"{study}/series": room.search(Level.SERIES),
        f"{study}/instances": room.search(Level.INSTANCE),
        f"{series}/instances": room.search(Level.INSTANCE),
        study: room.retrieve,
        series: room.retrieve,
        instance: room.retrieve,
        f"{study}/metadata": room.metadata,
        f"{series}/metadata": room.metadata,
        f"{instance}/metadata": room.metadata,
        f"{instance}/frames/{{frames}}": room.frames,
        f"{instance}/rendered": room.rendered,
        f"{instance}/frames/{{frames}}/rendered": room.rendered,
        f"{instance}/bulkdata/{{path:path}}": room.bulk_data,
    }

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        # Whoever has a place waits for the PACS in a thread; others ask who they are.
        anyio.to_thread.current_default_thread_limiter().total_tokens = limits.at_once + _SPARE_THREADS
        yield

    middleware = [
        Middleware(
            Door,
            bearer=showing.bearer,
            record=trail.record,
            health=HEALTH,
            at_once=limits.at_once,
            at_once_per_token=limits.at_once_per_token,
            a_minute=limits.requests_per_minute,
        )
    ]
    if limits.origins:
        # It answers a browser's question whether it may ask, for which there is no token yet.
        middleware.insert(
            0,
            Middleware(
                CORSMiddleware,
                allow_origins=[origin.strip() for origin in limits.origins.split(",")],
                allow_methods=["GET"],
                allow_headers=["Authorization", "Accept"],
                expose_headers=["Warning", "Content-Type"],
            ),
        )
    app = Starlette(
        routes=[
            Route(HEALTH, _healthy),
            *(Route(ROOT + path, _answered(handler)) for path, handler in handlers.items()),
        ],
        middleware=middleware,
        exception_handlers={HTTPException: _no_such_address},
        lifespan=lifespan,
    )
    # Where it would lead to is made of the Host header.
    app.router.redirect_slashes = False
    return app


class _Gateway:
    """What each address gives."""

    def __init__(self, showing: Showing, pacs: Connection, trail: Trail, settings: GatewaySettings) -> None:
        self._showing = showing
        self._pacs = pacs
        self._trail = trail
        self._limits = settings.gateway
        self._search = Search(showing, pacs, most=settings.gateway.most_results)

    def search(self, level: Level) -> Callable[[Request], Response]:
        """Return what answers searches (QIDO-RS) of a level."""

        def answer(request: Request) -> Response:
            media.require_json(request.headers.get("Accept"))
            below = Address.of(request.path_params) if request.path_params else None
            query = read(level, below, request.query_params.multi_items())
            page = self._search.page(request.state.digest, query, self._root(request))
            about = below.subject if below else Subject(SubjectKind.PROJECT, request.state.bearer.project)
            self._record(request, "gateway.query", len(page.rows), about)
            warnings = [*query.warnings, *([_MORE] if page.has_more else [])]
            headers = {"Warning": ", ".join(map(_WARNING.format, warnings))} if warnings else {}
            if not page.rows:
                return Response(status_code=_NO_CONTENT, headers=headers)
            return JSONResponse(page.rows, headers=headers, media_type=media.DICOM_JSON)

        return answer

    def retrieve(self, request: Request) -> Response:
        """Give objects of a study, a series or an instance (WADO-RS)."""
        address = Address.of(request.path_params)
        _no_parameters(request)
        wanted = media.of_objects(request.headers.get("Accept"), one=address.sop_uid is not None)
        shown = self._shown(request, address)
        body = objects.Body(media.DICOM) if wanted.is_multipart else None
        pieces = objects.stream(self._pacs, steps(address, shown), wanted, body)
        return self._streamed(pieces, body.content_type if body else media.DICOM)

    def metadata(self, request: Request) -> Response:
        """Give the headers of a study's, a series' or an instance's objects."""
        address = Address.of(request.path_params)
        _no_parameters(request)
        media.require_json(request.headers.get("Accept"))
        shown = self._shown(request, address)
        pieces = metadata.stream(self._pacs, address.study_uid, shown, self._root(request))
        return self._streamed(pieces, media.DICOM_JSON)

    def frames(self, request: Request) -> Response:
        """Give frames of an instance."""
        _no_parameters(request)
        accept = media.of_octets(request.headers.get("Accept"))
        return self._of_instance(request, accept, ["frames", frames(request.path_params["frames"])])

    def bulk_data(self, request: Request) -> Response:
        """Give what metadata lead to."""
        _no_parameters(request)
        accept = media.of_octets(request.headers.get("Accept"))
        return self._of_instance(request, accept, bulk_path(request.path_params["path"]))

    def rendered(self, request: Request) -> Response:
        """Give the picture that the PACS makes of an instance or of a frame."""
        parameters = dict(request.query_params)
        for name, value in request.query_params.multi_items():
            if name not in _RENDERING or not _RENDERING[name].fullmatch(value):
                raise Refusal(BAD_REQUEST, f"A picture is made by {', '.join(_RENDERING)}, as PS3.18 8.3.5 has them.")
        if "frames" in request.path_params:
            below = ["frames", frames(request.path_params["frames"]), "rendered"]
        else:
            below = ["rendered"]
        return self._of_instance(request, media.of_picture(request.headers.get("Accept")), below, parameters)

    def _of_instance(
        self, request: Request, accept: str, below: Sequence[str], parameters: Mapping[str, str] | None = None
    ) -> Response:
        address = Address.of(request.path_params)
        self._shown(request, address)
        media_type, pieces = single.begin(self._pacs, [*address.path, *below], accept, parameters)
        return self._streamed(pieces, media_type)

    def _shown(self, request: Request, address: Address) -> list[ShownObject]:
        """Return what is shown of what was asked for, when it is recorded that it was.

        Raises
        ------
        Refusal
            404: nothing; that is recorded, too.
        """
        shown = self._showing.objects(request.state.digest, address.study_uid, address.series_uid, address.sop_uid)
        self._record(request, "gateway.retrieve" if shown else "gateway.refuse", len(shown), address.subject)
        if not shown:
            raise nothing_there()
        return shown

    def _record(self, request: Request, action: str, count: int, about: Subject) -> None:
        self._trail.record(Use(request.state.digest, action, count, about.kind, about.id))

    def _streamed(self, pieces: Iterator[bytes | memoryview], media_type: str) -> Response:
        return Streamed(objects.worth_sending(pieces), media_type, stall_seconds=self._limits.stall_seconds)

    def _root(self, request: Request) -> str:
        """Return the address of this service, as whoever asks knows it."""
        if self._limits.url:
            return self._limits.url.rstrip("/")
        host = request.headers.get("Host", "")
        if not _HOST.fullmatch(host):
            raise Refusal(BAD_REQUEST, "The Host header is malformed.")
        if self._limits.behind_tls:
            return f"https://{host}{ROOT}"
        # Some clients leave the port out of their Host header.
        server = request.scope.get("server")
        if server and server[1] not in _USUAL_PORTS and not _PORT.search(host):
            host = f"{host}:{server[1]}"
        return f"{request.scope['scheme']}://{host}{ROOT}"


def _answered(handler: Callable[[Request], Response]) -> Callable[[Request], Response]:
    """Return a handler of which no text of a foreign exception comes out."""

    def answer(request: Request) -> Response:
        try:
            with no_values_escape():
                return _tried(handler, request)
        except DicomanonError as error:
            return refusal_of(error).response()

    return answer


def _tried(handler: Callable[[Request], Response], request: Request) -> Response:
    try:
        return handler(request)
    except Refusal as refusal:
        return refusal.response()


def _no_parameters(request: Request) -> None:
    """Refuse what would not be obeyed."""
    if request.query_params:
        raise Refusal(BAD_REQUEST, "This takes no parameters.")


def _healthy(_: Request) -> Response:
    return Response(status_code=_NO_CONTENT)


def _no_such_address(_: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException) and error.status_code == METHOD_NOT_ALLOWED:
        return Refusal(METHOD_NOT_ALLOWED, "This gateway reads, and nothing else.", {"Allow": "GET"}).response()
    return nothing_there().response()
