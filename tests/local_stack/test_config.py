"""The stack's configuration: private from the first moment, generated once, movable to other ports, never shown."""

import json
import stat
from pathlib import Path

import pytest

from dicomanon.errors import Fatal
from dicomanon.local_stack.config import STATE_VARIABLE, Passwords, Ports, StackConfig, state_folder


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in Ports.model_fields:
        monkeypatch.delenv(f"DICOMANON_{name.upper()}_PORT", raising=False)
    monkeypatch.setenv(STATE_VARIABLE, str(tmp_path / "state"))
    return tmp_path / "state"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_folder_and_file_are_their_owners_alone(state: Path) -> None:
    StackConfig.load_or_create()
    assert state_folder() == state
    assert mode(state) == 0o700
    assert mode(state / "stack.json") == 0o600
    assert [path.name for path in state.iterdir()] == ["stack.json"]


def test_a_folder_that_was_open_is_closed(state: Path) -> None:
    state.mkdir(mode=0o755)
    StackConfig.load_or_create()
    assert mode(state) == 0o700


def test_passwords_that_an_earlier_version_did_not_have_are_generated_once(state: Path) -> None:
    old = StackConfig.load_or_create().model_dump()
    del old["passwords"]["crosswalk_pipeline"]
    (state / "stack.json").write_text(json.dumps(old))
    first = StackConfig.load()
    assert first.passwords.admin == old["passwords"]["admin"]
    assert StackConfig.load() == first


def test_secrets_are_generated_once_and_differ() -> None:
    first = StackConfig.load_or_create()
    assert StackConfig.load_or_create() == first == StackConfig.load()
    secrets = list(first.passwords.model_dump().values())
    assert len(set(secrets)) == len(secrets)
    assert all(len(secret) >= 24 for secret in secrets)
    assert not set(secrets) & set(Passwords().model_dump().values())


def test_passwords_need_no_quoting_in_a_url() -> None:
    for name, password in Passwords().model_dump().items():
        assert name == "fernet_key" or password.isalnum()


def test_nothing_was_started_here() -> None:
    with pytest.raises(Fatal, match="start one with `make demo`"):
        StackConfig.load()


def test_a_damaged_file_is_refused_without_its_content(state: Path) -> None:
    StackConfig.load_or_create()
    (state / "stack.json").write_text('{"ports": {"airflow": "swordfish"}}')
    with pytest.raises(Fatal, match="damaged") as refused:
        StackConfig.load_or_create()
    assert "swordfish" not in str(refused.value)


def test_ports_are_those_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DICOMANON_AIRFLOW_PORT", "18080")
    monkeypatch.setenv("DICOMANON_POSTGRES_PORT", "0")
    ports = StackConfig.load_or_create().ports
    assert ports.airflow == 18080
    assert ports.postgres not in {0, 5433}
    assert ports.clinical_pacs == 8042


def test_a_port_can_be_changed_later_and_free_ones_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DICOMANON_POSTGRES_PORT", "0")
    config = StackConfig.load_or_create()
    monkeypatch.setenv("DICOMANON_AIRFLOW_PORT", "18081")
    moved = config.on_chosen_ports()
    assert moved.ports == config.ports.model_copy(update={"airflow": 18081})
    assert moved.passwords == config.passwords
    moved.save()
    assert StackConfig.load() == moved
    assert mode(StackConfig.path()) == 0o600


@pytest.mark.parametrize("value", ["http", "-1", "80.5", "70000", "٨٠"])
def test_what_is_no_port_number_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DICOMANON_AIRFLOW_PORT", value)
    with pytest.raises(Fatal, match="DICOMANON_AIRFLOW_PORT must be a port number"):
        StackConfig.load_or_create()
