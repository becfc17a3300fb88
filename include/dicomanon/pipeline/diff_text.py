"""The differences of two profiles for people: what differs alike is told once, with how often and where."""

from collections import Counter
from collections.abc import Iterator, Sequence

from dicomanon.profile.comparing import Difference

FEW = 4
"""Attributes that are named of those that differ alike, where not all are asked for."""
_PLURALS = {"option": "options", "switch": "switches", "override": "overrides", "attribute": "attributes"}


def diff_lines(differences: Sequence[Difference], *, every: bool) -> Iterator[str]:
    """Yield the differences: options, switches and overrides one by one, attributes by what happens to them.

    Parameters
    ----------
    differences
        As :func:`dicomanon.profile.comparing.compare` returns them.
    every
        Name all attributes, each on a line of its own.
    """
    for one in differences:
        if one.kind != "attribute":
            yield f"{one.kind} {one.subject}: {one.first} / {one.second}"
            yield f"  {one.effect}"
    for alike in _alike(differences):
        yield f"{_counted('attribute', len(alike))}: {alike[0].first} / {alike[0].second}"
        yield f"  {alike[0].effect}"
        subjects = [one.subject for one in alike]
        if every:
            yield from (f"  {subject}" for subject in subjects)
        else:
            yield f"  {_few(subjects)}"
    if differences:
        counts = Counter(one.kind for one in differences)
        told = ", ".join(_counted(kind, counts[kind]) for kind in _PLURALS if counts[kind])
        shortened = not every and any(len(alike) > FEW + 1 for alike in _alike(differences))
        yield f"they differ in {told}" + ("; --all names every attribute" if shortened else "")


def _alike(differences: Sequence[Difference]) -> list[list[Difference]]:
    """Group attributes by what either profile does with them, the largest group first."""
    groups: dict[tuple[str, str, str], list[Difference]] = {}
    for one in differences:
        if one.kind == "attribute":
            groups.setdefault((one.first, one.second, one.effect), []).append(one)
    return sorted(groups.values(), key=len, reverse=True)


def _few(subjects: list[str]) -> str:
    # "and 1 more" would take as much room as the one.
    shown = subjects if len(subjects) <= FEW + 1 else subjects[:FEW]
    more = f", and {len(subjects) - len(shown)} more" if len(shown) < len(subjects) else ""
    return ", ".join(shown) + more


def _counted(kind: str, count: int) -> str:
    return f"{count} {kind if count == 1 else _PLURALS[kind]}"
