"""Ports and secrets of a local stack: generated once, kept in ``stack.json`` (0600), never in the repository."""

import base64
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from dicomanon.errors import Fatal
from dicomanon.local_stack.ports import free_port

STATE_VARIABLE = "DICOMANON_STATE_DIR"
REPOSITORY = Path(__file__).resolve().parents[3]
NO_STACK = "no local stack here: start one with `make demo`, or name your site with the DICOMANON_ variables"


def state_folder() -> Path:
    """Return the folder that holds everything a local stack writes."""
    return Path(os.environ.get(STATE_VARIABLE) or REPOSITORY / ".dicomanon").resolve()


def _password() -> str:
    return secrets.token_urlsafe(18).replace("-", "x").replace("_", "y")


class Ports(BaseModel):
    """Loopback ports of the stack's servers."""

    airflow: int = 8080
    clinical_pacs: int = 8042
    research_pacs: int = 8043
    clinical_dimse: int = 4242
    research_dimse: int = 4243
    postgres: int = 5433

    @classmethod
    def chosen(cls) -> "Ports":
        """Return the usual ports, or those that ``DICOMANON_<NAME>_PORT`` names; ``0`` there means any free one."""
        return cls(**{name: port or free_port() for name, port in _asked_for(cls.model_fields).items()})


def _asked_for(names: Iterable[str]) -> dict[str, int]:
    """Return the ports that the environment names.

    Raises
    ------
    Fatal
        One of them is no port number.
    """
    given = {}
    for name in names:
        variable = f"DICOMANON_{name.upper()}_PORT"
        value = os.environ.get(variable)
        if value:
            if not (value.isascii() and value.isdigit() and int(value) < 1 << 16):
                raise Fatal(f"{variable} must be a port number")
            given[name] = int(value)
    return given


class Passwords(BaseModel):
    """Generated passwords; those of Airflow are for people, the others for servers."""

    admin: str = Field(default_factory=_password)
    engineer: str = Field(default_factory=_password)
    researcher: str = Field(default_factory=_password)
    clinical_pacs: str = Field(default_factory=_password)
    research_pacs: str = Field(default_factory=_password)
    airflow_database: str = Field(default_factory=_password)
    crosswalk_database: str = Field(default_factory=_password)
    """Of the login that owns the crosswalk and migrates it; nothing that runs has it."""
    crosswalk_pipeline: str = Field(default_factory=_password)
    crosswalk_operator: str = Field(default_factory=_password)
    crosswalk_pages: str = Field(default_factory=_password)
    fernet_key: str = Field(default_factory=lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())
    jwt_secret: str = Field(default_factory=lambda: secrets.token_hex(32))
    api_secret: str = Field(default_factory=lambda: secrets.token_hex(32))


class StackConfig(BaseModel):
    """What ``stack.json`` holds."""

    ports: Ports = Field(default_factory=Ports.chosen)
    passwords: Passwords = Field(default_factory=Passwords)
    choices: dict[str, str] = Field(default_factory=dict)
    """Settings of the site by their variable, as the environment had them when the stack was started."""

    @property
    def airflow_url(self) -> str:
        """Return where Airflow's pages and REST API are."""
        return f"http://127.0.0.1:{self.ports.airflow}"

    @property
    def clinical_url(self) -> str:
        """Return the clinical PACS's web address."""
        return f"http://127.0.0.1:{self.ports.clinical_pacs}"

    @property
    def research_url(self) -> str:
        """Return the research PACS's web address."""
        return f"http://127.0.0.1:{self.ports.research_pacs}"

    @classmethod
    def path(cls) -> Path:
        """Return where the file is kept."""
        return state_folder() / "stack.json"

    @classmethod
    def load(cls) -> "StackConfig":
        """Read the stack's configuration.

        Raises
        ------
        Fatal
            No stack was ever started here.
        """
        try:
            config = cls.model_validate_json(cls.path().read_text())
        except FileNotFoundError:
            raise Fatal(NO_STACK) from None
        except OSError as error:
            raise Fatal(f"{cls.path()} cannot be read ({error.strerror})") from None
        except ValidationError:
            # Without its text, which would show passwords.
            raise Fatal(f"{cls.path()} is damaged: put back a copy, or forget this stack with `make clean`") from None
        if config.passwords.model_fields_set != Passwords.model_fields.keys():
            # Generated just now, for logins that an earlier version did not have: they must be the same next time.
            config.save()
        return config

    @classmethod
    def load_or_create(cls) -> "StackConfig":
        """Read the stack's configuration, or generate it on first use."""
        if cls.path().exists():
            return cls.load()
        folder = state_folder()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
        config = cls()
        config.save()
        return config

    def on_chosen_ports(self) -> "StackConfig":
        """Return this configuration with the ports that the environment names; ``0`` there keeps what is set."""
        named = {name: port for name, port in _asked_for(Ports.model_fields).items() if port}
        return self.model_copy(update={"ports": self.ports.model_copy(update=named)})

    def with_choices(self, names: Iterable[str]) -> "StackConfig":
        """Return this configuration with what the environment says of ``names``; what it leaves open stays."""
        return self.model_copy(
            update={"choices": self.choices | {name: os.environ[name] for name in names if name in os.environ}}
        )

    def save(self) -> None:
        """Write the file, readable by its owner alone, and complete from the moment that it exists."""
        incoming = self.path().with_name(f".stack.json.{os.getpid()}")
        with os.fdopen(os.open(incoming, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(self.model_dump_json(indent=2) + "\n")
        incoming.replace(self.path())
