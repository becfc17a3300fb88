"""Seals identifying request parameters at the api-server's door, before Airflow logs, checks or stores anything.

Airflow writes the whole JSON body of a changing request to its audit log before it looks at it, even of one that it
then refuses. So a body is either made safe here, or refused here.
"""

import json
import logging
import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dicomanon.cohort.parameters import (
    APPROVAL_REASON,
    APPROVE,
    APPROVE_VERSIONS,
    COHORT_DAG_ID,
    REFUSE,
    RESERVED_NAMES,
    SEALED_PARAMETERS,
    check_conf,
)
from dicomanon.cohort.sealing import is_sealed, public_key_from_text, seal_conf, seal_parameter
from dicomanon.errors import Fatal

log = logging.getLogger(__name__)

MAX_BODY_BYTES: Final = 4 * 1024 * 1024
"""About 200 000 identifiers; the body is held in memory while it is sealed."""

_CHANGING: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
# A path is searched rather than compared from its start: [api] base_url may put a prefix before it.
_GUARDED: Final = re.compile(r"(?:^|/)(?:api/v2|ui|execution/dag-runs)(?:/|$)")
_TRIGGER: Final = re.compile(r"(?:^|/)api/v2/dags/([^/]+)/dagRuns/?$")
_OPERATOR_TRIGGER: Final = re.compile(r"(?:^|/)execution/dag-runs/([^/]+)/[^/]+/?$")
_BACKFILL: Final = re.compile(r"(?:^|/)api/v2/backfills(?:/dry_run)?/?$")
_ANSWER: Final = re.compile(rf"(?:^|/)api/v2/dags/{COHORT_DAG_ID}/dagRuns/.*/hitlDetails/?$")
_FREE_VALUES: Final = re.compile(r"(?:^|/)api/v2/dags/([^/]+)/.*/(?:xcomEntries|state-store)(?:/|$)")

_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?")
_RUN_ID: Final = re.compile(
    r"(?:[a-z]+(?:_[a-z]+)*__)?(?:\d{4}-\d\d-\d\dT[\d:.]{5,15}(?:Z|[+-]\d\d:?\d\d)?(?:_[A-Za-z0-9]{8})?"
    r"|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})"
)
"""Airflow's own form of a run id, or a UUID: nothing that a name or a number of a patient could be written as."""

_TRIGGER_FIELDS: Final = {
    "conf": None,
    "dag_run_id": _RUN_ID,
    "logical_date": _TIME,
    "data_interval_start": _TIME,
    "data_interval_end": _TIME,
    "run_after": _TIME,
}
"""The fields of a trigger that may hold something, and what."""
_EMPTY_FIELDS: Final = frozenset({"note", "partition_key"})
"""Free text, which the form sends empty."""


class _Refused(Exception):
    """The request stops here; ``detail`` is shown to the requester and never quotes the request."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class SealingMiddleware:
    """Seals or refuses every request that would bring an identifying parameter into Airflow.

    Parameters
    ----------
    app
        Airflow's api-server.
    public_key
        Base64 of the X25519 public key for requests. Without a usable one, cohort requests are refused.
    """

    def __init__(self, app: ASGIApp, public_key: str | None = None) -> None:
        self._app = app
        self._public_key: bytes | None = None
        try:
            self._public_key = public_key_from_text(public_key) if public_key else None
        except Fatal as error:
            log.error("cohort requests will be refused: %s", error)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection (ASGI)."""
        if scope["type"] != "http" or scope["method"] not in _CHANGING or not _GUARDED.search(scope["path"]):
            await self._app(scope, receive, send)
            return
        try:
            body = await _read_body(scope, receive)
            if body is None:  # the client went away: nobody is left to answer
                return
            safe = self._make_safe(scope, body)
        except _Refused as refused:
            await JSONResponse({"detail": refused.detail}, refused.status)(scope, receive, send)
            return
        await self._app(_with_length(scope, safe, changed=safe is not body), _replay(safe, receive), send)

    def _make_safe(self, scope: Scope, body: bytes) -> bytes:
        path: str = scope["path"]
        query = scope.get("query_string", b"").decode("latin-1")
        if any(name in RESERVED_NAMES for name, _ in parse_qsl(query, keep_blank_values=True)):
            raise _Refused(400, "A parameter that can identify a patient must not be in a URL.")

        trigger = _TRIGGER.search(path)
        if trigger and scope["method"] == "POST" and trigger.group(1) in SEALED_PARAMETERS:
            if query:
                raise _Refused(400, "This request takes no query string: send everything in the JSON body.")
            return self._seal_trigger(trigger.group(1), _object(body))

        if _ANSWER.search(path) and scope["method"] == "PATCH":
            if query:
                raise _Refused(400, "This request takes no query string: send everything in the JSON body.")
            return self._seal_answer(_object(body))

        try:
            document: Any = json.loads(body) if body.strip() else None
        except RecursionError:
            raise _Refused(422, "The request body is nested too deeply.") from None
        except ValueError:
            if _concerned_dag(path, None):
                raise _Refused(422, "The request body is not valid JSON.") from None
            return body  # Airflow refuses it before its audit log has seen it, and keeps nothing
        _refuse_clear_values(document)
        _refuse_free_text(path, document)
        return body

    def _key(self) -> bytes:
        if self._public_key is None:
            raise _Refused(503, "This api-server has no public key for requests, so it cannot seal them: ask an admin.")
        return self._public_key

    def _seal_answer(self, body: dict[str, Any]) -> bytes:
        """Let one of the answers to a cohort request through, and its reason sealed."""
        key = self._key()
        given = body.get("params_input")
        reason = given.get("reason") if isinstance(given, dict) and given.keys() == {"reason"} else None
        chosen = body.get("chosen_options")
        if body.keys() != {"chosen_options", "params_input"} or chosen not in ([APPROVE], [APPROVE_VERSIONS], [REFUSE]):
            answers = f"{APPROVE}, {APPROVE_VERSIONS} and {REFUSE}"
            raise _Refused(400, f"Answer with one of {answers} and a reason, and nothing else.")
        if not isinstance(reason, str) or not reason.strip():
            raise _Refused(400, "Give a reason, in words: it is sealed before Airflow stores it.")
        if not is_sealed(reason):
            reason = seal_parameter(key, COHORT_DAG_ID, APPROVAL_REASON, reason)
        return json.dumps({"chosen_options": chosen, "params_input": {"reason": reason}}).encode("ascii")

    def _seal_trigger(self, dag_id: str, body: dict[str, Any]) -> bytes:
        key = self._key()
        _check_trigger_fields(body)
        conf = body.get("conf")
        if conf is None:
            conf = {}
        if not isinstance(conf, dict):
            raise _Refused(422, "conf must be a JSON object.")
        try:
            check_conf(dag_id, conf)
            sealed = seal_conf(key, dag_id, conf)
        except Fatal as error:
            raise _Refused(400, f"{error}.") from None
        return json.dumps(body | {"conf": sealed}).encode("ascii")


def _check_trigger_fields(body: dict[str, Any]) -> None:
    for name, value in body.items():
        empty = value is None or value == ""
        if name in _EMPTY_FIELDS and empty:
            continue
        if name not in _TRIGGER_FIELDS:
            allowed = ", ".join(_TRIGGER_FIELDS)
            raise _Refused(400, f"A cohort request may hold {allowed}, and nothing else: Airflow keeps what is sent.")
        pattern = _TRIGGER_FIELDS[name]
        if pattern is not None and not empty and not (isinstance(value, str) and pattern.fullmatch(value)):
            raise _Refused(400, f"{name} is not in the form that Airflow itself would write.")


def _refuse_clear_values(document: Any) -> None:
    for name, value in _entries(document):
        if name in RESERVED_NAMES and value is not None and value not in ("", []) and not is_sealed(value):
            dags = ", ".join(sorted(dag for dag, names in SEALED_PARAMETERS.items() if name in names))
            raise _Refused(400, f"{name} can identify a patient; it is taken only in the conf of a new run of {dags}.")


def _refuse_free_text(path: str, document: Any) -> None:
    """Refuse what would be kept in clear text beside the runs of a DAG that takes sealed parameters."""
    dag_id = _concerned_dag(path, document)
    if dag_id is None:
        return
    if _BACKFILL.search(path):
        raise _Refused(400, f"{dag_id} answers requests; it cannot be backfilled.")
    if _OPERATOR_TRIGGER.search(path):
        raise _Refused(400, f"{dag_id} takes requests from people and programs, not from other DAGs.")
    if _FREE_VALUES.search(path) and document is not None:
        raise _Refused(400, f"Values beside the runs of {dag_id} are not set from outside: Airflow keeps them as sent.")
    if any(name in {"note", "conf", "dag_run_conf", "params_input"} and value for name, value in _entries(document)):
        raise _Refused(400, f"Notes and settings on runs of {dag_id} are not taken: Airflow keeps them as sent.")


def _concerned_dag(path: str, document: Any) -> str | None:
    """Return the DAG with sealed parameters that a request is about, by its path or by a name in its body."""
    named = set(unquote(path).split("/")) & SEALED_PARAMETERS.keys()
    if not named:
        named = {value for _, value in _entries(document) if isinstance(value, str)} & SEALED_PARAMETERS.keys()
    return min(named, default=None)


def _entries(document: Any) -> Iterator[tuple[str, Any]]:
    """Yield every key and value at every depth; items of lists have the key ``""``."""
    waiting = [document]
    while waiting:
        current = waiting.pop()
        if isinstance(current, dict):
            yield from current.items()
            waiting.extend(current.values())
        elif isinstance(current, list):
            yield from (("", item) for item in current)
            waiting.extend(current)


def _object(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise _Refused(422, "The request body is not valid JSON.") from None
    if not isinstance(document, dict):
        raise _Refused(422, "The request body must be a JSON object.")
    return document


async def _read_body(scope: Scope, receive: Receive) -> bytes | None:
    """Read the whole body, sent in one piece or in chunks; ``None`` when the client disconnects first."""
    too_large = _Refused(413, f"The request body is larger than {MAX_BODY_BYTES // 1024 // 1024} MiB.")
    for name, value in scope["headers"]:
        if name == b"content-length" and (not value.isdigit() or int(value) > MAX_BODY_BYTES):
            raise too_large
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise too_large
        if not message.get("more_body", False):
            return bytes(body)


def _with_length(scope: Scope, body: bytes, *, changed: bool) -> Scope:
    """Return the scope with headers that fit the body, which now comes in one piece and as ASCII JSON."""
    if not changed:
        return scope
    replaced = {b"content-length", b"transfer-encoding", b"content-type"}
    headers = [(name, value) for name, value in scope["headers"] if name.lower() not in replaced]
    headers += [(b"content-length", str(len(body)).encode("ascii")), (b"content-type", b"application/json")]
    return {**scope, "headers": headers}


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
