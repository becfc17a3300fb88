"""Names of the Data Docs folders."""

import pytest

from dicomanon.pipeline.data_docs import batch_folder, run_folder


@pytest.mark.parametrize(
    ("run_id", "folder"),
    [
        ("manual__2026-01-31T10:00:00+00:00", "manual__2026-01-31T10_00_00_00_00"),
        ("../../etc", ".._.._etc"),
        ("..", "_"),
        ("", "_"),
        ("a/b\\c?d#e", "a_b_c_d_e"),
    ],
)
def test_a_run_has_one_folder_below_the_data_docs(run_id: str, folder: str) -> None:
    assert run_folder(run_id) == folder
    assert "/" not in run_folder(run_id)
    assert batch_folder(run_id, 7) == f"{folder}/batch-7"
