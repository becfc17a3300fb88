"""Where a PACS is and how hard it may be used; light, because the settings of every process import it."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class PacsEndpoint(BaseModel):
    """The DICOMweb services of one PACS."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: str
    """What messages call it, such as ``clinical``."""
    url: Annotated[str, Field(pattern=r"^https?://[^?#@\s]+$")]
    """Root of its DICOMweb services, such as ``https://pacs.example.org/dicom-web``; no credentials in it."""
    username: str = ""
    password: SecretStr = SecretStr("")
    page_size: Annotated[int, Field(ge=1, le=10_000)] = 500
    """Rows asked for in one QIDO-RS request; the server may send fewer."""
    timeout_seconds: Annotated[float, Field(gt=0)] = 60.0
    """Longest silence of the server, not longest transfer."""
    threads: Annotated[int, Field(ge=1, le=32)] = 2
    """Requests at once."""
    ca_bundle: Path | None = None
    """Certificates to trust in place of the usual ones."""
