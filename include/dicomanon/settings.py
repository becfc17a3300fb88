"""Where things are and how much at once: read from the environment, in one place."""

from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from dicomanon.errors import Fatal
from dicomanon.notices import SmtpServer
from dicomanon.openlineage.target import OpenLineageTarget
from dicomanon.pacs.endpoint import PacsEndpoint

PREFIX = "DICOMANON_"


DEFAULT_PROFILE: Final = "research"


class DatabaseSettings(BaseSettings):
    """What it takes to read what the crosswalk does not seal: all that a check of the audit trail is given."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", extra="ignore", frozen=True)

    crosswalk_dsn: SecretStr

    @classmethod
    def load(cls) -> Self:
        """Read the environment.

        Raises
        ------
        Fatal
            A variable is missing or malformed; the message names the variables and no value.
        """
        try:
            return cls()
        except ValidationError as error:
            names = sorted({PREFIX + "__".join(str(part) for part in item["loc"]).upper() for item in error.errors()})
            raise Fatal(f"set these environment variables, or correct them: {', '.join(names)}") from None


class CrosswalkSettings(DatabaseSettings):
    """What it takes to open the crosswalk, and nothing of a PACS: all that a migration is given."""

    keyring_file: Path
    default_issuer: str = ""
    """Issuer of Patient ID (0010,0021) assumed where an object names none."""
    profile_approvals: Annotated[int, Field(ge=1, le=9)] = 1
    """How many persons, the publisher included, must stand for a profile that does not come with the release. From 2 on
    a profile file is used only if its very content is published and approved."""
    removal_approvals: Annotated[int, Field(ge=1, le=9)] = 1
    """How many persons, who requested it included, must stand for a withdrawal, a recall or a re-issue."""
    reidentify_hours: Annotated[int, Field(ge=1, le=168)] = 24
    """How long a request for re-identification may be decided and shown."""
    reidentify_per_day: Annotated[int, Field(ge=1, le=1000)] = 5
    """How many of them a person may make in 24 hours."""
    gateway_token_hours: Annotated[int, Field(ge=1, le=8760)] = 168
    """How long a token for the gateway may be good."""
    master_key_from: Literal["keyring", "environment", "command"] = "keyring"
    """Which master key wraps the keys in the crosswalk; the others that are set can still open."""
    master_key: SecretStr | None = None
    """32 bytes in base64."""
    former_master_key: SecretStr | None = None
    """The one that ``master_key`` replaces, until the rotation is finished."""
    master_key_command: str = ""
    """Program, with its arguments, that wraps and unwraps with a key that we do not have; no secrets in arguments."""
    master_key_name: str = "kms"
    """Names the key of that program in the crosswalk; another key needs another name."""


class GatewayDoor(BaseModel):
    """Where and how hard the gateway may be used; fields are ``DICOMANON_GATEWAY__PORT`` and so on."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8044
    """``0`` takes a free one."""
    url: Annotated[str, Field(pattern=r"^(https?://[^?#@\s]+)?$")] = ""
    """Root of the service as researchers know it, such as ``https://images.example.org/dicom-web``; else it is made of
    the Host header."""
    origins: str = ""
    """Origins of pages that may ask by a browser, such as a viewer's, with commas between them; none by default."""
    certificate: Path | None = None
    certificate_key: Path | None = None
    """PEM files, where TLS ends here."""
    behind_tls: bool = False
    """Whether TLS ends before it, where it listens on more than the loopback interface without a certificate."""
    at_once: Annotated[int, Field(ge=1, le=256)] = 12
    """Requests that are answered at once; others wait."""
    at_once_per_token: Annotated[int, Field(ge=1, le=256)] = 8
    requests_per_minute: Annotated[int, Field(ge=1)] = 6000
    """Of a token."""
    most_results: Annotated[int, Field(ge=1, le=10_000)] = 1000
    """Rows of a search, whatever is asked for."""
    stall_seconds: Annotated[float, Field(gt=0)] = 60.0
    """How long somebody may take nothing before an answer is broken off."""


class GatewaySettings(DatabaseSettings):
    """What it takes to let researchers read: a login for functions, the research PACS, and no key."""

    research: PacsEndpoint
    gateway: GatewayDoor = GatewayDoor()


class SigningSettings(CrosswalkSettings):
    """What it takes to sign for the site: heads of the audit trail, certificates of removal."""

    audit_key_file: Path
    """Ed25519 private key, PEM; made by ``dicomanon audit key``."""


class AuditSettings(SigningSettings):
    """What it takes to sign where the audit trail stands."""

    audit_head_dir: Path
    """Folder that signed heads are written to; copy it to where nobody who can write the crosswalk can write."""


class ClinicalSettings(CrosswalkSettings):
    """What it takes to look at what is held: the crosswalk, the clinical PACS and the rules, and no way to research.

    Each field is the environment variable ``DICOMANON_<FIELD>``, those of a PACS ``DICOMANON_CLINICAL__URL`` and so on.
    """

    clinical: PacsEndpoint
    profile: str = DEFAULT_PROFILE
    """Name of a shipped profile, ``NAME@HASH`` of a published one, or the path of a profile file."""


class Settings(ClinicalSettings):
    """Everything that a task or a command needs to know about its site."""

    research: PacsEndpoint
    research_orthanc_url: Annotated[str, Field(pattern=r"^(https?://[^?#@\s]+)?$")] = ""
    """Root of Orthanc's own REST API, where the research PACS is an Orthanc: what removes objects from it. Empty: a
    person removes them, and is told which."""
    research_shared: bool = False
    """Whether the research PACS has studies of others too. Where it has not, an empty crosswalk beside a research PACS
    with studies is one that was lost."""
    staging_dir: Path
    data_docs_dir: Path
    release_dir: Path
    backup_days: Annotated[int, Field(ge=0)] | None = None
    """How long backups of research PACS and crosswalk are kept, for certificates to say."""
    smtp: SmtpServer | None = None
    """Where e-mail is handed in; without it notices are only written to ``notice_dir``."""
    notice_contacts: Path | None = None
    """JSON file of addresses: ``{"projects": {NAME: [ADDRESS]}, "requesters": {LOGIN: [ADDRESS]}}``."""
    discover_days: Annotated[int, Field(ge=0)] = 0
    """How far back by Study Date a run without a window of its own looks; 0 lists the whole clinical PACS."""
    quiet_minutes: Annotated[int, Field(ge=0)] = 15
    """A study is taken up when its instance count has not changed for this long."""
    batch_instances: Annotated[int, Field(ge=1, le=20_000)] = 1000
    """Most instances in a batch; a batch should be worth at least some tens of seconds of work."""
    batch_megabytes: Annotated[int, Field(ge=1)] = 2000
    """Most megabytes in a batch, by what is usual for its SOP classes; staging holds a few batches at a time."""
    batches_at_once: Annotated[int, Field(ge=1, le=256)] = 2
    """How many batches are worked on at once: as many as the Airflow pools of both PACS have slots."""
    pull_threads: Annotated[int, Field(ge=1, le=32)] = 2
    """WADO-RS streams that a task reads, or objects that it validates, at once, each with one instance in memory."""
    openlineage: OpenLineageTarget = OpenLineageTarget()
    """Where the events of tasks go for other tools; fields are ``DICOMANON_OPENLINEAGE__TRANSPORT`` and so on."""
    archives_red: Literal["lost", "any"] = "lost"
    """When a check of the archives is red: if something stored is missing, or if anything differs that may stay."""
    archives_minutes: Annotated[int, Field(ge=0)] = 120
    """How long a check compares instances one by one; the next one goes on where it stopped."""
    pull_hours: Annotated[int, Field(ge=1, le=168)] = 24
    """How long a cohort request waits for what it has the clinical PACS asked for, and for what comes of it."""
    unsettled_hours: Annotated[int, Field(ge=1)] = 48
    """After this time an instance that is not settled, or a folder in staging, is a difference."""

    @property
    def certificate_dir(self) -> Path:
        """Folder of the certificates of removal; no project's name begins with a dot."""
        return self.release_dir / ".certificates"

    @property
    def notice_dir(self) -> Path:
        """Folder that every notice to holders of a release is written to."""
        return self.release_dir / ".notices"
