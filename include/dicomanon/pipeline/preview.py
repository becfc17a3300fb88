"""Shows what a profile would do to one object, element by element, without leaving a trace of it anywhere."""

import secrets
import warnings
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import pydicom
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence

from dicomanon.deidentify import Deidentified, PatientContext, UidMapper, deidentify, encode, find_faces, parse
from dicomanon.deidentify.faces.policy import must_be_defaced
from dicomanon.deidentify.outcome import ActionEntry, ActionLog, HeldInstance
from dicomanon.deidentify.pixels.decision import PixelPath, Risk, decide
from dicomanon.deidentify.pixels.seeing import Seen
from dicomanon.devices import ConfirmedDevices
from dicomanon.errors import Held
from dicomanon.pipeline.pixel_outcome import outcome_of
from dicomanon.profile import CompiledProfile
from dicomanon.standard.names import keyword_of
from dicomanon.values import Phi

PSEUDONYM = "PREVIEW"
"""Stands for the pseudonym that the crosswalk would give."""
_SHIFTS = 3650

Path = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Value:
    """A value as far as it can be told without showing it, and its text for those who may see it.

    ``size`` is in characters of text, bytes of bulk data, items of a sequence, else values.
    """

    vr: str
    size: int
    unit: str
    text: Phi[str]

    def masked(self) -> str:
        """Return what may be shown to everybody."""
        if not self.size:
            return "empty"
        return f"{self.vr}, {self.size} {self.unit if self.size > 1 else self.unit.removesuffix('s')}"

    def shown(self) -> str:
        """Return the value itself."""
        return self.text.reveal() if self.size else "empty"


@dataclass(frozen=True, slots=True)
class PreviewedElement:
    """One element before and after.

    Attributes
    ----------
    path
        As in :class:`~dicomanon.deidentify.outcome.ActionEntry`: tags and item indices of the source in turn.
    before, after
        ``None`` where there is none: an element that we write, or one that goes.
    same
        Whether it stays as it was encoded.
    """

    path: Path
    keyword: str
    action: str
    rule: str
    before: Value | None
    after: Value | None
    same: bool


@dataclass(frozen=True, slots=True)
class Preview:
    """What would become of the object; with ``reason`` it would be held.

    ``pixels`` says what would become of them: nobody looks at them here. What is held for its pixels has its elements
    all the same.
    """

    elements: tuple[PreviewedElement, ...]
    action_counts: Mapping[str, int]
    reason: str = ""
    detail: str = ""
    pixels: str = ""


def preview(raw: bytes, profile: CompiledProfile) -> Preview:
    """De-identify one object with a throw-away key, pseudonym and date shift, and tell what every element met.

    Nothing is looked up or recorded: neither the crosswalk nor a PACS learns of the object.

    Parameters
    ----------
    raw
        A Part 10 file.
    profile
        What to do, published or not.
    """
    try:
        source = parse(raw)
    except Held as held:
        return Preview((), {}, str(held.reason), held.detail)
    log = ActionLog()
    context = PatientContext(PSEUDONYM, -1 - secrets.randbelow(_SHIFTS), UidMapper(secrets.token_bytes(32)))
    # A slice has no series here; a multi-frame object is one.
    face = find_faces([source])[0] if must_be_defaced(source, profile) else None
    try:
        decision = decide(source, profile, ConfirmedDevices())
    except Held as held:
        return Preview((), {}, str(held.reason), held.detail)
    of_pixels = outcome_of(decision, profile)
    # The headers are shown whatever becomes of the pixels.
    path = PixelPath.NOTHING if decision.path is PixelPath.NOTHING else PixelPath.CLEAN
    seen = Seen(replace(decision, path=path, risk=Risk.LOW, regions=()))
    outcome = deidentify(source, profile, context, log, seen=seen, face=face)
    if not isinstance(outcome, Deidentified):
        detail = outcome.detail if isinstance(outcome, HeldInstance) else ""
        return Preview((), {}, str(outcome.reason), detail)
    # pydicom's warnings about odd values quote the values.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before, after = _read(raw), _read(encode(outcome))
        elements = (*_met(log.entries, before, after), *_others(log.entries, before, after))
    return Preview(
        tuple(sorted(elements, key=lambda one: one.path)),
        dict(outcome.action_counts),
        reason=str(of_pixels.reason or ""),
        detail=", ".join(decision.reasons) if of_pixels.reason else "",
        pixels=of_pixels.text,
    )


def path_name(path: Path) -> str:
    """Return a path for people: tags, with the number of the item, from 1, behind that of a sequence."""
    parts = []
    for at in range(0, len(path), 2):
        tag = path[at]
        item = f"[{path[at + 1] + 1}]" if at + 1 < len(path) else ""
        parts.append(f"{tag >> 16:04X},{tag & 0xFFFF:04X}{item}")
    return " > ".join(parts)


def _read(data: bytes) -> Dataset:
    return pydicom.dcmread(BytesIO(data), force=True)


def _met(entries: list[ActionEntry], before: Dataset, after: Dataset) -> Iterator[PreviewedElement]:
    gone = _gone_items(entries)
    for entry in entries:
        is_item = len(entry.path) % 2 == 0
        place = None if is_item else _after(entry.path, gone)
        was, is_now = _raw(before, entry.path), None if place is None else _raw(after, place)
        yield PreviewedElement(
            path=entry.path,
            keyword="one item" if is_item else _keyword(entry.path[-1]),
            action=str(entry.action),
            rule=entry.origin,
            before=_value(before, entry.path),
            after=None if place is None else _value(after, place),
            same=is_now is not None and was == is_now,
        )


def _others(entries: list[ActionEntry], before: Dataset, after: Dataset) -> Iterator[PreviewedElement]:
    """Yield what no rule is about: elements that we write, private creators, group lengths."""
    met = {entry.path[0] for entry in entries}
    for tag in {*map(int, before.keys()), *map(int, after.keys())} - met:
        path = (tag,)
        was, is_now = _raw(before, path), _raw(after, path)
        yield PreviewedElement(
            path=path,
            keyword=_keyword(tag),
            action="remove" if is_now is None else "write",
            rule="goes with what it belongs to" if is_now is None else "written anew",
            before=_value(before, path),
            after=_value(after, path),
            same=is_now is not None and was == is_now,
        )


def _gone_items(entries: list[ActionEntry]) -> dict[Path, list[int]]:
    """Return the items that have gone, by their sequence, in order."""
    gone: dict[Path, list[int]] = {}
    for entry in entries:
        if len(entry.path) % 2 == 0:
            gone.setdefault(entry.path[:-1], []).append(entry.path[-1])
    return {sequence: sorted(items) for sequence, items in gone.items()}


def _after(path: Path, gone: dict[Path, list[int]]) -> Path:
    """Return where an element of the source is in the result, where whole items before it have gone."""
    if not gone:
        return path
    moved = list(path)
    for at in range(1, len(path), 2):
        moved[at] -= bisect_left(gone.get(path[:at], []), path[at])
    return tuple(moved)


def _level(dataset: Dataset, path: Path) -> Dataset | None:
    """Return the data set or item that holds the element at the end of the path."""
    for at in range(0, len(path) - 1, 2):
        items = _decoded(dataset, path[at])
        if not isinstance(items, Sequence) or path[at + 1] >= len(items):
            return None
        dataset = items[path[at + 1]]
    return dataset


def _raw(dataset: Dataset, path: Path) -> Any:
    """Return the value of an element, as encoded where pydicom has not decoded it, ``None`` if there is none."""
    level = _level(dataset, path)
    if level is None or len(path) % 2 == 0 or path[-1] not in level:
        return None
    element = level.get_item(path[-1])
    return None if element is None else element.value or b""


def _decoded(dataset: Dataset, tag: int) -> Any:
    if tag not in dataset:
        return None
    try:
        return dataset[tag].value
    except Exception:
        raw = dataset.get_item(tag)
        return b"" if raw is None else raw.value


def _value(dataset: Dataset, path: Path) -> Value | None:
    level = _level(dataset, path)
    if level is None:
        return None
    if len(path) % 2 == 0:
        return Value("item", len(level), "elements", Phi(f"item with {len(level)} elements"))
    if path[-1] not in level:
        return None
    return _described(_decoded(level, path[-1]), str(level.get_item(path[-1]).VR or "UN"))


def _described(value: Any, vr: str) -> Value:
    if isinstance(value, Sequence):
        return Value(vr, len(value), "items", Phi(f"{len(value)} items"))
    if isinstance(value, bytes | bytearray):
        return Value(vr, len(value), "bytes", Phi(f"{len(value)} bytes"))
    values = [] if value in (None, "") else list(value) if isinstance(value, MultiValue | list) else [value]
    text = _printable("\\".join(str(one) for one in values))
    if any(isinstance(one, int | float) and not hasattr(one, "original_string") for one in values):
        return Value(vr, len(values), "values", Phi(text))
    return Value(vr, len(text), "characters", Phi(text))


def _printable(text: str) -> str:
    """Return text that a terminal shows and does not obey."""
    return "".join(character if character.isprintable() else "·" for character in text)


def _keyword(tag: int) -> str:
    return "private" if tag >> 16 & 1 else keyword_of(tag)
