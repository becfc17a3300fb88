"""Removes objects from a research PACS, as far as it can be asked to; DICOMweb (PS3.18) has no service for that.

Whatever a server says, an object counts as removed only when its DICOMweb services do not show it any more:
:meth:`dicomanon.pacs.store.ResearchPacs.shows`.
"""

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Protocol

import requests

from dicomanon.errors import Retriable
from dicomanon.pacs.connection import Connection
from dicomanon.pacs.endpoint import PacsEndpoint

_AT_ONCE = 100


class ObjectRemover(Protocol):
    """What a research PACS offers for removal."""

    @property
    def means(self) -> str:
        """How objects are removed, in words for the certificate."""
        ...

    def remove(self, sop_uids: Sequence[str]) -> None:
        """Ask for the removal of objects; those that are not there are passed over.

        Raises
        ------
        Retriable, Fatal
            The server failed or refused; what it removed before stays removed.
        """
        ...


class ByHand:
    """A server that offers nothing that we know: a person removes, and we look whether it is done."""

    means = "by hand"

    def remove(self, sop_uids: Sequence[str]) -> None:
        """Do nothing."""


class OrthancRemover:
    """Removes by the REST API of Orthanc: ``/tools/lookup`` and ``/tools/bulk-delete``.

    Parameters
    ----------
    endpoint
        The research PACS.
    rest_url
        Root of Orthanc's own REST API, such as ``https://orthanc.example.org``; the login is the endpoint's.
    """

    means = "Orthanc REST API"

    def __init__(self, endpoint: PacsEndpoint, rest_url: str) -> None:
        self._endpoint = endpoint.model_copy(update={"url": rest_url})

    def remove(self, sop_uids: Sequence[str]) -> None:
        """Delete every instance that has one of the SOP Instance UIDs, whatever study it lies in."""
        with Connection(self._endpoint) as connection:
            for chunk in _chunks(sop_uids):
                found = [row for uid in chunk for row in _looked_up(connection, uid)]
                if found:
                    body = json.dumps({"Resources": found})
                    _post(connection, ("tools", "bulk-delete"), body, "application/json")


def remover_for(endpoint: PacsEndpoint, orthanc_url: str) -> ObjectRemover:
    """Return what removes objects of a site's research PACS."""
    return OrthancRemover(endpoint, orthanc_url) if orthanc_url else ByHand()


def _looked_up(connection: Connection, sop_uid: str) -> list[str]:
    response = _post(connection, ("tools", "lookup"), sop_uid, "text/plain")
    with connection.translated("REST"):
        rows = response.json()
    if not isinstance(rows, list):
        raise Retriable(f"the {connection.endpoint.name} PACS (REST) answered something that is no list")
    return [str(row["ID"]) for row in rows if isinstance(row, dict) and row.get("Type") == "Instance"]


def _post(connection: Connection, path: Sequence[str], body: str, content_type: str) -> requests.Response:
    response = connection.post(path, body, content_type, "REST")
    if response.status_code != requests.codes.ok:
        raise connection.refusal("REST", response.status_code)
    return response


def _chunks(uids: Sequence[str]) -> Iterator[list[str]]:
    iterator = iter(uids)
    while chunk := list(islice(iterator, _AT_ONCE)):
        yield chunk
