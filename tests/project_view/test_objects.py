"""Objects as two projects see them have no identifier and no date in common, and all else."""

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from io import BytesIO
from itertools import chain, islice

import pydicom
import pytest
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from tests.deidentify.builders import (
    CONTEXT,
    CT,
    EXPLICIT,
    IMPLICIT,
    PSEUDONYM,
    Instance,
    Leaf,
    Nest,
    letting_faces_pass,
)
from tests.objects.charsets import charset_objects
from tests.objects.encodings import encoding_objects
from tests.objects.every_iod import every_iod_objects
from tests.objects.shipped import sample_objects
from tests.objects.written_by_highdicom import highdicom_objects

from dicomanon.deidentify import Deidentified, deidentify, encode, parse
from dicomanon.errors import Fatal
from dicomanon.project_view.objects import as_seen
from dicomanon.project_view.view import ProjectView
from dicomanon.standard.dictionary import is_registered_uid

ONE, OTHER = ProjectView(b"1" * 32), ProjectView(b"2" * 32)
assert ONE.days(PSEUDONYM) != OTHER.days(PSEUDONYM)
DUMMY_DATES = {"19000101", "19000101000000"}
WRITTEN_DATE = re.compile(r"(?<!\d)(?:19|20)\d{2}[-/.]?(?:0[1-9]|1[0-2])[-/.]?(?:0[1-9]|[12]\d|3[01])(?!\d)")


@cache
def research_objects() -> Mapping[str, bytes]:
    """Return an object of each kind, as the research PACS has it."""
    profile = letting_faces_pass("research")
    sources = (
        sample_objects(),
        charset_objects(),
        encoding_objects(),
        highdicom_objects(),
        islice(every_iod_objects(), 0, None, 4),
    )
    found = {}
    for name, data in chain.from_iterable(sources):
        outcome = deidentify(parse(data), profile, CONTEXT)
        if isinstance(outcome, Deidentified):
            found[name] = encode(outcome)
    return found


def elements(dataset: Dataset) -> Iterator[DataElement]:
    for element in dataset:
        yield element
        if element.VR == "SQ":
            for item in element.value:
                yield from elements(item)


def values(data: bytes, keep: Callable[[DataElement], bool]) -> set[str]:
    dataset = pydicom.dcmread(BytesIO(data), force=False)
    found = (*elements(dataset.file_meta), *elements(dataset))
    return {
        str(value)
        for element in found
        if keep(element) and element.value is not None
        for value in (element.value if element.VM > 1 else [element.value])
        if str(value)
    }


def own_uids(data: bytes) -> set[str]:
    ours = "2.25.81127440752956781760564039549336706729"  # our implementation's
    return {uid for uid in values(data, lambda one: one.VR == "UI") if not is_registered_uid(uid)} - {ours}


def dates(data: bytes) -> set[str]:
    return values(data, lambda one: one.VR in {"DA", "DT"}) - DUMMY_DATES


def dates_by_tag(data: bytes) -> Iterator[tuple[int, str]]:
    for element in pydicom.dcmread(BytesIO(data)):
        if element.VR in {"DA", "DT"} and element.value and str(element.value) not in DUMMY_DATES:
            yield element.tag, str(element.value)


def written_dates(data: bytes) -> set[str]:
    texts = values(data, lambda one: one.VR in {"LO", "SH", "LT", "ST", "UT", "UC"})
    return {match for text in texts for match in WRITTEN_DATE.findall(text)}


def test_there_are_objects_of_all_kinds() -> None:
    assert len(research_objects()) > 100
    assert sum(bool(dates(data)) for data in research_objects().values()) > 100


def test_no_identifier_and_no_date_is_in_two_of_them() -> None:
    for name, data in research_objects().items():
        three = (data, as_seen(data, ONE, PSEUDONYM), as_seen(data, OTHER, PSEUDONYM))
        for what in (own_uids, written_dates):
            found = [what(one) for one in three]
            assert not found[0] & found[1] | found[0] & found[2] | found[1] & found[2], (name, what)
        assert own_uids(three[1]), name
        told = [dict(dates_by_tag(one)) for one in three]
        for tag, day in told[0].items():
            assert len({day, told[1][tag], told[2][tag]}) == 3, (name, tag)
        for one in three[1:]:
            assert PSEUDONYM.encode() not in one, name


def test_dates_move_by_the_days_of_project_and_patient() -> None:
    for name, data in research_objects().items():
        before, after = (pydicom.dcmread(BytesIO(one)) for one in (data, as_seen(data, ONE, PSEUDONYM)))
        if before.get("StudyDate") and before.StudyDate not in DUMMY_DATES:
            moved = day(after.StudyDate) - day(before.StudyDate)
            assert moved == dt.timedelta(days=ONE.days(PSEUDONYM)), name
            assert after.LongitudinalTemporalInformationModified == "MODIFIED", name


def test_all_else_stays_as_it_is() -> None:
    changed = {"UI", "DA", "DT", "PN", "LO", "SH", "LT", "ST", "UT", "UC", "UR", "SQ"}
    for name, data in research_objects().items():
        before, after = (pydicom.dcmread(BytesIO(one)) for one in (data, as_seen(data, ONE, PSEUDONYM)))
        assert set(after.keys()) == set(before.keys()), name
        for element in before:
            if element.VR not in changed and element.keyword not in {
                "EncapsulatedDocument", "EncapsulatedDocumentLength", "LongitudinalTemporalInformationModified"
            }:  # fmt: skip
                assert after[element.tag].value == element.value, (name, element.tag)


def test_the_same_object_gives_the_same_bytes() -> None:
    for data in list(research_objects().values())[::20]:
        assert as_seen(data, ONE, PSEUDONYM) == as_seen(data, ONE, PSEUDONYM)


def test_a_reference_leads_to_the_object_as_the_project_sees_it() -> None:
    referenced = "2.25.77"
    nodes = (Nest(0x00081140, ((Leaf(0x00081150, "UI", CT), Leaf(0x00081155, "UI", referenced)),)),)
    seen = pydicom.dcmread(BytesIO(as_seen(made(*nodes), ONE, PSEUDONYM)))
    (item,) = seen.ReferencedImageSequence
    assert item.ReferencedSOPInstanceUID == ONE.uid(referenced)
    assert item.ReferencedSOPClassUID == CT
    assert seen.file_meta.MediaStorageSOPInstanceUID == seen.SOPInstanceUID


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_private_attributes_stay_unless_nobody_knows_what_is_in_them(syntax: str) -> None:
    nodes = (
        Leaf(0x00190010, "LO", "SIEMENS MR HEADER"),
        Leaf(0x0019100C, "IS", "1000"),  # b-value, of PS3.15 Table E.3.10-1
        Leaf(0x00190011, "LO", "NOBODY"),
        Leaf(0x00191101, "UN", b"2.25.99 "),
    )
    seen = pydicom.dcmread(BytesIO(as_seen(made(*nodes, syntax=syntax), ONE, PSEUDONYM)))
    assert bytes(str(seen[0x0019100C].value), "ascii").strip(b"b'") in {b"1000"}
    assert 0x00191101 not in seen


def test_versions_of_context_groups_go_for_they_are_published() -> None:
    code = (Leaf(0x00080100, "SH", "T-1"), Leaf(0x00080106, "DT", "20190115"), Leaf(0x0008010F, "CS", "1"))
    seen = pydicom.dcmread(BytesIO(as_seen(made(Nest(0x00082218, (code,))), ONE, PSEUDONYM)))
    assert "ContextGroupVersion" not in seen.AnatomicRegionSequence[0]


def test_kept_dates_are_said_to_be_modified_and_removed_ones_removed() -> None:
    for before, after in (("UNMODIFIED", "MODIFIED"), ("MODIFIED", "MODIFIED"), ("REMOVED", "REMOVED")):
        seen = as_seen(made(Leaf(0x00280303, "CS", before)), ONE, PSEUDONYM)
        assert pydicom.dcmread(BytesIO(seen)).LongitudinalTemporalInformationModified == after


def test_an_object_of_somebody_else_is_refused() -> None:
    with pytest.raises(Fatal, match="another pseudonym"):
        as_seen(made(), ONE, "D00000000000")


def test_an_object_that_would_tell_its_research_identifier_is_refused() -> None:
    with pytest.raises(Fatal, match="nothing of it is written"):
        as_seen(made(Leaf(0x00104000, "OB", PSEUDONYM)), ONE, PSEUDONYM)


def test_what_cannot_be_read_is_refused_without_a_value() -> None:
    with pytest.raises(Fatal) as refused:
        as_seen(made()[:-3], ONE, PSEUDONYM)
    assert PSEUDONYM not in str(refused.value)


def day(text: str) -> dt.date:
    return dt.datetime.strptime(text, "%Y%m%d").date()


def made(*nodes: Leaf | Nest, syntax: str = EXPLICIT) -> bytes:
    return Instance(extra=(Leaf(0x00100020, "LO", PSEUDONYM), *nodes), syntax=syntax).raw()
