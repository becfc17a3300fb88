"""Keeps the text of foreign exceptions, which may quote PHI, out of logs and off screens."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dicomanon.errors import DicomanonError, Fatal


@contextmanager
def no_values_escape() -> Iterator[None]:
    """Turn any foreign exception into a ``Fatal`` that tells its type and place, and cut the chain to the original.

    The text of a library's exception may quote a value of the object that it choked on.
    """
    try:
        yield
    except DicomanonError as error:
        raise error.with_traceback(None) from None
    except Exception as error:
        raise Fatal(f"{type(error).__name__} in {_place(error)}: a defect, please report it") from None


def _place(error: BaseException) -> str:
    """Return the innermost place in our own code that the exception passed through."""
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "dicomanon" in Path(frame.filename).parts]
    frame = ours[-1] if ours else traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno}"
