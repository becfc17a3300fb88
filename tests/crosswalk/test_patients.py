"""One patient, one pseudonym; two people under one Patient ID are noticed."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from tests.crosswalk.scenario import DOE, ROE, in_processes, pseudonyms_of

from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.patients import IdentityConflict
from dicomanon.errors import Held
from dicomanon.identity import PatientIdentity
from dicomanon.reasons import HoldReason


def test_same_patient_keeps_pseudonym_and_date_shift(
    crosswalk: Crosswalk, crosswalk_dsn: str, keyring: Keyring
) -> None:
    first = crosswalk.patients.get_or_create(DOE)
    assert crosswalk.patients.get_or_create(DOE) == first
    with Crosswalk(crosswalk_dsn, keyring) as another_process:
        assert another_process.patients.get_or_create(DOE) == first


def test_pseudonym_and_date_shift_have_the_promised_form(crosswalk: Crosswalk) -> None:
    patient = crosswalk.patients.get_or_create(DOE)
    assert re.fullmatch(r"D[0-9A-HJKMNP-TV-Z]{11}", patient.pseudonym)
    assert -4652 <= patient.date_shift_days <= -1000
    assert str(patient.date_shift_days) not in repr(patient)


def test_other_patients_get_other_pseudonyms(crosswalk: Crosswalk) -> None:
    patients = [crosswalk.patients.get_or_create(PatientIdentity(f"P{number}")) for number in range(50)]
    assert len({patient.pseudonym for patient in patients}) == 50
    assert len({patient.date_shift_days for patient in patients}) > 25


def test_the_issuer_tells_patients_apart(crosswalk: Crosswalk) -> None:
    here = crosswalk.patients.get_or_create(PatientIdentity("1", "HERE"))
    there = crosswalk.patients.get_or_create(PatientIdentity("1", "THERE"))
    assert here.pseudonym != there.pseudonym


def test_issuer_and_patient_id_do_not_run_into_each_other(crosswalk: Crosswalk) -> None:
    one = crosswalk.patients.get_or_create(PatientIdentity("BC", "A"))
    other = crosswalk.patients.get_or_create(PatientIdentity("C", "AB"))
    assert one.id != other.id


@pytest.mark.parametrize("patient_id", ["", "  ", "\0"])
def test_held_without_patient_id(crosswalk: Crosswalk, patient_id: str) -> None:
    with pytest.raises(Held) as held:
        crosswalk.patients.get_or_create(replace(DOE, patient_id=patient_id))
    assert held.value.reason is HoldReason.MISSING_IDENTITY


def test_sixteen_processes_agree_on_every_patient(crosswalk_dsn: str, keyring_file: Path) -> None:
    with Crosswalk(crosswalk_dsn, Keyring.load(keyring_file)) as crosswalk:
        crosswalk.migrate()
    forward = list(range(1000))
    orders = [forward if number % 2 else forward[::-1] for number in range(16)]
    answers = in_processes(pseudonyms_of, [(crosswalk_dsn, keyring_file, order) for order in orders])
    agreed = set(answers[1])
    assert len(agreed) == 1000
    assert len({pseudonym for _, pseudonym, _ in agreed}) == 1000
    assert all(set(answer) == agreed for answer in answers)


class TestConflict:
    @pytest.mark.parametrize(
        ("changes", "part"),
        [({"name": "ROE^JANE"}, "name"), ({"birth_date": "19700130"}, "birth_date"), ({"sex": "F"}, "sex")],
    )
    def test_held_and_recorded(self, crosswalk: Crosswalk, changes: dict[str, str], part: str) -> None:
        patient = crosswalk.patients.get_or_create(DOE)
        with pytest.raises(Held) as held:
            crosswalk.patients.get_or_create(replace(DOE, **changes))
        assert held.value.reason is HoldReason.IDENTITY_CONFLICT
        assert all(value not in str(held.value) for value in changes.values())
        (event,) = crosswalk.patients.identity_events()
        assert (event.kind, event.parts, event.patient_id) == ("patient-differs", (part,), patient.id)
        assert isinstance(held.value, IdentityConflict)
        assert held.value.event_id == event.id

    def test_recorded_once_however_often_it_is_met(
        self, crosswalk: Crosswalk, crosswalk_dsn: str, keyring: Keyring
    ) -> None:
        crosswalk.patients.get_or_create(DOE)
        impostor = replace(ROE, patient_id=DOE.patient_id)
        with Crosswalk(crosswalk_dsn, keyring) as another_process:
            for patients in (crosswalk.patients, crosswalk.patients, another_process.patients):
                with pytest.raises(Held):
                    patients.get_or_create(impostor)
        (event,) = crosswalk.patients.identity_events()
        assert event.parts == ("name", "birth_date", "sex")

    def test_the_patient_stays_usable(self, crosswalk: Crosswalk) -> None:
        patient = crosswalk.patients.get_or_create(DOE)
        with pytest.raises(Held):
            crosswalk.patients.get_or_create(replace(DOE, sex="F"))
        assert crosswalk.patients.get_or_create(DOE) == patient

    def test_a_part_that_came_later_is_compared_too(
        self, crosswalk: Crosswalk, crosswalk_dsn: str, keyring: Keyring
    ) -> None:
        crosswalk.patients.get_or_create(PatientIdentity("MRN-1"))
        with Crosswalk(crosswalk_dsn, keyring) as another_process:
            another_process.patients.get_or_create(PatientIdentity("MRN-1", birth_date="19700131"))
        # Cached here without a birth date; the database knows better.
        with pytest.raises(Held):
            crosswalk.patients.get_or_create(PatientIdentity("MRN-1", birth_date="19800131"))


class TestIssuerThatIsNotAlwaysThere:
    """Some devices write Issuer of Patient ID, others of the same hospital do not."""

    NAMED = PatientIdentity("77", "HERE", "ROE^JANE", "19700130", "F")

    @pytest.mark.parametrize("first", [NAMED, replace(NAMED, issuer="")])
    def test_one_patient_in_whichever_order_they_come(self, crosswalk: Crosswalk, first: PatientIdentity) -> None:
        second = replace(self.NAMED, issuer="" if first.issuer else "HERE")
        patient = crosswalk.patients.get_or_create(first)
        assert crosswalk.patients.get_or_create(second) == patient
        assert crosswalk.patients.get_or_create(first) == patient

    @pytest.mark.parametrize(
        "changes", [{"name": "DOE^JOHN"}, {"birth_date": "19700131"}, {"birth_date": ""}, {"name": ""}, {"sex": "M"}]
    )
    def test_two_patients_where_anything_is_left_to_guess(self, crosswalk: Crosswalk, changes: dict[str, str]) -> None:
        patient = crosswalk.patients.get_or_create(self.NAMED)
        assert crosswalk.patients.get_or_create(replace(self.NAMED, issuer="", **changes)) != patient

    def test_two_issuers_are_two_patients(self, crosswalk: Crosswalk) -> None:
        patient = crosswalk.patients.get_or_create(self.NAMED)
        assert crosswalk.patients.get_or_create(replace(self.NAMED, issuer="THERE")) != patient
