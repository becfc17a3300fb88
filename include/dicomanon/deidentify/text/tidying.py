"""Puts a text together again after something was taken out: no dangling punctuation, and the rest as it was."""
# Texts have these characters, and so do the patterns that search them.
# ruff: noqa: RUF001

import re

from dicomanon.deidentify.text.spans import Span

GAP = "\uf8ff"
"""Stands where something was, until the text is tidied; texts that come with it lose it before."""

_PRIVATE = re.compile(r"[\ue000-\uf8ff]")
_GAPS = re.compile(rf"{GAP}(?:[\s,;/&+^_.-]{{0,4}}{GAP})+")
_BRACKETS = re.compile(rf"[(\[{{<«“„\"'‘]\s?{GAP}[\s.,;:]{{0,3}}[)\]}}>»”\"'’]")
_START = re.compile(rf"^[\s,;:/_^+&.\-–—|=]*{GAP}[\s,;:/_^+&.\-–—|=)\]]*")
_SEPARATORS = ' \t\r\n\v\f,;:/_^+&-–—|=([{<#"“„«'
_CLOSING = frozenset({"", ".", "!", "?", ")", "]", ")."})
_BEFORE_STOP = re.compile(rf"[ \t]{{0,8}}{GAP}(?=[,;.:!?)\]}}])")
_DOUBLED = re.compile(rf"([,;:])[ \t]{{0,8}}{GAP}[ \t]{{0,8}}(?=[,;:.])")
_AFTER_BRACKET = re.compile(rf"([(\[{{]){GAP}[\s,;:_-]{{0,8}}")
_SAME = re.compile(rf"([_^/|+&.\-–=\\]){GAP}\1")
_JOINED = re.compile(rf"(?<=[\w%)\]]){GAP}(?=[\w(\[])")
_SPACED = re.compile(rf"([ \t]{{1,8}}){GAP}[ \t]{{1,8}}")
_NEXT_LINE = re.compile(rf"[ \t]{{0,8}}{GAP}[ \t]{{0,8}}(?=[\r\n])|(?<=[\r\n])[ \t]{{0,8}}{GAP}[ \t]{{0,8}}")
_HANGING = re.compile(rf"(?<=\s)[&+^/–-]{GAP}(?=\s)|(?<=\s){GAP}[&+^/](?=\s)")
# Nothing but punctuation; a held place stands for something.
_NOTHING = re.compile(r"(?:(?![\ue000-\uf8fe])[\W_])*")


def without_private_characters(text: str) -> str:
    """Return a text without characters that mean nothing to others and something to us."""
    return text if text.isascii() else _PRIVATE.sub("", text)


def assemble(text: str, spans: list[Span]) -> str:
    """Return a text with spans replaced, and gaps where something went without replacement."""
    pieces, position = [], 0
    for span in spans:
        pieces += [text[position : span.start], GAP if span.replacement is None else span.replacement]
        position = span.end
    pieces.append(text[position:])
    return "".join(pieces)


def tidy(text: str) -> str:
    """Close the gaps of a text."""
    before = ""
    while before != text:
        before = text
        text = _GAPS.sub(GAP, text)
        text = _BRACKETS.sub(GAP, text)
    text = _START.sub("", text)
    text = _without_last_gap(text)
    text = _NEXT_LINE.sub("", text)
    text = _DOUBLED.sub("", text)
    text = _HANGING.sub(GAP, text)
    text = _BEFORE_STOP.sub("", text)
    text = _AFTER_BRACKET.sub(r"\1", text)
    text = _SAME.sub(r"\1", text)
    text = _SPACED.sub(r"\1", text)
    text = _JOINED.sub(" ", text)
    text = text.replace(GAP, "")
    return "" if _NOTHING.fullmatch(text) else text


def _without_last_gap(text: str) -> str:
    """Close a gap that only closing punctuation follows, with what led up to it."""
    head, gap, tail = text.rpartition(GAP)
    rest = tail.strip(_SEPARATORS)
    if not gap or rest not in _CLOSING:
        return text
    head = head.rstrip(_SEPARATORS + GAP)
    # A point that stood before what went, and the one after it, are one.
    if rest == "." and head.endswith("."):
        rest = ""
    if rest[:1] in {")", "]"} and head.count("(") + head.count("[") <= head.count(")") + head.count("]"):
        rest = rest[1:]
    return head + rest
