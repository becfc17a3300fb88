"""Tells a site that begins from one that has lost its crosswalk."""

from dicomanon.errors import Fatal
from dicomanon.pipeline.runtime import Runtime


def require_ours(runtime: Runtime) -> None:
    """Refuse to begin a crosswalk beside a research PACS that has studies already.

    Where the database was lost and an empty one has taken its place, every patient would get a second pseudonym.

    Raises
    ------
    Fatal
        Saying what to do.
    """
    if runtime.settings.research_shared or runtime.crosswalk.mapping.has_made_any() or runtime.research.is_empty():
        return
    raise Fatal(
        "the crosswalk is empty, and the research PACS has studies: if its database was lost, restore a backup "
        "(docs/runbook.md, Restore); if these studies are none of ours, set DICOMANON_RESEARCH_SHARED=true"
    )
