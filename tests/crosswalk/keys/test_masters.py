"""Master keys: from the keyring file, from the environment, and behind a program."""

import base64
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.keys.masters import CommandMasterKey, LocalMasterKey
from dicomanon.crosswalk.keys.opening import load_keyring
from dicomanon.errors import Fatal, Retriable
from dicomanon.settings import CrosswalkSettings

KEY = b"k" * 32
# As a site would write it around the command line of its key management service.
OPENSSL = """#!/bin/sh
set -eu
case "$1" in
  wrap) base64 -d | openssl enc -aes-256-cbc -pbkdf2 -pass file:"$0.key" | base64 -w0 ;;
  unwrap) base64 -d | openssl enc -d -aes-256-cbc -pbkdf2 -pass file:"$0.key" | base64 -w0 ;;
esac
echo "$1 $DICOMANON_KEY_CONTEXT ${DICOMANON_CROSSWALK_DSN-none}" >> "$0.log"
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program that wraps with a key which we never see."""
    path = tmp_path / "kms"
    path.write_text(OPENSSL)
    path.chmod(0o700)
    Path(f"{path}.key").write_bytes(subprocess.check_output(["openssl", "rand", "-base64", "32"]))
    return path


def settings(keyring_file: Path, dsn: str = "postgresql://", **master: object) -> CrosswalkSettings:
    return CrosswalkSettings(crosswalk_dsn=SecretStr(dsn), keyring_file=keyring_file, **master)  # type: ignore[arg-type]


def secret(byte: bytes = b"m") -> str:
    return base64.b64encode(byte * 32).decode()


class TestLocal:
    def test_opens_what_it_wrapped_in_the_same_context_only(self) -> None:
        master = LocalMasterKey(b"m" * 32)
        wrapped = master.wrap(KEY, "wrapping_key|1")
        assert master.unwrap(wrapped, "wrapping_key|1") == KEY
        with pytest.raises(Fatal):
            master.unwrap(wrapped, "wrapping_key|2")

    def test_name_is_the_same_wherever_the_key_came_from_and_tells_nothing_of_it(self) -> None:
        assert LocalMasterKey.from_text(secret()).name == LocalMasterKey(b"m" * 32).name
        assert LocalMasterKey.from_text(secret(b"n")).name != LocalMasterKey(b"m" * 32).name

    @pytest.mark.parametrize("text", ["", "secret", base64.b64encode(b"short").decode()])
    def test_is_refused_when_it_is_no_key_without_showing_it(self, text: str) -> None:
        with pytest.raises(Fatal, match="32 bytes") as refused:
            LocalMasterKey.from_text(text)
        assert not text or text not in str(refused.value)


class TestCommand:
    def test_wraps_and_unwraps_without_our_secrets(self, program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DICOMANON_CROSSWALK_DSN", "postgresql://secret")
        master = CommandMasterKey([str(program)], "hsm-1")
        wrapped = master.wrap(KEY, "wrapping_key|1")
        assert KEY not in wrapped
        assert master.unwrap(wrapped, "wrapping_key|1") == KEY
        assert Path(f"{program}.log").read_text() == "wrap wrapping_key|1 none\nunwrap wrapping_key|1 none\n"

    @pytest.mark.parametrize(
        ("script", "error", "said"),
        [
            ("raise SystemExit(75)", Retriable, "try again later"),
            ("raise SystemExit('secret-word')", Fatal, "exit code 1"),
            ("print('no base64!')", Fatal, "base64"),
            ("pass", Fatal, "answered nothing"),
            ("print('AAAA')", Fatal, "not a key"),
        ],
    )
    def test_trouble_is_told_without_what_it_wrote(self, script: str, error: type[Exception], said: str) -> None:
        master = CommandMasterKey([sys.executable, "-c", script], "hsm-1")
        with pytest.raises(error, match=said) as refused:
            master.unwrap(b"wrapped", "wrapping_key|1")
        assert "secret-word" not in str(refused.value)

    def test_that_is_not_there_is_fatal(self) -> None:
        with pytest.raises(Fatal, match="cannot be run"):
            CommandMasterKey(["/no/such/program"], "hsm-1").wrap(KEY, "c")


class TestSettings:
    def test_the_keyring_file_has_it_unless_another_one_is_named(self, keyring_file: Path) -> None:
        (master,) = load_keyring(settings(keyring_file)).masters
        assert master.name == LocalMasterKey(Keyring.load(keyring_file).sealing_key).name

    def test_the_named_one_wraps_and_the_others_still_open(self, keyring_file: Path, program: Path) -> None:
        keyring = load_keyring(
            settings(
                keyring_file,
                master_key_from="command",
                master_key_command=shlex.join([str(program)]),
                master_key=SecretStr(secret()),
            )
        )
        own = LocalMasterKey(keyring.sealing_key).name
        assert [master.name for master in keyring.masters] == ["command:kms", LocalMasterKey(b"m" * 32).name, own]

    @pytest.mark.parametrize("named", ["environment", "command"])
    def test_a_named_one_that_is_not_set_is_refused(self, keyring_file: Path, named: str) -> None:
        with pytest.raises(Fatal, match="not set"):
            load_keyring(settings(keyring_file, master_key_from=named))


def test_a_crosswalk_asks_the_program_once_a_process(crosswalk_dsn: str, keyring_file: Path, program: Path) -> None:
    external = settings(keyring_file, master_key_from="command", master_key_command=str(program))
    with Crosswalk(crosswalk_dsn, load_keyring(external)) as crosswalk:
        crosswalk.migrate()
    Path(f"{program}.log").unlink()
    with Crosswalk(crosswalk_dsn, load_keyring(external)) as crosswalk:
        for _ in range(3):
            crosswalk.releases.record_access("ada", "read", "why", 1)
            crosswalk.keys.status()
    assert Path(f"{program}.log").read_text().count("unwrap") == 1
    with pytest.raises(Fatal, match="no master key at hand"), Crosswalk(crosswalk_dsn, Keyring.load(keyring_file)):
        pass
