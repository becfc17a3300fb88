"""What a manifest says of an object is what the de-identified object says, and nothing of the source."""

import datetime as dt
from typing import Any

import pandas as pd
import pytest
from pydicom.dataset import Dataset
from tests.cohort.conftest import declare
from tests.site import Site, ct, encoded, read, slices, study

from dicomanon.cohort.attestation import check_release
from dicomanon.cohort.extract import CohortRequest, extract
from dicomanon.cohort.fields import age_in_years, fact_keywords
from dicomanon.cohort.parameters import COHORT_DAG_ID
from dicomanon.cohort.sealing import seal_conf
from dicomanon.crosswalk.roles.role import Role
from dicomanon.pipeline.research_facts import research_facts
from dicomanon.pipeline.runtime import open_runtime
from dicomanon.signing import SigningKey


def said(**changes: Any) -> dict[str, Any]:
    dataset = ct(study("facts"))
    dataset.LongitudinalTemporalInformationModified = "MODIFIED"
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    return dict(research_facts(encoded(dataset)))


def test_values_have_the_types_of_their_vr() -> None:
    facts = said(PixelSpacing=[0.5, 0.25], SliceThickness="1.25", NumberOfFrames="3", SeriesDescription=" Thorax ")
    assert facts | {
        "Rows": 32, "PixelSpacing": "0.5\\0.25", "SliceThickness": 1.25, "NumberOfFrames": 3,
        "SeriesDescription": "Thorax", "Modality": "CT",
    } == facts | {"Modality": "CT"}  # fmt: skip
    assert set(facts) <= fact_keywords()


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("SeriesDescription", ""),
        ("SeriesDescription", "a\x00b"),
        ("SeriesDescription", "two\nlines"),
        ("PatientSex", None),
    ],
)
def test_what_says_nothing_or_cannot_be_shown_is_left_out(keyword: str, value: str | None) -> None:
    assert keyword not in said(**{keyword: value})


@pytest.mark.parametrize("value", [b"abc ", b"1e999 ", b"NaN "])
def test_a_number_that_is_none_is_left_out(value: bytes) -> None:
    raw = encoded(ct(study("facts")))
    dataset = ct(study("facts"))
    dataset.SliceThickness = "9.87654"
    raw = encoded(dataset).replace(b"9.87654 ", value.ljust(8))
    assert "SliceThickness" not in research_facts(raw)


def test_where_dates_were_removed_none_is_kept() -> None:
    assert said()["StudyDate"]
    assert "StudyDate" not in said(LongitudinalTemporalInformationModified="REMOVED")


@pytest.mark.parametrize("groups", ["SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"])
def test_of_many_frames_the_first_tells_its_geometry(groups: str) -> None:
    measures, group = Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness, measures.SpacingBetweenSlices = [0.5, 0.5], "2.0", "2.5"
    group.PixelMeasuresSequence = [measures]
    dataset = ct(study("facts"))
    del dataset.PixelSpacing, dataset.SliceThickness
    setattr(dataset, groups, [group, Dataset()])
    facts = research_facts(encoded(dataset))
    assert (facts["PixelSpacing"], facts["SliceThickness"], facts["SpacingBetweenSlices"]) == ("0.5\\0.5", 2.0, 2.5)


def test_the_manifest_agrees_with_the_objects_in_the_research_pacs(site: Site) -> None:
    examined = study("facts")
    sources = slices(examined)
    site.ingest(*sources)
    source = read(sources[0])
    conf = {
        "project": "P", "index_dates": [f"{source.PatientID}^^^{source.IssuerOfPatientID}, {examined.day:%Y-%m-%d}"],
        "days_before": 1,
    }  # fmt: skip
    with site.crosswalk() as crosswalk:
        declare(crosswalk)
    with open_runtime(Role.COHORT) as runtime:
        sealed = seal_conf(runtime.keyring.request_public_key, COHORT_DAG_ID, conf)
        counts = extract(runtime, CohortRequest(COHORT_DAG_ID, "manual__1", "researcher", sealed))
    assert counts["release"] == 1
    folder = site.folder / "releases" / "P" / "0001"
    key = SigningKey.load(site.folder / "audit_key.pem")
    assert check_release(folder, key.public).misfits == ()
    manifest = pd.read_parquet(folder / "manifest.parquet").set_index("SOPInstanceUID")
    objects = {uid: read(data) for uid, data in site.research_objects().items()}
    assert set(manifest.index) == set(objects)
    for uid, row in manifest.iterrows():
        there = objects[str(uid)]
        assert row["StudyDate"] == dt.datetime.strptime(there.StudyDate, "%Y%m%d").date() != examined.day
        assert row["age_years"] == age_in_years(there.PatientAge)
        assert (row["Rows"], row["Columns"], row["SliceThickness"]) == (there.Rows, there.Columns, there.SliceThickness)
        assert (row["PatientSex"], row["SeriesDescription"]) == (there.PatientSex, there.SeriesDescription)
        assert (row["days_since_index_date"], row["verdict"]) == (0, "passed")
    files = b"".join(path.read_bytes() for path in folder.iterdir() if path.suffix in {".csv", ".md", ".html", ".txt"})
    for value in (source.PatientID, str(source.PatientName).split("^")[0], f"{examined.day}", source.StudyDate):
        assert value.encode() not in files
