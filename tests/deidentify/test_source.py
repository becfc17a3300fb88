import pickle
from io import BytesIO

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.deidentify.builders import (
    BIG,
    CONTEXT,
    CT,
    EXPLICIT,
    IMPLICIT,
    SERIES_UID,
    SOP_UID,
    STUDY_UID,
    Instance,
    Leaf,
    Nest,
    letting_faces_pass,
    part10,
)

from dicomanon.deidentify import HeldInstance, deidentify, parse
from dicomanon.errors import Held
from dicomanon.reasons import HoldReason


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
def test_identity_and_facts_are_read(syntax: str) -> None:
    source = parse(Instance(syntax=syntax).raw())
    assert (source.study_uid, source.series_uid, source.sop_uid) == (STUDY_UID, SERIES_UID, SOP_UID)
    assert source.sop_class_uid == CT
    assert source.identity.patient_id == "MRN-00417733"
    assert source.identity.name == "Featherstone^Wilhelmina"
    assert source.identity.birth_date == "19561107"
    assert source.identity.issuer == ""
    assert source.facts.study_date == "20240229"
    assert source.facts.accession_number == "ACC-778812"
    assert source.facts.series_description == ""


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_buffer_is_read(kind: type) -> None:
    assert parse(kind(Instance().raw())).sop_uid == SOP_UID


@pytest.mark.parametrize(
    ("charset", "encoded", "name"),
    [
        ("ISO_IR 100", "Müller^Jörg".encode("latin-1"), "Müller^Jörg"),
        ("ISO_IR 192", "Łukasz^Żak".encode(), "Łukasz^Żak"),
        ("ISO_IR 144", "Щюкин".encode("iso8859-5"), "Щюкин"),
        ("GB18030", "王^小东".encode("gb18030"), "王^小东"),
        ("\\ISO 2022 IR 87", b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B", "Yamada^Tarou=山田^太郎"),
        ("NO SUCH SET", "Müller".encode("latin-1"), "Müller"),
        ("ISO_IR 192", b"\xff\xfe", "ÿþ"),
    ],
)
def test_names_are_decoded_by_their_character_set(charset: str, encoded: bytes, name: str) -> None:
    extra = (Leaf(0x00080005, "CS", charset), Leaf(0x00100010, "PN", encoded))
    assert parse(Instance(extra=extra).raw()).identity.name == name


@pytest.mark.parametrize("tag", [0x00100020, 0x0020000D, 0x0020000E, 0x00080018])
@pytest.mark.parametrize("value", [None, "", "  ", "\0"])
def test_missing_identity_is_held(tag: int, value: str | None) -> None:
    instance = Instance(without=frozenset({tag})) if value is None else Instance(extra=(Leaf(tag, "LO", value),))
    with pytest.raises(Held) as held:
        parse(instance.raw())
    assert held.value.reason is HoldReason.MISSING_IDENTITY


@pytest.mark.parametrize("uid", ["Smith", "1.2.x", "1" * 65, "1.2\\1.3", ".1", "1.2.840.10008.1.20.1.1"])
def test_malformed_or_registered_instance_uid_is_held(uid: str) -> None:
    with pytest.raises(Held) as held:
        parse(Instance(extra=(Leaf(0x0020000D, "UI", uid),)).raw())
    assert held.value.reason is HoldReason.MISSING_IDENTITY
    assert "Smith" not in str(held.value)


def test_patient_id_hidden_in_a_sequence_does_not_count() -> None:
    extra = (Nest(0x00100020, ((Leaf(0x00100020, "LO", "X"),),)),)
    with pytest.raises(Held):
        parse(Instance(extra=extra).raw())


def test_directory_is_held() -> None:
    for raw in (
        part10(b"", sop_class="1.2.840.10008.1.3.10"),
        Instance(extra=(Leaf(0x00041130, "CS", "DISK1"),)).raw(),
    ):
        with pytest.raises(Held) as held:
            parse(raw)
        assert held.value.reason is HoldReason.DIRECTORY


def test_nothing_of_a_source_is_printed_or_pickled() -> None:
    source = parse(Instance().raw())
    for text in (repr(source), str(source), repr(source.identity), repr(source.facts)):
        assert "Featherstone" not in text
        assert "1.2.826" not in text
    with pytest.raises(TypeError):
        pickle.dumps(source)


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
@pytest.mark.parametrize("undefined", [False, True])
def test_dataset_reads_like_pydicoms_own(syntax: str, undefined: bool) -> None:
    inner = (
        Leaf(0x00080104, "LO", "inner"),
        Nest(0x00081199, ((Leaf(0x00081155, "UI", "1.2.3"),),), undefined=undefined),
    )
    raw = Instance(extra=(Nest(0x00081115, (inner, inner), undefined=undefined),), syntax=syntax).raw()
    assert parse(raw).dataset == pydicom.dcmread(BytesIO(raw))


RAW = Instance(
    extra=(
        Nest(0x00081115, ((Leaf(0x00080104, "LO", "inner"),),), undefined=True),
        Nest(0x00081199, ((Leaf(0x00081155, "UI", "1.2.3"),),)),
    )
).raw()


@settings(max_examples=400, deadline=None)
@given(st.integers(0, len(RAW) - 1), st.binary(min_size=1, max_size=6), st.booleans())
def test_damaged_file_is_read_or_held_and_nothing_else(at: int, patch: bytes, insert: bool) -> None:
    damaged = RAW[:at] + patch + RAW[at + (0 if insert else len(patch)) :]
    try:
        parse(damaged)
    except Held as held:
        assert held.reason in {HoldReason.UNREADABLE, HoldReason.MISSING_IDENTITY, HoldReason.DIRECTORY}


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(RAW) - 1))
def test_truncated_file_is_held_also_between_two_elements(length: int) -> None:
    profile = letting_faces_pass("strict")
    try:
        assert isinstance(deidentify(parse(RAW[:length]), profile, CONTEXT), HeldInstance)
    except Held as held:
        assert held.reason in {HoldReason.UNREADABLE, HoldReason.MISSING_IDENTITY}


def test_trailing_bytes_are_held_and_zero_padding_dropped() -> None:
    with pytest.raises(Held):
        parse(RAW + b"Smith^John, born 1956")
    assert parse(RAW + bytes(1024)).sop_uid == SOP_UID
