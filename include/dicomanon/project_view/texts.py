"""Texts and dates as a project sees them: what the research PACS's dates and identifiers in them become."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from dicomanon.deidentify.dates import shift_dates
from dicomanon.deidentify.dummies import dummy_value
from dicomanon.deidentify.text import DateTreatment, KnownValues
from dicomanon.deidentify.text.spans import without_overlaps
from dicomanon.deidentify.text.tidying import assemble, tidy
from dicomanon.deidentify.text.written_dates import WrittenDates
from dicomanon.profile.actions import TextKind
from dicomanon.project_view.view import ProjectView

_RESEARCH_UID: Final = re.compile(r"(?<![\w.])2\.25\.\d{1,39}(?!\w|\.\d)", re.ASCII)
_CACHED: Final = 256
_LONGEST_CACHED: Final = 64
_OF_PEOPLE: Final = frozenset({TextKind.DESCRIPTION, TextKind.LABEL})
"""Kinds of texts whose dates are of the patient's story. Elsewhere a date is that of a version, which is published: to
move it would tell by how much dates moved, so it goes."""


class SeenTexts:
    """Texts and dates of objects that bear one research pseudonym.

    Parameters
    ----------
    known_dates
        ``YYYYMMDD``: how a date in a text is to be read that can be read in two ways.
    """

    def __init__(self, view: ProjectView, pseudonym: str, known_dates: Iterable[str] = ()) -> None:
        self._view = view
        self._pseudonym = pseudonym
        self._days = view.days(pseudonym)
        needles = KnownValues(dates=frozenset(known_dates)).needles
        self._moving = WrittenDates(needles, DateTreatment(days=self._days))
        self._removing = WrittenDates(needles, DateTreatment())
        self._cached = lru_cache(maxsize=_CACHED)(self._seen)

    def dates(self, value: str, vr: str) -> str | None:
        """Return a value of VR DA or DT; ``None`` if it is none. Dummies are everybody's, and stay."""
        if value.encode("utf-8", "replace") == dummy_value(vr, True):
            return value
        return shift_dates(value, vr, self._days)

    def text(self, text: str, kind: TextKind) -> str:
        """Return a text with its dates moved, or without them, and its identifiers replaced."""
        return self._cached(text, kind) if len(text) <= _LONGEST_CACHED else self._seen(text, kind)

    def identifiers(self, text: str) -> str:
        """Return a text with pseudonym and UIDs replaced."""
        text = text.replace(self._pseudonym, self._view.pseudonym(self._pseudonym))
        return _RESEARCH_UID.sub(lambda match: self._view.uid(match[0]), text)

    def _seen(self, text: str, kind: TextKind) -> str:
        return self.identifiers(self._dates_in(text, kind))

    def _dates_in(self, text: str, kind: TextKind) -> str:
        if kind in _OF_PEOPLE:
            moved = _with(self._moving, text, technical=False)
            # A VR has room for so much.
            return moved if len(moved) <= len(text) else _with(self._removing, text, technical=False)
        return _with(self._removing, text, technical=True)


def _with(dates: WrittenDates, text: str, *, technical: bool) -> str:
    spans = without_overlaps(dates.find(text, technical))
    return tidy(assemble(text, spans)) if spans else text
