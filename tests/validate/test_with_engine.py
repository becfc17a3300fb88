"""Examining what de-identification really makes agrees with a second, independent search for what was planted."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from tests.deidentify.builders import Instance, Leaf, Nest, letting_faces_pass

from dicomanon.deidentify import Deidentified, PatientContext, UidMapper, deidentify, encode, parse
from dicomanon.errors import Held
from dicomanon.pipeline.allowing import allowed_attributes
from dicomanon.profile import Action, CompiledProfile
from dicomanon.reasons import HoldReason
from dicomanon.sample.corpus import SampleManifest
from dicomanon.sample.leaks import LeakScanner
from dicomanon.validate.examine import Expected, Findings, examine
from dicomanon.validate.known_values import collect_known_values
from dicomanon.validate.search import KnownValueSearch

CONTEXT = PatientContext(pseudonym="D4K7QZ0M2XYA", date_shift_days=-1500, uids=UidMapper(b"k" * 32))


@pytest.mark.parametrize("name", ["research", "strict", "full-dates", "device-qa"])
def test_sample_objects_pass_unless_something_planted_is_left(
    name: str, sample_wave_1: tuple[Path, SampleManifest]
) -> None:
    folder, manifest = sample_wave_1
    profile = letting_faces_pass(name)
    allowed = allowed_attributes(profile.profile)
    planted = [value for value in manifest.planted if len(value.encode()) >= 8]
    scanner = LeakScanner(planted)
    known: dict[str, set[str]] = defaultdict(set)
    made: list[tuple[str, bytes, bytes, Expected]] = []
    for path in sorted(folder.rglob("*.dcm")):
        raw = path.read_bytes()
        try:
            source = parse(raw)
        except Held:
            continue
        known[source.study_uid] |= collect_known_values(raw)
        outcome = deidentify(source, profile, CONTEXT)
        if isinstance(outcome, Deidentified):
            data = encode(outcome)
            made.append((source.study_uid, raw, data, _expected(outcome, data, profile)))
    assert len(made) > 50
    searches = {study: KnownValueSearch(values) for study, values in known.items()}
    for study, raw, data, expected in made:
        findings = examine(data, expected, searches[study], allowed)
        if findings.passed:
            kept = "\n".join(_kept(profile, data))
            left = [leak for leak in scanner.scan_bytes(data) if planted[leak.planted] not in kept]
            assert not left, "passed, and something planted is left that the profile does not keep"
        else:
            assert findings.reason is HoldReason.RESIDUAL_PHI, "nothing is wrong but text that is not clean"
        original = examine(raw, expected, searches[study], allowed)
        assert not original.passed
        assert original.counts["identifier"] == 6 - 1, "every identifier but the SOP class"
        assert {"known-text", "known-uid", "known-date"} <= original.counts.keys()


def test_private_creator_is_no_trace_of_a_person_who_is_called_like_the_maker() -> None:
    block = (Leaf(0x20010010, "LO", "Philips Imaging DD 001"), Leaf(0x20011003, "FL", b"\0\0\0\0"))
    raw = Instance(extra=(*block, Leaf(0x00100010, "PN", "Philip^Ada"))).raw()
    data, findings = _made_and_examined(raw, "research")
    assert b"Philips Imaging DD 001" in data
    assert findings.counts == {}


@pytest.mark.parametrize("name", ["research", "strict", "full-dates", "device-qa"])
def test_animal_passes_with_the_empty_attributes_that_its_species_requires(name: str) -> None:
    raw = Instance(extra=(Leaf(0x00102201, "LO", "Canine"), Leaf(0x00102297, "PN", "Kowalczyk^Ada"))).raw()
    data, findings = _made_and_examined(raw, name)
    assert not dcmread(BytesIO(data)).ResponsiblePerson
    assert findings.counts == {}


def test_devices_in_a_report_stay_and_pass_where_the_profile_keeps_them() -> None:
    uid = "1.2.826.0.1.3680043.8.498.4711"
    observer = tuple(
        (
            Leaf(0x0040A010, "CS", "CONTAINS"),
            Leaf(0x0040A040, "CS", value_type),
            Nest(0x0040A043, ((Leaf(0x00080100, "SH", concept), Leaf(0x00080102, "SH", "DCM")),)),
            value,
        )
        for concept, value_type, value in (
            ("121012", "UIDREF", Leaf(0x0040A124, "UI", uid)),
            ("121013", "TEXT", Leaf(0x0040A160, "UT", "Kowalczyk MR1")),
            ("121016", "TEXT", Leaf(0x0040A160, "UT", "SN-99817")),
        )
    )
    extra = (
        Leaf(0x00081070, "PN", "Kowalczyk^Ada"),
        Leaf(0x00181000, "LO", "SN-99817"),
        Leaf(0x0040A040, "CS", "CONTAINER"),
        Nest(0x0040A730, observer),
    )
    data, findings = _made_and_examined(Instance(extra=extra).raw(), "device-qa")
    items = dcmread(BytesIO(data)).ContentSequence
    assert [items[0].UID, items[1].TextValue, items[2].TextValue] == [uid, "MR1", "SN-99817"]
    assert findings.counts == {}
    assert b"SN-99817" not in _made_and_examined(Instance(extra=extra).raw(), "research")[0]


def _made_and_examined(raw: bytes, name: str) -> tuple[bytes, Findings]:
    profile = letting_faces_pass(name)
    source = parse(raw)
    outcome = deidentify(source, profile, CONTEXT)
    assert isinstance(outcome, Deidentified)
    data = bytes(encode(outcome))
    search = KnownValueSearch(collect_known_values(raw))
    return data, examine(data, _expected(outcome, data, profile), search, allowed_attributes(profile.profile))


def _expected(outcome: Deidentified, data: bytes, profile: CompiledProfile) -> Expected:
    return Expected(
        pseudonym=CONTEXT.pseudonym,
        study_uid=outcome.study_uid,
        series_uid=outcome.series_uid,
        sop_uid=outcome.sop_uid,
        sop_class_uid=outcome.sop_class_uid,
        output_digest=hashlib.sha256(data).digest(),
        profile_version=profile.version,
        date_shift_days=CONTEXT.date_shift_days,
    )


def _kept(profile: CompiledProfile, data: bytes) -> Iterator[str]:
    """Yield the values that an option of the profile retains, at every level."""
    dataset = dcmread(BytesIO(data))
    rules = profile.actions_for(dataset.SOPClassUID)
    for element in dataset.iterall():
        if (
            rules[element.tag].origin.startswith("option retain-")
            and rules[element.tag].action is not Action.SHIFT_DATE
        ):
            yield str(element.value)
