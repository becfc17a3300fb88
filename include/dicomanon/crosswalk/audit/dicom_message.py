"""An entry as an audit message of DICOM PS3.15 A.5, which IHE ATNA transports."""

import base64
import re
from datetime import UTC
from xml.etree.ElementTree import Element, SubElement, tostring

from dicomanon.crosswalk.audit.actions import kind_of
from dicomanon.crosswalk.audit.events import Subject, SubjectKind
from dicomanon.crosswalk.audit.reported import Reported

_PERSON, _SYSTEM_OBJECT = "1", "2"

# Participant Object Type Code and Role of PS3.15 A.5.1.2.2; roles that go with neither are left out.
_OBJECTS: dict[SubjectKind, tuple[str, str | None]] = {
    SubjectKind.PSEUDONYM: (_PERSON, "1"),
    SubjectKind.STUDY: (_SYSTEM_OBJECT, "3"),
    SubjectKind.SERIES: (_SYSTEM_OBJECT, "3"),
    SubjectKind.INSTANCE: (_SYSTEM_OBJECT, "3"),
    SubjectKind.INSTANCE_ROW: (_SYSTEM_OBJECT, "3"),
    SubjectKind.BATCH: (_SYSTEM_OBJECT, "20"),
    SubjectKind.RUN: (_SYSTEM_OBJECT, "20"),
    SubjectKind.PROJECT: ("3", None),
    SubjectKind.RELEASE: (_SYSTEM_OBJECT, "7"),
    SubjectKind.DEVICE: (_SYSTEM_OBJECT, "13"),
    SubjectKind.PROFILE: (_SYSTEM_OBJECT, "13"),
    SubjectKind.ACCOUNT: (_PERSON, "11"),
    SubjectKind.OTHER: ("4", None),
}
# RFC 3881 and PS3.15 A.5.1.2.4 number kinds of identifiers; DCM has codes for those of DICOM (PS3.16 CID 404).
_PATIENT_NUMBER = ("2", "RFC-3881", "Patient Number")
_STUDY_UID = ("110180", "DCM", "Study Instance UID")
_USER = ("11", "RFC-3881", "User Identifier")

# XML 1.0 has no way to write these, and a message is one line.
_NOT_IN_XML = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")


def dicom_message(one: Reported, source: str) -> str:
    """Return one entry as XML on one line, by the schema of PS3.15 A.5.1.

    Parameters
    ----------
    source
        Audit Source ID: names the site.

    Notes
    -----
    Names are pseudonyms and research UIDs; Participant Object Name, which the schema wants, repeats the identifier.
    The reason stays sealed in the crosswalk. Number, hash and count of the entry are Participant Object Details of
    the entry itself, so that who keeps the messages can compare them with the trail.
    """
    entry, kind = one.entry, kind_of(one.entry.action)
    message = Element("AuditMessage")
    event = SubElement(
        message,
        "EventIdentification",
        EventActionCode=kind.action_code,
        EventDateTime=entry.recorded_at.astimezone(UTC).isoformat(timespec="microseconds"),
        EventOutcomeIndicator=kind.outcome,
    )
    _coded(event, "EventID", kind.event_code, "DCM", kind.event_meaning)
    action, actor, login = map(_text, (entry.action, entry.actor, entry.database_login))
    _coded(event, "EventTypeCode", action, "dicomanon", action)
    SubElement(message, "ActiveParticipant", UserID=actor, UserIsRequestor="true")
    program = SubElement(
        message, "ActiveParticipant", UserID="dicomanon", AlternativeUserID=login, UserIsRequestor="false"
    )
    _coded(program, "RoleIDCode", "110150", "DCM", "Application")
    origin = SubElement(message, "AuditSourceIdentification", AuditSourceID=_text(source))
    SubElement(origin, "AuditSourceTypeCode", {"csd-code": "4"})
    for subject in one.subjects:
        _object(message, subject)
    trail = _participant_object(
        message, str(entry.id), _SYSTEM_OBJECT, "13", ("entry", "dicomanon", "entry of the trail")
    )
    for name, value in (("number", str(entry.number)), ("hash", entry.hash.hex()), ("count", str(entry.count))):
        SubElement(trail, "ParticipantObjectDetail", type=name, value=base64.b64encode(value.encode()).decode())
    return tostring(message, encoding="unicode")


def _object(message: Element, subject: Subject) -> None:
    type_code, role = _OBJECTS[subject.kind]
    kind = {
        SubjectKind.PSEUDONYM: _PATIENT_NUMBER,
        SubjectKind.STUDY: _STUDY_UID,
        SubjectKind.ACCOUNT: _USER,
    }.get(subject.kind, (subject.kind.value, "dicomanon", subject.kind.value))
    _participant_object(message, _text(subject.id), type_code, role, kind)


def _participant_object(
    message: Element, identifier: str, type_code: str, role: str | None, kind: tuple[str, str, str]
) -> Element:
    described = SubElement(
        message,
        "ParticipantObjectIdentification",
        {"ParticipantObjectID": identifier, "ParticipantObjectTypeCode": type_code},
        **({"ParticipantObjectTypeCodeRole": role} if role else {}),
    )
    _coded(described, "ParticipantObjectIDTypeCode", *kind)
    SubElement(described, "ParticipantObjectName").text = identifier
    return described


def _coded(parent: Element, name: str, code: str, system: str, meaning: str) -> Element:
    return SubElement(parent, name, {"csd-code": code, "codeSystemName": system, "originalText": meaning})


def _text(value: str) -> str:
    return _NOT_IN_XML.sub("\ufffd", value)
