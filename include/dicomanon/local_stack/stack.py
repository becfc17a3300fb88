"""Starts and stops the whole stack in the right order, and tells each process just what it needs to know."""

import base64
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from dicomanon.backup.key import BackupKey
from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.roles.role import Role
from dicomanon.errors import DicomanonError, Fatal, Retriable
from dicomanon.local_stack import airflow, processes
from dicomanon.local_stack.config import NO_STACK, StackConfig, state_folder
from dicomanon.local_stack.orthanc import OrthancServer, start_orthanc
from dicomanon.local_stack.postgres import PostgresServer, is_running, start_postgres
from dicomanon.signing import SigningKey

Say = Callable[[str], None]

MINIMUM_FREE_BYTES = 3 << 30


CHOICES = (
    "DICOMANON_PROFILE",
    "DICOMANON_PROFILE_APPROVALS",
    "DICOMANON_REMOVAL_APPROVALS",
    "DICOMANON_DEFAULT_ISSUER",
    "DICOMANON_QUIET_MINUTES",
    "DICOMANON_DISCOVER_DAYS",
    "DICOMANON_BATCH_INSTANCES",
    "DICOMANON_BATCH_MEGABYTES",
    "DICOMANON_BATCHES_AT_ONCE",
    "DICOMANON_PULL_THREADS",
    "DICOMANON_OPENLINEAGE__TRANSPORT",
    "DICOMANON_OPENLINEAGE__NAMESPACE",
    "DICOMANON_OPENLINEAGE__URL",
    "DICOMANON_BACKUP_KEEP",
    "DICOMANON_BACKUP_VERIFY",
    "DICOMANON_ARCHIVES_RED",
    "DICOMANON_ARCHIVES_MINUTES",
    "DICOMANON_UNSETTLED_HOURS",
    "DICOMANON_PULL_HOURS",
)
"""Settings that a site may choose; the command and the tasks must see the same, or a patient would be two."""

DAG_CHOICES = (
    "DICOMANON_INGEST_SCHEDULE",
    "DICOMANON_AUDIT_SCHEDULE",
    "DICOMANON_LINEAGE_SCHEDULE",
    "DICOMANON_BACKUP_SCHEDULE",
    "DICOMANON_ARCHIVES_SCHEDULE",
    "DICOMANON_RETRY_SECONDS",
)
"""What DAG files read when they are parsed, in whichever of Airflow's processes that is."""

_NIGHTLY_BY_HAND = {"DICOMANON_BACKUP_SCHEDULE": "", "DICOMANON_ARCHIVES_SCHEDULE": ""}
"""A stack that is tried out is not there at night, and Airflow would make up for it at every start."""


LOGINS = {
    "pipeline": (Role.INGEST, Role.COHORT, Role.REMOVAL, Role.AUDITOR, Role.BACKUP),
    "operator": tuple(Role),
    "pages": (Role.PAGES,),
}
"""Logins of the crosswalk, and what they may act as: the tasks', the one of the command on this machine, and that of
the api-server's pages."""


def pipeline_environment(config: StackConfig, login: str = "operator") -> dict[str, str]:
    """Return the settings of the pipeline's own tasks and of the command: with the keys, for these processes only.

    Parameters
    ----------
    login
        One of :data:`LOGINS`.
    """
    folder = state_folder()
    return {
        "DICOMANON_CROSSWALK_DSN": _dsn(config, login, getattr(config.passwords, f"crosswalk_{login}")),
        "DICOMANON_KEYRING_FILE": str(_keyring_file()),
        "DICOMANON_CLINICAL__NAME": "clinical",
        "DICOMANON_CLINICAL__URL": f"{config.clinical_url}/dicom-web",
        "DICOMANON_CLINICAL__USERNAME": "pipeline",
        "DICOMANON_CLINICAL__PASSWORD": config.passwords.clinical_pacs,
        "DICOMANON_RESEARCH__NAME": "research",
        "DICOMANON_RESEARCH__URL": f"{config.research_url}/dicom-web",
        "DICOMANON_RESEARCH__USERNAME": "pipeline",
        "DICOMANON_RESEARCH__PASSWORD": config.passwords.research_pacs,
        "DICOMANON_RESEARCH_ORTHANC_URL": config.research_url,
        "DICOMANON_STAGING_DIR": str(folder / "staging"),
        "DICOMANON_DATA_DOCS_DIR": str(folder / "data-docs"),
        "DICOMANON_RELEASE_DIR": str(folder / "releases"),
        "DICOMANON_AUDIT_KEY_FILE": str(_audit_key_file()),
        "DICOMANON_AUDIT_HEAD_DIR": str(folder / "audit-heads"),
        "DICOMANON_BACKUP_DIR": str(folder / "backups"),
        "DICOMANON_BACKUP_KEY_FILE": str(_backup_key_file()),
        **{name: value for name, value in config.choices.items() if name in CHOICES},
    }


def _dsn(config: StackConfig, login: str, password: str) -> str:
    return f"postgresql://{login}:{password}@127.0.0.1:{config.ports.postgres}/crosswalk"


def _owner_dsn(config: StackConfig) -> str:
    return _dsn(config, "crosswalk", config.passwords.crosswalk_database)


def use_local_stack(*, as_owner: bool = False) -> None:
    """Let a command work on the local stack where the environment names no other site.

    Parameters
    ----------
    as_owner
        Whether it changes the crosswalk's schema, for which it needs the login that owns it.
    """
    if "DICOMANON_CROSSWALK_DSN" not in os.environ and StackConfig.path().exists():
        config = StackConfig.load()
        _adopt(config)
        if as_owner:
            os.environ["DICOMANON_CROSSWALK_DSN"] = _owner_dsn(config)


def require_site() -> None:
    """Refuse a command where neither the environment nor a local stack says what to work on.

    Raises
    ------
    Fatal
        Saying how to get either.
    """
    if not any(name.startswith("DICOMANON_CROSSWALK_") for name in os.environ):
        raise Fatal(NO_STACK)


def advice(error: DicomanonError) -> str:
    """Return what to add to an error that a local stack which is not running explains."""
    if not isinstance(error, Retriable) or not StackConfig.path().exists():
        return ""
    if os.environ.get("DICOMANON_KEYRING_FILE") != str(_keyring_file()) or is_running(state_folder() / "postgres"):
        return ""
    return "; the local stack is not running: start it with `make demo` or `dicomanon stack up`"


@contextmanager
def local_crosswalk() -> Iterator[None]:
    """Have a crosswalk for a command that needs nothing else: the site's, or the local one, started if it is not."""
    if "DICOMANON_CROSSWALK_DSN" in os.environ and os.environ.get("DICOMANON_KEYRING_FILE") != str(_keyring_file()):
        yield
        return
    config = _configured()
    was_running = is_running(state_folder() / "postgres")
    server = start_database(config)
    _adopt(config)
    try:
        yield
    finally:
        if not was_running:
            server.stop()


def _adopt(config: StackConfig) -> None:
    """Take the stack's settings over into this process; what its tasks do not have must not hold for commands alone."""
    other = _chosen_otherwise(config, _with_choices(config, CHOICES))
    if other:
        raise Fatal(
            f"the local stack was started with another {other} than the environment says: unset it, or "
            "`make down` and start the stack anew"
        )
    os.environ.update(pipeline_environment(config))


def _keyring_file() -> Path:
    return state_folder() / "keys" / "keyring.json"


def _audit_key_file() -> Path:
    return state_folder() / "keys" / "audit_key.pem"


def _backup_key_file() -> Path:
    return state_folder() / "keys" / "backup.key"


def door_environment(config: StackConfig, keyring: Keyring) -> dict[str, str]:
    """Return what the api-server may know: the public key to seal with, where Data Docs and releases are, and a login.

    By that login it asks whose releases it may show; of the crosswalk's tables it can read none.
    """
    settings = pipeline_environment(config)
    return {
        "DICOMANON_REQUEST_PUBLIC_KEY": base64.b64encode(keyring.request_public_key).decode(),
        "DICOMANON_DATA_DOCS_DIR": settings["DICOMANON_DATA_DOCS_DIR"],
        "DICOMANON_RELEASE_DIR": settings["DICOMANON_RELEASE_DIR"],
        "DICOMANON_PAGES_DSN": _dsn(config, "pages", config.passwords.crosswalk_pages),
    }


def up(say: Say, *, airflow_variables: Mapping[str, str] | None = None) -> StackConfig:
    """Start everything that is not running and wait until it answers.

    Raises
    ------
    Fatal
        With one line that says what is missing or in the way.
    """
    config = _chosen(_configured())
    _require_disk_space()
    say("PostgreSQL, clinical and research PACS")
    with ThreadPoolExecutor() as pool:
        pacs = pool.submit(start_pacs, config)
        start_database(config)
        pacs.result()
    keyring = Keyring.load(_keyring_file())
    say("Airflow: metadata database, roles, logins, pools")
    airflow.prepare(config)
    say("Airflow: api-server, scheduler, dag-processor, triggerer")
    shared = (
        _NIGHTLY_BY_HAND
        | {name: value for name, value in config.choices.items() if name in DAG_CHOICES}
        | dict(airflow_variables or {})
    )
    airflow.start(
        config,
        {
            "scheduler": shared | pipeline_environment(config, "pipeline") | {"DICOMANON_WARM_START": "1"},
            "api-server": shared | door_environment(config, keyring),
            "dag-processor": shared,
            "triggerer": shared,
        },
    )
    airflow.wait_healthy(config)
    airflow.require_plugins(config)
    _tell_if_no_profile(config, keyring, say)
    return config


def start_database(config: StackConfig) -> PostgresServer:
    """Start PostgreSQL with its two databases and their logins, and bring the crosswalk to the current schema."""
    server = start_postgres(state_folder() / "postgres", config.ports.postgres)
    server.create_database("airflow", "airflow", config.passwords.airflow_database)
    server.create_roles()
    server.create_database("crosswalk", "crosswalk", config.passwords.crosswalk_database)
    for login, roles in LOGINS.items():
        server.create_login(login, getattr(config.passwords, f"crosswalk_{login}"), "crosswalk", roles)
    keys = _keyring_file()
    if not keys.exists():
        keys.parent.mkdir(mode=0o700, exist_ok=True)
        Keyring.generate(keys)
    if not _audit_key_file().exists():
        SigningKey.generate(_audit_key_file())
    (state_folder() / "audit-heads").mkdir(mode=0o700, exist_ok=True)
    if not _backup_key_file().exists():
        BackupKey.generate(_backup_key_file())
    with Crosswalk(_owner_dsn(config), Keyring.load(keys)) as crosswalk:
        crosswalk.migrate()
    return server


def start_pacs(config: StackConfig) -> tuple[OrthancServer, OrthancServer]:
    """Start the clinical and the research PACS."""
    ports, passwords = config.ports, config.passwords
    return (
        start_orthanc(
            state_folder() / "pacs" / "clinical", "clinical", ports.clinical_pacs, ports.clinical_dimse, "pipeline",
            passwords.clinical_pacs,
        ),
        start_orthanc(
            state_folder() / "pacs" / "research", "research", ports.research_pacs, ports.research_dimse, "pipeline",
            passwords.research_pacs,
        ),
    )  # fmt: skip


def down(say: Say) -> None:
    """Stop everything; all data stays."""
    if not StackConfig.path().exists():
        say("no stack here")
        return
    config = StackConfig.load()
    say("Airflow")
    airflow.stop()
    say("clinical and research PACS")
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda name: processes.stop(state_folder() / "pacs" / name, "orthanc"), ("clinical", "research")))
    say("PostgreSQL")
    PostgresServer(state_folder() / "postgres", config.ports.postgres, "").stop()


def clean(say: Say) -> None:
    """Stop everything and forget it: databases, keys, staging, logs. The pseudonyms are lost with the keys."""
    down(say)
    if state_folder().exists():
        shutil.rmtree(state_folder())
        say("the state folder is gone")


def _configured() -> StackConfig:
    """Return the stack's configuration, on the ports that the environment asks for now."""
    config = StackConfig.load_or_create()
    moved = config.on_chosen_ports()
    if moved.ports == config.ports:
        return config
    if is_running(state_folder() / "postgres") or airflow.is_running():
        raise Fatal("the local stack runs on other ports than the DICOMANON_…_PORT variables say: `make down` first")
    moved.save()
    return moved


def _chosen(config: StackConfig) -> StackConfig:
    """Return the configuration with the settings that the environment chooses now, and keep it."""
    from dicomanon.pipeline.profiles import require_profile_name

    # Before anything starts, and before the choice is kept; by the name that was given.
    require_profile_name(_profile(config.with_choices(CHOICES)))
    chosen = _with_choices(config, (*CHOICES, *DAG_CHOICES))
    _approvals(chosen)
    other = _chosen_otherwise(config, chosen)
    if other and airflow.is_running():
        raise Fatal(f"the local stack runs with another {other} than the environment says: `make down` first")
    chosen.save()
    return chosen


def _with_choices(config: StackConfig, names: Iterable[str]) -> StackConfig:
    """Return the configuration with what the environment chooses now, a profile file by its whole path."""
    chosen = config.with_choices(names)
    if Path(_profile(chosen)).suffix:
        # Tasks run in another folder.
        chosen.choices["DICOMANON_PROFILE"] = str(Path(_profile(chosen)).resolve())
    return chosen


def _chosen_otherwise(config: StackConfig, chosen: StackConfig) -> str:
    """Return the names of the settings in which a choice differs from what the stack was started with."""
    return ", ".join(sorted(name for name, value in chosen.choices.items() if config.choices.get(name) != value))


def _profile(config: StackConfig) -> str:
    from dicomanon.settings import DEFAULT_PROFILE

    return config.choices.get("DICOMANON_PROFILE", DEFAULT_PROFILE)


def _approvals(config: StackConfig) -> int:
    asked = config.choices.get("DICOMANON_PROFILE_APPROVALS", "1")
    if not re.fullmatch("[1-9]", asked):
        raise Fatal("DICOMANON_PROFILE_APPROVALS must be a number from 1 to 9")
    return int(asked)


def _tell_if_no_profile(config: StackConfig, keyring: Keyring, say: Say) -> None:
    """Say what only the crosswalk knows: that the profile is not published, or that approvals are missing."""
    from dicomanon.pipeline.profiles import resolve_profile

    dsn = pipeline_environment(config)["DICOMANON_CROSSWALK_DSN"]
    with Crosswalk(dsn, keyring, role=Role.INGEST, max_size=1) as crosswalk:
        try:
            resolve_profile(_profile(config), crosswalk, _approvals(config))
        except Fatal as error:
            say(f"warning: nothing will be de-identified: {error}")


def _require_disk_space() -> None:
    free = shutil.disk_usage(state_folder()).free
    if free < MINIMUM_FREE_BYTES:
        raise Fatal(
            f"only {free >> 20} MB free where {state_folder()} is, {MINIMUM_FREE_BYTES >> 20} MB are needed: "
            "free some, or set DICOMANON_STATE_DIR to a folder on another disk"
        )
