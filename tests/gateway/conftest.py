"""A site whose research PACS holds what two projects were released, and the gateway as people start it.

Studies of three patients, 32 x 32 pixels: ``a`` with two series of three and two slices, ``b`` and ``c`` with one of
three. LUNG was released series 1 of ``a`` and all of ``b``; HEART series 2 of ``a`` and all of ``c``.
"""

import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from dicomweb_client.web import DICOMwebClient
from tests.site import Run, Site, judge_by_counts, opened_site, person, slices, study

from dicomanon.crosswalk.gateway.tokens import GatewayToken
from dicomanon.crosswalk.roles.role import Role
from dicomanon.local_stack.orthanc import OrthancServer
from dicomanon.local_stack.postgres import PostgresServer
from dicomanon.pipeline import validate

COMMAND = Path(sys.executable).parent / "dicomanon"
WHY = {"actor": "ada", "reason": "asked by Dr Kim"}
HOUR = timedelta(hours=1)
ROOT = "/dicom-web"


@dataclass(frozen=True)
class Object:
    """What the crosswalk has of a stored object."""

    row: int
    study: str
    series: str
    sop: str
    pseudonym: str

    @property
    def path(self) -> str:
        return f"/studies/{self.study}/series/{self.series}/instances/{self.sop}"


@dataclass
class World:
    site: Site
    gateway_dsn: str
    stranger_dsn: str
    """Of a login that may act as another role."""
    member: str
    objects: list[Object] = field(default_factory=list)
    given: dict[str, list[Object]] = field(default_factory=dict)
    servers: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def token(self, project: str = "LUNG", lifetime: timedelta = HOUR) -> str:
        return self.make_token(project, lifetime)[1]

    def make_token(self, project: str = "LUNG", lifetime: timedelta = HOUR) -> tuple[GatewayToken, str]:
        with self.site.crosswalk() as crosswalk:
            return crosswalk.tokens.create(project, self.member, lifetime=lifetime, **WHY)

    def serve(self, **changes: str) -> str:
        """Start the gateway, with no more settings than it needs; return where it answers."""
        environment = {name: value for name, value in self.site.environment().items() if "RESEARCH__" in name}
        environment |= {"DICOMANON_CROSSWALK_DSN": self.gateway_dsn, "DICOMANON_GATEWAY__PORT": "0", **changes}
        process = subprocess.Popen(
            [COMMAND, "gateway"],
            stdout=subprocess.PIPE,
            env={**_without_settings(), **environment},
            cwd=self.site.folder,
        )
        self.servers.append(process)
        assert process.stdout is not None
        return process.stdout.readline().decode().strip()

    def trail(self, token: str = "") -> list[tuple[Any, ...]]:
        return self.site.rows(
            "SELECT actor, action, count, subject_kind, subject FROM crosswalk.access_event"
            " WHERE action LIKE 'gateway.%%' ORDER BY number"
        )

    def hidden(self, project: str = "LUNG") -> list[Object]:
        return [one for one in self.objects if one not in self.given[project]]

    def partly(self, project: str = "LUNG") -> str:
        """Return the study of which the project has a part."""
        mine = {one.study for one in self.given[project]}
        return next(one.study for one in self.hidden(project) if one.study in mine)

    def whole(self, project: str = "LUNG") -> str:
        return next(one.study for one in self.given[project] if one.study != self.partly(project))


def _without_settings() -> dict[str, str]:
    import os

    return {name: value for name, value in os.environ.items() if not name.startswith("DICOMANON_")}


@pytest.fixture(scope="module")
def world(
    _clinical_server: OrthancServer,
    _research_server: OrthancServer,
    postgres_server: PostgresServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[World]:
    name, password = f"crosswalk_{secrets.token_hex(6)}", secrets.token_hex(12)
    postgres_server.create_database(name, name, password)
    postgres_server.create_login(name, password, name, Role)
    logins = {Role.GATEWAY: f"gateway_{name}", Role.REVIEWER: f"reviewer_{name}"}
    for role, login in logins.items():
        postgres_server.create_login(login, password, name, [role])
    _clinical_server.clear()
    _research_server.clear()
    dsn = postgres_server.dsn(name, user=name, password=password)
    folder = tmp_path_factory.mktemp("gateway")
    with (
        opened_site(_clinical_server, _research_server, dsn, folder) as site,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(validate, "run_checkpoint", judge_by_counts)
        dsns = [postgres_server.dsn(name, user=login, password=password) for login in logins.values()]
        made = World(site, *dsns, name)
        _fill(made)
        yield made
        for server in made.servers:
            server.terminate()
            server.wait(timeout=40)
    postgres_server.drop_database(name)
    with psycopg.connect(postgres_server.dsn(), autocommit=True) as administrator:
        for login in logins.values():
            administrator.execute(f"DROP ROLE {login}")  # type: ignore[arg-type]


def _fill(world: World) -> None:
    site = world.site
    a, b, c = (study(key, person(number)) for number, key in enumerate("abc"))
    site.load(*slices(a), *slices(a, range(1, 3), series=2), *slices(b), *slices(c))
    Run().complete()
    rows = site.rows(
        "SELECT instance_id, research_study_uid, research_series_uid, research_sop_uid, pseudonym"
        " FROM crosswalk.stored_instance ORDER BY instance_id"
    )
    world.objects = [Object(*row) for row in rows]
    assert len(world.objects) == 11
    by_study: dict[str, list[Object]] = {}
    for one in world.objects:
        by_study.setdefault(one.study, []).append(one)
    two_series = next(of for of in by_study.values() if len(of) == 5)
    others = [of for of in by_study.values() if len(of) == 3]
    by_series: dict[str, list[Object]] = {}
    for one in two_series:
        by_series.setdefault(one.series, []).append(one)
    small, large = sorted(by_series.values(), key=len)
    world.given = {"LUNG": [*large, *others[0]], "HEART": [*small, *others[1]]}
    with site.crosswalk() as crosswalk:
        for project, objects in world.given.items():
            crosswalk.projects.add(project, world.member, **WHY)
            crosswalk.releases.create(project, "ada", b"d", [one.row for one in objects], request_key="r")


@pytest.fixture(scope="module")
def address(world: World) -> str:
    return world.serve()


Getting = Callable[..., requests.Response]


@pytest.fixture
def get(world: World, address: str) -> Iterator[Getting]:
    """Ask the gateway as a bare program would; with a token of LUNG unless another is given."""
    lung = world.token()
    with requests.Session() as session:
        session.trust_env = False

        def asked(path: str, token: str | None = lung, accept: str = "*/*", **parameters: Any) -> requests.Response:
            headers = {"Accept": accept} | ({"Authorization": f"Bearer {token}"} if token else {})
            return session.get(address + path, headers=headers, params=parameters, timeout=30)

        yield asked


@pytest.fixture
def client(world: World, address: str) -> DICOMwebClient:
    """The usual client of the field, as its manual has it."""
    return client_of(address, world.token())


def client_of(address: str, token: str) -> DICOMwebClient:
    session = requests.Session()
    session.trust_env = False
    return DICOMwebClient(address, session=session, headers={"Authorization": f"Bearer {token}"})


def uids(rows: Sequence[dict[str, Any]], tag: str) -> list[str]:
    return [row[tag]["Value"][0] for row in rows]
