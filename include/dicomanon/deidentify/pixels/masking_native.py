"""Covers what goes of uncompressed pixels in copies of their frames; every other byte stays as it is."""

from dataclasses import replace

import numpy as np

from dicomanon.deidentify.codec import Buffer
from dicomanon.deidentify.pixels.black import black
from dicomanon.deidentify.pixels.description import BYTE, Samples, as_cell, stored_values
from dicomanon.deidentify.pixels.filling import Cover, Covers, fill, outside
from dicomanon.deidentify.pixels.image import PixelImage
from dicomanon.deidentify.pixels.native import PAIR, NativePixels, unswapped
from dicomanon.deidentify.pixels.pixel_data import pixel_data
from dicomanon.deidentify.pixels.regions import Box


def mask_native(image: PixelImage, covers: Covers) -> tuple[Buffer, ...]:
    """Return the encoded element in pieces, frames of which nothing goes as views of the source.

    Raises
    ------
    Held
        As :func:`~dicomanon.deidentify.pixels.pixel_data.pixel_data`; ``UNDECODABLE``: fewer bytes than pixels.
    """
    element = image.element
    # What stands beside the pixels goes first, as from an image without text.
    pieces = pixel_data(image.source, element)
    value = memoryview(pieces[0])[element.value - element.start :] if len(pieces) == 1 else memoryview(pieces[1])
    native = NativePixels(image, value)
    masked = (
        _frame_by_frame(native, image, covers) if native.whole_bytes else [_as_a_whole(native, image, covers, value)]
    )
    length = sum(map(len, masked))
    header = image.source.file.codec.header(element.tag, element.vr, length + (length & 1))
    return header, *masked, b"\0" * (length & 1)


def _frame_by_frame(native: NativePixels, image: PixelImage, covers: Covers) -> list[Buffer]:
    value = native.value
    pieces: list[Buffer] = []
    end = 0
    for index in sorted(covers):
        first, last = native.span(index)
        changed = bytearray(value[first:last])
        _mask_frame(NativePixels(replace(image, frames=1), changed), image, covers[index])
        pieces += (value[end:first], memoryview(changed).toreadonly())
        end = last
    return [*pieces, value[end:]]


def _mask_frame(frame: NativePixels, image: PixelImage, cover: Cover) -> None:
    cells = frame.arranged(0)
    width = image.allocated
    if cover.stencil is not None:
        cells[cover.stencil.pixels] = as_cell(cover.stencil.value, image, width)
    boxes = cover.boxes
    if not boxes:
        return
    values = black(image, image.photometric, lambda: outside(stored_values(frame.cells(0), image), boxes))
    value = [as_cell(number, image, width) for number in values]
    if not frame.halved:
        fill(cells, boxes, value)
        return
    luminance, *chrominance = value
    # Two pixels share their chrominance, so both go.
    pairs = [Box(box.left // PAIR, box.top, -(-box.right // PAIR), box.bottom) for box in boxes]
    fill(cells, pairs, (luminance, luminance, *chrominance))


def _as_a_whole(native: NativePixels, image: PixelImage, covers: Covers, value: memoryview) -> Buffer:
    """Mask frames whose bytes are shared, or in swapped words: in one copy of the whole value."""
    data: Samples = unswapped(value) if native.swapped else np.frombuffer(value, np.uint8).copy()
    straight = replace(image, vr="OB")
    if image.allocated >= BYTE:
        whole = NativePixels(straight, data.data)
        for index in sorted(covers):
            first, last = whole.span(index)
            _mask_frame(NativePixels(replace(straight, frames=1), data.data[first:last]), image, covers[index])
    else:
        size = image.rows * image.columns
        for index in sorted(covers):
            first, last = index * size, (index + 1) * size
            part = slice(first // BYTE, -(-last // BYTE))
            bits = np.unpackbits(data[part], bitorder="little")
            frame = bits[first - part.start * BYTE :][:size].reshape(image.rows, image.columns)
            # A single bit has no sign and no padding: the value does not depend on the frame.
            fill(frame, covers[index].boxes, black(image, image.photometric, lambda: np.empty(0, np.uint8)))
            data[part] = np.packbits(bits, bitorder="little")
    return bytes(unswapped(data.data) if native.swapped else data)
