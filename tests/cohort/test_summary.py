"""The summary tells what people ask for first, and never a count that is not told."""

from dicomanon.cohort.summary import summary


def test_first_things_first_and_nothing_lost() -> None:
    counts = {
        "bytes": 15_534_044, "series": None, "release": 1, "studies": 30, "controls": 0, "patients": 25,
        "fewer_than": 10, "unmatched_patient_ids": 2, "unmatched_index_dates": 0, "studies_after_01_stored": 70,
        "studies_after_00_identified": 75, "not_known_laterality": None, "pulled": 4,
    }  # fmt: skip
    lines = [" ".join(line.split()) for line in summary(counts)]
    assert lines == [
        "patients 25", "studies 30", "series fewer than 10", "bytes 15,534,044", "controls 0",
        "Studies that each criterion left:", "00 identified 75", "01 stored 70",
        "Studies of which it is not known:", "laterality fewer than 10",
        "Entries of yours that lead to no study:", "index dates 0", "patient ids 2",
        "pulled 4",
    ]  # fmt: skip


def test_lists_that_lead_to_studies_are_not_told_of() -> None:
    assert list(summary({"patients": 12, "fewer_than": 10, "unmatched_patient_ids": 0, "release": 0})) == [
        "patients                                       12"
    ]
