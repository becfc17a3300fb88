"""What is entered into the ledger, and when."""

from datetime import UTC, date, datetime, timedelta

import pytest
from tests.site import DAY, Run, Site, ct, encoded, slices, study

from dicomanon.errors import Fatal
from dicomanon.pipeline import discover as room
from dicomanon.pipeline import ingest
from dicomanon.pipeline.discover import discover


def test_new_grown_and_unchanged_studies_are_told_apart(site: Site) -> None:
    site.load(*slices(study("a"), [1, 2]), *slices(study("b"), [1]))
    assert Run().discover() | {} == counts(studies=2, new=2, enrolled_studies=2, enrolled_instances=3)
    site.load(*slices(study("b"), [2, 3]))
    assert Run().discover() == counts(studies=2, grown=1, enrolled_studies=1, enrolled_instances=2)
    assert Run().discover() == counts(studies=2)


def counts(**given: int) -> dict[str, int]:
    names = ("studies", "new", "grown", "shrunk", "enrolled_studies", "enrolled_instances", "not_listed")
    return dict.fromkeys(names, 0) | given


def test_a_study_waits_until_it_is_quiet(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.now(UTC)

    class Clock(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return now

    monkeypatch.setattr(room, "datetime", Clock)
    with site.runtime() as runtime:
        site.load(*slices(study("a"), [1]))
        assert discover(runtime, quiet_minutes=10)["enrolled_studies"] == 0
        now += timedelta(minutes=9)
        site.load(*slices(study("a"), [2]))
        assert discover(runtime, quiet_minutes=10)["grown"] == 1
        now += timedelta(minutes=9)
        assert discover(runtime, quiet_minutes=10)["enrolled_studies"] == 0, "it has grown since"
        now += timedelta(minutes=1)
        assert discover(runtime, quiet_minutes=10)["enrolled_instances"] == 2


@pytest.mark.parametrize(
    ("start", "end", "found"),
    [
        (None, None, 3),
        (DAY, DAY, 1),
        (DAY + timedelta(days=1), None, 1),
        (None, DAY, 2),
        (date(1990, 1, 1), date(1990, 1, 2), 0),
    ],
)
def test_only_studies_of_the_window_are_found(site: Site, start: date | None, end: date | None, found: int) -> None:
    for days in (-30, 0, 30):
        site.load(*slices(study(f"day {days}", day=DAY + timedelta(days=days)), [1]))
    with site.runtime() as runtime:
        assert discover(runtime, start, end, 0)["studies"] == found


def test_a_study_without_a_date_is_found(site: Site) -> None:
    undated = ct(study("undated"))
    undated.StudyDate = ""
    site.load(encoded(undated))
    assert Run().discover()["enrolled_instances"] == 1


@pytest.mark.parametrize("text", ["2022-13-01", "yesterday", "17.05.2022"])
def test_a_window_that_is_no_date_is_refused_by_its_name(site: Site, text: str) -> None:
    with pytest.raises(Fatal, match="study_date_from"):
        ingest.discover(Run().key("discover"), text, None, 0)


def test_what_was_found_before_an_error_is_kept(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.load(*slices(study("a"), [1]))
    with site.runtime() as runtime:
        (seen,) = runtime.clinical.find_studies()

        def broken(*_: object, **__: object) -> object:
            yield seen
            raise Fatal("the PACS hides studies")

        monkeypatch.setattr(type(runtime.clinical), "find_studies", broken)
        with pytest.raises(Fatal):
            discover(runtime, quiet_minutes=0)
        assert [due.instances for due in runtime.crosswalk.ledger.due(timedelta(0), datetime.now(UTC))] == [1]
