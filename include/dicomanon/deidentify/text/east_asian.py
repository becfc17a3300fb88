"""Judges Chinese, Japanese and Korean, which part no words: a run stays as far as words that we know make it up."""
# Texts have these characters, and so do the patterns that search them.

import re
from functools import cache

from dicomanon.deidentify.text.known_values import Needles, as_katakana
from dicomanon.deidentify.text.spans import Span
from dicomanon.deidentify.text.vocabulary import listed
from dicomanon.profile.actions import TextKind

_RUN = re.compile(r"[぀-ヿ㐀-鿿\uf900-\ufaff々〆]+(?:[・･][ァ-ヿ]+)*|[가-힣]+")
_HONORIFIC = re.compile(r"\s?(?:様|さん|氏|先生|医師|技師|医生|医师|女士|님|씨|선생님|교수)")
_HANGUL = re.compile(r"[가-힣]+")
_LONGEST_WORD = 12
_LONGEST_NAME = 5
_SHORTEST_LONG_NAME = 2


@cache
def _lexicon() -> frozenset[str]:
    return frozenset(listed("cjk.txt")) | frozenset(listed("cjk_frequent.txt"))


@cache
def _surnames() -> frozenset[str]:
    return frozenset(listed("cjk_surnames.txt"))


class EastAsianJudge:
    """Finds names in runs of ideographs, kana and hangul, for one set of known values."""

    def __init__(self, needles: Needles) -> None:
        names = sorted((name for name in needles.written if len(name) >= _SHORTEST_LONG_NAME), key=len, reverse=True)
        self._known = re.compile("|".join(re.escape(name) for name in names)) if names else None
        families = {name[:length] for name in names for length in (1, 2) if name[:length] in _surnames()}
        self._families = families | {name for name in needles.written if len(name) == 1}

    def find(self, text: str, kind: TextKind) -> list[Span]:
        """Return the stretches that go."""
        if text.isascii():
            return []
        spans: list[Span] = []
        if self._known is not None:
            for match in self._known.finditer(
                as_katakana(text).casefold() if len(text.casefold()) == len(text) else as_katakana(text)
            ):
                honorific = _HONORIFIC.match(text, match.end())
                spans.append(Span(match.start(), honorific.end() if honorific else match.end()))
        taken = {position for span in spans for position in range(span.start, span.end)}
        strict = kind in {TextKind.DESCRIPTION, TextKind.LABEL}
        for run in _RUN.finditer(text):
            unexplained = self._unexplained(run[0], run.start(), taken)
            if unexplained and _HANGUL.fullmatch(run[0]):
                # Korean parts its words: half of one is no word.
                unexplained = [run.span()]
            for start, end in unexplained:
                piece = text[start:end]
                honorific = _HONORIFIC.match(text, end)
                named = any(piece.startswith(family) for family in _surnames()) and len(piece) <= _LONGEST_NAME
                if strict or honorific or named or piece in self._families:
                    spans.append(Span(start, honorific.end() if honorific else end))
        return spans

    def _unexplained(self, run: str, offset: int, taken: set[int]) -> list[tuple[int, int]]:
        """Return the stretches of a run that words do not make up: the fewest characters possible."""
        lexicon = _lexicon()
        size = len(run)
        # Best way to explain what is left from each position: characters unexplained, words used, length of the step.
        best: list[tuple[int, int, int]] = [(0, 0, 0)] * (size + 1)
        for at in range(size - 1, -1, -1):
            if offset + at in taken:
                best[at] = (best[at + 1][0], best[at + 1][1], -1)
                continue
            choice = (best[at + 1][0] + 1, best[at + 1][1] + 1, 0)
            for length in range(1, min(_LONGEST_WORD, size - at) + 1):
                if run[at : at + length] in lexicon:
                    choice = min(choice, (best[at + length][0], best[at + length][1] + 1, length))
            best[at] = choice
        found: list[tuple[int, int]] = []
        at = 0
        while at < size:
            step = best[at][2]
            if step == 0:
                start = offset + at
                if found and found[-1][1] == start:
                    found[-1] = (found[-1][0], start + 1)
                else:
                    found.append((start, start + 1))
            at += max(step, 1)
        return found
