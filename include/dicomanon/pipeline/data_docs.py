"""Where the Data Docs of a run and of its batches lie below the site's Data Docs folder."""

import re

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


def run_folder(run_id: str) -> str:
    """Return the folder name of an Airflow run: its id, with ``_`` for what a path or a URL would change."""
    name = _UNSAFE.sub("_", run_id)
    return name if name.strip(".") else "_"


def batch_folder(run_id: str, batch_id: int) -> str:
    """Return a batch's folder: run and batch by their ids."""
    return f"{run_folder(run_id)}/batch-{batch_id}"
