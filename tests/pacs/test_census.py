"""Every study of an archive is found, dated or not, cut or not, and the census says by which way."""

from collections.abc import Callable

import pytest
from tests.pacs.archive import endpoint, load, make_object

from dicomanon.errors import Fatal
from dicomanon.local_stack.orthanc import OrthancServer
from dicomanon.pacs.census import ListedStudy
from dicomanon.pacs.query import ClinicalPacs


def census(server: OrthancServer, **settings: object) -> list[ListedStudy]:
    with ClinicalPacs(endpoint(server, **settings)) as pacs:
        return list(pacs.census())


def ways(listed: list[ListedStudy]) -> dict[str, set[bool]]:
    found: dict[str, set[bool]] = {}
    for one in listed:
        found.setdefault(one.uid, set()).add(one.paged)
    return found


@pytest.mark.parametrize("page_size", [1, 3, 500])
def test_dated_and_undated(clinical_orthanc: OrthancServer, page_size: int) -> None:
    dated = [make_object(f"1.2.{day}", study_date=f"202001{day:02}") for day in range(1, 8)]
    undated = [make_object(f"1.3.{number}", study_date=None, study_time=None) for number in range(3)]
    load(clinical_orthanc, *dated, *undated)
    listed = census(clinical_orthanc, page_size=page_size)
    assert ways(listed) == {f"1.2.{day}": {True, False} for day in range(1, 8)} | {
        f"1.3.{number}": {True} for number in range(3)
    }
    assert {one.instances for one in listed} == {1}
    assert {one.patient for one in listed} == {hash("MRN-1")}
    assert {one.uid for one in listed if not one.dated} == {f"1.3.{number}" for number in range(3)}


def test_an_empty_archive(clinical_orthanc: OrthancServer) -> None:
    assert census(clinical_orthanc) == []


def test_what_a_cut_answer_hides_comes_by_date_and_shows_that_it_was_cut(
    clamping_orthanc: Callable[..., OrthancServer],
) -> None:
    server = clamping_orthanc(LimitFindResults=5)
    load(server, *(make_object(f"1.2.{day}", study_date=f"202001{day:02}") for day in range(1, 21)))
    found = ways(census(server))
    assert len(found) == 20
    assert {False} in found.values()


def test_what_cannot_be_proven_is_said_after_all_that_was_found(clamping_orthanc: Callable[..., OrthancServer]) -> None:
    server = clamping_orthanc(LimitFindResults=5, LimitFindInstances=5)
    load(server, *(make_object(f"1.2.{number}") for number in range(12)), make_object("1.3", study_date="20190101"))
    found: set[str] = set()
    with ClinicalPacs(endpoint(server)) as pacs, pytest.raises(Fatal, match="cannot be split further"):
        for one in pacs.census():
            found.add(one.uid)
    assert len(found) >= 5
