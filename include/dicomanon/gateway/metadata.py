"""The headers of what a token shows, as DICOM JSON (WADO-RS metadata, PS3.18 10.4.1.1.2), one instance in memory.

Asked for instance by instance: a PACS answers a study as a whole, hidden instances too, in one JSON text that has to be
in memory to be read. Some are asked for ahead, so that it takes no longer.
"""

import json
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

from dicomanon.crosswalk.gateway.showing import ShownObject
from dicomanon.errors import Fatal
from dicomanon.gateway.addresses import Address, bulk_path
from dicomanon.gateway.media import DICOM_JSON
from dicomanon.gateway.refusals import Refusal
from dicomanon.pacs.connection import Connection
from dicomanon.pacs.retrieve import chunks

_AHEAD: Final = 2
_MOST_BYTES: Final = 64 << 20
_SOP_INSTANCE_UID: Final = "00080018"


def stream(pacs: Connection, study_uid: str, shown: Sequence[ShownObject], root: str) -> Iterator[bytes]:
    """Yield a JSON array of the headers of instances.

    Parameters
    ----------
    root
        Address of this DICOMweb service, below which bulk data are.

    Raises
    ------
    Held, Retriable, Fatal
        The PACS does not have one, cannot answer, or sends another than was asked for.
    """
    with ThreadPoolExecutor(_AHEAD, "metadata") as pool:
        waiting: deque[Future[bytes]] = deque()
        separator = b"["
        try:
            for one in shown:
                waiting.append(pool.submit(_of_one, pacs, Address(study_uid, one.series_uid, one.sop_uid), root))
                if len(waiting) >= _AHEAD:
                    yield separator + waiting.popleft().result()
                    separator = b","
            while waiting:
                yield separator + waiting.popleft().result()
                separator = b","
            yield b"]"
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _of_one(pacs: Connection, address: Address, root: str) -> bytes:
    with pacs.get([*address.path, "metadata"], DICOM_JSON) as response:
        text = b"".join(chunks(pacs, response, _MOST_BYTES))
    try:
        (header,) = json.loads(text)
        (uid,) = header[_SOP_INSTANCE_UID]["Value"]
    except (ValueError, KeyError, TypeError):
        raise Fatal("the research PACS (WADO-RS metadata) answered something that is no header") from None
    if uid != address.sop_uid:
        raise Fatal("the research PACS (WADO-RS metadata) answered with another object than was asked for")
    _lead_here(header, address, root)
    return json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def _lead_here(dataset: dict[str, Any], address: Address, root: str) -> None:
    """Have bulk data of the instance asked for here; what leads elsewhere is left out."""
    below = "/".join(address.path) + "/"
    waiting = [dataset]
    while waiting:
        for element in waiting.pop().values():
            if "BulkDataURI" in element:
                uri = str(element.pop("BulkDataURI"))
                path = uri.partition(below)[2]
                if _is_bulk(path):
                    element["BulkDataURI"] = f"{root}/{below}bulkdata/{path}"
            if element.get("vr") == "SQ":
                waiting += [item for item in element.get("Value", ()) if isinstance(item, dict)]


def _is_bulk(path: str) -> bool:
    try:
        return bool(bulk_path(path))
    except Refusal:
        return False
