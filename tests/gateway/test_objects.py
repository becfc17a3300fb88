"""Which part of a body is which object, however it arrives, and what is passed on of it."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.pacs.archive import make_object

from dicomanon.errors import Retriable
from dicomanon.gateway.objects import Body, _passed_on, worth_sending
from dicomanon.gateway.part10 import GROUP_LENGTH_ENDS, NotDicom, needed, sop_instance_uid
from dicomanon.pacs.multipart import iter_events, iter_parts

OBJECTS = {
    uid: make_object("1.2", sop_uid=uid, payload=b"--x\r\n" * number)
    for number, uid in enumerate(["1.3", "1.4", "1.5"])
}
BODY = (
    b"".join(
        b"--b\r\nContent-Type: application/dicom\r\nContent-Location: http://inside/x\r\n\r\n" + content + b"\r\n"
        for content in OBJECTS.values()
    )
    + b"--b--\r\n"
)


def pieces(body: bytes, size: int) -> Iterator[bytes]:
    yield from (body[start : start + size] for start in range(0, len(body), size))


def passed(body: bytes, shown: set[str], size: int, whole: Body) -> bytes:
    return b"".join(_passed_on(iter_events(pieces(body, size), "b"), shown, whole)) + whole.close()


@given(st.sets(st.sampled_from(sorted(OBJECTS))), st.integers(1, 4000))
def test_what_is_shown_and_nothing_else(shown: set[str], size: int) -> None:
    missing, body = set(shown), Body("application/dicom")
    sent = passed(BODY, missing, size, body)
    assert list(iter_parts([sent], body.boundary)) == [OBJECTS[uid] for uid in OBJECTS if uid in shown]
    assert missing == set()
    assert b"inside" not in sent


def test_an_object_that_comes_twice_is_passed_on_once() -> None:
    body = Body("application/dicom")
    sent = passed(BODY.removesuffix(b"--b--\r\n") + BODY, {"1.4"}, 700, body)
    assert list(iter_parts([sent], body.boundary)) == [OBJECTS["1.4"]]


def test_what_was_not_sent_is_missing() -> None:
    missing = {"1.4", "1.9"}
    passed(BODY, missing, 700, Body("application/dicom"))
    assert missing == {"1.9"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 100,
        b"x" * 1000,
        OBJECTS["1.3"][:200],
        OBJECTS["1.3"][:132] + b"\x08\0\x05\0CS\x04\0" + OBJECTS["1.3"][140:],
        OBJECTS["1.3"][:140] + b"\xff\xff\xff\x7f" + OBJECTS["1.3"][144:],
        OBJECTS["1.3"].replace(b"\x02\0\x03\0UI", b"\x02\0\x99\0UI"),
    ],
)
def test_what_is_no_object_ends_it(content: bytes) -> None:
    body = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n--b--\r\n"
    with pytest.raises(Retriable):
        passed(body, {"1.3"}, 64, Body("application/dicom"))


def test_the_uid_of_a_file_that_is_not_shown_does_not_hide_in_another_element() -> None:
    raw = OBJECTS["1.3"]
    length = needed(raw[:GROUP_LENGTH_ENDS])
    assert sop_instance_uid(raw[:length]) == "1.3"
    with pytest.raises(NotDicom):
        sop_instance_uid(raw[:GROUP_LENGTH_ENDS])


@given(st.lists(st.binary(max_size=9)))
def test_putting_pieces_together_changes_no_byte(some: list[bytes]) -> None:
    assert b"".join(worth_sending(iter(some))) == b"".join(some)
