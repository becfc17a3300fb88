"""Reads of a de-identified object what a release may say of it; never of a source object."""

from io import BytesIO
from math import isfinite
from typing import Final

from pydicom import config, dcmread
from pydicom.dataset import Dataset

from dicomanon.cohort.fields import fact_keywords
from dicomanon.crosswalk.research_facts import ResearchFacts

# pydicom's warnings about odd values quote the values: they would end up in task logs.
config.settings.reading_validation_mode = config.IGNORE

_DATES: Final = "LongitudinalTemporalInformationModified"
_FUNCTIONAL_GROUPS: Final = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
_PIXEL_MEASURES: Final = "PixelMeasuresSequence"
_INTEGERS: Final = frozenset({"IS", "US"})
_DECIMALS: Final = frozenset({"DS", "FD"})
_LONGEST: Final = 256
"""Characters of a text that a manifest shows."""


def research_facts(data: bytes) -> ResearchFacts:
    """Return by keyword what an object says; what is absent, empty or not of its VR's form is left out.

    Parameters
    ----------
    data
        A de-identified object as it would be stored (PS3.10).

    Raises
    ------
    Exception
        It cannot be read at all: pydicom's own.
    """
    keywords = fact_keywords()
    dataset = dcmread(BytesIO(data), stop_before_pixels=True, specific_tags=[*sorted(keywords), *_FUNCTIONAL_GROUPS])
    facts: dict[str, str | int | float] = {}
    for keyword in keywords:
        told = _value(dataset, keyword)
        if told is None:
            told = _of_first_frame(dataset, keyword)
        if told is not None:
            facts[keyword] = told
    if facts.get(_DATES) == "REMOVED":
        # What stands there is a dummy.
        facts.pop("StudyDate", None)
    return facts


def _of_first_frame(dataset: Dataset, keyword: str) -> str | int | float | None:
    """Return what a multi-frame object says of the pixels of its first frame (PS3.3 C.7.6.16.2.1)."""
    for groups in _FUNCTIONAL_GROUPS:
        for group in dataset.get(groups, [])[:1]:
            for measures in group.get(_PIXEL_MEASURES, [])[:1]:
                if (told := _value(measures, keyword)) is not None:
                    return told
    return None


def _value(dataset: Dataset, keyword: str) -> str | int | float | None:
    if keyword not in dataset:
        return None
    element = dataset[keyword]
    try:
        if element.is_empty:
            return None
        if element.VM == 1 and element.VR in _INTEGERS:
            return int(element.value)
        if element.VM == 1 and element.VR in _DECIMALS:
            return number if isfinite(number := float(element.value)) else None
        text = "\\".join(str(one) for one in element.value) if element.VM > 1 else str(element.value)
    except (ValueError, TypeError, OverflowError):
        return None
    text = text.strip(" \0")
    # What is not printable, PostgreSQL may not take as JSON either.
    return text[:_LONGEST] if text and text.isprintable() else None
