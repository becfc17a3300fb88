"""How many patients and studies are left, criterion by criterion; exact, and told as ``disclosure`` has it alone."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from dicomanon.cohort.matching import CRITERIA, Asked, Candidate, Criterion, Level

IDENTIFIED = "identified"
"""The first step: studies that the identifiers of the request lead to, or all."""


@dataclass(frozen=True, slots=True)
class Step:
    """What a criterion left.

    Attributes
    ----------
    criterion
        Its name.
    patients, studies
        How many are left.
    not_known
        How many studies it dropped because nothing is known of what was asked.
    """

    criterion: str
    patients: int
    studies: int
    not_known: int = 0


class Sieve:
    """Lets studies through, page by page, and counts what it keeps back: one number a patient is all that it holds."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._criteria: tuple[Criterion, ...] = tuple(one for one in CRITERIA if one.is_given(asked.criteria))
        self._deepest: dict[UUID, int] = {}
        self._dropped: Counter[int] = Counter()
        self._not_known: Counter[int] = Counter()
        self._seen = 0

    def asks(self, level: Level) -> bool:
        """Tell whether something is asked of a level."""
        return any(one.level == level for one in self._criteria)

    def enter(self, candidates: Iterable[Candidate]) -> None:
        """Count studies that were identified."""
        for candidate in candidates:
            self._seen += 1
            self._deepest.setdefault(candidate.study.patient_id, 0)

    def left(self, level: Level, candidates: Iterable[Candidate]) -> list[Candidate]:
        """Return what meets every criterion of a level."""
        numbered = [(number, one) for number, one in enumerate(self._criteria) if one.level == level]
        return [met for candidate in candidates if (met := self._through(numbered, candidate)) is not None]

    def attrition(self) -> tuple[Step, ...]:
        """Tell what each criterion left of all studies so far."""
        patients, studies = len(self._deepest), self._seen
        steps = [Step(IDENTIFIED, patients, studies)]
        stopped = Counter(self._deepest.values())
        for number, criterion in enumerate(self._criteria):
            # Whose best study got as far as this criterion got no further.
            patients, studies = patients - stopped[number], studies - self._dropped[number]
            steps.append(Step(criterion.name, patients, studies, self._not_known[number]))
        return tuple(steps)

    def _through(self, criteria: Sequence[tuple[int, Criterion]], candidate: Candidate) -> Candidate | None:
        person = candidate.study.patient_id
        for number, criterion in criteria:
            left, known = criterion.left(self._asked, candidate)
            if left is None:
                self._dropped[number] += 1
                self._not_known[number] += not known
                return None
            candidate = left
            self._deepest[person] = max(self._deepest[person], number + 1)
        return candidate


def left_by(name: str, left: Iterable[Candidate]) -> Step:
    """Return the step of something that was done to all studies at once."""
    people = [candidate.study.patient_id for candidate in left]
    return Step(name, len(set(people)), len(people))
