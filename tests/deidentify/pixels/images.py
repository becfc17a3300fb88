"""Builds images of every kind of pixel data, by encoders that the engine does not use wherever there is one."""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from io import BytesIO

import imagecodecs
import jpeg_ls
import numpy as np
import pydicom
from openjpeg.utils import encode_array
from PIL import Image
from pydicom.pixels.encoders.native import _encode_segment
from tests.deidentify.builders import BIG, DEFLATED, EXPLICIT, IMPLICIT, Instance, Leaf, part10, write

from dicomanon.deidentify import SourceInstance, parse
from dicomanon.deidentify.pixels.masking import MaskedPixels

RLE = "1.2.840.10008.1.2.5"
BASELINE = "1.2.840.10008.1.2.4.50"
EXTENDED = "1.2.840.10008.1.2.4.51"
LOSSLESS_57 = "1.2.840.10008.1.2.4.57"
LOSSLESS = "1.2.840.10008.1.2.4.70"
JPEG_LS = "1.2.840.10008.1.2.4.80"
NEAR_LOSSLESS = "1.2.840.10008.1.2.4.81"
JPEG_2000 = "1.2.840.10008.1.2.4.90"
JPEG_2000_LOSSY = "1.2.840.10008.1.2.4.91"
HIGH_THROUGHPUT = "1.2.840.10008.1.2.4.201"
HIGH_THROUGHPUT_LOSSY = "1.2.840.10008.1.2.4.203"
NATIVE = (EXPLICIT, IMPLICIT, BIG, DEFLATED)

PIXEL_DATA = 0x7FE00010
ULTRASOUND = "1.2.840.10008.5.1.4.1.1.6.1"


@dataclass(frozen=True)
class Kind:
    """A kind of pixel data; ``samples`` of a colour image are 3."""

    syntax: str = EXPLICIT
    photometric: str = "MONOCHROME2"
    allocated: int = 8
    stored: int = 0
    high_bit: int = -1
    signed: bool = False
    planar: int = 0
    samples: int = 1
    vr: str = ""
    offsets: str = "basic"
    fragments: int = 1
    extra: tuple[Leaf, ...] = ()

    @property
    def bits(self) -> int:
        return self.stored or self.allocated

    @property
    def high(self) -> int:
        return self.bits - 1 if self.high_bit < 0 else self.high_bit

    @property
    def named(self) -> str:
        parts = [self.syntax.removeprefix("1.2.840.10008.1.2"), self.photometric, str(self.allocated), str(self.bits)]
        return "-".join([*parts, *(["signed"] if self.signed else []), *(["planar"] if self.planar else [])])


def picture(kind: Kind, frames: int = 1, rows: int = 40, columns: int = 52, seed: int = 0) -> np.ndarray:
    """Return sample values, (frames, rows, columns) or (frames, rows, columns, 3): smooth, with a noisy patch."""
    random = np.random.default_rng(seed)
    across, down = np.meshgrid(np.arange(columns), np.arange(rows))
    shape = (frames, rows, columns) if kind.samples == 1 else (frames, rows, columns, 3)
    values = np.empty(shape, np.float64)
    for index in range(frames):
        for sample in range(kind.samples):
            wave = 0.5 + 0.4 * np.sin((across + 3 * index) / 9 + sample) * np.cos(down / 7 - sample)
            wave[rows // 3 : rows // 2, columns // 3 : columns // 2] = random.random(
                (rows // 2 - rows // 3, columns // 2 - columns // 3)
            )
            values[(index, ...) if kind.samples == 1 else (index, ..., sample)] = wave
    levels = (1 << kind.bits) - 1
    whole = np.rint(values * levels).astype(np.int64)
    return whole - (1 << (kind.bits - 1)) if kind.signed else whole


def cells(values: np.ndarray, kind: Kind, noise: int = 0) -> np.ndarray:
    """Return values as unsigned cells, the unused bits those of ``noise``."""
    word = (1 << kind.allocated) - 1
    shift = kind.high + 1 - kind.bits
    used = ((1 << kind.bits) - 1) << shift
    placed = (values.astype(np.int64) << shift) & (word if kind.signed and not noise else used)
    return (placed | (noise & word & ~used)).astype(f"u{max(1, kind.allocated // 8)}")


def native(values: np.ndarray, kind: Kind, noise: int = 0) -> bytes:
    """Encode frames as they are uncompressed (PS3.5 section 8.1)."""
    words = cells(values, kind, noise)
    if kind.allocated == 1:
        data = np.packbits(words.ravel(), bitorder="little").tobytes()
        data += b"\0" * (len(data) % 2)
    elif kind.photometric.endswith("422"):
        frames, rows, columns, _ = words.shape
        pairs = words.reshape(frames, rows, columns // 2, 2, 3)
        data = np.stack([pairs[..., 0, 0], pairs[..., 1, 0], pairs[..., 0, 1], pairs[..., 0, 2]], axis=-1).tobytes()
    else:
        if kind.samples == 3 and kind.planar:
            words = np.moveaxis(words, -1, 1)
        order = ">" if kind.syntax == BIG else "<"
        data = np.ascontiguousarray(words, words.dtype.newbyteorder(order)).tobytes()
    if kind.syntax == BIG and kind.allocated <= 8 and kind.vr == "OW":
        data += b"\0" * (len(data) % 2)
        data = np.frombuffer(data, "<u2").byteswap().tobytes()
    return data


def raw_samples(frame: np.ndarray, kind: Kind) -> np.ndarray:
    """Return a frame as the unsigned numbers of its samples' bits."""
    return (frame.astype(np.int64) & ((1 << kind.bits) - 1)).astype("u1" if kind.bits <= 8 else "u2")


def _rle(frame: np.ndarray, kind: Kind) -> bytes:
    words = np.ascontiguousarray(cells(frame, kind)).reshape(*frame.shape[:2], -1)
    planes = words.view("u1").reshape(*words.shape, -1)
    segments = [
        bytes(_encode_segment(np.ascontiguousarray(planes[:, :, sample, place]).tobytes(), frame.shape[1]))
        for sample in range(words.shape[2])
        for place in reversed(range(planes.shape[3]))
    ]
    offsets = [64 + sum(map(len, segments[:index])) for index in range(len(segments))]
    return struct.pack("<16L", len(segments), *offsets, *[0] * (15 - len(segments))) + b"".join(segments)


def _jpeg(frame: np.ndarray, kind: Kind, **how: object) -> bytes:
    if kind.bits > 8:
        return bytes(imagecodecs.jpeg8_encode(raw_samples(frame, kind), level=95, bitspersample=kind.bits))
    file = BytesIO()
    if kind.photometric == "RGB":
        how["keep_rgb"] = True
    Image.fromarray(raw_samples(frame, kind)).save(file, "JPEG", **({"quality": 90} | how))
    return file.getvalue()


def _lossless_jpeg(frame: np.ndarray, kind: Kind) -> bytes:
    predictor = 1 if kind.syntax == LOSSLESS else 6
    colours = "RGB" if kind.samples == 3 else None
    return bytes(
        imagecodecs.jpeg8_encode(
            raw_samples(frame, kind), lossless=True, predictor=predictor, bitspersample=kind.bits,
            colorspace=colours, outcolorspace=colours,
        )
    )  # fmt: skip


def _jpeg_ls(frame: np.ndarray, kind: Kind) -> bytes:
    error = 2 if kind.syntax == NEAR_LOSSLESS else 0
    samples = raw_samples(frame, kind)
    if kind.samples == 3 and kind.planar:
        samples = np.moveaxis(samples, -1, 0)
    interleave = 0 if kind.planar or kind.samples == 1 else 2
    rows, columns = frame.shape[:2]
    return bytes(
        jpeg_ls.encode_buffer(
            np.ascontiguousarray(samples).tobytes(), rows, columns, kind.samples, kind.bits, error, interleave
        )
    )


def _jpeg_2000(frame: np.ndarray, kind: Kind) -> bytes:
    samples = raw_samples(frame, kind)
    if kind.signed:
        samples = frame.astype("i1" if kind.bits <= 8 else "i2")
    lossy = {"compression_ratios": [6]} if kind.syntax == JPEG_2000_LOSSY else {}
    transformed = kind.photometric in {"YBR_RCT", "YBR_ICT"}
    return bytes(
        encode_array(
            np.ascontiguousarray(samples), bits_stored=kind.bits,
            photometric_interpretation=1 if kind.samples == 3 else 2, use_mct=transformed, **lossy,
        )
    )  # fmt: skip


def _high_throughput(frame: np.ndarray, kind: Kind) -> bytes:
    reversible = kind.syntax == HIGH_THROUGHPUT
    return bytes(
        imagecodecs.htj2k_encode(raw_samples(frame, kind), reversible=reversible, level=None if reversible else 0.01)
    )


ENCODERS: dict[str, Callable[[np.ndarray, Kind], bytes]] = {
    RLE: _rle,
    BASELINE: _jpeg,
    EXTENDED: _jpeg,
    LOSSLESS_57: _lossless_jpeg,
    LOSSLESS: _lossless_jpeg,
    JPEG_LS: _jpeg_ls,
    NEAR_LOSSLESS: _jpeg_ls,
    JPEG_2000: _jpeg_2000,
    JPEG_2000_LOSSY: _jpeg_2000,
    HIGH_THROUGHPUT: _high_throughput,
    HIGH_THROUGHPUT_LOSSY: _high_throughput,
}


def item(value: bytes) -> bytes:
    return struct.pack("<HHL", 0xFFFE, 0xE000, len(value)) + value


def encapsulated(streams: Sequence[bytes], kind: Kind) -> tuple[bytes, list[Leaf]]:
    """Return the value of the element with its delimitation, and the elements of an Extended Offset Table."""
    offsets, lengths, body = [], [], b""
    for stream in streams:
        padded = stream + b"\0" * (len(stream) % 2)
        size = max(2, -(-len(padded) // kind.fragments))
        size += size % 2
        offsets.append(len(body))
        lengths.append(len(padded))
        body += b"".join(item(padded[at : at + size]) for at in range(0, len(padded), size))
    table = struct.pack(f"<{len(offsets)}L", *offsets) if kind.offsets == "basic" else b""
    extended = []
    if kind.offsets == "extended":
        extended = [
            Leaf(tag, "OV", struct.pack(f"<{len(numbers)}Q", *numbers))
            for tag, numbers in ((0x7FE00001, offsets), (0x7FE00002, lengths))
        ]
    return item(table) + body + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0), extended


def raw_image(
    values: np.ndarray, kind: Kind, *, streams: Sequence[bytes] = (), noise: int = 0, sop_class: str = ULTRASOUND
) -> bytes:
    """Return a file with frames of sample values; ``streams`` are compressed frames to be used as they are."""
    order = "big" if kind.syntax == BIG else "little"
    frames, rows, columns = values.shape[:3]
    numbers = {
        0x00280002: kind.samples, 0x00280010: rows, 0x00280011: columns, 0x00280100: kind.allocated,
        0x00280101: kind.bits, 0x00280102: kind.high, 0x00280103: int(kind.signed),
    }  # fmt: skip
    if kind.samples == 3:
        numbers[0x00280006] = kind.planar
    leaves = [Leaf(tag, "US", value.to_bytes(2, order)) for tag, value in numbers.items()]  # type: ignore[arg-type]
    leaves += [Leaf(0x00280004, "CS", kind.photometric), Leaf(0x00280008, "IS", str(frames))]
    value = b""
    if kind.syntax in NATIVE:
        vr = kind.vr or ("OB" if kind.allocated <= 8 and kind.syntax != IMPLICIT else "OW")
        leaves.append(Leaf(PIXEL_DATA, vr, native(values, kind, noise)))
    else:
        streams = streams or [ENCODERS[kind.syntax](frame, kind) for frame in values]
        value, extended = encapsulated(streams, kind)
        leaves += extended
        value = struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF) + value
    replaced = {leaf.tag for leaf in kind.extra}
    leaves = [*(leaf for leaf in leaves if leaf.tag not in replaced), *kind.extra]
    instance = Instance(extra=tuple(leaves), without=frozenset({PIXEL_DATA}), sop_class=sop_class, syntax=kind.syntax)
    data = (
        write(instance.nodes(), BIG if kind.syntax == BIG else IMPLICIT if kind.syntax == IMPLICIT else EXPLICIT)
        + value
    )
    if kind.syntax == DEFLATED:
        import zlib

        deflater = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
        data = deflater.compress(data) + deflater.flush()
        data += b"\0" * (len(data) % 2)
    return part10(data, kind.syntax, sop_class)


def source_of(values: np.ndarray, kind: Kind, **how: object) -> SourceInstance:
    return parse(raw_image(values, kind, **how))  # type: ignore[arg-type]


def rebuilt(source: SourceInstance, masked: MaskedPixels) -> bytes:
    """Put masked pixels where the source's were, as the engine does, and return the file."""
    codec = source.file.codec
    chunks = {element.tag: bytes(source.file.buffer[element.start : element.stop]) for element in source.file.elements}
    for tag, encoded in masked.attributes.items():
        chunks.pop(tag, None)
        if encoded is not None:
            chunks[tag] = encoded
    chunks[PIXEL_DATA] = b"".join(masked.pieces)
    assert codec.explicit or source.transfer_syntax == IMPLICIT
    data = b"".join(chunks[tag] for tag in sorted(chunks))
    if masked.transfer_syntax == DEFLATED:
        import zlib

        deflater = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
        data = deflater.compress(data) + deflater.flush()
    return part10(data, masked.transfer_syntax, source.sop_class_uid, source.sop_uid)


def read(data: bytes) -> pydicom.FileDataset:
    return pydicom.dcmread(BytesIO(data))


MONO8 = Kind()
MONO16 = Kind(allocated=16)
MONO12 = Kind(allocated=16, stored=12)
SIGNED16 = Kind(allocated=16, signed=True)
SIGNED12 = Kind(allocated=16, stored=12, signed=True)
COLOUR = Kind(photometric="RGB", samples=3)


def with_syntax(kind: Kind, syntax: str, **changes: object) -> Kind:
    return replace(kind, syntax=syntax, **changes)  # type: ignore[arg-type]


KINDS = [
    *(with_syntax(kind, syntax) for syntax in NATIVE for kind in (MONO8, MONO16, MONO12, SIGNED16, SIGNED12, COLOUR)),
    *(with_syntax(MONO12, syntax, high_bit=15) for syntax in (EXPLICIT, BIG)),
    *(with_syntax(SIGNED12, syntax, high_bit=13) for syntax in (EXPLICIT, BIG)),
    *(with_syntax(Kind(allocated=32), syntax) for syntax in (IMPLICIT, EXPLICIT, BIG)),
    *(with_syntax(Kind(allocated=1), syntax) for syntax in (IMPLICIT, EXPLICIT, BIG)),
    *(with_syntax(Kind(allocated=1), BIG, vr=vr) for vr in ("OW",)),
    *(with_syntax(kind, BIG, vr="OW") for kind in (MONO8, COLOUR)),
    Kind(photometric="MONOCHROME1"), Kind(photometric="MONOCHROME1", allocated=16, stored=10),
    Kind(photometric="MONOCHROME1", allocated=16, signed=True), Kind(photometric="MONOCHROME1", allocated=1),
    *(with_syntax(COLOUR, syntax, planar=1) for syntax in (EXPLICIT, IMPLICIT, BIG, RLE)),
    Kind(photometric="RGB", samples=3, allocated=16), Kind(photometric="YBR_FULL", samples=3),
    Kind(photometric="YBR_FULL_422", samples=3), Kind(photometric="YBR_PARTIAL_422", samples=3),
    *(with_syntax(kind, RLE) for kind in (MONO8, MONO16, MONO12, SIGNED16, SIGNED12, COLOUR)),
    Kind(RLE, "YBR_FULL", samples=3),
    *(
        with_syntax(kind, syntax)
        for syntax in (LOSSLESS, LOSSLESS_57)
        for kind in (MONO8, MONO16, MONO12, SIGNED16, SIGNED12, COLOUR, Kind(photometric="MONOCHROME1"))
    ),
    Kind(LOSSLESS, "YBR_FULL", samples=3),
    *(with_syntax(kind, JPEG_LS) for kind in (MONO8, MONO16, MONO12, SIGNED16, SIGNED12, COLOUR)),
    with_syntax(COLOUR, JPEG_LS, planar=1),
    *(with_syntax(kind, JPEG_2000) for kind in (MONO8, MONO16, MONO12, SIGNED16, SIGNED12, COLOUR)),
    Kind(JPEG_2000, "YBR_RCT", samples=3),
    *(with_syntax(kind, HIGH_THROUGHPUT) for kind in (MONO8, MONO16)),
    Kind(HIGH_THROUGHPUT, "YBR_RCT", samples=3),
]  # fmt: skip
"""Kinds without loss."""

LOSSY_KINDS = [
    Kind(BASELINE), Kind(BASELINE, "MONOCHROME1"), Kind(BASELINE, "YBR_FULL_422", samples=3),
    Kind(BASELINE, "RGB", samples=3), Kind(EXTENDED), Kind(EXTENDED, allocated=16, stored=12),
    Kind(NEAR_LOSSLESS), Kind(NEAR_LOSSLESS, allocated=16, stored=12), Kind(NEAR_LOSSLESS, "RGB", samples=3),
    Kind(JPEG_2000_LOSSY), Kind(JPEG_2000_LOSSY, allocated=16, stored=12),
    Kind(JPEG_2000_LOSSY, "YBR_ICT", samples=3), Kind(HIGH_THROUGHPUT_LOSSY),
    Kind(HIGH_THROUGHPUT_LOSSY, "YBR_ICT", samples=3),
]  # fmt: skip

COMPRESSED_KINDS = [kind for kind in [*KINDS, *LOSSY_KINDS] if kind.syntax in ENCODERS]
