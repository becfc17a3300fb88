"""Regions of an ultrasound image that the device says hold image data (PS3.3 C.8.5.5, US Region Calibration).

They are there for measurements, not for privacy: information for who looks for text, and no proof of anything.
"""

from dataclasses import dataclass

from dicomanon.deidentify.header import Header
from dicomanon.deidentify.pixels.regions import Box

SEQUENCE_OF_ULTRASOUND_REGIONS = 0x00186011
_SPATIAL_FORMAT = 0x00186012
_DATA_TYPE = 0x00186014
_EDGES = (0x00186018, 0x0018601A, 0x0018601C, 0x0018601E)
"""Region Location Min X0, Min Y0, Max X1, Max Y1."""
_NEARLY_ALL = 0.95
"""Share of the image from which on a region says nothing."""


@dataclass(frozen=True, slots=True)
class UltrasoundRegion:
    """One plausible region.

    Attributes
    ----------
    box
        Where.
    spatial_format
        (0018,6012): 1 2D, 2 M-mode, 3 spectral, 4 waveform, 5 graphics; -1 if absent.
    data_type
        (0018,6014), such as 1 tissue, 2 colour flow, 0xA ECG; -1 if absent.
    """

    box: Box
    spatial_format: int
    data_type: int


def ultrasound_regions(source: Header, rows: int, columns: int) -> tuple[UltrasoundRegion, ...]:
    """Return the regions that a picture of this size can have.

    Left out are regions that are empty, inverted, not inside of the image, or cover nearly all of it.
    """
    sequence = source.element(SEQUENCE_OF_ULTRASOUND_REGIONS)
    regions = []
    for item in (sequence.items if sequence else None) or ():
        values = {
            element.tag: int.from_bytes(
                source.file.buffer[element.value : element.end], "little" if source.file.codec.little else "big"
            )
            for element in item
            if element.tag in {*_EDGES, _SPATIAL_FORMAT, _DATA_TYPE} and element.items is None
        }
        if not values.keys() >= set(_EDGES):
            continue
        left, top, last_column, last_row = (values[tag] for tag in _EDGES)
        # Max is the last pixel inside: the figure of C.8.5.5.1.4 has (639,479) for an image of 640 by 480.
        box = Box(left, top, last_column + 1, last_row + 1)
        if _is_plausible(box, rows, columns):
            regions.append(UltrasoundRegion(box, values.get(_SPATIAL_FORMAT, -1), values.get(_DATA_TYPE, -1)))
    return tuple(regions)


def _is_plausible(box: Box, rows: int, columns: int) -> bool:
    return (
        box.width > 1
        and box.height > 1
        and box.clipped(rows, columns) == box
        and box.width * box.height < _NEARLY_ALL * rows * columns
    )
