"""Writes a release out of the crosswalk, when it is made and whenever it is asked for again: by its id alone."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pyarrow as pa

from dicomanon.cohort.attestation import INPUTS, attestation, salted
from dicomanon.cohort.card import card_files
from dicomanon.cohort.changes import change_counts, changes
from dicomanon.cohort.left_out import answers_as_csv
from dicomanon.cohort.manifest import counts, manifest_table
from dicomanon.cohort.own_pseudonyms import NOT_TOLD, OwnPseudonyms, moment_told
from dicomanon.cohort.release_files import write_release
from dicomanon.cohort.release_record import ReleaseRecord
from dicomanon.cohort.risk import risk_plots, risk_report, risks
from dicomanon.crosswalk.release_records import RecordedRelease
from dicomanon.crosswalk.rows import CohortInstance
from dicomanon.errors import Fatal
from dicomanon.signing import SigningKey
from dicomanon.values import Pseudonym

if TYPE_CHECKING:
    from dicomanon.crosswalk.database import Crosswalk


def site_key() -> SigningKey:
    """Return the key that the site signs with.

    Raises
    ------
    Fatal
        There is none, or it cannot be used.
    """
    from dicomanon.settings import SigningSettings

    return SigningKey.load(SigningSettings.load().audit_key_file)


def write_again(crosswalk: "Crosswalk", release_dir: Path, target: Path, release_id: UUID, key: SigningKey) -> None:
    """Write a whole release into ``target``: the same bytes every time, by the same version of the code.

    Parameters
    ----------
    release_dir
        Where an unfinished folder may be, on the file system of ``target``.

    Raises
    ------
    Fatal
        There is no such release, it has ended, was made before releases were recorded, or cannot be written.
    """
    release = crosswalk.releases.find(release_id)
    if release.has_ended:
        raise Fatal("the release has ended, for objects of it were removed, and is not written: ask for a new one")
    if release.record is None:
        raise Fatal("the release was made before releases were recorded: it cannot be written again")
    write_what_is_left(crosswalk, release_dir, target, release, key)


def write_what_is_left(
    crosswalk: "Crosswalk", release_dir: Path, target: Path, release: RecordedRelease, key: SigningKey
) -> None:
    """Write of a release what is still stored: all of it, unless it has ended.

    Raises
    ------
    Fatal
        It has no record, or cannot be written.
    """
    if release.record is None:
        raise Fatal("a release that has no record cannot be written")
    record = ReleaseRecord.of(release.record)
    instances = [
        replace(one, patient=Pseudonym(record.patients.get(one.research_study_uid, one.patient)))
        for one in crosswalk.removals.release_instances(release.row.id)
    ]
    own = OwnPseudonyms.of(crosswalk, release.row.project)
    if own is not None:
        # What stands for what is there before anybody has any of it.
        crosswalk.projects.enter_identifiers(release.row.project, own.identifiers(instances))
        instances, record = [own.instance(one) for one in instances], own.record(record)
    not_told = NOT_TOLD if own else frozenset[str]()
    table = manifest_table(instances, columns=record.columns, sort_by=record.sort_by, not_told=not_told)
    facts = _facts(release, record, instances, own)
    changed, found = _changes(crosswalk, release, own), risks(table)
    write_release(
        release_dir,
        target,
        table,
        group_by=record.group_by,
        facts=facts | {"changes": {"since": changed["since"], **change_counts(changed)}},
        beside={
            "withheld.csv": answers_as_csv(record.answers, "withheld"),
            "failed.csv": answers_as_csv(record.answers, "failed"),
            "changes.json": json.dumps(changed, indent=1) + "\n",
            INPUTS: salted(crosswalk.releases.input_digests(release.row.id), record.salt),
            "risk.json": json.dumps(risk_report(found), indent=1) + "\n",
            **card_files(table, facts, risk_plots(found)),
        },
        attest=lambda files: attestation(key, files, _predicate(facts, table, len(instances))),
    )


def _facts(
    release: RecordedRelease,
    record: ReleaseRecord,
    instances: Sequence[CohortInstance],
    own: OwnPseudonyms | None,
) -> dict[str, Any]:
    return {
        **record.facts,
        "release": str(release.row.id),
        "number": release.row.number,
        "project": release.row.project,
        "created_at": moment_told(own, release.row).isoformat(),
        "own_pseudonyms": own is not None,
        "profile_versions": sorted({one.profile_version for one in instances}),
        "criteria_digest": release.criteria_digest.hex(),
        "sort_by": record.sort_by,
    }


def _changes(crosswalk: "Crosswalk", release: RecordedRelease, own: OwnPseudonyms | None) -> dict[str, Any]:
    """Tell what changed since the version before; of a first one, nothing has."""
    former = crosswalk.releases.former_version(release.row.id)
    if former is None:
        return {"since": None, "added": [], "removed": [], "replaced": []}
    before, after = (crosswalk.releases.released_uids(one) for one in (former.id, release.row.id))
    if own is not None:
        before, after = own.released_uids(before), own.released_uids(after)
    return {"since": former.number, **changes(before, after)}


def _predicate(facts: Mapping[str, Any], table: pa.Table, inputs: int) -> dict[str, Any]:
    verdicts = Counter(verdict or "none" for verdict in table["verdict"].to_pylist())
    told = ("release", "project", "number", "created_at", "code_version", "profile_versions", "criteria_digest")
    return {
        **{name: facts[name] for name in told},
        "counts": asdict(counts(table)),
        "verdicts": dict(sorted(verdicts.items())),
        "inputs": {
            "count": inputs,
            "file": INPUTS,
            "algorithm": "HMAC-SHA256 of the SHA-256, by a salt the site keeps",
        },
    }
