"""RLE Lossless: a frame as byte planes, each row of them in PackBits (PS3.5 Annex G)."""

import struct

import imagecodecs
import numpy as np

from dicomanon.deidentify.pixels.description import BYTE, PixelDescription, Samples, undecodable

_HEADER = struct.Struct("<16L")
_NO_DATA = b"\0"


def decode(stream: bytes, described: PixelDescription) -> Samples:
    """Return the cells of a frame as unsigned numbers, (rows, columns) or (rows, columns, 3).

    Raises
    ------
    Held
        ``UNDECODABLE``: not as many byte planes as cells have bytes, or one of them is not as long as the frame.
    """
    width = described.allocated // BYTE
    if len(stream) < _HEADER.size or not width:
        raise undecodable("run-length encoded frame is cut short")
    count, *offsets = _HEADER.unpack_from(stream)
    planes = width * described.samples
    if count != planes:
        raise undecodable("run-length encoded frame of another number of segments")
    bounds = [*offsets[:planes], len(stream)]
    if bounds[0] != _HEADER.size or bounds != sorted(bounds):
        raise undecodable("segments of a run-length encoded frame are in disorder")
    size = described.rows * described.columns
    cells = np.empty((size, described.samples, width), np.uint8)
    for plane in range(planes):
        # The most significant byte of each sample comes first.
        sample, place = divmod(plane, width)
        cells[:, sample, width - 1 - place] = _plane(stream[bounds[plane] : bounds[plane + 1]], size)
    return cells.view(f"<u{width}").reshape(described.shape)


def _plane(segment: bytes, size: int) -> Samples:
    out = bytearray(size)
    try:
        decoded = imagecodecs.packbits_decode(segment, out=out)
    except imagecodecs.ImcdError:
        # A segment is padded to even length by a zero, which begins a literal run without its byte.
        if not segment.endswith(_NO_DATA):
            raise
        decoded = imagecodecs.packbits_decode(segment[:-1], out=out)
    if len(decoded) != size:
        raise undecodable("segment of a run-length encoded frame of another length")
    return np.frombuffer(decoded, np.uint8)


def encode(cells: Samples) -> bytes:
    """Return a frame of unsigned cells, (rows, columns) or (rows, columns, 3), run-length encoded row by row."""
    width = cells.dtype.itemsize
    rows, columns, *_ = cells.shape
    split = np.ascontiguousarray(cells, f"<u{width}").view(np.uint8).reshape(rows, columns, -1, width)
    segments = []
    for sample in range(split.shape[2]):
        for place in reversed(range(width)):
            # A copy, for of a single row or column NumPy calls contiguous what the encoder does not.
            segment = bytes(imagecodecs.packbits_encode(split[:, :, sample, place].copy(), axis=-1))
            segments.append(segment + _NO_DATA * (len(segment) & 1))
    offsets = [_HEADER.size]
    for segment in segments[:-1]:
        offsets.append(offsets[-1] + len(segment))
    header = _HEADER.pack(len(segments), *offsets, *[0] * (15 - len(offsets)))
    return header + b"".join(segments)
