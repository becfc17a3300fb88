"""What differs in one study; without servers."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any
from uuid import uuid4

import pytest

from dicomanon.crosswalk.archives.causes import Cause
from dicomanon.crosswalk.archives.rows import Difference, InstanceKey, LedgerInstance, LedgerStudy
from dicomanon.crosswalk.rows import InstanceState
from dicomanon.identity import InstanceSighting
from dicomanon.pipeline.archives.comparing import compare_clinical, compare_research
from dicomanon.values import Phi, Pseudonym

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
STUDY = LedgerStudy(uuid4(), Phi("1.2"), "2.25.1", 3, 3, Pseudonym("D1"))


def key(number: int) -> InstanceKey:
    return b"series", b"%d" % number


def row(number: int, state: str = "stored", **changes: Any) -> LedgerInstance:
    values = {
        "instance_id": number, "key": key(number), "state": InstanceState(state), "research_series_uid": "2.25.2",
        "research_sop_uid": research(f"1.2.{number}"), "sop_class_uid": CT, "output_digest": b"",
    }  # fmt: skip
    return LedgerInstance(**values | changes)


def research(uid: str) -> str:
    return f"2.25.{uid}"


def shown(*numbers: int, series: str = "2.25.2", sop_class: str = CT) -> list[InstanceSighting]:
    return [InstanceSighting(series, research(f"1.2.{number}"), sop_class) for number in numbers]


def clinical(*numbers: int) -> dict[InstanceKey, str]:
    return {key(number): f"1.2.{number}" for number in numbers}


def compared(
    ledger: Sequence[LedgerInstance],
    sources: Mapping[InstanceKey, str],
    objects: Sequence[InstanceSighting],
    former: Mapping[str, int] = MappingProxyType({}),
) -> list[Difference]:
    return list(compare_research(STUDY, ledger, sources, objects, research, former))


class TestClinical:
    def test_nothing_when_they_say_the_same(self) -> None:
        assert list(compare_clinical(STUDY, [row(1), row(2)], clinical(2, 1))) == []

    def test_one_difference_a_direction_with_counts(self) -> None:
        more, fewer = compare_clinical(STUDY, [row(1), row(2)], clinical(2, 3, 4))
        assert (more.cause, more.detail) == (Cause.INSTANCES_NOT_IN_LEDGER, "2 of 3 instances")
        assert (fewer.cause, fewer.detail) == (Cause.INSTANCES_GONE_FROM_CLINICAL, "1 of 2 instances")

    def test_a_study_that_is_gone_is_one_difference(self) -> None:
        (gone,) = compare_clinical(STUDY, [row(1), row(2)], {})
        assert gone.cause is Cause.GONE_FROM_CLINICAL


class TestResearch:
    def test_nothing_when_they_say_the_same(self) -> None:
        assert compared([row(1), row(2, "held", research_sop_uid="")], clinical(1, 2), shown(1)) == []

    def test_each_missing_instance(self) -> None:
        (missing,) = compared([row(1), row(2)], clinical(1, 2), shown(1))
        assert missing == Difference(Cause.INSTANCE_MISSING, STUDY.study_id, 2)

    def test_a_study_of_which_nothing_is_left_is_one_difference(self) -> None:
        (missing,) = compared([row(1), row(2)], clinical(1, 2), [])
        assert missing == Difference(Cause.STUDY_MISSING, STUDY.study_id, detail="2 instances")

    @pytest.mark.parametrize("state", ["withdrawn", "held", "discovered"])
    def test_what_was_removed_is_neither_missing_nor_unknown(self, state: str) -> None:
        former = {research("1.2.2"): 2}
        ledger = [row(1), row(2, state, research_sop_uid="" if state == "discovered" else research("1.2.2"))]
        assert compared(ledger, clinical(1, 2), shown(1), former) == []
        (there,) = compared(ledger, clinical(1, 2), shown(1, 2), former)
        assert there == Difference(Cause.INSTANCE_NOT_REMOVED, STUDY.study_id, 2, research_uid=research("1.2.2"))

    def test_what_is_removed_while_it_is_looked_for_is_not_missing(self) -> None:
        assert compared([row(1)], clinical(1), [], {research("1.2.1"): 1}) == []

    def test_a_stray_is_a_secret(self) -> None:
        (stray,) = compared([row(1)], clinical(1), [*shown(1), InstanceSighting("9.9", "9.9.9", CT)])
        assert (stray.cause, stray.research_uid) == (Cause.INSTANCE_UNKNOWN, "")
        assert stray.subject is not None
        assert stray.subject.reveal() == "9.9.9"

    def test_ours_without_a_row_is_recognised_by_the_clinical_uid(self) -> None:
        (ours,) = compared([row(1)], clinical(1, 2), shown(1, 2))
        assert ours == Difference(Cause.INSTANCE_NOT_RECORDED, STUDY.study_id, research_uid=research("1.2.2"))

    def test_ours_with_uids_kept(self) -> None:
        (ours,) = compared([row(1)], clinical(1, 2), [*shown(1), InstanceSighting("2.25.2", "1.2.2", CT)])
        assert ours.cause is Cause.INSTANCE_NOT_RECORDED

    def test_ours_with_a_row_that_waits(self) -> None:
        (waiting,) = compared([row(1), row(2, "discovered", research_sop_uid="")], clinical(1, 2), shown(1, 2))
        assert waiting == Difference(Cause.INSTANCE_NOT_RECORDED, STUDY.study_id, 2, detail="discovered")

    def test_what_is_held_must_not_be_there(self) -> None:
        for held in (row(2, "held"), row(2, "held", research_sop_uid=""), row(2, "filtered"), row(2, "withdrawn")):
            (there,) = compared([row(1), held], clinical(1, 2), shown(1, 2))
            assert (there.cause, there.instance_id) == (Cause.HELD_IN_RESEARCH, 2)

    def test_another_series_or_class(self) -> None:
        (other,) = compared([row(1)], clinical(1), shown(1, series="2.25.9", sop_class=MR))
        assert (other.cause, other.detail) == (Cause.OBJECT_DIFFERS, "series, SOP class")

    def test_what_an_archive_leaves_out_says_nothing(self) -> None:
        assert compared([row(1)], clinical(1), shown(1, series="", sop_class="")) == []
