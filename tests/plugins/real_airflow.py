"""Serves requests by a real Airflow api-server in a process of its own: SQLite, FAB logins, our plugin and DAGs.

Reads a list of ``[login, method, path, body]`` as JSON from standard input and writes a list of ``[status, body]``; or,
given a port, listens there until it is killed.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    from dicomanon import airflow_setup

    airflow_setup.main()
    _serialize_dags()
    from airflow.api_fastapi.app import create_app

    if len(sys.argv) > 1:
        import uvicorn

        uvicorn.run(create_app(), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
        return
    from fastapi.testclient import TestClient

    with TestClient(create_app(), raise_server_exceptions=False) as client:
        logins: dict[str | None, dict[str, str]] = {None: {}}
        for login in airflow_setup.LOGINS:
            credentials = {"username": login.username, "password": os.environ[login.password_variable]}
            client.cookies.clear()
            token = client.post("/auth/token", json=credentials).json()["access_token"]
            logins[login.username] = {"Authorization": f"Bearer {token}"}
        client.cookies.clear()
        answers: list[tuple[int, Any]] = []
        for login_name, method, path, body in json.load(sys.stdin):
            answer = client.request(method, path, json=body, headers=logins[login_name])
            answers.append((answer.status_code, answer.text))
    Path(os.environ["ANSWERS"]).write_text(json.dumps(answers))


def _serialize_dags() -> None:
    from airflow.cli import cli_parser

    arguments = cli_parser.get_parser().parse_args(["dags", "reserialize"])
    arguments.func(arguments)


if __name__ == "__main__":
    main()
