"""Every test object: small valid Part 10 files of all classes, encodings and character sets, with planted identifiers.

``all_objects()`` gives name to bytes; ``PLANTED`` is what no output may hold; ``find_planted(data)`` looks for it in
every character set.
"""

from functools import cache

from tests.objects.charsets import charset_objects
from tests.objects.drawn import drawn_objects
from tests.objects.encodings import encoding_objects
from tests.objects.every_iod import every_iod_objects
from tests.objects.planting import PLANTED, find_planted
from tests.objects.shipped import pydicom_objects, sample_objects
from tests.objects.written_by_highdicom import highdicom_objects

__all__ = ["PLANTED", "all_objects", "find_planted"]


@cache
def all_objects() -> dict[str, bytes]:
    """Return every object by name, ``source/what``."""
    sources = (
        pydicom_objects(), sample_objects(), charset_objects(), encoding_objects(), drawn_objects(),
        highdicom_objects(), every_iod_objects(),
    )  # fmt: skip
    return {name: data for source in sources for name, data in source}
