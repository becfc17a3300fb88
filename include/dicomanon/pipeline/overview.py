"""What the ledger knows and whether the servers answer, in a few counts."""

from collections import Counter

from dicomanon.crosswalk.roles.role import Role
from dicomanon.errors import DicomanonError
from dicomanon.pipeline.profiles import site_profile
from dicomanon.pipeline.runtime import Runtime, open_runtime

NOBODY = "1.2.3.4"
"""A study UID that nobody has: asking for it tells whether a PACS answers."""


def overview() -> dict[str, int | str]:
    """Return the profile in force, counts of studies and of instances by state and reason, what each PACS answers."""
    with open_runtime(Role.INGEST) as runtime:
        accounts = runtime.crosswalk.ledger.balance()
        states: Counter[str] = Counter()
        for account in accounts:
            states["instances stored"] += account.stored
            states["instances filtered"] += account.filtered
            states["instances withdrawn"] += account.withdrawn
            states["instances pending"] += account.pending
            for reason, count in account.held.items():
                states[f"instances held: {reason}"] += count
        return {
            "profile": _profile(runtime),
            "studies": len(accounts),
            "studies not balanced": sum(not account.balanced for account in accounts),
            **dict(sorted(states.items())),
            **_servers(runtime),
        }


def _profile(runtime: Runtime) -> str:
    """Return the version of the profile that runs work by, or why they have none."""
    try:
        return site_profile(runtime).version
    except DicomanonError as error:
        return str(error)


def _servers(runtime: Runtime) -> dict[str, str]:
    answers = {}
    for name, count in (("clinical", runtime.clinical.count_instances), ("research", runtime.research.count_instances)):
        try:
            count(NOBODY)
            answers[f"{name} PACS"] = "answers"
        except DicomanonError as error:
            answers[f"{name} PACS"] = str(error)
    return answers
