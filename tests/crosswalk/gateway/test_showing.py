"""A token shows what its project was given, for as long as it is good, and the database alone says so."""

import threading
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from tests.cohort.conftest import OPEN_TERMS
from tests.crosswalk.gateway.conftest import HOUR, WHY, Shared

from dicomanon.crosswalk.audit.events import SubjectKind
from dicomanon.crosswalk.audit.trail import Wanted as WantedEntries
from dicomanon.crosswalk.gateway.showing import Showing, Use, Wanted
from dicomanon.crosswalk.gateway.tokens import PREFIX, digest_of
from dicomanon.crosswalk.projects.rows import ProjectTerms
from dicomanon.crosswalk.removals.rows import RemovalKind, Requester
from dicomanon.errors import Fatal

NOBODY = digest_of("dicomanon_guessed")
TRICKS = ["' OR '1'='1", "'; DROP TABLE crosswalk.release; --", "%", "_", "\\", "../..", "1.2\x01", "NULL"]


def everything(showing: Showing, digest: bytes) -> list[object]:
    return [
        *showing.studies(digest, Wanted(), limit=100),
        *showing.series(digest, Wanted(), limit=100),
        *showing.instances(digest, Wanted(), limit=100),
    ]


class TestShown:
    def test_what_the_project_was_given_and_counted_by_that_alone(self, shared: Shared, showing: Showing) -> None:
        _, lung = shared.token("LUNG")
        studies = showing.studies(lung, Wanted(), limit=100)
        assert [row.study_uid for row in studies] == shared.studies("LUNG")
        assert sorted((row.series, row.instances) for row in studies) == [(1, 3), (1, 3)]
        _, heart = shared.token("HEART")
        assert [(row.series, row.instances) for row in showing.studies(heart, Wanted(), limit=9)] == [(1, 3)]
        for project, digest in (("LUNG", lung), ("HEART", heart)):
            found = showing.instances(digest, Wanted(), limit=100)
            assert {(row.study_uid, row.series_uid, row.sop_uid) for row in found} == set(shared.uids[project])
            assert sum(row.instances for row in showing.series(digest, Wanted(), limit=100)) == len(found)

    def test_objects_of_a_study_that_two_projects_share(self, shared: Shared, showing: Showing) -> None:
        _, lung = shared.token("LUNG")
        study, series, sop = shared.uids["HEART"][0]
        mine = {uid for of, _, uid in shared.uids["LUNG"] if of == study}
        assert {row.sop_uid for row in showing.objects(lung, study)} == mine
        assert {(row.is_whole, row.is_of_whole_series) for row in showing.objects(lung, study)} == {(False, True)}
        mine_alone = next(of for of, _, _ in shared.uids["LUNG"] if of != study)
        assert {(row.is_whole, row.is_of_whole_series) for row in showing.objects(lung, mine_alone)} == {(True, True)}
        assert showing.objects(lung, study, series) == []
        assert showing.objects(lung, study, series, sop) == []
        # Below another study than its own nothing is found, whoever may see it.
        assert showing.objects(lung, mine_alone, shared.uids["LUNG"][-1][1]) == []

    def test_a_series_of_which_a_part_was_given_is_not_whole(self, shared: Shared, showing: Showing) -> None:
        ((instance,),) = shared.rows("SELECT min(id) FROM crosswalk.instance")
        shared.crosswalk.releases.create("SKIN", "ada", b"d", [instance], request_key="r")  # type: ignore[list-item]
        shared.crosswalk.projects.add("SKIN", shared.member, **WHY)
        _, digest = shared.token("SKIN")
        (study,) = showing.studies(digest, Wanted(), limit=9)
        assert [row.is_of_whole_series for row in showing.objects(digest, study.study_uid)] == [False]
        assert study.instances == 1

    def test_pages_have_no_holes_and_no_row_twice(self, shared: Shared, showing: Showing) -> None:
        _, digest = shared.token()
        whole = showing.instances(digest, Wanted(), limit=100)
        pages = [showing.instances(digest, Wanted(), limit=2, offset=start) for start in range(0, 8, 2)]
        assert [row for page in pages for row in page] == whole
        assert [len(page) for page in pages] == [2, 2, 2, 0]

    def test_filters(self, shared: Shared, showing: Showing) -> None:
        _, digest = shared.token()
        (first, second) = showing.studies(digest, Wanted(), limit=9)
        assert showing.studies(digest, Wanted(studies=[second.study_uid]), limit=9) == [second]
        assert showing.studies(digest, Wanted(patient_like=first.pseudonym), limit=9) == [first]
        assert showing.studies(digest, Wanted(patient_like="D%"), limit=9) == [first, second]
        assert showing.studies(digest, Wanted(modalities=["CT"]), limit=9) == [first, second]
        assert showing.studies(digest, Wanted(modalities=["MR"]), limit=9) == []
        hidden_study, hidden_series, hidden_sop = shared.uids["HEART"][0]
        assert showing.series(digest, Wanted(series=[hidden_series]), limit=9) == []
        assert showing.instances(digest, Wanted(studies=[hidden_study], sops=[hidden_sop]), limit=9) == []

    @pytest.mark.parametrize("trick", TRICKS)
    def test_no_value_is_taken_for_more_than_a_value(self, shared: Shared, showing: Showing, trick: str) -> None:
        _, digest = shared.token()
        assert showing.objects(digest, trick, trick, trick) == []
        for name in ("studies", "modalities", "series", "sops", "sop_classes"):
            assert showing.instances(digest, Wanted(**{name: [trick]}), limit=9) == []


class TestGood:
    def test_nothing_for_a_token_that_nobody_was_given(self, shared: Shared, showing: Showing) -> None:
        assert showing.bearer(NOBODY) is None
        assert everything(showing, NOBODY) == []
        assert showing.objects(NOBODY, shared.studies("LUNG")[0]) == []

    def test_until_it_is_revoked(self, shared: Shared, showing: Showing) -> None:
        token, digest = shared.token()
        bearer = showing.bearer(digest)
        assert bearer
        assert (bearer.project, bearer.login, bearer.token_id) == ("LUNG", shared.member, token.id)
        revoked, new = shared.crosswalk.tokens.revoke(str(token.id)[:8], **WHY)
        assert (revoked.state, new) == ("revoked", True)
        assert not shared.crosswalk.tokens.revoke(str(token.id), **WHY)[1]
        assert showing.bearer(digest) is None
        assert everything(showing, digest) == []

    def test_until_it_expires(self, shared: Shared, showing: Showing) -> None:
        _, digest = shared.token(lifetime=timedelta(milliseconds=300))
        assert everything(showing, digest)
        threading.Event().wait(0.35)
        assert showing.bearer(digest) is None
        assert everything(showing, digest) == []
        assert shared.crosswalk.tokens.all()[0].state == "expired"

    def test_until_its_bearer_is_no_member_and_not_again_when_he_is_anew(
        self, shared: Shared, showing: Showing
    ) -> None:
        _, digest = shared.token()
        shared.crosswalk.projects.remove("LUNG", shared.member, **WHY)
        assert showing.bearer(digest) is None
        assert everything(showing, digest) == []
        shared.crosswalk.projects.add("LUNG", shared.member, **WHY)
        assert showing.bearer(digest) is None
        assert shared.crosswalk.tokens.all("LUNG")[0].state == "of a former member"
        assert everything(showing, shared.token()[1])

    def test_until_its_bearer_may_not_log_in(self, shared: Shared, showing: Showing, postgres_server: Any) -> None:
        _, digest = shared.token()
        with psycopg.connect(postgres_server.dsn(), autocommit=True) as administrator:
            administrator.execute(f"ALTER ROLE {shared.member} NOLOGIN")  # type: ignore[arg-type]
            try:
                assert showing.bearer(digest) is None
                assert everything(showing, digest) == []
            finally:
                administrator.execute(f"ALTER ROLE {shared.member} LOGIN")  # type: ignore[arg-type]

    def test_what_was_recalled_or_withdrawn_is_gone_at_once_and_the_rest_stays(
        self, shared: Shared, showing: Showing
    ) -> None:
        _, lung = shared.token("LUNG")
        _, heart = shared.token("HEART")
        before = showing.studies(lung, Wanted(), limit=9)
        gone = before[0]
        why = {"reason": "asked by letter", "ticket": "T-1"}
        removal = shared.crosswalk.removals.request_of_patient(
            RemovalKind.WITHDRAWAL, gone.pseudonym, Requester("ada"), **why
        )
        shared.crosswalk.removals.approve(removal, "bob", "seen")
        shared.crosswalk.removals.mark(removal)
        assert showing.studies(lung, Wanted(), limit=9) == before[1:]  # of the next version of the release
        assert showing.objects(lung, gone.study_uid) == []
        assert not {row.study_uid for row in showing.instances(heart, Wanted(), limit=9)} & {gone.study_uid}


class TestTokens:
    def test_is_shown_once_and_kept_as_its_digest(self, shared: Shared) -> None:
        token, secret = shared.crosswalk.tokens.create("LUNG", shared.member, lifetime=HOUR, **WHY)
        assert secret.startswith(PREFIX)
        assert shared.rows("SELECT token_digest FROM crosswalk.gateway_token WHERE id = %s", token.id) == [
            (digest_of(secret),)
        ]
        assert token.reason.reveal() == WHY["reason"]
        assert token.last_used_at is None

    @pytest.mark.parametrize(
        ("project", "changes"),
        [("SKIN", {}), ("LUNG", {"actor": " "}), ("LUNG", {"reason": ""}), ("LUNG' OR '1'='1", {})],
    )
    def test_only_for_a_member_by_somebody_and_for_a_reason(
        self, shared: Shared, project: str, changes: dict[str, str]
    ) -> None:
        with pytest.raises(Fatal):
            shared.crosswalk.tokens.create(project, shared.member, lifetime=HOUR, **{**WHY, **changes})
        assert shared.crosswalk.tokens.all() == []

    @pytest.mark.parametrize("named", ["", "  ", "0", "zzz", "%"])
    def test_none_is_revoked_by_a_name_that_is_not_one(self, shared: Shared, named: str) -> None:
        token, _ = shared.token()
        if str(token.id).startswith("0"):
            named = named.replace("0", "1")
        with pytest.raises(Fatal, match="no such token"):
            shared.crosswalk.tokens.revoke(named, **WHY)

    def test_is_never_changed(self, shared: Shared) -> None:
        token, _ = shared.token()
        for change in (
            "UPDATE crosswalk.gateway_token SET expires_at = 'infinity'",
            "DELETE FROM crosswalk.gateway_token",
        ):
            with pytest.raises(psycopg.errors.RestrictViolation), psycopg.connect(shared.dsn) as owner:
                owner.execute(change)
        assert shared.crosswalk.tokens.all()[0].id == token.id


class TestRecord:
    def test_by_whom_what_and_how_much_with_the_reason_of_the_token(self, shared: Shared, showing: Showing) -> None:
        token, digest = shared.token()
        showing.record(
            [
                Use(digest, "gateway.query", 7, SubjectKind.PROJECT, "LUNG"),
                Use(digest, "gateway.retrieve", 3, SubjectKind.STUDY, shared.studies("LUNG")[0]),
                Use(NOBODY, "gateway.refuse", 0, SubjectKind.OTHER, "token"),
            ]
        )
        audit = shared.crosswalk.audit
        entries = sorted(audit.newest(WantedEntries(), 3), key=lambda entry: entry.number)
        assert [(e.actor, e.action, e.count) for e in entries] == [
            (shared.member, "gateway.query", 7),
            (shared.member, "gateway.retrieve", 3),
            ("gateway", "gateway.refuse", 0),
        ]
        assert [audit.reason(e).reveal() for e in entries] == [WHY["reason"], WHY["reason"], ""]
        used = next(one for one in shared.crosswalk.tokens.all() if one.id == token.id)
        assert used.last_used_at == entries[1].recorded_at
        assert audit.verify().fault is None

    def test_nothing_else_is_recorded_by_the_gateway(self, shared: Shared, showing: Showing) -> None:
        with pytest.raises(Fatal, match="InsufficientPrivilege"):
            showing.record([Use(NOBODY, "reidentify.show", 1, SubjectKind.OTHER, "x")])


def test_a_project_with_pseudonyms_of_its_own_is_shown_nothing(shared: Shared, showing: Showing) -> None:
    terms = ProjectTerms(**OPEN_TERMS | {"own_pseudonyms": True})
    shared.crosswalk.projects.add("OWN", shared.member, **WHY)
    before, digest = shared.token("OWN")
    assert showing.bearer(digest) is not None
    shared.crosswalk.projects.set("OWN", terms, **WHY)
    studies = shared.studies("LUNG")
    ids = [row[0] for row in shared.rows("SELECT DISTINCT instance_id FROM crosswalk.release_instance")]
    shared.crosswalk.releases.create("OWN", "ada", b"d", ids, request_key="own")  # type: ignore[arg-type]
    assert showing.bearer(digest) is None
    assert showing.objects(digest, studies[0]) == []
    assert showing.studies(digest, Wanted(), limit=10) == []
    (known,) = shared.crosswalk.tokens.all("OWN")
    assert (known.id, known.state) == (before.id, "of own pseudonyms")
    with pytest.raises(Fatal, match="give its members archives"):
        shared.token("OWN")
    with pytest.raises(psycopg.errors.RestrictViolation):
        shared.rows(
            "INSERT INTO crosswalk.gateway_token (id, token_digest, project, login, made_by, reason_sealed, expires_at)"
            " SELECT gen_random_uuid(), sha256('x'), project, login, made_by, reason_sealed, expires_at"
            " FROM crosswalk.gateway_token WHERE project = 'OWN' RETURNING id"
        )
