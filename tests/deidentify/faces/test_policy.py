"""What the profile says about faces is done, and the object says what is true."""

from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from tests.deidentify.builders import CONTEXT, CT, Instance, Leaf, Nest

from dicomanon.deidentify import Deidentified, Face, HeldInstance, deidentify, encode, parse
from dicomanon.deidentify.faces.facts import facts_of
from dicomanon.errors import Held
from dicomanon.profile import compile_profile, load_profile
from dicomanon.profile.schema import Profile
from dicomanon.reasons import HoldReason

HEAD = Leaf(0x00180015, "CS", "HEAD")
CHEST = Leaf(0x00180015, "CS", "CHEST")
ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"


def profile(faces: str) -> Profile:
    return load_profile("research").model_copy(update={"recognizable_visual_features": faces})


def result(instance: Instance, faces: str = "pass") -> Dataset:
    done = deidentify(parse(instance.raw()), compile_profile(profile(faces)), CONTEXT)
    assert isinstance(done, Deidentified)
    return dcmread(BytesIO(encode(done)))


def held(instance: Instance, faces: str = "hold") -> HeldInstance:
    done = deidentify(parse(instance.raw()), compile_profile(profile(faces)), CONTEXT)
    assert isinstance(done, HeldInstance)
    return done


@pytest.mark.parametrize("before", ["", "NO", "YES"])
def test_a_head_that_passes_says_that_it_may_show_a_face(before: str) -> None:
    extra = (HEAD, Leaf(0x00280302, "CS", before)) if before else (HEAD,)
    assert result(Instance(extra)).RecognizableVisualFeatures == "YES"


def test_no_claim_is_made_of_what_passes() -> None:
    codes = {item.CodeValue for item in result(Instance((HEAD,))).DeidentificationMethodCodeSequence}
    assert "113102" not in codes


@pytest.mark.parametrize("extra", [(CHEST,), ()])
def test_where_no_face_is_known_nothing_is_said(extra: tuple[Leaf, ...]) -> None:
    assert "RecognizableVisualFeatures" not in result(Instance(extra))


def test_what_the_source_says_stays_where_we_cannot_know() -> None:
    assert result(Instance((CHEST, Leaf(0x00280302, "CS", "NO")))).RecognizableVisualFeatures == "NO"


@pytest.mark.parametrize(("extra", "why"), [((HEAD,), "may-show-a-face: word-head"), ((), "cannot-tell: no-hint")])
def test_held_where_the_profile_holds_faces(extra: tuple[Leaf, ...], why: str) -> None:
    assert held(Instance(extra)) == HeldInstance(HoldReason.RECOGNIZABLE_FACE, why)


@pytest.mark.parametrize("faces", ["hold", "deface"])
def test_what_shows_no_face_passes_a_profile_that_lets_none_out(faces: str) -> None:
    assert "RecognizableVisualFeatures" not in result(Instance((CHEST,)), faces)


@pytest.mark.parametrize(("extra", "why"), [((HEAD,), "may-show-a-face: word-head"), ((), "cannot-tell: no-hint")])
def test_held_without_its_series_where_the_profile_defaces(extra: tuple[Leaf, ...], why: str) -> None:
    why += "; it was not seen with its series"
    assert held(Instance(extra), "deface") == HeldInstance(HoldReason.RECOGNIZABLE_FACE, why)


@pytest.mark.parametrize("extra", [(HEAD,), ()])
def test_held_where_no_face_was_found_whether_the_header_speaks_of_one_or_cannot_tell(extra: tuple[Leaf, ...]) -> None:
    source, compiled = parse(Instance(extra).raw()), compile_profile(profile("deface"))
    none = Held(HoldReason.RECOGNIZABLE_FACE, "there is no nose")
    done = deidentify(source, compiled, CONTEXT, face=none)
    assert isinstance(done, HeldInstance)
    assert done.detail.endswith("; there is no nose")


@pytest.mark.parametrize("faces", ["pass", "hold"])
def test_a_face_is_taken_out_by_a_profile_that_says_so_only(faces: str) -> None:
    source = parse(Instance((CHEST,)).raw())
    done = deidentify(source, compile_profile(profile(faces)), CONTEXT, face=Face(None, 0.0))  # type: ignore[arg-type]
    assert isinstance(done, Deidentified)
    assert "113102" not in {
        item.CodeValue for item in dcmread(BytesIO(encode(done))).DeidentificationMethodCodeSequence
    }


def test_strict_holds_and_the_other_shipped_profiles_pass() -> None:
    choices = {name: load_profile(name).recognizable_visual_features for name in ("strict", "research", "full-dates")}
    assert choices == {"strict": "hold", "research": "pass", "full-dates": "pass"}


def test_codes_and_geometry_of_an_image_are_read() -> None:
    region = Nest(0x00082218, ((Leaf(0x00080100, "SH", "69536005"), Leaf(0x00080104, "LO", "Head")),))
    geometry = (Leaf(0x00200037, "DS", "1\\0\\0\\0\\1\\0"), Leaf(0x00180050, "DS", "5.0"), Leaf(0x00180088, "DS", "9"))
    facts = facts_of(parse(Instance((region, *geometry)).raw()))
    assert (facts.regions, facts.across, facts.step_mm, facts.extent_mm) == (("69536005",), (0, 0, 1), 9, None)
    assert "Head" in facts.texts


def test_functional_groups_of_a_multi_frame_object_are_read() -> None:
    anatomy = Nest(0x00209071, ((Nest(0x00082218, ((Leaf(0x00080100, "SH", "69536005"),),)),),))
    plane = Nest(0x00209116, ((Leaf(0x00200037, "DS", "1\\0\\0\\0\\1\\0"),),))
    measures = Nest(0x00289110, ((Leaf(0x00180050, "DS", "2.5"),),))
    frames = tuple((Nest(0x00209113, ((Leaf(0x00200032, "DS", f"0\\0\\{at}"),),)),) for at in (0, 100, 50))
    extra = (Nest(0x52009229, ((anatomy, plane, measures),)), Nest(0x52009230, frames))
    facts = facts_of(parse(Instance(extra, sop_class=ENHANCED_CT).raw()))
    assert (facts.iod, facts.regions, facts.across) == ("enhanced-ct-image", ("69536005",), (0, 0, 1))
    assert (facts.step_mm, facts.extent_mm) == (2.5, 100)


@pytest.mark.parametrize("value", ["x\\y", "1\\0\\0", "\\\\\\\\\\"])
def test_geometry_that_is_no_number_is_not_read(value: str) -> None:
    facts = facts_of(parse(Instance((Leaf(0x00200037, "DS", value), Leaf(0x00180050, "DS", "thin"))).raw()))
    assert (facts.across, facts.step_mm) == (None, None)


def test_a_plain_ct_is_a_volume() -> None:
    assert facts_of(parse(Instance(sop_class=CT).raw())).iod == "ct-image"
