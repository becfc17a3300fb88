"""Two projects with a release each, a study that both have a part of, and a login that is the gateway alone."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta

import psycopg
import pytest
from tests.crosswalk.role_login import login_as
from tests.crosswalk.scenario import DOE, FACTS, ROE, Run, discover, sightings

from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.gateway.showing import Showing
from dicomanon.crosswalk.gateway.tokens import GatewayToken, digest_of
from dicomanon.crosswalk.roles.role import Role
from dicomanon.local_stack.postgres import PostgresServer

WHY = {"actor": "ada", "reason": "asked by Dr Kim"}
HOUR = timedelta(hours=1)


@dataclass
class Shared:
    """LUNG was given one study whole and series 0 of another; HEART was given series 1 of that other."""

    crosswalk: Crosswalk
    dsn: str
    member: str
    uids: dict[str, list[tuple[str, str, str]]] = field(default_factory=dict)
    """Study, series and SOP Instance UIDs, by project."""

    def token(self, project: str = "LUNG", **changes: object) -> tuple[GatewayToken, bytes]:
        token, secret = self.crosswalk.tokens.create(project, self.member, **{"lifetime": HOUR, **WHY, **changes})  # type: ignore[arg-type]
        return token, digest_of(secret)

    def rows(self, query: str, *parameters: object) -> list[tuple[object, ...]]:
        with psycopg.connect(self.dsn) as connection:
            return connection.execute(query, parameters).fetchall()  # type: ignore[arg-type]

    def studies(self, project: str) -> list[str]:
        return sorted({study for study, _, _ in self.uids[project]})


@pytest.fixture
def gateway_dsn(crosswalk: Crosswalk, crosswalk_dsn: str, postgres_server: PostgresServer) -> Iterator[str]:
    with login_as(Role.GATEWAY, crosswalk_dsn, postgres_server) as dsn:
        yield dsn


@pytest.fixture
def shared(crosswalk: Crosswalk, crosswalk_dsn: str) -> Shared:
    discover(crosswalk, "1.2.3", sightings("1.2.3", 3))
    first = Run(crosswalk)
    first.complete(DOE)
    discover(crosswalk, "1.2.4", sightings("1.2.4", 6, series=2))
    second = Run(crosswalk)
    second.complete(ROE, facts=replace(FACTS, accession_number="ACC-2"))
    there = Shared(crosswalk, crosswalk_dsn, str(psycopg.conninfo.conninfo_to_dict(crosswalk_dsn)["user"]))
    halves: dict[str, list[int]] = {"0": [], "1": []}
    for source in second.sources():
        halves[source.series_uid.reveal()[-1]].append(source.instance_id)
    given = {"LUNG": [row.instance_id for row in first.sources()] + halves["0"], "HEART": halves["1"]}
    for project, instances in given.items():
        crosswalk.releases.create(project, "ada", b"d", instances, request_key="r")
        crosswalk.projects.add(project, there.member, **WHY)
        there.uids[project] = there.rows(  # type: ignore[assignment]
            "SELECT st.research_study_uid, se.research_series_uid, i.research_sop_uid FROM crosswalk.instance i"
            " JOIN crosswalk.series se ON se.id = i.series_id JOIN crosswalk.study st ON st.id = i.study_id"
            " WHERE i.id = ANY (%s)",
            instances,
        )
    return there


@pytest.fixture
def showing(gateway_dsn: str) -> Iterator[Showing]:
    with Showing(gateway_dsn, connections=4) as opened:
        yield opened
