"""Where the ``dicomanon`` command prints, and how it ends."""

import sys

from rich.console import Console

DONE, PARTLY, FATAL, TRY_AGAIN = 0, 1, 3, 4
"""Exit codes; 2, the command line is wrong, is the parser's."""

NARROWEST = 150
"""Columns that a table gets where nobody's window limits it: a research UID takes 44 of them."""

out = Console(highlight=False, width=None if sys.stdout.isatty() else NARROWEST)
err = Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else NARROWEST)


def say(line: str = "") -> None:
    """Print one line as it is: no markup, no wrapping."""
    out.print(line, markup=False, soft_wrap=True)
