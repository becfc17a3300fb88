"""Fixtures that examine objects against one patient's known values."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from pydicom import Dataset
from tests.validate.support import KNOWN, OPTIONS, clean_dataset, encoded, expected

from dicomanon.validate.allowed import AllowedAttributes
from dicomanon.validate.examine import Findings, examine
from dicomanon.validate.search import KnownValueSearch


@pytest.fixture(scope="session")
def search() -> KnownValueSearch:
    return KnownValueSearch(KNOWN)


@pytest.fixture
def check(search: KnownValueSearch) -> Callable[..., Findings]:
    """Examine bytes or a data set; further arguments replace what is expected."""

    def run(
        spoiled: bytes | Dataset, *, syntax: str = "explicit", known: KnownValueSearch = search, **expect
    ) -> Findings:
        data = spoiled if isinstance(spoiled, bytes) else encoded(spoiled, syntax)
        return examine(data, replace(expected(data), **expect), known, AllowedAttributes.for_options(OPTIONS))

    return run


@pytest.fixture
def dataset() -> Dataset:
    return clean_dataset()
