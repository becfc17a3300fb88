"""What the tests of this room share: small objects, loading them into an Orthanc, a server with faults to choose."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from urllib.parse import parse_qsl, urlsplit

from pydantic import SecretStr
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from dicomanon.local_stack.orthanc import OrthancServer
from dicomanon.pacs.endpoint import PacsEndpoint


def make_object(
    study_uid: str,
    *,
    series_uid: str = "1.2.3.4",
    sop_uid: str | None = None,
    study_date: str | None = "20200101",
    study_time: str | None = "120000",
    payload: bytes = b"",
) -> bytes:
    """Return a PS3.10 file; a date or time of ``None`` is absent."""
    sop_uid = sop_uid or generate_uid()
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = CTImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = sop_uid
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    if study_date is not None:
        dataset.StudyDate = study_date
    if study_time is not None:
        dataset.StudyTime = study_time
    dataset.Modality = "CT"
    dataset.PatientName = "Doe^Jane"
    dataset.PatientID = "MRN-1"
    dataset.StudyInstanceUID = study_uid
    dataset.SeriesInstanceUID = series_uid
    if payload:
        dataset.EncapsulatedDocument = payload + b"\0" * (len(payload) % 2)
    file = BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def load(server: OrthancServer, *objects: bytes) -> None:
    """Put objects into an Orthanc by its own REST API."""
    with server.session() as session:
        for content in objects:
            session.post(f"{server.url}/instances", data=content, timeout=30).raise_for_status()


def endpoint(server: OrthancServer, **settings: object) -> PacsEndpoint:
    return PacsEndpoint.model_validate(
        {
            "name": "clinical",
            "url": server.dicom_web_url,
            "username": server.username,
            "password": SecretStr(server.password),
        }
        | settings
    )


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, str]
    body: bytes
    accept: str


@dataclass
class Answer:
    body: bytes = b""
    status: int = 200
    content_type: str = "application/dicom+json"
    headers: Mapping[str, str] = field(default_factory=dict)
    announced_length: int | None = None
    """Content-Length to send, when it shall not be that of the body."""
    send_length: bool = True


@dataclass
class FaultyServer:
    url: str
    requests: list[Request]

    def endpoint(self, **settings: object) -> PacsEndpoint:
        return PacsEndpoint.model_validate({"name": "clinical", "url": self.url, "timeout_seconds": 5} | settings)


@contextmanager
def faulty_server(answer: Callable[[Request], Answer]) -> Iterator[FaultyServer]:
    """Serve what ``answer`` says, on a real socket."""
    seen: list[Request] = []

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            request = Request(
                self.command, parts.path, dict(parse_qsl(parts.query)), body, self.headers.get("Accept", "")
            )
            seen.append(request)
            reply = answer(request)
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.content_type)
            if reply.send_length:
                length = len(reply.body) if reply.announced_length is None else reply.announced_length
                self.send_header("Content-Length", str(length))
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body)

        do_GET = _serve
        do_POST = _serve

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield FaultyServer(f"http://127.0.0.1:{server.server_port}", seen)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
