"""Sending a folder to the clinical PACS."""

from pathlib import Path

from tests.site import Run, Site, slices, study

from dicomanon.pipeline.load import load_folder


def test_dicom_files_go_into_the_clinical_pacs_and_others_stay_where_they_are(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "below").mkdir(parents=True)
    first, second = slices(study("loaded"), [1, 2])
    (folder / "a").write_bytes(first)
    (folder / "below" / "b.dcm").write_bytes(second)
    (folder / "notes.txt").write_text("not DICOM")
    expected = {"files": 3, "stored": 2, "refused": 0, "unreadable": 1}
    assert load_folder(folder) == expected
    assert load_folder(folder) == expected, "sending again changes nothing"
    assert Run().discover()["enrolled_instances"] == 2
