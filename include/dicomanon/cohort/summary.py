"""What a request led to, as lines for the log of its last task; pure."""

from collections.abc import Iterator, Mapping
from typing import Final

from dicomanon.cohort.disclosure import FEWER_THAN, shown

_FIRST: Final = ("patients", "studies", "series", "instances", "bytes", "controls")
_LATER: Final = {
    "studies_after_": "Studies that each criterion left",
    "not_known_": "Studies of which it is not known",
    "unmatched_": "Entries of yours that lead to no study",
}
"""Counts that are told together, by how their names begin."""


def summary(counts: Mapping[str, int | None]) -> Iterator[str]:
    """Yield the counts in the order of what people want to know first; of entries only where there are any."""
    minimum = counts[FEWER_THAN]
    for name in _FIRST:
        if name in counts:
            yield _line(name, counts[name], minimum)
    for beginning, title in _LATER.items():
        of_it = {name.removeprefix(beginning): counts[name] for name in sorted(counts) if name.startswith(beginning)}
        if any(count != 0 for count in of_it.values()):
            yield f"{title}:"
            for name, count in of_it.items():
                yield _line(f"  {name}", count, minimum)
    yield from (
        _line(name, count, minimum)
        for name, count in counts.items()
        if name not in {*_FIRST, FEWER_THAN, "release"} and not name.startswith(tuple(_LATER))
    )


def _line(name: str, count: int | None, minimum: int | None) -> str:
    return f"{name.replace('_', ' '):32}{shown(count, minimum):>17}"
