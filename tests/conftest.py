"""Real servers for the tests: one PostgreSQL and two Orthancs a worker, a fresh crosswalk database a test."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.beginnings import Beginnings
from tests.databases import Databases
from tests.site import Ingested, Site, ingest_sample, opened_site
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.local_stack.orthanc import OrthancServer, start_orthanc
from dicomanon.local_stack.ports import free_port
from dicomanon.local_stack.postgres import PostgresServer, start_postgres
from dicomanon.sample.corpus import SampleManifest, write_sample

ONE_STACK = "tests/e2e/"
"""Its files share one whole stack."""


class _FileByFile(LoadScopeScheduling):
    """Give whole files to the workers, so that what a file starts is started once."""

    def _split_scope(self, nodeid: str) -> str:
        return ONE_STACK if nodeid.startswith(ONE_STACK) else nodeid.split("::", 1)[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    return _FileByFile(config, log)


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    server = start_postgres(tmp_path_factory.mktemp("postgres"), free_port(), durable=False)
    server.create_roles()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def databases(postgres_server: PostgresServer) -> Iterator[Databases]:
    made = Databases(postgres_server)
    yield made
    made.close()


@pytest.fixture
def empty_dsn(databases: Databases) -> Iterator[str]:
    """DSN of a new database in which nobody has migrated yet."""
    with databases.empty() as dsn:
        yield dsn


@pytest.fixture
def crosswalk_dsn(databases: Databases) -> Iterator[str]:
    """DSN of a new crosswalk without keys, of an owner who is no superuser, and may act as every role."""
    with databases.crosswalk() as dsn:
        yield dsn


@pytest.fixture(scope="session")
def keyring(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    path = tmp_path_factory.mktemp("keys") / "keyring.json"
    Keyring.generate(path)
    return Keyring.load(path)


@pytest.fixture
def crosswalk(crosswalk_dsn: str, keyring: Keyring) -> Iterator[Crosswalk]:
    """A migrated crosswalk in a database of its own."""
    with Crosswalk(crosswalk_dsn, keyring) as opened:
        opened.migrate()
        yield opened


@pytest.fixture(scope="session")
def _clinical_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrthancServer]:
    yield from _orthanc(tmp_path_factory.mktemp("clinical"), "clinical")


@pytest.fixture(scope="session")
def _research_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrthancServer]:
    yield from _orthanc(tmp_path_factory.mktemp("research"), "research")


def _orthanc(folder: Path, name: str) -> Iterator[OrthancServer]:
    server = start_orthanc(folder, name, free_port(), free_port(), name, secrets.token_hex(12), detach=False)
    yield server
    server.stop()


@pytest.fixture
def clinical_orthanc(_clinical_server: OrthancServer) -> OrthancServer:
    """The clinical PACS, empty."""
    _clinical_server.clear()
    return _clinical_server


@pytest.fixture
def research_orthanc(_research_server: OrthancServer) -> OrthancServer:
    """The research PACS, empty."""
    _research_server.clear()
    return _research_server


@pytest.fixture(scope="session")
def sample_wave_1(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SampleManifest]:
    folder = tmp_path_factory.mktemp("sample-1")
    return folder, write_sample(folder, wave=1)


@pytest.fixture(scope="session")
def sample_wave_2(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SampleManifest]:
    folder = tmp_path_factory.mktemp("sample-2")
    return folder, write_sample(folder, wave=2)


@pytest.fixture(scope="session")
def beginnings(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Beginnings:
    return Beginnings(databases, tmp_path_factory.mktemp("beginnings"))


@pytest.fixture
def site(
    clinical_orthanc: OrthancServer,
    research_orthanc: OrthancServer,
    crosswalk_dsn: str,
    beginnings: Beginnings,
    tmp_path: Path,
) -> Iterator[Site]:
    """Two empty PACS, a migrated crosswalk and empty folders, and the environment that leads every step to them."""
    with opened_site(clinical_orthanc, research_orthanc, crosswalk_dsn, tmp_path, beginnings) as opened:
        yield opened


@pytest.fixture(scope="session")
def ingested(
    _clinical_server: OrthancServer,
    _research_server: OrthancServer,
    databases: Databases,
    sample_wave_1: tuple[Path, SampleManifest],
    sample_wave_2: tuple[Path, SampleManifest],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Ingested]:
    """The whole sample gone through all steps, once for all tests; its PACS are emptied, its crosswalk stays."""
    _clinical_server.clear()
    _research_server.clear()
    with databases.crosswalk() as dsn:
        with opened_site(_clinical_server, _research_server, dsn, tmp_path_factory.mktemp("ingested")) as site:
            done = ingest_sample(site, (sample_wave_1, sample_wave_2))
        yield done
