"""What DAGs wait for from each other."""

from airflow.sdk import Asset

RESEARCH_STUDIES = Asset(name="research_studies", uri="x-dicomanon://research/studies", group="dicomanon")
"""Updated by each run of ``ingest_studies`` that balances; says that there may be more, and not what."""
