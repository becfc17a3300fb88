from dataclasses import replace

import numpy as np
import pytest
from tests.deidentify.pixels.images import COLOUR, JPEG_2000, JPEG_LS, LOSSLESS, RLE, picture
from tests.deidentify.pixels.test_run_length import of

from dicomanon.deidentify.pixels.decoding import Decoded, decode
from dicomanon.deidentify.pixels.lossless import Unencodable, encode
from dicomanon.deidentify.pixels.streams import header_of


@pytest.mark.parametrize(("photometric", "colours"), [("RGB", "RGB"), ("YBR_FULL", "")])
def test_a_frame_claims_no_colours_that_it_has_not(photometric: str, colours: str) -> None:
    stream = encode(Decoded(picture(COLOUR)[0].astype(np.uint8), 8, photometric), LOSSLESS)
    assert header_of(stream).colours == colours


def test_what_an_encoder_refuses_is_told_without_a_value() -> None:
    noise = np.random.default_rng(0).integers(0, 1 << 12, (3, 3)).astype(np.uint16)
    with pytest.raises(Unencodable) as refused:
        encode(Decoded(noise, 12, "MONOCHROME2"), JPEG_LS)
    assert str(refused.value).isidentifier()


def test_an_unknown_syntax_has_no_encoder() -> None:
    with pytest.raises(Unencodable):
        encode(Decoded(np.zeros((3, 3), np.uint8), 8, "MONOCHROME2"), "1.2.840.10008.1.2.4.201")


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (2, 3)])
@pytest.mark.parametrize("colours", [False, True])
@pytest.mark.parametrize("syntax", [RLE, LOSSLESS, JPEG_2000])
def test_frames_of_any_shape_are_encoded(syntax: str, shape: tuple[int, int], colours: bool) -> None:
    samples = np.arange(shape[0] * shape[1] * (3 if colours else 1), dtype=np.uint8)
    frame = Decoded(samples.reshape(*shape, 3) if colours else samples.reshape(shape), 8, "RGB" if colours else "")
    described = replace(
        of(frame.samples), transfer_syntax=syntax, photometric="RGB" if colours else "MONOCHROME2", planar=0
    )
    assert np.array_equal(decode(encode(frame, syntax), described).samples, frame.samples)
