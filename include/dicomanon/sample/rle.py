"""A fast RLE Lossless encoder for the sample's compressed slices (PS3.5 G)."""

import itertools

import numpy as np

from dicomanon.sample.pixels import Pixels

_LONGEST_RUN = 128


def rle_frame(picture: Pixels) -> bytes:
    """Return one 16-bit frame as an RLE Lossless frame (PS3.5 G).

    Smooth rows are written as runs and noisy ones literally; pydicom's own encoder packs a little better, but takes
    too long for a sample that is made before each test.
    """
    raw = picture.astype("<i2").view(np.uint8).reshape(*picture.shape, 2)
    segments = []
    for plane in (raw[:, :, 1], raw[:, :, 0]):
        packed = b"".join(_pack_row(row) for row in np.ascontiguousarray(plane))
        segments.append(packed + b"\0" * (len(packed) % 2))
    offsets = [64, 64 + len(segments[0])]
    header = np.array([2, *offsets] + [0] * 13, dtype="<u4").tobytes()
    return header + b"".join(segments)


def _pack_row(row: Pixels) -> bytes:
    """Return one row as PackBits."""
    packed = bytearray()
    ends = np.flatnonzero(np.diff(row)) + 1
    bounds = [0, *ends.tolist(), len(row)]
    if len(bounds) > len(row) // 4:
        data = row.tobytes()
        for first in range(0, len(data), _LONGEST_RUN):
            piece = data[first : first + _LONGEST_RUN]
            packed += bytes((len(piece) - 1,)) + piece
        return bytes(packed)
    for first, last in itertools.pairwise(bounds):
        value = int(row[first])
        left = last - first
        while left:
            run = min(left, _LONGEST_RUN)
            packed += bytes((257 - run, value)) if run > 1 else bytes((0, value))
            left -= run
    return bytes(packed)
