"""The frames hold research UIDs and counts."""

from tests.validate.support import expected

from dicomanon.validate.findings import Findings
from dicomanon.validate.frame import StudyCount, findings_frame, studies_frame
from dicomanon.validate.suite import RULES


def test_one_row_per_instance_with_a_count_for_every_rule() -> None:
    frame = findings_frame([(expected(), Findings({"digest": 3}, {"digest": ("whole object",)}))])
    assert list(frame.columns) == ["study_uid", "series_uid", "sop_uid", *RULES]
    assert frame.loc[0, "digest"] == 3
    assert frame.loc[0, list(RULES)].sum() == 3
    assert "whole object" not in frame.to_csv()


def test_frame_without_instances_has_the_columns() -> None:
    assert list(findings_frame([]).columns) == ["study_uid", "series_uid", "sop_uid", *RULES]


def test_study_row_says_how_many_are_unaccounted_for() -> None:
    frame = studies_frame([StudyCount("2.25.1", enrolled=10, staged=4, held=2, filtered=1, stored=1)])
    assert frame.loc[0, "unaccounted"] == 2
