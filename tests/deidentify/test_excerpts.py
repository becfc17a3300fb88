"""Facts that are derived once for a series are those of the object at hand: a wrong one would let a name pass."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.deidentify.builders import BIG, EXPLICIT, IMPLICIT, Instance, Leaf, Nest, part10, write
from tests.objects import all_objects

from dicomanon.deidentify import source as sources
from dicomanon.deidentify.excerpts import LONGEST, OncePerSeries, elements_of, once_per_series
from dicomanon.deidentify.faces.facts import facts_of
from dicomanon.deidentify.header import Header
from dicomanon.deidentify.pixels import facts as pixel_facts
from dicomanon.deidentify.source import parse
from dicomanon.deidentify.study_facts import study_facts
from dicomanon.deidentify.text import known_values
from dicomanon.errors import Held

DERIVED: dict[str, OncePerSeries[object]] = {
    "identity": sources._identity,
    "study": study_facts,
    "face": facts_of,
    "pixels": pixel_facts._facts,
    "known": known_values._known_values,
}  # type: ignore[dict-item]
PATIENT_NAME, SERIES_DESCRIPTION, CHARACTER_SET = 0x00100010, 0x0008103E, 0x00080005


def described(value: Leaf | Nest) -> Instance:
    return Instance(extra=(value,))


@pytest.fixture
def asked() -> list[str]:
    return []


@pytest.fixture
def name_of(asked: list[str]) -> OncePerSeries[str]:
    @once_per_series(elements_of(lambda: [PATIENT_NAME]))
    def name_of(header: Header) -> str:
        """Return the name."""
        asked.append(header.text(PATIENT_NAME))
        return asked[-1]

    return name_of


@pytest.mark.parametrize("derived", DERIVED.values(), ids=DERIVED)
def test_every_object_has_the_facts_that_it_has_alone(derived: OncePerSeries[object]) -> None:
    compared = 0
    for raw in all_objects().values():
        try:
            source = parse(raw)
        except Held:
            continue
        alone = derived.derive(source)
        assert derived(source) == alone
        assert derived(parse(raw)) == alone
        compared += 1
    assert compared > 100


@pytest.mark.parametrize("derived", DERIVED.values(), ids=DERIVED)
def test_whatever_element_differs_from_the_slice_before_counts(derived: OncePerSeries[object]) -> None:
    extra = (
        Leaf(CHARACTER_SET, "CS", "ISO_IR 100"),
        Leaf(0x00081030, "LO", "CT HEAD"),
        Leaf(0x00081090, "LO", "Model 8"),
        Leaf(0x00180050, "DS", "1.25"),
        Leaf(0x00200037, "DS", "1\\0\\0\\0\\1\\0"),
        Leaf(0x00280301, "CS", "NO"),
        Leaf(0x00181020, "LO", "VA48"),
        Nest(0x00082218, ((Leaf(0x00080100, "SH", "69536005"), Leaf(0x00080104, "LO", "Head")),)),
        Nest(0x00400275, ((Leaf(0x00401001, "SH", "RP998877"), Leaf(0x00321060, "LO", "CT")),)),
        Nest(0x00081084, ((Nest(0x00401101, ((Leaf(0x00080104, "LO", "Brightwater, Ann"),),)),),)),
    )
    instance = Instance(extra=extra)
    derived(parse(instance.raw()))
    for node in instance.nodes():
        if node.tag in {0x0020000D, 0x0020000E, 0x00080018, 0x00280100}:
            continue
        if isinstance(node, Leaf):
            value = node.value.encode() if isinstance(node.value, str) else node.value
            changed: Leaf | Nest = replace(node, value=b"9" + value[1:])
        else:
            changed = replace(node, items=(*node.items, (Leaf(PATIENT_NAME, "PN", "Quill^Nora"),)))
        others = tuple(other for other in extra if other.tag != node.tag)
        for different in (Instance(extra=(*others, changed)), Instance(extra=others, without=frozenset({node.tag}))):
            try:
                source = parse(different.raw())
            except Held:
                continue
            assert derived(source) == derived.derive(source), hex(node.tag)


def test_same_bytes_are_asked_once_and_others_anew(name_of: OncePerSeries[str], asked: list[str]) -> None:
    other = Instance(extra=(Leaf(PATIENT_NAME, "PN", "Quill^Nora"),))
    for instance in (Instance(), other, Instance(), other, described(Leaf(SERIES_DESCRIPTION, "LO", "CHEST"))):
        name_of(parse(instance.raw()))
    assert asked == ["Featherstone^Wilhelmina", "Quill^Nora"]


def test_same_bytes_in_another_character_set_are_read_by_it(name_of: OncePerSeries[str]) -> None:
    name = Leaf(PATIENT_NAME, "PN", b"M\xd6LLER^A")
    read = [
        name_of(parse(Instance(extra=(Leaf(CHARACTER_SET, "CS", terms), name)).raw()))
        for terms in ("ISO_IR 100", "ISO_IR 144", "ISO_IR 126")
    ]
    assert len(set(read)) == 3


def test_same_elements_in_another_transfer_syntax_are_read_by_it(name_of: OncePerSeries[str]) -> None:
    names = {name_of(parse(Instance(syntax=syntax).raw())) for syntax in (EXPLICIT, IMPLICIT, BIG)}
    assert names == {"Featherstone^Wilhelmina"}


def test_a_function_sees_no_element_that_it_is_not_found_by() -> None:
    seen: list[list[int]] = []

    @once_per_series(elements_of(lambda: [PATIENT_NAME]))
    def look(header: Header) -> None:
        seen.append([element.tag for element in header.file.elements])
        assert header.file.media_storage_sop_class == ""

    look(parse(Instance(extra=(Leaf(CHARACTER_SET, "CS", "ISO_IR 100"),)).raw()))
    assert seen == [[CHARACTER_SET, 0x00080016, PATIENT_NAME]]


def test_headers_that_must_not_be_copied_are_read_where_they_are() -> None:
    names: list[str] = []

    @once_per_series(elements_of(lambda: [0x00081199]))
    def look(header: Header) -> None:
        names.append(header.text(0x00081199))

    data = write(Instance().nodes())
    # Reserved bytes of a long header that are not zero.
    strange = b"\x08\x00\x99\x11UT\x07\x07" + (4).to_bytes(4, "little") + b"text"
    for _ in range(2):
        look(parse(part10(strange + data)))
    assert names == ["text", "text"]
    assert not look._remembered.cache_info().currsize


def test_long_excerpts_and_old_ones_are_not_kept(name_of: OncePerSeries[str], asked: list[str]) -> None:
    long = Instance(extra=(Leaf(PATIENT_NAME, "PN", "N" * LONGEST),))
    for _ in range(2):
        name_of(parse(long.raw()))
    assert len(asked) == 2
    for number in range(200):
        name_of(parse(Instance(extra=(Leaf(PATIENT_NAME, "PN", f"Quill^{number}"),)).raw()))
    kept = name_of._remembered.cache_info()
    assert kept.currsize == kept.maxsize < 200


def test_documented_as_what_it_is(name_of: Callable[[Header], str]) -> None:
    assert name_of.__doc__ == "Return the name."
