"""The objects of a release as its project sees them: read from the research PACS, checked, and only then told anew."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from dicomanon.cohort.own_pseudonyms import OwnPseudonyms
from dicomanon.cohort.release_files import RELEASE
from dicomanon.cohort.released import Released, Retrieve, read_object
from dicomanon.crosswalk.rows import CohortInstance
from dicomanon.errors import Fatal
from dicomanon.project_view.objects import as_seen
from dicomanon.project_view.view import ProjectView

if TYPE_CHECKING:
    from dicomanon.crosswalk.database import Crosswalk


def retrieve_for(crosswalk: "Crosswalk", project: str, folder: Path, retrieve: Retrieve) -> Retrieve:
    """Return what gives the objects of a release by the UIDs in its manifest.

    Parameters
    ----------
    project, folder
        Whose the release is, and where.
    retrieve
        Reads an object from the research PACS.

    Raises
    ------
    Fatal
        The ``release.json`` in the folder does not tell which release it is.
    """
    own = OwnPseudonyms.of(crosswalk, project)
    if own is None:
        return retrieve
    return SeenObjects(own.view, crosswalk.removals.release_instances(_release_id(folder)), retrieve)


class SeenObjects:
    """Gives objects by a project's UIDs, one in memory at a time for each caller.

    Parameters
    ----------
    instances
        Of the release, as the research PACS has them.
    retrieve
        Reads one of those.
    """

    def __init__(self, view: ProjectView, instances: Sequence[CohortInstance], retrieve: Retrieve) -> None:
        self._view = view
        self._retrieve = retrieve
        self._instances = {view.uid(one.research_sop_uid): one for one in instances}

    def __call__(self, study_uid: str, series_uid: str, sop_uid: str) -> Iterator[bytes]:
        """Yield an object as the project sees it; nothing where the release has none of these UIDs.

        Raises
        ------
        Retriable
            The PACS cannot answer now, or has it no more.
        Fatal
            The PACS gives other bytes than were stored, or the object cannot be told in the project's identifiers.
        """
        one = self._instances.get(sop_uid)
        uid = self._view.uid
        if one is None or (uid(one.research_study_uid), uid(one.research_series_uid)) != (study_uid, series_uid):
            return
        stored = Released(
            one.pseudonym,
            one.research_study_uid,
            one.research_series_uid,
            one.research_sop_uid,
            one.output_digest.hex(),
            one.modality,
        )
        yield as_seen(read_object(self._retrieve, stored), self._view, one.pseudonym)


def _release_id(folder: Path) -> UUID:
    try:
        return UUID(json.loads((folder / RELEASE).read_text(encoding="utf-8"))["release"])
    except (OSError, ValueError, KeyError, TypeError):
        raise Fatal(f"the {RELEASE} of that release does not tell which one it is") from None
