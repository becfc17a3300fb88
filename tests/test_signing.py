"""A site's signing key is made once, stays with its owner, and its public half is what others check with."""

import stat
from contextlib import suppress
from pathlib import Path

import pytest
from tests.site import at_once

from dicomanon.errors import Fatal
from dicomanon.signing import PublicKey, SigningKey


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    SigningKey.generate(tmp_path / "audit.pem")
    return tmp_path / "audit.pem"


@pytest.fixture
def key(key_file: Path) -> SigningKey:
    return SigningKey.load(key_file)


def test_the_key_is_readable_by_its_owner_alone_and_never_overwritten(key_file: Path) -> None:
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    before = key_file.read_bytes()
    with pytest.raises(Fatal, match="never overwritten"):
        SigningKey.generate(key_file)
    assert key_file.read_bytes() == before
    assert [path.name for path in key_file.parent.iterdir() if path.name.startswith(".")] == []


def test_a_key_open_to_others_is_refused(key_file: Path) -> None:
    key_file.chmod(0o644)
    with pytest.raises(Fatal, match="open to others"):
        SigningKey.load(key_file)


@pytest.mark.parametrize("content", [b"", b"-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n"])
def test_a_damaged_key_is_refused(key_file: Path, content: bytes) -> None:
    key_file.write_bytes(content)
    with pytest.raises(Fatal, match="damaged"):
        SigningKey.load(key_file)


def test_a_missing_key_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match="dicomanon audit key"):
        SigningKey.load(tmp_path / "none.pem")


def test_the_key_does_not_print(key: SigningKey) -> None:
    assert repr(key) == "SigningKey(****)"


def test_the_key_is_made_once_by_whoever_is_first(tmp_path: Path) -> None:
    path, made = tmp_path / "audit.pem", tmp_path / "made"
    made.mkdir()

    def make() -> None:
        with suppress(Fatal):
            (made / SigningKey.generate(path).public.id).touch()

    at_once(*[make] * 4)
    assert [one.name for one in made.iterdir()] == [SigningKey.load(path).public.id]
    assert sorted(one.name for one in tmp_path.iterdir()) == ["audit.pem", "made"]


def test_a_key_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match="cannot be written"):
        SigningKey.generate(tmp_path / "missing" / "audit.pem")


def test_the_public_half_checks_what_the_key_signed_and_nothing_else(key: SigningKey, tmp_path: Path) -> None:
    (tmp_path / "public.pem").write_text(key.public.pem())
    public = PublicKey.load(tmp_path / "public.pem")
    assert public.id == key.public.id
    assert public.verifies(key.sign(b"said"), b"said")
    assert not public.verifies(key.sign(b"said"), b"other")
    assert not SigningKey.generate(tmp_path / "other.pem").public.verifies(key.sign(b"said"), b"said")


@pytest.mark.parametrize("content", [b"", b"no key"], ids=["empty", "garbage"])
def test_what_is_no_public_key_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "public.pem").write_bytes(content)
    with pytest.raises(Fatal, match="does not hold one in PEM"):
        PublicKey.load(tmp_path / "public.pem")
