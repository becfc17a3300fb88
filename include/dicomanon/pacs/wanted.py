"""What a PACS is asked for by Patient IDs and accession numbers, and whether a study is what was asked for; pure."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Self

from dicomanon.identity import Masked
from dicomanon.pacs.windows import DateWindow, parse_date

PATIENT_ID = "00100020"
ISSUER = "00100021"
ACCESSION_NUMBER = "00080050"

Identifier = tuple[str, str]
"""Issuer of Patient ID, ``""`` for any, and Patient ID."""
ALWAYS = DateWindow(date.min, date.max)


@dataclass(frozen=True, slots=True, repr=False)
class NamedStudy(Masked):
    """A study as a PACS tells whose and what it is; values as they came, ``""`` where absent."""

    study_uid: str
    study_date: str
    patient_id: str
    issuer: str
    accession_number: str


@dataclass(frozen=True, slots=True, repr=False)
class Question(Masked):
    """One query: matching keys, and the study dates that it is about."""

    filters: Mapping[str, str]
    window: DateWindow


@dataclass(frozen=True, slots=True, repr=False)
class Wanted(Masked):
    """Studies of some people in some days, or with some accession numbers, or with both.

    Attributes
    ----------
    people
        Who, and in which days, one of which will do; ``None`` for anybody.
    accession_numbers
        One of them will do; none means any.
    window
        Study dates of all of it.
    not_people, not_accession_numbers
        What is left out.
    """

    people: Mapping[Identifier, tuple[DateWindow, ...]] | None
    accession_numbers: frozenset[str] = frozenset()
    window: DateWindow = ALWAYS
    not_people: frozenset[Identifier] = frozenset()
    not_accession_numbers: frozenset[str] = frozenset()

    def questions(self, default_issuer: str) -> Iterator[Question]:
        """Yield what to ask: a question for each accession number, or for each person and time.

        Parameters
        ----------
        default_issuer
            The site's own, which its PACS need not name.
        """
        if self.people is None or (self.people and self.accession_numbers):
            for number in sorted(self.accession_numbers):
                yield Question({ACCESSION_NUMBER: number}, self.window)
            return
        for (issuer, patient_id), windows in self.people.items():
            by_issuer = {ISSUER: issuer} if issuer not in {"", default_issuer} else {}
            for window in windows:
                both = DateWindow(max(window.start, self.window.start), min(window.end, self.window.end))
                if both.start <= both.end:
                    yield Question({PATIENT_ID: patient_id} | by_issuer, both)

    def takes(self, study: NamedStudy, default_issuer: str) -> bool:
        """Tell whether a study is what is wanted, whatever it was the answer to.

        A PACS may match in any case, by a part, or not at all. One that does not tell an issuer is taken to mean the
        site's own.
        """
        issuers = {"", study.issuer or default_issuer}
        whose = [(issuer, study.patient_id) for issuer in issuers]
        if self.accession_numbers and study.accession_number not in self.accession_numbers:
            return False
        if study.accession_number in self.not_accession_numbers or not self.not_people.isdisjoint(whose):
            return False
        if not _is_in(study, self.window):
            return False
        people = self.people
        return people is None or any(_is_in(study, window) for who in whose for window in people.get(who, ()))

    def to_text(self) -> str:
        """Return all of it as JSON, to be sealed."""
        return json.dumps(
            {
                "people": None
                if self.people is None
                else [[*who, [_days(window) for window in windows]] for who, windows in self.people.items()],
                "accession_numbers": sorted(self.accession_numbers),
                "window": _days(self.window),
                "not_people": sorted(self.not_people),
                "not_accession_numbers": sorted(self.not_accession_numbers),
            }
        )

    @classmethod
    def of(cls, text: str) -> Self:
        """Read what :meth:`to_text` wrote."""
        said = json.loads(text)
        return cls(
            people=None
            if said["people"] is None
            else {(issuer, number): tuple(map(_window, days)) for issuer, number, days in said["people"]},
            accession_numbers=frozenset(said["accession_numbers"]),
            window=_window(said["window"]),
            not_people=frozenset((issuer, number) for issuer, number in said["not_people"]),
            not_accession_numbers=frozenset(said["not_accession_numbers"]),
        )


def _is_in(study: NamedStudy, window: DateWindow) -> bool:
    day = parse_date(study.study_date)
    return window == ALWAYS if day is None else window.start <= day <= window.end


def _days(window: DateWindow) -> tuple[str, str]:
    return window.start.isoformat(), window.end.isoformat()


def _window(days: tuple[str, str]) -> DateWindow:
    start, end = days
    return DateWindow(date.fromisoformat(start), date.fromisoformat(end))
