"""Published profiles are kept for ever as they were published, by more than one person where a site wants it."""

from pathlib import Path

import psycopg
import pytest
from tests.crosswalk.scenario import in_processes

from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.errors import Fatal

VERSION = "site@0123456789ab"
CONTENT = '{"name":"site","options":[]}'


def publish(crosswalk: Crosswalk, actor: str = "ada", version: str = VERSION, content: str = CONTENT) -> bool:
    _, new = crosswalk.profiles.publish(version, content, actor=actor, reason="asked for", code_version="0.1.0")
    return new


def publish_in_a_process(dsn: str, keyring_file: Path, actor: str) -> bool:
    with Crosswalk(dsn, Keyring.load(keyring_file)) as crosswalk:
        return publish(crosswalk, actor)


class TestPublish:
    def test_keeps_content_who_when_and_why(self, crosswalk: Crosswalk) -> None:
        published, new = crosswalk.profiles.publish(
            VERSION, CONTENT, actor=" ada ", reason="the ethics board asked", code_version="0.1.0"
        )
        assert new
        assert published == crosswalk.profiles.find(VERSION)
        row = published.publication
        assert (row.version, row.name, row.code_version, row.published_by) == (VERSION, "site", "0.1.0", "ada")
        assert row.published_at.tzinfo
        assert (row.approvals, row.persons) == ((), 1)
        assert published.content == CONTENT
        assert [(one.who, one.reason.reveal()) for one in published.signatures] == [("ada", "the ethics board asked")]
        assert "ethics" not in repr(published)

    def test_the_hour_is_the_databases(self, crosswalk: Crosswalk, crosswalk_dsn: str) -> None:
        publish(crosswalk)
        with psycopg.connect(crosswalk_dsn) as connection:
            row = connection.execute(
                "SELECT now() - published_at < interval '1 minute', database_login = session_user"
                " FROM crosswalk.profile_version"
            ).fetchone()
        assert row == (True, True)

    def test_again_changes_nothing_and_says_so(self, crosswalk: Crosswalk) -> None:
        assert publish(crosswalk)
        before = crosswalk.profiles.find(VERSION)
        assert not publish(crosswalk, "bob", content='{"name":"site","options":[],"title":"x"}')
        assert crosswalk.profiles.find(VERSION) == before

    def test_by_four_persons_at_once_happens_once(self, crosswalk_dsn: str, keyring_file: Path) -> None:
        with Crosswalk(crosswalk_dsn, Keyring.load(keyring_file)) as crosswalk:
            crosswalk.migrate()
        asked = [(crosswalk_dsn, keyring_file, actor) for actor in ("ada", "bob", "eve", "zoe")]
        assert sorted(in_processes(publish_in_a_process, asked)) == [False, False, False, True]

    @pytest.mark.parametrize(("actor", "reason"), [("", "why"), ("ada", " ")])
    def test_needs_somebody_and_a_reason(self, crosswalk: Crosswalk, actor: str, reason: str) -> None:
        with pytest.raises(Fatal, match="--reason"):
            crosswalk.profiles.publish(VERSION, CONTENT, actor=actor, reason=reason, code_version="0.1.0")
        assert crosswalk.profiles.all() == []

    @pytest.mark.parametrize("version", ["site", "@0123", "site@", ""])
    def test_needs_a_version(self, crosswalk: Crosswalk, version: str) -> None:
        with pytest.raises(Fatal, match="published under a version"):
            publish(crosswalk, version=version)


class TestApprove:
    def test_counts_persons(self, crosswalk: Crosswalk) -> None:
        publish(crosswalk)
        published, new = crosswalk.profiles.approve(VERSION, actor="bob", reason="read it")
        assert new
        assert published.publication.persons == 2
        assert [one.approved_by for one in published.publication.approvals] == ["bob"]
        assert [one.reason.reveal() for one in published.signatures] == ["asked for", "read it"]

    @pytest.mark.parametrize("actor", ["ada", "ADA", " ada "])
    def test_is_for_somebody_else_than_who_published(self, crosswalk: Crosswalk, actor: str) -> None:
        publish(crosswalk)
        with pytest.raises(Fatal, match="second person"):
            crosswalk.profiles.approve(VERSION, actor=actor, reason="mine")

    def test_nobody_counts_twice(self, crosswalk: Crosswalk) -> None:
        publish(crosswalk)
        crosswalk.profiles.approve(VERSION, actor="bob", reason="read it")
        published, new = crosswalk.profiles.approve(VERSION, actor="Bob", reason="read it again")
        assert not new
        assert published.publication.persons == 2

    def test_of_what_nobody_published_is_refused(self, crosswalk: Crosswalk) -> None:
        with pytest.raises(Fatal, match="no such profile version"):
            crosswalk.profiles.approve(VERSION, actor="bob", reason="blind")

    def test_needs_a_reason(self, crosswalk: Crosswalk) -> None:
        publish(crosswalk)
        with pytest.raises(Fatal, match="--reason"):
            crosswalk.profiles.approve(VERSION, actor="bob", reason="")


class TestTheDatabaseItself:
    """What holds for whoever writes to it, by whatever program."""

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE crosswalk.profile_version SET published_by = 'eve'",
            "UPDATE crosswalk.profile_version SET content = '{}', content_digest = sha256('{}')",
            "DELETE FROM crosswalk.profile_version",
            "TRUNCATE crosswalk.profile_version CASCADE",
            "UPDATE crosswalk.profile_approval SET approved_by = 'eve'",
            "DELETE FROM crosswalk.profile_approval",
        ],
    )
    def test_changes_and_removes_nothing(self, crosswalk: Crosswalk, crosswalk_dsn: str, statement: str) -> None:
        publish(crosswalk)
        crosswalk.profiles.approve(VERSION, actor="bob", reason="read it")
        with psycopg.connect(crosswalk_dsn) as connection, pytest.raises(psycopg.errors.RestrictViolation):
            connection.execute(statement)  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("who", "error"), [("Ada", psycopg.errors.RestrictViolation), ("BOB", psycopg.errors.UniqueViolation)]
    )
    def test_takes_no_second_word_of_one_person(
        self, crosswalk: Crosswalk, crosswalk_dsn: str, who: str, error: type[psycopg.Error]
    ) -> None:
        publish(crosswalk)
        crosswalk.profiles.approve(VERSION, actor="bob", reason="read it")
        with psycopg.connect(crosswalk_dsn) as connection, pytest.raises(error):
            connection.execute(
                "INSERT INTO crosswalk.profile_approval (id, profile_id, approved_by, reason_sealed)"
                " SELECT gen_random_uuid(), id, %s, ''::bytea FROM crosswalk.profile_version",
                (who,),
            )

    def test_takes_no_content_under_another_digest(self, crosswalk: Crosswalk, crosswalk_dsn: str) -> None:
        with psycopg.connect(crosswalk_dsn) as connection, pytest.raises(psycopg.errors.CheckViolation):
            connection.execute(
                "INSERT INTO crosswalk.profile_version"
                " (id, version, name, content, content_digest, code_version, published_by, reason_sealed)"
                " VALUES (gen_random_uuid(), 'a@1', 'a', '{}', sha256('{ }'), '0', 'ada', '')"
            )

    def test_content_changed_behind_its_back_is_not_used(self, crosswalk: Crosswalk, crosswalk_dsn: str) -> None:
        publish(crosswalk)
        with psycopg.connect(crosswalk_dsn) as connection:
            connection.execute("ALTER TABLE crosswalk.profile_version DISABLE TRIGGER USER")
            connection.execute("ALTER TABLE crosswalk.profile_version DROP CONSTRAINT profile_version_check1")
            connection.execute("UPDATE crosswalk.profile_version SET content = '{}'")
        with pytest.raises(Fatal, match="not what was published"):
            crosswalk.profiles.find(VERSION)


def test_a_list_names_all_by_name_and_the_newest_first(crosswalk: Crosswalk) -> None:
    for version in ("b@1", "a@1", "a@2"):
        publish(crosswalk, version=version)
    crosswalk.profiles.approve("a@1", actor="bob", reason="read it")
    found = [(one.publication.version, one.publication.persons) for one in crosswalk.profiles.all()]
    assert found == [("a@2", 1), ("a@1", 2), ("b@1", 1)]


def test_what_nobody_published_is_not_found(crosswalk: Crosswalk) -> None:
    assert crosswalk.profiles.find(VERSION) is None
