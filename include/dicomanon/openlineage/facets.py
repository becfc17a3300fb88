"""Our own run facets; their JSON schemas are in ``schemas/``, and their URLs say which one holds."""

import attr
from openlineage.client.generated.base import RunFacet

from dicomanon import __version__

PRODUCER = f"urn:dicomanon:{__version__}"
SCHEMAS = "urn:dicomanon:openlineage:1-0-0"
"""Version of the facets' form; a change that old readers cannot read raises the first number."""


def _schema_url(name: str) -> str:
    return f"{SCHEMAS}:{name}.json#/$defs/{name}"


@attr.define
class TaskRunFacet(RunFacet):
    """Which Airflow task instance and try it was, and where it ran."""

    dagId: str
    taskId: str
    mapIndex: int
    tryNumber: int
    worker: str
    dagRunId: str | None = None

    @staticmethod
    def _get_schema() -> str:
        return _schema_url("TaskRunFacet")


@attr.define
class VersionsRunFacet(RunFacet):
    """Which rules and which code made the objects of the batch."""

    codeVersions: list[str]
    profileVersions: list[str]

    @staticmethod
    def _get_schema() -> str:
        return _schema_url("VersionsRunFacet")


@attr.define
class CountsRunFacet(RunFacet):
    """What a task counted."""

    counts: dict[str, int]

    @staticmethod
    def _get_schema() -> str:
        return _schema_url("CountsRunFacet")


@attr.define
class BatchRunFacet(RunFacet):
    """Which batch a task worked on, and where its instances are now."""

    batchId: int
    number: int
    instances: int
    studies: int
    states: dict[str, int]

    @staticmethod
    def _get_schema() -> str:
        return _schema_url("BatchRunFacet")


@attr.define
class VerdictsRunFacet(RunFacet):
    """What validation said of the batch's objects: how many passed, and findings by rule."""

    passed: int
    failed: int
    findings: dict[str, int]

    @staticmethod
    def _get_schema() -> str:
        return _schema_url("VerdictsRunFacet")
