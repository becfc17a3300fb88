"""Covers what goes of compressed frames without loss anywhere else, and looks at the result before it is released."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dicomanon.deidentify.codec import LITTLE_EXPLICIT, Buffer
from dicomanon.deidentify.pixels import coefficients
from dicomanon.deidentify.pixels.black import black
from dicomanon.deidentify.pixels.decoding import (
    HIGH_THROUGHPUT_SYNTAXES,
    JPEG_2000_LOSSLESS_SYNTAX,
    JPEG_2000_SYNTAX,
    JPEG_LOSSLESS_SYNTAXES,
    JPEG_LS_LOSSLESS_SYNTAX,
    JPEG_LS_SYNTAXES,
    JPEG_SYNTAXES,
    RLE,
    Decoded,
    checked_header,
    decode,
    is_rgb,
)
from dicomanon.deidentify.pixels.description import BYTE, COLOURS, PIXEL_DATA, RGB, Samples
from dicomanon.deidentify.pixels.encapsulated import EXTENDED_OFFSET_TABLE, encapsulated, fragments_of
from dicomanon.deidentify.pixels.filling import Cover, Covers, fill, outside
from dicomanon.deidentify.pixels.fragments import spans_of_text
from dicomanon.deidentify.pixels.image import PixelImage
from dicomanon.deidentify.pixels.lossless import Unencodable, encode
from dicomanon.deidentify.pixels.pixel_data import has_embedded_overlay
from dicomanon.deidentify.pixels.streams import Header
from dicomanon.errors import Held
from dicomanon.reasons import HoldReason

EXPLICIT_LITTLE_SYNTAX = "1.2.840.10008.1.2.1"
_NEAR_LOSSLESS = "1.2.840.10008.1.2.4.81"
_MAY_BE_LOSSY = frozenset({JPEG_2000_SYNTAX, "1.2.840.10008.1.2.4.203"})
_BY_PIXEL = 2
_SHADES = {(0,): 0, (255,): 255, (0, 0, 0): 0}
_LONGEST_VALUE = 0xFFFFFFFE
_NOTHING = Cover()


@dataclass(frozen=True, slots=True, repr=False)
class MaskedStreams:
    """Pixel data of compressed frames after masking.

    Attributes
    ----------
    pieces
        The encoded element.
    transfer_syntax, photometric
        In which all frames are now.
    ratio
        How many times smaller than their cells the compressed frames of the source were.
    lossy
        Whether they had lost something.
    """

    pieces: tuple[Buffer, ...]
    transfer_syntax: str
    photometric: str
    ratio: float
    lossy: bool


@dataclass(frozen=True, slots=True)
class _Plan:
    """The syntax that frames are encoded in, and how; ``whole`` if all frames have to be."""

    syntax: str
    photometric: str
    whole: bool
    transformed: bool = False


def mask_streams(image: PixelImage, covers: Covers) -> MaskedStreams:
    """Return pixel data less what is covered.

    Frames of which nothing goes are copied, fragment by fragment, unless the transfer syntax has to change.

    Raises
    ------
    Held
        ``BURNED_IN_RISK``: an overlay is in the pixels. ``UNDECODABLE``. ``RULE_FAILED``: what was encoded is not what
        was to be encoded.
    """
    if has_embedded_overlay(image.source):
        raise Held(HoldReason.BURNED_IN_RISK, "overlay in unused bits of compressed pixel data")
    first = min(covers)
    header = None if image.transfer_syntax == RLE else checked_header(image.stream(first), image)
    made = _by_coefficients(image, covers) if image.transfer_syntax in JPEG_SYNTAXES else None
    photometric, syntax = image.photometric, image.transfer_syntax
    if made is None:
        plan = _plan(image, header)
        syntax, photometric = plan.syntax, plan.photometric
        try:
            made = _encoded(image, covers, plan)
        except Unencodable:
            return _uncompressed(image, covers, header)
    start, end = fragments_of(image.source, image.element)[0]
    tabled = end > start or image.source.element(EXTENDED_OFFSET_TABLE) is not None
    pieces = encapsulated(made, offsets=tabled)
    return MaskedStreams(tuple(pieces), syntax, photometric, _ratio(image), _is_lossy(image, header))


def _plan(image: PixelImage, header: Header | None) -> _Plan:
    syntax = image.transfer_syntax
    if syntax in JPEG_SYNTAXES:
        return _Plan(JPEG_LS_LOSSLESS_SYNTAX, RGB if image.samples == COLOURS else image.photometric, whole=True)
    assert header is not None or syntax == RLE
    transformed = header is not None and header.transformed
    irreversible = transformed and header is not None and not header.reversible
    if syntax in HIGH_THROUGHPUT_SYNTAXES or (syntax == JPEG_2000_SYNTAX and irreversible):
        # One attribute tells of all frames how their colours were transformed, and a lossless frame cannot be as the
        # lossy ones are; for High-Throughput there is no encoder.
        photometric = "YBR_RCT" if transformed else image.photometric
        return _Plan(JPEG_2000_LOSSLESS_SYNTAX, photometric, whole=True, transformed=transformed)
    if syntax not in {RLE, JPEG_2000_LOSSLESS_SYNTAX, JPEG_2000_SYNTAX, *JPEG_LOSSLESS_SYNTAXES, *JPEG_LS_SYNTAXES}:
        raise Held(HoldReason.UNDECODABLE, "transfer syntax that no codec here encodes")
    return _Plan(syntax, image.photometric, whole=False, transformed=transformed)


def _by_coefficients(image: PixelImage, covers: Covers) -> list[Sequence[Buffer]] | None:
    """Mask lossy JPEG frames by their coefficients; ``None`` if that cannot be done for all of them."""
    if not coefficients.available() or any(cover.stencil is not None for cover in covers.values()):
        return None
    shade = _SHADES.get(black(image, RGB if image.samples > 1 else image.photometric, lambda: np.empty(0, np.uint8)))
    headers = {index: checked_header(image.stream(index), image) for index in covers}
    if shade is None or image.signed or image.stored != BYTE or any(h.precision != BYTE for h in headers.values()):
        return None
    made: list[Sequence[Buffer]] = []
    for index, copied in enumerate(_copied(image)):
        if index not in covers:
            made.append(copied)
            continue
        boxes = covers[index].boxes
        stream = image.stream(index)
        decode(stream, image)
        rgb = is_rgb(headers[index], image)
        masked = coefficients.blackened(stream, headers[index], boxes, shade, rgb=rgb)
        again = decode(masked, image).samples
        if any((again[box.top : box.bottom, box.left : box.right] != shade).any() for box in boxes):
            raise Held(HoldReason.RULE_FAILED, "a masked frame shows something in its boxes")
        made.append([masked])
    return made


def _encoded(image: PixelImage, covers: Covers, plan: _Plan) -> list[Sequence[Buffer]]:
    result = replace(image, transfer_syntax=plan.syntax, photometric=plan.photometric, planar=0)
    made: list[Sequence[Buffer]] = []
    for index, copied in enumerate(_copied(image)):
        if index not in covers and not plan.whole:
            made.append(copied)
            continue
        frame = _filled(image, index, covers.get(index, _NOTHING))
        interleave = _BY_PIXEL
        if plan.syntax == image.transfer_syntax and plan.syntax in JPEG_LS_SYNTAXES:
            interleave = checked_header(image.stream(index), image).interleave
        stream = encode(frame, plan.syntax, transformed=plan.transformed, interleave=interleave)
        again = decode(stream, result)
        same = np.array_equal(again.samples, frame.samples) and again.precision == frame.precision
        if not same or again.photometric != frame.photometric:
            raise Held(HoldReason.RULE_FAILED, "an encoded frame is not what it should be")
        made.append([stream])
    return made


def _filled(image: PixelImage, index: int, cover: Cover) -> Decoded:
    decoded = image.decoded(index)
    if cover is _NOTHING:
        return decoded
    samples = np.array(decoded.samples)
    if cover.stencil is not None:
        samples[cover.stencil.pixels] = decoded.cell(cover.stencil.value, image)
    if cover.boxes:
        left = replace(decoded, samples=samples)
        values = black(image, decoded.photometric, lambda: outside(left.values(image), cover.boxes))
        fill(samples, cover.boxes, [decoded.cell(value, image) for value in values])
    return replace(decoded, samples=samples)


def _uncompressed(image: PixelImage, covers: Covers, header: Header | None) -> MaskedStreams:
    """Store all frames uncompressed: the one way that is always open."""
    photometric = image.photometric
    frames: list[bytes] = []
    for index in range(image.frames):
        frame = _filled(image, index, covers.get(index, _NOTHING))
        photometric = frame.photometric
        frames.append(_cells(frame, image).tobytes())
    length = sum(map(len, frames))
    if length > _LONGEST_VALUE:
        raise Held(HoldReason.RULE_FAILED, "frames that no encoder takes, and too many to be stored uncompressed")
    padding = b"\0" * (length & 1)
    vr = "OB" if image.allocated <= BYTE else "OW"
    pieces = (LITTLE_EXPLICIT.header(PIXEL_DATA, vr, length + len(padding)), *frames, padding)
    return MaskedStreams(pieces, EXPLICIT_LITTLE_SYNTAX, photometric, _ratio(image), _is_lossy(image, header))


def _cells(frame: Decoded, image: PixelImage) -> Samples:
    values = frame.values(image)
    kind = np.dtype(f"<u{image.allocated // BYTE}")
    cells: Samples = values.astype(kind) << kind.type(image.shift)
    return cells


def _copied(image: PixelImage) -> Iterator[list[Buffer]]:
    """Yield the fragments of each frame as they are, less the text in their headers."""
    buffer, element = image.source.file.buffer, image.element
    spans = sorted(spans_of_text(buffer, element.value, element.end, image.source.file.codec, image.frames))
    starts = [start for start, _ in spans]
    for fragments in image.fragments:
        yield [
            _blanked(buffer, start, end, spans[bisect_left(starts, start) : bisect_left(starts, end)])
            for start, end in fragments
        ]


def _blanked(buffer: memoryview, start: int, end: int, spans: list[tuple[int, int]]) -> Buffer:
    if not spans:
        return buffer[start:end]
    copy = bytearray(buffer[start:end])
    for first, last in spans:
        copy[first - start : last - start] = bytes(last - first)
    return bytes(copy)


def _ratio(image: PixelImage) -> float:
    compressed = sum(end - start for fragments in image.fragments for start, end in fragments)
    return image.frames * image.rows * image.columns * image.samples * image.allocated / BYTE / max(1, compressed)


def _is_lossy(image: PixelImage, header: Header | None) -> bool:
    syntax = image.transfer_syntax
    irreversible = header is not None and not header.reversible
    return syntax in {*JPEG_SYNTAXES, _NEAR_LOSSLESS} or (syntax in _MAY_BE_LOSSY and irreversible)
