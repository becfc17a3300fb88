"""Which requests are made of what is shown."""

from dicomanon.crosswalk.gateway.showing import ShownObject
from dicomanon.gateway.addresses import Address
from dicomanon.gateway.plan import steps


def shown(series: str, *sops: str, whole: bool = False, whole_series: bool = True) -> list[ShownObject]:
    return [ShownObject(series, sop, whole, whole_series) for sop in sops]


def paths(asked: Address, objects: list[ShownObject]) -> list[tuple[str, set[str]]]:
    return [("/".join(step.address.path), set(step.sop_uids)) for step in steps(asked, objects)]


def test_a_study_of_which_all_is_shown_is_one_request() -> None:
    objects = shown("1.1", "a", "b", whole=True) + shown("1.2", "c", whole=True)
    assert paths(Address("1"), objects) == [("studies/1", {"a", "b", "c"})]


def test_of_another_each_whole_series_is_one_and_the_rest_are_named() -> None:
    objects = shown("1.1", "a", "b") + shown("1.2", "c", "d", whole_series=False)
    assert paths(Address("1"), objects) == [
        ("studies/1/series/1.1", {"a", "b"}),
        ("studies/1/series/1.2/instances/c", {"c"}),
        ("studies/1/series/1.2/instances/d", {"d"}),
    ]


def test_a_series() -> None:
    asked = Address("1", "1.1")
    assert paths(asked, shown("1.1", "a", "b", whole=True)) == [("studies/1/series/1.1", {"a", "b"})]
    assert [path for path, _ in paths(asked, shown("1.1", "a", "b", whole_series=False))] == [
        "studies/1/series/1.1/instances/a",
        "studies/1/series/1.1/instances/b",
    ]


def test_an_instance_is_itself() -> None:
    assert paths(Address("1", "1.1", "a"), shown("1.1", "a", whole_series=False)) == [
        ("studies/1/series/1.1/instances/a", {"a"})
    ]
