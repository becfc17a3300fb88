"""Writes a de-identified object with the identifiers and dates of a project; whatever else is in it stays as it is.

Nothing is de-identified here: the object has passed the check for residual PHI. What identifies it in the research PACS
is in UIDs, in the pseudonym, and in dates, which were moved by the patient's days.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from typing import Final, Literal

from dicomanon.deidentify.charset import CharacterSet
from dicomanon.deidentify.codec import Buffer
from dicomanon.deidentify.documents import clean_document
from dicomanon.deidentify.encoding import encode_in_pieces
from dicomanon.deidentify.header import SPECIFIC_CHARACTER_SET, Header
from dicomanon.deidentify.outcome import Deidentified
from dicomanon.deidentify.private_blocks import PrivateBlocks
from dicomanon.deidentify.reader import Element, Unreadable, read_items, read_part10
from dicomanon.deidentify.sequences import WrittenSequence
from dicomanon.deidentify.text import KnownValues
from dicomanon.errors import Fatal, Held
from dicomanon.profile.actions import Action, AttributeRule, LevelRules, TextKind
from dicomanon.profile.compiler import LONGITUDINAL_INFORMATION_MODIFIED, PATIENT_ID, CompiledProfile, compile_profile
from dicomanon.profile.loading import load_profile
from dicomanon.project_view.texts import SeenTexts
from dicomanon.project_view.view import ProjectView
from dicomanon.standard.burned_in import DOCUMENT, sop_class_risks
from dicomanon.standard.dictionary import shown_tag

_READ_BY: Final = "research"
"""A profile that knows of every attribute what kind of text it holds, and of private ones the VR."""
_STUDY_UID, _SERIES_UID, _SOP_UID, _MODALITY = 0x0020000D, 0x0020000E, 0x00080018, 0x00080060
_DOCUMENT, _DOCUMENT_LENGTH, _MIME_TYPE = 0x00420011, 0x00420015, 0x00420012
_PUBLISHED: Final = frozenset({0x00080106, 0x00080107})
"""Context Group Version and Local Version: what they were before they moved stands in PS3.16."""
_TERMS = frozenset({"LO", "SH"})
_SINGLE_VALUED = frozenset({"LT", "ST", "UT", "UR"})
_PADDING = " \0"


def as_seen(data: bytes, view: ProjectView, pseudonym: str) -> bytes:
    """Return an object of the research PACS as the project sees it: the same bytes for the same input.

    Parameters
    ----------
    data
        The PS3.10 file.
    pseudonym
        The research pseudonym that it bears.

    Raises
    ------
    Fatal
        It cannot be read, bears another pseudonym, or would tell what the research PACS calls it; the message has tags
        and no values.
    """
    try:
        header = Header(read_part10(memoryview(data)))
        if header.text(PATIENT_ID) != pseudonym:
            raise Fatal("an object of the release bears another pseudonym than the crosswalk says")
        written = _Seen(header, view, pseudonym)
        chunks = written.data_set(header.file.elements, written.rules, header.character_set)
    except (Unreadable, Held) as error:
        raise Fatal(f"an object of the release cannot be told in the project's identifiers: {error}") from None
    _require_nothing_left(chunks, [pseudonym, *(header.text(tag) for tag in (_STUDY_UID, _SERIES_UID, _SOP_UID))])
    return b"".join(
        encode_in_pieces(
            Deidentified(
                sop_class_uid=header.sop_class_uid,
                study_uid=view.uid(header.text(_STUDY_UID)),
                series_uid=view.uid(header.text(_SERIES_UID)),
                sop_uid=view.uid(header.text(_SOP_UID)),
                transfer_syntax=header.transfer_syntax,
                action_counts={},
                chunks=tuple(chunks),
            )
        )
    )


class _Seen:
    """One object, element by element."""

    def __init__(self, header: Header, view: ProjectView, pseudonym: str) -> None:
        self.rules: LevelRules = _profile().actions_for(header.sop_class_uid, header.text(_MODALITY))
        self._header = header
        self._buffer = header.file.buffer
        self._codec = header.file.codec
        self._view = view
        known = KnownValues.of(header)
        self._texts = SeenTexts(view, pseudonym, known.dates | known.birth_dates)
        self._document_bytes: int | None = None

    def data_set(self, elements: Iterable[Element], rules: LevelRules, inherited: CharacterSet) -> list[Buffer]:
        """Return the elements of a data set, the main one or an item."""
        character_set = inherited
        chunks: list[Buffer] = []
        private = PrivateBlocks(self._codec)
        for read in elements:
            tag = read.tag
            if tag == SPECIFIC_CHARACTER_SET:
                character_set = CharacterSet.of(self._value(read))
            if tag >> 16 & 1 and private.is_creator(tag):
                private.reserve(tag, self._value(read))
                chunks.append(self._as_it_is(read))
                continue
            rule = rules.private(private.creator(tag), tag) if tag >> 16 & 1 else rules[tag]
            element = self._known(read, rule)
            if element is None or tag in _PUBLISHED:
                continue
            if element.items is None:
                treat = _BY_TAG.get(tag) or _BY_VR.get(element.vr)
                chunks.append(treat(self, element, rule, character_set) if treat else self._as_it_is(element))
                continue
            below = WrittenSequence(self._codec)
            for item in element.items:
                below.add_item(self.data_set(item, rules.inside(tag), character_set))
            chunks += below.encoded(tag)
        return chunks

    def _known(self, element: Element, rule: AttributeRule) -> Element | None:
        """Return an element with the VR that it has, a private one with what is in it; ``None`` if nobody knows it."""
        if not element.tag >> 16 & 1:
            return element
        if element.vr == "UN" and rule.action is Action.REMOVE:
            return None
        vr = rule.vr if element.vr == "UN" else element.vr
        if vr == "SQ" and element.items is None:
            return element._replace(vr=vr, items=read_items(self._buffer, element, self._codec), start=-1)
        return element._replace(vr=vr)

    def uids(self, element: Element, _: AttributeRule, __: CharacterSet) -> Buffer:
        """Return UIDs of the project."""
        uids = self._value(element).decode("latin-1").strip(_PADDING).split("\\")
        return self._codec.element(element.tag, "UI", "\\".join(map(self._view.uid, uids)).encode("ascii"))

    def dates(self, element: Element, _: AttributeRule, __: CharacterSet) -> Buffer:
        """Return moved dates; nothing where there are none."""
        value = self._value(element)
        seen = self._texts.dates(value.decode("ascii").strip(_PADDING), element.vr) if value.isascii() else None
        return self._codec.element(element.tag, element.vr, (seen or "").encode("ascii"))

    def dates_modified(self, element: Element, _: AttributeRule, __: CharacterSet) -> Buffer:
        """Return what became of dates in all: of those that were kept, that they moved."""
        told = self._value(element).strip(b" \0")
        return self._codec.element(element.tag, "CS", b"MODIFIED" if told == b"UNMODIFIED" else told)

    def text(self, element: Element, rule: AttributeRule, character_set: CharacterSet) -> Buffer:
        """Return a text; an empty one where nobody can tell what is in it."""
        return self._rewritten(element, character_set, partial(self._texts.text, kind=_kind(element.vr, rule)))

    def name(self, element: Element, _: AttributeRule, character_set: CharacterSet) -> Buffer:
        """Return a name or an address, in which no date is looked for."""
        return self._rewritten(element, character_set, self._texts.identifiers)

    def document(self, element: Element, _: AttributeRule, __: CharacterSet) -> Buffer:
        """Return a document made anew; in other SOP classes it is a dummy."""
        if sop_class_risks()[self._header.sop_class_uid].risk != DOCUMENT:
            return self._as_it_is(element)
        clean = partial(self._texts.text, kind=TextKind.DESCRIPTION)
        made = clean_document(self._value(element), self._header.text(_MIME_TYPE), clean)
        self._document_bytes = len(made)
        return self._codec.element(element.tag, "OB", made)

    def document_length(self, element: Element, _: AttributeRule, __: CharacterSet) -> Buffer:
        """Return the length of the document, which comes before it."""
        if self._document_bytes is None:
            return self._as_it_is(element)
        order: Literal["little", "big"] = "little" if self._codec.little else "big"
        return self._codec.element(element.tag, "UL", self._document_bytes.to_bytes(4, order))

    def _rewritten(self, element: Element, character_set: CharacterSet, seen: Callable[[str], str]) -> Buffer:
        text = character_set.decode(self._value(element), name=element.vr == "PN")
        if text is None:
            return self._codec.header(element.tag, element.vr, 0)
        text = text.rstrip(_PADDING)
        rewritten = "\\".join([seen(part) for part in ([text] if element.vr in _SINGLE_VALUED else text.split("\\"))])
        if rewritten == text:
            return self._as_it_is(element)
        return self._codec.element(element.tag, element.vr, character_set.encode(rewritten) or b"")

    def _as_it_is(self, element: Element) -> Buffer:
        if element.start >= 0:
            return self._buffer[element.start : element.stop]
        if element.stop != element.end:
            raise Unreadable(f"undefined length at {shown_tag(element.tag)}")
        # Out of an Implicit VR sequence some VRs are ambiguous; as UN nothing wrong is said.
        return self._codec.element(element.tag, "UN" if " or " in element.vr else element.vr, self._value(element))

    def _value(self, element: Element) -> bytes:
        return bytes(self._buffer[element.value : element.end])


def _kind(vr: str, rule: AttributeRule) -> TextKind:
    """Return how a text is to be read: prose as prose, whatever a rule says."""
    return rule.text if vr in _TERMS and rule.action in {Action.CLEAN, Action.SCRUB} else TextKind.DESCRIPTION


_Treat = Callable[[_Seen, Element, AttributeRule, CharacterSet], Buffer]
# Not of the object: methods that are bound to it would keep its bytes in memory until somebody collects garbage.
_BY_TAG: Final[Mapping[int, _Treat]] = {
    _DOCUMENT: _Seen.document,
    _DOCUMENT_LENGTH: _Seen.document_length,
    LONGITUDINAL_INFORMATION_MODIFIED: _Seen.dates_modified,
}
_BY_VR: Final[Mapping[str, _Treat]] = {
    "UI": _Seen.uids,
    **dict.fromkeys(("DA", "DT"), _Seen.dates),
    **dict.fromkeys(("PN", "UR"), _Seen.name),
    **dict.fromkeys(("LO", "LT", "SH", "ST", "UC", "UT"), _Seen.text),
}


@cache
def _profile() -> CompiledProfile:
    return compile_profile(load_profile(_READ_BY))


def _require_nothing_left(chunks: Iterable[Buffer], research: Iterable[str]) -> None:
    written = b"".join(chunks)
    if any(value and value.encode() in written for value in research):
        raise Fatal("an object of the release would tell what the research PACS calls it: nothing of it is written")
