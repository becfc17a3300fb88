"""Examining what de-identification really makes agrees with a second, independent search for what was planted."""

import hashlib
from collections import defaultdict
from pathlib import Path

import pytest

from dicomanon.deidentify import Deidentified, PatientContext, UidMapper, deidentify, encode, parse
from dicomanon.errors import Held
from dicomanon.profile import compile_profile, load_profile
from dicomanon.sample.corpus import SampleManifest
from dicomanon.sample.leaks import LeakScanner
from dicomanon.validate.allowed import AllowedAttributes
from dicomanon.validate.examine import Expected, examine
from dicomanon.validate.known_values import collect_known_values
from dicomanon.validate.search import KnownValueSearch

CONTEXT = PatientContext(pseudonym="D4K7QZ0M2XYA", date_shift_days=-1500, uids=UidMapper(b"k" * 32))


@pytest.mark.parametrize("name", ["research", "strict"])
def test_sample_objects_pass_unless_something_planted_is_left(
    name: str, sample_wave_1: tuple[Path, SampleManifest]
) -> None:
    folder, manifest = sample_wave_1
    profile = compile_profile(load_profile(name))
    allowed = AllowedAttributes.for_options(profile.profile.options)
    scanner = LeakScanner([value for value in manifest.planted if len(value.encode()) >= 8])
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
            assert not list(scanner.scan_bytes(data)), "passed, and something planted is left"
        else:
            assert findings.counts.keys() <= {"known-text", "known-number", "known-uid", "known-date"}
        original = examine(raw, expected, searches[study], allowed)
        assert not original.passed
        assert original.counts["identifier"] == 6 - 1, "every identifier but the SOP class"
        assert {"known-text", "known-uid", "known-date"} <= original.counts.keys()
