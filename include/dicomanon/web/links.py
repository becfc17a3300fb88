"""Links from Airflow's own pages to ours."""

from typing import Any, Final
from urllib.parse import quote, urlsplit

from airflow.configuration import conf
from airflow.sdk import BaseOperatorLink

from dicomanon.cohort.parameters import COHORT_DAG_ID

URL_PREFIX: Final = "/dicomanon"
VALIDATE_TASK: Final = "validate"
SUMMARY_TASK: Final = "summarise"


def base_url() -> str:
    """Return where our pages are, seen from the browser: below the path of ``[api] base_url``."""
    return urlsplit(str(conf.get("api", "base_url", fallback=""))).path.rstrip("/") + URL_PREFIX


class DataDocsLink(BaseOperatorLink):  # type: ignore[misc]  # the type checker does not follow Airflow
    """The button on each ``validate`` task that opens the run's validation reports."""

    @property
    def name(self) -> str:
        """Label of the button."""
        return "Data Docs"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the run's page for a ``validate`` task, nothing for others: the api-server asks for every task."""
        if ti_key.task_id.rpartition(".")[2] != VALIDATE_TASK:
            return ""
        return f"{base_url()}/runs/{quote(ti_key.run_id, safe='')}"


def release_address(run_id: str) -> str:
    """Return where people find the release of a run of ``cohort_extraction``."""
    root = str(conf.get("api", "base_url", fallback="")).rstrip("/")
    return f"{root}{URL_PREFIX}/releases/of-run/{quote(run_id, safe='')}"


class ReleaseLink(BaseOperatorLink):  # type: ignore[misc]  # the type checker does not follow Airflow
    """The button on the last task of a cohort request that opens what it released."""

    @property
    def name(self) -> str:
        """Label of the button."""
        return "Release"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the page of the run's release for the task that sums a request up, nothing for others."""
        if (ti_key.dag_id, ti_key.task_id) != (COHORT_DAG_ID, SUMMARY_TASK):
            return ""
        return urlsplit(release_address(ti_key.run_id)).path


def external_views() -> list[dict[str, str]]:
    """Return the pages that Airflow shows in its own frame: all reports, those of a run, and the releases."""
    base = base_url()
    return [
        {
            "name": "Validation reports",
            "href": f"{base}/",
            "destination": "nav",
            "category": "browse",
            "url_route": "dicomanon-reports",
        },
        {
            "name": "Releases",
            "href": f"{base}/releases",
            "destination": "nav",
            "category": "browse",
            "url_route": "dicomanon-releases",
        },
        {
            "name": "Validation",
            "href": f"{base}/runs/{{RUN_ID}}",
            "destination": "dag_run",
            "url_route": "dicomanon-validation",
        },
    ]
