import re

import pytest
from pydantic import ValidationError
from tests.profile.making import FULL_DATES, MODIFIED_DATES, profile

from dicomanon.profile import Profile, load_profile, schema, shipped_profiles

OVERRIDE = {"keyword": "StationName", "action": "keep", "reason": "Scanners differ."}


def test_version_is_name_and_twelve_hexadecimal_digits() -> None:
    assert re.fullmatch(r"research@[0-9a-f]{12}", load_profile("research").version)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "b"},
        {"options": ["retain-uids", "retain-safe-private"]},
        {"maximum_age": 79},
        {"maximum_age": None},
        {"birth_date": "shift"},
        {"trust_block_identifying_information": True},
        {"outside_iod": "remove"},
        {"unconfirmed_devices": "read"},
        {"overrides": [OVERRIDE]},
        {"overrides": [{**OVERRIDE, "modality": "CT"}]},
        {"overrides": [{**OVERRIDE, "action": "scrub"}]},
    ],
    ids=str,
)
def test_version_follows_what_the_profile_does(changes: dict[str, object]) -> None:
    options = [MODIFIED_DATES, "retain-patient-characteristics", "retain-safe-private"]
    assert profile(*options).version != profile(**{"options": options, **changes}).version


def test_versions_of_the_shipped_profiles_differ() -> None:
    versions = {load_profile(name).version for name in shipped_profiles()}
    assert len(versions) == len(shipped_profiles()) == 4


def test_version_ignores_texts_for_people_and_order() -> None:
    options = ["retain-uids", MODIFIED_DATES]
    other = {"keyword": "Manufacturer", "action": "empty"}
    same = [
        profile(*options, overrides=[OVERRIDE, other]),
        profile(*options[::-1], overrides=[OVERRIDE, other], title="Another", when_to_use="Another"),
        profile(*options, overrides=[other, {**OVERRIDE, "reason": "Another"}]),
    ]
    assert len({one.version for one in same}) == 1


def test_version_follows_the_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    before = profile().version
    monkeypatch.setattr(schema, "tables_digest", lambda: "other")
    assert profile().version != before


def test_method_text_fits_its_vr() -> None:
    assert len(profile(name="a" * 32).version) <= 64


@pytest.mark.parametrize("name", shipped_profiles())
def test_what_is_written_out_is_read_back_as_the_same(name: str) -> None:
    ours = load_profile(name)
    assert Profile.model_validate(ours.model_dump(mode="json")) == ours


@pytest.mark.parametrize(
    ("options", "changes", "message"),
    [
        ([MODIFIED_DATES, FULL_DATES], {}, "contradict each other"),
        ([], {"birth_date": "shift"}, "needs the option"),
        ([FULL_DATES], {"birth_date": "shift"}, "needs the option"),
        ([], {"birth_date": "keep"}, "birth_date"),
        ([], {"maximum_age": 79}, "no age is kept"),
        ([], {"trust_block_identifying_information": True}, "no private attribute is kept"),
        ([], {"recognizable_visual_features": "blur"}, "recognizable_visual_features"),
        (["clean-recognizable-visual-features"], {}, "say recognizable_visual_features: deface"),
        (["retain-uids", "retain-uids"], {}, "listed twice"),
    ],
)
def test_contradictions_are_refused(options: list[str], changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        profile(*options, **changes)
