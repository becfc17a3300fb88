"""What a real api-server of a test is told: SQLite, FAB logins, our plugin and DAGs."""

import base64
import os
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def airflow_environment(home: Path, public_key: bytes) -> dict[str, str]:
    """Return the environment of an api-server, without what this process has of Airflow or of ours."""
    others = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "DICOMANON"))}
    return others | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
        "AIRFLOW__API__SECRET_KEY": "k" * 32,
        "AIRFLOW__API_AUTH__JWT_SECRET": "k" * 64,
        "AIRFLOW_ADMIN_PASSWORD": "a",
        "AIRFLOW_ENGINEER_PASSWORD": "e",
        "AIRFLOW_RESEARCHER_PASSWORD": "r",
        "DICOMANON_REQUEST_PUBLIC_KEY": base64.b64encode(public_key).decode(),
        "DICOMANON_DATA_DOCS_DIR": str(home / "docs"),
    }
