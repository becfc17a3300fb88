"""Which requests bring a batch in, and what is done with what they deliver."""

from itertools import count
from uuid import UUID, uuid5

import pytest
from tests.proxy import Reply, proxy
from tests.site import Run, Site, slices, study

from dicomanon.crosswalk.rows import BatchSource, InstanceState
from dicomanon.pipeline.pull import Request, requests_for
from dicomanon.values import Phi

SPACE = UUID(int=7)
_ids = count(1)


def sources(study: str, series: str, instances: int, *, series_has: int, study_has: int) -> list[BatchSource]:
    return [
        BatchSource(
            instance_id=next(_ids),
            study_id=uuid5(SPACE, study),
            series_id=uuid5(SPACE, study + series),
            study_uid=Phi(study),
            series_uid=Phi(series),
            sop_uid=Phi(f"{series}.{number}"),
            state=InstanceState.DISCOVERED,
            output_digest=None,
            research_sop_uid=None,
            series_instances=series_has,
            study_instances=study_has,
        )
        for number in range(instances)
    ]


def test_a_whole_study_is_one_request() -> None:
    wanted = sources("1", "1.1", 3, series_has=3, study_has=5) + sources("1", "1.2", 2, series_has=2, study_has=5)
    assert requests_for(wanted) == [Request("1")]


def test_a_whole_series_is_one_request() -> None:
    wanted = sources("1", "1.1", 3, series_has=3, study_has=5)
    assert requests_for(wanted) == [Request("1", "1.1")]


def test_what_is_left_of_a_series_is_asked_for_one_by_one() -> None:
    wanted = sources("1", "1.1", 3, series_has=3, study_has=9) + sources("1", "1.2", 2, series_has=6, study_has=9)
    assert requests_for(wanted) == [
        Request("1", "1.1"),
        Request("1", "1.2", "1.2.0"),
        Request("1", "1.2", "1.2.1"),
    ]


def test_where_faces_are_looked_for_series_are_asked_for_whole_and_one_by_one() -> None:
    wanted = sources("1", "1.1", 3, series_has=3, study_has=5) + sources("1", "1.2", 1, series_has=2, study_has=5)
    assert requests_for(wanted, whole_series=True) == [Request("1", "1.1"), Request("1", "1.2")]


def test_studies_do_not_add_up_to_each_other() -> None:
    wanted = sources("1", "1.1", 2, series_has=2, study_has=4) + sources("2", "2.1", 2, series_has=2, study_has=2)
    assert requests_for(wanted) == [Request("1", "1.1"), Request("2")]


def test_nothing_is_asked_for_when_nothing_is_wanted() -> None:
    assert requests_for([]) == []


def test_late_instances_are_asked_for_without_the_rest_of_their_series(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = study("late")
    site.ingest(*slices(one, range(1, 6)))
    site.load(*slices(one, [6]))
    run = Run()
    run.discover()
    (batch,) = run.plan()

    def change(reply: Reply) -> None:
        if reply.is_wado:
            delivered.extend(reply.parts())

    delivered: list[bytes] = []
    with proxy(site.clinical, change) as between:
        monkeypatch.setenv("DICOMANON_CLINICAL__URL", between.url)
        run.pull(batch)
    assert delivered == slices(one, [6])


def test_what_the_pacs_delivers_beyond_the_request_is_left_alone(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted, others = slices(study("wanted")), slices(study("of another"))

    def change(reply: Reply) -> None:
        if reply.is_wado:
            reply.replace_parts([*others, *reply.parts(), *reply.parts()])

    with proxy(site.clinical, change) as between:
        monkeypatch.setenv("DICOMANON_CLINICAL__URL", between.url)
        site.ingest(*wanted)
    site.assert_settled(*wanted)


def test_a_second_pull_asks_for_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.load(*slices(study("once")))
    run = Run()
    (batch,) = run.pulled()
    with proxy(site.clinical, lambda reply: None) as between:
        monkeypatch.setenv("DICOMANON_CLINICAL__URL", between.url)
        assert run.pull(batch)["instances"] == 0
    assert between.paths == []


def test_a_staged_object_that_was_lost_is_pulled_again_and_is_the_same(site: Site) -> None:
    sources_ = slices(study("lost"))
    site.load(*sources_)
    run = Run()
    (batch,) = run.pulled()
    lost = sorted(site.staging.rglob("*.dcm"))[0]
    before = lost.read_bytes()
    lost.unlink()
    assert run.pull(batch)["instances"] == 1
    assert lost.read_bytes() == before
