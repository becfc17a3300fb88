"""What an object says in the clinical PACS is what a cohort finds it by, once it went through the pipeline."""

import json
from typing import Any

import pandas as pd
from tests.cohort.conftest import declare
from tests.site import Site, ct, encoded, slices, study

from dicomanon.cohort.criteria import CohortCriteria
from dicomanon.cohort.extract import CohortRequest, extract
from dicomanon.cohort.parameters import COHORT_DAG_ID
from dicomanon.cohort.resolve import resolve
from dicomanon.cohort.sealing import seal_conf
from dicomanon.crosswalk.roles.role import Role
from dicomanon.pipeline.runtime import open_runtime


def sizes(**criteria: Any) -> list[list[int]]:
    """Return of each study found how many images each series found has; asked as ``cohort_extraction`` does."""
    with open_runtime(Role.COHORT) as runtime:
        asked = CohortCriteria.read({"project": "P", **criteria})
        found = resolve(runtime.crosswalk, asked, runtime.settings.default_issuer).found
    return [sorted(series.instances for series in one.series) for one in found]


def test_facts_of_series_come_with_their_objects(site: Site) -> None:
    examined = study("facts")
    objects = [ct(examined, number) for number in (1, 2, 3)] + [ct(examined, number, series=2) for number in (1, 2)]
    for dataset in objects:
        enhanced = dataset.SeriesNumber == 2
        dataset.SliceThickness = "1.0" if enhanced else "5.0"
        dataset.ProtocolName = "Thorax late phase" if enhanced else "Thorax"
        dataset.RequestingService = "Oncology"
        if enhanced:
            dataset.ContrastBolusAgent = "Iopamidol"
    site.ingest(*map(encoded, objects))
    born = objects[0].PatientBirthDate

    assert sizes(referring_service_words=["onco"]) == [[2, 3]]
    assert sizes(contrast="yes") == [[2]]
    assert sizes(contrast="no", body_part=["CHEST"]) == [[3]]
    assert sizes(slice_thickness_to=1, protocol_words=["late"]) == [[2]]
    assert sizes(slice_thickness_to=1, contrast="no") == []
    assert sizes(images_from=3, sex=[objects[0].PatientSex]) == [[3]]
    assert sizes(names_with_birth_dates=[f"{objects[0].PatientName}, {born}"], laterality=["L"]) == []
    assert sizes(names_with_birth_dates=[f"{objects[0].PatientName}, {born}"]) == [[2, 3]]
    assert sizes(birth_date_from=born, birth_date_to=born, age_from="120Y") == []


def test_a_request_is_answered_with_the_privileges_of_cohorts_alone(site: Site) -> None:
    examined = study("facts")
    site.ingest(*slices(examined), *slices(examined, [1], series=2))
    conf = {
        "project": "P", "purpose": "to try", "body_part": ["CHEST"], "images_from": 2, "per_patient": 1, "limit": 5,
        "controls_per_case": 1, "split_train": 100, "group_by": "series",
    }  # fmt: skip
    with site.crosswalk() as crosswalk:
        declare(crosswalk)
    with open_runtime(Role.COHORT) as runtime:
        sealed = seal_conf(runtime.keyring.request_public_key, COHORT_DAG_ID, conf)
        counts = extract(runtime, CohortRequest(COHORT_DAG_ID, "manual__1", "researcher", sealed))
        folder = runtime.settings.release_dir / "P" / "0001"
    assert (counts["release"], counts["series"], counts["instances"], counts["controls"]) == (1, 1, 3, 0)
    manifest = pd.read_parquet(folder / "manifest.parquet")
    assert set(manifest["SOPInstanceUID"]) == set(site.expected(*slices(examined)))
    assert (set(manifest["split"]), set(manifest["group"])) == ({"train"}, {"case"})
    steps = [step["criterion"] for step in json.loads((folder / "release.json").read_text())["attrition"]]
    assert steps == ["identified", "stored", "body_part", "images", "per_patient", "limit"]
