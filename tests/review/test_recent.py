"""What was looked at last stays at hand, within bounds."""

from dicomanon.review.handles import Handles
from dicomanon.review.recent import Recent


def test_the_newest_stay_and_the_oldest_go() -> None:
    recent = Recent(10)
    recent.keep(1, b"aaaa")
    recent.keep(2, b"bbbb")
    assert recent.get(1) == b"aaaa"
    recent.keep(3, b"cccc")
    assert (recent.get(1), recent.get(2), recent.get(3)) == (b"aaaa", None, b"cccc")


def test_what_does_not_fit_is_not_kept() -> None:
    recent = Recent(3)
    recent.keep(1, b"aaaa")
    assert recent.get(1) is None


def test_handles_are_the_same_each_time_and_say_nothing() -> None:
    handles, others = Handles(), Handles()
    assert handles.of(7) == handles.of(7) != handles.of(8)
    assert handles.of(7) != others.of(7)
    assert handles.instance(handles.of(7)) == 7
    assert handles.instance(others.of(7)) is None
    assert handles.instance("7") is None
