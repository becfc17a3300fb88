"""One that fails stops no other, and is not forgotten."""

from collections.abc import Sequence

import pytest

from dicomanon.errors import DicomanonError, Fatal, Retriable
from dicomanon.one_by_one import one_by_one


def work(failures: Sequence[Exception | None], done: list[int]) -> None:
    with one_by_one("thing") as each:
        for number, failure in enumerate(failures):
            with each(str(number)):
                if failure is not None:
                    raise failure
                done.append(number)


@pytest.mark.parametrize(
    ("failures", "kind"),
    [
        ([Fatal("no"), None, Fatal("no"), None], Fatal),
        ([Fatal("no"), None, Retriable("later"), None], Retriable),
        ([ValueError("CANARY"), None, Fatal("no"), None], Fatal),
    ],
)
def test_the_others_are_done_and_it_fails_as_what_may_pass_does(
    failures: list[Exception | None], kind: type[DicomanonError], caplog: pytest.LogCaptureFixture
) -> None:
    done: list[int] = []
    with pytest.raises(kind, match="thing: 2 failed") as raised:
        work(failures, done)
    assert done == [1, 3]
    assert "CANARY" not in caplog.text + str(raised.value)


def test_where_none_fails_nothing_is_raised() -> None:
    done: list[int] = []
    work([None, None], done)
    assert done == [0, 1]
