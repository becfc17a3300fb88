"""Every study and every instance is found, whatever the server cuts off its answers."""

import json
from collections.abc import Callable
from datetime import date

import pytest
from tests.pacs.archive import Answer, Request, endpoint, faulty_server, load, make_object

from dicomanon.errors import Fatal, Held, Retriable
from dicomanon.identity import StudySighting
from dicomanon.local_stack.orthanc import OrthancServer
from dicomanon.pacs.query import ClinicalPacs


def found(pacs: ClinicalPacs, *range_: date, **options: bool) -> dict[str, int]:
    """Return instance counts by study UID, and insist that no study came twice."""
    sightings: list[StudySighting] = list(pacs.find_studies(*range_, **options))
    counts = {sighting.study_uid: sighting.instances for sighting in sightings}
    assert len(counts) == len(sightings)
    return counts


class TestFindStudies:
    def test_counts_the_instances_of_each_study(self, clinical_orthanc: OrthancServer) -> None:
        load(clinical_orthanc, make_object("1.1"), make_object("1.1"), make_object("1.2", study_date="19991231"))
        with ClinicalPacs(endpoint(clinical_orthanc)) as pacs:
            assert found(pacs) == {"1.1": 2, "1.2": 1}

    def test_is_empty_for_an_empty_archive(self, clinical_orthanc: OrthancServer) -> None:
        with ClinicalPacs(endpoint(clinical_orthanc)) as pacs:
            assert found(pacs) == {}

    def test_keeps_to_the_range_both_ends_included(self, clinical_orthanc: OrthancServer) -> None:
        days = ["20191231", "20200101", "20200115", "20200131", "20200201"]
        load(clinical_orthanc, *(make_object(f"1.{day}", study_date=day) for day in days))
        with ClinicalPacs(endpoint(clinical_orthanc)) as pacs:
            january = (date(2020, 1, 1), date(2020, 1, 31))
            assert found(pacs, *january).keys() == {"1.20200101", "1.20200115", "1.20200131"}
            assert found(pacs, january[1]).keys() == {"1.20200131", "1.20200201"}
            assert len(list(pacs.find_studies(None, january[0]))) == 2

    @pytest.mark.parametrize("value", [None, "", "20201399", "2020.01.01"])
    def test_finds_what_has_no_date_only_if_asked(self, clinical_orthanc: OrthancServer, value: str | None) -> None:
        load(clinical_orthanc, make_object("1.1"), make_object("1.2", study_date=value))
        with ClinicalPacs(endpoint(clinical_orthanc)) as pacs:
            assert found(pacs, date(2020, 1, 1), date(2020, 1, 1)).keys() == {"1.1", "1.2"}
            assert found(pacs, date(2020, 1, 1), date(2020, 1, 1), include_undated=False).keys() == {"1.1"}

    def test_finds_dates_before_1900_and_in_the_future(self, clinical_orthanc: OrthancServer) -> None:
        load(clinical_orthanc, make_object("1.1", study_date="18991231"), make_object("1.2", study_date="29990101"))
        with ClinicalPacs(endpoint(clinical_orthanc)) as pacs:
            assert found(pacs, include_undated=False).keys() == {"1.1", "1.2"}

    @pytest.mark.parametrize("page_size", [1, 3, 500])
    def test_finds_many_studies_of_one_minute(self, clinical_orthanc: OrthancServer, page_size: int) -> None:
        load(clinical_orthanc, *(make_object(f"1.2.{number}") for number in range(13)))
        with ClinicalPacs(endpoint(clinical_orthanc, page_size=page_size)) as pacs:
            assert len(found(pacs)) == 13

    def test_sees_late_arrivals_of_an_old_study(self, clinical_orthanc: OrthancServer) -> None:
        load(clinical_orthanc, make_object("1.1", study_date="19850101"))
        with ClinicalPacs(endpoint(clinical_orthanc)) as pacs:
            assert found(pacs) == {"1.1": 1}
            load(clinical_orthanc, make_object("1.1", study_date="19850101"), make_object("1.2"))
            assert found(pacs) == {"1.1": 2, "1.2": 1}


class TestFindStudiesOfAnArchiveThatCuts:
    """Orthanc with LimitFindResults shows the first few of any answer, and nothing at any later offset."""

    def test_finds_all_by_splitting_dates(self, clamping_orthanc: Callable[..., OrthancServer]) -> None:
        server = clamping_orthanc(LimitFindResults=5)
        load(server, *(make_object(f"1.{n}", study_date=f"2020{n % 12 + 1:02d}{n % 28 + 1:02d}") for n in range(40)))
        with ClinicalPacs(endpoint(server)) as pacs:
            assert len(found(pacs)) == 40
            assert len(found(pacs, include_undated=False)) == 40

    def test_finds_all_of_a_day_by_splitting_times(self, clamping_orthanc: Callable[..., OrthancServer]) -> None:
        server = clamping_orthanc(LimitFindResults=5)
        load(server, *(make_object(f"1.{n}", study_time=f"{n % 24:02d}{n % 60:02d}00.5") for n in range(30)))
        with ClinicalPacs(endpoint(server)) as pacs:
            assert len(found(pacs, date(2020, 1, 1), date(2020, 1, 1), include_undated=False)) == 30

    def test_finds_the_undated_by_their_times(self, clamping_orthanc: Callable[..., OrthancServer]) -> None:
        server = clamping_orthanc(LimitFindResults=5)
        load(server, *(make_object(f"1.{n}", study_date=f"202001{n + 1:02d}") for n in range(20)))
        load(server, *(make_object(f"2.{n}", study_date=None, study_time=f"{n:02d}") for n in range(20)))
        with ClinicalPacs(endpoint(server)) as pacs:
            assert len(found(pacs)) == 40

    def test_finds_all_of_a_minute_by_their_instances(self, clamping_orthanc: Callable[..., OrthancServer]) -> None:
        server = clamping_orthanc(LimitFindResults=5)
        load(server, *(make_object(f"1.{n}") for n in range(12)), make_object("1.99", study_date="20210101"))
        with ClinicalPacs(endpoint(server)) as pacs:
            assert len(found(pacs)) == 13
            day = date(2020, 1, 1)
            assert len(found(pacs, day, day, include_undated=False)) == 12

    def test_finds_those_without_a_time_by_their_instances(
        self, clamping_orthanc: Callable[..., OrthancServer]
    ) -> None:
        server = clamping_orthanc(LimitFindResults=5)
        load(server, *(make_object(f"1.{n}", study_time=None) for n in range(12)), make_object("1.98"))
        load(server, make_object("1.99", study_date="20210101"))
        with ClinicalPacs(endpoint(server)) as pacs:
            assert len(found(pacs, include_undated=False)) == 14

    def test_says_so_when_instances_are_cut_as_well(self, clamping_orthanc: Callable[..., OrthancServer]) -> None:
        server = clamping_orthanc(LimitFindResults=5, LimitFindInstances=5)
        load(server, *(make_object(f"1.{n}") for n in range(12) for _ in range(2)))
        with ClinicalPacs(endpoint(server)) as pacs, pytest.raises(Fatal, match="cannot be split further"):
            list(pacs.find_studies())

    @pytest.mark.parametrize("elsewhere", ["20200101", "20210101"])
    def test_says_so_when_a_minute_of_single_instances_is_cut(
        self, clamping_orthanc: Callable[..., OrthancServer], elsewhere: str
    ) -> None:
        server = clamping_orthanc(LimitFindResults=5, LimitFindInstances=5)
        load(server, *(make_object(f"1.{n}") for n in range(12)))
        load(server, make_object("1.99", study_date=elsewhere, study_time="08"))
        with ClinicalPacs(endpoint(server)) as pacs, pytest.raises(Fatal, match="cannot be split further"):
            list(pacs.find_studies())

    def test_says_so_when_studies_without_date_and_time_may_hide(
        self, clamping_orthanc: Callable[..., OrthancServer]
    ) -> None:
        server = clamping_orthanc(LimitFindResults=5)
        load(server, *(make_object(f"2.{n}", study_date=None, study_time=None) for n in range(12)))
        load(server, *(make_object(f"1.{n}", study_date=f"202001{n + 1:02d}") for n in range(12)))
        with ClinicalPacs(endpoint(server)) as pacs:
            shown = []
            with pytest.raises(Fatal, match="cannot be split further"):
                shown.extend(pacs.find_studies())
            assert len(found(pacs, include_undated=False)) == 12


def study_row(uid: str, *, day: str = "20200101", time: str = "120000", instances: int | None = 1) -> dict[str, object]:
    row: dict[str, object] = {
        "0020000D": {"vr": "UI", "Value": [uid]},
        "00080020": {"vr": "DA", "Value": [day]},
        "00080030": {"vr": "TM", "Value": [time]},
    }
    return row if instances is None else row | {"00201208": {"vr": "IS", "Value": [instances]}}


def matches(row: dict[str, object], query: dict[str, str]) -> bool:
    """Match ranges of date and time, as text."""
    for tag in ("00080020", "00080030"):
        if tag in query:
            value = row[tag]["Value"][0]  # type: ignore[index]
            lower, dash, upper = query[tag].partition("-")
            if not (lower <= value <= (upper or "9")) if dash else value != lower:
                return False
    return True


class TestFindStudiesOfAnArchiveThatIgnoresOffset:
    @staticmethod
    def archive(rows: list[dict[str, object]], clamp: int) -> Callable[[Request], Answer]:
        def answer(request: Request) -> Answer:
            if request.path != "/studies":
                return Answer(status=400)
            shown = [row for row in rows if matches(row, request.query)][: min(clamp, int(request.query["limit"]))]
            return Answer(json.dumps(shown).encode()) if shown else Answer(status=204)

        return answer

    @pytest.mark.parametrize("clamp", [7, 1000])
    def test_finds_all_by_splitting(self, clamp: int) -> None:
        rows = [study_row(f"1.{n}", day=f"2020{n % 12 + 1:02d}01", time=f"{n % 24:02d}0000") for n in range(100)]
        with faulty_server(self.archive(rows, clamp)) as server, ClinicalPacs(server.endpoint()) as pacs:
            assert len(found(pacs)) == 100

    def test_says_so_when_a_minute_cannot_be_proven(self) -> None:
        rows = [study_row(f"1.{n}") for n in range(9)]
        with (
            faulty_server(self.archive(rows, 7)) as server,
            ClinicalPacs(server.endpoint()) as pacs,
            pytest.raises(Fatal, match="cannot be split further"),
        ):
            list(pacs.find_studies())

    def test_a_lone_study_is_believed(self) -> None:
        with faulty_server(self.archive([study_row("1.1")], 7)) as server, ClinicalPacs(server.endpoint()) as pacs:
            assert found(pacs) == {"1.1": 1}


class TestFindStudiesOfACarelessArchive:
    def test_counts_instances_itself_where_the_archive_does_not(self) -> None:
        instance = {
            "0020000E": {"vr": "UI", "Value": ["1.1.1"]},
            "00080018": {"vr": "UI", "Value": ["1.1.1.1"]},
        }

        def answer(request: Request) -> Answer:
            if int(request.query.get("offset", 0)):
                return Answer(b"[]")
            if request.path == "/studies":
                return Answer(json.dumps([study_row("1.1", instances=None)]).encode())
            if request.path == "/studies/1.1/instances":
                return Answer(json.dumps([instance]).encode())
            second = instance | {"00080018": {"vr": "UI", "Value": ["1.1.1.2"]}}
            return Answer(json.dumps([instance, second]).encode())

        with faulty_server(answer) as server, ClinicalPacs(server.endpoint()) as pacs:
            assert found(pacs) == {"1.1": 2}

    def test_says_so_when_a_study_has_no_uid_after_yielding_the_others(self) -> None:
        def answer(request: Request) -> Answer:
            rows = [] if int(request.query.get("offset", 0)) else [study_row("1.1"), {"00080020": {"vr": "DA"}}]
            return Answer(json.dumps(rows).encode())

        with faulty_server(answer) as server, ClinicalPacs(server.endpoint()) as pacs:
            studies = pacs.find_studies()
            assert next(studies).study_uid == "1.1"
            with pytest.raises(Fatal, match="without UID"):
                next(studies)

    def test_what_is_no_json_is_retriable(self) -> None:
        page = Answer(b"<html>Doe^Jane</html>", content_type="text/html")
        with (
            faulty_server(lambda _: page) as server,
            ClinicalPacs(server.endpoint()) as pacs,
            pytest.raises(Retriable) as caught,
        ):
            list(pacs.find_studies())
        assert "Doe" not in str(caught.value)


class TestListInstances:
    @pytest.mark.parametrize("limits", [{}, {"LimitFindInstances": 5}])
    def test_lists_all_however_many_the_archive_shows(
        self, clamping_orthanc: Callable[..., OrthancServer], limits: dict[str, int]
    ) -> None:
        server = clamping_orthanc(**limits)
        expected = {(f"1.1.{n % 2}", f"1.1.{n % 2}.{n}") for n in range(23)}
        load(server, *(make_object("1.1", series_uid=series, sop_uid=sop) for series, sop in expected))
        load(server, make_object("1.2"))
        with ClinicalPacs(endpoint(server, page_size=4)) as pacs:
            sightings = pacs.list_instances("1.1")
            assert {(sighting.series_uid, sighting.sop_uid) for sighting in sightings} == expected
            assert len(sightings) == 23
            assert {sighting.sop_class_uid for sighting in sightings} == {"1.2.840.10008.5.1.4.1.1.2"}
            assert pacs.count_instances("1.1") == 23

    def test_is_empty_for_an_unknown_study(self, clinical_orthanc: OrthancServer) -> None:
        with ClinicalPacs(endpoint(clinical_orthanc)) as pacs:
            assert pacs.list_instances("1.2.3") == []

    def test_a_study_that_the_archive_answers_404_for_has_none(self) -> None:
        def answer(request: Request) -> Answer:
            return Answer(b"[]") if request.path == "/studies" else Answer(status=404)

        with faulty_server(answer) as server, ClinicalPacs(server.endpoint()) as pacs:
            assert pacs.list_instances("1.2.3") == []

    @pytest.mark.parametrize("uid", ["1.2/../3", "1.2?limit=1", "..", "", "1.2 3"])
    def test_held_when_the_uid_could_lead_elsewhere(self, clinical_orthanc: OrthancServer, uid: str) -> None:
        with ClinicalPacs(endpoint(clinical_orthanc)) as pacs:
            with pytest.raises(Held):
                pacs.list_instances(uid)
            with pytest.raises(Held):
                list(pacs.retrieve_study(uid))
