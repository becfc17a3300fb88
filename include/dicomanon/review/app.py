"""The addresses of the review page: what is asked is checked at the door, then looked up, then said as HTML."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib import resources
from typing import Final
from urllib.parse import parse_qsl
from uuid import UUID

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route

from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.rows import HeldCount, HeldInstance, SeenDevice
from dicomanon.devices import ConfirmedBox, DeviceDecision
from dicomanon.errors import DicomanonError, Retriable
from dicomanon.guard import no_values_escape
from dicomanon.pipeline.device_confirmation import box_of, confirm_device, short_id
from dicomanon.pipeline.device_text import device_text
from dicomanon.reasons import OF_PIXELS, HoldReason
from dicomanon.review import pages
from dicomanon.review.door import Asked, Door
from dicomanon.review.handles import Handles
from dicomanon.review.looks import Look, Looks

_BAD, _FORBIDDEN, _NOT_FOUND, _TOO_LARGE, _UNAVAILABLE = 400, 403, 404, 413, 503
_SEE_OTHER: Final = 303
_THUMBNAIL_PIXELS: Final = 400
"""Twice what it is shown in: screens of today are finer than the pixels of style sheets."""
_LARGE_PIXELS: Final = 2400
_A_FEW: Final = 4
_A_PAGE: Final = 12
_DEVICES: Final = 20
_MOST_FORM_BYTES: Final = 1 << 16
_MOST_DIGITS: Final = 9
_ENTER: Final = "/enter"

_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self';"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Not no-referrer: under it browsers say "Origin: null" when a form is sent.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_STATIC: Final = {"review.css": "text/css", "review.js": "text/javascript"}


def create_app(crosswalk: Crosswalk, looks: Looks, door: Door, *, author: str) -> Starlette:
    """Make the application.

    Parameters
    ----------
    crosswalk
        What waits, and where confirmations go.
    looks
        Where pictures come from, each one recorded.
    door
        Who may enter.
    author
        Who signs confirmations.
    """
    made = pages.Pages(door.root)
    room = _Review(crosswalk, looks, door, made, author)
    routes = [
        Route(_ENTER, room.enter),
        Route("/", room.first),
        Route("/devices/{device:uuid}", room.device),
        Route("/devices/{device:uuid}/confirm", room.confirm, methods=["POST"]),
        Route("/held/{reason}", room.reason),
        Route("/thumbnails/{handle}", room.thumbnail),
        Route("/static/{name}", _static),
    ]
    return Starlette(
        routes=[Mount(door.root, routes=routes)],
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=_guarded(door, made))],
        exception_handlers={HTTPException: _told(made)},
    )


class _Review:
    """What is shown under each address; one person, one process."""

    def __init__(self, crosswalk: Crosswalk, looks: Looks, door: Door, made: pages.Pages, author: str) -> None:
        self._crosswalk = crosswalk
        self._looks = looks
        self._door = door
        self._pages = made
        self._author = author
        self._handles = Handles()
        self._told: dict[UUID, pages.Told] = {}

    def enter(self, request: Request) -> Response:
        """Take the token of the printed address, once."""
        session = self._door.enter(request.query_params.get("token", ""))
        if session is None:
            raise HTTPException(_FORBIDDEN, "This address has been opened before: end the command and start it anew.")
        response = HTMLResponse(self._pages.entered_page())
        response.set_cookie(self._door.cookie, session, httponly=True, samesite="strict", path=self._door.root)
        return response

    def first(self, request: Request) -> Response:
        """Show what waits."""
        page = _number(request.query_params, "page")
        begin = (page - 1) * _DEVICES
        seen = self._crosswalk.devices.all()
        waiting = [device for device in seen if device.waiting or not device.confirmations]
        return HTMLResponse(
            self._pages.first_page(
                [self._row(device, pictures=True) for device in waiting[begin : begin + _DEVICES]],
                [self._row(device, pictures=False) for device in seen if device not in waiting],
                [self._reason_row(reason, count) for reason, count in self._crosswalk.quarantine.counts().items()],
                page=page,
                more=len(waiting) > begin + _DEVICES,
            )
        )

    def device(self, request: Request) -> Response:
        """Show a device's pictures, and the form."""
        device = self._device(request)
        told = self._told.pop(device.id, None)
        return HTMLResponse(self._device_page(request, device, pages.Form(), told, request.query_params))

    async def confirm(self, request: Request) -> Response:
        """Take down what was said of a device."""
        form = dict(parse_qsl((await _body(request)).decode("utf-8", "replace"), keep_blank_values=True))
        if not self._door.is_ours(form.get("proof", "")):
            raise HTTPException(_FORBIDDEN, "The form is not one of this page: load it again.")
        return await run_in_threadpool(self._confirm, request, form)

    def _confirm(self, request: Request, form: dict[str, str]) -> Response:
        device = self._device(request)
        typed = pages.Form(form.get("decision", ""), form.get("boxes", ""), form.get("reason", ""))
        try:
            decision, boxes = _said(typed)
            confirmed = confirm_device(
                self._crosswalk, str(device.id), decision, boxes, author=self._author, reason=typed.reason
            )
        except (DicomanonError, ValueError) as error:
            told = pages.Told([f"Not confirmed: {error}."], wrong=True)
            return HTMLResponse(self._device_page(request, device, typed, told, form), _BAD)
        self._told[device.id] = pages.Told(confirmed.lines())
        return RedirectResponse(f"{self._door.root}/devices/{device.id}", _SEE_OTHER)

    def reason(self, request: Request) -> Response:
        """Show what is held for a reason."""
        reason = next((one for one in OF_PIXELS if one == request.path_params["reason"]), None)
        if reason is None:
            raise HTTPException(_NOT_FOUND, "No such reason concerns pixels.")
        page = _number(request.query_params, "page")
        found = self._crosswalk.quarantine.of_reason(reason, limit=_A_PAGE + 1, offset=(page - 1) * _A_PAGE)
        samples = self._samples(f"{self._door.root}/held/{reason}", found, _A_PAGE, page)
        count = self._crosswalk.quarantine.counts().get(reason, HeldCount(0, 0))
        return HTMLResponse(self._pages.reason_page(reason, count, samples, self._stage(request, request.query_params)))

    def thumbnail(self, request: Request) -> Response:
        """Show a first frame, small, or the words in its place."""
        look = self._looks.look(self._instance(request.path_params["handle"]), longest_side=_THUMBNAIL_PIXELS)
        if look.picture is None:
            return Response(self._pages.words_picture(look.words), media_type="image/svg+xml")
        return Response(look.picture.png, media_type="image/png")

    def _row(self, device: SeenDevice, *, pictures: bool) -> pages.DeviceRow:
        base = f"{self._door.root}/devices/{device.id}"
        found = self._crosswalk.quarantine.of_device(device.id, limit=_A_FEW) if pictures and device.waiting else []
        return pages.DeviceRow(
            str(device.id), device_text(device), self._samples(base, found, _A_FEW) if found else None
        )

    def _reason_row(self, reason: HoldReason, count: HeldCount) -> pages.ReasonRow:
        found = self._crosswalk.quarantine.of_reason(reason, limit=_A_FEW)
        return pages.ReasonRow(reason, count, self._samples(f"{self._door.root}/held/{reason}", found, _A_FEW))

    def _samples(self, base: str, found: Sequence[HeldInstance], most: int, page: int = 1) -> pages.Samples:
        shown = [pages.Sample(self._handles.of(one.instance_id), one) for one in found[:most]]
        return pages.Samples(base, shown, page, more=len(found) > most)

    def _device_page(
        self,
        request: Request,
        device: SeenDevice,
        form: pages.Form,
        told: pages.Told | None,
        wanted: Mapping[str, str],
    ) -> str:
        page = _number(request.query_params, "page")
        found = self._crosswalk.quarantine.of_device(device.id, limit=_A_PAGE + 1, offset=(page - 1) * _A_PAGE)
        samples = self._samples(f"{self._door.root}/devices/{device.id}", found, _A_PAGE, page)
        stage = self._stage(request, wanted)
        return self._pages.device_page(device, samples, stage, form, proof=self._door.proof, told=told)

    def _stage(self, request: Request, wanted: Mapping[str, str]) -> pages.Stage | None:
        """Look at the instance that is asked for, large."""
        handle = wanted.get("at")
        if not handle:
            return None
        frame, contrast = _number(wanted, "frame"), bool(wanted.get("contrast"))
        look = self._looks.look(self._instance(handle), frame=frame - 1, longest_side=_LARGE_PIXELS, contrast=contrast)
        facts = pages.facts_of(look, self._looks.profile)
        return pages.Stage(handle, frame, contrast, look, facts, self._device_of(look, request))

    def _device_of(self, look: Look, request: Request) -> tuple[str, str] | None:
        """Return address and name of a picture's device, where somebody can confirm it and it is not this page's."""
        if look.picture is None or look.picture.decision is None or "device" in request.path_params:
            return None
        key = look.picture.decision.device
        found = next((device for device in self._crosswalk.devices.all() if device.key == key), None)
        return (str(found.id), short_id(found)) if found else None

    def _device(self, request: Request) -> SeenDevice:
        wanted = request.path_params["device"]
        found = next((device for device in self._crosswalk.devices.all() if device.id == wanted), None)
        if found is None:
            raise HTTPException(_NOT_FOUND, "No such device was seen.")
        return found

    def _instance(self, handle: str) -> int:
        found = self._handles.instance(handle)
        if found is None:
            raise HTTPException(_NOT_FOUND, "No such picture was listed here.")
        return found


def _guarded(
    door: Door, made: pages.Pages
) -> Callable[[Request, Callable[[Request], Awaitable[Response]]], Awaitable[Response]]:
    """Return what stands before every address: the door, the headers, and no text of a foreign exception."""

    async def guard(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        asked = Asked(request.method, request.headers, request.cookies)
        refusal = door.refusal(asked, entering=request.url.path == door.root + _ENTER)
        if refusal:
            # Plain, for our pages tell the path that nobody else is to know.
            response: Response = PlainTextResponse(f"Refused: {refusal}.", _FORBIDDEN)
        else:
            try:
                with no_values_escape():
                    response = await answer(request)
            except DicomanonError as error:
                status = _UNAVAILABLE if isinstance(error, Retriable) else 500
                response = HTMLResponse(made.message_page(f"{error}."), status)
        response.headers.update(_HEADERS)
        return response

    return guard


def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _STATIC:
        raise HTTPException(_NOT_FOUND, "No such page.")
    content = resources.files("dicomanon.review").joinpath("static", name).read_text("utf-8")
    return Response(content, media_type=_STATIC[name])


def _told(made: pages.Pages) -> Callable[[Request, Exception], Response]:
    def tell(_: Request, error: Exception) -> Response:
        status, detail = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, "")
        return HTMLResponse(made.message_page(detail), status)

    return tell


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_FORM_BYTES:
            raise HTTPException(_TOO_LARGE, "The form is too large.")
    return bytes(body)


def _number(values: Mapping[str, str], name: str) -> int:
    """Return a number from 1 on."""
    text = values.get(name, "1")
    if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS) or not int(text or "0"):
        raise HTTPException(_BAD, f"The {name} is a number from 1 on.")
    return int(text)


def _said(typed: pages.Form) -> tuple[DeviceDecision, list[ConfirmedBox]]:
    """Read a form.

    Raises
    ------
    ValueError
        Saying what is wrong with it.
    """
    decision = next((one for one in DeviceDecision if one == typed.decision), None)
    if decision is None:
        raise ValueError("choose clean, mask or hold")
    return decision, [box_of(line) for line in typed.boxes.splitlines() if line.strip()]
