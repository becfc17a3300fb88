"""``dicomanon seal``, as a researcher uses it on a machine of their own."""

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from tests.command import dicomanon

from dicomanon.cohort.criteria import CohortCriteria
from dicomanon.cohort.parameters import COHORT_DAG_ID, SEALED_PREFIX, WITHDRAW_DAG_ID
from dicomanon.cohort.sealing import open_conf
from dicomanon.console import DONE, FATAL

PRIVATE = X25519PrivateKey.generate()
PUBLIC = PRIVATE.public_key().public_bytes_raw()
REQUEST = {"project": "lung-ai", "patient_ids": ["QZX-771"], "study_date_from": "2026-01-31", "modality": ["CT"]}


@pytest.fixture(params=["as Airflow shows it", "base64", "hex"])
def key(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    written = {
        "as Airflow shows it": json.dumps({"scheme": "HPKE", "public_key": PUBLIC.hex()}),
        "base64": base64.b64encode(PUBLIC).decode() + "\n",
        "hex": PUBLIC.hex(),
    }
    file = tmp_path / "key"
    file.write_text(written[request.param])
    return file


@pytest.fixture
def hex_key(tmp_path: Path) -> Path:
    file = tmp_path / "hex"
    file.write_text(PUBLIC.hex())
    return file


def seal(key: Path, request: object, *more: str) -> subprocess.CompletedProcess[str]:
    typed = request if isinstance(request, str) else json.dumps(request)
    return dicomanon("seal", "-", "--key", key, *more, typed=typed)


def opened(done: subprocess.CompletedProcess[str], dag: str = COHORT_DAG_ID) -> dict[str, Any]:
    assert done.returncode == DONE, done.stderr
    return open_conf(PRIVATE.private_bytes_raw(), dag, json.loads(done.stdout))


def test_what_is_sealed_opens_for_the_worker_alone(key: Path) -> None:
    done = seal(key, REQUEST)
    assert opened(done) == REQUEST
    assert "QZX-771" not in done.stdout and "2026-01-31" not in done.stdout
    sealed = json.loads(done.stdout)
    assert sealed["study_date_from"].startswith(SEALED_PREFIX)
    assert (sealed["project"], sealed["modality"]) == ("lung-ai", ["CT"])


def test_fifty_thousand_identifiers_come_out_of_a_csv_with_headings(hex_key: Path, tmp_path: Path) -> None:
    file = tmp_path / "patients.csv"
    file.write_text("Site,MRN\n" + "".join(f"x,QZX-{number}\n" for number in range(50_000)), encoding="utf-8-sig")
    request = {name: value for name, value in REQUEST.items() if name != "patient_ids"}
    found = CohortCriteria.read(opened(seal(hex_key, request, "--column", f"patient_ids={file}")))
    assert (len(found.patient_ids), found.patient_ids[-1]) == (50_000, "QZX-49999")


def test_requests_to_other_dags_open_only_there(hex_key: Path) -> None:
    request = {"patient_id": "QZX-771", "reason": "asked by letter", "ticket": "DPO-17"}
    assert opened(seal(hex_key, request, "--dag", WITHDRAW_DAG_ID), WITHDRAW_DAG_ID) == request


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ("{", "not valid JSON"),
        ([], "must be a JSON object"),
        (REQUEST | {"patient_names": ["QZX"]}, "has a key that cohort_extraction does not know"),
        (REQUEST | {"study_date_from": "QZX 31.1."}, "study_date_from"),
        (REQUEST | {"patient_ids": {"QZX": 1}}, "patient_ids"),
        (REQUEST | {"modality": ["QZX of a patient"]}, "modality must match"),
        (REQUEST | {"patient_ids": [SEALED_PREFIX + "A" * 406]}, "sealed values already"),
    ],
    ids=["no JSON", "no object", "unknown key", "bad date", "wrong type", "text in a choice", "sealed"],
)
def test_what_cannot_be_asked_is_told_before_it_is_sent(hex_key: Path, request_: object, says: str) -> None:
    done = seal(hex_key, request_)
    assert (done.returncode, done.stdout) == (FATAL, "")
    assert says in done.stderr
    assert "QZX" not in done.stderr


@pytest.mark.parametrize("text", ["", "abc", "0" * 64, '{"public_key": 7}'])
def test_a_key_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "key"
    file.write_text(text)
    done = seal(file, REQUEST)
    assert (done.returncode, done.stdout) == (FATAL, "")
    assert "public key" in done.stderr


@pytest.mark.parametrize("given", ["patient_ids", "modality=x.csv", "nothing=x.csv"])
def test_a_column_is_of_a_sealed_list(hex_key: Path, given: str) -> None:
    done = seal(hex_key, REQUEST, "--column", given)
    assert done.returncode == 2
    assert "patient_ids" in done.stderr
