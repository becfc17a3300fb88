"""Of a release that is its manifest alone, the gateway shows no object until another release does."""

from tests.gateway.conftest import Getting, World


def test_a_manifest_alone_shows_nothing_and_a_later_release_with_access_does(world: World, get: Getting) -> None:
    hidden = [one for one in world.hidden() if one.study != world.partly()]
    object_of, study = hidden[0].path, f"/studies/{hidden[0].study}"
    paths = [study, object_of, f"{object_of}/metadata", f"{study}/series"]

    def listed() -> int:
        return len(get("/studies").json())

    def answers() -> list[int]:
        return [get(path).status_code for path in paths]

    rows, before = [one.row for one in hidden], listed()
    with world.site.crosswalk() as crosswalk:
        crosswalk.releases.create("LUNG", "ada", b"d", rows, request_key="names", output="manifest")
        assert answers() == [404, 404, 404, 204]
        assert listed() == before
        crosswalk.releases.create("LUNG", "ada", b"d", rows, request_key="objects")
        assert answers() == [200] * 4
        assert listed() == before + 1
