"""The three kinds of error, and nothing else decides what Airflow retries.

A message says what to do next and never contains a value read from a DICOM object: it ends up in logs,
in Airflow's metadata database and on people's screens.
"""

from dicomanon.reasons import HoldReason


class DicomanonError(Exception):
    """Root of the errors that this system raises on purpose."""


class Retriable(DicomanonError):
    """Trying again later may help: the network, a 503, a database that is restarting."""


class Held(DicomanonError):
    """One instance needs a person; the others of its study go on.

    Parameters
    ----------
    reason
        The machine-readable code that is stored with the instance.
    detail
        Where it happened, in terms of tags, rules and counts; never a value.
    """

    def __init__(self, reason: HoldReason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail


class Fatal(DicomanonError):
    """Configuration or a defect of ours: nothing was done, and trying again will not help."""
