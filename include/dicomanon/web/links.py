"""Links from Airflow's own pages to ours."""

from typing import Any, Final
from urllib.parse import quote, urlsplit

from airflow.configuration import conf
from airflow.sdk import BaseOperatorLink

URL_PREFIX: Final = "/dicomanon"
VALIDATE_TASK: Final = "validate"


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


def external_views() -> list[dict[str, str]]:
    """Return the pages that Airflow shows in its own frame: all reports, and those of a run."""
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
            "name": "Validation",
            "href": f"{base}/runs/{{RUN_ID}}",
            "destination": "dag_run",
            "url_route": "dicomanon-validation",
        },
    ]
