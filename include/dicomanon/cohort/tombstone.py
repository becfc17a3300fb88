"""What a removal leaves in the release folder: a tombstone beside the old manifest, and the next version."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args
from uuid import uuid4

from dicomanon import __version__
from dicomanon.cohort.left_out import answers
from dicomanon.cohort.manifest import kept_columns
from dicomanon.cohort.output import remove_files
from dicomanon.cohort.own_pseudonyms import tombstones_as_told
from dicomanon.cohort.parameters import GroupBy, SortBy
from dicomanon.cohort.release_files import TOMBSTONE, release_folder
from dicomanon.cohort.release_record import ReleaseRecord, persons
from dicomanon.cohort.releasing import site_key, write_what_is_left
from dicomanon.crosswalk.removals.rows import Tombstone
from dicomanon.crosswalk.rows import ReleaseRow
from dicomanon.errors import Fatal

if TYPE_CHECKING:
    from dicomanon.crosswalk.database import Crosswalk

ADVICE = (
    "Objects of this release were removed from the research PACS. Stop using them, delete every copy and everything"
    " derived of them that still shows them, and go on with the release that replaces this one."
)


def write_tombstone(release_dir: Path, tombstones: Sequence[Tombstone]) -> bool:
    """Write ``TOMBSTONE.json`` into the folder of the one release that the tombstones are of.

    No other file is touched. Return whether there is such a folder.

    Raises
    ------
    Fatal
        It cannot be written.
    """
    release = tombstones[0].release
    folder = release_folder(release_dir, release)
    if not folder.is_dir():
        return False
    document = {
        "release": str(release.id),
        "project": release.project,
        "number": release.number,
        "what_to_do": ADVICE,
        "removals": [_facts(tombstone) for tombstone in tombstones],
    }
    incoming = folder / f".{TOMBSTONE}.{uuid4().hex}"
    try:
        incoming.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        incoming.chmod(0o440)
        with incoming.open("rb") as written:
            os.fsync(written.fileno())
        incoming.rename(folder / TOMBSTONE)
    except OSError as error:
        raise Fatal(f"a tombstone cannot be written to the release folder: {type(error).__name__}") from None
    return True


def write_next_version(crosswalk: "Crosswalk", release_dir: Path, tombstone: Tombstone) -> bool:
    """Write the release that replaces the one under the tombstone, unless it is there; return whether there is one.

    Raises
    ------
    Fatal
        It cannot be written.
    """
    release = tombstone.replaced_by
    if release is None:
        return False
    target = release_folder(release_dir, release)
    if target.exists():
        return True
    instances = crosswalk.removals.release_instances(release.id)
    former = _record_of(crosswalk, release_dir, tombstone.release)
    (told,) = tombstones_as_told(crosswalk, [tombstone])
    record = ReleaseRecord(
        facts={
            "code_version": __version__,
            "split": former.facts.get("split") or {},
            "keep_until": former.facts.get("keep_until"),
            "output": former.facts.get("output", "access"),
            "replaces": {
                "release": str(tombstone.release.id),
                "number": tombstone.release.number,
                "removal": str(told.removal_id),
                "removed_instances": tombstone.instances,
            },
        },
        group_by=former.group_by,
        sort_by=former.sort_by,
        # Everybody stays in the part of a split, and a case or a control.
        columns=former.columns,
        patients=persons(instances),
        answers=(
            *(one for one in former.answers if one.parameter),
            *answers({}, crosswalk.releases.left_out_of(list({instance.study_id for instance in instances}))),
        ),
    )
    crosswalk.releases.enter_record(release.id, record.to_json())
    write_what_is_left(crosswalk, release_dir, target, crosswalk.releases.find(release.id), site_key())
    return True


def _record_of(crosswalk: "Crosswalk", release_dir: Path, release: ReleaseRow) -> ReleaseRecord:
    """Return the record of a release; of one from before there were any, what its folder says."""
    kept = crosswalk.releases.find(release.id).record
    if kept is not None:
        return ReleaseRecord.of(kept)
    folder = release_folder(release_dir, release)
    group_by: GroupBy = _one_of(GroupBy, _told(folder, "group_by"))
    sort_by: SortBy = _one_of(SortBy, _told(folder, "sort_by"))
    return ReleaseRecord(
        facts={"split": _told(folder, "split")},
        group_by=group_by,
        sort_by=sort_by,
        columns=kept_columns(folder),
        patients={},
        answers=(),
    )


def mark_if_ended(crosswalk: "Crosswalk", release_dir: Path, release: ReleaseRow) -> bool:
    """Write the tombstone of a release that a removal ended, and remove the objects that were written of it.

    Return whether the tombstone is there now.

    Raises
    ------
    Fatal
        It cannot be written, or they cannot be removed.
    """
    tombstones = tombstones_as_told(crosswalk, crosswalk.removals.tombstones(release_id=release.id))
    if not tombstones:
        return False
    remove_files(release_dir, release)
    return write_tombstone(release_dir, tombstones)


def _facts(tombstone: Tombstone) -> dict[str, Any]:
    return {
        "removal": str(tombstone.removal_id),
        "kind": str(tombstone.kind),
        "at": tombstone.recorded_at.isoformat(),
        "instances": tombstone.instances,
        "SOPInstanceUID": list(tombstone.research_sop_uids),
        "replaced_by": tombstone.replaced_by.number if tombstone.replaced_by else None,
    }


def _one_of(choices: Any, told: object) -> Any:
    """Return the choice that was told, the first one where none was: releases of before had no choice."""
    return told if told in get_args(choices) else get_args(choices)[0]


def _told(folder: Path, name: str) -> object:
    """Return what the ``release.json`` of a folder says; nothing where a site has moved it away."""
    try:
        document: dict[str, object] = json.loads((folder / "release.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return document.get(name)
