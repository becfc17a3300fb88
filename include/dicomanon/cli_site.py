"""What the groups of the command share: the site's crosswalk, and who signs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dicomanon.account import signer
from dicomanon.crosswalk.roles.role import Role

if TYPE_CHECKING:
    from dicomanon.crosswalk.database import Crosswalk

__all__ = ["is_site", "signer", "site_crosswalk", "site_profile_name"]


def is_site() -> bool:
    """Tell whether the environment names a crosswalk."""
    import os

    return any(name.startswith("DICOMANON_CROSSWALK_") for name in os.environ)


def site_profile_name() -> str:
    """Return the profile that the site works by, without asking for what a profile does not need."""
    import os

    from dicomanon.settings import DEFAULT_PROFILE

    return os.environ.get("DICOMANON_PROFILE") or DEFAULT_PROFILE


@contextmanager
def site_crosswalk(role: Role, *, connections: int = 1) -> Iterator["Crosswalk"]:
    """Open the site's crosswalk, acting as a role, with the most connections that may be opened at once.

    Raises
    ------
    Fatal
        There is none, its keyring cannot be read, or its login may not act as the role.
    Retriable
        It cannot be reached.
    """
    from dicomanon.crosswalk.database import Crosswalk
    from dicomanon.crosswalk.keys.opening import load_keyring
    from dicomanon.local_stack.stack import require_site
    from dicomanon.settings import CrosswalkSettings

    require_site()
    settings = CrosswalkSettings.load()
    dsn = settings.crosswalk_dsn.get_secret_value()
    with Crosswalk(dsn, load_keyring(settings), role=role, max_size=connections) as crosswalk:
        yield crosswalk
