import csv
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import pytest
from tests.patience import HUNG

import dicomanon.standard
from dicomanon.profile.actions import Action, AttributeRule, LevelRules, TextKind
from dicomanon.profile.content import ContentRules
from dicomanon.standard.confidentiality import option_names
from dicomanon.standard.content_items import table_rows

CLEAN = "clean-descriptors"
MODIFIED = "retain-longitudinal-modified-dates"
FULL = "retain-longitudinal-full-dates"
UIDS = "retain-uids"
DEVICE = "retain-device-identity"
INSTITUTION = "retain-institution-identity"
PATIENT = "retain-patient-characteristics"
RESEARCH = frozenset({CLEAN, MODIFIED, PATIENT, "clean-structured-content"})
BASIC = frozenset({"clean-structured-content"})

TEXT_VALUE, PERSON_NAME, UID_VALUE = 0x0040A160, 0x0040A123, 0x0040A124
DATE, TIME, DATETIME = 0x0040A121, 0x0040A122, 0x0040A120
CONTENT, MEASURED, NUMERIC = 0x0040A730, 0x0040A300, 0x0040A30A
VALUE = {
    "TEXT": TEXT_VALUE,
    "PNAME": PERSON_NAME,
    "UIDREF": UID_VALUE,
    "DATE": DATE,
    "TIME": TIME,
    "DATETIME": DATETIME,
}
ORDINARY = AttributeRule(Action.KEEP, "LO", origin="ordinary")


@dataclass
class Ordinary:
    """Rules of a level as a compiled profile has them."""

    content: ContentRules
    path: tuple[int, ...] = ()
    rules: dict[int, AttributeRule] = field(default_factory=dict)

    def __getitem__(self, tag: int) -> AttributeRule:
        return self.rules.get(tag, ORDINARY)

    def inside(self, tag: int) -> LevelRules:
        return Ordinary(self.content, (*self.path, tag), self.rules)

    def private(self, creator: str, tag: int) -> AttributeRule:
        return AttributeRule(Action.REMOVE, "UN", origin=creator)

    def item(self, concept: tuple[str, str], value_type: str) -> LevelRules | None:
        return self.content.item(self, concept, value_type)


def item(options: frozenset[str], code: str, scheme: str, value_type: str, **settings: object) -> LevelRules | None:
    return Ordinary(ContentRules(options, **settings)).item((code, scheme), value_type)  # type: ignore[arg-type]


def action(options: frozenset[str], code: str, scheme: str, value_type: str) -> Action | None:
    rules = item(options, code, scheme, value_type)
    return None if rules is None else rules[VALUE[value_type]].action


def expected(row: dict[str, str], options: set[str]) -> set[Action | None]:
    """What a row of the table asks for, worked out another way than the code under test does."""
    columns = {
        "rtn_uids": UIDS, "rtn_dev_id": DEVICE, "rtn_inst_id": INSTITUTION, "rtn_pat_chars": PATIENT,
        "rtn_long_full_dates": FULL, "rtn_long_modif_dates": MODIFIED, "clean_desc": CLEAN,
    }  # fmt: skip
    cells = {row[column] for column, option in columns.items() if option in options} - {""}
    value_type = row["value_type"]
    if "K" in cells:
        return {Action.KEEP_TIME} if value_type == "TIME" else {
            Action.KEEP, Action.SCRUB, Action.KEEP_DATE, Action.KEEP_UID,
        }  # fmt: skip
    if "C" in cells:
        return {Action.KEEP_TIME} if value_type == "TIME" else {Action.CLEAN, Action.SHIFT_DATE}
    if row["basic_profile"] == "X":
        return {None}
    return {Action.UID} if value_type == "UIDREF" else {Action.DUMMY}


def every_row() -> list[dict[str, str]]:
    path = Path(dicomanon.standard.__file__).parent / "data" / "ps3_15_table_e3_4_1_sr_content_items.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("option", ["", *option_names()])
def test_every_row_of_the_table_is_carried_out_under_every_option(option: str) -> None:
    rules = ContentRules(frozenset({option} - {""}))
    for row in every_row():
        level = Ordinary(rules).item((row["code_value"], row["coding_scheme"]), row["value_type"])
        wanted = expected(row, {option})
        if row["value_type"] in VALUE:
            got = None if level is None else level[VALUE[row["value_type"]]].action
            assert got in wanted, row
        else:
            assert (level is None) == (wanted == {None}), row


def test_the_table_has_all_its_rows() -> None:
    assert len(table_rows()) == len(every_row()) == 214


class TestPersons:
    def test_the_observer_is_replaced_and_the_fellow_goes(self) -> None:
        assert action(RESEARCH, "121008", "DCM", "PNAME") is Action.DUMMY
        assert action(RESEARCH, "121088", "DCM", "PNAME") is None

    def test_a_name_of_an_unlisted_concept_falls_to_the_rule_of_person_name(self) -> None:
        rules = item(RESEARCH, "99887", "99LOCAL", "PNAME")
        assert rules is not None
        assert rules[PERSON_NAME] is ORDINARY

    @pytest.mark.parametrize("value_type", ["TEXT", "CODE", "NUM", "UIDREF", ""])
    def test_an_identifier_identifies_in_any_value_type(self, value_type: str) -> None:
        assert item(RESEARCH, "121022", "DCM", value_type) is None  # Accession Number, listed as TEXT

    def test_a_subject_name_written_as_text_is_replaced(self) -> None:
        assert action(RESEARCH, "121029", "DCM", "TEXT") is Action.DUMMY

    def test_an_identifier_without_value_type_goes_from_a_waveform_annotation(self) -> None:
        assert item(RESEARCH, "121021", "DCM", "") is None
        rules = item(RESEARCH, "121030", "DCM", "")
        assert rules is not None
        assert rules[0x00700006].action is Action.DUMMY


class TestOtherCodesOfTheSameConcept:
    @pytest.mark.parametrize("scheme", ["SRT", "SNM3", "99SDM", " srt "])
    def test_retired_snomed_codes_are_recognised(self, scheme: str) -> None:
        assert action(BASIC, "R-42B89", scheme, "TEXT") is None  # Clinical Report
        assert action(BASIC, "G-C0E3", scheme, "TEXT") is Action.DUMMY  # Finding Site

    def test_a_retired_dicom_code_is_recognised(self) -> None:
        assert action(BASIC, "121060", "DCM", "TEXT") is None

    def test_the_birth_date_of_loinc_is_the_birth_date(self) -> None:
        assert action(RESEARCH, "21112-8", "LN", "DATE") is None

    def test_a_scheme_in_another_writing_is_the_same_scheme(self) -> None:
        assert action(BASIC, "121022", "dcm", "TEXT") is None
        assert action(BASIC, "18785-6", "LOINC", "TEXT") is Action.DUMMY


class TestText:
    def test_unlisted_text_is_cleaned(self) -> None:
        rules = item(RESEARCH, "121135", "DCM", "TEXT")
        assert rules is not None
        assert rules[TEXT_VALUE].action is Action.CLEAN
        assert rules[TEXT_VALUE].fallback is Action.DUMMY
        assert rules[TEXT_VALUE].text is TextKind.DESCRIPTION

    def test_unlisted_text_becomes_a_dummy_where_nothing_cleans_it(self) -> None:
        assert action(BASIC, "99887", "99LOCAL", "TEXT") is Action.DUMMY

    def test_text_that_hides_in_an_item_of_another_type_is_cleaned_too(self) -> None:
        rules = item(RESEARCH, "112039", "DCM", "NUM")
        assert rules is not None
        assert rules[TEXT_VALUE].action is Action.CLEAN

    def test_the_model_of_the_device_is_text_of_equipment(self) -> None:
        rules = item(RESEARCH, "121015", "DCM", "TEXT")
        assert rules is not None
        assert rules[TEXT_VALUE].action is Action.SCRUB
        assert rules[TEXT_VALUE].text is TextKind.TECHNICAL

    def test_a_finding_that_is_a_code_stays(self) -> None:
        assert item(BASIC, "121071", "DCM", "CODE") is not None


class TestDevicesAndPlaces:
    def test_device_identity_is_kept_on_demand_only(self) -> None:
        assert action(RESEARCH, "121016", "DCM", "TEXT") is None
        assert action(RESEARCH | {DEVICE}, "121016", "DCM", "TEXT") is Action.SCRUB
        assert action(RESEARCH | {DEVICE}, "121012", "DCM", "UIDREF") is Action.KEEP_UID
        assert action(RESEARCH, "121012", "DCM", "UIDREF") is Action.UID

    def test_the_institution_is_kept_on_demand_only(self) -> None:
        assert action(RESEARCH, "121009", "DCM", "TEXT") is None
        assert action(RESEARCH | {INSTITUTION}, "121009", "DCM", "TEXT") is Action.KEEP


class TestReferences:
    def test_a_required_reference_stays_for_its_uids_are_mapped(self) -> None:
        assert item(BASIC, "121112", "DCM", "IMAGE") is not None
        assert action(BASIC, "110180", "DCM", "UIDREF") is Action.UID

    def test_an_optional_reference_goes_unless_uids_are_retained(self) -> None:
        assert item(BASIC, "121080", "DCM", "IMAGE") is None
        assert item(BASIC | {UIDS}, "121080", "DCM", "IMAGE") is not None


class TestPatientCharacteristics:
    def test_sex_and_age_of_the_subject_stay_on_demand_only(self) -> None:
        for code, value_type in (("121032", "CODE"), ("121033", "NUM")):
            assert item(BASIC, code, "DCM", value_type) is None
            assert item(RESEARCH, code, "DCM", value_type) is not None

    @pytest.mark.parametrize(("code", "scheme"), [("121033", "DCM"), ("30525-0", "LN")])
    def test_a_high_age_is_capped(self, code: str, scheme: str) -> None:
        rules = item(RESEARCH, code, scheme, "NUM", maximum_age=89)
        assert rules is not None
        assert rules.inside(MEASURED)[NUMERIC].action is Action.CAP_AGE
        assert rules.inside(MEASURED)[0x0040A161].action is Action.REMOVE
        assert rules.inside(MEASURED)[0x00080104] is ORDINARY

    def test_other_numbers_are_left_alone(self) -> None:
        rules = item(RESEARCH, "410668003", "SCT", "NUM", maximum_age=89)
        assert rules is not None
        assert rules.inside(MEASURED)[NUMERIC] is ORDINARY

    def test_the_birth_date_goes_whatever_happens_to_dates(self) -> None:
        for options in (RESEARCH, BASIC, BASIC | {FULL}):
            assert action(options, "121031", "DCM", "DATE") is None
            assert item(options, "121031", "DCM", "TEXT") is None

    def test_the_birth_date_moves_where_the_profile_says_so(self) -> None:
        rules = item(RESEARCH, "121031", "DCM", "DATE", shift_birth_date=True)
        assert rules is not None
        assert rules[DATE].action is Action.SHIFT_DATE


class TestNesting:
    def test_items_below_an_item_are_content_items(self) -> None:
        rules = item(RESEARCH, "126000", "DCM", "CONTAINER")
        assert rules is not None
        assert rules[CONTENT].action is Action.CLEAN_CONTENT
        below = rules.inside(CONTENT)
        assert below.item(("121088", "DCM"), "PNAME") is None
        assert below.item(("121071", "DCM"), "TEXT") is not None

    def test_preparation_steps_of_a_specimen_are_content_items(self) -> None:
        rules = item(RESEARCH, "", "", "")  # an item of Specimen Preparation Sequence has no concept of its own
        assert rules is not None
        assert rules[0x00400612].action is Action.CLEAN_CONTENT
        assert rules.inside(0x00400612).item(("121041", "DCM"), "TEXT") is None

    def test_everything_else_follows_the_ordinary_rules(self) -> None:
        rules = item(RESEARCH, "121071", "DCM", "TEXT")
        assert rules is not None
        assert rules[0x00080104] is ORDINARY
        assert rules.inside(0x0040A043)[0x00080104] is ORDINARY
        assert rules.private("ACME 1", 0x00091001).origin == "ACME 1"


class TestOverridesOfAnAdmin:
    @staticmethod
    def text_rule(code: str, action: Action) -> AttributeRule:
        override = AttributeRule(action, "UT", origin="override TextValue: an action")
        rules = Ordinary(ContentRules(RESEARCH), rules={TEXT_VALUE: override}).item((code, "DCM"), "TEXT")
        assert rules is not None
        return rules[TEXT_VALUE]

    def test_an_override_goes_before_the_rule_for_texts_of_any_concept(self) -> None:
        assert self.text_rule("99887", Action.SCRUB).action is Action.SCRUB

    def test_a_weaker_override_does_not_reach_the_concepts_of_the_table(self) -> None:
        assert self.text_rule("121030", Action.KEEP).action is Action.DUMMY

    def test_a_stricter_override_does(self) -> None:
        assert self.text_rule("121071", Action.REMOVE).action is Action.REMOVE


def test_items_of_a_large_report_are_decided_in_no_time() -> None:
    level = Ordinary(ContentRules(RESEARCH))
    start = perf_counter()
    for number in range(50_000):
        rules = level.item((f"{number % 300}", "99LOCAL"), "TEXT")
        assert rules is not None
        assert rules[TEXT_VALUE].action is Action.CLEAN
    assert perf_counter() - start < HUNG


def test_codes_without_end_are_not_remembered() -> None:
    rules = ContentRules(RESEARCH)
    assert rules.decision(("1" * 100_000, "DCM"), "TEXT") is rules.decision(("2" * 100_000, "DCM"), "TEXT")
