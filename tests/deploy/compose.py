"""The production stack as the tests read it."""

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
INIT_SCRIPT = ROOT / "deploy" / "postgres" / "init-databases.sh"
ROLES_SQL = ROOT / "include" / "dicomanon" / "crosswalk" / "roles" / "roles.sql"
COMPOSE_FILE = ROOT / "docker-compose.yaml"

TEXT = COMPOSE_FILE.read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def environment_of(service: str) -> dict[str, str]:
    """Return what a service is told."""
    return SERVICES[service].get("environment", {})
