"""Judges the words of a text: which of them name somebody, which describe."""

from dicomanon.deidentify.text.known_values import Needles
from dicomanon.deidentify.text.known_words import (
    drop_identifiers,
    drop_known,
    drop_parted,
    drop_places,
    drop_whole_places,
)
from dicomanon.deidentify.text.persons import drop_after_by, drop_after_titles, drop_before_suffixes
from dicomanon.deidentify.text.reading import Reading
from dicomanon.deidentify.text.spans import Span
from dicomanon.deidentify.text.spreading import drop_titles, spread
from dicomanon.deidentify.text.strangers import (
    drop_belongings,
    drop_full_names,
    drop_institutions,
    drop_misplaced,
    drop_nothing_else,
    drop_unknown,
)
from dicomanon.deidentify.text.things import is_thing
from dicomanon.profile.actions import TextKind

# In this order: each may look at what those before it dropped.
_STEPS = (
    drop_known,
    drop_parted,
    drop_identifiers,
    drop_whole_places,
    drop_places,
    drop_unknown,
    drop_after_titles,
    drop_after_by,
    drop_before_suffixes,
    drop_institutions,
    drop_full_names,
    drop_misplaced,
    drop_belongings,
    drop_nothing_else,
    spread,
    drop_titles,
)


class NameJudge:
    """Finds names in texts, for one set of known values."""

    def __init__(self, needles: Needles) -> None:
        self._needles = needles

    def find(self, text: str, kind: TextKind) -> list[Span]:
        """Return the words that go."""
        reading = Reading(text, kind, self._needles)
        if not reading.tokens or (kind is TextKind.LABEL and reading.is_eponym_alone()):
            return []
        for index in range(len(reading.tokens)):
            reading.kept[index] = is_thing(reading, index)
        for step in _STEPS:
            step(reading)
        return reading.spans()
