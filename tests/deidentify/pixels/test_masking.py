"""Inside of the boxes black, outside the same as before, for every kind of pixel data; and what is held instead."""

import struct
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.deidentify.builders import BIG, IMPLICIT, Instance, Leaf
from tests.deidentify.pixels.images import (
    BASELINE,
    COLOUR,
    ENCODERS,
    EXTENDED,
    HIGH_THROUGHPUT,
    HIGH_THROUGHPUT_LOSSY,
    JPEG_2000,
    JPEG_2000_LOSSY,
    JPEG_LS,
    KINDS,
    LOSSLESS,
    LOSSY_KINDS,
    MONO8,
    MONO12,
    MONO16,
    NATIVE,
    NEAR_LOSSLESS,
    RLE,
    SIGNED16,
    Kind,
    native,
    picture,
    read,
    rebuilt,
    source_of,
    with_syntax,
)

from dicomanon.deidentify import SourceInstance, parse
from dicomanon.deidentify.pixels import masking_streams
from dicomanon.deidentify.pixels.image import PixelImage
from dicomanon.deidentify.pixels.masking import MaskedPixels, mask
from dicomanon.deidentify.pixels.regions import Box, Region
from dicomanon.errors import Held
from dicomanon.reasons import HoldReason

BOX = Box(5, 3, 24, 12)
EVERYWHERE = Region(BOX)
LINE = 18
"""Pixels around a box in which a lossy frame may lose colour, see test_coefficients."""
PAIRS = {"YBR_FULL_422", "YBR_PARTIAL_422"}
BY_BLOCKS = {BASELINE, EXTENDED}


def image_of(source: SourceInstance) -> PixelImage:
    image = PixelImage.of(source)
    assert image is not None
    return image


def masked_image(source: SourceInstance, *regions: Region) -> tuple[PixelImage, MaskedPixels]:
    """Mask, and read the result again from its bytes."""
    masked = mask(image_of(source), regions)
    return image_of(parse(rebuilt(source, masked))), masked


def covered(image: PixelImage, regions: list[Region] | tuple[Region, ...], frame: int, margin: int = 0) -> np.ndarray:
    inside = np.zeros((image.rows, image.columns), bool)
    for region in regions:
        if region.holds_for(frame):
            box = region.box
            left, right = max(0, box.left - margin), max(0, box.right + margin)
            if left < right and image.photometric in PAIRS and not image.encapsulated:
                left, right = left // 2 * 2, -(-right // 2) * 2
            inside[max(0, box.top - margin) : max(0, box.bottom + margin), left:right] = True
    return inside


def assert_masked(before: PixelImage, after: PixelImage, regions: list[Region] | tuple[Region, ...]) -> None:
    """Check every frame: black inside, the same outside."""
    by_blocks = before.transfer_syntax in BY_BLOCKS and after.transfer_syntax == before.transfer_syntax
    for index in range(before.frames):
        old, new = before.frame(index), after.frame(index)
        inside = covered(before, regions, index)
        around = covered(before, regions, index, margin=LINE) if by_blocks else inside
        assert np.array_equal(new[~around], old[~around])
        if inside.any():
            assert is_black(new[inside], old[~inside], after)


def is_black(values: np.ndarray, outside: np.ndarray, image: PixelImage) -> bool:
    if image.samples == 3:
        return not values.any()
    if image.photometric == "MONOCHROME1":
        black = (outside.max() if outside.size else image.greatest) if image.signed else image.greatest
    else:
        black = (outside.min() if outside.size else image.least) if image.signed else 0
    return bool((values == black).all())


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("kind", [*KINDS, *LOSSY_KINDS], ids=lambda kind: kind.named)
def test_boxes_are_black_and_nothing_else_changes(kind: Kind, frames: int) -> None:
    source = source_of(picture(kind, frames), kind)
    regions = (EVERYWHERE, Region(Box(30, 20, 52, 23), frozenset({0})))
    after, masked = masked_image(source, *regions)
    assert_masked(image_of(source), after, regions)
    expected = {
        **dict.fromkeys((HIGH_THROUGHPUT, HIGH_THROUGHPUT_LOSSY), JPEG_2000),
        **({JPEG_2000_LOSSY: JPEG_2000} if kind.photometric == "YBR_ICT" else {}),
        **({EXTENDED: JPEG_LS} if kind.bits > 8 else {}),
    }
    assert masked.transfer_syntax == expected.get(kind.syntax, kind.syntax)


REENCODED = [kind for kind in [*KINDS, *LOSSY_KINDS] if kind.syntax not in NATIVE]


@pytest.mark.parametrize("kind", REENCODED, ids=lambda kind: kind.named)
def test_frames_without_a_box_are_copied(kind: Kind) -> None:
    source = source_of(picture(kind, 3), kind)
    before = image_of(source)
    after, masked = masked_image(source, Region(BOX, frozenset({1})))
    if masked.transfer_syntax == kind.syntax:
        same = [after.stream(index) == without_comment(before.stream(index)) for index in range(3)]
        assert same == [True, False, True]


def without_comment(stream: bytes) -> bytes:
    """Return a JPEG 2000 frame with the comment that its encoder writes blanked, as text beside the pixels is."""
    at = stream.find(b"\xff\x64")
    if at < 0 or not stream.startswith(b"\xff\x4f"):
        return stream
    end = at + 2 + int.from_bytes(stream[at + 2 : at + 4], "big")
    return stream[: at + 6] + bytes(end - at - 6) + stream[end:]


def boxes(rows: int, columns: int) -> st.SearchStrategy[Box]:
    def box(draw: st.DrawFn) -> Box:
        left, top = draw(st.integers(-3, columns - 1)), draw(st.integers(-3, rows - 1))
        return Box(left, top, draw(st.integers(left, columns + 3)), draw(st.integers(top, rows + 3)))

    return st.composite(box)()


@st.composite
def masks(draw: st.DrawFn) -> tuple[Kind, int, int, int, list[Region]]:
    kind = draw(st.sampled_from([*KINDS, *LOSSY_KINDS]))
    rows, columns, frames = draw(st.integers(1, 40)), draw(st.integers(1, 40)), draw(st.integers(1, 3))
    if kind.photometric in PAIRS and kind.syntax in NATIVE:
        columns += columns % 2
    some = st.none() | st.frozensets(st.integers(0, 3), max_size=3)
    regions = draw(st.lists(st.builds(Region, boxes(rows, columns), some), min_size=1, max_size=4))
    return kind, rows, columns, frames, regions


@given(masks())
@settings(max_examples=250, deadline=None)
def test_any_boxes_are_black_and_nothing_else_changes(case: tuple[Kind, int, int, int, list[Region]]) -> None:
    kind, rows, columns, frames, regions = case
    if kind.syntax in ENCODERS:
        rows, columns = rows + 31, columns + 31  # the encoders of the tests refuse smaller ones
    source = source_of(picture(kind, frames, rows, columns), kind)
    before = image_of(source)
    visible = [
        region
        for region in regions
        if region.box.clipped(rows, columns) and (region.frames is None or any(at < frames for at in region.frames))
    ]
    if not visible:
        with pytest.raises(Held) as held:
            mask(before, regions)
        assert held.value.reason is HoldReason.RULE_FAILED
        return
    after, _ = masked_image(source, *regions)
    assert_masked(before, after, regions)


# Byte for byte.


@pytest.mark.parametrize("noise", [0xFFFFFFFF, 0xA5A5A5A5])
@pytest.mark.parametrize(
    "kind",
    [
        MONO12, replace(MONO12, high_bit=15), replace(MONO12, high_bit=13, syntax=BIG), Kind(stored=6, high_bit=6),
        Kind(allocated=16, stored=12, signed=True), Kind(allocated=32, stored=20, syntax=IMPLICIT),
    ],
    ids=lambda kind: kind.named,
)  # fmt: skip
def test_unused_bits_stay_outside_and_go_inside(kind: Kind, noise: int) -> None:
    values = picture(kind, 2)
    source = source_of(values, kind, noise=noise)
    masked = mask(image_of(source), [Region(BOX, frozenset({1}))])
    inside = np.zeros(values.shape, bool)
    inside[1, BOX.top : BOX.bottom, BOX.left : BOX.right] = True
    before = np.frombuffer(native(values, kind, noise), f"{'>' if kind.syntax == BIG else '<'}u{kind.allocated // 8}")
    after = np.frombuffer(value_of(source, masked), before.dtype).reshape(values.shape)
    before = before.reshape(values.shape)
    assert np.array_equal(after[~inside], before[~inside])
    used = ((1 << kind.bits) - 1) << (kind.high + 1 - kind.bits)
    above = ((1 << kind.allocated) - 1) & ~((1 << (kind.high + 1)) - 1)
    left = {int(cell) & ~used for cell in after[inside]}
    assert left == ({above} if kind.signed else {0})


def value_of(source: SourceInstance, masked: MaskedPixels) -> bytes:
    return bytes(read(rebuilt(source, masked)).PixelData)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.syntax in NATIVE], ids=lambda kind: kind.named)
def test_native_frames_without_a_box_are_the_same_bytes(kind: Kind) -> None:
    values = picture(kind, 3, 40, 51 + (kind.photometric in PAIRS))
    source = source_of(values, kind)
    before = native(values, kind)
    after = value_of(source, mask(image_of(source), [Region(BOX, frozenset({1}))]))
    assert len(after) == len(before) + len(before) % 2
    third = len(values[0].ravel()) * kind.allocated // 8
    if kind.photometric in PAIRS:
        third = third * 2 // 3
    assert after[: third - 2] == before[: third - 2]
    assert after[2 * third + 2 : len(before)] == before[2 * third + 2 :]
    assert after[third : 2 * third] != before[third : 2 * third]


def test_untouched_native_frames_are_views_of_the_source() -> None:
    source = source_of(picture(MONO16, 5), MONO16)
    pieces = mask(image_of(source), [Region(BOX, frozenset({2}))]).pieces
    shared = [piece for piece in pieces if isinstance(piece, memoryview) and piece.obj is source.file.buffer.obj]
    assert sum(map(len, shared)) == 4 * 40 * 52 * 2


def test_bytes_behind_the_last_pixel_go() -> None:
    values = picture(MONO8, 1, 40, 52)
    trailing = Leaf(0x7FE00010, "OB", native(values, MONO8) + b"FEATHERSTONE")
    source = source_of(values, replace(MONO8, extra=(trailing,)))
    assert b"FEATHERSTONE" not in b"".join(mask(image_of(source), [EVERYWHERE]).pieces)


def test_an_overlay_in_unused_bits_goes_everywhere() -> None:
    overlay = (Leaf(0x60000100, "US", b"\x10\0"), Leaf(0x60000102, "US", b"\x0f\0"))
    kind = replace(MONO12, extra=overlay)
    values = picture(kind)
    source = source_of(values, kind, noise=0x8000)
    cells = np.frombuffer(value_of(source, mask(image_of(source), [EVERYWHERE])), "<u2")
    assert cells.max() < 1 << 12


def test_held_when_an_overlay_is_in_compressed_pixels() -> None:
    overlay = (Leaf(0x60000100, "US", b"\x10\0"), Leaf(0x60000102, "US", b"\x0f\0"))
    source = source_of(picture(MONO12), with_syntax(MONO12, JPEG_2000, extra=overlay))
    with pytest.raises(Held) as held:
        mask(image_of(source), [EVERYWHERE])
    assert held.value.reason is HoldReason.BURNED_IN_RISK


# Comments and thumbnails.


def _segment(code: int, payload: bytes) -> bytes:
    return bytes((0xFF, code)) + struct.pack(">H", len(payload) + 2) + payload


@pytest.mark.parametrize("syntax", [BASELINE, LOSSLESS, JPEG_LS, JPEG_2000])
def test_comments_of_all_frames_go(syntax: str) -> None:
    kind = with_syntax(MONO8, syntax)
    values = picture(kind, 2)
    streams = []
    for frame in values:
        stream = ENCODERS[syntax](frame, kind)
        at = 2 if syntax != JPEG_2000 else stream.index(b"\xff\x52")
        comment = _segment(0x64, b"\0\1FEATHERSTONE") if syntax == JPEG_2000 else _segment(0xFE, b"FEATHERSTONE")
        streams.append(stream[:at] + comment + stream[at:])
    source = source_of(values, kind, streams=streams)
    regions = (Region(BOX, frozenset({1})),)
    after, masked = masked_image(source, *regions)
    assert b"FEATHERSTONE" not in b"".join(masked.pieces)
    assert_masked(image_of(source), after, regions)


def test_thumbnails_of_lossy_frames_go() -> None:
    kind = Kind(BASELINE)
    stream = ENCODERS[BASELINE](picture(kind)[0], kind)
    jfif = stream[2:20]
    thumbnail = _segment(0xE0, jfif[4:16] + b"\1\1" + b"TXT")
    extension = _segment(0xE0, b"JFXX\0\x13" + b"THUMBNAIL")
    source = source_of(picture(kind), kind, streams=[stream[:2] + thumbnail + extension + stream[20:]])
    made = b"".join(mask(image_of(source), [EVERYWHERE]).pieces)
    assert b"TXT" not in made
    assert b"THUMBNAIL" not in made
    assert jfif in made


# Offset tables.


@pytest.mark.parametrize("offsets", ["none", "basic", "extended"])
@pytest.mark.parametrize("syntax", [RLE, LOSSLESS, JPEG_2000, BASELINE])
def test_offset_tables_are_right_again(syntax: str, offsets: str) -> None:
    kind = with_syntax(MONO8, syntax, offsets=offsets)
    source = source_of(picture(kind, 4), kind)
    after, masked = masked_image(source, Region(BOX, frozenset({0, 2})))
    value = value_of(source, masked)
    (length,) = struct.unpack_from("<L", value, 4)
    offsets_found = struct.unpack_from(f"<{length // 4}L", value, 8)
    expected, at = [], 0
    for index in range(4):
        expected.append(at)
        size = len(after.stream(index))
        at += 8 + size + size % 2
    assert list(offsets_found) == ([] if offsets == "none" else expected)
    gone = {tag for tag, encoded in masked.attributes.items() if encoded is None}
    assert gone == ({0x7FE00001, 0x7FE00002} if offsets == "extended" else set())


# What the header says.


def attributes(kind: Kind, *extra: Leaf, syntax: str = "") -> dict[str, object]:
    kind = replace(kind, extra=extra)
    source = source_of(picture(kind, 2), kind)
    masked = mask(image_of(source), [EVERYWHERE])
    dataset = read(rebuilt(source, masked))
    assert not syntax or masked.transfer_syntax == syntax
    return {
        element.keyword: element.value
        for element in dataset
        if element.tag in masked.attributes or element.tag.group == 0x0028
    }


def test_smallest_and_largest_values_go() -> None:
    stale = [Leaf(tag, "US", b"\1\0") for tag in (0x00280106, 0x00280107, 0x00280108, 0x00280109)]
    for kind in (MONO16, with_syntax(MONO16, RLE)):
        assert not {name for name in attributes(kind, *stale) if "PixelValue" in name}


LOSSY = (
    Leaf(0x00282110, "CS", "01"), Leaf(0x00282112, "DS", "7.5"), Leaf(0x00282114, "CS", "ISO_10918_1"),
)  # fmt: skip


@pytest.mark.parametrize("kind", LOSSY_KINDS, ids=lambda kind: kind.named)
def test_what_was_lossy_once_says_so(kind: Kind) -> None:
    found = attributes(kind, *LOSSY)
    assert found["LossyImageCompression"] == "01"
    assert found["LossyImageCompressionRatio"] == 7.5
    assert found["LossyImageCompressionMethod"] == "ISO_10918_1"


@pytest.mark.parametrize(
    ("kind", "method"),
    [
        (Kind(EXTENDED, allocated=16, stored=12), "ISO_10918_1"),
        (Kind(JPEG_2000_LOSSY, "YBR_ICT", samples=3), "ISO_15444_1"),
        (Kind(HIGH_THROUGHPUT_LOSSY), "ISO_15444_15"),
    ],
    ids=str,
)  # fmt: skip
def test_a_lossy_frame_that_did_not_say_so_says_so_in_a_lossless_syntax(kind: Kind, method: str) -> None:
    found = attributes(kind)
    assert found["LossyImageCompression"] == "01"
    assert found["LossyImageCompressionMethod"] == method
    assert 1 < float(found["LossyImageCompressionRatio"]) < 100  # type: ignore[arg-type]


@pytest.mark.parametrize("syntax", [RLE, LOSSLESS, JPEG_LS, JPEG_2000, HIGH_THROUGHPUT, *NATIVE])
def test_what_never_was_lossy_does_not_say_so(syntax: str) -> None:
    assert "LossyImageCompression" not in attributes(with_syntax(MONO8, syntax))


def test_photometric_interpretation_follows_the_syntax() -> None:
    assert attributes(Kind(JPEG_2000_LOSSY, "YBR_ICT", samples=3))["PhotometricInterpretation"] == "YBR_RCT"
    assert attributes(Kind(HIGH_THROUGHPUT, "YBR_RCT", samples=3))["PhotometricInterpretation"] == "YBR_RCT"
    assert attributes(Kind(BASELINE, "YBR_FULL_422", samples=3))["PhotometricInterpretation"] == "YBR_FULL_422"


# Lossy JPEG without the library that changes blocks.


@pytest.fixture
def without_libjpeg_turbo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(masking_streams.coefficients, "available", lambda: False)
    yield


@pytest.mark.usefixtures("without_libjpeg_turbo")
@pytest.mark.parametrize(
    "kind", [kind for kind in LOSSY_KINDS if kind.syntax in BY_BLOCKS], ids=lambda kind: kind.named
)
def test_lossy_jpeg_is_stored_without_loss_where_blocks_cannot_be_changed(kind: Kind) -> None:
    kind = replace(kind, planar=kind.samples // 3)
    source = source_of(picture(kind, 2), kind)
    regions = (Region(BOX, frozenset({1})),)
    after, masked = masked_image(source, *regions)
    assert masked.transfer_syntax == JPEG_LS
    assert_masked(image_of(source), after, regions)
    dataset = read(rebuilt(source, masked))
    assert dataset.LossyImageCompression == "01"
    assert dataset.PhotometricInterpretation == ("RGB" if kind.samples == 3 else kind.photometric)
    assert dataset.get("PlanarConfiguration", 0) == 0


# Frames that no encoder takes.


@pytest.mark.parametrize(
    "kind",
    [with_syntax(MONO12, JPEG_LS), with_syntax(COLOUR, JPEG_LS), Kind(JPEG_LS, allocated=16, stored=12, signed=True)],
    ids=lambda kind: kind.named,
)
def test_frames_that_no_encoder_takes_are_stored_uncompressed(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> bytes:
        raise masking_streams.Unencodable

    source = source_of(picture(kind, 2), kind)
    monkeypatch.setattr(masking_streams, "encode", refuse)
    regions = (Region(BOX, frozenset({1})),)
    after, masked = masked_image(source, *regions)
    assert masked.transfer_syntax == "1.2.840.10008.1.2.1"
    assert_masked(image_of(source), after, regions)


def test_noise_that_grows_when_compressed_is_masked() -> None:
    kind = with_syntax(MONO12, LOSSLESS)
    noise = np.random.default_rng(0).integers(0, 1 << 12, (1, 9, 11))
    source = source_of(noise, kind)
    after, _ = masked_image(source, Region(Box(0, 0, 2, 2)))
    assert_masked(image_of(source), after, [Region(Box(0, 0, 2, 2))])


# What is held.


def held(source: SourceInstance, *regions: Region) -> HoldReason:
    with pytest.raises(Held) as caught:
        mask(image_of(source), regions)
    return caught.value.reason


def test_held_when_no_region_lies_in_the_image() -> None:
    source = source_of(picture(MONO8), MONO8)
    assert held(source) is HoldReason.RULE_FAILED
    assert held(source, Region(Box(60, 0, 70, 9))) is HoldReason.RULE_FAILED
    assert held(source, Region(BOX, frozenset({1}))) is HoldReason.RULE_FAILED


def test_held_when_the_text_is_in_floating_point_pixels() -> None:
    extra = (Leaf(0x7FE00008, "OF", bytes(64)), Leaf(0x00280100, "US", b"\x20\0"))
    source = parse(Instance(extra=extra, without=frozenset({0x7FE00010})).raw())
    assert held(source, Region(Box(0, 0, 1, 1))) is HoldReason.BURNED_IN_RISK


@pytest.mark.parametrize("kind", REENCODED, ids=lambda kind: kind.named)
def test_held_when_a_frame_to_be_masked_is_damaged(kind: Kind) -> None:
    values = picture(kind)
    stream = ENCODERS[kind.syntax](values[0], kind)
    source = source_of(values, kind, streams=[stream[: len(stream) // 2]])
    assert held(source, EVERYWHERE) is HoldReason.UNDECODABLE


@pytest.mark.parametrize(
    "kind", [MONO16, Kind(allocated=1), Kind(photometric="YBR_FULL_422", samples=3)], ids=lambda kind: kind.named
)
def test_held_when_there_are_fewer_bytes_than_pixels(kind: Kind) -> None:
    short = Leaf(0x7FE00010, "OW", native(picture(kind), kind)[:-2])
    assert held(source_of(picture(kind), replace(kind, extra=(short,))), EVERYWHERE) is HoldReason.UNDECODABLE


@pytest.mark.parametrize(
    "kind",
    [
        with_syntax(MONO8, RLE),
        with_syntax(MONO12, LOSSLESS),
        with_syntax(MONO8, JPEG_LS),
        with_syntax(SIGNED16, JPEG_2000),
        Kind(NEAR_LOSSLESS),
    ],
    ids=lambda kind: kind.named,
)
def test_held_when_the_encoder_errs(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    source = source_of(picture(kind), kind)
    right = masking_streams.encode

    def wrong(frame, syntax, **how):  # type: ignore[no-untyped-def]
        samples = frame.samples.copy()
        samples[0, 0] ^= 1
        return right(replace(frame, samples=samples), syntax, **how)

    monkeypatch.setattr(masking_streams, "encode", wrong)
    assert held(source, EVERYWHERE) is HoldReason.RULE_FAILED
