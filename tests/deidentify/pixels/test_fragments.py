import struct

import pytest
from tests.deidentify.builders import CT, Instance, Leaf, part10, write
from tests.deidentify.conftest import Run

JPEG = "1.2.840.10008.1.2.4.70"
JPEG_2000 = "1.2.840.10008.1.2.4.90"
TOKEN = b"FEATHERSTONE"


def _segment(code: int, payload: bytes) -> bytes:
    return bytes((0xFF, code)) + struct.pack(">H", len(payload) + 2) + payload


def _jpeg(*segments: bytes, tail: bytes = b"") -> bytes:
    return b"\xff\xd8" + b"".join(segments) + _segment(0xDA, b"\1\1\0\0\0\0") + b"scan" + b"\xff\xd9" + tail


def _jpeg_2000(*segments: bytes, tail: bytes = b"") -> bytes:
    return b"\xff\x4f" + _segment(0x51, bytes(38)) + b"".join(segments) + b"\xff\x90" + b"tiles" + b"\xff\xd9" + tail


def _raw(frames: list[bytes], syntax: str, count: int) -> bytes:
    value = struct.pack("<HHL", 0xFFFE, 0xE000, 0)
    for frame in frames:
        padded = frame + b"\0" * (len(frame) % 2)
        value += struct.pack("<HHL", 0xFFFE, 0xE000, len(padded)) + padded
    header = struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF)
    instance = Instance(extra=(Leaf(0x00280008, "IS", str(count)),), without=frozenset({0x7FE00010}))
    data = write(instance.nodes()) + header + value + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    return part10(data, syntax, CT)


@pytest.mark.parametrize("code", [0xFE, 0xE1, 0xE2, 0xED, 0xEF])
def test_jpeg_comment_and_application_data_are_blanked(code: int, run_research: Run) -> None:
    frame = _jpeg(_segment(0xE0, b"JFIF\0"), _segment(code, TOKEN), _segment(0xDB, b"table"))
    result = run_research(_raw([frame], JPEG, 1)).PixelData
    assert TOKEN not in result
    assert frame.replace(TOKEN, bytes(len(TOKEN))) in result


def test_jpeg_thumbnails_are_blanked_and_the_header_before_them_stays(run_research: Run) -> None:
    header = b"JFIF\0\1\2\0\0\1\0\1\2\2"
    frame = _jpeg(_segment(0xE0, header + TOKEN), _segment(0xE0, b"JFXX\0" + TOKEN), _segment(0xDB, b"table"))
    result = run_research(_raw([frame], JPEG, 1)).PixelData
    assert TOKEN not in result
    assert header in result


def test_jpeg_2000_comment_is_blanked(run_research: Run) -> None:
    frame = _jpeg_2000(_segment(0x64, b"\0\1" + TOKEN))
    result = run_research(_raw([frame], JPEG_2000, 1)).PixelData
    assert frame.replace(TOKEN, bytes(len(TOKEN))) in result


@pytest.mark.parametrize(("make", "syntax"), [(_jpeg, JPEG), (_jpeg_2000, JPEG_2000)])
def test_bytes_after_the_end_of_each_frame_are_blanked(make, syntax: str, run_research: Run) -> None:  # type: ignore[no-untyped-def]
    result = run_research(_raw([make(tail=TOKEN), make(tail=TOKEN)], syntax, 2)).PixelData
    assert TOKEN not in result
    assert result.count(make()) == 2


@pytest.mark.parametrize(("make", "syntax"), [(_jpeg, JPEG), (_jpeg_2000, JPEG_2000)])
def test_clean_frames_are_copied_bit_for_bit(make, syntax: str, run_research: Run) -> None:  # type: ignore[no-untyped-def]
    raw = _raw([make(), make()], syntax, 2)
    result = run_research(raw).PixelData
    assert result in raw


def test_frame_spread_over_fragments_is_not_cut(run_research: Run) -> None:
    first, second = _jpeg()[:10], _jpeg()[10:]
    raw = _raw([first, second], JPEG, 1)
    assert run_research(raw).PixelData in raw


RLE = "1.2.840.10008.1.2.5"
RLE_FRAME = struct.pack("<16L", 1, 64, *[0] * 14) + b"\x01ab"


@pytest.mark.parametrize(("frame", "syntax"), [(_jpeg(), JPEG), (_jpeg_2000(), JPEG_2000), (RLE_FRAME, RLE)])
def test_fragment_that_belongs_to_no_frame_is_blanked(frame: bytes, syntax: str, run_research: Run) -> None:
    result = run_research(_raw([frame, frame, TOKEN], syntax, 2)).PixelData
    assert TOKEN not in result
    assert result.count(frame) == 2


@pytest.mark.parametrize(
    "frame", [b"\xff\xd8", b"\xff\xd8\xff\xfe\xff\xff", b"\xff\xd8\xff\xfe\0\0", b"\xff\x4f\xff", b""]
)
def test_damaged_frames_do_not_stop_the_instance(frame: bytes, run_research: Run) -> None:
    run_research(_raw([frame], JPEG, 1))
