"""``make demo``: the whole job on synthetic studies, and what came of it, on one screen."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from dicomanon.crosswalk.roles.role import Role
from dicomanon.crosswalk.rows import StudyBalance
from dicomanon.local_stack import airflow, stack
from dicomanon.local_stack.config import StackConfig
from dicomanon.local_stack.dag_runs import FINISHED, DagRuns
from dicomanon.local_stack.demo_project import REQUESTER, declare_demo_project
from dicomanon.pipeline.load import load_folder
from dicomanon.pipeline.outline import outline
from dicomanon.pipeline.runtime import open_runtime
from dicomanon.sample.corpus import write_sample

DAG = "ingest_studies"


def run(console: Console) -> bool:
    """Start the stack, load the sample, ingest it, and show the result; tell whether everything balances."""
    console.print("[bold]Starting the local stack[/bold]")
    config = stack.up(lambda what: console.print(f"  {what}"))
    stack.use_local_stack()
    with open_runtime(Role.ADMIN) as runtime:
        project = declare_demo_project(runtime.crosswalk)
    green = True
    before = len(accounts())
    with airflow.client(config, "engineer") as api:
        runs = DagRuns(api)
        runs.wait_until_known(DAG)
        # The second wave are the late instances of studies that the first run has already stored.
        for wave in (1, 2) if not before else (2,):
            console.print(
                f"[bold]Loading synthetic studies with planted PHI into the clinical PACS (wave {wave})[/bold]"
            )
            loaded = _load(wave)
            console.print(f"  {loaded['stored']} instances accepted")
            settled = _settled(accounts())
            run_id = runs.trigger(DAG, {"quiet_minutes": 0})
            state = follow(console, runs, DAG, run_id)
            fresh = _settled(accounts()) - settled
            console.print(f"  {DAG} is {state}: " + (f"{fresh} instances are new" if fresh else "nothing new to do"))
            green &= state == "success"
    final = accounts()
    console.print(balance_table(final))
    _show_one_trace(console, final)
    show_access(console, config)
    console.print(f"The login {REQUESTER} may ask for cohorts of the project [bold]{project}[/bold].")
    return green and all(account.balanced for account in final)


def accounts() -> list[StudyBalance]:
    """Return the account of every study in the crosswalk."""
    with open_runtime(Role.INGEST) as runtime:
        return runtime.crosswalk.ledger.balance()


def follow(console: Console, runs: DagRuns, dag_id: str, run_id: str) -> str:
    """Show a progress bar until the run has ended; return its state."""
    columns = (
        TextColumn("  {task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("tasks"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bar:
        line = bar.add_task(dag_id, total=None)
        for progress in runs.follow(dag_id, run_id):
            at_work = ", ".join(name.split(".")[-1] for name in progress.running)
            bar.update(line, description=f"{dag_id} {at_work}".ljust(44), completed=progress.done, total=progress.total)
            if progress.state in FINISHED:
                return progress.state
    raise AssertionError("a run is followed until it has ended")


def balance_table(studies: Sequence[StudyBalance]) -> Table:
    """Return one line a study: research identifiers, counts and reasons."""
    table = Table(title="Studies", title_justify="left", title_style="bold", box=None)
    for name in ("pseudonym", "study (research UID)"):
        table.add_column(name, no_wrap=True)
    table.add_column("modality", overflow="fold")
    for name in ("found", "stored", "held"):
        table.add_column(name, justify="right")
    table.add_column("why held", overflow="fold")
    table.add_column("verdict")
    for study in studies:
        held = sum(study.held.values())
        table.add_row(
            str(study.pseudonym or "-"),
            str(study.research_study_uid or "-"),
            "/".join(study.modalities) or "-",
            str(study.observed),
            str(study.stored),
            str(held),
            ", ".join(f"{count} {reason}" for reason, count in sorted(study.held.items())),
            "balanced" if study.balanced else "NOT BALANCED",
        )
    return table


def show_access(console: Console, config: StackConfig) -> None:
    """Print where everything is and how to get in."""
    table = Table(title="Where things are", title_justify="left", title_style="bold", box=None)
    for name in ("what", "address", "login", "password"):
        table.add_column(name, overflow="fold")
    passwords = config.passwords
    table.add_row("Airflow, data engineer", config.airflow_url, "engineer", passwords.engineer)
    table.add_row("Airflow, researcher", config.airflow_url, "researcher", passwords.researcher)
    table.add_row("Airflow, admin", config.airflow_url, "admin", passwords.admin)
    table.add_row("clinical PACS (PHI)", config.clinical_url, "pipeline", passwords.clinical_pacs)
    table.add_row("research PACS", config.research_url, "pipeline", passwords.research_pacs)
    console.print(table)
    console.print(f"All of this is in {StackConfig.path()}. `make down` stops the stack, `make clean` forgets it.")


def _load(wave: int) -> dict[str, int]:
    # A folder of our own, gone at once: it stands for the modality, and its files hold planted PHI.
    with tempfile.TemporaryDirectory() as folder:
        write_sample(Path(folder), wave=wave)
        return load_folder(Path(folder))


def _settled(studies: Sequence[StudyBalance]) -> int:
    return sum(study.stored + sum(study.held.values()) + study.filtered for study in studies)


def _show_one_trace(console: Console, studies: Sequence[StudyBalance]) -> None:
    stored = [study.research_study_uid for study in studies if study.stored and study.research_study_uid]
    if not stored:
        return
    with open_runtime(Role.AUDITOR) as runtime:
        sop_uid = sorted(runtime.research.stored_instances(str(stored[0])))[0]
        found = runtime.crosswalk.lineage.trace(sop_uid)
    if found is not None:
        console.print("[bold]Trace of one object[/bold]")
        for line in outline(found):
            console.print(f"  {line}", markup=False)
