"""What a DAG run asks for: sealed where it identifies, refused without repeating it."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.crosswalk.scenario import DOE, Run, discover, sightings

from dicomanon.cohort.parameters import RECALL_DAG_ID, WITHDRAW_DAG_ID
from dicomanon.cohort.sealing import seal_conf
from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.removals.rows import RemovalKind
from dicomanon.crosswalk.rows import ReleaseRow
from dicomanon.errors import Fatal
from dicomanon.pipeline.removal.asking import RemovalRun, recall, withdraw
from dicomanon.pipeline.removal.contacts import load_contacts

UID = "1.2.826.0.1.3680043.1"
TOLD = {"reason": "letter of J. Doe", "ticket": "DPO-17"}


@pytest.fixture
def stored(crosswalk: Crosswalk) -> Run:
    discover(crosswalk, UID, sightings(UID, 3))
    run = Run(crosswalk)
    run.complete()
    return run


@pytest.fixture
def release(crosswalk: Crosswalk, stored: Run) -> ReleaseRow:
    return crosswalk.releases.create("lung-ai", "ada", b"d", [row.instance_id for row in stored.sources()])


def asked(keyring: Keyring, dag_id: str, **conf: Any) -> RemovalRun:
    sealed = seal_conf(keyring.request_public_key, dag_id, conf)
    assert "Doe" not in json.dumps(sealed) and DOE.patient_id not in json.dumps(sealed)
    return RemovalRun(dag_id, "manual__1", "admin", sealed)


def test_a_patient_is_named_by_pseudonym_or_by_a_sealed_id(crosswalk: Crosswalk, keyring: Keyring, stored: Run) -> None:
    pseudonym = crosswalk.patients.get_or_create(DOE).pseudonym
    by_id = withdraw(crosswalk, keyring, asked(keyring, WITHDRAW_DAG_ID, patient_id=DOE.patient_id, **TOLD), "")
    again = withdraw(crosswalk, keyring, asked(keyring, WITHDRAW_DAG_ID, pseudonym=pseudonym, **TOLD), "")
    assert by_id == again
    assert (by_id.kind, by_id.pseudonym, by_id.persons) == (RemovalKind.WITHDRAWAL, pseudonym, 0)
    assert by_id.requester.name == "airflow:admin"
    assert crosswalk.removals.reason(by_id).reveal() == "letter of J. Doe"


@pytest.mark.parametrize(
    "conf",
    [
        TOLD,
        {"pseudonym": "D0123456789A", "patient_id": "MRN-7731", **TOLD},
        {"patient_id": "MRN-0000", **TOLD},
        {"patient_id": "MRN-7731^^^ELSEWHERE", **TOLD},
        {"patient_id": "MRN-7731", "ticket": "T-1"},
        {"patient_id": "MRN-7731", "reason": "why"},
    ],
    ids=["nobody", "two", "unknown", "other issuer", "no reason", "no ticket"],
)
def test_what_is_not_clear_is_refused(
    crosswalk: Crosswalk, keyring: Keyring, stored: Run, conf: dict[str, str]
) -> None:
    with pytest.raises(Fatal) as refused:
        withdraw(crosswalk, keyring, asked(keyring, WITHDRAW_DAG_ID, **conf), "")
    assert "MRN" not in str(refused.value)
    assert crosswalk.removals.all() == []


def test_an_identifier_in_clear_is_refused(crosswalk: Crosswalk, keyring: Keyring, stored: Run) -> None:
    run = RemovalRun(WITHDRAW_DAG_ID, "manual__1", "admin", {"patient_id": DOE.patient_id, "ticket": "T-1"})
    with pytest.raises(Fatal, match="unsealed"):
        withdraw(crosswalk, keyring, run, "")


def test_a_recall_names_a_release_and_objects_of_it(
    crosswalk: Crosswalk, keyring: Keyring, stored: Run, release: ReleaseRow
) -> None:
    uid = str(stored.sources()[0].research_sop_uid)
    some = asked(keyring, RECALL_DAG_ID, release="lung-ai/0001", instances=[uid], **TOLD)
    removal = recall(crosswalk, keyring, some)
    assert recall(crosswalk, keyring, some) == removal
    assert sum(crosswalk.removals.extent(removal).instances.values()) == 1
    with pytest.raises(Fatal, match="1 of the objects are not in that release"):
        recall(crosswalk, keyring, asked(keyring, RECALL_DAG_ID, release="lung-ai/1", instances=["2.25.1"], **TOLD))


def test_holders_are_the_requester_and_the_project(tmp_path: Path, release: ReleaseRow) -> None:
    file = tmp_path / "contacts.json"
    file.write_text(
        json.dumps(
            {"projects": {"lung-ai": ["pi@example.org", "ada@example.org"]}, "requesters": {"ada": ["ada@example.org"]}}
        )
    )
    assert load_contacts(file).of(release) == ("ada@example.org", "pi@example.org")
    assert load_contacts(None).of(release) == ()
    file.write_text('{"project": {}}')
    with pytest.raises(Fatal, match="DICOMANON_NOTICE_CONTACTS"):
        load_contacts(file)
