"""What a recorded outcome does to its rows, case by case, without a database."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from dicomanon.crosswalk.accessions import Claim
from dicomanon.crosswalk.rows import InstanceState, MappedOutcome
from dicomanon.crosswalk.settlement import InstanceRow, SeriesState, Settlement, StudyState, checked, settle
from dicomanon.errors import Fatal, Retriable
from dicomanon.reasons import HoldReason

STUDY, SERIES, PATIENT, OTHER = (UUID(int=number) for number in range(4))
OUTCOME = MappedOutcome(
    instance_id=1,
    state="deidentified",
    patient_id=PATIENT,
    research_study_uid="2.25.1",
    research_series_uid="2.25.2",
    research_sop_uid="2.25.3",
    modality="CT",
    input_digest=b"in",
    output_digest=b"out",
    profile_version="p",
    code_version="c",
)
NEW = InstanceRow(1, STUDY, SERIES, InstanceState.DISCOVERED, "", False, None, None, "", "")
DONE = replace(NEW, input_digest=b"in", output_digest=b"out", profile_version="p", code_version="c")


def settled(row: InstanceRow, outcome: MappedOutcome, study: StudyState | None = None) -> Settlement:
    studies = {STUDY: study or StudyState(None, None)}
    return settle({1: outcome}, studies, {SERIES: SeriesState(None, "")}, [row])


class TestChecked:
    @pytest.mark.parametrize(
        "change",
        [
            {"patient_id": None},
            {"research_study_uid": ""},
            {"research_series_uid": ""},
            {"research_sop_uid": ""},
            {"output_digest": None},
            {"input_digest": b""},
            {"profile_version": ""},
            {"code_version": ""},
            {"reason": "x"},
            {"state": "stored"},
            {"state": "discovered"},
            {"state": "held"},
            {"state": "held", "reason": "x"},
            {"state": "filtered", "output_digest": None},
        ],
    )
    def test_refuses_an_outcome_that_lacks_what_its_state_needs(self, change: dict[str, Any]) -> None:
        with pytest.raises(Fatal):
            checked([replace(OUTCOME, **change)])

    def test_holds_an_instance_that_arrived_with_two_contents(self) -> None:
        (outcome,) = checked([OUTCOME, replace(OUTCOME, input_digest=b"else")]).values()
        assert (outcome.state, outcome.reason, outcome.output_digest) == ("held", HoldReason.UID_REUSED, None)


class TestInstance:
    @pytest.mark.parametrize("state", [InstanceState.DEIDENTIFIED, InstanceState.VALIDATED, InstanceState.HELD])
    def test_same_content_leaves_the_row_as_it_is(self, state: InstanceState) -> None:
        assert settled(replace(DONE, state=state), OUTCOME).outcomes == []

    @pytest.mark.parametrize(
        "change", [{"input_digest": b"x"}, {"output_digest": b"x"}, {"profile_version": "x"}, {"code_version": "x"}]
    )
    @pytest.mark.parametrize("state", [InstanceState.DEIDENTIFIED, InstanceState.VALIDATED, InstanceState.HELD])
    def test_other_content_is_taken(self, state: InstanceState, change: dict[str, Any]) -> None:
        assert len(settled(replace(DONE, state=state), replace(OUTCOME, **change)).outcomes) == 1

    def test_stored_is_final(self) -> None:
        settlement = settled(replace(DONE, state=InstanceState.STORED), replace(OUTCOME, input_digest=b"x"))
        assert settlement.outcomes == []
        assert [misfit.kind for misfit in settlement.misfits] == ["uid-reused"]

    def test_stored_and_recorded_again_raises_no_event(self) -> None:
        assert settled(replace(DONE, state=InstanceState.STORED), OUTCOME).misfits == []

    def test_a_reused_uid_is_never_let_go(self) -> None:
        row = replace(NEW, state=InstanceState.HELD, reason="uid-reused", uid_reused=True)
        assert settled(row, OUTCOME).outcomes == []

    def test_another_patient_is_held_and_its_facts_are_not_used(self) -> None:
        settlement = settled(NEW, OUTCOME, StudyState(OTHER, "2.25.1"))
        assert [(one.state, one.reason) for one in settlement.outcomes] == [("held", "identity-conflict")]
        assert settlement.fitting == []

    def test_another_study_uid_is_held(self) -> None:
        settlement = settled(NEW, OUTCOME, StudyState(PATIENT, "2.25.999"))
        assert [(one.state, one.reason) for one in settlement.outcomes] == [("held", "uid-reused")]


class TestModality:
    @pytest.mark.parametrize(
        ("modality", "kept"), [("CT", "CT"), ("RTSTRUCT", "RTSTRUCT"), ("DOE JOHN", ""), ("ct", ""), ("", "")]
    )
    def test_is_kept_in_clear_only_as_a_defined_term(self, modality: str, kept: str) -> None:
        series = {SERIES: SeriesState(None, "")}
        settle({1: replace(OUTCOME, modality=modality)}, {STUDY: StudyState(None, None)}, series, [NEW])
        assert series[SERIES].modality == kept

    def test_of_a_held_object_is_not_kept(self) -> None:
        series = {SERIES: SeriesState(None, "")}
        outcome = replace(OUTCOME, state="held", reason="x", output_digest=None)
        settle({1: outcome}, {STUDY: StudyState(None, None)}, series, [NEW])
        assert series[SERIES].modality == ""


class TestDecidedMeanwhile:
    """An object that was made before somebody decided whose it is is made anew, not held and not let through."""

    @pytest.mark.parametrize(
        ("study", "survivors"),
        [
            (StudyState(None, None), {PATIENT: OTHER}),
            (StudyState(OTHER, "2.25.1"), {PATIENT: OTHER}),
            (StudyState(OTHER, "2.25.1"), {OTHER: PATIENT}),
            (StudyState(OTHER, "2.25.1", OTHER, assigned=True), {}),
        ],
    )
    def test_refused(self, study: StudyState, survivors: dict[UUID, UUID]) -> None:
        with pytest.raises(Retriable):
            settle({1: OUTCOME}, {STUDY: study}, {SERIES: SeriesState(None, "")}, [NEW], survivors)

    def test_a_study_keeps_the_pseudonym_that_it_has(self) -> None:
        study = StudyState(PATIENT, "2.25.1")
        settlement = settle({1: OUTCOME}, {STUDY: study}, {SERIES: SeriesState(None, "")}, [NEW], {PATIENT: OTHER})
        assert [one.state for one in settlement.outcomes] == ["deidentified"]


class TestAccessionOfAnotherPatient:
    CLAIM = Claim(b"number", UUID(int=8), OTHER)

    def settled(self, outcome: MappedOutcome) -> Settlement:
        parents = {STUDY: StudyState(None, None)}, {SERIES: SeriesState(None, "")}
        return settle({1: outcome}, *parents, [NEW], {}, {1: self.CLAIM})

    def test_held_and_its_facts_are_not_used(self) -> None:
        settlement = self.settled(OUTCOME)
        assert [(one.state, one.reason) for one in settlement.outcomes] == [("held", "identity-conflict")]
        assert settlement.fitting == []
        assert [misfit.kind for misfit in settlement.misfits] == ["accession-reused"]

    def test_what_is_held_already_keeps_its_reason(self) -> None:
        waiting = replace(OUTCOME, state="held", reason=HoldReason.UNCONFIRMED_DEVICE, output_digest=None)
        settlement = self.settled(waiting)
        assert [one.reason for one in settlement.outcomes] == [HoldReason.UNCONFIRMED_DEVICE]
        assert [misfit.kind for misfit in settlement.misfits] == ["accession-reused"]
