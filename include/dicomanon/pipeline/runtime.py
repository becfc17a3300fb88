"""What a step works with: the site's settings, the crosswalk, both PACS and the compiled profile, opened together."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.keys.opening import load_keyring
from dicomanon.crosswalk.roles.role import Role
from dicomanon.pacs.query import ClinicalPacs
from dicomanon.pacs.store import ResearchPacs
from dicomanon.settings import Settings


@dataclass(frozen=True, slots=True)
class Runtime:
    """Open connections of one task process."""

    settings: Settings
    keyring: Keyring
    crosswalk: Crosswalk
    clinical: ClinicalPacs
    research: ResearchPacs


@contextmanager
def open_runtime(role: Role, settings: Settings | None = None) -> Iterator[Runtime]:
    """Connect to everything that a step needs; connections are made on first use and closed at the end.

    Parameters
    ----------
    role
        Whom the crosswalk takes this process for: it may do what that role may, and no more.

    Raises
    ------
    Fatal
        A setting or a key is missing or malformed, or the crosswalk's login may not act as the role.
    Retriable
        The crosswalk cannot be reached.
    """
    settings = settings or Settings.load()
    keyring = load_keyring(settings)
    dsn = settings.crosswalk_dsn.get_secret_value()
    with ExitStack() as stack:
        yield Runtime(
            settings=settings,
            keyring=keyring,
            crosswalk=stack.enter_context(Crosswalk(dsn, keyring, role=role, max_size=settings.pull_threads + 2)),
            clinical=stack.enter_context(ClinicalPacs(settings.clinical)),
            research=stack.enter_context(ResearchPacs(settings.research)),
        )
