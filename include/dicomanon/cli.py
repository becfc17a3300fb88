"""The ``dicomanon`` command: what people type, each verb a few lines over the package.

Exit codes: 0 done; 1 done, but something is held, failed or unbalanced; 2 the command line is wrong; 3 nothing was
done, the message says what to set right; 4 a server did not answer, try again.
"""

import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from dicomanon import __version__
from dicomanon.cli_archives import archives_app
from dicomanon.cli_audit import audit_app
from dicomanon.cli_backup import backup_app, restore
from dicomanon.cli_cohort import cohort_app
from dicomanon.cli_gateway import gateway
from dicomanon.cli_identity import identity_app
from dicomanon.cli_keys import keys_app
from dicomanon.cli_lineage import lineage_app
from dicomanon.cli_pixels import pixels_app
from dicomanon.cli_profile import profile_app
from dicomanon.cli_project import project_app
from dicomanon.cli_reidentify import reidentify_app
from dicomanon.cli_release import release_app
from dicomanon.cli_removal import removal_app
from dicomanon.cli_seal import seal
from dicomanon.cli_site import site_profile_name
from dicomanon.cli_token import token_app
from dicomanon.console import DONE, FATAL, PARTLY, TRY_AGAIN, err, out
from dicomanon.errors import DicomanonError, Retriable

if TYPE_CHECKING:
    from dicomanon.pipeline.folder import FileResult

EXIT_CODES = (
    "Exit codes: 0 done; 1 done, but something is held, failed or unbalanced; 2 the command line is wrong; "
    "3 nothing was done, the message says what to set right; 4 a server did not answer, try again."
)

app = typer.Typer(
    help="Traceable de-identification of medical images, from the clinical PACS to the research PACS.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)
stack_app = typer.Typer(
    help="The local stack: every server on this machine, in one private folder.", no_args_is_help=True
)
crosswalk_app = typer.Typer(help="The crosswalk itself; for admins, and audited.", no_args_is_help=True)
app.add_typer(stack_app, name="stack")
app.add_typer(crosswalk_app, name="crosswalk")
app.add_typer(audit_app, name="audit")
app.add_typer(profile_app, name="profile")
app.add_typer(pixels_app, name="pixels")
app.add_typer(reidentify_app, name="reidentify")
app.add_typer(keys_app, name="keys")
app.add_typer(lineage_app, name="lineage")
app.add_typer(archives_app, name="archives")
app.add_typer(backup_app, name="backup")
app.add_typer(identity_app, name="identity")
app.add_typer(project_app, name="project")
app.add_typer(cohort_app, name="cohort")
app.add_typer(release_app, name="release")
app.add_typer(removal_app, name="removal")
app.add_typer(token_app, name="token")


def main() -> NoReturn:
    """Run the command; errors of ours become one line and an exit code, others keep their text to themselves."""
    from dicomanon.guard import no_values_escape

    os.umask(0o077)
    try:
        with no_values_escape():
            app()
    except DicomanonError as error:
        from dicomanon.local_stack.stack import advice

        # No markup and no wrapping: a message is one line, whatever brackets a path in it has.
        err.print(f"error: {error}{advice(error)}", style="red", markup=False, soft_wrap=True)
        sys.exit(TRY_AGAIN if isinstance(error, Retriable) else FATAL)
    sys.exit(DONE)


def _version(value: bool) -> None:
    if value:
        out.print(f"dicomanon {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    # What starts the stack takes the settings of the shell over; all else takes those that the stack was started with.
    if context.invoked_subcommand not in {"stack", "demo"}:
        from dicomanon.local_stack.stack import use_local_stack

        use_local_stack(as_owner=context.invoked_subcommand in {"migrate", "restore"})


@stack_app.command("up")
def stack_up() -> None:
    """Start every server and wait until all answer."""
    from dicomanon.local_stack import demo, stack

    demo.show_access(out, stack.up(_say))


@stack_app.command("down")
def stack_down() -> None:
    """Stop every server; all data stays."""
    from dicomanon.local_stack import stack

    stack.down(_say)


@stack_app.command("clean")
def stack_clean() -> None:
    """Stop every server and delete all data, the keys included: pseudonyms cannot be traced afterwards."""
    from dicomanon.local_stack import stack

    stack.clean(_say)


@app.command("demo")
def demo_command() -> None:
    """Start the stack, load synthetic studies with planted PHI, run the pipeline, show what came of each study."""
    from dicomanon.local_stack import demo

    balanced = demo.run(out)
    raise typer.Exit(DONE if balanced else PARTLY)


@app.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """Show what the ledger knows: studies, and instances by state; and whether the servers answer."""
    from dicomanon.local_stack.stack import require_site
    from dicomanon.pipeline.overview import overview

    require_site()
    report = overview()
    if as_json:
        out.print_json(json.dumps(report))
        return
    width = max(map(len, report))
    for name, value in report.items():
        out.print(f"{name:<{width}}  {value}", markup=False, soft_wrap=True)


@app.command()
def load(
    folder: Annotated[
        Path, typer.Argument(exists=True, file_okay=False, help="Folder with DICOM files, at any depth.")
    ],
) -> None:
    """Send the DICOM files of a folder to the clinical PACS, as a modality would."""
    from dicomanon.local_stack.stack import require_site
    from dicomanon.pipeline.load import load_folder

    require_site()
    counts = load_folder(folder)
    out.print(", ".join(f"{value} {name}" for name, value in counts.items()))
    raise typer.Exit(PARTLY if counts["refused"] or counts["unreadable"] else DONE)


@app.command()
def trigger(
    dag: Annotated[str, typer.Argument(help="Such as ingest_studies.")],
    conf: Annotated[
        str, typer.Option(help="Parameters as a JSON object; @FILE reads them from a file, - from standard input.")
    ] = "{}",
    wait: Annotated[
        bool, typer.Option("--wait", help="Follow the run to its end; exit code 1 when it is red.")
    ] = False,
    login: Annotated[str, typer.Option(help="Which of the stack's Airflow logins to use.")] = "engineer",
) -> None:
    """Start a DAG run through Airflow's REST API."""
    from dicomanon.cohort.parameters import RESERVED_NAMES
    from dicomanon.local_stack import airflow, demo
    from dicomanon.local_stack.config import StackConfig
    from dicomanon.local_stack.dag_runs import DagRuns
    from dicomanon.local_stack.run_ending import ending

    try:
        parameters = json.loads(_text_of(conf))
    except json.JSONDecodeError as error:
        raise typer.BadParameter(f"not JSON (at character {error.pos})", param_hint="--conf") from None
    if not isinstance(parameters, dict):
        raise typer.BadParameter('a JSON object is needed, such as {"quiet_minutes": 0}', param_hint="--conf")
    if conf[:1] not in {"@", "-"} and RESERVED_NAMES & parameters.keys():
        # What is typed here is in the shell's history and in the list of processes, for everybody to read.
        raise typer.BadParameter(
            "identifiers go into a file or come from standard input: @FILE or -", param_hint="--conf"
        )
    config = StackConfig.load()
    with airflow.client(config, login) as api:
        runs = DagRuns(api)
        run_id = runs.trigger(dag, parameters)
        out.print(f"{dag} {run_id}")
        if wait:
            state = demo.follow(err, runs, dag, run_id)
            out.print(state)
            for line in ending(config, runs, dag, run_id, state, str(parameters.get("project", ""))):
                out.print(line, markup=False, soft_wrap=True)
            raise typer.Exit(DONE if state == "success" else PARTLY)


@app.command()
def trace(
    identifier: Annotated[
        str,
        typer.Argument(
            help="Research SOP, series or study UID, a pseudonym (a project's own ones too), a release (PROJECT/0001),"
            " a batch or DAG run."
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    graph: Annotated[Path | None, typer.Option(dir_okay=False, help="Draw it as well: an SVG file to write.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most instances that are shown; all are counted.")] = 1000,
    full: Annotated[bool, typer.Option("--full", help="Show every instance, however many.")] = False,
) -> None:
    """Tell where a research object came from and where it went; research identifiers only."""
    from dicomanon.crosswalk.roles.role import Role
    from dicomanon.local_stack.stack import require_site
    from dicomanon.pipeline.outline import outline
    from dicomanon.pipeline.runtime import open_runtime
    from dicomanon.pipeline.trace_graph import write_graph

    require_site()
    with open_runtime(Role.AUDITOR) as runtime:
        found = runtime.crosswalk.lineage.trace(identifier, None if full else limit)
    if found is None:
        err.print("nothing in the crosswalk has this research identifier", style="red")
        raise typer.Exit(PARTLY)
    if graph is not None:
        write_graph(found, graph)
    if as_json:
        out.print_json(found.to_json())
    else:
        for line in outline(found):
            out.print(line, markup=False, soft_wrap=True)


@app.command()
def deidentify(
    source: Annotated[
        Path, typer.Argument(exists=True, file_okay=False, help="Folder with DICOM files, at any depth.")
    ],
    destination: Annotated[Path, typer.Argument(file_okay=False, help="New or empty folder for the results.")],
    profile: Annotated[
        str | None, typer.Option(help="Shipped name, NAME@HASH of a published one, or file; else the one in force.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes at work.")] = os.cpu_count() or 1,
    uid_map: Annotated[
        Path | None, typer.Option(help="Write id_old,id_new of every UID here. PHI: keep it safe.")
    ] = None,
    patient_map: Annotated[Path | None, typer.Option(help="Write id_old,id_new of every patient here. PHI.")] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write what became of each file here, as JSON. PHI: it has their names.")
    ] = None,
) -> None:
    """De-identify a folder with the same engine, checks and pseudonyms as the pipeline."""
    from rich.progress import Progress

    from dicomanon.local_stack.stack import local_crosswalk
    from dicomanon.pipeline.folder import deidentify_folder, require_possible

    # Before a crosswalk is started, so that a refusal leaves nothing behind.
    chosen = profile or site_profile_name()
    require_possible(source, destination, chosen, [uid_map, patient_map, report])
    reasons: Counter[str] = Counter()
    with local_crosswalk(), Progress(console=err, disable=not err.is_terminal) as bar:
        line = bar.add_task("files", total=None)

        def note(total: int, results: Sequence["FileResult"]) -> None:
            reasons.update(result.reason for result in results if result.reason)
            bar.update(line, total=total, advance=len(results))

        counts = deidentify_folder(
            source,
            destination,
            profile=chosen,
            jobs=jobs,
            uid_map=uid_map,
            patient_map=patient_map,
            report=report,
            note=note,
        )
    done = ", ".join(f"{value} {name}" for name, value in counts.items())
    out.print(f"{done}; profile {chosen}", markup=False, soft_wrap=True)
    for reason, count in sorted(reasons.items()):
        out.print(f"  {count} {reason}", markup=False)
    if reasons:
        err.print(
            "docs/runbook.md says what to do about each reason" + ("" if report else "; --report names the files")
        )
    raise typer.Exit(DONE if counts["written"] == counts["files"] else PARTLY)


@app.command()
def migrate() -> None:
    """Bring the crosswalk's schema up to date; safe to run again, and by two processes at once."""
    from dicomanon.crosswalk.database import Crosswalk
    from dicomanon.crosswalk.keys.opening import load_keyring
    from dicomanon.local_stack.stack import require_site
    from dicomanon.settings import CrosswalkSettings

    require_site()
    settings = CrosswalkSettings.load()
    with Crosswalk(settings.crosswalk_dsn.get_secret_value(), load_keyring(settings)) as crosswalk:
        crosswalk.migrate()
    out.print("the crosswalk is up to date")


@crosswalk_app.command("roles")
def crosswalk_roles() -> None:
    """Print the SQL that creates the crosswalk's roles, for an administrator of the database server to run."""
    from dicomanon.crosswalk.roles.granting import roles_sql

    out.print(roles_sql(), markup=False, soft_wrap=True, highlight=False, end="")


@crosswalk_app.command("export")
def crosswalk_export(
    uid_map: Annotated[Path, typer.Option(help="Where to write id_old,id_new of every study, series and SOP UID.")],
    patient_map: Annotated[Path, typer.Option(help="Where to write id_old,id_new of every patient.")],
    reason: Annotated[str, typer.Option(help="Why; kept in the audit trail.")],
    login: Annotated[str, typer.Option(help="Your Airflow login; it must have the role Admin.")] = "admin",
) -> None:
    """Write the whole crosswalk as two CSV files. Re-identifies everybody: admins only, audited."""
    from dicomanon.local_stack import airflow
    from dicomanon.local_stack.config import StackConfig
    from dicomanon.pipeline.export import export_maps

    airflow.require_admin(StackConfig.load(), login)
    counts = export_maps(uid_map, patient_map, actor=login, reason=reason)
    out.print(", ".join(f"{value} {name}" for name, value in counts.items()))


app.command("restore")(restore)
app.command("seal")(seal)
app.command("gateway")(gateway)


def _text_of(option: str) -> str:
    """Return an option's text, or what the file or the stream that it names holds."""
    if option == "-":
        return sys.stdin.read()
    if not option.startswith("@"):
        return option
    try:
        return Path(option[1:]).read_text()
    except (OSError, UnicodeDecodeError):
        raise typer.BadParameter("the file cannot be read", param_hint="--conf") from None


def _say(what: str) -> None:
    err.print(f"  {what}")


if __name__ == "__main__":
    main()
