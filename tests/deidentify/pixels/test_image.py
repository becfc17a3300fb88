"""A frame is what the standard says its bytes mean, whichever way it is encoded, or nothing."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from tests.deidentify.builders import BIG, Instance, Leaf
from tests.deidentify.pixels.images import (
    BASELINE,
    COLOUR,
    COMPRESSED_KINDS,
    ENCODERS,
    JPEG_2000,
    JPEG_LS,
    KINDS,
    LOSSLESS,
    LOSSY_KINDS,
    MONO12,
    MONO16,
    RLE,
    Kind,
    picture,
    source_of,
    with_syntax,
)

from dicomanon.deidentify import parse
from dicomanon.deidentify.pixels.colour import rgb
from dicomanon.deidentify.pixels.image import PixelImage
from dicomanon.errors import Held
from dicomanon.reasons import HoldReason


def image_of(values: np.ndarray, kind: Kind, **how: object) -> PixelImage:
    image = PixelImage.of(source_of(values, kind, **how))
    assert image is not None
    return image


def shown(frame: np.ndarray, kind: Kind) -> np.ndarray:
    """What is seen of a frame of sample values."""
    if kind.samples == 1:
        return frame
    photometric = "RGB" if kind.photometric in {"YBR_RCT", "YBR_ICT"} else kind.photometric
    if photometric.endswith("422"):
        frame = frame.copy()
        frame[:, 1::2, 1:] = frame[:, ::2, 1:]
    return rgb(frame, photometric, kind.bits)


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.named)
def test_every_frame_is_decoded_to_its_values(kind: Kind, frames: int) -> None:
    values = picture(kind, frames)
    image = image_of(values, kind)
    for index in range(frames):
        decoded = image.frame(index)
        assert decoded.dtype.isnative
        assert np.array_equal(decoded, shown(values[index], kind))


@pytest.mark.parametrize("kind", LOSSY_KINDS, ids=lambda kind: kind.named)
def test_lossy_frames_are_decoded_nearly_to_their_values(kind: Kind) -> None:
    values = picture(kind, 2)
    if kind.samples == 3:
        # Encoders take RGB, and make of it what the header says.
        kind = replace(kind, photometric="RGB")
    image = image_of(values, kind)
    error = np.abs(image.frame(1).astype(int) - shown(values[1], kind))
    smooth = np.r_[0:10, 24:40]
    assert error[smooth].mean() < 0.02 * (1 << min(kind.bits, 16))


@pytest.mark.parametrize("noise", [0xFFFFFFFF, 0x5555_5555])
@pytest.mark.parametrize(
    "kind", [MONO12, replace(MONO12, high_bit=15), Kind(allocated=16, stored=9, signed=True, high_bit=12, syntax=BIG)],
    ids=lambda kind: kind.named,
)  # fmt: skip
def test_unused_bits_are_not_part_of_a_value(kind: Kind, noise: int) -> None:
    values = picture(kind)
    assert np.array_equal(image_of(values, kind, noise=noise).frame(0), values[0])


@pytest.mark.parametrize("kind", [MONO16, Kind()], ids=lambda kind: kind.named)
def test_native_frames_are_views(kind: Kind) -> None:
    image = image_of(picture(kind, 2), kind)
    source = np.frombuffer(image.source.file.buffer, np.uint8)
    frame = image.frame(1)
    assert np.shares_memory(frame, source)
    assert not frame.flags.writeable


def test_a_long_cine_is_decoded_one_frame_at_a_time() -> None:
    kind = with_syntax(MONO16, RLE)
    one = picture(kind, 1, 256, 256)
    image = image_of(np.repeat(one, 40, axis=0), kind, streams=[ENCODERS[RLE](one[0], kind)] * 40)
    image.frame(0)
    tracemalloc.start()
    for index in range(40):
        image.frame(index)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 256 * 256 * 2


@pytest.mark.parametrize("offsets", ["none", "basic", "extended"])
@pytest.mark.parametrize("syntax", [LOSSLESS, JPEG_2000, JPEG_LS])
def test_frames_in_several_fragments_are_found(syntax: str, offsets: str) -> None:
    kind = with_syntax(MONO12, syntax, fragments=3, offsets=offsets)
    values = picture(kind, 3)
    image = image_of(values, kind)
    assert all(np.array_equal(image.frame(index), values[index]) for index in range(3))


def test_held_when_nothing_tells_which_fragments_make_a_frame() -> None:
    kind = with_syntax(MONO12, RLE, fragments=3, offsets="none")
    _held(image_of(picture(kind, 3), kind), 0)


@pytest.mark.parametrize("frames", [1, 4])
def test_held_when_a_frame_is_missing(frames: int) -> None:
    for kind in (MONO16, with_syntax(MONO16, RLE), Kind(allocated=1)):
        values = picture(kind, frames)
        more = Leaf(0x00280008, "IS", str(frames + 1))
        image = PixelImage.of(source_of(values, replace(kind, extra=(more,))))
        assert image is not None
        with pytest.raises(Held) as held:
            image.frame(frames)
        assert held.value.reason is HoldReason.UNDECODABLE


def _held(image: PixelImage, index: int = 0) -> None:
    with pytest.raises(Held) as held:
        image.frame(index)
    assert held.value.reason is HoldReason.UNDECODABLE


@pytest.mark.parametrize("index", [-1, 2])
def test_held_when_there_is_no_such_frame(index: int) -> None:
    _held(image_of(picture(MONO16, 2), MONO16), index)


@pytest.mark.parametrize("kind", COMPRESSED_KINDS, ids=lambda kind: kind.named)
def test_held_when_a_compressed_frame_is_cut_short(kind: Kind) -> None:
    values = picture(kind)
    stream = ENCODERS[kind.syntax](values[0], kind)
    for length in (0, 3, 40, len(stream) // 2, len(stream) - 4):
        _held(image_of(values, kind, streams=[stream[:length]]))


@pytest.mark.parametrize("kind", COMPRESSED_KINDS, ids=lambda kind: kind.named)
def test_held_when_a_compressed_frame_is_cut_short_and_closed(kind: Kind) -> None:
    values = picture(kind)
    stream = ENCODERS[kind.syntax](values[0], kind)
    if kind.syntax == RLE:
        return
    for length in (len(stream) // 2, len(stream) * 3 // 4):
        _held(image_of(values, kind, streams=[stream[:length] + b"\xff\xd9"]))


@pytest.mark.parametrize("kind", COMPRESSED_KINDS, ids=lambda kind: kind.named)
def test_held_when_a_compressed_frame_has_another_size(kind: Kind) -> None:
    stream = ENCODERS[kind.syntax](picture(kind, 1, 40, 52)[0], kind)
    _held(image_of(picture(kind, 1, 40, 50), kind, streams=[stream]))


@pytest.mark.parametrize("kind", COMPRESSED_KINDS, ids=lambda kind: kind.named)
def test_damaged_frames_are_decoded_to_their_size_or_held(kind: Kind) -> None:
    values = picture(kind)
    stream = ENCODERS[kind.syntax](values[0], kind)
    random = np.random.default_rng(1)
    for _ in range(8):
        damaged = bytearray(stream)
        at = int(random.integers(0, len(stream) - 4))
        damaged[at : at + 4] = random.bytes(4)
        try:
            frame = image_of(values, kind, streams=[bytes(damaged)]).frame(0)
        except Held as held:
            assert held.reason is HoldReason.UNDECODABLE
        else:
            assert frame.shape == values[0].shape


def test_held_before_room_is_made_for_an_absurd_size() -> None:
    kind = with_syntax(MONO16, JPEG_2000)
    stream = bytearray(ENCODERS[JPEG_2000](picture(kind)[0], kind))
    stream[8:16] = b"\0\1\0\0\0\1\0\0"
    tracemalloc.start()
    _held(image_of(picture(kind), kind, streams=[bytes(stream)]))
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


@pytest.mark.parametrize(
    "changed",
    [
        {0x00280010: 65535, 0x00280011: 65535, 0x00280002: 3},
        {0x00280010: 0}, {0x00280011: 0}, {0x00280100: 12}, {0x00280101: 17}, {0x00280102: 3}, {0x00280101: 0},
        {0x00280002: 4}, {0x00280002: 2}, {0x00280002: 3},
    ],
    ids=str,
)  # fmt: skip
def test_held_when_the_description_contradicts_itself(changed: dict[int, int]) -> None:
    extra = tuple(Leaf(tag, "US", value.to_bytes(2, "little")) for tag, value in changed.items())
    with pytest.raises(Held) as held:
        PixelImage.of(parse(Instance(extra=extra).raw()))
    assert held.value.reason is HoldReason.UNDECODABLE


@pytest.mark.parametrize("photometric", ["", "HSV", "RGB", "YBR_RCT", "XYB"])
def test_held_when_the_photometric_interpretation_is_of_no_use(photometric: str) -> None:
    with pytest.raises(Held):
        PixelImage.of(parse(Instance(extra=(Leaf(0x00280004, "CS", photometric),)).raw()))


@pytest.mark.parametrize("frames", ["0", "-1", "two", "1\\2"])
def test_held_when_the_number_of_frames_is_none(frames: str) -> None:
    with pytest.raises(Held):
        PixelImage.of(parse(Instance(extra=(Leaf(0x00280008, "IS", frames),)).raw()))


@pytest.mark.parametrize("number", [100, 102, 104, 107])
def test_video_and_what_no_codec_knows_is_held(number: int) -> None:
    kind = Kind(f"1.2.840.10008.1.2.4.{number}", "YBR_FULL_422", samples=3)
    _held(image_of(picture(COLOUR), kind, streams=[b"\0\0\1\xba" + bytes(100)]))


def test_native_pixels_in_a_compressed_syntax_are_held() -> None:
    with pytest.raises(Held):
        PixelImage.of(parse(Instance(syntax=BASELINE).raw()))


def test_an_object_without_pixel_data_has_no_image() -> None:
    assert PixelImage.of(parse(Instance(pixels=None).raw())) is None


@pytest.mark.parametrize(("tag", "vr", "kind"), [(0x7FE00008, "OF", "<f4"), (0x7FE00009, "OD", "<f8")])
def test_floating_point_pixels_are_seen(tag: int, vr: str, kind: str) -> None:
    values = np.linspace(-1, 1, 16).reshape(4, 4).astype(kind)
    extra = (Leaf(tag, vr, values.tobytes()), Leaf(0x00280100, "US", (values.itemsize * 8).to_bytes(2, "little")))
    image = PixelImage.of(parse(Instance(extra=extra, without=frozenset({0x7FE00010})).raw()))
    assert image is not None
    assert image.floating
    assert np.array_equal(image.frame(0), values)


def test_nothing_of_an_image_is_printed_but_its_size() -> None:
    assert repr(image_of(picture(MONO16, 2), MONO16)) == "PixelImage(2 x 40 x 52 x 1)"


def test_a_lossy_frame_without_markers_is_what_the_header_says() -> None:
    frame = picture(COLOUR)[0]
    kind = Kind(BASELINE, "RGB", samples=3)
    stream = ENCODERS[BASELINE](frame, kind)
    marked = stream.index(b"\xff\xee")
    bare = stream[:marked] + stream[marked + 16 :]
    for name in (b"R\x11", b"G\x11", b"B\x11"):
        bare = bare.replace(name, bytes((b"RGB".index(name[0]) + 1,)) + name[1:], 1)
    at = bare.index(b"\xff\xda")
    bare = bare[: at + 5] + b"\1\0\2\0\3\0" + bare[at + 11 :]
    direct = image_of(frame[None], kind, streams=[bare]).frame(0)
    turned = image_of(frame[None], replace(kind, photometric="YBR_FULL"), streams=[bare]).frame(0)
    assert np.abs(direct.astype(int) - frame)[:12].mean() < 3
    assert np.abs(turned.astype(int) - frame)[:12].mean() > 20
