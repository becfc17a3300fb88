"""One authenticated HTTP session to a PACS; its faults become our errors, and nothing that it does is logged.

DICOMweb puts UIDs, dates and identifiers into URLs, and the text of HTTP exceptions and the log lines of the HTTP
libraries carry those URLs. Therefore no foreign exception leaves this room, and those loggers are shut.

Retries: a GET whose connection fails, or that is answered by 429 or 503, is tried three times more, here and nowhere
else. A POST is never repeated here: its answer may be lost although its objects were stored, so the task decides.
"""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self
from urllib.parse import urlencode

import requests
from dicomweb_client.web import DICOMwebClient
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError as TransportError
from urllib3.util.retry import Retry

from dicomanon.errors import Fatal, Held, Retriable
from dicomanon.pacs.endpoint import PacsEndpoint
from dicomanon.reasons import HoldReason

Row = Mapping[str, Any]
"""One object of a DICOM JSON answer (PS3.18 F.2)."""

CONNECT_SECONDS = 10.0
LONGEST_WAIT_SECONDS = 30
BACKOFF_SECONDS = 0.3
"""Before the second repetition it waits twice as long, and so on doubled, where the server does not say how long."""
_GONE = (404, 410)
_PASSING = (408, 425, 429)
_SERVER_ERRORS = 500
# What PS3.5 9.1 allows, and the letters that some archives have let in; nothing that could lead a URL elsewhere.
_USABLE_UID = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,127}")
_FRAME_LIST = re.compile(r"[0-9]{1,9}(,[0-9]{1,9})*")

_URL_LOGGERS = (
    "dicomweb_client.web",
    "urllib3.connection",
    "urllib3.connectionpool",
    "urllib3.poolmanager",
    "urllib3.response",
    "urllib3.util.retry",
)


class Connection:
    """A session with one PACS; may be used by several threads.

    Parameters
    ----------
    endpoint
        Where it is and how hard it may be used.
    """

    def __init__(self, endpoint: PacsEndpoint) -> None:
        _shut_loggers()
        self.endpoint = endpoint
        self._root = endpoint.url.rstrip("/")
        timeout = (min(CONNECT_SECONDS, endpoint.timeout_seconds), endpoint.timeout_seconds)
        self._session = _Session(timeout)
        # Not through a proxy that the environment names, which would read the identifiers in our URLs.
        self._session.trust_env = False
        # Nor to wherever a redirection points.
        self._session.max_redirects = 0
        self._session.verify = str(endpoint.ca_bundle) if endpoint.ca_bundle else True
        if endpoint.username:
            self._session.auth = (endpoint.username, endpoint.password.get_secret_value())
        retry = Retry(
            total=3,
            status_forcelist=(429, 503),
            allowed_methods=("GET",),
            backoff_factor=BACKOFF_SECONDS,
            raise_on_status=False,
            redirect=False,
            retry_after_max=LONGEST_WAIT_SECONDS,
        )
        adapter = HTTPAdapter(max_retries=retry, pool_maxsize=endpoint.threads + 1)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)
        self._client = DICOMwebClient(self._root, session=self._session, permissive_uid=True, timeout=timeout)
        # Its own retries would multiply ours.
        self._client.set_http_retry_params(retry=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def search_studies(self, filters: Mapping[str, str], fields: Sequence[str], limit: int, offset: int) -> list[Row]:
        """Ask for one page of studies (QIDO-RS, PS3.18 10.6)."""
        with self.translated("QIDO-RS"):
            return _rows(
                self._client.search_for_studies(
                    limit=limit, offset=offset, fields=list(fields), search_filters=dict(filters)
                )
            )

    def search_series(self, filters: Mapping[str, str], fields: Sequence[str], limit: int, offset: int) -> list[Row]:
        """Ask for one page of series, of all studies (QIDO-RS, PS3.18 10.6)."""
        with self.translated("QIDO-RS"):
            return _rows(
                self._client.search_for_series(
                    limit=limit, offset=offset, fields=list(fields), search_filters=dict(filters)
                )
            )

    def search_instances(
        self, study_uid: str | None, filters: Mapping[str, str], fields: Sequence[str], limit: int, offset: int
    ) -> list[Row]:
        """Ask for one page of instances, of a study or of all (QIDO-RS, PS3.18 10.6); none of a study it has not.

        Raises
        ------
        Held
            ``MISSING_IDENTITY``: the study's UID is none.
        """
        if study_uid is not None:
            _require_usable(study_uid)
        with self.translated("QIDO-RS"):
            try:
                answer = self._client.search_for_instances(
                    study_instance_uid=study_uid,
                    limit=limit,
                    offset=offset,
                    fields=list(fields),
                    search_filters=dict(filters),
                )
            except requests.HTTPError as error:
                return _none_if_gone(error, study_uid)
            return _rows(answer)

    def study_metadata(self, study_uid: str) -> list[Row]:
        """Ask for the headers of all instances of a study (WADO-RS, PS3.18 10.4); large, but not paged."""
        _require_usable(study_uid)
        with self.translated("WADO-RS metadata"):
            try:
                answer = self._client.retrieve_study_metadata(study_uid)
            except requests.HTTPError as error:
                return _none_if_gone(error, study_uid)
            return _rows(answer)

    def get(self, path: Sequence[str], accept: str, parameters: Mapping[str, str] | None = None) -> requests.Response:
        """Begin to read a resource; the caller closes the response.

        Parameters
        ----------
        path
            Below the root: words, UIDs, a list of frames.

        Raises
        ------
        Held
            ``NOT_RETRIEVED``: the PACS has no such object, or has it no more. ``MISSING_IDENTITY``: a UID is none.
        Retriable, Fatal
            As :meth:`translated` tells.
        """
        for part in path:
            if not _FRAME_LIST.fullmatch(part):
                _require_usable(part)
        with self.translated("WADO-RS"):
            # Commas as they are: archives look for them before they decode.
            query = urlencode(parameters or {}, safe=",")
            response = self._session.get(self._url(path), headers={"Accept": accept}, params=query, stream=True)
            if response.status_code in _GONE:
                response.close()
                raise Held(HoldReason.NOT_RETRIEVED, f"the {self.endpoint.name} PACS answered {response.status_code}")
            response.raise_for_status()
            return response

    def post(self, path: Sequence[str], body: Any, content_type: str, service: str = "STOW-RS") -> requests.Response:
        """Send a body and return the whole answer, whatever its status; ``service`` is what messages call it."""
        with self.translated(service):
            headers = {"Content-Type": content_type, "Accept": "application/dicom+json"}
            return self._session.post(self._url(path), data=body, headers=headers, allow_redirects=False)

    @contextmanager
    def translated(self, service: str) -> Iterator[None]:
        """Turn whatever the HTTP libraries raise inside into our errors, without their text.

        Raises
        ------
        Retriable
            The network, a timeout, 408, 425, 429, or any 5xx.
        Fatal
            A certificate, a redirection, the credentials, or any other 4xx: someone has to correct the settings.
        """
        who = f"the {self.endpoint.name} PACS ({service})"
        try:
            yield
        except requests.HTTPError as error:
            raise self.refusal(service, error.response.status_code) from None
        except requests.exceptions.SSLError:
            raise Fatal(f"{who}: its certificate is not trusted; see the ca_bundle setting") from None
        except requests.exceptions.TooManyRedirects:
            raise Fatal(f"{who} redirects; set its url to where it really is") from None
        except requests.exceptions.InvalidJSONError:
            raise Retriable(f"{who} answered something that is not DICOM JSON") from None
        except requests.exceptions.Timeout:
            raise Retriable(f"{who} was silent for {self.endpoint.timeout_seconds:.0f} s") from None
        except (requests.RequestException, TransportError, OSError) as error:
            raise Retriable(f"{who} cannot be reached, or broke off ({type(error).__name__})") from None

    def refusal(self, service: str, status: int) -> Retriable | Fatal:
        """Return the error that an HTTP status stands for."""
        who = f"the {self.endpoint.name} PACS ({service})"
        if status >= _SERVER_ERRORS or status in _PASSING:
            return Retriable(f"{who} answered {status}")
        if status in (401, 403):
            return Fatal(f"{who} answered {status}: its username or password is wrong, or may not do this")
        return Fatal(f"{who} answered {status}: check its url")

    def _url(self, path: Sequence[str]) -> str:
        return "/".join([self._root, *path])


class _Session(requests.Session):
    """A session in which no request can wait for ever."""

    def __init__(self, timeout: tuple[float, float]) -> None:
        super().__init__()
        self._timeout = timeout

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        if options.get("timeout") is None:
            options["timeout"] = self._timeout
        return super().send(request, **options)


class _Nothing(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return False


_NOTHING = _Nothing()


def _shut_loggers() -> None:
    # A filter and not a level: whoever configures logging later sets levels, and leaves the filters of loggers alone.
    for name in _URL_LOGGERS:
        logging.getLogger(name).addFilter(_NOTHING)


def _require_usable(uid: str) -> None:
    if not _USABLE_UID.fullmatch(uid):
        raise Held(HoldReason.MISSING_IDENTITY, "a UID has characters that a UID cannot have")


def _none_if_gone(error: requests.HTTPError, study_uid: str | None) -> list[Row]:
    """Return nothing where a 404 is about a study, and raise the error where it is about the address."""
    if study_uid is None or error.response.status_code not in _GONE:
        raise error
    return []


def _rows(answer: object) -> list[Row]:
    if not isinstance(answer, list) or not all(isinstance(row, dict) for row in answer):
        raise requests.exceptions.InvalidJSONError
    return answer
