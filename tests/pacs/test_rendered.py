"""What a PACS draws itself: asked for as every PACS understands it, frame by frame."""

import pytest
from tests.deidentify.pixels.pictures import instance, slice_of_body
from tests.pacs.archive import Answer, Request, endpoint, faulty_server, load, make_object

from dicomanon.errors import Fatal, Held, Retriable
from dicomanon.local_stack.orthanc import OrthancServer
from dicomanon.pacs.query import ClinicalPacs

UIDS = ("1.2.9", "1.2.9.1", "1.2.9.1.1")
KEYWORDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
JPEG = b"\xff\xd8\xff"


def test_draws_frames_that_differ(clinical_orthanc: OrthancServer) -> None:
    frames = [slice_of_body(seed, size=64) for seed in (1, 2)]
    load(clinical_orthanc, instance(frames, **dict(zip(KEYWORDS, UIDS, strict=True))))
    with ClinicalPacs(endpoint(clinical_orthanc)) as pacs:
        first, second = (pacs.rendered_frame(*UIDS, frame) for frame in (0, 1))
        assert first.startswith(JPEG)
        assert second.startswith(JPEG)
        assert first != second
        with pytest.raises(Fatal, match="renders no picture of it"):
            pacs.rendered_frame(*UIDS, 2)


def test_says_so_where_there_is_nothing_to_draw(clinical_orthanc: OrthancServer) -> None:
    load(clinical_orthanc, make_object(UIDS[0], series_uid=UIDS[1], sop_uid=UIDS[2]))
    with ClinicalPacs(endpoint(clinical_orthanc)) as pacs, pytest.raises((Fatal, Retriable)):
        pacs.rendered_frame(*UIDS, 0)


def test_the_first_frame_is_asked_for_as_the_instance() -> None:
    def answer(_: Request) -> Answer:
        return Answer(JPEG, content_type="image/jpeg")

    with faulty_server(answer) as server, ClinicalPacs(server.endpoint()) as pacs:
        assert pacs.rendered_frame(*UIDS, 0) == JPEG
        assert pacs.rendered_frame(*UIDS, 4) == JPEG
    instance_path = "/studies/1.2.9/series/1.2.9.1/instances/1.2.9.1.1"
    assert [request.path for request in server.requests] == [
        f"{instance_path}/rendered",
        f"{instance_path}/frames/5/rendered",
    ]
    assert {request.accept for request in server.requests} == {"image/jpeg"}


@pytest.mark.parametrize(
    ("status", "error"), [(204, Fatal), (400, Fatal), (404, Held), (406, Fatal), (415, Fatal), (500, Retriable)]
)
def test_what_a_refusal_means(status: int, error: type[Exception]) -> None:
    with (
        faulty_server(lambda _: Answer(status=status)) as server,
        ClinicalPacs(server.endpoint()) as pacs,
        pytest.raises(error),
    ):
        pacs.rendered_frame(*UIDS, 0)
