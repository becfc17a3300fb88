import re

import pytest

from dicomanon.profile import Profile, load_profile, schema

DATES = "retain-longitudinal-modified-dates"


def _profile(**changes: object) -> Profile:
    return Profile.model_validate({"name": "a", "title": "A", "when_to_use": "B", "options": [DATES], **changes})


def test_version_is_name_and_twelve_hexadecimal_digits() -> None:
    assert re.fullmatch(r"research@[0-9a-f]{12}", load_profile("research").version)


def test_version_follows_what_the_profile_does() -> None:
    assert _profile().version != _profile(options=[]).version
    assert _profile().version != _profile(name="b").version


def test_version_ignores_texts_for_people() -> None:
    assert _profile().version == _profile(title="Another", when_to_use="Another").version


def test_version_follows_the_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    before = _profile().version
    monkeypatch.setattr(schema, "tables_digest", lambda: "other")
    assert _profile().version != before


def test_method_text_fits_its_vr() -> None:
    assert len(_profile(name="a" * 32).version) <= 64
