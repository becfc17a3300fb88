"""Which representation an Accept header asks for (PS3.18 8.7), as the PACS is then asked for it; pure.

The PACS gets one of a few headers that are written here, and never one that came from outside: what it is made to
transcode, and into what, is not for everybody with a token to choose. Archives have died of it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from typing import Final

from dicomanon.gateway.refusals import NOT_ACCEPTABLE, Refusal

DICOM: Final = "application/dicom"
DICOM_JSON: Final = "application/dicom+json"
_MULTIPART: Final = "multipart/related"
_ANY: Final = "*/*"
_LONGEST: Final = 4096
_MOST_RANGES: Final = 16
# Media ranges may have quoted parameters; nothing else belongs there, least of all another header.
_HEADER: Final = re.compile(r"[\w !#$%&'*+./:;=\"^`|~,<>()@?\[\]{}-]*", re.ASCII)
_RANGES: Final = re.compile(r'(?:[^,"]|"[^"]*")+')
_OCTETS: Final = "application/octet-stream"
_AS_STORED: Final = "*"
_DEFAULT: Final = ""
_TRANSFER_SYNTAXES: Final = frozenset({_DEFAULT, _AS_STORED, "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"})
"""As stored, or not compressed; nothing is compressed on request."""
_PICTURES: Final = {"image/jpeg": "image/jpeg", "image/png": "image/png", "image/*": "image/jpeg", _ANY: "image/jpeg"}


@dataclass(frozen=True, slots=True)
class MediaRange:
    """One of the things that would do, with its parameters in lower case."""

    media_type: str
    parameters: dict[str, str]

    @property
    def transfer_syntax(self) -> str:
        """Return the transfer syntax; empty where none is named."""
        return self.parameters.get("transfer-syntax", _DEFAULT)

    def is_multipart_of(self, media_type: str) -> bool:
        """Tell whether parts of a type would do."""
        if self.media_type in {_ANY, "multipart/*"}:
            return True
        return self.media_type == _MULTIPART and self.parameters.get("type", media_type).lower() in {media_type, _ANY}


@dataclass(frozen=True, slots=True)
class Objects:
    """How objects are wanted.

    Attributes
    ----------
    transfer_syntax
        ``*`` as they are stored; a UID; empty for what PS3.18 8.7.3.5.2 has as default.
    is_multipart
        Whether each is a part of a body; if not, there is just one.
    """

    transfer_syntax: str
    is_multipart: bool

    @property
    def upstream(self) -> str:
        """Return the Accept header that the PACS is asked with; some know only multipart."""
        syntax = f"; transfer-syntax={self.transfer_syntax}" if self.transfer_syntax else ""
        return f'{_MULTIPART}; type="{DICOM}"{syntax}'


def ranges(accept: str | None) -> Iterator[MediaRange]:
    """Yield what would do, in the order of the header.

    Raises
    ------
    Refusal
        406: it is no Accept header.
    """
    accept = (accept or "").strip() or _ANY
    found = _RANGES.findall(accept)
    if len(accept) > _LONGEST or len(found) > _MOST_RANGES or not _HEADER.fullmatch(accept):
        raise Refusal(NOT_ACCEPTABLE, "The Accept header cannot be understood.")
    for text in found:
        message = Message()
        message["Content-Type"] = text.strip()
        parameters = {name.lower(): value for name, value in message.get_params(failobj=[])[1:]}
        yield MediaRange(text.partition(";")[0].strip().lower(), parameters)


def of_objects(accept: str | None, *, one: bool) -> Objects:
    """Return how objects are wanted.

    Parameters
    ----------
    one
        Whether it is about a single instance, which need not be a part.

    Raises
    ------
    Refusal
        406: not as DICOM objects.
    """
    for wanted in ranges(accept):
        if wanted.transfer_syntax not in _TRANSFER_SYNTAXES:
            continue
        if wanted.is_multipart_of(DICOM):
            anything = wanted.media_type != _MULTIPART
            return Objects(_AS_STORED if anything else wanted.transfer_syntax, is_multipart=True)
        if wanted.media_type == DICOM and one:
            return Objects(wanted.transfer_syntax, is_multipart=False)
    raise Refusal(NOT_ACCEPTABLE, f'Objects are sent as {_MULTIPART}; type="{DICOM}", as stored or not compressed.')


def of_octets(accept: str | None) -> str:
    """Return how the PACS is asked for frames or bulk data.

    Raises
    ------
    Refusal
        406: not as octets.
    """
    for wanted in ranges(accept):
        if wanted.transfer_syntax in _TRANSFER_SYNTAXES and wanted.is_multipart_of(_OCTETS):
            syntax = f"; transfer-syntax={wanted.transfer_syntax}" if wanted.transfer_syntax else ""
            return f'{_MULTIPART}; type="{_OCTETS}"{syntax}'
    raise Refusal(NOT_ACCEPTABLE, f'This is sent as {_MULTIPART}; type="{_OCTETS}", as stored or not compressed.')


def of_picture(accept: str | None) -> str:
    """Return how the PACS is asked for a picture.

    Raises
    ------
    Refusal
        406: not as one that it makes.
    """
    for wanted in ranges(accept):
        if wanted.media_type in _PICTURES:
            return _PICTURES[wanted.media_type]
    raise Refusal(NOT_ACCEPTABLE, "Pictures are sent as image/jpeg or image/png.")


def require_json(accept: str | None) -> None:
    """Refuse whoever does not take JSON.

    Raises
    ------
    Refusal
        406.
    """
    fine = {_ANY, "application/*", DICOM_JSON, "application/json"}
    if not any(wanted.media_type in fine for wanted in ranges(accept)):
        raise Refusal(NOT_ACCEPTABLE, f"This is sent as {DICOM_JSON}.")
