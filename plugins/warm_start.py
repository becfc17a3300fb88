"""Imports what tasks need into the long-lived process that forks them, once instead of once a task.

Great Expectations alone costs several seconds of import; a forked task inherits the modules and shares their memory.
Airflow loads its plugins before LocalExecutor forks its workers, and in every other process too, so that only the one
whose environment says so pays for it.
"""

import os

if os.environ.get("DICOMANON_WARM_START") == "1":
    import dicomanon.pipeline.ingest  # noqa: F401 - for its side effect: what it imports
    from dicomanon.validate.checkpoint import warm_up

    warm_up()
