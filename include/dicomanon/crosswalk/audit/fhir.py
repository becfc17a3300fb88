"""An entry as an AuditEvent of FHIR R4."""

from typing import Any

from dicomanon.crosswalk.audit.actions import kind_of
from dicomanon.crosswalk.audit.events import Subject, SubjectKind
from dicomanon.crosswalk.audit.reported import Reported

_DCM = "http://dicom.nema.org/resources/ontology/DCM"
_ENTITY_TYPE = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
_SOURCE_TYPE = "http://terminology.hl7.org/CodeSystem/security-source-type"
_OWN = "urn:dicomanon:audit"
_UIDS = "urn:dicom:uid"
_PERSON, _SYSTEM_OBJECT, _ORGANIZATION = ("1", "Person"), ("2", "System Object"), ("3", "Organization")
_ENTITY_TYPES = {
    SubjectKind.PSEUDONYM: _PERSON,
    SubjectKind.ACCOUNT: _PERSON,
    SubjectKind.PROJECT: _ORGANIZATION,
}
_OF_DICOM = {SubjectKind.STUDY, SubjectKind.SERIES, SubjectKind.INSTANCE}


def audit_event(one: Reported, source: str) -> dict[str, Any]:
    """Return one entry as an AuditEvent, to be written as JSON.

    Parameters
    ----------
    source
        Identifier of the observer: names the site.
    """
    entry, kind = one.entry, kind_of(one.entry.action)
    program: dict[str, Any] = {
        "type": {"coding": [{"system": _DCM, "code": "110150", "display": "Application"}]},
        "name": "dicomanon",
        "requestor": False,
    }
    if entry.database_login:
        program["altId"] = entry.database_login
    return {
        "resourceType": "AuditEvent",
        "id": str(entry.id),
        "type": {"system": _DCM, "code": kind.event_code, "display": kind.event_meaning},
        # The value set of subtypes is extensible, and a code has no blanks (FHIR R4 `code`).
        "subtype": [{"system": _OWN, "code": "-".join(entry.action.split()), "display": entry.action}],
        "action": kind.action_code,
        "recorded": entry.recorded_at.isoformat(timespec="microseconds"),
        "outcome": kind.outcome,
        "agent": [
            {"who": {"identifier": {"system": f"{_OWN}:actor", "value": entry.actor}}, "requestor": True},
            program,
        ],
        "source": {
            "observer": {"identifier": {"system": f"{_OWN}:source", "value": source}},
            "type": [{"system": _SOURCE_TYPE, "code": "4", "display": "Application Server"}],
        },
        "entity": [*(_entity(subject) for subject in one.subjects), _of_trail(one)],
    }


def _entity(subject: Subject) -> dict[str, Any]:
    code, display = _ENTITY_TYPES.get(subject.kind, _SYSTEM_OBJECT)
    if subject.kind in _OF_DICOM:
        identifier = {"system": _UIDS, "value": f"urn:oid:{subject.id}"}
    else:
        identifier = {"system": f"{_OWN}:{subject.kind.value}", "value": subject.id}
    return {
        "what": {"identifier": identifier},
        "type": {"system": _ENTITY_TYPE, "code": code, "display": display},
        "description": subject.kind.value,
    }


def _of_trail(one: Reported) -> dict[str, Any]:
    entry = one.entry
    details = (("number", entry.number), ("hash", entry.hash.hex()), ("count", entry.count))
    return {
        "what": {"identifier": {"system": f"{_OWN}:entry", "value": str(entry.id)}},
        "type": {"system": _ENTITY_TYPE, "code": "2", "display": "System Object"},
        "description": "entry of the trail",
        "detail": [{"type": name, "valueString": str(value)} for name, value in details],
    }
