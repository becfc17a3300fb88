"""Objects leave an Orthanc for good; what it does not do is not believed."""

import pytest
from pydicom.uid import generate_uid
from tests.pacs.archive import endpoint, load, make_object

from dicomanon.errors import Fatal
from dicomanon.local_stack.orthanc import OrthancServer
from dicomanon.pacs.removal import ByHand, OrthancRemover, remover_for
from dicomanon.pacs.store import ResearchPacs

STUDY, SERIES = "1.2.3", "1.2.3.4"


def filled(server: OrthancServer, number: int) -> list[str]:
    uids = [str(generate_uid()) for _ in range(number)]
    load(server, *(make_object(STUDY, series_uid=SERIES, sop_uid=uid) for uid in uids))
    return uids


def shown(server: OrthancServer, *uids: str) -> set[str]:
    with ResearchPacs(endpoint(server)) as pacs:
        listed = pacs.stored_instances(STUDY)
        found = {uid for uid in uids if pacs.shows(STUDY, SERIES, uid)}
        return listed | found


def test_just_what_was_asked_for_is_removed(research_orthanc: OrthancServer) -> None:
    uids = filled(research_orthanc, 103)
    remover = remover_for(endpoint(research_orthanc), research_orthanc.url)
    remover.remove(uids[1:])
    assert shown(research_orthanc, *uids[:3]) == {uids[0]}


def test_what_is_not_there_is_passed_over(research_orthanc: OrthancServer) -> None:
    uids = filled(research_orthanc, 2)
    remover = OrthancRemover(endpoint(research_orthanc), research_orthanc.url)
    remover.remove([uids[0], "2.25.1"])
    remover.remove([uids[0], "2.25.1"])
    assert shown(research_orthanc, *uids) == {uids[1]}


def test_an_object_that_lies_in_two_studies_leaves_both(research_orthanc: OrthancServer) -> None:
    load(research_orthanc, *(make_object(study, series_uid=study, sop_uid="1.2.9") for study in ("1.2.5", "1.2.6")))
    OrthancRemover(endpoint(research_orthanc), research_orthanc.url).remove(["1.2.9"])
    with ResearchPacs(endpoint(research_orthanc)) as pacs:
        assert pacs.stored_instances("1.2.5") | pacs.stored_instances("1.2.6") == set()


def test_without_an_address_of_its_rest_api_nothing_is_removed(research_orthanc: OrthancServer) -> None:
    uids = filled(research_orthanc, 1)
    remover = remover_for(endpoint(research_orthanc), "")
    assert isinstance(remover, ByHand) and remover.means == "by hand"
    remover.remove(uids)
    assert shown(research_orthanc, *uids) == set(uids)


def test_a_login_that_may_not_is_told(research_orthanc: OrthancServer) -> None:
    stranger = endpoint(research_orthanc, password="wrong")
    with pytest.raises(Fatal, match="401"):
        OrthancRemover(stranger, research_orthanc.url).remove(["1.2.9"])
