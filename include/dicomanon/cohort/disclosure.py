"""What may be told of counts: those of few patients are not told, all others are rounded; pure.

The rule is that of statistical offices, chosen so that nothing undoes it:

- Each count is rounded by itself, down, in steps of five from the project's minimum. Every value that is told stands
  for five, the first one as well; rounded to the nearest, a count just above the minimum would stand for fewer.
- There is no chance in it: asking again gives the same answer, and nothing averages out.
- Steps of attrition tell what each criterion left, and never what it dropped. The difference of two counts that are
  told is off by up to four either way; a third number beside them would narrow that.
- What belongs to fewer patients than the minimum is not told, how many studies or images it may be.
- Images and bytes are told to one digit. Finer, they would show a single patient with many images.

Two requests that differ by few patients may still fall on two sides of a step: such requests are found by what they
lead to (see :mod:`dicomanon.crosswalk.projects.requests`), not by what is told of them.

A release's own manifest is counted exactly: whoever asked for it holds its rows.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from dicomanon.cohort.attrition import Step

if TYPE_CHECKING:
    from dicomanon.cohort.gathering import Cohort
    from dicomanon.cohort.manifest import ManifestCounts
    from dicomanon.crosswalk.pulls import PullStanding

ROUNDED_TO = 5

Told = dict[str, int | None]
"""Counts by name; ``None`` stands for fewer than what ``fewer_than`` says beside them."""

FEWER_THAN = "fewer_than"


def told(count: int, minimum: int, *, patients: int | None = None) -> int | None:
    """Return what may be told of a count.

    Parameters
    ----------
    count
        Of patients, studies, or entries of a list.
    minimum
        The smallest count of patients that the project may be told.
    patients
        Whose they are, where it is not patients that are counted.
    """
    fewest = count if patients is None else min(count, patients)
    return None if fewest < minimum else count - (count - minimum) % ROUNDED_TO


def told_part(part: int, whole: int, minimum: int) -> int | None:
    """Return what may be told of a part of something whose size is known: neither it nor the rest may be few."""
    return None if whole - part < minimum else told(part, minimum)


def told_size(size: int, minimum: int, *, patients: int) -> int | None:
    """Return what may be told of series, images or bytes of so many patients: the first digit."""
    if patients < minimum:
        return None
    digit = int(10 ** (len(str(size)) - 1))
    return size // digit * digit


def shown(count: int | None, minimum: int | None) -> str:
    """Return a count in words, as people are shown it."""
    return f"fewer than {minimum}" if count is None else f"{count:,}"


def attrition(steps: Iterable[Step], minimum: int) -> list[dict[str, Any]]:
    """Return what ``release.json`` tells of steps; a suppressed step is one of too few patients."""
    return [
        {
            "criterion": step.criterion,
            "patients": told(step.patients, minimum),
            "studies": told(step.studies, minimum, patients=step.patients),
            "not_known": told(step.not_known, minimum),
            "suppressed": step.patients < minimum,
        }
        for step in steps
    ]


def told_of_cohort(cohort: "Cohort", held: "ManifestCounts", asked: Mapping[str, int], minimum: int) -> Told:
    """Return what is told of a cohort that is not released; nothing of it if its cases or its controls are few.

    Parameters
    ----------
    held
        How much a release of it would hold.
    asked
        How many entries each list of the request has.
    """
    fewest = min(len(group) for group in cohort.groups())
    sizes = {name: told_size(getattr(held, name), minimum, patients=fewest) for name in _SIZES}
    return {
        "patients": told(held.patients, minimum, patients=fewest),
        "studies": told(held.studies, minimum, patients=fewest),
        **sizes,
        **dict(_steps(cohort.attrition, minimum)),
        **{
            f"unmatched_{name}": told_part(len(places), asked[name], minimum)
            for name, places in cohort.unmatched.items()
            if name in asked
        },
        "controls": told(cohort.controls, minimum, patients=fewest),
        FEWER_THAN: minimum,
    }


def told_of_release(cohort: "Cohort", held: "ManifestCounts", minimum: int) -> Told:
    """Return what is told of a cohort that is released: of its own rows, and of places in lists, exact counts."""
    return {
        **asdict(held),
        **dict(_steps(cohort.attrition, minimum)),
        **{f"unmatched_{name}": len(places) for name, places in cohort.unmatched.items()},
        "controls": cohort.controls,
        FEWER_THAN: minimum,
    }


def told_of_pull(standing: "PullStanding | None", minimum: int) -> Told:
    """Return what is told of a pull: what was held, has withdrawn, or was never there is nowhere in it."""
    if standing is None:
        return {}
    return {
        "pull_identifiers": standing.entries if standing.was_asked else 0,
        "pull_studies_arrived": told(standing.arrived, minimum, patients=standing.arrived_patients),
        "pull_studies_not_yet": told(standing.pending, minimum, patients=standing.pending_patients),
    }


_SIZES = ("series", "instances", "bytes")


def _steps(steps: Sequence[Step], minimum: int) -> Iterator[tuple[str, int | None]]:
    for number, step in enumerate(steps):
        # Airflow orders them by name.
        yield f"studies_after_{number:02d}_{step.criterion}", told(step.studies, minimum, patients=step.patients)
    for step in steps:
        if (not_known := told(step.not_known, minimum)) is not None:
            yield f"not_known_{step.criterion}", not_known
