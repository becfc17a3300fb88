"""Shifts dates by whole days and keeps their form and precision (PS3.15 E.3.6, Modified Dates Option)."""

import re
from datetime import date, timedelta

_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)
_OLD_DATE = re.compile(r"(\d{4})\.(\d{2})\.(\d{2})", re.ASCII)
_DATETIME = re.compile(r"(\d{4})(\d{2})?(\d{2})?(\d{2}(?:\d{2}(?:\d{2}(?:\.\d{1,6})?)?)?)?([+-]\d{4})?", re.ASCII)
_TIME = re.compile(r"\d{2}(:?\d{2}(:?\d{2}(\.\d{1,6})?)?)?", re.ASCII)
_OFFSET = re.compile(r"[+-]\d{4}", re.ASCII)
_EASTERNMOST_OFFSET = 1400


def shift_dates(value: str, vr: str, days: int) -> str | None:
    """Return a DA or DT value with each of its dates shifted.

    Parameters
    ----------
    value
        Without padding; several values are separated by backslashes, and each may be a range.
    vr
        ``DA`` or ``DT``.
    days
        Whole days, so that times of day and offsets from UTC stay true.

    Returns
    -------
    str or None
        ``None`` if any part is not a date of its VR (PS3.5 section 6.2): the rule's fallback applies to the whole.
    """
    shifted = [_shift_one(part.strip(), vr, days) for part in value.split("\\")]
    return None if None in shifted else "\\".join(part or "" for part in shifted)


def is_time(value: str) -> bool:
    """Tell whether a TM value, or an offset from UTC, is nothing but that; several values and ranges included."""
    return all(
        not part or _OFFSET.fullmatch(part) or all(not end or _TIME.fullmatch(end) for end in part.split("-"))
        for part in (part.strip() for part in value.split("\\"))
    )


def _shift_one(value: str, vr: str, days: int) -> str | None:
    if not value:
        return ""
    single = _shift_date if vr == "DA" else _shift_datetime
    shifted = single(value, days)
    if shifted is not None:
        return shifted
    # A range, open at either end (PS3.4 C.2.2.2.5); in a DT the minus of an offset looks the same, so try each.
    for index in (index for index, character in enumerate(value) if character == "-"):
        ends = [value[:index].strip(), value[index + 1 :].strip()]
        moved = ["" if not end else single(end, days) for end in ends]
        if None not in moved and any(ends):
            return f"{moved[0]}-{moved[1]}"
    return None


def _shift_date(value: str, days: int) -> str | None:
    match = _DATE.fullmatch(value) or _OLD_DATE.fullmatch(value)
    moved = _move(int(match[1]), int(match[2]), int(match[3]), days) if match else None
    if moved is None:
        return None
    separator = "." if "." in value else ""
    return f"{moved.year:04}{separator}{moved.month:02}{separator}{moved.day:02}"


def _shift_datetime(value: str, days: int) -> str | None:
    match = _DATETIME.fullmatch(value)
    if match is None:
        return None
    year, month, day, time, offset = match.groups()
    if offset and int(offset[1:]) > _EASTERNMOST_OFFSET:
        return None
    # A year or a month is moved from its middle: it keeps its precision, and is off by half of that at most.
    moved = _move(int(year), int(month or 7), int(day or (15 if month else 1)), days)
    if moved is None:
        return None
    text = f"{moved.year:04}" + (f"{moved.month:02}" if month else "") + (f"{moved.day:02}" if day else "")
    return text + (time or "") + (offset or "")


def _move(year: int, month: int, day: int, days: int) -> date | None:
    try:
        return date(year, month, day) + timedelta(days=days)
    except (ValueError, OverflowError):
        return None
