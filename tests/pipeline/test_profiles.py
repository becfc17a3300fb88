"""One place turns a setting into rules, and uses none that too few persons stand for."""

from pathlib import Path

import pytest

from dicomanon.crosswalk.database import Crosswalk
from dicomanon.errors import Fatal
from dicomanon.pipeline.profiles import (
    content_of,
    find_profile,
    opened,
    publish_profile,
    require_profile_name,
    resolve_profile,
)
from dicomanon.profile import Profile, load_profile, shipped_profiles

OWN = """
name: site
title: No dates
when_to_use: For recipients who need no time at all.
options: []
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(OWN)
    return path


@pytest.fixture
def own(file: Path) -> Profile:
    return load_profile(file)


def publish(crosswalk: Crosswalk, profile: Profile, actor: str = "ada") -> None:
    publish_profile(crosswalk, profile, actor=actor, reason="asked for")


class TestResolve:
    @pytest.mark.parametrize("approvals", [1, 2, 5])
    @pytest.mark.parametrize("name", shipped_profiles())
    def test_what_comes_with_the_release_is_published_by_it(
        self, crosswalk: Crosswalk, name: str, approvals: int
    ) -> None:
        profile = load_profile(name)
        assert resolve_profile(name, crosswalk, approvals) == profile
        assert resolve_profile(profile.version, crosswalk, approvals) == profile

    def test_a_file_is_used_where_one_person_decides(self, crosswalk: Crosswalk, file: Path, own: Profile) -> None:
        assert resolve_profile(str(file), crosswalk) == own

    def test_a_published_version_is_used_without_its_file(self, crosswalk: Crosswalk, file: Path, own: Profile) -> None:
        publish(crosswalk, own)
        file.unlink()
        assert resolve_profile(own.version, crosswalk) == own

    def test_a_version_that_nobody_published_is_refused(self, crosswalk: Crosswalk, own: Profile) -> None:
        with pytest.raises(Fatal, match=own.version):
            resolve_profile(own.version, crosswalk)

    def test_another_version_of_a_shipped_profile_is_refused(self, crosswalk: Crosswalk) -> None:
        with pytest.raises(Fatal, match="strict@0123456789ab"):
            resolve_profile("strict@0123456789ab", crosswalk)

    @pytest.mark.parametrize("by", ["version", "file"])
    def test_where_two_decide_one_is_not_enough(self, crosswalk: Crosswalk, file: Path, own: Profile, by: str) -> None:
        wanted = own.version if by == "version" else str(file)
        with pytest.raises(Fatal, match="published"):
            resolve_profile(wanted, crosswalk, 2)
        publish(crosswalk, own)
        with pytest.raises(Fatal, match="1 of 2 persons"):
            resolve_profile(wanted, crosswalk, 2)
        crosswalk.profiles.approve(own.version, actor="bob", reason="read it")
        assert resolve_profile(wanted, crosswalk, 2) == own
        with pytest.raises(Fatal, match="2 of 3 persons"):
            resolve_profile(wanted, crosswalk, 3)

    def test_a_file_that_was_changed_after_it_was_approved_is_refused(
        self, crosswalk: Crosswalk, file: Path, own: Profile
    ) -> None:
        publish(crosswalk, own)
        crosswalk.profiles.approve(own.version, actor="bob", reason="read it")
        file.write_text(OWN.replace("[]", "[retain-longitudinal-modified-dates]"))
        with pytest.raises(Fatal, match="is not published"):
            resolve_profile(str(file), crosswalk, 2)

    @pytest.mark.parametrize("content", ["{}", '{"name":"other"}', "no JSON"])
    def test_content_that_this_release_reads_otherwise_is_refused(self, crosswalk: Crosswalk, content: str) -> None:
        crosswalk.profiles.publish("site@0123456789ab", content, actor="ada", reason="old", code_version="0.0.1")
        with pytest.raises(Fatal, match=r"published with dicomanon 0\.0\.1") as refused:
            resolve_profile("site@0123456789ab", crosswalk)
        assert refused.value.__cause__ is None

    def test_rules_of_another_version_than_they_are_published_under_are_refused(
        self, crosswalk: Crosswalk, own: Profile
    ) -> None:
        crosswalk.profiles.publish(
            "site@0123456789ab", content_of(own), actor="ada", reason="old", code_version="0.0.1"
        )
        with pytest.raises(Fatal, match="means something else"):
            resolve_profile("site@0123456789ab", crosswalk)


class TestPublish:
    def test_what_is_kept_is_the_whole_profile(self, crosswalk: Crosswalk, own: Profile) -> None:
        published, new = publish_profile(crosswalk, own, actor="ada", reason="asked for")
        assert new
        assert opened(published) == own
        assert published.publication.version == own.version
        assert find_profile(own.version, crosswalk) == own

    def test_what_comes_with_the_release_needs_none(self, crosswalk: Crosswalk) -> None:
        with pytest.raises(Fatal, match="comes with this release"):
            publish(crosswalk, load_profile("strict"))

    def test_a_name_of_the_release_is_not_taken(self, crosswalk: Crosswalk, file: Path) -> None:
        file.write_text(OWN.replace("name: site", "name: research"))
        with pytest.raises(Fatal, match="a name of its own"):
            publish(crosswalk, load_profile(file))
        assert crosswalk.profiles.all() == []


def test_a_name_is_refused_before_the_crosswalk_is_asked(file: Path) -> None:
    for possible in ("research", "site@0123456789ab", str(file)):
        require_profile_name(possible)
    for impossible in ("reserch", "nowhere.yaml", "site@", "site@XYZ"):
        with pytest.raises(Fatal):
            require_profile_name(impossible)
