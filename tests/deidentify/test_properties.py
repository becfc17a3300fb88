"""What must hold for every object: nothing planted survives, results are stable, second passes change nothing more."""

import csv
from io import BytesIO
from pathlib import Path

import pydicom
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from tests.deidentify.builders import CONTEXT, EXPLICIT, IMPLICIT, Instance, Leaf, Nest, Node, letting_faces_pass

import dicomanon.standard
from dicomanon.deidentify import Deidentified, HeldInstance, PatientContext, UidMapper, deidentify, encode, parse
from dicomanon.errors import Held
from dicomanon.profile import compile_profile, load_profile

RESEARCH = compile_profile(load_profile("research"))
STRICT = letting_faces_pass("strict")
PROFILES = st.sampled_from([RESEARCH, STRICT])

DATA = Path(dicomanon.standard.__file__).parent / "data" / "ps3_15_table_e1_1.csv"
with DATA.open(encoding="utf-8", newline="") as stream:
    ROWS = [row for row in csv.DictReader(stream) if "x" not in row["tag"] and "gggg" not in row["tag"]]
HEADER_SIGNALS = {0x00181012}
IDENTITY = {0x00080018, 0x0020000D, 0x0020000E, 0x00100020}
IDENTIFYING = [
    (int(row["tag"].replace(",", ""), 16), row["vr"])
    for row in ROWS
    if row["tag"][:4] not in {"0000", "0002", "0004"} and row["vr"] not in {"SQ", "US"} and row["rtn_pat_chars"] != "K"
]
KEPT_SEQUENCES = [0x00081115, 0x0040A375, 0x00189346, 0x52009229, 0x0040A370]
REMOVED_SEQUENCES = [0x00101002, 0x00400275, 0x0040A730, 0x00081140, 0x04000561, 0x00880200]

TOKENS = st.text("BCDFGHJKLMNPQRSTVWXZ", min_size=10, max_size=16).map(lambda text: f"Q{text}Q")


def _leaf(tag: int, vr: str, token: str) -> Leaf:
    return Leaf(tag, vr, token.encode())


@st.composite
def planted_leaves(draw: st.DrawFn, token: str) -> Leaf:
    kind = draw(st.sampled_from(["identifying", "identifying", "private", "un", "unknown", "wrong"]))
    if kind == "private":
        group = draw(st.sampled_from([0x0009, 0x0011, 0x0029, 0x7FE1]))
        return _leaf(
            group << 16 | draw(st.integers(0x10, 0x10FF)), draw(st.sampled_from(["LO", "PN", "UN", "OB"])), token
        )
    if kind == "unknown":
        return _leaf(0x0008 << 16 | draw(st.sampled_from([0x0002, 0x0003, 0x00FF])), "LO", token)
    tag, vr = draw(st.sampled_from(IDENTIFYING))
    if kind == "un":
        return _leaf(tag, "UN", token)
    if kind == "wrong":
        return _leaf(tag, draw(st.sampled_from(["LO", "PN", "UT", "OB", "UI", "DA"])), token)
    return _leaf(tag, vr, token)


def _without_duplicates(nodes: list[Node]) -> tuple[Node, ...]:
    return tuple({node.tag: node for node in nodes}.values())


@st.composite
def planted_nodes(draw: st.DrawFn, token: str, depth: int) -> tuple[Node, ...]:
    nodes: list[Node] = draw(st.lists(planted_leaves(token), min_size=1, max_size=4))
    if depth:
        for _ in range(draw(st.integers(0, 2))):
            tag = draw(st.sampled_from([*KEPT_SEQUENCES, *KEPT_SEQUENCES, *REMOVED_SEQUENCES, 0x00091002, 0x00291010]))
            items = tuple(draw(planted_nodes(token, depth - 1)) for _ in range(draw(st.integers(1, 2))))
            vr = draw(st.sampled_from(["SQ", "SQ", "UN"]))
            nodes.append(Nest(tag, items, vr=vr, undefined=draw(st.booleans())))
    return _without_duplicates(nodes)


@st.composite
def planted_instances(draw: st.DrawFn) -> tuple[str, bytes]:
    token = draw(TOKENS)
    nodes = [
        node
        for node in draw(planted_nodes(token, draw(st.integers(0, 4))))
        if node.tag not in IDENTITY | HEADER_SIGNALS
    ]
    sop_class = draw(st.sampled_from(["1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4.1"]))
    syntax = draw(st.sampled_from([EXPLICIT, IMPLICIT]))
    preamble = draw(st.sampled_from([bytes(128), token.encode().ljust(128, b"\0")]))
    return token, Instance(extra=tuple(nodes), sop_class=sop_class, syntax=syntax, preamble=preamble).raw()


RELAXED = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@RELAXED
@given(planted_instances(), PROFILES)
def test_no_planted_token_survives_anywhere_in_the_bytes(planted, profile) -> None:  # type: ignore[no-untyped-def]
    token, raw = planted
    outcome = deidentify(parse(raw), profile, CONTEXT)
    assert isinstance(outcome, Deidentified), outcome
    data = encode(outcome)
    assert token.encode() not in data
    assert token.encode("utf-16-le") not in data
    str(pydicom.dcmread(BytesIO(data)))


@RELAXED
@given(planted_instances(), PROFILES)
def test_same_input_gives_the_same_bytes(planted, profile) -> None:  # type: ignore[no-untyped-def]
    _, raw = planted
    again = PatientContext(CONTEXT.pseudonym, CONTEXT.date_shift_days, UidMapper(b"a key of thirty-two bytes length"))
    first, second = deidentify(parse(raw), profile, CONTEXT), deidentify(parse(bytearray(raw)), profile, again)
    assert isinstance(first, Deidentified)
    assert isinstance(second, Deidentified)
    assert encode(first) == encode(first) == encode(second)


def _shape(dataset: Dataset) -> list[object]:
    """Tags and values at every level, but for what moves with each pass: UIDs and dates."""
    shape: list[object] = []
    for element in dataset:
        if element.VR == "SQ":
            shape.append((element.tag, [_shape(item) for item in element.value]))
        else:
            moves = element.VR in {"UI", "DA", "DT"}
            shape.append((element.tag, bool(element.value) if moves else element.value))
    return shape


@RELAXED
@given(planted_instances(), PROFILES)
def test_second_pass_changes_nothing_but_uids_and_dates(planted, profile) -> None:  # type: ignore[no-untyped-def]
    _, raw = planted
    once = deidentify(parse(raw), profile, CONTEXT)
    assert isinstance(once, Deidentified)
    twice = deidentify(parse(encode(once)), profile, CONTEXT)
    assert isinstance(twice, Deidentified)
    assert _shape(pydicom.dcmread(BytesIO(encode(twice)))) == _shape(pydicom.dcmread(BytesIO(encode(once))))


@RELAXED
@given(planted_instances(), st.integers(0, 4000), st.binary(min_size=1, max_size=8))
def test_damaged_object_is_held_or_comes_out_well_formed(planted, at, patch) -> None:  # type: ignore[no-untyped-def]
    _, raw = planted
    at %= len(raw)
    try:
        source = parse(raw[:at] + patch + raw[at + len(patch) :])
    except Held:
        return
    outcome = deidentify(source, RESEARCH, CONTEXT)
    if isinstance(outcome, HeldInstance):
        return
    assert isinstance(outcome, Deidentified)
    parse(encode(outcome))


@RELAXED
@given(
    st.lists(
        st.dates(min_value=pydicom.valuerep.DA("19200101"), max_value=pydicom.valuerep.DA("20991231")),
        min_size=2,
        max_size=6,
    )
)
def test_intervals_between_the_dates_of_a_patient_survive(days) -> None:  # type: ignore[no-untyped-def]
    shifted = []
    for day in days:
        raw = Instance(extra=(Leaf(0x00080020, "DA", f"{day:%Y%m%d}"),)).raw()
        outcome = deidentify(parse(raw), RESEARCH, CONTEXT)
        assert isinstance(outcome, Deidentified)
        shifted.append(pydicom.valuerep.DA(pydicom.dcmread(BytesIO(encode(outcome))).StudyDate))
    assert [day - shifted[0] for day in shifted] == [day - days[0] for day in days]
    assert all(new != old for new, old in zip(shifted, days, strict=True))
