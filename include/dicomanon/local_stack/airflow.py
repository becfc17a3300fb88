"""Airflow's four processes on one machine, with LocalExecutor and the FAB auth manager."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from dicomanon.errors import Fatal, Retriable
from dicomanon.local_stack import processes
from dicomanon.local_stack.config import REPOSITORY, StackConfig, state_folder
from dicomanon.local_stack.ports import require_free_port

COMPONENTS = {
    "api-server": ("api-server", "--workers", "1"),
    # Task logs are read from the shared folder; a log server would only take another port.
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}

LOGINS = ("engineer", "researcher", "admin")
"""Made at set-up, each with a generated password."""
_HERE = ("127.0.0.1", "localhost")


def home() -> Path:
    """Return AIRFLOW_HOME of the local stack."""
    return state_folder() / "airflow"


def environment(config: StackConfig) -> dict[str, str]:
    """Return what every Airflow process needs to know: nothing of the crosswalk, no key, no PACS login."""
    ports, passwords = config.ports, config.passwords
    database = f"postgresql+psycopg://airflow:{passwords.airflow_database}@127.0.0.1:{ports.postgres}/airflow"
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW_", "DICOMANON_", "PYTEST"))
    }
    # Components talk to each other over the loopback interface: not through a proxy that the environment names.
    direct = ",".join([*filter(None, [os.environ.get("no_proxy") or os.environ.get("NO_PROXY")]), *_HERE])
    return inherited | {
        "AIRFLOW_HOME": str(home()),
        "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
        "AIRFLOW__CORE__FERNET_KEY": passwords.fernet_key,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{config.airflow_url}/execution/",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
        # Left unset, Airflow derives a URL for asyncpg, a second driver that we do not install.
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": database,
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(ports.airflow),
        "AIRFLOW__API__BASE_URL": config.airflow_url,
        "AIRFLOW__API__SECRET_KEY": passwords.api_secret,
        "AIRFLOW__API_AUTH__JWT_SECRET": passwords.jwt_secret,
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(state_folder() / "logs" / "tasks"),
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "AIRFLOW__FAB__ENABLE_PROXY_FIX": "False",
        "GX_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PYTHONUNBUFFERED": "1",
        "NO_PROXY": direct,
        "no_proxy": direct,
    }


def prepare(config: StackConfig) -> None:
    """Migrate the metadata database and make logins and pools; a few seconds when there is nothing to do."""
    home().mkdir(parents=True, exist_ok=True, mode=0o700)
    passwords = {f"AIRFLOW_{name.upper()}_PASSWORD": getattr(config.passwords, name) for name in LOGINS}
    log = state_folder() / "logs" / "airflow-setup.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        done = subprocess.run(
            [sys.executable, "-m", "dicomanon.airflow_setup"],
            env=environment(config) | passwords,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode != 0:
        raise Fatal(f"Airflow's database could not be prepared: see {log}")


def start(config: StackConfig, extra: dict[str, dict[str, str]]) -> None:
    """Start what is not running; ``extra`` adds environment variables for the components that it names."""
    folder = state_folder() / "logs"
    if not processes.is_running(folder, "api-server"):
        require_free_port(config.ports.airflow, "Airflow")
    program = Path(sys.executable).parent / "airflow"
    for name, arguments in COMPONENTS.items():
        if not processes.is_running(folder, name):
            processes.start_detached(
                folder, name, [program, *arguments], environment=environment(config) | extra.get(name, {})
            )


def wait_healthy(config: StackConfig, *, seconds: float = 120) -> None:
    """Wait until all four components report health.

    Raises
    ------
    Fatal
        One of them ended or did not become healthy in time; the message names its log.
    """

    def healthy() -> bool:
        for name in COMPONENTS:
            processes.require_running(state_folder() / "logs", name, f"Airflow's {name}")
        try:
            answer = httpx.get(f"{config.airflow_url}/api/v2/monitor/health", timeout=5, trust_env=False)
        except httpx.HTTPError:
            return False
        return answer.status_code == httpx.codes.OK and all(
            part.get("status") == "healthy" for part in answer.json().values()
        )

    if not processes.wait_until(healthy, seconds=seconds, interval=0.5):
        raise Fatal(f"Airflow did not become healthy in {seconds:.0f} s: see {state_folder() / 'logs'}")


def require_plugins(config: StackConfig) -> None:
    """Refuse a stack whose plugins did not load: without the one that seals, requests would be stored in clear text.

    Raises
    ------
    Fatal
        A plugin could not be imported; the api-server's log says why.
    """
    with client(config, "admin") as api:
        broken = api.get("/plugins/importErrors").raise_for_status().json()["total_entries"]
    if broken:
        raise Fatal(f"{broken} Airflow plugins could not be loaded: see {state_folder() / 'logs' / 'api-server.log'}")


def is_running() -> bool:
    """Tell whether any of the four components runs."""
    return any(processes.is_running(state_folder() / "logs", name) for name in COMPONENTS)


def stop() -> None:
    """Stop all four components; running tasks are given time to end."""
    # The api-server last: the others report to it, and would wait for an answer until they are killed.
    for name in [*(name for name in COMPONENTS if name != "api-server"), "api-server"]:
        processes.stop(state_folder() / "logs", name)


@contextmanager
def client(config: StackConfig, username: str) -> Iterator[httpx.Client]:
    """Open Airflow's REST API as one of the generated logins.

    Raises
    ------
    Fatal
        There is no such login, or Airflow refuses it or a request.
    Retriable
        Airflow does not answer.
    """
    if username not in LOGINS:
        raise Fatal(f"the local stack has no such login: it has {', '.join(LOGINS)}")
    try:
        # Not through a proxy that the environment names: it would be given the password, and cannot reach us.
        with httpx.Client(base_url=config.airflow_url, timeout=30, trust_env=False) as opened:
            login = {"username": username, "password": getattr(config.passwords, username)}
            token = opened.post("/auth/token", json=login)
            if token.status_code != httpx.codes.CREATED:
                raise Fatal(f"Airflow refused the login {username} (HTTP {token.status_code})")
            opened.headers["Authorization"] = f"Bearer {token.json()['access_token']}"
            opened.base_url = httpx.URL(f"{config.airflow_url}/api/v2")
            yield opened
    except httpx.HTTPStatusError as error:
        status = error.response.status_code
        kind = Retriable if status >= httpx.codes.INTERNAL_SERVER_ERROR else Fatal
        raise kind(f"Airflow answered {status}") from None
    except httpx.HTTPError as error:
        raise Retriable(f"Airflow does not answer at {config.airflow_url} ({type(error).__name__})") from None


def require_admin(config: StackConfig, username: str) -> None:
    """Refuse whoever cannot log in to Airflow or has not the role Admin there.

    Raises
    ------
    Fatal
        The login is refused, or may not read other people's accounts, which only admins may.
    """
    with client(config, username) as api:
        answer = api.get(f"{config.airflow_url}/auth/fab/v1/users/{username}")
    roles = {role["name"] for role in answer.json().get("roles", [])} if answer.status_code == httpx.codes.OK else set()
    if "Admin" not in roles:
        raise Fatal(f"the login {username} has not the role Admin")
