"""The bytes come as the PACS sent them, one object after the other, and a broken body is noticed."""

import hashlib

import pytest
from pydicom.uid import generate_uid
from tests.pacs.archive import Answer, Request, endpoint, faulty_server, load, make_object

from dicomanon.errors import Fatal, Held, Retriable
from dicomanon.local_stack.orthanc import OrthancServer
from dicomanon.pacs.multipart import boundary_of, iter_parts
from dicomanon.pacs.query import ClinicalPacs
from dicomanon.reasons import HoldReason

MULTIPART = 'multipart/related; type="application/dicom"; boundary="b1"'


def body_of(*parts: bytes, closed: bool = True) -> bytes:
    body = b"".join(b"\r\n--b1\r\nContent-Type: application/dicom\r\n\r\n" + part for part in parts)
    return body + (b"\r\n--b1--\r\n" if closed else b"")


class TestFromOrthanc:
    def test_yields_each_object_of_a_study_unchanged(self, clinical_orthanc: OrthancServer) -> None:
        objects = [make_object("1.1", series_uid=f"1.1.{n % 2}", payload=bytes(range(256)) * n) for n in range(1, 9)]
        load(clinical_orthanc, *objects, make_object("1.2"))
        with ClinicalPacs(endpoint(clinical_orthanc)) as pacs:
            parts = list(pacs.retrieve_study("1.1"))
        assert sorted(parts) == sorted(objects)

    def test_yields_a_series_or_an_instance_alone(self, clinical_orthanc: OrthancServer) -> None:
        sop = generate_uid()
        wanted = make_object("1.1", series_uid="1.1.1", sop_uid=sop)
        load(clinical_orthanc, wanted, make_object("1.1", series_uid="1.1.2"))
        with ClinicalPacs(endpoint(clinical_orthanc)) as pacs:
            assert list(pacs.retrieve_series("1.1", "1.1.1")) == [wanted]
            assert list(pacs.retrieve_instance("1.1", "1.1.1", sop)) == [wanted]

    def test_carries_an_object_much_larger_than_a_chunk(self, clinical_orthanc: OrthancServer) -> None:
        large = make_object("1.1", payload=hashlib.shake_256(b"noise").digest(9 << 20))
        load(clinical_orthanc, large)
        with ClinicalPacs(endpoint(clinical_orthanc)) as pacs:
            assert list(pacs.retrieve_study("1.1")) == [large]

    def test_gives_up_where_more_comes_than_may(self, clinical_orthanc: OrthancServer) -> None:
        sop = generate_uid()
        wanted = make_object("1.1", series_uid="1.1.1", sop_uid=sop, payload=bytes(3 << 20))
        load(clinical_orthanc, wanted)
        with ClinicalPacs(endpoint(clinical_orthanc)) as pacs:
            with pytest.raises(Fatal, match="the clinical PACS sends more than 2 MB"):
                next(pacs.retrieve_instance("1.1", "1.1.1", sop, most_bytes=2 << 20))
            assert next(pacs.retrieve_instance("1.1", "1.1.1", sop, most_bytes=4 << 20)) == wanted

    def test_held_when_the_study_has_gone(self, clinical_orthanc: OrthancServer) -> None:
        with ClinicalPacs(endpoint(clinical_orthanc)) as pacs, pytest.raises(Held) as caught:
            list(pacs.retrieve_study("1.2.3"))
        assert caught.value.reason is HoldReason.NOT_RETRIEVED

    def test_may_be_abandoned_half_way(self, clinical_orthanc: OrthancServer) -> None:
        load(clinical_orthanc, *(make_object("1.1") for _ in range(5)))
        with ClinicalPacs(endpoint(clinical_orthanc)) as pacs:
            parts = pacs.retrieve_study("1.1")
            next(parts)
            parts.close()  # type: ignore[attr-defined]
            assert len(list(pacs.retrieve_study("1.1"))) == 5


class TestBrokenBodies:
    @pytest.mark.parametrize(
        "answer",
        [
            pytest.param(
                Answer(body_of(b"one", b"two", b"thr", closed=False), content_type=MULTIPART, send_length=False),
                id="connection-closed",
            ),
            pytest.param(
                Answer(body_of(b"one", b"two", b"thr", closed=False), content_type=MULTIPART, announced_length=9999),
                id="shorter-than-announced",
            ),
            pytest.param(
                Answer(
                    b"%x\r\n%s\r\n"
                    % (len(body_of(b"one", b"two", b"thr")), body_of(b"one", b"two", b"thr", closed=False)),
                    content_type=MULTIPART,
                    headers={"Transfer-Encoding": "chunked"},
                    send_length=False,
                ),
                id="within-a-chunk-of-the-transfer",
            ),
            pytest.param(
                Answer(body_of(b"one", b"two", b"thr")[:-6], content_type=MULTIPART, send_length=False),
                id="within-the-closing-delimiter",
            ),
        ],
    )
    def test_retriable_after_the_whole_parts(self, answer: Answer) -> None:
        with faulty_server(lambda _: answer) as server, ClinicalPacs(server.endpoint()) as pacs:
            parts = []
            with pytest.raises(Retriable):
                for part in pacs.retrieve_study("1.1"):
                    parts.append(part)  # noqa: PERF402 - extend would lose what came before the error
        assert parts == [b"one", b"two"]

    def test_a_part_that_is_no_dicom_does_not_stop_the_others(self) -> None:
        answer = Answer(body_of(b"one", b"", b"\r\n--b", b"\r\n--b2\r\n", b"five"), content_type=MULTIPART)
        with faulty_server(lambda _: answer) as server, ClinicalPacs(server.endpoint()) as pacs:
            assert list(pacs.retrieve_study("1.1")) == [b"one", b"", b"\r\n--b", b"\r\n--b2\r\n", b"five"]

    def test_an_empty_study_is_no_error(self) -> None:
        with (
            faulty_server(lambda _: Answer(b"--b1--", content_type=MULTIPART)) as server,
            ClinicalPacs(server.endpoint()) as pacs,
        ):
            assert list(pacs.retrieve_study("1.1")) == []

    def test_a_lone_instance_may_come_without_multipart(self) -> None:
        with (
            faulty_server(lambda _: Answer(b"DICM", content_type="application/dicom")) as server,
            ClinicalPacs(server.endpoint()) as pacs,
        ):
            assert list(pacs.retrieve_instance("1.1", "1.1.1", "1.1.1.1")) == [b"DICM"]

    def test_fatal_when_something_else_is_answered(self) -> None:
        with (
            faulty_server(lambda _: Answer(b"<html>", content_type="text/html")) as server,
            ClinicalPacs(server.endpoint()) as pacs,
            pytest.raises(Fatal),
        ):
            list(pacs.retrieve_study("1.1"))

    def test_never_asks_for_a_transcoded_object(self) -> None:
        seen: list[Request] = []

        def answer(request: Request) -> Answer:
            seen.append(request)
            return Answer(b"--b1--", content_type=MULTIPART)

        with faulty_server(answer) as server, ClinicalPacs(server.endpoint()) as pacs:
            list(pacs.retrieve_study("1.1"))
        assert seen[0].path == "/studies/1.1"
        assert "transfer-syntax=*" in seen[0].accept


class TestIterParts:
    @pytest.mark.parametrize("size", [1, 2, 3, 7, 10_000])
    def test_parts_are_the_same_however_the_body_is_cut_into_chunks(self, size: int) -> None:
        parts = [b"", b"x", b"\r\n", b"--b1", b"\r\n--b", bytes(range(256)), b"\r\n\r\n--"]
        body = body_of(*parts)
        assert list(iter_parts((body[n : n + size] for n in range(0, len(body), size)), "b1")) == parts

    @pytest.mark.parametrize(
        ("content_type", "boundary"),
        [
            ('multipart/related; type="application/dicom"; boundary=abc', "abc"),
            ('Multipart/Related; BOUNDARY="a b:c"; type=x', "a b:c"),
            ("multipart/related", None),
            ("application/dicom; boundary=abc", None),
            ("", None),
        ],
    )
    def test_boundary_is_read_from_any_spelling(self, content_type: str, boundary: str | None) -> None:
        assert boundary_of(content_type) == boundary
