"""Entries as others read them: audit messages by the schema of PS3.15 A.5.1, AuditEvents by the model of FHIR."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from fhir.resources.R4B.auditevent import AuditEvent
from lxml import etree
from tests.crosswalk.audit.conftest import REASON
from tests.crosswalk.scenario import CT, Run, discover, sightings

from dicomanon.crosswalk.audit.actions import UNKNOWN, action_kinds, kind_of
from dicomanon.crosswalk.audit.dicom_message import dicom_message
from dicomanon.crosswalk.audit.events import AccessEvent, Entry, Subject, SubjectKind
from dicomanon.crosswalk.audit.fhir import audit_event
from dicomanon.crosswalk.audit.reported import Reported, reported
from dicomanon.crosswalk.audit.trail import Wanted
from dicomanon.crosswalk.database import Crosswalk

SCHEMA = etree.RelaxNG(etree.parse(Path(__file__).with_name("audit_message.rng")))
AT = datetime(2026, 11, 26, 12, 0, 0, 5, tzinfo=UTC)


def one(
    action: str = "pixels.review", actor: str = "ada", subject: Subject | None = None, login: str = "cw"
) -> Reported:
    entry = Entry(7, uuid4(), AT, actor, action, b"sealed", 3, None, "", "", login, b"h" * 32)
    return Reported(entry, (subject,) if subject else ())


EVERY = [
    *(one(action) for action in [*action_kinds(), "something new"]),
    *(one(subject=Subject(kind, "2.25.7")) for kind in SubjectKind),
    one(actor='<&"\n\x00é\ud800', subject=Subject(SubjectKind.PROJECT, "]]>\t&"), login=""),
]
# PostgreSQL stores neither NUL nor lone surrogates; JSON of FHIR is asked for what it does store.
STORABLE = [*EVERY[:-1], one(actor='<&"\n\x01é', subject=Subject(SubjectKind.PROJECT, "]]>\t&"), login="")]


class TestDicomMessage:
    @pytest.mark.parametrize("entry", EVERY)
    def test_is_valid_and_one_line(self, entry: Reported) -> None:
        text = dicom_message(entry, "site\n1")
        assert SCHEMA.validate(etree.fromstring(text)), SCHEMA.error_log
        assert text.splitlines() == [text]

    def test_the_schema_refuses_what_is_not(self) -> None:
        good = dicom_message(one(), "site")
        for old, new in (
            ('EventActionCode="R"', 'EventActionCode="X"'),
            ('EventOutcomeIndicator="0"', 'EventOutcomeIndicator="1"'),
            ("<ParticipantObjectName>", "<ParticipantObjectName><a/>"),
            (' UserID="ada"', ""),
            ("AuditSourceID", "SourceID"),
            ("2026-11-26T", "26 Nov "),
            ("csd-code", "code"),
        ):
            assert old in good
            assert not SCHEMA.validate(etree.fromstring(good.replace(old, new))), new

    def test_says_who_what_when_and_of_whom(self) -> None:
        message = etree.fromstring(
            dicom_message(one("reidentify.show", subject=Subject(SubjectKind.PSEUDONYM, "DTEST")), "site")
        )
        event = message.find("EventIdentification")
        assert dict(event.attrib) == {
            "EventActionCode": "R",
            "EventDateTime": "2026-11-26T12:00:00.000005+00:00",
            "EventOutcomeIndicator": "0",
        }
        assert event.find("EventID").get("csd-code") == "110110"
        assert event.find("EventTypeCode").get("csd-code") == "reidentify.show"
        person, program = message.findall("ActiveParticipant")
        assert (person.get("UserID"), person.get("UserIsRequestor")) == ("ada", "true")
        assert (program.get("AlternativeUserID"), program.get("UserIsRequestor")) == ("cw", "false")
        patient, trail = message.findall("ParticipantObjectIdentification")
        assert (patient.get("ParticipantObjectID"), patient.get("ParticipantObjectTypeCodeRole")) == ("DTEST", "1")
        details = {
            detail.get("type"): base64.b64decode(detail.get("value"))
            for detail in trail.iter("ParticipantObjectDetail")
        }
        assert details == {"number": b"7", "hash": (b"h" * 32).hex().encode(), "count": b"3"}

    def test_the_limit_that_was_met_is_a_failure(self) -> None:
        assert 'EventOutcomeIndicator="4"' in dicom_message(one("reidentify.limited"), "site")

    def test_an_action_that_the_table_does_not_have_is_reported(self) -> None:
        assert kind_of("something new") == UNKNOWN
        assert "something new" in dicom_message(one("something new"), "site")


class TestAuditEvent:
    @pytest.mark.parametrize("entry", STORABLE)
    def test_is_one_of_fhir(self, entry: Reported) -> None:
        text = json.dumps(audit_event(entry, "site"))
        event = AuditEvent.model_validate_json(text)
        assert json.loads(event.model_dump_json()).keys() == json.loads(text).keys()

    def test_says_who_what_when_and_of_whom(self) -> None:
        event = audit_event(one("reidentify.show", subject=Subject(SubjectKind.STUDY, "2.25.7")), "site")
        assert (event["type"]["code"], event["action"], event["outcome"]) == ("110110", "R", "0")
        assert event["recorded"] == "2026-11-26T12:00:00.000005+00:00"
        assert event["agent"][0]["who"]["identifier"]["value"] == "ada"
        assert event["agent"][1]["altId"] == "cw"
        assert event["entity"][0]["what"]["identifier"] == {"system": "urn:dicom:uid", "value": "urn:oid:2.25.7"}


class TestReported:
    def test_names_an_instance_by_its_research_uid_or_its_row(self, crosswalk: Crosswalk) -> None:
        discover(crosswalk, "1.2", sightings("1.2", 2))
        run = Run(crosswalk)
        made, unmade = sorted(source.instance_id for source in crosswalk.ledger.batch_sources(run.batch))
        crosswalk.mapping.record(run.batch, run.outcomes()[:1])
        crosswalk.audit.record(
            [
                AccessEvent("ada", "pixels.review", REASON, instance_id=made),
                AccessEvent("ada", "pixels.review", REASON, instance_id=unmade),
                AccessEvent("ada", "task.pull", REASON, subject=Subject(SubjectKind.BATCH, str(run.batch))),
                AccessEvent("ada", "x", REASON),
            ]
        )
        first, *rest = (one.subjects for one in reported(crosswalk.audit, crosswalk.audit.entries(Wanted())))
        assert first[0].kind is SubjectKind.INSTANCE
        assert first[0].id.startswith("2.25.")
        assert rest == [
            (Subject(SubjectKind.INSTANCE_ROW, str(unmade)),),
            (Subject(SubjectKind.BATCH, str(run.batch)),),
            (),
        ]
        assert CT not in str(first)
