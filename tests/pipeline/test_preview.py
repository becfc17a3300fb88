"""A look at what a profile does to a real object: every element is told, no value unless somebody may see it."""

from io import BytesIO

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from tests.deidentify.builders import letting_faces_pass
from tests.site import ct, encoded, study

from dicomanon.pipeline.preview import PSEUDONYM, Preview, PreviewedElement, path_name, preview
from dicomanon.profile import compile_profile, load_profile
from dicomanon.sample.leaks import LeakScanner
from dicomanon.sample.planted import Planted

STRICT = letting_faces_pass("strict")
RESEARCH = compile_profile(load_profile("research"))


def request(step: str) -> Dataset:
    item = Dataset()
    item.ScheduledProcedureStepID = step
    item.ReferencedSOPInstanceUID = "1.2.826.0.1.3680043.77"
    return item


@pytest.fixture
def source() -> Dataset:
    dataset = ct(study("preview"))
    dataset.RequestAttributesSequence = Sequence([request("STEP-1"), request("STEP-2")])
    block = dataset.private_block(0x0043, "GEMS_PARM_01", create=True)
    block.add_new(0x99, "LO", "Wolkenstein")
    return dataset


def by_path(seen: Preview) -> dict[str, PreviewedElement]:
    return {path_name(one.path): one for one in seen.elements}


def test_every_element_of_the_source_is_told_of(source: Dataset) -> None:
    seen = by_path(preview(encoded(source), STRICT))
    for element in source:
        assert f"{element.tag.group:04X},{element.tag.element:04X}" in seen, element.keyword


def test_tells_what_is_done_and_which_rule_says_so(source: Dataset) -> None:
    seen = by_path(preview(encoded(source), STRICT))
    name = seen["0010,0010"]
    assert (name.keyword, name.action, name.rule) == ("PatientName", "pseudonym", "E.1-1 Z")
    assert name.before
    assert name.after
    assert name.before.masked() == f"PN, {len(str(source.PatientName))} characters"
    assert name.before.shown() == str(source.PatientName)
    assert name.after.shown() == PSEUDONYM
    assert seen["0028,0010"].same
    assert seen["0010,0021"].after is None
    assert seen["0043,1099"].after is None
    assert seen["7FE0,0010"].same


def test_elements_that_we_write_are_told_of_too(source: Dataset) -> None:
    written = by_path(preview(encoded(source), STRICT))["0012,0062"]
    assert (written.action, written.before) == ("write", None)
    assert written.after
    assert written.after.shown() == "YES"


def test_items_of_sequences_are_counted_from_one(source: Dataset) -> None:
    seen = by_path(preview(encoded(source), RESEARCH))
    if "0040,0275[1] > 0008,1155" not in seen:
        assert seen["0040,0275"].after is None
        return
    for item in (1, 2):
        uid = seen[f"0040,0275[{item}] > 0008,1155"]
        assert uid.action == "uid"
        assert uid.after
        assert uid.after.shown().startswith("2.25.")


def test_masked_it_shows_nothing_that_identifies() -> None:
    planted = Planted()
    dataset = ct(study("masked", planted=planted))
    planted.gather(dataset)
    seen = preview(encoded(dataset), RESEARCH)
    scanner = LeakScanner(planted.values())
    told = "\n".join(
        f"{path_name(one.path)} {one.keyword} {one.action} {one.rule}"
        f" {one.before.masked() if one.before else ''} {one.after.masked() if one.after else ''}"
        for one in seen.elements
    )
    assert scanner.scan_text(told) == []
    assert scanner.scan_text(repr(seen)) == []
    assert scanner.scan_text("\n".join(one.before.shown() for one in seen.elements if one.before)) != []


def test_is_made_with_another_key_and_shift_every_time(source: Dataset) -> None:
    looks = [by_path(preview(encoded(source), STRICT))["0008,0018"].after for _ in range(2)]
    assert looks[0]
    assert looks[1]
    assert looks[0].shown() != looks[1].shown()


def test_counts_are_those_of_the_engine(source: Dataset) -> None:
    seen = preview(encoded(source), STRICT)
    assert seen.action_counts["pseudonym"] == 2
    assert sum(seen.action_counts.values()) >= len([one for one in seen.elements if len(one.path) == 1]) - 6


def test_what_would_be_held_says_why(source: Dataset) -> None:
    source.PatientID = ""
    seen = preview(encoded(source), STRICT)
    assert (seen.reason, seen.elements) == ("missing-identity", ())


def test_headers_are_shown_whatever_becomes_of_the_pixels(source: Dataset) -> None:
    source.BurnedInAnnotation = "YES"
    held, read = preview(encoded(source), STRICT), preview(encoded(source), RESEARCH)
    assert (held.reason, read.reason) == ("burned-in-risk", "")
    assert "in a run of a DAG first held until somebody has looked at the device" in read.pixels
    assert by_path(held)["0010,0010"].action == by_path(read)["0010,0010"].action == "pseudonym"
    waits = load_profile("research").model_copy(update={"unconfirmed_devices": "wait"})
    assert preview(encoded(source), compile_profile(waits)).reason == "unconfirmed-device"


def test_what_is_no_dicom_says_so() -> None:
    assert preview(b"notes of a physician", STRICT).reason == "unreadable"


def test_an_item_that_goes_moves_those_behind_it() -> None:
    from dicomanon.pipeline.preview import _after

    gone = {(0x0040A730,): [0], (0x0040A730, 2, 0x0040A730): [1]}
    assert _after((0x0040A730, 2, 0x0040A730, 3, 0x0040A160), gone) == (0x0040A730, 1, 0x0040A730, 2, 0x0040A160)
    assert _after((0x0040A730, 1), gone) == (0x0040A730, 0)


def test_a_terminal_is_shown_and_not_told_what_to_do(source: Dataset) -> None:
    source.StationName = "\x1b[2JWS1"
    value = by_path(preview(encoded(source), STRICT))["0008,1010"].before
    assert value
    assert value.shown() == "·[2JWS1"


def test_the_object_itself_stays_as_it_is(source: Dataset) -> None:
    raw = encoded(source)
    before = bytes(raw)
    preview(raw, RESEARCH)
    assert raw == before
    assert pydicom.dcmread(BytesIO(raw)).PatientID == source.PatientID
