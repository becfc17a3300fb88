"""The production stack is well-formed, refuses to start without secrets, and gives each service only what it needs."""

import base64
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import psycopg
import pytest
import yaml
from cryptography.fernet import Fernet
from pydantic import BaseModel
from tests.deploy.compose import COMPOSE, COMPOSE_FILE, INIT_SCRIPT, ROLES_SQL, ROOT, SERVICES, TEXT, environment_of

from dicomanon.airflow_setup import LOGINS
from dicomanon.backup.key import BackupKey
from dicomanon.backup.settings import BackupSettings
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.local_stack.ports import free_port
from dicomanon.local_stack.postgres import BINARIES, PostgresServer, start_postgres
from dicomanon.settings import PREFIX, AuditSettings, GatewaySettings, Settings
from dicomanon.signing import SigningKey

TEMPLATE = ROOT / "deploy" / ".env.example"
DOCKERFILE = ROOT / "deploy" / "Dockerfile"

ONE_SHOT = {"airflow-init", "crosswalk-init", "postgres-archive-init"}
AIRFLOW = sorted(name for name in SERVICES if name.startswith("airflow-"))
LONG_RUNNING = sorted(SERVICES.keys() - ONE_SHOT)
REQUIRED = sorted(set(re.findall(r"\$\{(\w+):\?", TEXT)))
SECRET_NAME = re.compile(r"PASSWORD|SECRET|FERNET|KEY")


def compose_config(variables: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    program = shutil.which("docker-compose")
    assert program, "docker-compose is missing: run deploy/system-packages.sh test"
    # Named, so that a `.env` beside the compose file, which belongs to whoever runs a stack here, is not read.
    env_file = folder / "compose.env"
    env_file.write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
    return subprocess.run(
        [program, "--env-file", env_file, "--file", COMPOSE_FILE, "--project-directory", ROOT, "config"],
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


class TestWellFormed:
    def test_follows_the_compose_specification(self) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE_FILE],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def test_is_resolved_by_docker_compose_with_generated_secrets(
        self, generated: dict[str, str], tmp_path: Path
    ) -> None:
        done = compose_config(generated, tmp_path)
        assert done.returncode == 0, done.stderr
        resolved = yaml.safe_load(done.stdout)
        assert resolved["services"].keys() == SERVICES.keys()
        worker = resolved["services"]["airflow-worker"]["environment"]
        assert worker["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].startswith("postgresql+psycopg://airflow:")
        assert generated["AIRFLOW_DB_PASSWORD"] in worker["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]

    def test_all_images_are_pinned_to_a_version(self) -> None:
        bases = re.findall(r"^FROM (\S+)", DOCKERFILE.read_text(), re.MULTILINE)
        images = [re.sub(r"^\$\{\w+:-(.*)\}$", r"\1", service["image"]) for service in SERVICES.values()]
        for image in [*bases, *images]:
            assert re.search(r":\d+\.\d+(\.\d+)?(-[\w.]+)?(@sha256:[0-9a-f]{64})?$", image), image

    def test_airflow_of_the_image_is_that_of_the_lock(self) -> None:
        locked = re.search(r"^apache-airflow==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
        bases = set(re.findall(r"^FROM apache/airflow:([\d.]+)-", DOCKERFILE.read_text(), re.MULTILINE))
        assert locked
        assert bases == {locked[1]}

    @pytest.mark.parametrize("source", re.findall(r"^COPY (?!--from)(\S+)", DOCKERFILE.read_text(), re.MULTILINE))
    def test_what_the_image_copies_is_let_into_the_build_context(self, source: str) -> None:
        assert (ROOT / source).exists()
        assert f"!{source}" in (ROOT / ".dockerignore").read_text().split()

    def test_build_context_is_an_allow_list(self) -> None:
        rules = [rule for rule in (ROOT / ".dockerignore").read_text().splitlines() if rule and rule[0] != "#"]
        assert rules[0] == "*"

    @pytest.mark.parametrize("service", AIRFLOW)
    def test_airflow_services_share_environment_image_and_logs(self, service: str) -> None:
        shared = COMPOSE["x-airflow-environment"]
        assert shared.items() <= environment_of(service).items()
        assert SERVICES[service]["image"] == COMPOSE["x-airflow"]["image"]
        assert "airflow-logs:/opt/airflow/logs" in SERVICES[service]["volumes"]

    def test_one_driver_serves_synchronous_and_asynchronous_connections(self) -> None:
        shared = COMPOSE["x-airflow-environment"]
        assert shared["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == shared["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC"]
        assert shared["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].startswith("postgresql+psycopg://")

    @pytest.mark.parametrize("service", LONG_RUNNING)
    def test_long_running_services_have_a_health_check_and_restart(self, service: str) -> None:
        assert SERVICES[service]["healthcheck"]["test"]
        assert SERVICES[service]["restart"] == "unless-stopped"

    @pytest.mark.parametrize("service", sorted(ONE_SHOT))
    def test_one_shot_services_are_not_restarted(self, service: str) -> None:
        assert SERVICES[service]["restart"] == "no"

    def test_nothing_waits_for_a_health_that_is_never_reported(self) -> None:
        for service in SERVICES.values():
            for name, wait in service.get("depends_on", {}).items():
                expected = "service_completed_successfully" if name in ONE_SHOT else "service_healthy"
                assert wait["condition"] == expected

    def test_declared_volumes_and_networks_are_just_the_used_ones(self) -> None:
        mounts = [mount.split(":")[0] for service in SERVICES.values() for mount in service.get("volumes", [])]
        assert {mount for mount in mounts if not mount.startswith(".")} == COMPOSE["volumes"].keys()
        networks = {network for service in SERVICES.values() for network in service["networks"]}
        assert networks == COMPOSE["networks"].keys()


class TestSecrets:
    @pytest.mark.parametrize("variable", REQUIRED)
    def test_compose_refuses_to_start_without(self, variable: str, generated: dict[str, str], tmp_path: Path) -> None:
        done = compose_config(generated | {variable: ""}, tmp_path)
        assert done.returncode != 0
        assert f"set {variable}, see deploy/README.md" in done.stderr

    def test_compose_refuses_to_start_without_any_variable(self, tmp_path: Path) -> None:
        assert compose_config({}, tmp_path).returncode != 0

    def test_no_secret_has_a_default(self) -> None:
        defaults = re.findall(r"\$\{(\w+):?-", TEXT)
        assert not [name for name in defaults if SECRET_NAME.search(name)]

    def test_no_secret_is_written_out(self) -> None:
        for name in SERVICES:
            for variable, value in environment_of(name).items():
                if SECRET_NAME.search(variable) and not variable.endswith("_FILE"):
                    assert re.search(r"\$\{\w+:\?", value), f"{name}: {variable}"

    def test_template_names_just_what_is_asked_for_and_holds_no_secret(self) -> None:
        assignments = re.findall(r"^(# )?(\w+)=(.*)$", TEMPLATE.read_text(), re.MULTILINE)
        assert sorted(name for comment, name, _ in assignments if not comment) == REQUIRED
        assert not [value for comment, _, value in assignments if value and not comment]
        optional = {name for comment, name, _ in assignments if comment}
        assert optional == set(re.findall(r"\$\{(\w+):?-", TEXT)) - {"DICOMANON_REVISION"}

    def test_generated_secrets_are_private_distinct_and_of_the_right_kind(self, generated: dict[str, str]) -> None:
        keyring_file = Path(generated["DICOMANON_KEYRING_HOST_FILE"])
        audit_key_file = Path(generated["DICOMANON_AUDIT_KEY_HOST_FILE"])
        SigningKey.load(audit_key_file)
        backup_key_file = Path(generated["DICOMANON_BACKUP_KEY_HOST_FILE"])
        BackupKey.load(backup_key_file)
        for written in (keyring_file, audit_key_file, backup_key_file, keyring_file.with_name(".env")):
            assert stat.S_IMODE(written.stat().st_mode) == 0o600
        assert sorted(generated) == REQUIRED
        assert len(set(generated.values())) == len(generated)
        Fernet(generated["AIRFLOW_FERNET_KEY"])
        public_key = base64.b64decode(generated["DICOMANON_REQUEST_PUBLIC_KEY"], validate=True)
        assert public_key == Keyring.load(keyring_file).request_public_key

    def test_generating_again_overwrites_nothing(self, generated: dict[str, str]) -> None:
        keyring_file = Path(generated["DICOMANON_KEYRING_HOST_FILE"])
        env_file = keyring_file.with_name(".env")
        before = env_file.read_bytes(), keyring_file.read_bytes()
        done = subprocess.run(
            [sys.executable, ROOT / "deploy" / "generate_secrets.py", "--env", env_file, "--keyring", keyring_file],
            capture_output=True,
            check=False,
        )
        assert done.returncode == 1
        assert (env_file.read_bytes(), keyring_file.read_bytes()) == before

    @pytest.mark.parametrize("path", [".env", "deploy/secrets/keyring.json", "deploy/secrets/backup.key"])
    def test_secrets_are_git_ignored(self, path: str) -> None:
        done = subprocess.run(["git", "check-ignore", "--quiet", path], cwd=ROOT, check=False)
        assert done.returncode == 0, f"{path} is not in .gitignore"

    def test_no_password_is_an_argument_of_a_process(self) -> None:
        for service in SERVICES.values():
            given = re.findall(r"\$\{(\w+)", str(service.get("command", "")) + str(service.get("entrypoint", "")))
            assert set(given) <= {"POSTGRES_SHARED_BUFFERS"}


class TestLeastPrivilege:
    def test_only_workers_and_the_migration_hold_the_keyring(self) -> None:
        holders = {name for name, service in SERVICES.items() if "keyring" in service.get("secrets", [])}
        assert holders == {"airflow-worker", "crosswalk-init"}
        told = {name for name in SERVICES if f"{PREFIX}KEYRING_FILE" in environment_of(name)}
        assert told == holders

    def test_only_workers_hold_the_backup_key(self) -> None:
        assert {name for name, service in SERVICES.items() if "backup-key" in service.get("secrets", [])} == {
            "airflow-worker"
        }

    def test_only_the_server_and_what_prepares_it_see_its_archive(self) -> None:
        holders = {name for name, service in SERVICES.items() if "postgres-archive:" in str(service.get("volumes"))}
        assert holders == {"postgres", "postgres-archive-init"}

    def test_workers_log_in_to_the_crosswalk_as_the_pipeline_and_the_migration_alone_as_its_owner(self) -> None:
        for variable, expected in (
            ("CROSSWALK_DB_PASSWORD", {"postgres", "crosswalk-init"}),
            ("CROSSWALK_PIPELINE_PASSWORD", {"postgres", "airflow-worker"}),
            ("CROSSWALK_GATEWAY_PASSWORD", {"postgres", "gateway"}),
            ("CROSSWALK_PAGES_PASSWORD", {"postgres", "airflow-apiserver"}),
        ):
            assert {name for name in SERVICES if variable in str(environment_of(name))} == expected

    def test_api_server_can_seal_and_not_open(self) -> None:
        told = {name for name in environment_of("airflow-apiserver") if name.startswith(PREFIX)}
        shared = {name for name in COMPOSE["x-airflow-environment"] if name.startswith(PREFIX)}
        of_pages = {f"{PREFIX}{name}" for name in ("DATA_DOCS_DIR", "RELEASE_DIR", "PAGES_DSN", "GATEWAY__URL")}
        assert told - shared == {f"{PREFIX}REQUEST_PUBLIC_KEY"} | of_pages
        assert SERVICES["airflow-apiserver"]["secrets"] == ["postgres-ca"]

    def test_the_gateway_holds_no_key_and_its_settings_are_understood(
        self, generated: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert SERVICES["gateway"]["secrets"] == ["postgres-ca"]
        for name, value in environment_of("gateway").items():
            default = re.sub(r"\$\{\w+:-(.*?)\}", r"\1", value)
            monkeypatch.setenv(name, re.sub(r"\$\{(\w+):\?[^}]*\}", lambda found: generated[found[1]], default))
        settings = GatewaySettings.load()
        assert settings.gateway.behind_tls
        assert settings.research.url == "http://orthanc-research:8042/dicom-web"

    @pytest.mark.parametrize("service", ["airflow-scheduler", "airflow-dag-processor", "airflow-triggerer"])
    def test_other_airflow_services_know_nothing_of_pacs_or_crosswalk(self, service: str) -> None:
        assert environment_of(service) == COMPOSE["x-airflow-environment"]

    @pytest.mark.parametrize(("side", "readers"), [("clinical", set()), ("research", {"gateway"})])
    def test_each_pacs_shares_its_login_and_network_with_the_workers_and_the_research_pacs_with_the_gateway(
        self, side: str, readers: set[str]
    ) -> None:
        members = {"airflow-worker", f"orthanc-{side}"} | readers
        assert {name for name, service in SERVICES.items() if side in service["networks"]} == members
        password = f"{PREFIX}{side.upper()}__PASSWORD"
        assert {name for name in SERVICES if password in str(environment_of(name))} == members

    def test_databases_and_queue_are_reached_from_the_inner_network_alone(self) -> None:
        assert COMPOSE["networks"]["backend"]["internal"] is True
        for name in ("postgres", "redis"):
            assert SERVICES[name]["networks"] == ["backend"]
            assert "ports" not in SERVICES[name]

    def test_ports_are_on_loopback_unless_a_site_says_otherwise(self) -> None:
        published = [port for service in SERVICES.values() for port in service.get("ports", [])]
        assert published
        for port in published:
            assert re.match(r"\$\{\w+_BIND_ADDRESS:-127\.0\.0\.1\}:", port), port

    def test_data_docs_are_read_only_where_they_are_shown(self) -> None:
        mounts = {name: str(service.get("volumes")) for name, service in SERVICES.items()}
        assert "data-docs:/var/lib/dicomanon/data-docs:ro" in mounts["airflow-apiserver"]
        assert "releases:/var/lib/dicomanon/releases:ro" in mounts["airflow-apiserver"]
        assert {name for name, text in mounts.items() if "staging:" in text} == {"airflow-worker"}

    @pytest.mark.parametrize("service", sorted(SERVICES))
    def test_no_process_gains_privileges(self, service: str) -> None:
        assert "no-new-privileges:true" in SERVICES[service]["security_opt"]
        assert "privileged" not in SERVICES[service]

    def test_image_ends_as_an_ordinary_user(self) -> None:
        assert re.findall(r"^USER (\S+)", DOCKERFILE.read_text(), re.MULTILINE)[-1] == "airflow"


class TestLineage:
    """Marquez is there for who wants it, and sees no more than events."""

    MEMBERS: ClassVar = {"marquez-api", "marquez-db", "marquez-web"}

    def test_is_started_only_by_its_profile(self) -> None:
        assert {name for name, service in SERVICES.items() if "profiles" in service} == self.MEMBERS
        assert all(SERVICES[name]["profiles"] == ["lineage"] for name in self.MEMBERS)

    def test_shares_a_network_with_the_workers_alone_and_reaches_nothing_of_ours(self) -> None:
        assert COMPOSE["networks"]["lineage"]["internal"] is True
        members = {name for name, service in SERVICES.items() if "lineage" in service["networks"]}
        assert members == self.MEMBERS | {"airflow-worker"}
        assert {network for name in self.MEMBERS for network in SERVICES[name]["networks"]} == {"lineage", "frontend"}
        assert SERVICES["marquez-web"]["networks"] == ["lineage", "frontend"]

    def test_holds_its_own_password_and_no_secret_of_ours(self) -> None:
        for name in self.MEMBERS:
            asked = set(re.findall(r"\$\{(\w+):\?", str(SERVICES[name])))
            assert asked <= {"MARQUEZ_DB_PASSWORD"}
            assert "secrets" not in SERVICES[name]

    def test_events_are_sent_where_it_listens(self) -> None:
        told = environment_of("airflow-worker")
        assert told["DICOMANON_OPENLINEAGE__URL"].endswith(":-http://marquez-api:5000}")
        assert environment_of("marquez-api")["MARQUEZ_PORT"] == environment_of("marquez-web")["MARQUEZ_PORT"] == "5000"
        assert told["DICOMANON_OPENLINEAGE__TRANSPORT"].endswith(":-file}"), "nothing waits for a profile that is off"

    def test_events_that_wait_in_files_survive_the_container(self) -> None:
        folder = environment_of("airflow-worker")["DICOMANON_OPENLINEAGE__FOLDER"]
        assert f"openlineage:{folder}" in SERVICES["airflow-worker"]["volumes"]
        assert folder in DOCKERFILE.read_text()


class TestSettings:
    """The names in the compose file are those that the code reads."""

    @staticmethod
    def variables(model: type[BaseModel], prefix: str, *, required: bool) -> Iterator[str]:
        for name, field in model.model_fields.items():
            variable = f"{prefix}{name.upper()}"
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
                yield from TestSettings.variables(field.annotation, f"{variable}__", required=required)
            elif field.is_required() or not required:
                yield variable

    def test_workers_get_every_required_setting_and_no_unknown_one(self) -> None:
        shared = COMPOSE["x-airflow-environment"].keys()
        given = {name for name in environment_of("airflow-worker") if name.startswith(PREFIX)} - shared
        models = (Settings, AuditSettings, BackupSettings)
        needed, known = (
            {name for model in models for name in self.variables(model, PREFIX, required=required)}
            for required in (True, False)
        )
        assert needed <= given <= known

    def test_shared_variables_are_those_that_dag_files_read(self) -> None:
        shared = {name for name in COMPOSE["x-airflow-environment"] if name.startswith(PREFIX)}
        parsed = [*(ROOT / "dags").glob("*.py"), ROOT / "include" / "dicomanon" / "dag_policy.py"]
        assert shared == {name for path in parsed for name in re.findall(rf"{PREFIX}\w+", path.read_text())}

    def test_init_gets_the_first_password_of_every_login(self) -> None:
        given = environment_of("airflow-init").keys() - COMPOSE["x-airflow-environment"].keys()
        assert given == {login.password_variable for login in LOGINS}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A PostgreSQL server of its own: the script gives its roles and databases fixed names."""
    server = start_postgres(tmp_path_factory.mktemp("production-postgres"), free_port())
    # As the image does: in the order in which the files are mounted.
    mounts = [volume.split(":")[:2] for volume in SERVICES["postgres"]["volumes"] if "initdb.d" in volume]
    assert sorted(mounts, key=lambda mount: mount[1]) == mounts
    assert [(ROOT / source).resolve() for source, _ in mounts] == [ROLES_SQL, INIT_SCRIPT]
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute(ROLES_SQL.read_bytes())
    yield server
    server.stop()


class TestDatabases:
    """The script that the PostgreSQL image runs on its first start, run on a real server."""

    @staticmethod
    def initialise(server: PostgresServer, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", INIT_SCRIPT],
            env={
                "PATH": f"{BINARIES}:{os.environ['PATH']}", "PGHOST": "127.0.0.1", "PGPORT": str(server.port),
                "PGPASSWORD": server.password, "POSTGRES_USER": "postgres",
            }
            | environment,
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip

    def test_nothing_is_made_without_passwords(self, server: PostgresServer) -> None:
        done = self.initialise(server, {"AIRFLOW_DB_PASSWORD": "a1"})
        assert done.returncode != 0
        assert "CROSSWALK_DB_PASSWORD is not set" in done.stderr
        with psycopg.connect(server.dsn()) as connection:
            assert not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = 'airflow'").fetchone()

    def test_each_role_owns_its_database_and_cannot_enter_the_others(
        self, server: PostgresServer, generated: dict[str, str]
    ) -> None:
        done = self.initialise(server, generated)
        assert done.returncode == 0, done.stderr
        passwords = {
            "airflow": generated["AIRFLOW_DB_PASSWORD"],
            "crosswalk": generated["CROSSWALK_DB_PASSWORD"],
        }
        pipeline = server.dsn("crosswalk", user="pipeline", password=generated["CROSSWALK_PIPELINE_PASSWORD"])
        with psycopg.connect(pipeline) as connection:
            for statement in ("CREATE SCHEMA own", "SET ROLE crosswalk", "SET ROLE dicomanon_admin"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                    connection.execute(statement)
            for role in ("dicomanon_ingest", "dicomanon_cohort", "dicomanon_removal", "dicomanon_auditor"):
                connection.execute(f"SET ROLE {role}")
        gateway = server.dsn("crosswalk", user="gateway", password=generated["CROSSWALK_GATEWAY_PASSWORD"])
        with psycopg.connect(gateway) as connection:
            for statement in ("SET ROLE dicomanon_ingest", "SET ROLE dicomanon_researcher", "SET ROLE pipeline"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                    connection.execute(statement)
            connection.execute("SET ROLE dicomanon_gateway")
        pages = server.dsn("crosswalk", user="pages", password=generated["CROSSWALK_PAGES_PASSWORD"])
        with psycopg.connect(pages) as connection:
            for statement in ("SET ROLE dicomanon_gateway", "SET ROLE dicomanon_researcher", "SET ROLE pipeline"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                    connection.execute(statement)
            connection.execute("SET ROLE dicomanon_pages")
        for role, password in passwords.items():
            with psycopg.connect(server.dsn(role, user=role, password=password)) as connection:
                connection.execute("CREATE SCHEMA own")
                powers = connection.execute(
                    "SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls"
                    " FROM pg_roles WHERE rolname = current_user"
                ).fetchone()
                assert powers == (False,)
            for other in ({"airflow", "crosswalk"} - {role}) | {"postgres", "template1"}:
                with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
                    psycopg.connect(server.dsn(other, user=role, password=password))

    def test_migration_needs_only_what_its_service_is_given(self, empty_dsn: str, generated: dict[str, str]) -> None:
        given = environment_of("crosswalk-init").keys()
        values = {
            "DICOMANON_CROSSWALK_DSN": empty_dsn,
            "DICOMANON_KEYRING_FILE": generated["DICOMANON_KEYRING_HOST_FILE"],
        }
        assert given == values.keys()
        command = SERVICES["crosswalk-init"]["entrypoint"][2:]
        for _ in range(2):
            done = subprocess.run(
                [Path(sys.executable).with_name(command[0]), *command[1:]],
                env={"PATH": os.environ["PATH"]} | values,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
        with psycopg.connect(empty_dsn) as connection:
            assert connection.execute("SELECT count(*) FROM crosswalk.patient").fetchone() == (0,)


class TestQueue:
    def test_redis_starts_with_its_password_hidden_from_the_process_list(self, tmp_path: Path) -> None:
        shell, flag, script = SERVICES["redis"]["command"]
        port = free_port()
        script = script.replace("$$", "$").replace("redis-server -", f"redis-server - --port {port} --bind 127.0.0.1")
        health = SERVICES["redis"]["healthcheck"]["test"][1].replace("$$", "$")
        health = health.replace("redis-cli", f"redis-cli -p {port}")
        environment = {"PATH": os.environ["PATH"], "REDIS_PASSWORD": "wordless1"}
        with subprocess.Popen(
            [shell, flag, script], env=environment, cwd=tmp_path, stdout=subprocess.DEVNULL
        ) as server:
            try:
                wait = f"for _ in $(seq 50); do {health} && exit 0; sleep 0.1; done; exit 1"
                assert subprocess.run(["sh", "-c", wait], env=environment, check=False).returncode == 0
                arguments = Path(f"/proc/{server.pid}/cmdline").read_bytes()
                assert b"redis-server" in arguments
                assert b"wordless1" not in arguments
                wrong = subprocess.run(["sh", "-c", health], env=environment | {"REDIS_PASSWORD": "other"}, check=False)
                assert wrong.returncode != 0
            finally:
                server.terminate()
