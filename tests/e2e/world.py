"""What an end-to-end test does to the stack and sees of it, as a user would."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from dicomanon.crosswalk.roles.role import Role
from dicomanon.crosswalk.rows import StudyBalance
from dicomanon.local_stack import airflow
from dicomanon.local_stack.config import StackConfig
from dicomanon.local_stack.dag_runs import DagRuns
from dicomanon.local_stack.postgres import BINARIES
from dicomanon.pipeline.load import load_folder
from dicomanon.pipeline.runtime import open_runtime

INGEST = "ingest_studies"


@dataclass(frozen=True)
class World:
    config: StackConfig
    folder: Path

    def load(self, folder: Path) -> None:
        counts = load_folder(folder)
        assert counts["refused"] == counts["unreadable"] == 0, counts

    def start_ingest(self) -> str:
        with airflow.client(self.config, "engineer") as api:
            runs = DagRuns(api)
            runs.wait_until_known(INGEST)
            return runs.trigger(INGEST, {"quiet_minutes": 0})

    def finish(self, run_id: str, dag_id: str = INGEST, seconds: float = 240) -> str:
        with airflow.client(self.config, "engineer") as api:
            return DagRuns(api).wait(dag_id, run_id, seconds=seconds)

    def ingest(self) -> str:
        return self.finish(self.start_ingest())

    def accounts(self) -> dict[str, StudyBalance]:
        """Every study's account, by its UID in the clinical PACS."""
        with open_runtime(Role.INGEST) as runtime:
            return {account.study_uid.reveal(): account for account in runtime.crosswalk.ledger.balance()}

    def research(self) -> dict[str, set[str]]:
        """What the research PACS shows: SOP Instance UIDs by study."""
        with open_runtime(Role.INGEST) as runtime:
            studies = [str(a.research_study_uid) for a in runtime.crosswalk.ledger.balance() if a.research_study_uid]
            return {study: runtime.research.stored_instances(study) for study in studies}

    def dump(self, database: str, into: Path) -> Path:
        """Dump a database as plain SQL: what a thief of it would read."""
        passwords, target = self.config.passwords, into / f"{database}.sql"
        as_whom, password = {
            "airflow": (["-U", "airflow"], passwords.airflow_database),
            "crosswalk": (["-U", "operator", "--role", Role.BACKUP.group], passwords.crosswalk_operator),
        }[database]
        subprocess.run(
            [BINARIES / "pg_dump", "-h", "127.0.0.1", "-p", str(self.config.ports.postgres), *as_whom,
             "-f", target, database],
            env={"PGPASSWORD": password}, check=True,
        )  # fmt: skip
        return target


@dataclass(frozen=True)
class Snapshot:
    """What must not change once it is right: states, identifiers and digests of every stored instance."""

    accounts: dict[str, StudyBalance]
    research: dict[str, set[str]]
    digests: dict[str, tuple[str, str]]

    @property
    def pseudonyms(self) -> dict[str, str]:
        """The pseudonym of each study's patient, by the study's UID in the clinical PACS."""
        return {uid: str(account.pseudonym) for uid, account in self.accounts.items()}


def snapshot(world: World) -> Snapshot:
    research = world.research()
    digests = {}
    with open_runtime(Role.AUDITOR) as runtime:
        for uids in research.values():
            for uid in uids:
                found = runtime.crosswalk.lineage.trace(uid)
                assert found is not None, "an object in the research PACS has no row in the crosswalk"
                (instance,) = found.instances()
                digests[uid] = (instance.input_digest, instance.output_digest)
    return Snapshot(world.accounts(), research, digests)
