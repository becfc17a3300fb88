"""The roles that work is done under; a role of this package is a group role of the PostgreSQL server."""

from enum import StrEnum


class Role(StrEnum):
    """Whom the database takes a session for; ``grants.toml`` says what each may do."""

    INGEST = "ingest"
    """Tasks of ``ingest_studies``, and ``dicomanon deidentify``."""
    COHORT = "cohort"
    """Tasks of ``cohort_extraction``: functions that return pseudonyms, and no table."""
    REMOVAL = "removal"
    """Tasks of ``withdraw_patient`` and ``recall_release``, and ``dicomanon removal run``: asks, carries out what
    somebody stands for, and approves nothing."""
    REVIEWER = "reviewer"
    """People who look at what is held and confirm devices."""
    AUDITOR = "auditor"
    """People who follow who did what, without a source value in reach."""
    ADMIN = "admin"
    """People who publish and approve rules, re-identify, ask for and approve removals, and name the members of
    projects."""
    BACKUP = "backup"
    """Programs that copy everything as it is, sealed, and change nothing."""
    RESEARCHER = "researcher"
    """People with a login of their own who read the schema ``research``."""
    GATEWAY = "gateway"
    """``dicomanon gateway``: functions that take the digest of a token, and no table."""
    PAGES = "pages"
    """The pages of Airflow's api-server: functions that take the login of Airflow that asks, and no table."""

    @property
    def group(self) -> str:
        """Return the name of the group role on the server."""
        return f"dicomanon_{self.value}"
