"""Profiles for tests."""

from dicomanon.profile import CompiledProfile, Profile, compile_profile

CT = "1.2.840.10008.5.1.4.1.1.2"
MODIFIED_DATES = "retain-longitudinal-modified-dates"
FULL_DATES = "retain-longitudinal-full-dates"


def profile(*options: str, **changes: object) -> Profile:
    return Profile.model_validate({"name": "a", "title": "A", "when_to_use": "B", "options": list(options), **changes})


def compiled(*options: str, **changes: object) -> CompiledProfile:
    return compile_profile(profile(*options, **changes))
