"""When a study balances, and what the table of a run shows."""

from typing import Any
from uuid import uuid4

import pytest

from dicomanon.crosswalk.rows import StudyBalance
from dicomanon.errors import Fatal
from dicomanon.pipeline.ingest import table
from dicomanon.pipeline.reconcile import ReconciledStudy, require_balance, totals
from dicomanon.values import Phi, Pseudonym, ResearchUid


def line(*, clinical: int = 10, research: int = 7, **changes: Any) -> ReconciledStudy:
    account: dict[str, Any] = {
        "study_id": uuid4(),
        "study_uid": Phi("1.2.3.4.5"),
        "research_study_uid": ResearchUid("2.25.1"),
        "pseudonym": Pseudonym("D0000000000"),
        "modalities": ("CT", "SR"),
        "observed": 10,
        "enrolled": 10,
        "stored": 7,
        "held": {"burned-in-risk": 1, "unreadable": 1},
        "filtered": 1,
        "pending": 0,
        "absent": 0,
    }
    return ReconciledStudy(StudyBalance(**account | changes), clinical, research)


def test_balanced_when_everything_is_settled_and_shown() -> None:
    assert line().balanced


@pytest.mark.parametrize(
    "unbalanced",
    [
        line(clinical=11),
        line(clinical=9),
        line(research=6),
        line(research=8),
        line(stored=6, pending=1, research=6),
        line(held={}),
        line(filtered=0),
    ],
    ids=["one more there", "one less there", "one lost", "one too many", "one waits", "no holds", "none filtered"],
)
def test_unbalanced_when_one_count_is_off(unbalanced: ReconciledStudy) -> None:
    assert not unbalanced.balanced
    with pytest.raises(Fatal, match="1 of 2 studies do not balance"):
        require_balance(totals([line(), unbalanced]))


def test_an_instance_that_the_clinical_pacs_gave_up_is_not_missed() -> None:
    assert line(clinical=9, absent=1).balanced
    assert not line(clinical=10, absent=1).balanced


def test_totals_add_up() -> None:
    assert totals([line(), line(clinical=11)]) == {
        "studies": 2,
        "not_listed": 0,
        "clinical": 21,
        "stored": 14,
        "held": 4,
        "filtered": 2,
        "withdrawn": 0,
        "pending": 0,
        "unbalanced": 1,
    }
    require_balance(totals([]))


def test_the_table_shows_research_identifiers_only() -> None:
    head, first, second = table([line(), line(clinical=11)])
    assert head.split()[:2] == ["study", "pseudonym"]
    assert first.endswith("yes")
    assert second.endswith("NO")
    assert "1 burned-in-risk, 1 unreadable" in first
    assert "1.2.3.4.5" not in head + first + second
    assert first.index("2.25.1") == head.index("study")
