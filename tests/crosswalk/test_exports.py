"""The maps in clear, and the audit that comes before them."""

import psycopg
import pytest
from tests.crosswalk.scenario import DOE, Run, discover, research, sightings

from dicomanon.crosswalk.database import Crosswalk
from dicomanon.errors import Fatal


@pytest.fixture(autouse=True)
def stored(crosswalk: Crosswalk) -> None:
    discover(crosswalk, "1.2", sightings("1.2", 3, series=2))
    Run(crosswalk).complete()


def access_events(dsn: str) -> list[tuple[object, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute("SELECT actor, action, count FROM crosswalk.access_event").fetchall()


def test_uid_map_holds_studies_series_and_instances(crosswalk: Crosswalk) -> None:
    uid_rows, _ = crosswalk.exports.maps("admin", "audit 2026")
    found = {old.reveal(): new for old, new in uid_rows}
    expected = ["1.2", "1.2.0", "1.2.1", "1.2.0.0", "1.2.1.1", "1.2.0.2"]
    assert found == {uid: research(uid) for uid in expected}


def test_patient_map_holds_every_patient(crosswalk: Crosswalk) -> None:
    _, patient_rows = crosswalk.exports.maps("admin", "audit 2026")
    assert [(old.reveal(), new) for old, new in patient_rows] == [
        ("MRN-7731", crosswalk.patients.get_or_create(DOE).pseudonym)
    ]


def test_the_audit_row_stands_even_if_nothing_is_read(crosswalk: Crosswalk, crosswalk_dsn: str) -> None:
    crosswalk.exports.maps("admin", "audit 2026")
    assert access_events(crosswalk_dsn) == [("admin", "export maps", 1)]


@pytest.mark.parametrize(("actor", "reason"), [("", "why"), ("who", "  ")])
def test_refused_without_who_and_why(crosswalk: Crosswalk, actor: str, reason: str) -> None:
    with pytest.raises(Fatal):
        crosswalk.exports.maps(actor, reason)
