"""When two statements about a patient agree."""

import pytest

from dicomanon.crosswalk.identities import (
    adds_to,
    completed,
    conflicting_parts,
    differing_parts,
    identifying_values,
    patient_key,
)
from dicomanon.identity import PatientIdentity


def named(name: str) -> PatientIdentity:
    return PatientIdentity("1", name=name)


@pytest.mark.parametrize(
    ("known", "seen"),
    [
        ("DOE^JOHN", "Doe^John"),
        ("DOE^JOHN", "DOE^JOHN^^^"),
        ("DOE^JOHN", "DOE^JOHN^ADAM"),
        ("DOE^JOHN^A", "DOE^JOHN^ADAM"),
        ("DOE^JOHN", "DOE^JOHN^^DR"),
        ("DOE^JOHN", "Doe, John"),
        ("DOE^JOHN", "DOE JOHN"),
        ("MÜLLER^JÖRG", "MULLER^JORG"),
        ("O'BRIEN^MARY", "O BRIEN^MARY"),
        ("YAMADA^TAROU=山田^太郎", "Yamada^Tarou"),
        ("DOE^JOHN", ""),
        ("DOE^JOHN", "^^^"),
        ("DOE", "DOE^JOHN"),
    ],
)
def test_names_that_agree(known: str, seen: str) -> None:
    assert differing_parts(named(known), named(seen)) == ()
    assert differing_parts(named(seen), named(known)) == ()


@pytest.mark.parametrize(
    ("known", "seen"),
    [
        ("DOE^JOHN", "ROE^JOHN"),
        ("DOE^JOHN", "DOE^JANE"),
        ("DOE^JOHN^ADAM", "DOE^JOHN^BERT"),
        ("山田^太郎", "田中^太郎"),
    ],
)
def test_names_that_differ(known: str, seen: str) -> None:
    assert differing_parts(named(known), named(seen)) == ("name",)
    assert differing_parts(named(seen), named(known)) == ("name",)


@pytest.mark.parametrize(
    ("known", "seen", "differs"),
    [
        ("19700131", "19700131", False),
        ("19700131", "1970.01.31", False),
        ("19700131", "", False),
        ("19700131", "00000000", False),
        ("19700131", "1970", False),
        ("19700131", "19700113", True),
    ],
)
def test_birth_dates(known: str, seen: str, differs: bool) -> None:
    parts = differing_parts(PatientIdentity("1", birth_date=known), PatientIdentity("1", birth_date=seen))
    assert parts == (("birth_date",) if differs else ())


@pytest.mark.parametrize(
    ("known", "seen", "differs"), [("M", "M", False), ("M", "m ", False), ("M", "U", False), ("M", "F", True)]
)
def test_sexes(known: str, seen: str, differs: bool) -> None:
    parts = differing_parts(PatientIdentity("1", sex=known), PatientIdentity("1", sex=seen))
    assert parts == (("sex",) if differs else ())


def test_padding_does_not_make_another_patient() -> None:
    assert patient_key(PatientIdentity(" 12 ", "HOSP\0")) == patient_key(PatientIdentity("12", "HOSP"))


def test_case_makes_another_patient() -> None:
    assert patient_key(PatientIdentity("a1")) != patient_key(PatientIdentity("A1"))


def test_completed_keeps_what_is_known_and_adds_what_is_not() -> None:
    known = PatientIdentity("1", name="DOE^JOHN")
    seen = PatientIdentity("1", name="DOE^JOHN^A", birth_date="19700131", sex="M")
    assert completed(known, seen) == PatientIdentity("1", name="DOE^JOHN", birth_date="19700131", sex="M")


def test_identifying_values_hold_the_name_whole_and_in_parts() -> None:
    values = identifying_values(PatientIdentity("MRN-1", "HOSP", "DOE^JOHN", "19700131", "M"))
    assert values == {"MRN-1", "HOSP", "DOE^JOHN", "DOE", "JOHN", "19700131"}


class TestSeveralKnownIdentities:
    MAIDEN = PatientIdentity("1", name="DOE^ANN", birth_date="19700131")
    MARRIED = PatientIdentity("1", name="ROE^ANN", sex="F")

    def test_agrees_with_any_of_them(self) -> None:
        for name in ("DOE^ANN", "ROE^ANN", ""):
            assert conflicting_parts([self.MAIDEN, self.MARRIED], named(name)) == ()

    def test_differs_from_all_that_tell(self) -> None:
        seen = PatientIdentity("1", name="POE^ANN", birth_date="19700130", sex="M")
        assert conflicting_parts([self.MAIDEN, self.MARRIED], seen) == ("name", "birth_date", "sex")

    def test_one_that_tells_nothing_excuses_nothing(self) -> None:
        assert conflicting_parts([self.MAIDEN, PatientIdentity("2")], named("POE^ANN")) == ("name",)

    def test_adds_what_none_of_them_tells(self) -> None:
        assert not adds_to([self.MAIDEN, self.MARRIED], PatientIdentity("1", birth_date="19700131", sex="F"))
        assert adds_to([self.MAIDEN], PatientIdentity("1", sex="F"))
