"""A request that stays open is answered anew, of people who are new only when they are many, and never twice."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import psycopg
import pytest
from tests.cohort.conftest import Study, admit, declare
from tests.cohort.test_approval import say, waits
from tests.cohort.test_extract import Services, Site, request
from tests.crosswalk.scenario import in_processes

from dicomanon.cohort import standing
from dicomanon.cohort.extract import CohortRequest, extract
from dicomanon.cohort.standing import evaluate_standing
from dicomanon.cohort.tombstone import write_next_version
from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.projects.rows import ApprovalFor
from dicomanon.crosswalk.projects.standing import StandingState
from dicomanon.crosswalk.removals.rows import RemovalKind, Requester
from dicomanon.crosswalk.roles.role import Role
from dicomanon.crosswalk.rows import ReleaseRow
from dicomanon.errors import Fatal, Retriable
from dicomanon.signing import SigningKey

MINIMUM = 3
ADA = Requester("ada")
WHY = {"reason": "asked", "ticket": "DPO-1"}


def people(letter: str, count: int = MINIMUM, **more: Any) -> list[Study]:
    return [
        Study(f"{letter}{number}", "20200101", f"{letter}-{number}", instances=1, **more) for number in range(count)
    ]


@pytest.fixture
def services(crosswalk: Crosswalk, keyring: Keyring, signing_key: SigningKey, tmp_path: Path) -> Services:
    """Four people with a CT, in a project whose minimum is three."""
    admit(crosswalk, people("A", 4))
    declare(crosswalk, minimum_patients=MINIMUM)
    return Services(Site(tmp_path / "releases"), keyring, crosswalk)


def stand(services: Services, run_id: str = "manual__1", **conf: Any) -> CohortRequest:
    """Ask for all CT, and let that stay open."""
    asked = request(services, run_id, **{"modality": ["CT"], "standing": True, **conf})
    assert extract(services, asked)["standing"] == 1
    return asked


def evaluated(services: Services) -> int:
    """Evaluate; return how many versions were made."""
    return evaluate_standing(services)["versions"]


def folder(services: Services, number: int, project: str = "P") -> Path:
    return services.settings.release_dir / project / f"{number:04d}"


def told(services: Services, number: int, name: str = "release.json") -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder(services, number) / name).read_text())
    return content


def patients(services: Services, number: int) -> int:
    return int(pd.read_parquet(folder(services, number) / "manifest.parquet")["patient"].nunique())


def because(services: Services) -> tuple[StandingState, str]:
    (one,) = services.crosswalk.standing.all()
    return one.state, one.because


def withdraw(services: Services, patient_id: str, *, kind: RemovalKind = RemovalKind.WITHDRAWAL) -> None:
    """Mark a removal, and write what it leaves of the releases that end."""
    crosswalk = services.crosswalk
    (study,) = crosswalk.mapping.studies_for_cohort(patient_indexes=[("HOME", patient_id)])
    removal = crosswalk.removals.request_of_patient(kind, str(study.pseudonym), ADA, **WHY)
    crosswalk.removals.mark(removal)
    for tombstone in crosswalk.removals.tombstones(removal_id=removal.id):
        write_next_version(crosswalk, services.settings.release_dir, tombstone)


def test_who_is_new_makes_a_next_version_with_what_changed(services: Services) -> None:
    stand(services, output="manifest")
    assert evaluated(services) == 0
    admit(services.crosswalk, people("B"))
    assert evaluate_standing(services) == {"standing": 1, "versions": 1, "paused": 0, "ended": 0}
    assert patients(services, 2) == 4 + MINIMUM
    second = told(services, 2)
    assert (second["standing_version"], second["output"], second["run_id"]) == (2, "manifest", "manual__1")
    changes = told(services, 2, "changes.json")
    assert (changes["since"], len(changes["added"]), changes["removed"]) == (1, MINIMUM, [])
    assert evaluated(services) == 0
    (one,) = services.crosswalk.standing.all()
    assert (one.versions, one.newest, one.requester) == (2, 2, "researcher")


def test_few_who_are_new_wait_for_more_and_nobody_is_told(services: Services, caplog: pytest.LogCaptureFixture) -> None:
    stand(services)
    caplog.set_level("DEBUG")
    nothing, said = evaluate_standing(services), caplog.text
    caplog.clear()
    admit(services.crosswalk, people("B", MINIMUM - 1))
    assert evaluate_standing(services) == nothing
    assert caplog.text == said
    assert because(services) == (StandingState.OPEN, "")
    admit(services.crosswalk, people("C", 1))
    assert evaluated(services) == 1
    assert patients(services, 2) == 4 + MINIMUM


def test_few_are_compared_with_every_version_before_and_not_with_the_newest_alone(services: Services) -> None:
    """Between the first and the third lie many, between the second and the third few."""
    stand(services)
    for letter, made in (("B", 1), ("C", 1)):
        admit(services.crosswalk, people(letter))
        assert evaluated(services) == made
    admit(services.crosswalk, people("D", 1))
    assert evaluated(services) == 0


def test_more_of_people_who_are_known_is_a_version(services: Services) -> None:
    stand(services)
    admit(services.crosswalk, [Study("A1", "20210101", "later")])
    assert evaluated(services) == 1
    assert patients(services, 2) == 4


def test_what_was_never_found_is_released_when_it_is_enough(services: Services) -> None:
    stand(services, modality=["MR"])
    admit(services.crosswalk, people("M", modalities=("MR",)))
    assert evaluated(services) == 1
    assert told(services, 1)["standing_version"] == 1


def test_another_request_of_the_project_is_compared_too(services: Services) -> None:
    declare(services.crosswalk, minimum_patients=MINIMUM, approval_for=frozenset({ApprovalFor.OVERLAP}))
    admit(services.crosswalk, people("B", 2, description="CT Head"))
    stand(services, exclude_description_words=["Head"])
    admit(services.crosswalk, people("C", description="CT Thorax"))
    # With the two that the standing request has not: what it comes to differs from this by two.
    extract(services, request(services, "manual__2", modality=["CT"], dry_run=True))
    assert evaluated(services) == 0
    # A project that does not ask for approvals of overlaps compares the versions of the request alone.
    declare(services.crosswalk, minimum_patients=MINIMUM)
    assert evaluated(services) == 1


def _evaluate(dsn: str, keyring_file: Path, releases: Path) -> int:
    keyring = Keyring.load(keyring_file)
    with Crosswalk(dsn, keyring, role=Role.COHORT) as crosswalk:
        return evaluate_standing(Services(Site(releases), keyring, crosswalk))["versions"]


def test_two_at_once_make_one_version(crosswalk_dsn: str, signing_key: SigningKey, tmp_path: Path) -> None:
    file = tmp_path / "keyring.json"
    Keyring.generate(file)
    with Crosswalk(crosswalk_dsn, Keyring.load(file)) as crosswalk:
        crosswalk.migrate()
        admit(crosswalk, people("A", 4))
        declare(crosswalk, minimum_patients=MINIMUM)
        services = Services(Site(tmp_path / "releases"), Keyring.load(file), crosswalk)
        stand(services)
        admit(crosswalk, people("B"))
        made = in_processes(_evaluate, [(crosswalk_dsn, file, tmp_path / "releases")] * 2)
        assert sorted(made) == [0, 1]
        assert patients(services, 2) == 4 + MINIMUM
        assert not folder(services, 3).exists()


def _no_member(services: Services) -> None:
    services.crosswalk.projects.remove_requester("P", "researcher", actor="ada", reason="left")


def _no_ethics(services: Services) -> None:
    declare(services.crosswalk, minimum_patients=MINIMUM, ethics_expires=datetime.now(UTC).date() - timedelta(days=1))


def _no_criterion(services: Services) -> None:
    declare(services.crosswalk, minimum_patients=MINIMUM, criteria=("sex",))


def _needs_approval(services: Services) -> None:
    declare(services.crosswalk, minimum_patients=MINIMUM, approval_for=frozenset({ApprovalFor.IDENTIFIERS}))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_no_member, "your login does not ask"),
        (_no_ethics, "ethics approval has ended"),
        (_no_criterion, "may not ask by exclude_patient_ids, modality"),
        (_needs_approval, "ask for an approval now"),
    ],
)
def test_it_pauses_where_the_terms_do_not_hold_and_goes_on_when_they_do(
    services: Services, crosswalk_dsn: str, change: Any, said: str
) -> None:
    stand(services, exclude_patient_ids=["MRN-CANARY"])
    admit(services.crosswalk, people("B"))
    change(services)
    for _ in range(2):
        assert evaluate_standing(services) == {"standing": 1, "versions": 0, "paused": 1, "ended": 0}
    state, why = because(services)
    assert (state, said in why, "CANARY" in why) == (StandingState.PAUSED, True, False)
    with psycopg.connect(crosswalk_dsn) as connection:
        assert connection.execute("SELECT count(*) FROM crosswalk.standing_change").fetchone() == (1,)
    declare(services.crosswalk, minimum_patients=MINIMUM)
    assert evaluated(services) == 1
    assert because(services)[0] is StandingState.OPEN


def test_it_ends_after_its_last_day(services: Services) -> None:
    stand(services, standing_until=(datetime.now(UTC).date() - timedelta(days=1)).isoformat())
    admit(services.crosswalk, people("B"))
    assert evaluate_standing(services)["ended"] == 1
    assert because(services) == (StandingState.ENDED, "its last day has passed")
    assert evaluate_standing(services)["standing"] == 0


def test_what_an_admin_ended_makes_nothing_more(services: Services) -> None:
    asked = stand(services)
    admit(services.crosswalk, people("B"))
    services.crosswalk.standing.end(asked.key, actor="ada", reason="the study is over")
    assert evaluated(services) == 0
    extract(services, asked)
    assert because(services)[0] is StandingState.ENDED
    with pytest.raises(Fatal, match="no such request stands"):
        services.crosswalk.standing.end(asked.key, actor="ada", reason="again")


def test_one_that_fails_stops_no_other(services: Services) -> None:
    declare(services.crosswalk, "Q", minimum_patients=MINIMUM)
    stand(services)
    stand(services, "manual__2", project="Q")
    admit(services.crosswalk, people("B"))
    in_the_way = services.settings.release_dir / "P"
    in_the_way.rename(services.settings.release_dir / "kept")
    in_the_way.write_text("in the way")
    with pytest.raises(Fatal, match="1 failed, as the log tells; the others are done"):
        evaluate_standing(services)
    assert (services.settings.release_dir / "Q" / "0002").is_dir()
    in_the_way.unlink()
    evaluate_standing(services)
    assert folder(services, 2).is_dir()
    assert not folder(services, 3).exists()


def test_broken_off_before_the_folder_is_written_it_writes_it_the_next_time(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand(services)
    admit(services.crosswalk, people("B"))

    write = standing.write_folder

    def broken(crosswalk: Crosswalk, release_dir: Path, release: ReleaseRow) -> Path:
        if release.number > 1:
            raise Retriable("no space")
        return write(crosswalk, release_dir, release)

    with monkeypatch.context() as patch:
        patch.setattr(standing, "write_folder", broken)
        with pytest.raises(Retriable):
            evaluate_standing(services)
    assert not folder(services, 2).exists()
    assert evaluated(services) == 0
    assert patients(services, 2) == 4 + MINIMUM
    assert not folder(services, 3).exists()


def test_who_withdraws_leaves_once_and_keeps_nobody_waiting(services: Services, crosswalk_dsn: str) -> None:
    stand(services, output="manifest")
    withdraw(services, "A1")
    assert evaluated(services) == 0
    (one,) = services.crosswalk.standing.all()
    assert (one.versions, one.newest, patients(services, 2)) == (2, 2, 3)
    admit(services.crosswalk, people("B"))
    assert evaluated(services) == 1
    assert (patients(services, 3), told(services, 3)["standing_version"]) == (3 + MINIMUM, 3)
    assert told(services, 3, "changes.json")["since"] == 2
    # Of two versions that had somebody, the newest alone is followed.
    withdraw(services, "A2")
    (one,) = services.crosswalk.standing.all()
    assert one.versions == 4
    assert patients(services, one.newest or 0) == 2 + MINIMUM
    assert evaluated(services) == 0
    # What replaces a release gives no more than that did.
    with psycopg.connect(crosswalk_dsn) as connection:
        outputs = connection.execute("SELECT DISTINCT output FROM crosswalk.release").fetchall()
    assert outputs == [("manifest",)]


def test_what_was_recalled_keeps_nobody_waiting(services: Services) -> None:
    stand(services)
    manifest = pd.read_parquet(folder(services, 1) / "manifest.parquet")
    removals = services.crosswalk.removals
    recall = removals.request_recall("P", 1, ADA, research_sop_uids=[manifest["SOPInstanceUID"][0]], **WHY)
    removals.mark(recall)
    admit(services.crosswalk, people("B"))
    assert evaluated(services) == 1
    assert patients(services, 3) == 3 + MINIMUM


def test_a_version_that_a_removal_made_meanwhile_is_compared_with(services: Services) -> None:
    stand(services)
    admit(services.crosswalk, people("B"))
    original = standing.cohort_of

    def meanwhile(*given: Any) -> Any:
        withdraw(services, "A1")
        return original(*given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(standing, "cohort_of", meanwhile)
        with pytest.raises((Retriable, Fatal)):
            evaluate_standing(services)
    assert evaluated(services) == 1
    assert patients(services, 3) == 3 + MINIMUM


class TestApproval:
    @pytest.fixture(autouse=True)
    def strict(self, services: Services) -> None:
        declare(services.crosswalk, minimum_patients=MINIMUM, approval_for=frozenset(ApprovalFor))

    def asked(self, services: Services) -> CohortRequest:
        asked = request(services, modality=["CT"], exclude_patient_ids=["A0"], standing=True)
        assert waits(services, asked)
        return asked

    def test_it_stays_open_where_the_answer_says_so(self, services: Services) -> None:
        asked = self.asked(services)
        say(services, asked, covers_versions=True)
        assert extract(services, asked)["standing"] == 1
        admit(services.crosswalk, people("B"))
        assert evaluated(services) == 1

    def test_an_answer_for_once_releases_once(self, services: Services) -> None:
        asked = self.asked(services)
        say(services, asked)
        assert extract(services, asked)["standing"] == 0
        assert services.crosswalk.standing.all() == []

    def test_the_database_opens_none_that_nobody_approved(self, services: Services, crosswalk_dsn: str) -> None:
        asked = self.asked(services)
        with psycopg.connect(crosswalk_dsn) as connection, pytest.raises(psycopg.errors.RestrictViolation):
            connection.execute(
                "INSERT INTO crosswalk.standing_request (id, project, requester, request_key, conf)"
                " VALUES (gen_random_uuid(), 'P', 'researcher', %s, '{}')",
                (asked.key,),
            )


def test_what_is_kept_of_the_request_is_sealed(services: Services, crosswalk_dsn: str) -> None:
    stand(services, exclude_patient_ids=["MRN-CANARY"], purpose="CANARY study")
    with psycopg.connect(crosswalk_dsn) as connection:
        ((conf, everything),) = connection.execute(
            "SELECT conf, to_jsonb(s)::text FROM crosswalk.standing_request s"
        ).fetchall()
    assert conf["exclude_patient_ids"][0].startswith("sealed:v1:")
    assert "CANARY" not in everything


def test_under_another_request_key_it_pauses_and_says_so(services: Services, tmp_path: Path) -> None:
    stand(services, exclude_patient_ids=["MRN-CANARY"])
    other = tmp_path / "other.json"
    Keyring.generate(other)
    assert evaluate_standing(replace(services, keyring=Keyring.load(other)))["paused"] == 1
    assert "sealed for another place or key" in because(services)[1]
    assert evaluate_standing(services)["paused"] == 0


@pytest.mark.parametrize(
    ("conf", "said"),
    [
        ({"dry_run": True}, "releases all that meets it"),
        ({"limit": 5}, "releases all that meets it"),
        ({"standing": False, "standing_until": "2030-01-31"}, "standing_until is for"),
    ],
)
def test_what_cannot_stand_is_refused(services: Services, conf: dict[str, Any], said: str) -> None:
    with pytest.raises(Fatal, match=said):
        extract(services, request(services, **{"modality": ["CT"], "standing": True, **conf}))


def test_the_same_cohort_by_a_standing_request_has_the_same_digest(services: Services) -> None:
    stand(services, standing_until=date(2100, 1, 1).isoformat(), output="nifti")
    extract(services, request(services, "manual__2", modality=["CT"]))
    assert told(services, 1)["criteria_digest"] == told(services, 2)["criteria_digest"]
