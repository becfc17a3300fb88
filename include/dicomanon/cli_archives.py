"""``dicomanon archives``: how clinical PACS, ledger, crosswalk and research PACS differ."""

import json
from typing import Annotated

import typer

from dicomanon.cli_site import signer, site_crosswalk
from dicomanon.console import DONE, PARTLY, err, out, say
from dicomanon.crosswalk.archives.causes import Cause, texts
from dicomanon.crosswalk.roles.role import Role

archives_app = typer.Typer(
    help="Both archives against the crosswalk: what differs, why, and what to do. Nothing is removed.",
    no_args_is_help=True,
)

Json = Annotated[bool, typer.Option("--json", help="For programs.")]
_PAGE = 500


@archives_app.command("check")
def check(
    minutes: Annotated[
        int | None, typer.Option(min=0, help="How long instances are compared one by one; else the site's setting.")
    ] = None,
    digests: Annotated[int, typer.Option(min=0, help="Stored instances to read whole and compare.")] = 0,
    as_json: Json = False,
) -> None:
    """Compare all places now. Exit code 1 when something differs that does not pass by itself."""
    from dicomanon.crosswalk.archives.causes import Severity
    from dicomanon.local_stack.stack import require_site
    from dicomanon.pipeline.archives.check import check_archives, report
    from dicomanon.pipeline.runtime import open_runtime

    require_site()
    with open_runtime(Role.INGEST) as runtime:
        counts = check_archives(runtime, minutes=minutes, digests=digests)
    found = {cause: counts[cause] for cause in Cause if cause in counts}
    if as_json:
        out.print_json(json.dumps(counts))
    else:
        for line in report(found):
            say(line)
        say(f"{counts['studies_looked_at']} studies looked at, {counts['digests_compared']} digests compared")
    raise typer.Exit(PARTLY if any(texts()[cause].severity is not Severity.PASSING for cause in found) else DONE)


@archives_app.command("list")
def list_differences(
    cause: Annotated[Cause | None, typer.Option(help="Only this cause.")] = None,
    gone: Annotated[bool, typer.Option("--gone", help="Also what does not differ any more.")] = False,
    as_json: Json = False,
) -> None:
    """List what differs: number, cause, since when, and what it is about where that is no secret."""
    with site_crosswalk(Role.AUDITOR) as crosswalk:
        after = 0
        while rows := crosswalk.archives.page(cause, gone=gone, after=after, limit=_PAGE):
            after = rows[-1].number
            for row in rows:
                since = f"{row.first_seen_at:%Y-%m-%d %H:%M}"
                about = row.research_uid or ("(sealed)" if row.sealed else "-")
                if as_json:
                    print(
                        json.dumps(
                            {
                                "number": row.number,
                                "cause": row.cause,
                                "severity": texts()[row.cause].severity,
                                "research_uid": row.research_uid,
                                "sealed": row.sealed,
                                "detail": row.detail,
                                "first_seen": row.first_seen_at.isoformat(),
                                "last_seen": row.last_seen_at.isoformat(),
                                "gone": row.gone_at and row.gone_at.isoformat(),
                            }
                        )
                    )
                else:
                    end = f"  gone {row.gone_at:%Y-%m-%d %H:%M}" if row.gone_at else ""
                    say(f"{row.number:>8}  {row.cause:<28}  since {since}  {about}  {row.detail}{end}".rstrip())
        if not after and not as_json:
            say("no differences")


@archives_app.command("show")
def show(
    number: Annotated[int, typer.Argument(min=1, help="As `list` prints it.")],
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Also the UID as its PACS has it, which may be identifying. Audited.")
    ] = False,
    reason: Annotated[str, typer.Option(help="Why it is revealed; kept in the audit trail.")] = "",
) -> None:
    """Tell what one difference means, and what to do about it."""
    with site_crosswalk(Role.ADMIN if reveal else Role.AUDITOR) as crosswalk:
        row = crosswalk.archives.one(number)
        if row is None:
            err.print("there is no difference of this number", style="red")
            raise typer.Exit(PARTLY)
        text = texts()[row.cause]
        shown = {
            "cause": f"{row.cause} ({text.severity})",
            "meaning": text.meaning,
            "what to do": text.action,
            "research UID": row.research_uid,
            "detail": row.detail,
            "first seen": f"{row.first_seen_at:%Y-%m-%d %H:%M:%S}",
            "last seen": f"{row.last_seen_at:%Y-%m-%d %H:%M:%S}",
            "gone": f"{row.gone_at:%Y-%m-%d %H:%M:%S}" if row.gone_at else "",
        }
        if reveal:
            found = crosswalk.archives.reveal(number, actor=signer(), reason=reason)
            shown["UID in its PACS"] = found.reveal() if found else "it has none"
    for name, value in shown.items():
        if value:
            say(f"{name:<16} {value}")


@archives_app.command("restored")
def restored(
    reason: Annotated[str, typer.Option(help="What was recovered, and to when; kept in the audit trail.")],
) -> None:
    """Say that the crosswalk was recovered by other means than `dicomanon restore`: runs stop until it is checked."""
    with site_crosswalk(Role.ADMIN) as crosswalk:
        crosswalk.archives.note_restoration("point in time", None, actor=signer(), reason=reason)
    say("nothing new is taken up now; run: dicomanon archives check")
