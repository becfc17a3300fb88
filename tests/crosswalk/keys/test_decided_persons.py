"""Keys of persons about whom something was decided: merged rows, further keys and variants, before and after."""

from dataclasses import replace

import psycopg
import pytest
from tests.crosswalk.scenario import DOE, FACTS, ROE, Run, discover, sightings

from dicomanon.crosswalk import people
from dicomanon.crosswalk.audit.trail import Wanted
from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.decisions.rows import KeyChange, Signed
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.patients import IdentityConflict
from dicomanon.crosswalk.rows import IdentityEventKind, Patient
from dicomanon.errors import Fatal, Held
from dicomanon.identity import PatientIdentity
from dicomanon.reasons import HoldReason

ADMIN = Signed("admin", "asked the ward")
JONES = replace(DOE, name="JONES^JOHN")
DOE_KEY, ROE_KEY = ("", DOE.patient_id), ("", ROE.patient_id)
OTHER_FACTS = replace(FACTS, accession_number="ACC-2")
SEALED = (
    "SELECT identity_sealed FROM crosswalk.patient UNION ALL SELECT date_shift_sealed FROM crosswalk.patient"
    " UNION ALL SELECT key_sealed FROM crosswalk.patient_key UNION ALL SELECT identity_sealed"
    " FROM crosswalk.patient_variant UNION ALL SELECT uid_sealed FROM crosswalk.study"
    " UNION ALL SELECT detail_sealed FROM crosswalk.identity_event"
)


@pytest.fixture(autouse=True)
def _decisions_are_noticed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "CACHE_SECONDS", 0.0)


@pytest.fixture
def both(crosswalk: Crosswalk) -> tuple[Patient, Patient]:
    """DOE, once called JONES and with a further key, and ROE; each with a stored study."""
    discover(crosswalk, "1.2.1", sightings("1.2.1", 1))
    Run(crosswalk).complete(DOE)
    discover(crosswalk, "1.2.2", sightings("1.2.2", 1))
    Run(crosswalk).complete(ROE, facts=OTHER_FACTS)
    with pytest.raises(IdentityConflict) as conflict:
        crosswalk.patients.get_or_create(JONES)
    crosswalk.identities.overrule(conflict.value.event_id, ADMIN)
    crosswalk.identities.merge_keys(KeyChange(DOE_KEY, ("THERE", "88")), ADMIN)
    return crosswalk.patients.get_or_create(DOE), crosswalk.patients.get_or_create(ROE)


def merge(crosswalk: Crosswalk, both: tuple[Patient, Patient]) -> None:
    crosswalk.identities.merge([one.pseudonym for one in both], ADMIN)


def assert_held(crosswalk: Crosswalk, *identities: PatientIdentity) -> None:
    for identity in identities:
        with pytest.raises(Held) as refused:
            crosswalk.patients.get_or_create(identity)
        assert refused.value.reason is HoldReason.KEYS_DESTROYED


class TestDestroyed:
    @pytest.mark.parametrize("named", [0, 1])
    def test_the_whole_person_goes(
        self, crosswalk: Crosswalk, crosswalk_dsn: str, keyring: Keyring, both: tuple[Patient, Patient], named: int
    ) -> None:
        merge(crosswalk, both)
        done = crosswalk.keys.destroy(both[named].pseudonym, actor="ada", reason="why")
        assert (done.studies, done.instances) == (2, 2)
        with psycopg.connect(crosswalk_dsn) as connection:
            rows = connection.execute(SEALED).fetchall()
            keys = connection.execute(
                "SELECT key_wrapped FROM crosswalk.patient UNION SELECT key_wrapped FROM crosswalk.study"
            ).fetchall()
        assert len(rows) == 2 * 2 + 3 + 1 + 2 + 1
        assert set(rows) == {(b"",)}
        assert keys == [(None,)]
        with Crosswalk(crosswalk_dsn, keyring) as fresh:
            assert_held(fresh, DOE, JONES, ROE, PatientIdentity("88", "THERE"))
            with pytest.raises(Fatal, match="already"):
                fresh.keys.destroy(both[1 - named].pseudonym, actor="ada", reason="why")

    def test_a_further_key_holds_whom_it_may_mean_and_nobody_else(
        self, crosswalk: Crosswalk, both: tuple[Patient, Patient]
    ) -> None:
        crosswalk.keys.destroy(both[0].pseudonym, actor="ada", reason="why")
        assert_held(crosswalk, PatientIdentity("88", "THERE"), PatientIdentity("88"))
        elsewhere = crosswalk.patients.get_or_create(PatientIdentity("88", "ELSEWHERE"))
        assert elsewhere.pseudonym not in {one.pseudonym for one in both}
        assert crosswalk.patients.get_or_create(ROE) == both[1]

    def test_a_patient_id_that_changes_afterwards_is_held_too(
        self, crosswalk: Crosswalk, crosswalk_dsn: str, both: tuple[Patient, Patient]
    ) -> None:
        crosswalk.keys.destroy(both[0].pseudonym, actor="ada", reason="why")
        done = crosswalk.identities.merge_keys(KeyChange(DOE_KEY, ("HERE", "99")), ADMIN)
        assert (done.survivor, done.new_keys) == (both[0].pseudonym, 1)
        assert_held(crosswalk, PatientIdentity("99", "HERE"))
        assert crosswalk.patients.get_or_create(PatientIdentity("99", "ELSEWHERE"))
        with psycopg.connect(crosswalk_dsn) as connection:
            sealed = connection.execute(
                "SELECT key_sealed FROM crosswalk.patient_key WHERE patient_id = %s", (both[0].id,)
            ).fetchall()
        assert sealed == [(b"",)] * 3

    def test_nobody_is_merged_with_them_or_taken_apart(
        self, crosswalk: Crosswalk, both: tuple[Patient, Patient]
    ) -> None:
        third = crosswalk.patients.get_or_create(PatientIdentity("MRN-3"))
        merge(crosswalk, both)
        crosswalk.keys.destroy(both[0].pseudonym, actor="ada", reason="why")
        doe, roe = (one.pseudonym for one in both)
        (study,) = {row.research_study_uid for row in crosswalk.mapping.cohort_instances(_studies(crosswalk, doe))}
        for refused in (
            lambda: crosswalk.identities.merge([third.pseudonym, doe], ADMIN),
            lambda: crosswalk.identities.merge([roe, third.pseudonym], ADMIN, keep=third.pseudonym),
            lambda: crosswalk.identities.merge_keys(KeyChange(ROE_KEY, ("", "MRN-3")), ADMIN),
            lambda: crosswalk.identities.unmerge(roe, ADMIN),
            lambda: crosswalk.identities.split([study], ADMIN, to=third.pseudonym),
        ):
            with pytest.raises(Fatal, match="were destroyed"):
                refused()
        assert crosswalk.patients.get_or_create(PatientIdentity("MRN-3")).pseudonym == third.pseudonym

    def test_studies_are_not_given_to_them(self, crosswalk: Crosswalk, both: tuple[Patient, Patient]) -> None:
        crosswalk.keys.destroy(both[0].pseudonym, actor="ada", reason="why")
        (study,) = {
            row.research_study_uid for row in crosswalk.mapping.cohort_instances(_studies(crosswalk, both[1].pseudonym))
        }
        with pytest.raises(Fatal, match="were destroyed"):
            crosswalk.identities.split([study], ADMIN, to=both[0].pseudonym)

    def test_their_events_can_be_upheld_and_nothing_else(
        self, crosswalk: Crosswalk, both: tuple[Patient, Patient]
    ) -> None:
        with pytest.raises(IdentityConflict) as conflict:
            crosswalk.patients.get_or_create(replace(DOE, sex="F"))
        crosswalk.keys.destroy(both[0].pseudonym, actor="ada", reason="why")
        event = conflict.value.event_id
        for refused in (
            lambda: crosswalk.identities.overrule(event, ADMIN),
            lambda: crosswalk.identities.split([], ADMIN, event_id=event),
            lambda: crosswalk.identities.show(event, actor="ada", reason="why"),
        ):
            with pytest.raises(Fatal, match="were destroyed"):
                refused()
        crosswalk.identities.uphold(event, ADMIN)
        assert crosswalk.identities.events() == []

    def test_their_accession_numbers_still_hold_others(
        self, crosswalk: Crosswalk, both: tuple[Patient, Patient]
    ) -> None:
        crosswalk.keys.destroy(both[0].pseudonym, actor="ada", reason="why")
        discover(crosswalk, "1.2.3", sightings("1.2.3", 1))
        run = Run(crosswalk)
        run.record(ROE)
        assert run.states() == ["held"]
        (event,) = crosswalk.identities.events()
        assert event.kind == IdentityEventKind.ACCESSION_REUSED
        shown = crosswalk.identities.show(event.id, actor="ada", reason="why")
        assert (shown.other_pseudonym, shown.other.reveal()) == (both[0].pseudonym, ())
        assert ROE in shown.known.reveal()
        assert crosswalk.identities.overrule(event.id, ADMIN).freed == 1


def _studies(crosswalk: Crosswalk, pseudonym: str) -> list:  # type: ignore[type-arg]
    trace = crosswalk.lineage.trace(pseudonym)
    assert trace is not None
    return [study.study_id for study in trace.studies if study.pseudonym == pseudonym]


def test_a_merged_person_is_sealed_anew_as_a_whole(
    crosswalk: Crosswalk, crosswalk_dsn: str, keyring: Keyring, both: tuple[Patient, Patient]
) -> None:
    merge(crosswalk, both)
    with psycopg.connect(crosswalk_dsn) as connection:
        before = connection.execute(SEALED).fetchall()
    assert crosswalk.keys.reseal(both[1].pseudonym) == 2
    with psycopg.connect(crosswalk_dsn) as connection:
        after = connection.execute(SEALED).fetchall()
    assert len(before) == len(after)
    assert not set(before) & set(after)
    with Crosswalk(crosswalk_dsn, keyring) as fresh:
        for identity in (JONES, ROE, PatientIdentity("88", "THERE")):
            found = fresh.patients.get_or_create(identity)
            assert (found.pseudonym, found.date_shift_days) == (both[0].pseudonym, both[0].date_shift_days)
        values = fresh.mapping.known_values(_studies(fresh, both[1].pseudonym))
        assert {"JONES", "DOE", "ROE"} <= set().union(*values.values())
        fresh.keys.destroy(both[0].pseudonym, actor="ada", reason="why")
        assert_held(fresh, PatientIdentity("88"))


def test_the_trail_says_whom_a_decision_is_about(crosswalk: Crosswalk, both: tuple[Patient, Patient]) -> None:
    merge(crosswalk, both)
    doe, roe = (one.pseudonym for one in both)
    for about in (doe, roe):
        entries = crosswalk.audit.newest(Wanted(about=about), 10)
        assert [(entry.action, entry.subject) for entry in entries] == [
            ("identity.overrule", doe),
            ("identity.merge", doe),
            ("identity.merge", doe),
        ]
