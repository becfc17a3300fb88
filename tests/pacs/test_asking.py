"""A PACS is asked for people and numbers, and shows all of that however little it shows at once."""

import json
from collections.abc import Callable
from datetime import date
from io import BytesIO

import pydicom
import pytest
from tests.pacs.archive import Answer, Request, endpoint, faulty_server, load, make_object

from dicomanon.errors import Fatal, Retriable
from dicomanon.local_stack.orthanc import OrthancServer
from dicomanon.pacs.query import ClinicalPacs
from dicomanon.pacs.wanted import ACCESSION_NUMBER, ALWAYS, ISSUER, PATIENT_ID, NamedStudy, Question
from dicomanon.pacs.windows import DateWindow


def of(study_uid: str, patient: str, *, issuer: str = "", number: str = "", day: str = "20200101") -> bytes:
    dataset = pydicom.dcmread(BytesIO(make_object(study_uid, study_date=day)))
    dataset.PatientID, dataset.AccessionNumber = patient, number
    if issuer:
        dataset.IssuerOfPatientID = issuer
    file = BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def asked(pacs: ClinicalPacs, window: DateWindow = ALWAYS, **filters: str) -> dict[str, NamedStudy]:
    tags = {"patient": PATIENT_ID, "issuer": ISSUER, "number": ACCESSION_NUMBER}
    question = Question({tags[name]: value for name, value in filters.items()}, window)
    return {study.study_uid: study for study in pacs.questions().ask(question)}


def test_finds_the_studies_of_a_patient_and_says_whose_they_are(clinical_orthanc: OrthancServer) -> None:
    load(clinical_orthanc, of("1.1", "A", issuer="AWAY", number="7"), of("1.2", "A"), of("1.3", "B", number="8"))
    with ClinicalPacs(endpoint(clinical_orthanc)) as pacs:
        assert asked(pacs, patient="A").keys() == {"1.1", "1.2"}
        assert asked(pacs, number="8") == {"1.3": NamedStudy("1.3", "20200101", "B", "", "8")}
        assert asked(pacs, patient="A", issuer="AWAY") == {"1.1": NamedStudy("1.1", "20200101", "A", "AWAY", "7")}
        assert asked(pacs, patient="nobody") == {}


def test_keeps_to_the_days(clinical_orthanc: OrthancServer) -> None:
    load(clinical_orthanc, *(of(f"1.{day}", "A", day=day) for day in ("20200101", "20200102", "")))
    with ClinicalPacs(endpoint(clinical_orthanc)) as pacs:
        assert asked(pacs, DateWindow(date(2020, 1, 2), date.max), patient="A").keys() == {"1.20200102"}
        assert len(asked(pacs, patient="A")) == 3


def test_counts_what_a_study_has_under_all_its_patient_ids(clinical_orthanc: OrthancServer) -> None:
    load(clinical_orthanc, of("1.1", "A"), of("1.1", "B"), of("1.1", "B"))
    with ClinicalPacs(endpoint(clinical_orthanc)) as pacs:
        assert asked(pacs, patient="A").keys() == {"1.1"}
        assert pacs.sighting("1.1").instances == 3


@pytest.mark.parametrize("window", [ALWAYS, DateWindow(date(2020, 1, 1), date(2020, 12, 31))])
def test_finds_more_than_the_server_shows_at_once(
    clamping_orthanc: Callable[..., OrthancServer], window: DateWindow
) -> None:
    server = clamping_orthanc(LimitFindResults=3)
    load(server, *(of(f"1.{month}", "A", day=f"2020{month:02}15") for month in range(1, 10)), of("2", "B"))
    with ClinicalPacs(endpoint(server)) as pacs:
        assert asked(pacs, window, patient="A").keys() == {f"1.{month}" for month in range(1, 10)}


def test_is_refused_where_more_fall_on_one_minute_than_it_shows(
    clamping_orthanc: Callable[..., OrthancServer],
) -> None:
    server = clamping_orthanc(LimitFindResults=3)
    load(server, *(of(f"1.{number}", "PATIENT-CANARY") for number in range(5)))
    with ClinicalPacs(endpoint(server)) as pacs, pytest.raises(Fatal, match="cuts its answers") as refused:
        asked(pacs, patient="PATIENT-CANARY")
    assert "CANARY" not in str(refused.value)


def test_takes_what_a_server_that_ignores_the_keys_shows_for_what_it_says_it_is() -> None:
    rows = [{"0020000D": {"Value": ["1.1"]}, "00100020": {"Value": ["B"]}}]

    def answer(request: Request) -> Answer:
        return Answer(json.dumps([] if request.query.get("offset", "0") != "0" else rows).encode())

    with faulty_server(answer) as server, ClinicalPacs(server.endpoint()) as pacs:
        assert asked(pacs, patient="A") == {"1.1": NamedStudy("1.1", "", "B", "", "")}


def test_says_no_identifier_where_it_fails() -> None:
    with (
        faulty_server(lambda _: Answer(b"PATIENT-CANARY", status=500)) as server,
        ClinicalPacs(server.endpoint()) as pacs,
        pytest.raises(Retriable) as failed,
    ):
        asked(pacs, patient="PATIENT-CANARY")
    assert "CANARY" not in str(failed.value)
