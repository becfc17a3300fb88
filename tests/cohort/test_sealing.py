"""What is sealed opens only where it was sealed for, and tells nothing by its looks."""

import base64
import re

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomanon.cohort.parameters import COHORT_DAG_ID, SEALED_SCHEMA_PATTERN
from dicomanon.cohort.sealing import (
    is_sealed,
    open_conf,
    open_parameter,
    public_key_from_text,
    seal_conf,
    seal_parameter,
)
from dicomanon.errors import Fatal

KEY = X25519PrivateKey.generate()
PRIVATE, PUBLIC = KEY.private_bytes_raw(), KEY.public_key().public_bytes_raw()
CANARY = "MRN-000-CANARY"

VALUES = st.lists(st.text(max_size=40), max_size=20)


@settings(max_examples=50, deadline=None)
@given(VALUES)
def test_every_list_opens_to_what_was_sealed(value: list[str]) -> None:
    sealed = seal_parameter(PUBLIC, COHORT_DAG_ID, "patient_ids", value)
    assert open_parameter(PRIVATE, COHORT_DAG_ID, "patient_ids", sealed) == value


def test_sealed_value_matches_the_pattern_that_airflow_checks() -> None:
    sealed = seal_parameter(PUBLIC, COHORT_DAG_ID, "patient_ids", [])
    assert re.search(SEALED_SCHEMA_PATTERN, sealed)
    assert is_sealed(sealed)
    assert is_sealed([sealed, sealed])


def test_same_value_never_looks_the_same_twice() -> None:
    assert seal_parameter(PUBLIC, "d", "n", "v") != seal_parameter(PUBLIC, "d", "n", "v")


def test_length_does_not_tell_short_values_apart() -> None:
    assert len(seal_parameter(PUBLIC, "d", "n", "Ng")) == len(seal_parameter(PUBLIC, "d", "n", "Featherstonehaugh" * 5))


@pytest.mark.parametrize(("dag", "name"), [("other_dag", "patient_ids"), (COHORT_DAG_ID, "accession_numbers")])
def test_not_opened_at_another_place(dag: str, name: str) -> None:
    sealed = seal_parameter(PUBLIC, COHORT_DAG_ID, "patient_ids", [CANARY])
    with pytest.raises(Fatal) as caught:
        open_parameter(PRIVATE, dag, name, sealed)
    assert CANARY not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_not_opened_with_another_key_or_after_a_change() -> None:
    sealed = seal_parameter(PUBLIC, "d", "n", CANARY)
    with pytest.raises(Fatal):
        open_parameter(X25519PrivateKey.generate().private_bytes_raw(), "d", "n", sealed)
    with pytest.raises(Fatal):
        open_parameter(PRIVATE, "d", "n", sealed[:-2] + ("AA" if sealed[-2:] != "AA" else "BB"))


@pytest.mark.parametrize(
    "value", ["", "sealed:v1:", "sealed:v1:SmithJohn", "sealed:v1:" + "A" * 150, CANARY, None, 3, [], ["x"]]
)
def test_what_only_looks_sealed_is_not(value: object) -> None:
    assert not is_sealed(value)


def test_conf_keeps_types_and_what_needs_no_sealing() -> None:
    conf = {"project": "P1", "modality": ["CT"], "patient_ids": [CANARY, "2"], "study_date_from": "2020-01-02",
            "study_date_to": None, "description_words": [], "accession_numbers": None, "group_by": "study"}  # fmt: skip
    sealed = seal_conf(PUBLIC, COHORT_DAG_ID, conf)
    assert CANARY not in str(sealed)
    assert "2020" not in str(sealed["study_date_from"])
    assert isinstance(sealed["patient_ids"], list)
    assert len(sealed["patient_ids"]) == 1
    unsealed = {name for name in conf if sealed[name] == conf[name]}
    assert unsealed == {"project", "modality", "study_date_to", "description_words", "accession_numbers", "group_by"}
    assert seal_conf(PUBLIC, COHORT_DAG_ID, sealed) == sealed
    assert open_conf(PRIVATE, COHORT_DAG_ID, sealed) == conf


@pytest.mark.parametrize(
    "value", [CANARY, {"a": CANARY}, [CANARY, 3], [[CANARY]], 7, True],
    ids=["string", "object", "mixed types", "nested", "number", "boolean"],
)  # fmt: skip
def test_list_of_another_type_is_refused_without_its_value(value: object) -> None:
    with pytest.raises(Fatal, match="patient_ids") as caught:
        seal_conf(PUBLIC, COHORT_DAG_ID, {"patient_ids": value})
    assert CANARY not in str(caught.value)


def test_sealed_and_clear_entries_are_not_mixed() -> None:
    sealed = seal_parameter(PUBLIC, COHORT_DAG_ID, "patient_ids", ["1"])
    with pytest.raises(Fatal, match="mixes"):
        seal_conf(PUBLIC, COHORT_DAG_ID, {"patient_ids": [sealed, CANARY]})


def test_clear_value_that_reached_airflow_is_not_used() -> None:
    with pytest.raises(Fatal, match="unsealed") as caught:
        open_conf(PRIVATE, COHORT_DAG_ID, {"patient_ids": [CANARY]})
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("text", ["", "x", base64.b64encode(b"short").decode(), base64.b64encode(bytes(32)).decode()])
def test_unusable_public_key_is_refused(text: str) -> None:
    with pytest.raises(Fatal):
        public_key_from_text(text)
    assert public_key_from_text(base64.b64encode(PUBLIC).decode() + "\n") == PUBLIC
