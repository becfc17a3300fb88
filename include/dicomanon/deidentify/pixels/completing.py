"""Completes a line of which the reader saw the second half of a word: its first half is there, and hardly seen.

Where a known value fades into what is as bright as it is, no reader finds its end, and no stroke leads there. But what
is missing of it is known, and so is how wide its letters are.
"""

from collections.abc import Collection
from dataclasses import replace

from dicomanon.deidentify.pixels.reading import Line
from dicomanon.deidentify.pixels.regions import Box
from dicomanon.deidentify.text.known_values import Phrase, letters_of

_FEWEST = 6
"""Letters and digits of a known value that a line must have at its end; fewer are in many words."""
_WIDER = 1.1
"""Letters that are missing may be wider than those that were read."""


def completed(line: Line, phrases: Collection[Phrase]) -> Line:
    """Return a line with the box that it has with the letters that are missing at its ends.

    Parameters
    ----------
    phrases
        Known values in the ways that they are written.
    """
    box, text = line.box, letters_of(line.text)
    if box.height > box.width or len(text) < _FEWEST:
        return line
    _, before = max((_missing(text, phrase.letters, phrase.starts) for phrase in phrases), default=(0, 0))
    _, after = max((_missing(text[::-1], phrase.letters[::-1], phrase.ends) for phrase in phrases), default=(0, 0))
    if not before and not after:
        return line
    width = _WIDER * box.width / len(line.text)
    return replace(
        line, box=Box(box.left - round(before * width), box.top, box.right + round(after * width), box.bottom)
    )


def _missing(text: str, phrase: str, words: frozenset[int]) -> tuple[int, int]:
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
