"""Compiled profiles and a shortcut from bytes to result."""

from collections.abc import Callable
from io import BytesIO

import pydicom
import pytest
from tests.deidentify.builders import CONTEXT, letting_faces_pass

from dicomanon.deidentify import Deidentified, deidentify, encode, parse
from dicomanon.profile import CompiledProfile, compile_profile, load_profile

Run = Callable[[bytes], pydicom.FileDataset]


@pytest.fixture(scope="session")
def research() -> CompiledProfile:
    return compile_profile(load_profile("research"))


@pytest.fixture(scope="session")
def strict() -> CompiledProfile:
    return letting_faces_pass("strict")


def _run(profile: CompiledProfile) -> Run:
    def run(raw: bytes) -> pydicom.FileDataset:
        outcome = deidentify(parse(raw), profile, CONTEXT)
        assert isinstance(outcome, Deidentified), outcome
        return pydicom.dcmread(BytesIO(encode(outcome)))

    return run


@pytest.fixture(scope="session")
def run_research(research: CompiledProfile) -> Run:
    return _run(research)


@pytest.fixture(scope="session")
def run_strict(strict: CompiledProfile) -> Run:
    return _run(strict)
