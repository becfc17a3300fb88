"""The way back: asked by one, approved by another, shown once, all of it on record; the database refuses the rest."""

import threading
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import psycopg
import pytest
from tests.crosswalk.scenario import DOE, Run, discover, sightings

from dicomanon.crosswalk.audit.events import SubjectKind
from dicomanon.crosswalk.audit.trail import Wanted
from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.reidentification.request import ReidentificationRequest, RequestState
from dicomanon.errors import DicomanonError, Fatal
from dicomanon.identity import PatientIdentity

WHY = "a finding in MRN-7731, call Mrs Thistlemantle"
TICKET = "INC-4711 Thistlemantle"

Asking = Callable[..., ReidentificationRequest]


@pytest.fixture
def pseudonym(crosswalk: Crosswalk) -> str:
    return crosswalk.patients.get_or_create(DOE).pseudonym


@pytest.fixture
def ask(crosswalk: Crosswalk, pseudonym: str) -> Asking:
    def asking(identifier: str = pseudonym, actor: str = "ada", per_day: int = 5) -> ReidentificationRequest:
        return crosswalk.reidentification.ask(
            identifier, actor=actor, reason=WHY, ticket=TICKET, hours=24, per_day=per_day
        )

    return asking


def approve(crosswalk: Crosswalk, request: ReidentificationRequest, actor: str = "bob") -> ReidentificationRequest:
    return crosswalk.reidentification.decide(str(request.id), approved=True, actor=actor, reason="read the ticket")


def trail(crosswalk: Crosswalk) -> list[tuple[str, str, str]]:
    return [(entry.actor, entry.action, entry.subject) for entry in crosswalk.audit.entries(Wanted())]


def expire(dsn: str) -> None:
    """Let what was asked be two days old."""
    with psycopg.connect(dsn) as connection:
        connection.execute("ALTER TABLE crosswalk.reidentification_request DISABLE TRIGGER USER")
        connection.execute(
            "UPDATE crosswalk.reidentification_request SET requested_at = requested_at - interval '2 days',"
            " expires_at = expires_at - interval '2 days'"
        )
        connection.execute("ALTER TABLE crosswalk.reidentification_request ENABLE TRIGGER USER")


class TestTheWay:
    def test_asked_approved_and_shown_once_each_in_the_trail(
        self, crosswalk: Crosswalk, ask: Asking, pseudonym: str
    ) -> None:
        asked = ask()
        assert (asked.state, asked.expires_at - asked.requested_at) == (RequestState.ASKED, timedelta(hours=24))
        assert approve(crosswalk, asked).state is RequestState.APPROVED
        shown, value = crosswalk.reidentification.show(str(asked.id)[:8], actor="ada")
        assert (shown.state, value.reveal()) == (RequestState.SHOWN, DOE.patient_id)
        assert trail(crosswalk) == [
            ("ada", "reidentify.ask", pseudonym),
            ("bob", "reidentify.approve", pseudonym),
            ("ada", "reidentify.show", pseudonym),
        ]
        assert crosswalk.audit.verify().fault is None

    def test_with_the_issuer_where_there_is_one(self, crosswalk: Crosswalk, ask: Asking) -> None:
        patient = crosswalk.patients.get_or_create(PatientIdentity("MRN-1", "ST JAMES", "A", "", ""))
        request = approve(crosswalk, ask(patient.pseudonym))
        assert crosswalk.reidentification.show(str(request.id), actor="ada")[1].reveal() == "MRN-1^^^ST JAMES"

    def test_research_uids_of_all_levels(self, crosswalk: Crosswalk, crosswalk_dsn: str, ask: Asking) -> None:
        discover(crosswalk, "1.2", sightings("1.2", 1))
        run = Run(crosswalk)
        crosswalk.mapping.record(run.batch, run.outcomes())
        with psycopg.connect(crosswalk_dsn) as connection:
            row = connection.execute(
                "SELECT st.research_study_uid, se.research_series_uid, i.research_sop_uid FROM crosswalk.instance i"
                " JOIN crosswalk.series se ON se.id = i.series_id JOIN crosswalk.study st ON st.id = i.study_id"
            ).fetchone()
        assert row is not None
        kinds = (SubjectKind.STUDY, SubjectKind.SERIES, SubjectKind.INSTANCE)
        for uid, kind, source in zip(row, kinds, ("1.2", "1.2.0", "1.2.0.0"), strict=True):
            request = approve(crosswalk, ask(uid))
            assert request.subject == (kind, uid)
            assert crosswalk.reidentification.show(str(request.id), actor="ada")[1].reveal() == source

    def test_a_list_shows_reasons_and_no_value_and_is_in_the_trail(self, crosswalk: Crosswalk, ask: Asking) -> None:
        ask()
        (one,) = crosswalk.reidentification.all(actor="bob")
        assert (one.reason.reveal(), one.ticket.reveal()) == (WHY, TICKET)
        assert "Thistlemantle" not in repr(one)
        assert trail(crosswalk)[-1][:2] == ("bob", "reidentify.list")

    def test_reasons_and_tickets_rest_sealed(self, crosswalk: Crosswalk, crosswalk_dsn: str, ask: Asking) -> None:
        approve(crosswalk, ask())
        with psycopg.connect(crosswalk_dsn) as connection:
            rows = connection.execute(
                "SELECT r::text, d::text, a::text FROM crosswalk.reidentification_request r"
                " JOIN crosswalk.reidentification_decision d ON d.request_id = r.id, crosswalk.access_event a"
            ).fetchall()
        assert rows
        for word in ("Thistlemantle", "MRN-7731", "INC-4711", "read the ticket"):
            assert word.encode().hex() not in str(rows)
            assert word not in str(rows)


class TestRefused:
    @pytest.mark.parametrize("who", ["ada", " ADA "])
    def test_nobody_approves_their_own(self, crosswalk: Crosswalk, ask: Asking, who: str) -> None:
        with pytest.raises(Fatal, match="second person"):
            approve(crosswalk, ask(), who)

    def test_what_is_not_approved_is_not_shown(self, crosswalk: Crosswalk, ask: Asking) -> None:
        with pytest.raises(Fatal, match="is asked"):
            crosswalk.reidentification.show(str(ask().id), actor="ada")

    def test_what_was_refused_is_not_shown(self, crosswalk: Crosswalk, ask: Asking) -> None:
        request = ask()
        crosswalk.reidentification.decide(str(request.id), approved=False, actor="bob", reason="no need")
        with pytest.raises(Fatal, match="is refused"):
            crosswalk.reidentification.show(str(request.id), actor="ada")
        with pytest.raises(Fatal, match="nothing to decide"):
            approve(crosswalk, request)

    def test_who_asked_may_take_it_back(self, crosswalk: Crosswalk, ask: Asking) -> None:
        taken = crosswalk.reidentification.decide(str(ask().id), approved=False, actor="ada", reason="mistake")
        assert taken.state is RequestState.REFUSED

    def test_nobody_else_is_shown_it(self, crosswalk: Crosswalk, ask: Asking) -> None:
        request = approve(crosswalk, ask())
        with pytest.raises(Fatal, match="nobody else"):
            crosswalk.reidentification.show(str(request.id), actor="bob")

    def test_a_second_time(self, crosswalk: Crosswalk, ask: Asking) -> None:
        request = approve(crosswalk, ask())
        crosswalk.reidentification.show(str(request.id), actor="ada")
        with pytest.raises(Fatal, match="is shown"):
            crosswalk.reidentification.show(str(request.id), actor="ada")

    def test_two_at_once_and_one_is_shown(self, crosswalk: Crosswalk, ask: Asking) -> None:
        request = approve(crosswalk, ask())
        outcomes: list[str] = []
        together = threading.Barrier(2)

        def show() -> None:
            together.wait()
            try:
                outcomes.append(crosswalk.reidentification.show(str(request.id), actor="ada")[1].reveal())
            except DicomanonError as error:
                outcomes.append(type(error).__name__)

        threads = [threading.Thread(target=show) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == ["Fatal", DOE.patient_id]
        assert [action for _, action, _ in trail(crosswalk)].count("reidentify.show") == 1

    def test_expired(self, crosswalk: Crosswalk, crosswalk_dsn: str, ask: Asking) -> None:
        waiting, approved = ask(), approve(crosswalk, ask())
        expire(crosswalk_dsn)
        with pytest.raises(Fatal, match="is expired"):
            approve(crosswalk, waiting)
        with pytest.raises(Fatal, match="is expired"):
            crosswalk.reidentification.show(str(approved.id), actor="ada")

    def test_more_than_a_day_allows_is_refused_and_recorded(self, crosswalk: Crosswalk, ask: Asking) -> None:
        ask(per_day=2)
        ask(per_day=2)
        with pytest.raises(Fatal, match="2 re-identifications in 24 hours"):
            ask(per_day=2, actor="ADA")
        assert trail(crosswalk)[-1][:2] == ("ADA", "reidentify.limited")
        assert ask(per_day=2, actor="eve")

    def test_the_next_day_one_may_ask_again(self, crosswalk_dsn: str, ask: Asking) -> None:
        ask(per_day=1)
        expire(crosswalk_dsn)
        assert ask(per_day=1)

    def test_what_is_unknown_is_not_repeated(self, ask: Asking) -> None:
        with pytest.raises(Fatal, match="nothing in the crosswalk") as refused:
            ask("MRN-7731")
        assert "MRN-7731" not in str(refused.value)

    @pytest.mark.parametrize("name", ["", "abc", "xyz1", "%%%%", str(UUID(int=1))])
    def test_what_names_no_request(self, crosswalk: Crosswalk, ask: Asking, name: str) -> None:
        ask()
        with pytest.raises(Fatal, match="request"):
            crosswalk.reidentification.show(name, actor="ada")


class TestTheDatabase:
    """Whatever program writes: the rules hold."""

    @pytest.fixture
    def insert(self, crosswalk_dsn: str) -> Callable[[str, ReidentificationRequest, str], None]:
        def inserting(statement: str, request: ReidentificationRequest, who: str) -> None:
            with psycopg.connect(crosswalk_dsn) as connection:
                event = uuid4()
                connection.execute(
                    "INSERT INTO crosswalk.access_event (id, actor, action, reason_sealed, count)"
                    " VALUES (%s, 'x', 'x', 'x', 1)",
                    (event,),
                )
                connection.execute(statement, {"request": request.id, "who": who, "event": event})  # type: ignore[arg-type]

        return inserting

    APPROVE = (
        "INSERT INTO crosswalk.reidentification_decision (request_id, decision, decided_by, reason_sealed, event_id)"
        " VALUES (%(request)s, 'approved', %(who)s, 'x', %(event)s)"
    )
    SHOW = (
        "INSERT INTO crosswalk.reidentification_showing (request_id, shown_to, shown_at, event_id)"
        " VALUES (%(request)s, %(who)s, '2001-01-01', %(event)s)"
    )

    def test_refuses_own_approval(self, ask: Asking, insert: Callable[..., None]) -> None:
        with pytest.raises(psycopg.errors.RestrictViolation):
            insert(self.APPROVE, ask(), " Ada")

    def test_refuses_a_second_decision(self, crosswalk: Crosswalk, ask: Asking, insert: Callable[..., None]) -> None:
        request = ask()
        crosswalk.reidentification.decide(str(request.id), approved=False, actor="bob", reason="no")
        with pytest.raises(psycopg.errors.UniqueViolation):
            insert(self.APPROVE, request, "carol")

    def test_refuses_to_show_what_is_not_approved(self, ask: Asking, insert: Callable[..., None]) -> None:
        with pytest.raises(psycopg.errors.RestrictViolation):
            insert(self.SHOW, ask(), "ada")

    def test_refuses_to_show_it_to_another(
        self, crosswalk: Crosswalk, ask: Asking, insert: Callable[..., None]
    ) -> None:
        with pytest.raises(psycopg.errors.RestrictViolation):
            insert(self.SHOW, approve(crosswalk, ask()), "bob")

    def test_refuses_to_show_it_twice(self, crosswalk: Crosswalk, ask: Asking, insert: Callable[..., None]) -> None:
        request = approve(crosswalk, ask())
        insert(self.SHOW, request, "ada")
        with pytest.raises(psycopg.errors.UniqueViolation):
            insert(self.SHOW, request, "ada")

    def test_refuses_what_has_expired(
        self, crosswalk: Crosswalk, crosswalk_dsn: str, ask: Asking, insert: Callable[..., None]
    ) -> None:
        waiting, approved = ask(), approve(crosswalk, ask())
        expire(crosswalk_dsn)
        with pytest.raises(psycopg.errors.RestrictViolation):
            insert(self.APPROVE, waiting, "bob")
        with pytest.raises(psycopg.errors.RestrictViolation):
            insert(self.SHOW, approved, "ada")

    def test_refuses_a_step_that_is_not_in_the_trail(self, ask: Asking, insert: Callable[..., None]) -> None:
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            insert(self.APPROVE.replace("%(event)s", "gen_random_uuid()"), ask(), "bob")

    @pytest.mark.parametrize("table", ["request", "decision", "showing"])
    @pytest.mark.parametrize("change", ["UPDATE {} SET event_id = event_id", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
    def test_keeps_every_step(self, crosswalk: Crosswalk, crosswalk_dsn: str, table: str, change: str) -> None:
        with psycopg.connect(crosswalk_dsn) as connection, pytest.raises(psycopg.errors.RestrictViolation):
            connection.execute(change.format(f"crosswalk.reidentification_{table}"))  # type: ignore[arg-type]
