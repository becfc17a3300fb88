"""One text while it is judged: its words, what parts them, which are known, kept or gone."""

# Texts have these characters, and so do the patterns that search them.
# ruff: noqa: RUF001

import re
from collections.abc import Callable
from itertools import pairwise

from dicomanon.deidentify.text.contexts import words_of
from dicomanon.deidentify.text.known_values import Needles, as_katakana
from dicomanon.deidentify.text.spans import Span
from dicomanon.deidentify.text.tokens import LETTER, NUMBER, SHORT, Token, tokens_of
from dicomanon.deidentify.text.vocabulary import (
    AMBIGUOUS,
    MEDICAL,
    NAME,
    RARE,
    UNKNOWN,
    WORD,
    is_listed,
    radiology,
)
from dicomanon.profile.actions import TextKind

NAMELIKE = frozenset({NAME, UNKNOWN, AMBIGUOUS, RARE})
"""What a word of a name may be by itself."""
DESCRIBING = frozenset({MEDICAL, WORD, RARE, NUMBER, SHORT})
AFTER_TITLE = re.compile(r"[.:]?[ \t_^]{0,3}|[.]?-|\.")
LONGEST_NAME = 5
SHORTEST_NAME = 3
FEWEST_OTHERS = 2
NEAR = re.compile(r"[ \t]{1,3}|,[ \t]{0,2}|[_^'’-]|[ \t]?-[ \t]?|\.[ \t]{0,2}|=|")
"""What parts the words of one name."""
END_OF_SENTENCE = re.compile(r"[.!?;\n\r]")


class Reading:
    """A text with a verdict per word.

    Attributes
    ----------
    strict
        Whether unknown words go.
    tokens, gaps
        Words, and what stands between each and the next.
    known
        Per word, whether the object says that it is a name.
    kept, gone
        Per word, whether it is a thing for sure; whether it goes.
    """

    def __init__(self, text: str, kind: TextKind, needles: Needles) -> None:
        self.text = text
        self.strict = kind in {TextKind.DESCRIPTION, TextKind.LABEL}
        self.kind = kind
        self.needles = needles
        self.tokens = tokens_of(text)
        count = len(self.tokens)
        self.gaps = [text[first.end : second.start] for first, second in pairwise(self.tokens)]
        self.known = [self.is_known(token) for token in self.tokens]
        self.kept = [False] * count
        self.gone = [False] * count

    def is_known(self, token: Token) -> bool:
        """Tell whether the object says that a word is of a name."""
        if token.kind in {NUMBER, LETTER}:
            return False
        needles = self.needles
        folded = token.folded
        if needles.is_name(folded) or as_katakana(folded) in needles.written:
            return True
        if folded[-1] == "s" and len(folded) > LONGEST_NAME and folded[:-1] in needles.names and token.kind in NAMELIKE:
            return True
        if len(folded) > LONGEST_NAME and (token.kind in {UNKNOWN, NAME, SHORT} or not is_listed(folded)):
            return self.holds_known(folded)
        return False

    def holds_known(self, folded: str) -> bool:
        """Tell whether a word that nothing else explains is made of names and initials."""
        for name in self.needles.names:
            if len(name) >= LONGEST_NAME - 1 and name in folded:
                rest = folded.replace(name, "", 1)
                if len(rest) <= 2 or len(name) > LONGEST_NAME or rest in self.needles.names:  # noqa: PLR2004
                    return True
            elif len(name) == SHORTEST_NAME and name in folded and folded.replace(name, "", 1) in self.needles.names:
                return True
        return False

    def is_eponym_alone(self) -> bool:
        """Tell whether the text is one word, an eponym."""
        words = [token for token in self.tokens if token.kind not in {NUMBER, LETTER}]
        return len(words) == 1 and words[0].eponym

    def at(self, index: int) -> Token | None:
        """Return a word, or ``None`` beyond the ends."""
        return self.tokens[index] if 0 <= index < len(self.tokens) else None

    def gap(self, index: int) -> str:
        """Return what parts a word from the one after it."""
        return self.gaps[index] if 0 <= index < len(self.gaps) else "\n"

    def near(self, index: int) -> bool:
        """Tell whether a word and the next could be of one name."""
        return NEAR.fullmatch(self.gap(index)) is not None

    def drop(self, index: int) -> None:
        """Let a word go."""
        self.gone[index] = True
        self.kept[index] = False

    def beside(self, index: int, is_so: "Callable[[int], bool]") -> bool:
        """Tell whether something is so of a word beside it."""
        return (index > 0 and self.near(index - 1) and is_so(index - 1)) or (
            index + 1 < len(self.tokens) and self.near(index) and is_so(index + 1)
        )

    def is_plain(self, index: int) -> bool:
        """Tell whether a word is technical by itself."""
        token = self.tokens[index]
        abbreviation = token.kind == SHORT and len(token.folded) <= SHORTEST_NAME
        return abbreviation or token.kind == MEDICAL or token.folded in radiology()

    def begins_sentence(self, index: int) -> bool:
        """Tell whether a word is the first of a sentence or a clause."""
        return index == 0 or END_OF_SENTENCE.search(self.gap(index - 1)) is not None or ":" in self.gap(index - 1)

    def capitalises_nouns(self, *besides: int) -> bool:
        """Tell whether words inside the sentences have capitals that are no names, as in German or in titles."""
        lower = 0
        for index, token in enumerate(self.tokens):
            if (
                index in besides
                or token.mixed
                or token.kind not in {MEDICAL, WORD, RARE, AMBIGUOUS}
                or len(token.text) < SHORTEST_NAME
            ):
                continue
            if (
                token.title
                and not self.gone[index]
                and not self.begins_sentence(index)
                and token.kind in {MEDICAL, WORD}
            ):
                return True
            lower += token.text.islower()
        return not lower

    def spans(self) -> list[Span]:
        """Return where the words are that go."""
        spans: list[Span] = []
        whole: set[int] = {
            token.raw
            for token, gone in zip(self.tokens, self.gone, strict=True)
            if gone and token.mixed and token.kind not in {NUMBER, LETTER}
        }
        for index, (token, gone) in enumerate(zip(self.tokens, self.gone, strict=True)):
            if not gone and token.raw not in whole:
                continue
            start, end = token.start, token.end
            # The point of an initial or a title goes with it.
            if end < len(self.text) and self.text[end] == "." and self._takes_point(index):
                end += 1
            spans.append(Span(start, end))
        return spans

    def _takes_point(self, index: int) -> bool:
        token, gap = self.tokens[index], self.gap(index)
        if token.kind == LETTER or token.folded in words_of("title"):
            return gap.startswith(".") or index + 1 == len(self.tokens)
        return False
