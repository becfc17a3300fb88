"""Does the same for many, none of which is to stop the others, and fails at the end if any did."""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from dicomanon.errors import DicomanonError, Fatal, Retriable
from dicomanon.guard import no_values_escape

log = logging.getLogger(__name__)


@contextmanager
def one_by_one(what: str) -> Iterator[Callable[[str], AbstractContextManager[None]]]:
    """Give a guard for the work on each, which takes its name for the log.

    Parameters
    ----------
    what
        What each is called in messages.

    Raises
    ------
    Retriable
        One failed that may pass by itself, and the others are done.
    Fatal
        As before, and none of those that failed passes by itself.
    """
    failures: list[DicomanonError] = []

    @contextmanager
    def each(name: str) -> Iterator[None]:
        try:
            with no_values_escape():
                yield
        except DicomanonError as error:
            failures.append(error)
            log.error("%s, %s: %s", what, name, error)

    yield each
    if failures:
        kind = Retriable if any(isinstance(error, Retriable) for error in failures) else Fatal
        raise kind(f"{what}: {len(failures)} failed, as the log tells; the others are done")
