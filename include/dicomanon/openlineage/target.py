"""Where OpenLineage events go; light, because the settings of every process import it."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator


class OpenLineageTarget(BaseModel):
    """One of three: files in a folder of ours, a server that speaks OpenLineage's HTTP interface, or nowhere."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    transport: Literal["file", "http", "none"] = "file"
    namespace: Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.:/-]*$")] = "dicomanon"
    """Namespace of the jobs, such as the name of the site."""
    folder: Path | None = None
    """Of the files; ``None`` is ``openlineage`` beside the staging folder."""
    segment_megabytes: Annotated[int, Field(ge=1)] = 8
    """A file that has grown to this is closed, and the next one begun."""
    segments: Annotated[int, Field(ge=2)] = 32
    """Most closed files that are kept, loaded or not; the oldest go first."""
    url: Annotated[str, Field(pattern=r"^(https?://[^?#@\s]+)?$")] = ""
    """Root of the server, such as ``http://marquez-api:5000``; no credentials in it."""
    api_key: SecretStr = SecretStr("")
    timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 3.0
    """Longest wait for the server; an event is not sent twice."""

    @model_validator(mode="after")
    def _has_a_url_where_one_is_needed(self) -> Self:
        if self.transport == "http" and not self.url:
            raise ValueError("transport http needs a url")
        return self
