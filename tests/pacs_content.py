"""Puts objects into an Orthanc and takes them out again, by its own interface and not by ours."""

from io import BytesIO
from pathlib import Path

import pydicom

from dicomanon.local_stack.orthanc import OrthancServer


def put(server: OrthancServer, *objects: bytes | Path) -> None:
    """Put objects into a PACS."""
    with server.session() as session:
        for one in objects:
            data = one.read_bytes() if isinstance(one, Path) else one
            session.post(f"{server.url}/instances", data=data, timeout=60).raise_for_status()


def objects_in(server: OrthancServer) -> dict[str, bytes]:
    """Return every object in a PACS, by SOP Instance UID."""
    objects = {}
    with server.session() as session:
        for row in session.get(f"{server.url}/instances", timeout=60).json():
            data = session.get(f"{server.url}/instances/{row}/file", timeout=60).content
            objects[str(pydicom.dcmread(BytesIO(data), specific_tags=["SOPInstanceUID"]).SOPInstanceUID)] = data
    return objects
