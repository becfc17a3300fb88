"""Fixtures that examine objects against one patient's known values."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from pydicom import Dataset
from tests.validate.support import (
    KNOWN,
    OPTIONS,
    RESEARCH_OPTIONS,
    clean_dataset,
    encoded,
    expected,
    research_dataset,
)

from dicomanon.validate.allowed import AllowedAttributes
from dicomanon.validate.examine import Findings, examine
from dicomanon.validate.overrides import Allowance
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
def check_research() -> Callable[..., Findings]:
    """Examine a data set made by a profile with all options of research; ``allow`` gives its overrides and the like."""

    def run(
        spoiled: Dataset,
        *known: str,
        syntax: str = "explicit",
        options: frozenset[str] = RESEARCH_OPTIONS,
        overrides: tuple[Allowance, ...] = (),
        trusts_blocks: bool = False,
        **expect,
    ) -> Findings:
        data = encoded(spoiled, syntax)
        allowed = AllowedAttributes.for_options(options, overrides, maximum_age=89, trusts_blocks=trusts_blocks)
        return examine(data, replace(expected(data), **expect), KnownValueSearch(known or KNOWN), allowed)

    return run


@pytest.fixture
def research() -> Dataset:
    return research_dataset()


@pytest.fixture
def dataset() -> Dataset:
    return clean_dataset()
