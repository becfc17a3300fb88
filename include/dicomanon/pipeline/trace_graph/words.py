"""Numbers, identifiers and times as a picture shows them: short."""

from datetime import timedelta
from typing import Final

_UNITS: Final = ("bytes", "kB", "MB", "GB", "TB")
_STEP: Final = 1000


def short(identifier: str, length: int = 14) -> str:
    """Return the end of an identifier, which tells more than its beginning does."""
    return identifier if len(identifier) <= length else f"…{identifier[1 - length :]}"


def size(count: int) -> str:
    """Return a number of bytes in the unit in which people think of it."""
    value, unit = float(count), 0
    while value >= _STEP and unit < len(_UNITS) - 1:
        value /= _STEP
        unit += 1
    return f"{value:.0f} {_UNITS[unit]}" if unit == 0 or value >= _STEP / 10 else f"{value:.1f} {_UNITS[unit]}"


def counted(count: int, word: str) -> str:
    """Return how many there are, in words."""
    plural = f"{word}es" if word.endswith(("s", "ch")) else f"{word}s"
    return f"{count:,} {word if count == 1 else plural}"


def lasted(time: timedelta) -> str:
    """Return how long something took."""
    seconds = time.total_seconds()
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"
