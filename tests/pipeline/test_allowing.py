"""The validator is told just what a profile lets stay."""

import pytest
from pydicom.uid import CTImageStorage

from dicomanon.pipeline.allowing import allowed_attributes
from dicomanon.profile import Profile, compile_profile, load_profile, shipped_profiles
from dicomanon.validate.allowed import DEFACING
from dicomanon.validate.elements import Element

STUDY_DESCRIPTION, PATIENT_ADDRESS, DERIVATION_CODES = 0x00081030, 0x00101040, 0x00089215


def profile(*overrides: dict[str, object]) -> Profile:
    return Profile.model_validate(
        {
            "name": "site",
            "title": "Site",
            "when_to_use": "In tests.",
            "options": ["retain-longitudinal-modified-dates"],
            "overrides": [{"reason": "because", **override} for override in overrides],
        }
    )


def element(tag: int, *path: int) -> Element:
    return Element(tag, "LO", 0, 4, path, len(path))


@pytest.mark.parametrize("name", shipped_profiles())
def test_codes_are_those_that_the_engine_claims(name: str) -> None:
    compiled = compile_profile(load_profile(name))
    assert allowed_attributes(compiled.profile).codes == {code.value for code in compiled.method_codes}


@pytest.mark.parametrize(("faces", "may_claim"), [("pass", False), ("hold", False), ("deface", True)])
def test_a_profile_that_takes_faces_out_lets_objects_claim_it(faces: str, may_claim: bool) -> None:
    ours = load_profile("research").model_copy(update={"recognizable_visual_features": faces})
    assert (DEFACING in allowed_attributes(ours).options) is may_claim


def test_override_of_an_attribute_is_passed_on() -> None:
    path = {"keyword": "StudyDescription", "path": "DerivationCodeSequence", "action": "keep"}
    allowed = allowed_attributes(profile(path, {"tag": "0010,1040", "action": "clean"}))
    here = allowed.here(CTImageStorage)
    assert here.keeps(element(STUDY_DESCRIPTION, DERIVATION_CODES))
    assert here.verdict(element(STUDY_DESCRIPTION)) == "attribute-not-allowed"
    assert here.verdict(element(PATIENT_ADDRESS)) is None
    assert not here.keeps(element(PATIENT_ADDRESS))
    assert PATIENT_ADDRESS in allowed.cleaned


def test_override_of_a_private_block_is_passed_on() -> None:
    private = {"private": {"creator": "Okonkwo Lab", "group": "0029"}, "action": "keep", "modality": "CT"}
    allowed = allowed_attributes(profile(private))
    assert allowed.here(CTImageStorage, "CT").private_vr("OKONKWO LAB", element(0x00291001)) == ""
    assert allowed.here(CTImageStorage, "MR").private_vr("OKONKWO LAB", element(0x00291001)) is None
    assert allowed.here(CTImageStorage, "CT").private_vr("OKONKWO LAB", element(0x00311001)) is None
