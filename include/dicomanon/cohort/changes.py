"""What a release has that the one before had not, and the other way round; pure."""

from collections.abc import Mapping
from typing import Any


def changes(before: Mapping[int, str], after: Mapping[int, str]) -> dict[str, list[str]]:
    """Compare two releases by what of the clinical PACS they are of.

    Parameters
    ----------
    before, after
        By instance, the research SOP Instance UID that it was released under.

    Returns
    -------
    dict
        Research SOP Instance UIDs: ``added`` and ``removed``; ``replaced`` are the new ones of what was made anew,
        whose former ones are among ``removed``. Which stands for which is not told: an object is made anew under
        another UID so that nobody links the two.
    """
    gone = [uid for instance, uid in before.items() if after.get(instance) != uid]
    return {
        "added": sorted(uid for instance, uid in after.items() if instance not in before),
        "removed": sorted(gone),
        "replaced": sorted(uid for instance, uid in after.items() if before.get(instance, uid) != uid),
    }


def change_counts(told: Mapping[str, Any]) -> dict[str, int]:
    """Return how many of each."""
    return {name: len(told[name]) for name in ("added", "removed", "replaced")}
