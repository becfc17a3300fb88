"""What is remembered of other objects changes nothing: each comes out as if it were the only one."""

from collections.abc import Iterator

import pytest
from tests.deidentify.builders import CONTEXT, Instance, Leaf
from tests.objects import all_objects

from dicomanon.deidentify import ActionLog, Deidentified, PatientContext, UidMapper, deidentify, encode, parse
from dicomanon.deidentify.repetition import memory_for
from dicomanon.errors import Held
from dicomanon.profile import CompiledProfile, compile_profile, load_profile, shipped_profiles

PROFILES = {name: compile_profile(load_profile(name)) for name in shipped_profiles()}
SERIES_DESCRIPTION, PATIENT_NAME = 0x0008103E, 0x00100010
SOP_INSTANCE_UID, ANNOTATION_GROUP_UID = 0x00080018, 0x006A0003


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    memory_for.cache_clear()
    yield
    memory_for.cache_clear()


def come_to(raw: bytes, profile: CompiledProfile, context: PatientContext = CONTEXT) -> tuple[bytes, object]:
    outcome = deidentify(parse(raw), profile, context)
    assert isinstance(outcome, Deidentified), outcome
    return encode(outcome), outcome.action_counts


@pytest.mark.parametrize("profile", PROFILES)
def test_every_object_comes_out_as_without_memory(profile: str) -> None:
    compared = 0
    for raw in all_objects().values():
        try:
            source = parse(raw)
        except Held:
            continue
        # With a log every element is looked at.
        alone = deidentify(source, PROFILES[profile], CONTEXT, ActionLog())
        for _ in ("first", "remembered"):
            outcome = deidentify(source, PROFILES[profile], CONTEXT)
            assert type(outcome) is type(alone)
            if isinstance(outcome, Deidentified) and isinstance(alone, Deidentified):
                assert encode(outcome) == encode(alone)
                assert outcome.action_counts == alone.action_counts
                compared += 1
    assert compared > 100


def test_a_word_is_not_kept_because_another_patient_does_not_bear_it() -> None:
    described = Leaf(SERIES_DESCRIPTION, "LO", "CHEST Featherstone")
    other, theirs = (
        Instance(extra=(described, Leaf(PATIENT_NAME, "PN", name))).raw()
        for name in ("Ray^Bo", "Featherstone^Wilhelmina")
    )
    come_to(other, PROFILES["full-dates"])
    assert b"Featherstone" not in come_to(theirs, PROFILES["full-dates"])[0]


def test_dates_move_by_the_days_of_their_own_patient() -> None:
    raw = Instance().raw()
    shifts = (-1234, -4321)
    patients = [
        PatientContext(f"PATIENT{shift % 100}", shift, UidMapper(b"a key of thirty-two bytes length"))
        for shift in shifts
    ]
    alone = []
    for patient in patients:
        memory_for.cache_clear()
        alone.append(come_to(raw, PROFILES["research"], patient))
    assert [come_to(raw, PROFILES["research"], patient) for patient in patients] == alone
    assert alone[0][0] != alone[1][0]


def test_pixels_are_those_of_the_instance() -> None:
    # Padding of another size of image must not be taken for the pixels of this one.
    small = (Leaf(0x00280010, "US", b"\2\0"),)
    for extra in ((), small, ()):
        raw = Instance(extra=extra).raw()
        memory = come_to(raw, PROFILES["research"])
        memory_for.cache_clear()
        assert come_to(raw, PROFILES["research"]) == memory
        come_to(raw, PROFILES["research"])


def test_a_uid_of_the_instance_alone_is_not_given_to_another() -> None:
    # Empty where one must be: the new one is made from the SOP Instance UID.
    empty = Leaf(ANNOTATION_GROUP_UID, "UI", "")
    written = []
    for sop_uid in ("1.2.826.0.1.1", "1.2.826.0.1.2", "1.2.826.0.1.2"):
        raw = Instance(extra=(empty, Leaf(SOP_INSTANCE_UID, "UI", sop_uid))).raw()
        written.append(parse(come_to(raw, PROFILES["full-dates"])[0]).text(ANNOTATION_GROUP_UID))
    assert all(written)
    assert written[0] != written[1] == written[2]
