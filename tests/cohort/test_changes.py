"""A version says what it has that the one before had not."""

from dicomanon.cohort.changes import change_counts, changes


def test_added_removed_and_made_anew_are_told_apart() -> None:
    told = changes({1: "a", 2: "b", 3: "c"}, {1: "a", 3: "new", 4: "d"})
    assert told == {"added": ["d"], "removed": ["b", "c"], "replaced": ["new"]}
    assert change_counts(told) == {"added": 1, "removed": 2, "replaced": 1}


def test_the_same_again_has_no_changes() -> None:
    assert change_counts(changes({1: "a"}, {1: "a"})) == {"added": 0, "removed": 0, "replaced": 0}


def test_order_tells_nothing_of_which_replaces_which() -> None:
    told = changes({1: "b", 2: "a"}, {1: "c", 2: "d"})
    assert (told["removed"], told["replaced"]) == (["a", "b"], ["c", "d"])
