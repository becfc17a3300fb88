"""An entry as it is reported to others: what it is about by research identifiers, without the sealed reason."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from dicomanon.crosswalk.audit.events import Entry, Subject, SubjectKind

if TYPE_CHECKING:
    from dicomanon.crosswalk.audit.trail import Audit

_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Reported:
    """An entry, and what it is about."""

    entry: Entry
    subjects: tuple[Subject, ...]


def reported(audit: "Audit", entries: Iterable[Entry]) -> Iterator[Reported]:
    """Add to entries the research UIDs of the instances that they name by number; of one that has none, its row."""
    remaining = iter(entries)
    while page := list(islice(remaining, _AT_ONCE)):
        instances = [entry.instance_id for entry in page if entry.instance_id is not None]
        uids = audit.research_uids(instances) if instances else {}
        for entry in page:
            yield Reported(entry, tuple(_subjects(entry, uids)))


def _subjects(entry: Entry, uids: dict[int, str]) -> Iterator[Subject]:
    if entry.instance_id is not None:
        uid = uids.get(entry.instance_id)
        yield Subject(SubjectKind.INSTANCE, uid) if uid else Subject(SubjectKind.INSTANCE_ROW, str(entry.instance_id))
    if entry.subject:
        known = entry.subject_kind in set(SubjectKind)
        yield Subject(SubjectKind(entry.subject_kind) if known else SubjectKind.OTHER, entry.subject)
