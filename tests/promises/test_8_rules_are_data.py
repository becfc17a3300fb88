"""Promise 8: what is de-identified is said in a file, and every object names the exact version that made it."""

from pathlib import Path

import pytest
from tests.site import Ingested, Run, Site, read, slices, study

from dicomanon.errors import Fatal
from dicomanon.pipeline.outline import outline
from dicomanon.pipeline.profiles import publish_profile
from dicomanon.profile import load_profile

WITHOUT_DATES = """
name: site
title: No dates
when_to_use: For recipients who need no time at all.
options: []
"""
WITH_DATES = WITHOUT_DATES.replace("[]", "[retain-longitudinal-modified-dates]")
STUDY = study("rules")


def method(data: bytes) -> list[str]:
    return list(read(data).DeidentificationMethod)


def codes(data: bytes) -> set[str]:
    return {item.CodeValue for item in read(data).DeidentificationMethodCodeSequence}


def test_every_object_and_every_row_names_the_version_that_made_it(ingested: Ingested) -> None:
    version = load_profile("research").version
    assert all(version in method(data) for data in ingested.research.values())
    assert ingested.site.rows(
        "SELECT DISTINCT r.profile_version FROM crosswalk.instance i JOIN crosswalk.recipe r ON r.id = i.recipe_id"
    ) == [(version,)]


def test_another_file_changes_what_is_done_and_says_so(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "site.yaml"
    monkeypatch.setenv("DICOMANON_PROFILE", str(file))
    made = {}
    for number, text in enumerate((WITH_DATES, WITHOUT_DATES), start=1):
        file.write_text(text)
        (source,) = slices(STUDY, [number])
        site.ingest(source)
        ((uid, _),) = site.expected(source, profile=str(file)).items()
        made[number] = data = site.research_objects()[uid]
        version = load_profile(file).version
        assert version in method(data)
        (instance,) = site.trace(uid).instances()
        assert instance.profile_version == version
    dated, undated = read(made[1]), read(made[2])
    assert dated.StudyDate
    assert not undated.get("StudyDate")
    assert dated.LongitudinalTemporalInformationModified == "MODIFIED"
    assert undated.LongitudinalTemporalInformationModified == "REMOVED"
    assert codes(made[1]) - codes(made[2]) == {"113107"}
    assert method(made[1]) != method(made[2])


def test_what_was_stored_under_older_rules_stays_and_keeps_its_version(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = slices(STUDY, [1, 2])
    site.ingest(old)
    before = site.research_objects()
    monkeypatch.setenv("DICOMANON_PROFILE", "device-qa")
    site.ingest(old, new)
    after = site.research_objects()
    assert before.items() <= after.items()
    versions = {method(data)[1] for data in after.values()}
    assert versions == {load_profile("research").version, load_profile("device-qa").version}


def test_the_version_follows_what_is_done_and_not_what_is_said_about_it(tmp_path: Path) -> None:
    versions = {}
    for name, text in {
        "a": WITH_DATES,
        "b": WITH_DATES.replace("No dates", "Moved dates"),
        "c": WITHOUT_DATES,
    }.items():
        (tmp_path / f"{name}.yaml").write_text(text)
        versions[name] = load_profile(tmp_path / f"{name}.yaml").version
    assert versions["a"] == versions["b"] != versions["c"]


@pytest.mark.parametrize(
    "text",
    [
        WITHOUT_DATES.replace("[]", "[retain-everything]"),
        WITHOUT_DATES.replace("[]", "[clean-recognizable-visual-features]"),
        WITHOUT_DATES + "keep: [PatientName]\n",
        WITHOUT_DATES.replace("name: site", "name: Site Nine"),
        "just a text",
        "",
    ],
    ids=["no such option", "what a switch says", "unknown key", "name", "no mapping", "empty"],
)
def test_rules_that_cannot_be_kept_are_refused_before_anything_is_done(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(text)
    site.load(*slices(STUDY))
    run = Run()
    run.discover()
    (batch,) = run.plan()
    with monkeypatch.context() as patched:
        patched.setenv("DICOMANON_PROFILE", str(file))
        with pytest.raises(Fatal):
            run.pull(batch)
    assert set(site.states().values()) == {"discovered"}
    assert site.staged_files() == []


def test_an_object_made_by_other_rules_than_it_is_judged_by_is_not_stored(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.load(*slices(STUDY))
    run = Run()
    (batch,) = run.pulled()
    monkeypatch.setenv("DICOMANON_PROFILE", "strict")
    run.validate(batch)
    run.store(batch)
    run.update(batch)
    assert site.research_objects() == {}
    assert set(site.states().values()) <= {"held(nonconformant)", "held(residual-phi)"}


def test_a_published_version_needs_no_file_and_every_trace_tells_who_published_it(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(WITH_DATES)
    profile = load_profile(file)
    with site.crosswalk() as crosswalk:
        publish_profile(crosswalk, profile, actor="ada", reason="the ethics board asked")
    file.unlink()
    monkeypatch.setenv("DICOMANON_PROFILE", profile.version)
    (source,) = slices(STUDY, [1])
    site.ingest(source)
    ((uid, data),) = site.research_objects().items()
    assert profile.version in method(data)
    trace = site.trace(uid)
    (publication,) = trace.profiles
    assert (publication.version, publication.published_by) == (profile.version, "ada")
    told = "\n".join(outline(trace))
    assert f"profile {profile.version} published by ada on {publication.published_at:%Y-%m-%d %H:%M}" in told


def test_where_two_persons_decide_nothing_is_made_by_rules_that_one_stands_for(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(WITH_DATES)
    profile = load_profile(file)
    monkeypatch.setenv("DICOMANON_PROFILE_APPROVALS", "2")
    (source,) = slices(STUDY, [1])
    site.load(source)
    run = Run()
    run.discover()
    (batch,) = run.plan()
    with site.crosswalk() as crosswalk:
        for wanted in (str(file), profile.version):
            monkeypatch.setenv("DICOMANON_PROFILE", wanted)
            with pytest.raises(Fatal, match="published"):
                run.pull(batch)
        publish_profile(crosswalk, profile, actor="ada", reason="asked for")
        with pytest.raises(Fatal, match="1 of 2 persons"):
            run.pull(batch)
        assert set(site.states().values()) == {"discovered"}
        assert site.staged_files() == []
        crosswalk.profiles.approve(profile.version, actor="bob", reason="read it")
    assert run.pull(batch)["deidentified"] == 1
    run.validate(batch)
    run.store(batch)
    assert list(site.states().values()) == ["stored"]


def test_every_stored_object_has_how_often_each_action_was_carried_out(ingested: Ingested) -> None:
    assert ingested.site.rows(
        "SELECT count(*) FROM crosswalk.instance WHERE state = 'stored' AND action_counts_id IS NULL"
    ) == [(0,)]
    uid = next(iter(ingested.research))
    trace = ingested.site.trace(uid)
    (instance,) = trace.instances()
    assert instance.action_counts["uid"] >= 3
    assert instance.action_counts["pseudonym"] >= 2
    assert trace.action_counts == instance.action_counts
    told = "\n".join(outline(trace))
    assert f"{instance.action_counts['uid']} uid" in told
    assert "comes with dicomanon" in told
