"""Completes a line of which the reader saw the second half: its first half is there, and hardly seen.

Where a known value fades into what is as bright as it is, no reader finds its end, and no stroke leads there. But what
is missing of it is known, and so is how wide its letters are. The rest of a word is missing in any case. Whole words
may have never been there, unless nobody could see them where they would be.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

from dicomanon.deidentify.pixels.reading import Line
from dicomanon.deidentify.pixels.regions import Box
from dicomanon.deidentify.text.known_values import Phrase, letters_of

_FEWEST = 6
"""Letters and digits of a known value that a line must have at its end; fewer are in many words."""
_FEWEST_OF_WORDS = 3
"""The same, of whole words."""
_WIDER = 1.1
"""Letters that are missing may be wider than those that were read."""

_Known = list[tuple[str, frozenset[int]]]


def completed(line: Line, phrases: Collection[Phrase], hides: Callable[[Box], bool]) -> Line:
    """Return a line with the box that it has with the letters that are missing at its ends.

    Parameters
    ----------
    phrases
        Known values in the ways that they are written.
    hides
        Tells of a box beside the line whether letters of the line would not be seen there.
    """
    box, text = line.box, letters_of(line.text)
    if box.height > box.width or len(text) < _FEWEST:
        return line
    width = _WIDER * box.width / len(line.text)

    def missing(text: str, known: _Known, beside: Callable[[int], Box]) -> int:
        """Return how many pixels are missing at the beginning of a text."""
        of_word = _most(_of_word(text, *one) for one in known)
        whole_words = 0 if of_word else _most(_whole_words(text, *one) for one in known)
        pixels = round((of_word or whole_words) * width)
        return pixels if of_word or (whole_words and hides(beside(pixels))) else 0

    forward = [(phrase.letters, phrase.starts) for phrase in phrases]
    backward = [(phrase.letters[::-1], phrase.ends) for phrase in phrases]
    before = missing(text, forward, lambda pixels: replace(box, left=box.left - pixels, right=box.left))
    after = missing(text[::-1], backward, lambda pixels: replace(box, left=box.right, right=box.right + pixels))
    return replace(line, box=replace(box, left=box.left - before, right=box.right + after)) if before or after else line


def _most(found: Iterable[tuple[int, int]]) -> int:
    """Return how many letters are missing of the value of which most are there."""
    return max(found, default=(0, 0))[1]


def _whole_words(text: str, phrase: str, words: frozenset[int]) -> tuple[int, int]:
    """Return how many letters of a phrase a text has, if it begins with one of its words, and how many it lacks."""
    for begin in sorted(words):
        shared = min(len(text), len(phrase) - begin)
        if shared >= _FEWEST_OF_WORDS and text[:shared] == phrase[begin : begin + shared]:
            # It may be said the other way round.
            return (0, 0) if phrase[:begin] in text else (shared, begin)
    return 0, 0


def _of_word(text: str, phrase: str, words: frozenset[int]) -> tuple[int, int]:
    """Return how many letters of a phrase a text has, if it begins within one of its words, and how many it lacks.

    Parameters
    ----------
    words
        Where words of the phrase begin.
    """
    for begin in range(1, len(phrase) - _FEWEST + 1):
        shared = min(len(text), len(phrase) - begin)
        if begin not in words and text[:shared] == phrase[begin : begin + shared]:
            return shared, begin
    return 0, 0
