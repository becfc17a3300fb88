"""Who is to be told of a release: its requester and its project, by the addresses that the site has of them."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from dicomanon.crosswalk.rows import ReleaseRow
from dicomanon.errors import Fatal


class Contacts(BaseModel):
    """Addresses of projects by their name, and of requesters by their login."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    projects: dict[str, tuple[str, ...]] = {}
    requesters: dict[str, tuple[str, ...]] = {}

    def of(self, release: ReleaseRow) -> tuple[str, ...]:
        """Return the addresses of those who hold a release, each once."""
        found = (*self.requesters.get(release.requester, ()), *self.projects.get(release.project, ()))
        return tuple(dict.fromkeys(found))


def load_contacts(path: Path | None) -> Contacts:
    """Read the site's file of addresses; none where there is no file.

    Raises
    ------
    Fatal
        It cannot be read, or is not of that form.
    """
    if path is None:
        return Contacts()
    try:
        return Contacts.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise Fatal(f"DICOMANON_NOTICE_CONTACTS cannot be read: {type(error).__name__}") from None
