"""Takes out of a text what identifies, and leaves what describes as it is (PS3.15 E.3.5, Clean Descriptors Option)."""

import re
from collections.abc import Iterator
from functools import lru_cache

from dicomanon.deidentify.text.east_asian import EastAsianJudge
from dicomanon.deidentify.text.folding import legible
from dicomanon.deidentify.text.known_values import KnownValues
from dicomanon.deidentify.text.names import NameJudge
from dicomanon.deidentify.text.patterns import Patterns
from dicomanon.deidentify.text.spans import Span, without_overlaps
from dicomanon.deidentify.text.terms import identifies, is_listed_form, is_name
from dicomanon.deidentify.text.tidying import assemble, tidy, without_private_characters
from dicomanon.deidentify.text.vocabulary import is_meaning
from dicomanon.deidentify.text.written_dates import DateTreatment, WrittenDates
from dicomanon.profile.actions import TextKind
from dicomanon.values import MASK

_FIRST_HELD_PLACE = 0xE000
_MOST_HELD = 0xF800 - _FIRST_HELD_PLACE
_MOST_ROUNDS = 6
_CACHED_TEXTS = 256
_LONGEST_PIECE = 2000
_LINE_END = re.compile(r"[\r\n\f\v]")
_LINE = re.compile(r"[^\r\n\f\v]+|[\r\n\f\v]+")
_SENTENCE_END = re.compile(r"(?<=[.!?;])\s+")
_CACHED_CLEANERS = 64


class TextCleaner:
    """Cleans texts of one patient.

    Parameters
    ----------
    known
        What the object itself says about persons.
    dates
        What becomes of dates.
    maximum_age
        Ages above it become it; ``None`` leaves ages.
    """

    def __init__(self, known: KnownValues, *, dates: DateTreatment, maximum_age: int | None) -> None:
        needles = known.needles
        self._needles = needles
        self._dates = WrittenDates(needles, dates)
        self._patterns = Patterns(maximum_age)
        self._names = NameJudge(needles)
        self._east_asian = EastAsianJudge(needles)
        self._cached = lru_cache(maxsize=_CACHED_TEXTS)(self._cleaned)

    def __repr__(self) -> str:
        return f"TextCleaner({MASK})"

    def clean(self, text: str, kind: TextKind) -> str:
        """Return a text without what identifies; the very object if nothing had to go."""
        read = legible(text)
        if read != text:
            cleaned = self.clean(read, kind)
            return text if cleaned == read else cleaned
        if kind is TextKind.TERM:
            if is_listed_form(text):
                return "" if identifies(text, self._needles) or is_name(text) else text
            kind = TextKind.TECHNICAL
        if kind is TextKind.CODE and is_meaning(text) and not identifies(text, self._needles):
            return text
        if len(text) <= _LONGEST_PIECE and not _LINE_END.search(text):
            cleaned = self._cached(text, kind)
        else:
            cleaned = "".join([self._cached(piece, kind) if piece.strip() else piece for piece in _pieces(text)])
        return text if cleaned == text else cleaned

    def _cleaned(self, text: str, kind: TextKind) -> str:
        held: list[str] = []
        rest = self._in_rounds(text, kind, held)
        for number, replacement in enumerate(held):
            rest = rest.replace(chr(_FIRST_HELD_PLACE + number), replacement)
        # Moved dates must not make a text longer than it was, and than its VR allows: they go instead.
        return rest if len(rest) <= len(text) else self._in_rounds(text, kind, None)

    def _in_rounds(self, text: str, kind: TextKind, held: list[str] | None) -> str:
        """Take out what goes until nothing is found; what replaces it is held in private characters, or left out."""
        rest = without_private_characters(text)
        for _ in range(_MOST_ROUNDS):
            spans = self._spans(rest, kind)
            if not spans:
                return rest
            # What was moved or capped must not be taken for something to move again.
            rest = tidy(assemble(rest, [_hold(span, rest, held) for span in spans]))
        # Two rules that never agree about a text leave nobody able to say what is in it.
        return ""

    def _spans(self, text: str, kind: TextKind) -> list[Span]:
        technical = kind in {TextKind.TECHNICAL, TextKind.CODE}
        safe = self._patterns.harmless(text, technical)
        dates = self._dates.find(text, technical)
        spans = [span for span in dates if span.replacement != text[span.start : span.end]]
        spans += self._patterns.find(text, technical, dates)
        spans += self._names.find(text, kind)
        spans += self._east_asian.find(text, kind)
        if safe:
            spans = [
                span for span in spans if not any(span.start < each.end and each.start < span.end for each in safe)
            ]
        return without_overlaps(spans)


def _pieces(text: str) -> Iterator[str]:
    """Return a text in lines, and long lines in sentences: what is far away says nothing about a word."""
    for line in _LINE.findall(text):
        start = 0
        while len(line) - start > _LONGEST_PIECE:
            stop = start + _LONGEST_PIECE
            cut = max((match.end() for match in _SENTENCE_END.finditer(line, start, stop)), default=start)
            if cut == start:
                cut = line.rfind(" ", start, stop) + 1 or stop
            yield line[start:cut]
            start = cut
        yield line[start:]


def _hold(span: Span, text: str, held: list[str] | None) -> Span:
    if (
        held is None
        or span.replacement is None
        or span.replacement == text[span.start : span.end]
        or len(held) >= _MOST_HELD
    ):
        return Span(span.start, span.end)
    held.append(span.replacement)
    return Span(span.start, span.end, chr(_FIRST_HELD_PLACE + len(held) - 1))


@lru_cache(maxsize=_CACHED_CLEANERS)
def text_cleaner(known: KnownValues, dates: DateTreatment, maximum_age: int | None) -> TextCleaner:
    """Return the cleaner of a patient's texts; the slices of a series share one."""
    return TextCleaner(known, dates=dates, maximum_age=maximum_age)
