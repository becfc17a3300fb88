"""Derives facts from some elements of an object, once for all objects in which these have the same bytes.

Most of what a header says is the same in all objects of a series. A fact is derived from a copy of the elements alone:
so it cannot depend on anything that it is not found by.
"""

from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from typing import Generic, TypeVar

from dicomanon.deidentify.codec import codec_of
from dicomanon.deidentify.header import SOP_CLASS_UID, SPECIFIC_CHARACTER_SET, Header
from dicomanon.deidentify.reader import Element, Part10, read_data_set

LONGEST = 1 << 14
"""Bytes of an excerpt that is worth remembering; beyond are reports and groups of frames, which no series repeats."""
_MOST = 64
"""Excerpts of one kind that are remembered at once."""

_T = TypeVar("_T")


class OncePerSeries(Generic[_T]):
    """A function of some elements of an object that remembers what it returned.

    Parameters
    ----------
    derive
        The function; what it returns must hold no view of a buffer.
    choose
        Which elements it may look at, in the order of the object; with Specific Character Set and SOP class.
    """

    def __init__(self, derive: Callable[[Header], _T], choose: Callable[[Header], Iterable[Element]]) -> None:
        self.__doc__ = derive.__doc__
        self.derive = derive
        self._choose = choose
        self._remembered = lru_cache(maxsize=_MOST)(self._from_excerpt)

    def __call__(self, source: Header) -> _T:
        """Return what the function does for an object."""
        buffer, pieces, length = source.file.buffer, [], 0
        for _, _, start, _, _, stop, _ in self._choose(source):
            length += stop - start
            # A header that must not be copied would be read as something else.
            if start < 0 or length > LONGEST:
                return self.derive(source)
            pieces.append(buffer[start:stop])
        return self._remembered(source.transfer_syntax, b"".join(pieces))

    def _from_excerpt(self, transfer_syntax: str, excerpt: bytes) -> _T:
        codec = codec_of(transfer_syntax)
        assert codec is not None, "the object was read"
        buffer = memoryview(excerpt)
        return self.derive(Header(Part10(buffer, transfer_syntax, "", codec, read_data_set(buffer, codec))))


def elements_of(tags: Callable[[], Iterable[int]]) -> Callable[[Header], list[Element]]:
    """Return what chooses the elements with these tags, and those that tell how to read them."""

    @cache
    def chosen() -> list[int]:
        return sorted({SPECIFIC_CHARACTER_SET, SOP_CLASS_UID, *tags()})

    def choose(source: Header) -> list[Element]:
        return [element for tag in chosen() if (element := source.element(tag)) is not None]

    return choose


def once_per_series(
    choose: Callable[[Header], Iterable[Element]],
) -> Callable[[Callable[[Header], _T]], OncePerSeries[_T]]:
    """Decorate a function of the elements that ``choose`` returns, see :class:`OncePerSeries`."""
    return lambda derive: OncePerSeries(derive, choose)
