"""Who may open our pages: the one place that touches Airflow's own (not promised) security dependencies."""

from typing import Annotated, Any

from fastapi import Depends

EVIDENCE_DAG_ID = "ingest_studies"
"""Validation evidence is for those who may read the runs of this DAG; a researcher may not."""


def evidence_access() -> Any:
    """Return the FastAPI dependency that lets in who may read runs of the ingest DAG: else 401 or 403."""
    from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
    from airflow.api_fastapi.core_api.security import requires_access_dag

    return requires_access_dag("GET", DagAccessEntity.RUN, EVIDENCE_DAG_ID)


def login() -> Any:
    """Return the FastAPI dependency that lets in everybody with a login: else 401."""
    from airflow.api_fastapi.core_api.security import get_user

    return get_user


def login_name() -> Any:
    """Return the FastAPI dependency that gives the name of whoever is logged in, as runs have it: else 401."""

    def name(user: Annotated[Any, Depends(login())]) -> str:
        return str(user.get_name())

    return name
