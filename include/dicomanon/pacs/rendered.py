"""Asks a PACS for the picture that it makes of a frame itself (WADO-RS rendered resources, PS3.18 10.4.1.1.3)."""

import requests

from dicomanon.errors import Fatal
from dicomanon.pacs.connection import Connection
from dicomanon.pacs.retrieve import chunks

_ACCEPT = "image/jpeg"
"""What every PACS that renders can send (PS3.18 Table 8.7.4-1); some refuse a list of types."""
_MOST_BYTES = 64 << 20


def rendered_frame(connection: Connection, study_uid: str, series_uid: str, sop_uid: str, frame: int) -> bytes:
    """Return a frame, counted from 0, as JPEG; what is in it is not looked at.

    Raises
    ------
    Retriable
        The PACS cannot answer now.
    Held
        It does not have the object, or the frame.
    Fatal
        It does not render this object, or nothing at all.
    """
    instance = ("studies", study_uid, "series", series_uid, "instances", sop_uid)
    # Not every PACS that renders instances renders their frames.
    path = (*instance, "frames", str(frame + 1), "rendered") if frame else (*instance, "rendered")
    try:
        with connection.get(path, _ACCEPT) as response:
            if response.status_code == requests.codes.ok:
                return b"".join(chunks(connection, response, _MOST_BYTES))
    except Fatal:
        # Archives answer so for what they cannot render; it says nothing about our settings.
        pass
    raise Fatal(f"the {connection.endpoint.name} PACS renders no picture of it")
