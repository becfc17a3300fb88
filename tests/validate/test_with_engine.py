"""Examining what de-identification really makes agrees with a second, independent search for what was planted."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from tests.deidentify.builders import Instance, Leaf, letting_faces_pass

from dicomanon.deidentify import Deidentified, PatientContext, UidMapper, deidentify, encode, parse
from dicomanon.errors import Held
from dicomanon.pipeline.allowing import allowed_attributes
from dicomanon.profile import Action, CompiledProfile
from dicomanon.reasons import HoldReason
from dicomanon.sample.corpus import SampleManifest
from dicomanon.sample.leaks import LeakScanner
from dicomanon.validate.examine import Expected, examine
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
            expected = Expected(
                pseudonym=CONTEXT.pseudonym,
                study_uid=outcome.study_uid,
                series_uid=outcome.series_uid,
                sop_uid=outcome.sop_uid,
                sop_class_uid=outcome.sop_class_uid,
                output_digest=hashlib.sha256(data).digest(),
                profile_version=profile.version,
                date_shift_days=CONTEXT.date_shift_days,
            )
            made.append((source.study_uid, raw, data, expected))
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


@pytest.mark.parametrize("name", ["research", "strict", "full-dates", "device-qa"])
def test_animal_passes_with_the_empty_attributes_that_its_species_requires(name: str) -> None:
    profile = letting_faces_pass(name)
    raw = Instance(extra=(Leaf(0x00102201, "LO", "Canine"), Leaf(0x00102297, "PN", "Kowalczyk^Ada"))).raw()
    source = parse(raw)
    outcome = deidentify(source, profile, CONTEXT)
    assert isinstance(outcome, Deidentified)
    data = encode(outcome)
    person = dcmread(BytesIO(data)).ResponsiblePerson
    assert not person
    expected = Expected(
        pseudonym=CONTEXT.pseudonym,
        study_uid=outcome.study_uid,
        series_uid=outcome.series_uid,
        sop_uid=outcome.sop_uid,
        sop_class_uid=outcome.sop_class_uid,
        output_digest=hashlib.sha256(data).digest(),
        profile_version=profile.version,
        date_shift_days=CONTEXT.date_shift_days,
    )
    search = KnownValueSearch(collect_known_values(raw))
    assert examine(data, expected, search, allowed_attributes(profile.profile)).counts == {}


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
