"""The fewest requests by which the PACS sends what a token shows, and is asked for nothing that is hidden; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from dicomanon.crosswalk.gateway.showing import ShownObject
from dicomanon.gateway.addresses import Address


@dataclass(frozen=True, slots=True)
class Step:
    """A request to the PACS, and the SOP Instance UIDs that it is for: whatever else comes is not passed on."""

    address: Address
    sop_uids: frozenset[str]


def steps(asked: Address, shown: Sequence[ShownObject]) -> list[Step]:
    """Return the requests for what is shown of what was asked for.

    A study or a series is asked for as one where all that is stored of it is shown: at once, and in the PACS's own
    order. Of the rest each instance is asked for by its name.
    """
    if (shown and shown[0].is_whole) or asked.sop_uid is not None:
        return [Step(asked, frozenset(one.sop_uid for one in shown))]
    return [
        step
        for series_uid, of_series in groupby(shown, key=lambda one: one.series_uid)
        for step in _of_series(Address(asked.study_uid, series_uid), list(of_series))
    ]


def _of_series(series: Address, shown: Sequence[ShownObject]) -> list[Step]:
    if shown[0].is_of_whole_series:
        return [Step(series, frozenset(one.sop_uid for one in shown))]
    return [Step(Address(series.study_uid, series.series_uid, one.sop_uid), frozenset({one.sop_uid})) for one in shown]
