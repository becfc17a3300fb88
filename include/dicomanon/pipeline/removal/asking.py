"""Turns what a person or a DAG run asks for into a removal; identifiers of patients come sealed or from a prompt."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from dicomanon.cohort.criteria import split_patient_id
from dicomanon.cohort.sealing import open_conf
from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.removals.rows import Removal, RemovalKind, Requester
from dicomanon.errors import Fatal

_RELEASE = re.compile(r"(.+)/(\d{1,9})")


@dataclass(frozen=True, slots=True)
class RemovalRun:
    """A DAG run that asks for a removal, as Airflow holds it: its parameters are sealed where they identify."""

    dag_id: str
    run_id: str
    requester: str
    conf: Mapping[str, JsonValue]


def withdraw(crosswalk: Crosswalk, keyring: Keyring, run: RemovalRun, default_issuer: str) -> Removal:
    """Request what a run of ``withdraw_patient`` asks for.

    Raises
    ------
    Fatal
        It names no patient or two, or says not why; nothing of what it says is repeated.
    """
    given = open_conf(keyring.request_private_key, run.dag_id, run.conf)
    requester = _airflow_login(run)
    pseudonym, patient_id = _text(given, "pseudonym"), _text(given, "patient_id")
    reason, ticket = _text(given, "reason"), _text(given, "ticket")
    if bool(pseudonym) == bool(patient_id):
        raise Fatal("name the patient either by pseudonym or by patient_id")
    if patient_id:
        pseudonym = pseudonym_of(crosswalk, patient_id, default_issuer, actor=requester.name, ticket=ticket)
    return crosswalk.removals.request_of_patient(
        RemovalKind.WITHDRAWAL,
        pseudonym,
        requester,
        reason=reason,
        ticket=ticket,
        request_key=f"{run.dag_id}/{run.run_id}",
    )


def recall(crosswalk: Crosswalk, keyring: Keyring, run: RemovalRun) -> Removal:
    """Request what a run of ``recall_release`` asks for.

    Raises
    ------
    Fatal
        There is no such release, an object is not in it, or it says not why.
    """
    given = open_conf(keyring.request_private_key, run.dag_id, run.conf)
    project, number = release_named(_text(given, "release"))
    uids = given.get("instances") or []
    return crosswalk.removals.request_recall(
        project,
        number,
        _airflow_login(run),
        reason=_text(given, "reason"),
        ticket=_text(given, "ticket"),
        research_sop_uids=[str(uid) for uid in uids] if isinstance(uids, list) else [],
        request_key=f"{run.dag_id}/{run.run_id}",
    )


def pseudonym_of(crosswalk: Crosswalk, patient_id: str, default_issuer: str, *, actor: str, ticket: str) -> str:
    """Return the pseudonym of who has the Patient ID, ``ID`` or ``ID^^^ISSUER``; the look-up is in the trail.

    Not why the removal is asked for, which auditors do not open: the ticket.
    """
    issuer, number = split_patient_id(patient_id, default_issuer)
    return crosswalk.removals.pseudonym_of(issuer, number, actor=actor, reason=f"to ask for a removal, ticket {ticket}")


def release_named(text: str) -> tuple[str, int]:
    """Return project and number of ``PROJECT/NUMBER``.

    Raises
    ------
    Fatal
        It is not of that form.
    """
    match = _RELEASE.fullmatch(text.strip())
    if match is None:
        raise Fatal("a release is named PROJECT/NUMBER, such as lung-ai/0001")
    return match[1], int(match[2])


def _airflow_login(run: RemovalRun) -> Requester:
    return Requester(f"airflow:{run.requester}", account=False)


def _text(given: Mapping[str, JsonValue], name: str) -> str:
    value = given.get(name)
    return value.strip() if isinstance(value, str) else ""
