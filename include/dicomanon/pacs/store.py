"""Stores objects in the research PACS, and reads the receipt of each (STOW-RS, PS3.18 10.5)."""

import secrets
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Self

import requests

from dicomanon.errors import Fatal, Held, Retriable
from dicomanon.identity import InstanceSighting
from dicomanon.pacs.census import ListedStudy, census, patient_ids
from dicomanon.pacs.connection import Connection
from dicomanon.pacs.endpoint import PacsEndpoint
from dicomanon.pacs.listing import list_instances
from dicomanon.pacs.paging import number, text
from dicomanon.pacs.retrieve import retrieve

MOST_OBJECTS = 20
MOST_BYTES = 64 << 20
CHUNK_BYTES = 1 << 20

_FAILED = "00081198"
_FAILURE_REASON = "00081197"
_STORED = "00081199"
_WARNING_REASON = "00081196"
_SOP_UID = "00081155"

_NOT_STAGED = "an object to store has gone from staging, or has changed: de-identify its batch again"

_DUPLICATE = 0x0111
_OUT_OF_RESOURCES = range(0xA700, 0xA800)

_ANSWERED = (200, 202, 409)
"""Statuses of Table 10.5.3-1 whose body says what became of each object."""
_BAD_REQUEST = (400, 413, 415, 422)
_NOT_ABOUT_THE_OBJECT = (413, 415)
"""Statuses that one bad object, or too many at once, brings upon the whole request."""


@dataclass(frozen=True, slots=True)
class StoreObject:
    """A de-identified PS3.10 file to store; the UID is the one inside it."""

    sop_uid: str
    path: Path


@dataclass(frozen=True, slots=True)
class StoreResult:
    """What the research PACS said about one object.

    Attributes
    ----------
    sop_uid
        Research SOP Instance UID.
    accepted
        It says that it has the object. Ask it again by QIDO-RS before believing.
    status
        Failure Reason (0008,1197) or Warning Reason (0008,1196), ``None`` where it gave none.
    """

    sop_uid: str
    accepted: bool
    status: int | None = None

    @property
    def retriable(self) -> bool:
        """Whether it was refused for want of resources (PS3.18 I.2.2: A7xx), which may pass."""
        return not self.accepted and self.status in _OUT_OF_RESOURCES


class ResearchPacs:
    """Writes to a PACS, and asks what it holds; may be used by several threads.

    Parameters
    ----------
    endpoint
        Where it is and how hard it may be used; ``threads`` requests are sent at once.
    """

    def __init__(self, endpoint: PacsEndpoint) -> None:
        self._connection = Connection(endpoint)
        self._threads = endpoint.threads

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def is_empty(self) -> bool:
        """Tell whether it shows no study at all."""
        return not self._connection.search_studies({}, [], limit=1, offset=0)

    def store(self, objects: Iterable[StoreObject]) -> Iterator[StoreResult]:
        """Store objects, and yield exactly one result for each, in no particular order.

        A request holds at most 20 objects and, unless a single one is larger, 64 MiB; its files are streamed.

        Raises
        ------
        Retriable, Fatal
            A request had no usable answer, or a file cannot be read. Raised after the results of every request that
            had one, so that what was stored is known; the objects without a result are to be stored again.
        """
        with ThreadPoolExecutor(self._threads, thread_name_prefix="stow") as pool:
            running: set[Future[list[StoreResult]]] = set()
            failure: Retriable | Fatal | None = None
            groups = _groups(objects)
            while True:
                try:
                    group = None if failure else next(groups, None)
                except Fatal as error:
                    failure, group = error, None
                if group is not None:
                    running.add(pool.submit(self._send, group))
                    if len(running) <= self._threads:
                        continue
                elif not running:
                    break
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    try:
                        results = future.result()
                    except (Retriable, Fatal) as error:
                        failure = failure or error
                    else:
                        yield from results
        if failure:
            raise failure

    def stored_instances(self, study_uid: str) -> set[str]:
        """Return the SOP Instance UIDs that the PACS has of a study."""
        return {instance.sop_uid for instance in self.list_instances(study_uid)}

    def list_instances(self, study_uid: str) -> list[InstanceSighting]:
        """Return every instance that the PACS has of a study; none if it does not know the study."""
        return list_instances(self._connection, study_uid)

    def census(self) -> Iterator[ListedStudy]:
        """Yield every study of the archive, see :func:`dicomanon.pacs.census.census`."""
        return census(self._connection, date.today())

    def patient_ids(self, study_uid: str) -> set[str]:
        """Return the Patient IDs that the PACS has a study under; more than one where somebody has mixed them up."""
        return patient_ids(self._connection, study_uid)

    def retrieve_instance(self, study_uid: str, series_uid: str, sop_uid: str) -> Iterator[bytes]:
        """Yield the PS3.10 file of an instance, in the transfer syntax that it was stored in."""
        return retrieve(self._connection, ("studies", study_uid, "series", series_uid, "instances", sop_uid))

    def shows(self, study_uid: str, series_uid: str, sop_uid: str) -> bool:
        """Tell whether WADO-RS delivers an object's header, which an archive may do longer than QIDO-RS lists it.

        Raises
        ------
        Retriable, Fatal
            The PACS cannot say.
        """
        path = ("studies", study_uid, "series", series_uid, "instances", sop_uid, "metadata")
        try:
            self._connection.get(path, "application/dicom+json").close()
        except Held:
            return False
        return True

    def count_instances(self, study_uid: str) -> int:
        """Count the instances that the PACS has of a study."""
        return len(self.stored_instances(study_uid))

    def _send(self, group: Sequence[StoreObject]) -> list[StoreResult]:
        body = _MultipartBody(group)
        response = self._connection.post(("studies",), body, body.content_type)
        if response.status_code in _ANSWERED:
            return _results(group, response)
        if response.status_code not in _BAD_REQUEST:
            raise self._connection.refusal("STOW-RS", response.status_code)
        if len(group) == 1 and response.status_code in _NOT_ABOUT_THE_OBJECT:
            raise Fatal(
                f"the {self._connection.endpoint.name} PACS (STOW-RS) answered {response.status_code} to a single "
                "object: raise the limit of body size of the server or of a proxy before it, or check the url"
            )
        if len(group) == 1:
            return [StoreResult(group[0].sop_uid, accepted=False)]
        # One bad object must not refuse the others: Orthanc answers 400 to a request for a single unreadable part.
        return [result for item in group for result in self._send([item])]


class _MultipartBody:
    """The body of a request, read from the files while it is sent; its length is known before (RFC 2387)."""

    def __init__(self, group: Sequence[StoreObject]) -> None:
        boundary = secrets.token_hex(16)
        self.content_type = f'multipart/related; type="application/dicom"; boundary={boundary}'
        self._head = f"\r\n--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        self._tail = f"\r\n--{boundary}--\r\n".encode()
        self._files = [(item.path, _size(item)) for item in group]

    def __len__(self) -> int:
        return sum(len(self._head) + size for _, size in self._files) + len(self._tail)

    def __iter__(self) -> Iterator[bytes]:
        for path, size in self._files:
            # The small header travels with the first bytes of the file, not in a packet of its own.
            pending = self._head
            left = size
            for chunk in _read(path):
                left -= len(chunk)
                if left < 0:
                    break
                yield pending + chunk
                pending = b""
            if left:
                raise Fatal(_NOT_STAGED)
        yield self._tail


def _read(path: Path) -> Iterator[bytes]:
    # Named here, because the HTTP library would take an OSError for one of the network.
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
    except OSError:
        raise Fatal(_NOT_STAGED) from None


def _groups(objects: Iterable[StoreObject]) -> Iterator[list[StoreObject]]:
    group: list[StoreObject] = []
    size = 0
    for item in objects:
        more = _size(item)
        if group and (len(group) == MOST_OBJECTS or size + more > MOST_BYTES):
            yield group
            group, size = [], 0
        group.append(item)
        size += more
    if group:
        yield group


def _size(item: StoreObject) -> int:
    try:
        return item.path.stat().st_size
    except OSError:
        raise Fatal(_NOT_STAGED) from None


def _results(group: Sequence[StoreObject], response: requests.Response) -> list[StoreResult]:
    """Read the Store Instances Response Module (PS3.18 Annex I)."""
    answer = _answer(response)
    failed = {text(item, _SOP_UID): number(item, _FAILURE_REASON) for item in _items(answer, _FAILED)}
    stored = {text(item, _SOP_UID): number(item, _WARNING_REASON) for item in _items(answer, _STORED)}
    # A 200 without any receipt means that all were stored (Table 10.5.3-1); a 202 or a 409 may mean anything.
    silent_success = response.status_code == requests.codes.ok and not failed and not stored and _STORED not in answer
    results = []
    for item in group:
        if item.sop_uid in failed:
            status = failed[item.sop_uid]
            # Refused because the PACS has it: what storing a second time is supposed to find.
            results.append(StoreResult(item.sop_uid, accepted=status == _DUPLICATE, status=status))
        else:
            accepted = silent_success or item.sop_uid in stored
            results.append(StoreResult(item.sop_uid, accepted=accepted, status=stored.get(item.sop_uid)))
    return results


def _answer(response: requests.Response) -> dict[str, Any]:
    try:
        answer = response.json()
    except requests.exceptions.InvalidJSONError:
        return {}
    if isinstance(answer, list) and len(answer) == 1:
        answer = answer[0]
    return answer if isinstance(answer, dict) else {}


def _items(answer: dict[str, Any], tag: str) -> list[dict[str, Any]]:
    element = answer.get(tag)
    items = element.get("Value") if isinstance(element, dict) else None
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
