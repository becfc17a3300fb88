"""Every object gets exactly one receipt, read from the answer and not from its status alone."""

import json
import re
from pathlib import Path

import pytest
from pydicom.uid import generate_uid
from tests.pacs.archive import Answer, Request, endpoint, faulty_server, make_object

from dicomanon.errors import Fatal, Retriable
from dicomanon.local_stack.orthanc import OrthancServer
from dicomanon.pacs import store
from dicomanon.pacs.store import ResearchPacs, StoreObject, StoreResult


def staged(folder: Path, count: int, study_uid: str = "2.25.1", payload: bytes = b"") -> list[StoreObject]:
    objects = []
    for number in range(count):
        sop_uid = generate_uid()
        path = folder / f"{number}.dcm"
        path.write_bytes(make_object(study_uid, sop_uid=sop_uid, payload=payload))
        objects.append(StoreObject(sop_uid, path))
    return objects


def uids_in(request: Request) -> list[str]:
    """Return the SOP Instance UIDs in a body, from its file meta elements (0002,0003)."""
    return [
        match.group(1).rstrip(b"\0").decode()
        for match in re.finditer(rb"\x02\x00\x03\x00UI..([0-9.]+\0?)", request.body, re.DOTALL)
    ]


def receipt(stored: list[str], failed: dict[str, int] | None = None) -> bytes:
    def item(uid: str, **more: object) -> dict[str, object]:
        return {"00081155": {"vr": "UI", "Value": [uid]}} | more

    return json.dumps(
        {
            "00081199": {"vr": "SQ", "Value": [item(uid) for uid in stored]},
            "00081198": {
                "vr": "SQ",
                "Value": [
                    item(uid, **{"00081197": {"vr": "US", "Value": [reason]}}) for uid, reason in (failed or {}).items()
                ],
            },
        }
    ).encode()


class TestToOrthanc:
    @pytest.mark.parametrize("threads", [1, 3])
    def test_stores_all_with_one_result_each(
        self, research_orthanc: OrthancServer, tmp_path: Path, threads: int
    ) -> None:
        objects = staged(tmp_path, 47)
        with ResearchPacs(endpoint(research_orthanc, name="research", threads=threads)) as pacs:
            results = list(pacs.store(iter(objects)))
            assert sorted(result.sop_uid for result in results) == sorted(item.sop_uid for item in objects)
            assert all(result.accepted for result in results)
            assert pacs.stored_instances("2.25.1") == {item.sop_uid for item in objects}
            assert pacs.count_instances("2.25.1") == 47

    def test_storing_again_changes_nothing(self, research_orthanc: OrthancServer, tmp_path: Path) -> None:
        objects = staged(tmp_path, 3)
        with ResearchPacs(endpoint(research_orthanc)) as pacs:
            for _ in range(2):
                assert all(result.accepted for result in pacs.store(objects))
            assert pacs.count_instances("2.25.1") == 3

    def test_one_unreadable_object_does_not_refuse_the_others(
        self, research_orthanc: OrthancServer, tmp_path: Path
    ) -> None:
        objects = staged(tmp_path, 5)
        objects[2].path.write_bytes(b"not DICOM")
        with ResearchPacs(endpoint(research_orthanc)) as pacs:
            results = {result.sop_uid: result.accepted for result in pacs.store(objects)}
            assert [results[item.sop_uid] for item in objects] == [True, True, False, True, True]
            assert pacs.count_instances("2.25.1") == 4

    def test_an_object_larger_than_a_request_goes_alone(
        self, research_orthanc: OrthancServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(store, "MOST_BYTES", 1 << 20)
        objects = staged(tmp_path, 3, payload=bytes(3 << 20))
        with ResearchPacs(endpoint(research_orthanc)) as pacs:
            assert [result.accepted for result in pacs.store(objects)] == [True] * 3

    def test_knows_nothing_of_an_unknown_study(self, research_orthanc: OrthancServer) -> None:
        with ResearchPacs(endpoint(research_orthanc)) as pacs:
            assert pacs.stored_instances("2.25.404") == set()
            assert pacs.count_instances("2.25.404") == 0

    def test_fatal_with_the_wrong_password(self, research_orthanc: OrthancServer, tmp_path: Path) -> None:
        with ResearchPacs(endpoint(research_orthanc, password="wrong")) as pacs, pytest.raises(Fatal, match="401"):
            list(pacs.store(staged(tmp_path, 1)))

    def test_nothing_to_store_is_no_error(self, research_orthanc: OrthancServer) -> None:
        with ResearchPacs(endpoint(research_orthanc)) as pacs:
            assert list(pacs.store([])) == []


class TestReceipts:
    def test_failures_within_a_202_are_refusals(self, tmp_path: Path) -> None:
        objects = staged(tmp_path, 4)
        uids = [item.sop_uid for item in objects]
        answer = Answer(receipt(uids[:2], {uids[2]: 0xA700, uids[3]: 0x0122}), status=202)
        with faulty_server(lambda _: answer) as server, ResearchPacs(server.endpoint()) as pacs:
            results = {result.sop_uid: result for result in pacs.store(objects)}
        assert [results[uid].accepted for uid in uids] == [True, True, False, False]
        assert [results[uid].status for uid in uids] == [None, None, 0xA700, 0x0122]
        assert [results[uid].retriable for uid in uids] == [False, False, True, False]

    @pytest.mark.parametrize("status", [200, 202, 409])
    def test_a_failure_counts_whatever_the_status_and_even_if_also_listed_as_stored(
        self, tmp_path: Path, status: int
    ) -> None:
        (item,) = staged(tmp_path, 1)
        answer = Answer(receipt([item.sop_uid], {item.sop_uid: 0xC000}), status=status)
        with faulty_server(lambda _: answer) as server, ResearchPacs(server.endpoint()) as pacs:
            assert list(pacs.store([item])) == [StoreResult(item.sop_uid, accepted=False, status=0xC000)]

    def test_what_the_receipt_leaves_out_is_not_accepted(self, tmp_path: Path) -> None:
        objects = staged(tmp_path, 2)
        answer = Answer(receipt([objects[0].sop_uid]))
        with faulty_server(lambda _: answer) as server, ResearchPacs(server.endpoint()) as pacs:
            assert {result.sop_uid: result.accepted for result in pacs.store(objects)} == {
                objects[0].sop_uid: True,
                objects[1].sop_uid: False,
            }

    def test_a_duplicate_is_accepted_because_it_is_there(self, tmp_path: Path) -> None:
        (item,) = staged(tmp_path, 1)
        answer = Answer(receipt([], {item.sop_uid: 0x0111}), status=409)
        with faulty_server(lambda _: answer) as server, ResearchPacs(server.endpoint()) as pacs:
            assert list(pacs.store([item])) == [StoreResult(item.sop_uid, accepted=True, status=0x0111)]

    @pytest.mark.parametrize(("status", "accepted"), [(200, True), (202, False), (409, False)])
    def test_an_answer_without_receipt_is_success_only_at_200(
        self, tmp_path: Path, status: int, accepted: bool
    ) -> None:
        (item,) = staged(tmp_path, 1)
        with faulty_server(lambda _: Answer(status=status)) as server, ResearchPacs(server.endpoint()) as pacs:
            assert list(pacs.store([item])) == [StoreResult(item.sop_uid, accepted=accepted)]

    def test_requests_are_bounded_by_count_and_bytes(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(store, "MOST_BYTES", 100_000)
        objects = staged(tmp_path, 45)
        (tmp_path / "large").mkdir()
        objects += staged(tmp_path / "large", 4, payload=bytes(60_000))
        with (
            faulty_server(lambda request: Answer(receipt(uids_in(request)))) as server,
            ResearchPacs(server.endpoint(threads=1)) as pacs,
        ):
            results = list(pacs.store(objects))
        assert [len(uids_in(request)) for request in server.requests] == [20, 20, 6, 1, 1, 1]
        assert len(results) == 49
        assert all(result.accepted for result in results)


class TestFaults:
    def test_receipts_that_came_are_yielded_before_a_failure_is_raised(self, tmp_path: Path) -> None:
        objects = staged(tmp_path, 60)
        broken = objects[25].sop_uid

        def answer(request: Request) -> Answer:
            uids = uids_in(request)
            return Answer(status=503) if broken in uids else Answer(receipt(uids))

        with faulty_server(answer) as server, ResearchPacs(server.endpoint(threads=2)) as pacs:
            results = []
            with pytest.raises(Retriable, match="503"):
                for result in pacs.store(objects):
                    results.append(result)  # noqa: PERF402 - extend would lose what came before the error
        assert len({result.sop_uid for result in results}) == len(results) >= 20
        assert broken not in {result.sop_uid for result in results}

    def test_a_request_is_never_repeated_by_itself(self, tmp_path: Path) -> None:
        with faulty_server(lambda _: Answer(status=503)) as server, ResearchPacs(server.endpoint()) as pacs:
            with pytest.raises(Retriable):
                list(pacs.store(staged(tmp_path, 1)))
            assert len(server.requests) == 1

    def test_fatal_when_a_file_has_gone_from_staging(self, research_orthanc: OrthancServer, tmp_path: Path) -> None:
        objects = staged(tmp_path, 21)
        objects[20].path.unlink()
        with ResearchPacs(endpoint(research_orthanc)) as pacs, pytest.raises(Fatal) as caught:
            list(pacs.store(objects))
        assert objects[20].sop_uid not in str(caught.value)
        assert str(tmp_path) not in str(caught.value)

    def test_fatal_when_a_file_shrinks_while_it_is_sent(
        self, research_orthanc: OrthancServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        objects = staged(tmp_path, 1)
        size = objects[0].path.stat().st_size
        monkeypatch.setattr(store, "_size", lambda _: size + 10)
        with ResearchPacs(endpoint(research_orthanc)) as pacs, pytest.raises(Fatal, match="staging"):
            list(pacs.store(objects))
