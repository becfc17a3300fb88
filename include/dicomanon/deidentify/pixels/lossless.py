"""Encodes one frame without loss, in a given transfer syntax."""

import imagecodecs
import jpeg_ls
import numpy as np

from dicomanon.deidentify.pixels import run_length
from dicomanon.deidentify.pixels.decoding import (
    JPEG_2000_LOSSLESS_SYNTAX,
    JPEG_2000_SYNTAX,
    JPEG_LOSSLESS_SYNTAXES,
    JPEG_LS_SYNTAXES,
    RLE,
    Decoded,
)
from dicomanon.deidentify.pixels.description import BYTE, COLOURS, RGB
from dicomanon.deidentify.pixels.streams import LOSSLESS, segments

_WHOLE_CELLS = frozenset({8, 16})
_BY_PLANE, _BY_PIXEL = 0, 2
_APPLICATION_SEGMENTS = range(0xE0, 0xF0)
_SOF_COMPONENTS, _SOS_COMPONENTS = 10, 5
_BYTES_OF_SOF_COMPONENT, _BYTES_OF_SOS_COMPONENT = 3, 2
_START_OF_SCAN = 0xDA


class Unencodable(Exception):
    """No encoder of the syntax takes such a frame."""


def encode(frame: Decoded, syntax: str, *, transformed: bool = False, interleave: int = _BY_PIXEL) -> bytes:
    """Return a frame encoded without loss.

    Parameters
    ----------
    frame
        Samples and their precision.
    syntax
        RLE, JPEG Lossless, JPEG-LS or JPEG 2000; JPEG Lossless is written with selection value 1, which both of its
        syntaxes allow, JPEG-LS without error and JPEG 2000 with the reversible wavelets, which their lossy syntaxes
        allow too (PS3.5 A.4.2 to A.4.4).
    transformed
        Whether JPEG 2000 uses the reversible multiple component transformation.
    interleave
        Interleave mode of JPEG-LS.

    Raises
    ------
    Unencodable
        The encoder cannot; what it says may quote nothing.
    """
    try:
        if syntax == RLE:
            return run_length.encode(frame.samples)
        if syntax in JPEG_LOSSLESS_SYNTAXES:
            return _jpeg(frame)
        if syntax in JPEG_LS_SYNTAXES:
            return _jpeg_ls(frame, interleave)
        if syntax in {JPEG_2000_LOSSLESS_SYNTAX, JPEG_2000_SYNTAX}:
            stream = imagecodecs.jpeg2k_encode(
                frame.samples.copy(),
                codecformat="j2k",
                reversible=True,
                mct=transformed,
                bitspersample=frame.precision,
            )
            return bytes(stream)
    except Exception as error:
        raise Unencodable(type(error).__name__) from None
    raise Unencodable("syntax")


def _jpeg(frame: Decoded) -> bytes:
    colours = RGB if frame.samples.ndim == COLOURS else None
    stream = imagecodecs.jpeg8_encode(
        frame.samples.copy(),
        lossless=True,
        predictor=1,
        bitspersample=frame.precision,
        colorspace=colours,
        outcolorspace=colours,
    )
    return _without_claims(bytes(stream), keep_colours=frame.photometric == RGB)


def _without_claims(stream: bytes, *, keep_colours: bool) -> bytes:
    """Return a JPEG frame without application segments; those of the encoder call all colours RGB.

    Components that are named R, G and B say the same, and get numbers if they are something else.
    """
    pieces = [stream[:2]]
    found = segments(stream)
    for code, start, end in found:
        if code in _APPLICATION_SEGMENTS and not keep_colours:
            continue
        segment = bytearray(stream[start:end])
        if not keep_colours and code in {LOSSLESS, _START_OF_SCAN}:
            first, step = (
                (_SOF_COMPONENTS, _BYTES_OF_SOF_COMPONENT)
                if code == LOSSLESS
                else (_SOS_COMPONENTS, _BYTES_OF_SOS_COMPONENT)
            )
            for index in range(segment[first - 1]):
                segment[first + step * index] = index + 1
        pieces.append(bytes(segment))
    return b"".join([*pieces, stream[found[-1][2] :]])


def _jpeg_ls(frame: Decoded, interleave: int) -> bytes:
    samples = frame.samples
    rows, columns, *_ = samples.shape
    if frame.precision in _WHOLE_CELLS and samples.ndim < COLOURS:
        # Makes room for frames that compression makes longer, and knows no other precisions.
        return bytes(imagecodecs.jpegls_encode(samples.copy()))
    arranged = np.moveaxis(samples, -1, 0) if samples.ndim == COLOURS and interleave == _BY_PLANE else samples
    width = -(-frame.precision // BYTE)
    data = np.ascontiguousarray(arranged, f"<u{width}").tobytes()
    components = COLOURS if samples.ndim == COLOURS else 1
    return bytes(jpeg_ls.encode_buffer(data, rows, columns, components, frame.precision, 0, interleave))
