"""Reads from an object what tells whether it may show a face."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from math import hypot, isclose, isfinite

from dicomanon.deidentify.excerpts import elements_of, once_per_series
from dicomanon.deidentify.faces.recognise import Facts
from dicomanon.deidentify.header import Header
from dicomanon.deidentify.reader import Element
from dicomanon.standard.iods import iod_by_sop_class

VISUAL_FEATURES = 0x00280302
_IMAGE_TYPE = 0x00080008
_TEXTS = (
    0x00180015,  # Body Part Examined
    0x00081030,  # Study Description
    0x0008103E,  # Series Description
    0x00181030,  # Protocol Name
    0x00400254,  # Performed Procedure Step Description
    0x00321060,  # Requested Procedure Description
)
_CODES = (
    0x00082218,  # Anatomic Region Sequence
    0x00081032,  # Procedure Code Sequence
)
_CODE_VALUES = (0x00080100, 0x00080119, 0x00080120)
_CODE_MEANING = 0x00080104
_SHARED_GROUPS = 0x52009229
_PER_FRAME_GROUPS = 0x52009230
_FRAME_ANATOMY = 0x00209071
_PLANE_ORIENTATION = 0x00209116
_PLANE_POSITION = 0x00209113
_PIXEL_MEASURES = 0x00289110
_ORIENTATION = 0x00200037
_POSITION = 0x00200032
_THICKNESS = 0x00180050
_STEP = 0x00180088
_ASKED_OF_FRAMES = {
    _PLANE_ORIENTATION: (_ORIENTATION,),
    _PLANE_POSITION: (_POSITION,),
    _PIXEL_MEASURES: (_STEP, _THICKNESS),
}
_ASKED = (
    *_TEXTS, *_CODES, _SHARED_GROUPS, _PER_FRAME_GROUPS, _IMAGE_TYPE, VISUAL_FEATURES, _ORIENTATION, _STEP, _THICKNESS
)  # fmt: skip
_AXES = 3
_UNIT = 0.02


@once_per_series(elements_of(lambda: _ASKED))
def facts_of(source: Header) -> Facts:
    """Return what an instance says; of a multi-frame object, what its functional groups say too (PS3.3 C.7.6.16)."""
    main = source.file.elements
    shared, frames = _items(source.element(_SHARED_GROUPS)), _items(source.element(_PER_FRAME_GROUPS))
    anatomy = [item for group in (*shared, *frames[:1]) for item in _inside(group, _FRAME_ANATOMY)]
    texts = [text for tag in _TEXTS if (text := source.text(tag))]
    regions = []
    for code in chain.from_iterable(_inside(level, tag) for level in (main, *anatomy) for tag in _CODES):
        texts += [_text(source, element) for element in code if element.tag == _CODE_MEANING]
        regions += [_text(source, element) for element in code if element.tag in _CODE_VALUES]
    of_frames = _numbers_of_frames(source, chain(shared, frames))
    own = {tag: [numbers_in(source, main, tag)] for tag in (_ORIENTATION, _STEP, _THICKNESS) if source.element(tag)}
    normals = {_normal(numbers) for numbers in own.get(_ORIENTATION, []) + of_frames[_ORIENTATION]}
    across = normals.pop() if len(normals) == 1 else None
    steps = next((each for tag in (_STEP, _THICKNESS) if (each := own.get(tag, []) + of_frames[tag])), [])
    return Facts(
        iod=iod_by_sop_class().get(source.sop_class_uid, ""),
        image_type=tuple(part.strip() for part in source.text(_IMAGE_TYPE).upper().split("\\")),
        visual_features=source.text(VISUAL_FEATURES).upper(),
        texts=tuple(texts),
        regions=tuple(regions),
        across=across,
        step_mm=min((abs(step[0]) for step in steps if len(step) == 1), default=None),
        extent_mm=_extent(of_frames[_POSITION], across),
    )


def group_items(source: Header, number: int, group: int) -> Iterator[list[Element]]:
    """Yield the items of a functional group that hold for a frame: its own first, then those that all share."""
    own = _items(source.element(_PER_FRAME_GROUPS))
    for level in (*own[number : number + 1], *_items(source.element(_SHARED_GROUPS))):
        yield from _inside(level, group)


def numbers_in(source: Header, level: list[Element], tag: int) -> tuple[float, ...]:
    """Return the values of a numeric attribute of a data set or item, none if it is absent or no number."""
    return next((_parsed(_text(source, element)) for element in level if element.tag == tag), ())


def _extent(positions: list[tuple[float, ...]], across: tuple[float, float, float] | None) -> float | None:
    if across is None or not positions or any(len(position) != _AXES for position in positions):
        return None
    depths = [sum(a * b for a, b in zip(across, position, strict=True)) for position in positions]
    return max(depths) - min(depths)


def _normal(numbers: tuple[float, ...]) -> tuple[float, float, float] | None:
    if len(numbers) != 2 * _AXES:
        return None
    a, b, c, d, e, f = numbers
    # Rounded, so that frames of one stack agree.
    normal = round(b * f - c * e, 3), round(c * d - a * f, 3), round(a * e - b * d, 3)
    return normal if isclose(hypot(*normal), 1.0, abs_tol=_UNIT) else None


def _numbers_of_frames(source: Header, groups: Iterable[list[Element]]) -> defaultdict[int, list[tuple[float, ...]]]:
    """Return the values of numeric attributes in the functional groups, by tag, each frame looked at once."""
    found: defaultdict[int, list[tuple[float, ...]]] = defaultdict(list)
    for group in groups:
        for element in group:
            asked = _ASKED_OF_FRAMES.get(element.tag, ())
            for item in _items(element) if asked else ():
                for inner in item:
                    if inner.tag in asked:
                        found[inner.tag].append(_parsed(_text(source, inner)))
    return found


def _parsed(text: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(part) for part in text.split("\\")) if text else ()
    except ValueError:
        return ()
    return numbers if all(map(isfinite, numbers)) else ()


def _inside(level: list[Element], tag: int) -> Iterator[list[Element]]:
    for element in level:
        if element.tag == tag:
            yield from _items(element)


def _items(element: Element | None) -> Sequence[list[Element]]:
    return (element.items or []) if element is not None else []


def _text(source: Header, element: Element) -> str:
    if element.items is not None:
        return ""
    value = bytes(source.file.buffer[element.value : element.end])
    return (source.character_set.decode(value, name=False) or value.decode("latin-1")).strip(" \0")
