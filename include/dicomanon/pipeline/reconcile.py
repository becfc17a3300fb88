"""The balance of a run: per study, what both PACS really hold against what the crosswalk says."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from uuid import UUID

from dicomanon.crosswalk.rows import StudyBalance
from dicomanon.errors import DicomanonError, Fatal
from dicomanon.pipeline.runtime import Runtime
from dicomanon.pipeline.task_reads import record_read

log = logging.getLogger(__name__)

Counts = dict[str, int]

COLUMNS = (
    "study",
    "pseudonym",
    "modalities",
    "clinical",
    "stored",
    "held",
    "filtered",
    "withdrawn",
    "pending",
    "research",
    "balanced",
)


@dataclass(frozen=True, slots=True)
class ReconciledStudy:
    """One line of the balance; research identifiers and counts only.

    A count is ``None`` where the PACS could not be asked: such a study does not balance.
    """

    account: StudyBalance
    clinical: int | None
    research: int | None

    @property
    def balanced(self) -> bool:
        """Whether clinical = stored + held + filtered + withdrawn, and the research PACS shows just what is stored."""
        account = self.account
        settled = account.stored + sum(account.held.values()) + account.filtered + account.withdrawn - account.absent
        return account.pending == 0 and settled == self.clinical and account.stored == self.research

    def cells(self) -> tuple[str, ...]:
        """Return the line as text, in the order of :data:`COLUMNS`."""
        account = self.account
        held = ", ".join(f"{count} {reason}" for reason, count in sorted(account.held.items())) or "0"
        return (
            str(account.research_study_uid or "-"),
            str(account.pseudonym or "-"),
            "/".join(account.modalities) or "-",
            "?" if self.clinical is None else str(self.clinical),
            str(account.stored),
            held,
            str(account.filtered),
            str(account.withdrawn),
            str(account.pending),
            "?" if self.research is None else str(self.research),
            "yes" if self.balanced else "NO",
        )


def reconcile(runtime: Runtime, run_id: UUID) -> list[ReconciledStudy]:
    """Ask both PACS what they have of every study that the run touched."""
    accounts = runtime.crosswalk.ledger.balance(run_id=run_id)
    record_read(runtime.crosswalk, "task.reconcile", "source UIDs", len(accounts), str(run_id))

    def count(account: StudyBalance) -> ReconciledStudy:
        research = account.research_study_uid
        return ReconciledStudy(
            account=account,
            clinical=_asked(lambda: runtime.clinical.count_instances(account.study_uid.reveal())),
            research=_asked(lambda: len(runtime.research.stored_instances(str(research)))) if research else 0,
        )

    with ThreadPoolExecutor(runtime.settings.clinical.threads) as pool:
        return list(pool.map(count, accounts))


def _asked(question: Callable[[], int]) -> int | None:
    """Return the answer, or ``None``: one study that cannot be asked for hides the balance of no other."""
    try:
        return question()
    except DicomanonError as error:
        log.warning("a study could not be counted: %s", error)
        return None


def totals(studies: list[ReconciledStudy], *, not_listed: int = 0) -> Counts:
    """Add the lines up; ``not_listed`` are studies that discovery saw and could not ask for."""
    return {
        "studies": len(studies),
        "not_listed": not_listed,
        "clinical": sum(study.clinical or 0 for study in studies),
        "stored": sum(study.account.stored for study in studies),
        "held": sum(sum(study.account.held.values()) for study in studies),
        "filtered": sum(study.account.filtered for study in studies),
        "withdrawn": sum(study.account.withdrawn for study in studies),
        "pending": sum(study.account.pending for study in studies),
        "unbalanced": sum(not study.balanced for study in studies),
    }


def require_balance(counts: Counts) -> None:
    """Make the run red when a study does not balance.

    Raises
    ------
    Fatal
        Naming how many; the table in the log names them.
    """
    if counts["not_listed"]:
        raise Fatal(
            f"{counts['not_listed']} studies could not be listed: the log of discover says why (a malformed "
            "Study Instance UID is to be corrected in the clinical PACS); everything else is settled as the table says"
        )
    if counts["unbalanced"]:
        raise Fatal(
            f"{counts['unbalanced']} of {counts['studies']} studies do not balance: see the table above, then start "
            "the DAG again; what is settled stays as it is"
        )
