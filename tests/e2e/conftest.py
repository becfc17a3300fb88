"""The whole stack, started once for all end-to-end tests, on free ports and in a folder of its own."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.world import Snapshot, World, snapshot

from dicomanon.local_stack import stack as local_stack
from dicomanon.local_stack.config import STATE_VARIABLE, Ports, state_folder
from dicomanon.sample.corpus import SampleManifest
from dicomanon.sample.leaks import LeakScanner

Sample = tuple[Path, SampleManifest]


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Everything that `make demo` starts, empty, with no schedule and quick retries."""
    variables = {
        STATE_VARIABLE: str(tmp_path_factory.mktemp("stack") / "state"),
        **{f"DICOMANON_{name.upper()}_PORT": "0" for name in Ports.model_fields},
    }
    with pytest.MonkeyPatch.context() as environment:
        for name in [name for name in os.environ if name.startswith(("DICOMANON_", "AIRFLOW_"))]:
            environment.delenv(name)
        for name, value in variables.items():
            environment.setenv(name, value)
        config = local_stack.up(
            print, airflow_variables={"DICOMANON_INGEST_SCHEDULE": "", "DICOMANON_RETRY_SECONDS": "2"}
        )
        for name, value in local_stack.pipeline_environment(config).items():
            environment.setenv(name, value)
        yield World(config, Path(state_folder()))
        local_stack.down(print)


@pytest.fixture(scope="package")
def after_first(world: World, sample_wave_1: Sample) -> Snapshot:
    folder, _ = sample_wave_1
    world.load(folder)
    assert world.ingest() == "success"
    return snapshot(world)


@pytest.fixture(scope="package")
def after_second(world: World, after_first: Snapshot, sample_wave_1: Sample, sample_wave_2: Sample) -> Snapshot:
    world.load(sample_wave_2[0])
    world.load(sample_wave_1[0])
    assert world.ingest() == "success"
    return snapshot(world)


@pytest.fixture(scope="package")
def planted(sample_wave_2: Sample) -> LeakScanner:
    return LeakScanner(sample_wave_2[1].planted)
