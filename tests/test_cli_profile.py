"""``dicomanon profile`` as people run it: the rules are shown, checked, compared, tried and put into force."""

import json
import os
import pwd
import subprocess
from pathlib import Path

import psycopg
import pytest
from tests.command import dicomanon, without_settings
from tests.site import ct, encoded, study

from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.profile import load_profile, shipped_profiles
from dicomanon.sample.leaks import LeakScanner
from dicomanon.sample.planted import Planted

DONE, DIFFERENT, WRONG_LINE, FATAL, TRY_AGAIN = 0, 1, 2, 3, 4
HELD = 1
ME = pwd.getpwuid(os.getuid()).pw_name
OWN = """
name: site
title: No dates
when_to_use: For recipients who need no time at all.
options: []
"""


class Command:
    """Runs ``dicomanon profile`` in an environment that names no site unless it is given one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = without_settings() | {"DICOMANON_STATE_DIR": str(folder / "state")}

    def __call__(self, *arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        return dicomanon("profile", *arguments, environment=self.environment | variables, cwd=self.folder)


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command(tmp_path)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    file = tmp_path / "site.yaml"
    file.write_text(OWN)
    return file


@pytest.fixture
def at_site(command: Command, crosswalk_dsn: str, tmp_path: Path) -> Command:
    """The command at a site with a crosswalk, and no PACS."""
    keys = tmp_path / "keyring.json"
    Keyring.generate(keys)
    with Crosswalk(crosswalk_dsn, Keyring.load(keys)) as crosswalk:
        crosswalk.migrate()
    command.environment |= {"DICOMANON_CROSSWALK_DSN": crosswalk_dsn, "DICOMANON_KEYRING_FILE": str(keys)}
    return command


def version_of(file: Path) -> str:
    return load_profile(file).version


class TestList:
    def test_without_a_crosswalk_it_names_what_comes_with_the_release(self, command: Command) -> None:
        done = command("list")
        assert done.returncode == DONE
        for name in shipped_profiles():
            assert load_profile(name).version in done.stdout
        assert "comes with dicomanon" in done.stdout
        assert "no crosswalk here" in done.stderr

    @pytest.mark.parametrize("name", ["research", "strict"])
    def test_marks_the_one_in_force(self, command: Command, name: str) -> None:
        wanted = {} if name == "research" else {"DICOMANON_PROFILE": name}
        marked = [line for line in command("list", **wanted).stdout.splitlines() if line.endswith("(in force)")]
        assert len(marked) == 1
        assert marked[0].startswith(f"{load_profile(name).version}  ")

    def test_names_the_one_in_force_where_it_is_a_file(self, command: Command, own: Path) -> None:
        done = command("list", DICOMANON_PROFILE=str(own))
        assert f"in force: {version_of(own)}, by DICOMANON_PROFILE={own}" in done.stdout

    def test_breaks_lines_and_leaves_one_blank_between_profiles(self, command: Command) -> None:
        text = command("list").stdout
        assert max(map(len, text.splitlines())) <= 110
        assert all(f"\n\n{load_profile(name).version}" in f"\n\n{text}" for name in shipped_profiles())

    def test_for_programs(self, command: Command) -> None:
        rows = json.loads(command("list", "--json").stdout)
        assert [row["name"] for row in rows if row["in_force"]] == ["research"]
        assert [row["name"] for row in rows] == list(shipped_profiles())
        assert all(row["title"] and row["when_to_use"] and row["published_by"] is None for row in rows)

    def test_names_what_was_published_and_by_whom(self, at_site: Command, own: Path) -> None:
        at_site("publish", own, "--reason", "asked for")
        done = at_site("list")
        assert version_of(own) in done.stdout
        assert f"published by {ME} on " in done.stdout

    def test_still_names_what_this_release_cannot_use(self, at_site: Command, tmp_path: Path) -> None:
        dsn = at_site.environment["DICOMANON_CROSSWALK_DSN"]
        with Crosswalk(dsn, Keyring.load(tmp_path / "keyring.json")) as crosswalk:
            crosswalk.profiles.publish("old@0123456789ab", "{}", actor="ada", reason="then", code_version="0.0.1")
        done = at_site("list")
        assert "old@0123456789ab" in done.stdout
        assert "not with this release; published with dicomanon 0.0.1" in done.stdout


class TestShow:
    @pytest.mark.parametrize("name", shipped_profiles())
    def test_says_all_that_a_profile_does(self, command: Command, name: str) -> None:
        done = command("show", name)
        profile = load_profile(name)
        assert done.returncode == DONE
        for word in (profile.version, profile.title, profile.when_to_use, "Basic Profile of PS3.15", *profile.options):
            assert word in done.stdout

    @pytest.mark.parametrize("name", shipped_profiles())
    def test_its_yaml_comes_to_the_same_version(self, command: Command, tmp_path: Path, name: str) -> None:
        file = tmp_path / "copy.yaml"
        file.write_text(command("show", name, "--yaml").stdout)
        assert load_profile(file) == load_profile(name)

    def test_a_published_one_needs_no_file_and_tells_who_and_why(self, at_site: Command, own: Path) -> None:
        at_site("publish", own, "--reason", "the ethics board asked")
        version = version_of(own)
        own.unlink()
        done = at_site("show", version)
        assert done.returncode == DONE
        assert f"published by {ME}" in done.stdout
        assert f"{ME}: the ethics board asked" in done.stdout

    @pytest.mark.parametrize("name", shipped_profiles())
    def test_speaks_of_ages_only_where_they_are_kept(self, command: Command, name: str) -> None:
        keeps_ages = "retain-patient-characteristics" in load_profile(name).options
        assert ("maximum age" in command("show", name).stdout) is keeps_ages

    @pytest.mark.parametrize(
        ("version", "said"),
        [
            ("strict@000000000000", load_profile("strict").version),
            ("site@000000000000", "there is no crosswalk here"),
        ],
    )
    def test_a_version_of_elsewhere_needs_a_crosswalk_and_says_so(
        self, command: Command, version: str, said: str
    ) -> None:
        done = command("show", version)
        assert done.returncode == FATAL
        assert f"{version} is not shipped with this release" in done.stderr
        assert said in done.stderr

    def test_for_programs(self, command: Command) -> None:
        shown = json.loads(command("show", "strict", "--json").stdout)
        assert shown["profile"]["name"] == "strict"
        assert shown["version"] == load_profile("strict").version

    @pytest.mark.parametrize("wanted", ["reserch", "site@0123456789ab"])
    def test_what_is_not_there_is_refused(self, at_site: Command, wanted: str) -> None:
        done = at_site("show", wanted)
        assert done.returncode == FATAL
        assert wanted in done.stderr


class TestCheck:
    def test_of_a_good_file_says_what_it_does(self, command: Command, own: Path) -> None:
        done = command("check", own)
        assert done.returncode == DONE
        assert done.stdout.startswith(f"ok: {version_of(own)}\n")
        assert "options             none" in done.stdout

    @pytest.mark.parametrize(
        ("text", "places"),
        [
            (OWN.replace("[]", "[retain-everything]"), ["line 5, column 11"]),
            (OWN.replace("name: site", "name: Our Site") + "keep: all\n", ["line 2, column 1", "line 6, column 1"]),
            ("a: [", ["line 1"]),
            ("", ["line 1"]),
        ],
        ids=["option", "two", "no YAML", "empty"],
    )
    def test_of_a_bad_one_says_all_that_is_wrong_and_where(
        self, command: Command, own: Path, text: str, places: list[str]
    ) -> None:
        own.write_text(text)
        done = command("check", own)
        assert done.returncode == FATAL
        assert done.stdout == ""
        for place in places:
            assert f"{own}: {place}" in done.stderr

    def test_of_none_is_a_wrong_line(self, command: Command) -> None:
        assert command("check", "research").returncode == WRONG_LINE


class TestCheckNames:
    def test_the_name_of_a_shipped_profile_is_refused_for_another_content(self, command: Command, own: Path) -> None:
        own.write_text(OWN.replace("site", "strict") + "birth_date: remove\noutside_iod: remove\n")
        done = command("check", own)
        assert (done.returncode, done.stdout) == (FATAL, "")
        assert done.stderr == f"{own}: name: strict is a profile of the release: give yours a name of its own\n"

    def test_a_copy_of_a_shipped_profile_is_ok(self, command: Command, own: Path) -> None:
        own.write_text(command("show", "strict", "--yaml").stdout)
        assert command("check", own).returncode == DONE


class TestCheckHints:
    def test_what_may_be_misspelt_is_said_and_the_profile_is_ok(self, command: Command, own: Path) -> None:
        own.write_text(f"{OWN}overrides:\n  - {{keyword: StationName, modality: FOO, action: remove}}\n")
        done = command("check", own)
        assert done.returncode == DONE
        assert done.stderr.startswith("hint: overrides[0].modality: no defined term")


class TestExplain:
    def test_tells_what_happens_which_rule_says_so_and_where_the_standard_has_it(self, command: Command) -> None:
        done = command("explain", "0010,0010", "--profile", "strict")
        assert done.returncode == DONE
        for word in ("(0010,0010) PatientName", "pseudonym", "E.1-1 Z", "PS3.15", load_profile("strict").version):
            assert word in done.stdout

    def test_of_pixel_data_it_tells_what_happens_in_them(self, command: Command) -> None:
        research, strict = (
            command("explain", "PixelData", "--profile", name).stdout for name in ("research", "strict")
        )
        assert "text that identifies is made black" in research
        assert "objects in which text is likely are held; faces hold the object" in strict

    @pytest.mark.parametrize(
        "spelling", ["PatientName", "patientname", "(0010,0010)", "00100010", "0010,0010", "Patient's Name"]
    )
    def test_takes_tags_and_keywords(self, command: Command, spelling: str) -> None:
        assert command("explain", spelling).stdout == command("explain", "PatientName").stdout

    @pytest.mark.parametrize(
        ("spelling", "creator"),
        [("GEMS_PARM_01,0043,27", "GEMS_PARM_01"), ("HOLOGIC, Inc.,0019,xx07", "HOLOGIC, Inc.")],
    )
    def test_takes_private_attributes(self, command: Command, spelling: str, creator: str) -> None:
        found = json.loads(command("explain", spelling, "--json").stdout)
        assert found["creator"] == creator
        assert "E.3.10" in found["paragraph"]

    @pytest.mark.parametrize(
        "spelling", ["CTImageStorage", "CT Image Storage", "ct image", "1.2.840.10008.5.1.4.1.1.2"]
    )
    def test_takes_sop_classes_by_uid_keyword_and_name(self, command: Command, spelling: str) -> None:
        found = json.loads(command("explain", "StationName", "--sop-class", spelling, "--json").stdout)
        assert found["sop_class"] == "1.2.840.10008.5.1.4.1.1.2"
        assert found["by_sop_class"] == []

    def test_says_that_the_sop_class_matters_and_that_overrides_hold_elsewhere(
        self, command: Command, own: Path
    ) -> None:
        own.write_text(f"{OWN}overrides:\n  - {{keyword: ContentDate, modality: CT, action: remove}}\n")
        told = command("explain", "ContentDate", "--profile", own).stdout
        assert "none named, and it depends on it" in told
        assert "ContentDate of modality CT: remove: --sop-class, --modality and --path ask for it" in told

    def test_a_private_creator_stays_with_what_it_reserves(self, command: Command) -> None:
        assert "it stays with what it reserves" in command("explain", "0051,0010").stdout

    def test_takes_a_path_of_sequences(self, command: Command) -> None:
        path = "RequestAttributesSequence > 0040,0008"
        found = json.loads(command("explain", "CodeMeaning", "--path", path, "--json").stdout)
        assert (found["tag"], found["path"]) == ("0008,0104", path)

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("PatientNam",), "perhaps PatientName"),
            (("0029,1010",), '"CREATOR,0029,10"'),
            (("PatientName", "--sop-class", "CT Imag"), "perhaps CTImageStorage"),
            (("PatientName", "--path", "RequestAtributesSequence"), "perhaps RequestAttributesSequence"),
            (("PatientName", "--path", "PatientID"), "no sequence"),
        ],
    )
    def test_a_name_that_is_none_is_a_wrong_line_and_tells_what_was_meant(
        self, command: Command, arguments: tuple[str, ...], said: str
    ) -> None:
        done = command("explain", *arguments)
        assert done.returncode == WRONG_LINE
        assert said in " ".join(done.stderr.split())

    def test_explains_the_profile_that_the_site_works_by(self, command: Command, own: Path) -> None:
        done = command("explain", "StudyDate", DICOMANON_PROFILE=str(own))
        assert version_of(own) in done.stdout


class TestDiff:
    def test_of_two_that_differ_names_options_and_attributes(self, command: Command, own: Path) -> None:
        done = command("diff", "research", own)
        assert done.returncode == DIFFERENT
        assert "option retain-longitudinal-modified-dates: yes / no" in done.stdout
        assert "attributes: shift-date / empty\n" in done.stdout
        assert done.stdout.splitlines()[-1].startswith("they differ in 7 options, ")
        assert len(done.stdout.splitlines()) < 150

    def test_of_two_that_differ_names_all_on_demand(self, command: Command, own: Path) -> None:
        subjects = [
            one["subject"] for one in json.loads(command("diff", "research", own, "--json").stdout)["differences"]
        ]
        lines = command("diff", "research", own, "--all").stdout
        assert "  (0008,0020) StudyDate\n" in lines
        assert all(subject in lines for subject in subjects)

    def test_of_two_that_do_the_same_says_so(self, command: Command, own: Path) -> None:
        done = command("diff", "strict", "strict")
        assert done.returncode == DONE
        assert "do the same" in done.stdout
        assert "attribute" not in command("diff", "strict", own).stdout

    def test_for_programs(self, command: Command) -> None:
        done = command("diff", "research", "strict", "--json")
        assert done.returncode == DIFFERENT
        found = json.loads(done.stdout)
        assert found["second"] == load_profile("strict").version
        assert {"kind", "subject", "first", "second", "effect"} == found["differences"][0].keys()

    def test_takes_published_versions(self, at_site: Command, own: Path) -> None:
        at_site("publish", own, "--reason", "asked for")
        assert at_site("diff", version_of(own), own).returncode == DONE


class TestPublish:
    def test_makes_it_usable_where_one_person_decides(self, at_site: Command, own: Path) -> None:
        done = at_site("publish", own, "--reason", "asked for")
        assert done.returncode == DONE
        assert f"{version_of(own)} is published" in done.stdout
        assert f"DICOMANON_PROFILE={version_of(own)}" in done.stdout

    def test_again_says_so_and_changes_nothing(self, at_site: Command, own: Path) -> None:
        at_site("publish", own, "--reason", "asked for")
        done = at_site("publish", own, "--reason", "once more")
        assert done.returncode == DONE
        assert "published already, nothing was changed" in done.stdout
        assert "once more" not in at_site("show", version_of(own)).stdout

    def test_is_signed_by_the_account_and_not_by_what_the_environment_says(self, at_site: Command, own: Path) -> None:
        done = at_site("publish", own, "--reason", "asked for", USER="somebody", LOGNAME="somebody")
        assert f"published by {ME} " in done.stdout

    @pytest.mark.parametrize("reason", [(), ("--reason", " ")])
    def test_needs_a_reason(self, at_site: Command, own: Path, reason: tuple[str, ...]) -> None:
        done = at_site("publish", own, *reason)
        assert done.returncode == (FATAL if reason else WRONG_LINE)
        assert "--reason" in done.stderr
        assert version_of(own) not in at_site("list").stdout

    def test_needs_a_crosswalk(self, command: Command, own: Path) -> None:
        done = command("publish", own, "--reason", "asked for")
        assert done.returncode == FATAL
        assert "no local stack here" in done.stderr

    def test_of_a_file_that_is_refused_leaves_nothing(self, at_site: Command, own: Path) -> None:
        own.write_text(OWN.replace("[]", "[retain-everything]"))
        assert at_site("publish", own, "--reason", "asked for").returncode == FATAL
        assert len(json.loads(at_site("list", "--json").stdout)) == len(shipped_profiles())


class TestApprove:
    def test_two_persons_are_needed_where_the_site_says_so(self, at_site: Command, own: Path, tmp_path: Path) -> None:
        two = {"DICOMANON_PROFILE_APPROVALS": "2"}
        version = version_of(own)
        done = at_site("publish", own, "--reason", "asked for", **two)
        assert "1 of 2 persons, not usable yet" in done.stdout
        refused = at_site("approve", version, "--reason", "mine", **two)
        assert refused.returncode == FATAL
        assert "second person" in refused.stderr
        with Crosswalk(
            at_site.environment["DICOMANON_CROSSWALK_DSN"], Keyring.load(tmp_path / "keyring.json")
        ) as crosswalk:
            crosswalk.profiles.approve(version, actor="bob", reason="read it")
        shown = at_site("show", version, **two).stdout
        assert ", approved by bob on " in shown
        assert "not usable" not in shown
        assert "bob: read it" in shown

    def test_what_somebody_else_published_is_approved_once(self, at_site: Command, own: Path, tmp_path: Path) -> None:
        from dicomanon.pipeline.profiles import publish_profile

        with Crosswalk(
            at_site.environment["DICOMANON_CROSSWALK_DSN"], Keyring.load(tmp_path / "keyring.json")
        ) as crosswalk:
            publish_profile(crosswalk, load_profile(own), actor="ada", reason="asked for")
        assert "is approved\n" in at_site("approve", version_of(own), "--reason", "read it").stdout
        assert "nothing was changed" in at_site("approve", version_of(own), "--reason", "read it").stdout

    def test_what_nobody_published_is_refused(self, at_site: Command) -> None:
        done = at_site("approve", "site@0123456789ab", "--reason", "blind")
        assert done.returncode == FATAL
        assert "no such profile version" in done.stderr


class TestPreview:
    @pytest.fixture
    def planted(self) -> Planted:
        return Planted()

    @pytest.fixture
    def file(self, tmp_path: Path, planted: Planted) -> Path:
        dataset = ct(study("preview", planted=planted))
        planted.gather(dataset)
        file = tmp_path / "object.dcm"
        file.write_bytes(encoded(dataset))
        return file

    @staticmethod
    def accesses(dsn: str) -> list[tuple[object, ...]]:
        with psycopg.connect(dsn) as connection:
            return connection.execute("SELECT actor, action, count FROM crosswalk.access_event").fetchall()

    def test_masks_values_and_needs_no_crosswalk(self, command: Command, file: Path, planted: Planted) -> None:
        done = command("preview", file)
        assert done.returncode == DONE
        assert load_profile("research").version in done.stdout
        for word in ("PatientName", "pseudonym", "E.1-1 Z", "gone", "as it was", "values are masked"):
            assert word in done.stdout
        assert LeakScanner(planted.values()).scan_text(done.stdout + done.stderr) == []
        assert file.name not in done.stdout

    def test_leaves_out_what_stays_where_asked(self, command: Command, file: Path) -> None:
        done = command("preview", file, "--changed", "--profile", "strict")
        assert "PatientName" in done.stdout
        assert "as it was" not in done.stdout

    def test_for_programs(self, command: Command, file: Path, planted: Planted) -> None:
        text = command("preview", file, "--json").stdout
        seen = json.loads(text)
        assert (seen["outcome"], seen["masked"], seen["profile"]) == (
            "deidentified",
            True,
            load_profile("research").version,
        )
        (name,) = [row for row in seen["elements"] if row["keyword"] == "PatientName"]
        assert name["path"] == "0010,0010"
        assert name["after"] == "PN, 7 characters"
        assert seen["action_counts"]["pseudonym"] == 2
        assert LeakScanner(planted.values()).scan_text(text) == []

    def test_shows_no_value_where_nobody_could_know_of_it(self, command: Command, file: Path, planted: Planted) -> None:
        done = command("preview", file, "--show-values", "--reason", "to see")
        assert done.returncode == FATAL
        assert done.stdout == ""
        assert "no crosswalk here" in done.stderr

    def test_shows_no_value_where_the_crosswalk_does_not_answer(self, at_site: Command, file: Path) -> None:
        done = at_site(
            "preview", file, "--show-values", "--reason", "to see",
            DICOMANON_CROSSWALK_DSN="postgresql://crosswalk:swordfish@127.0.0.1:1/crosswalk",
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (TRY_AGAIN, "")

    @pytest.mark.parametrize("reason", [(), ("--reason", " ")])
    def test_shows_no_value_without_a_reason(self, at_site: Command, file: Path, reason: tuple[str, ...]) -> None:
        done = at_site("preview", file, "--show-values", *reason)
        assert (done.returncode, done.stdout) == (WRONG_LINE, "")
        assert self.accesses(at_site.environment["DICOMANON_CROSSWALK_DSN"]) == []

    def test_shows_values_to_those_who_are_recorded(self, at_site: Command, file: Path, planted: Planted) -> None:
        done = at_site("preview", file, "--show-values", "--reason", "to see", "--json")
        assert done.returncode == DONE
        assert LeakScanner(planted.values()).scan_text(done.stdout) != []
        assert self.accesses(at_site.environment["DICOMANON_CROSSWALK_DSN"]) == [(ME, "profile.preview", 1)]

    def test_no_patient_is_made_of_a_look(self, at_site: Command, file: Path) -> None:
        at_site("preview", file, "--show-values", "--reason", "to see")
        with psycopg.connect(at_site.environment["DICOMANON_CROSSWALK_DSN"]) as connection:
            assert connection.execute("SELECT count(*) FROM crosswalk.patient").fetchone() == (0,)

    def test_of_what_would_be_held_says_why(self, command: Command, tmp_path: Path) -> None:
        file = tmp_path / "notes.dcm"
        file.write_bytes(b"notes, not DICOM")
        done = command("preview", file)
        assert done.returncode == HELD
        assert "would be held: unreadable" in done.stdout
