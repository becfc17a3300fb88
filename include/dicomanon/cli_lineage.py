"""``dicomanon lineage``: OpenLineage events, and the crosswalk that keeps them beside our own."""

from dataclasses import asdict

import typer

from dicomanon.console import DONE, PARTLY, err, say

lineage_app = typer.Typer(
    help="OpenLineage events of the tasks; `dicomanon trace` answers questions about objects.", no_args_is_help=True
)


@lineage_app.callback()
def _group() -> None:
    """Keep ``load`` a command of its own, however few there are."""


@lineage_app.command("load")
def load_events() -> None:
    """Bring the events that wait in their folder into the crosswalk, and make up for those that never arrived.

    Exit code 1: a line is no event; it is kept in damaged.jsonl.
    """
    from dicomanon.crosswalk.roles.role import Role
    from dicomanon.local_stack.stack import require_site
    from dicomanon.openlineage.loading import load
    from dicomanon.pipeline.runtime import open_runtime

    require_site()
    with open_runtime(Role.INGEST) as runtime:
        done = load(runtime.crosswalk, runtime.settings)
    say(", ".join(f"{count} {name}" for name, count in asdict(done).items()))
    if done.damaged:
        err.print("damaged.jsonl in the folder of the events has the lines that make no sense", style="red")
    raise typer.Exit(PARTLY if done.damaged else DONE)
