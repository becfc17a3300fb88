"""Decodes one compressed frame, and refuses what is not all there: a codec fills gaps with pixels of its own."""

from dataclasses import dataclass

import imagecodecs
import jpeg_ls
import numpy as np

from dicomanon.deidentify.pixels import run_length
from dicomanon.deidentify.pixels.description import (
    BYTE,
    COLOURS,
    RGB,
    TRANSFORMED,
    YBR_FULL,
    PixelDescription,
    Samples,
    stored_values,
    undecodable,
)
from dicomanon.deidentify.pixels.streams import (
    BASELINE,
    EXTENDED,
    JPEG_LS,
    LOSSLESS,
    Header,
    end_of,
    header_of,
)
from dicomanon.errors import Held

RLE = "1.2.840.10008.1.2.5"
JPEG_BASELINE_SYNTAX = "1.2.840.10008.1.2.4.50"
JPEG_EXTENDED_SYNTAX = "1.2.840.10008.1.2.4.51"
JPEG_LOSSLESS_SYNTAXES = frozenset({"1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"})
JPEG_LS_LOSSLESS_SYNTAX = "1.2.840.10008.1.2.4.80"
JPEG_LS_SYNTAXES = frozenset({JPEG_LS_LOSSLESS_SYNTAX, "1.2.840.10008.1.2.4.81"})
JPEG_2000_LOSSLESS_SYNTAX = "1.2.840.10008.1.2.4.90"
JPEG_2000_SYNTAX = "1.2.840.10008.1.2.4.91"
HIGH_THROUGHPUT_SYNTAXES = frozenset(f"1.2.840.10008.1.2.4.{number}" for number in (201, 202, 203))

JPEG_SYNTAXES = frozenset({JPEG_BASELINE_SYNTAX, JPEG_EXTENDED_SYNTAX})
_JPEG_2000_SYNTAXES = frozenset({JPEG_2000_LOSSLESS_SYNTAX, JPEG_2000_SYNTAX, *HIGH_THROUGHPUT_SYNTAXES})
_PROCESSES = {
    **dict.fromkeys(JPEG_SYNTAXES, frozenset({BASELINE, EXTENDED})),
    **dict.fromkeys(JPEG_LOSSLESS_SYNTAXES, frozenset({LOSSLESS})),
    **dict.fromkeys(JPEG_LS_SYNTAXES, frozenset({JPEG_LS})),
    **dict.fromkeys(_JPEG_2000_SYNTAXES, frozenset({0})),
}
_FILLER = bytes((37 * index + 11) % 251 for index in range(64))
"""No byte of it is a marker, and it is longer than the bits that a codec reads ahead."""


@dataclass(frozen=True, slots=True, repr=False)
class Decoded:
    """A frame as its codec gives it.

    Attributes
    ----------
    samples
        (rows, columns) or (rows, columns, 3), unsigned unless the codestream itself is signed.
    precision
        Bits of a sample in the codestream; those of a whole cell where there is none.
    photometric
        What the samples mean: codecs turn some colours into RGB.
    """

    samples: Samples
    precision: int
    photometric: str

    def values(self, described: PixelDescription) -> Samples:
        """Return the samples as stored values, signed where the image is."""
        if self.samples.dtype.kind == "i":
            if described.signed:
                return self.samples
            # Two headers contradict each other; the bits are what was meant (PS3.5 section 8.2.4).
            return self.samples.view(f"u{self.samples.dtype.itemsize}") & ((1 << self.precision) - 1)
        if self.precision > described.stored:
            return stored_values(self.samples, described)
        width = self.samples.dtype.itemsize * BYTE
        if not described.signed:
            return self.samples
        up = width - self.precision
        left: Samples = (self.samples << self.samples.dtype.type(up)).view(f"i{width // BYTE}")
        return left >> up

    def cell(self, value: int, described: PixelDescription) -> int:
        """Return the sample that stands for a stored value."""
        if self.samples.dtype.kind == "i":
            return value if described.signed else value - ((value >> (self.precision - 1)) << self.precision)
        shift = described.shift if self.precision > described.stored else 0
        return (value << shift) & ((1 << self.precision) - 1)


def decode(stream: bytes, described: PixelDescription) -> Decoded:
    """Decode one frame.

    Raises
    ------
    Held
        ``UNDECODABLE``: no codec of ours knows the transfer syntax, the frame is of another size than the image, it is
        cut short, or its codec complains.
    """
    try:
        decoded = _decode(stream, described)
    except Held:
        raise
    except Exception as error:
        # A codec's text may quote what it read.
        raise undecodable(f"{type(error).__name__} while a frame was decoded") from None
    if decoded.samples.shape != described.shape:
        raise undecodable("compressed frame of another size than described")
    return decoded


def checked_header(stream: bytes, described: PixelDescription) -> Header:
    """Return the header of a frame that fits its description and transfer syntax.

    Raises
    ------
    Held
        ``UNDECODABLE``.
    """
    processes = _PROCESSES.get(described.transfer_syntax)
    if processes is None:
        raise undecodable("transfer syntax that no codec here decodes")
    header = header_of(stream)
    if header.process not in processes:
        raise undecodable("compressed frame of another process than its transfer syntax")
    if (header.rows, header.columns, header.components) != (described.rows, described.columns, described.samples):
        raise undecodable("compressed frame of another size than described")
    if header.precision > described.allocated:
        raise undecodable("compressed frame with more bits than described")
    return header


def _decode(stream: bytes, described: PixelDescription) -> Decoded:
    syntax = described.transfer_syntax
    photometric = _untransformed(described.photometric)
    if syntax == RLE:
        return Decoded(run_length.decode(stream, described), described.allocated, photometric)
    header = checked_header(stream, described)
    if syntax in JPEG_LS_SYNTAXES:
        return Decoded(_jpeg_ls(stream, header), header.precision, photometric)
    if syntax in _JPEG_2000_SYNTAXES:
        samples = imagecodecs.jpeg2k_decode(stream).reshape(described.shape)
        return Decoded(samples, header.precision, RGB if header.transformed else photometric)
    if syntax in JPEG_LOSSLESS_SYNTAXES:
        return Decoded(_whole(stream, raw=header.components == COLOURS), header.precision, photometric)
    if header.components != COLOURS:
        return Decoded(_whole(stream, raw=False), header.precision, photometric)
    return Decoded(_whole(stream, raw=is_rgb(header, described)), header.precision, RGB)


def is_rgb(header: Header, described: PixelDescription) -> bool:
    """Tell whether the components of a lossy JPEG frame are red, green and blue.

    Its own markers tell, whatever the Photometric Interpretation says; that is asked where there are none.
    """
    return (header.colours or described.photometric) == RGB


def _untransformed(photometric: str) -> str:
    if photometric in TRANSFORMED:
        return RGB
    return YBR_FULL if photometric == "YBR_FULL_422" else photometric


def _whole(stream: bytes, *, raw: bool) -> Samples:
    """Decode a JPEG frame, and see that it had data for every pixel.

    The codec fills what is missing without a word. What it reads beyond the end tells: a frame that is all there looks
    the same whatever follows its last bit.
    """
    end = end_of(stream)
    decoded = _jpeg(stream, raw=raw)
    if not np.array_equal(decoded, _jpeg(stream[:end] + _FILLER + stream[end:], raw=raw)):
        raise undecodable("compressed frame is cut short")
    return decoded


def _jpeg(stream: bytes, *, raw: bool) -> Samples:
    if raw:
        # From RGB to RGB nothing is converted, whatever the samples mean.
        return imagecodecs.jpeg8_decode(stream, colorspace="RGB", outcolorspace="RGB")
    return imagecodecs.jpeg8_decode(stream)


def _jpeg_ls(stream: bytes, header: Header) -> Samples:
    data, info = jpeg_ls.decode_buffer(stream)
    samples = np.frombuffer(data, f"<u{-(-header.precision // BYTE)}")
    if header.components == 1:
        return samples.reshape(header.rows, header.columns)
    if info["interleave_mode"] == 0:
        return np.moveaxis(samples.reshape(header.components, header.rows, header.columns), 0, -1)
    return samples.reshape(header.rows, header.columns, header.components)
