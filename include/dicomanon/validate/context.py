"""Tells a word of medicine from the name of a person, where a patient bears a name that is such a word.

PS3.15 section E.3.5 wants descriptors cleaned of what identifies, not of words. A known name may stand in a cleaned
text only where all of these hold, else it is a finding:

* it is one word, and a word of the standard (PS3.6, PS3.16) or an eponym of this room's own list;
* what follows makes it a term: a head noun (Parkinson disease, Foley catheter, Baker's cyst), a pair that the
  standard itself writes (long axis), a hyphen to another such word (Gray-white, Swan-Ganz); or it names a part of the
  body; or, in other languages, what goes before (Morbus Crohn, maladie de Crohn);
* nothing about it looks like a person: no title, no initial, no word that introduces people, no other known value.
"""

import re
from collections.abc import Sequence
from functools import cache
from typing import Final, NamedTuple

from dicomanon.validate.tables import read_words
from dicomanon.validate.vocabulary import anatomical_words, standard_pairs, technical_words

_TOKEN: Final = re.compile(r"[^\W_]+(?:['\u2019]s(?![^\W_]))?|[^\s\w]|_")
_SHORTEST: Final = 2
"""Letters of a word that says nothing by itself: W, WO, MP."""
_WITH: Final = "w"
"""As labels write it: W CONTRAST."""
_NEAR: Final = 2
"""Words between a name and another known value that still make it a part of a name."""
_SUFFIXES: Final = ("s", "an", "ian", "ism", "oid", "ic", "ien", "iana", "iano")
_COMPOUNDS: Final = ("krankheit", "zyste", "syndrom", "fraktur", "katheter", "lymphom", "sarkom", "tumor", "zeichen")


class _Token(NamedTuple):
    text: str
    start: int
    end: int

    @property
    def word(self) -> str:
        return self.text.removesuffix("'s").removesuffix("\u2019s")


def is_term(text: str, start: int, end: int, others: Sequence[tuple[int, int]] = ()) -> bool:
    """Whether the word at ``start`` to ``end`` is a word of medicine where it stands.

    Parameters
    ----------
    text
        The value of one attribute, in lower case.
    start, end
        Where a known value of one word stands in it.
    others
        Where other known values stand.
    """
    tokens = [_Token(match.group(), match.start(), match.end()) for match in _TOKEN.finditer(text)]
    index = next((at for at, token in enumerate(tokens) if token.start <= start < token.end), -1)
    if index < 0 or tokens[index].start != start or tokens[index].start + len(tokens[index].word) != end:
        return False
    word = tokens[index].word
    if word not in _eponyms() and word not in technical_words():
        return False
    if _looks_like_person(tokens, index, others):
        return False
    return _is_term_by_what_follows(tokens, index) or _is_term_by_what_goes_before(tokens, index)


def is_part_of_word(word: str, known: str) -> bool:
    """Whether a known value is only a piece of a longer word that is a word of medicine (Parkin in Parkinsonian)."""
    if word == known or not word.isalpha():
        return False
    stems = {word, *(word.removesuffix(suffix) for suffix in _SUFFIXES)}
    return any(stem in _eponyms() or stem in _heads() or stem in technical_words() for stem in stems - {known})


def is_bare_label(text: str, word: str) -> bool:
    """Whether the whole label of a structure is an eponym of a device or a part of the body: Foley, Meckel."""
    return text.strip() == word and any(word in _words_of_eponyms(kind) for kind in ("device", "anatomy"))


def are_protocol_words(pair: str) -> bool:
    """Whether words joined by a caret name a protocol (Head^Routine) and no person.

    Parameters
    ----------
    pair
        The words as written: capitals part words that are written as one.
    """
    words = [piece.lower() for piece in re.findall(r"[A-Z]+(?![a-z])|[^\W\d_][^\W\d_A-Z]*", pair)]
    if not all(len(word) <= _SHORTEST or word in _protocol() or word in technical_words() for word in words):
        return False
    return any(word in _protocol() or word in anatomical_words() for word in words)


def is_everyday_word(word: str) -> bool:
    """Whether a word only joins others (here, with, the): it stands in texts whoever the patient is."""
    return word in _words("plain")


def is_name_like(word: str) -> bool:
    """Whether a word can be a name: neither a word of medicine nor one of every day."""
    return not (
        word in technical_words()
        or word in _eponyms()
        or word in _heads()
        or word in _protocol()
        or word in _words("plain")
        or word in _words("introducer")
    )


def _looks_like_person(tokens: Sequence[_Token], index: int, others: Sequence[tuple[int, int]]) -> bool:
    token = tokens[index]
    before = [one for one in tokens[:index][-2 * _NEAR :] if one.text.isalnum()][-_NEAR:]
    after = [one for one in tokens[index + 1 :][: 2 * _NEAR] if one.text.isalnum()][:_NEAR]
    near_start = before[0].start if before else token.start
    near_end = after[-1].end if after else token.end
    touches_before = tokens[index - 1].text if index else ""
    touches_after = tokens[index + 1].text if index + 1 < len(tokens) else ""
    return (
        "^" in (touches_before, touches_after)
        or any(
            near_start < end and start < near_end and (end <= token.start or start >= token.end)
            for start, end in others
        )
        or (bool(before) and _is_introduced(before[-1].text, tokens, index))
        or (bool(after) and after[0].text in _words("suffix") and touches_after in {",", after[0].text})
        or (touches_after == "," and bool(after) and len(after[0].text) > 1 and is_name_like(after[0].word))
        or any(_is_initial(tokens, at) for at in (index - 1, index + 1))
        or (touches_before == "." and _is_initial(tokens, index - 2))
        or (touches_after == "," and _is_initial(tokens, index + 2))
    )


def _is_introduced(word: str, tokens: Sequence[_Token], index: int) -> bool:
    """Whether the word before a name is a title, or one that introduces people where no term follows."""
    if word in _words("title"):
        # MR and DR are also modalities.
        return word not in _words("modality") or tokens[index].word not in anatomical_words()
    return word in _words("introducer") and not _heads_a_term(tokens[index], tokens[index + 1 :])


def _is_initial(tokens: Sequence[_Token], index: int) -> bool:
    """Whether a token is a single letter that no hyphen joins: an initial, as of a given name."""
    if not 0 <= index < len(tokens) or len(tokens[index].text) != 1 or not tokens[index].text.isalpha():
        return False
    if tokens[index].text == _WITH and index + 1 < len(tokens) and tokens[index + 1].word in technical_words():
        return False
    return "-" not in {one.text for one in tokens[max(index - 1, 0) : index + 2]}


def _is_term_by_what_follows(tokens: Sequence[_Token], index: int) -> bool:
    word, following = tokens[index].word, tokens[index + 1 :]
    joined = _joined(tokens, index)
    if joined and all(name in _eponyms() or name in technical_words() for name in joined):
        # "Henoch-Schönlein purpura": the term is the whole compound, whichever of its names is known.
        return True
    if word in _eponyms():
        if _heads_a_term(tokens[index], following):
            return True
        if joined and (joined[-1] in _heads() or joined[-1].endswith(_COMPOUNDS)):
            return True
    if word in anatomical_words():
        before, after = tokens[index - 1].text if index else "", following[0].text if following else ""
        if len(tokens) == 1 or before in _words("modality") or after in _words("side"):
            return True
    return bool(following) and (word, following[0].word) in standard_pairs()


def _heads_a_term(token: _Token, following: Sequence[_Token]) -> bool:
    """Whether a head noun follows at once, or after one more word of medicine (Parkinson related dementia)."""
    words = [one.word for one in following[:2]]
    if not words or not words[0].isalpha():
        return False
    if token.word in _words_of_eponyms("colour"):
        return words[0] in _words("colour")
    if words[0] in _heads() or words[0].endswith(_COMPOUNDS):
        return True
    qualifier = words[0] in technical_words() and words[0] not in anatomical_words()
    return len(words) > 1 and words[1] in _heads() and (qualifier or words[0] in _eponyms())


def _is_term_by_what_goes_before(tokens: Sequence[_Token], index: int) -> bool:
    """Whether a term is written the other way round (Morbus Crohn, circle of Willis) or excluded (non-Hodgkin)."""
    if tokens[index].word not in _eponyms():
        return False
    before = [one.text for one in tokens[max(index - 4, 0) : index]]
    if before[-2:] in (["non", "-"], ["post", "-"]):
        return True
    linked = len(before)
    while before and before[-1] in _words("of") | {"'", "\u2019"}:
        before.pop()
    if not before:
        return False
    return before[-1] in _words("phrase") or (len(before) < linked and before[-1] in _heads())


def _joined(tokens: Sequence[_Token], index: int) -> list[str]:
    """Return the words that hyphens join to a word, on either side."""
    names: list[str] = []
    at = index
    while at >= 2 and tokens[at - 1].text in "-\u2013/" and tokens[at - 2].word.isalpha():  # noqa: PLR2004 - hyphen, word
        at -= 2
        names.insert(0, tokens[at].word)
    at = index
    while at + 2 < len(tokens) and tokens[at + 1].text in "-\u2013/" and tokens[at + 2].word.isalpha():
        at += 2
        names.append(tokens[at].word)
    return names


@cache
def _words(kind: str) -> frozenset[str]:
    return read_words("context_words").get(kind, frozenset())


def _words_of_eponyms(kind: str) -> frozenset[str]:
    return read_words("eponyms").get(kind, frozenset())


@cache
def _eponyms() -> frozenset[str]:
    return frozenset().union(*read_words("eponyms").values())


@cache
def _heads() -> frozenset[str]:
    return _words("head")


@cache
def _protocol() -> frozenset[str]:
    return _words("protocol")
