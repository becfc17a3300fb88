"""The certificate of a removal: what was done, how it was confirmed, and what nobody can undo; signed."""

import hashlib
import json
import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from dicomanon import __version__
from dicomanon.crosswalk.removals.rows import FormerObject, Notice, Removal, RemovalKind, Tombstone
from dicomanon.errors import Fatal
from dicomanon.pipeline.runtime import Runtime
from dicomanon.settings import SigningSettings
from dicomanon.signing import PublicKey, SigningKey
from dicomanon.statements import open_statement, sign_statement, statement

PREDICATE_TYPE = "urn:dicomanon:removal-certificate:1"
_NAME = re.compile(r"[a-z-]+-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.json")


def certificate_file(folder: Path, removal: Removal) -> Path:
    """Return where the certificate of a removal is."""
    return folder / f"{removal.kind}-{removal.id}.json"


def certified_removals(folder: Path) -> dict[UUID, Path]:
    """Return the removals that certificates in a folder are about, by the names of the files."""
    return {UUID(named[1]): file for file in folder.glob("*.json") if (named := _NAME.fullmatch(file.name))}


def write_certificate(runtime: Runtime, removal: Removal) -> Path:
    """Write the signed certificate, unless it is there; return where.

    Raises
    ------
    Fatal
        The site has no key to sign with, or it cannot be used, or the file not be written.
    """
    settings, removals = runtime.settings, runtime.crosswalk.removals
    target = certificate_file(settings.certificate_dir, removal)
    if target.exists():
        return target
    objects = removals.objects(removal)
    predicate = certificate(
        removal,
        objects,
        removals.tombstones(removal_id=removal.id),
        removals.notices(removal),
        backup_days=settings.backup_days,
        signed_at=datetime.now(UTC),
    )
    payload = statement([("removed-objects", _digest(objects))], PREDICATE_TYPE, predicate)
    envelope = sign_statement(SigningKey.load(SigningSettings.load().audit_key_file), payload)
    incoming = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        incoming.write_text(json.dumps(envelope, indent=1) + "\n", encoding="ascii")
        incoming.chmod(0o440)
        with incoming.open("rb") as written:
            os.fsync(written.fileno())
        incoming.rename(target)
    except OSError as error:
        raise Fatal(f"the certificate cannot be written: {type(error).__name__}") from None
    return target


def verify_certificate(path: Path, key: PublicKey) -> dict[str, Any]:
    """Return what a certificate says, if it is whole and signed by the key.

    Raises
    ------
    Fatal
        It is not, or it is something else.
    """
    try:
        envelope = json.loads(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        raise Fatal("the file is not a signed statement (DSSE envelope)") from None
    if not isinstance(envelope, dict):
        raise Fatal("the file is not a signed statement (DSSE envelope)")
    payload = open_statement(key, envelope)
    if payload.get("predicateType") != PREDICATE_TYPE:
        raise Fatal("the file is signed, but no certificate of a removal")
    predicate: dict[str, Any] = payload["predicate"]
    return predicate


def certificate(
    removal: Removal,
    objects: Sequence[FormerObject],
    tombstones: Sequence[Tombstone],
    notices: Sequence[Notice],
    *,
    backup_days: int | None,
    signed_at: datetime,
) -> dict[str, Any]:
    """Return what is certified; research identifiers, names of staff and counts only. The reason stays sealed."""
    return {
        "removal": str(removal.id),
        "kind": str(removal.kind),
        "pseudonym": removal.pseudonym,
        "ticket": removal.ticket,
        "requested_by": removal.requester.name,
        "requested_at": removal.requested_at.isoformat(),
        "approved_by": [one.approved_by for one in removal.approvals],
        "steps": {str(step): {"at": done.at.isoformat(), **done.counts} for step, done in removal.steps.items()},
        "confirmed_by": "neither QIDO-RS nor WADO-RS of the research PACS shows any of the objects",
        "objects": [_object(one) for one in objects],
        "releases": [_release(one, notices) for one in tombstones],
        "not_undone": _not_undone(removal, tombstones, backup_days),
        "code_version": __version__,
        "signed_at": signed_at.isoformat(),
    }


def _object(one: FormerObject) -> dict[str, str]:
    return {
        "PatientID": one.pseudonym,
        "StudyInstanceUID": one.research_study_uid,
        "SeriesInstanceUID": one.research_series_uid,
        "SOPInstanceUID": one.research_sop_uid,
        "sha256": one.output_digest.hex(),
        "removed": one.means,
    }


def _release(tombstone: Tombstone, notices: Sequence[Notice]) -> dict[str, Any]:
    release, new = tombstone.release, tombstone.replaced_by
    return {
        "release": f"{release.project}/{release.number:04d}",
        "held_by": release.requester,
        "removed_instances": tombstone.instances,
        "replaced_by": f"{new.project}/{new.number:04d}" if new else None,
        "told": [
            {"at": one.sent_at.isoformat(), "means": one.means, "recipients": list(one.recipients)}
            for one in notices
            if one.release_id == release.id
        ],
    }


def _not_undone(removal: Removal, tombstones: Sequence[Tombstone], backup_days: int | None) -> list[str]:
    """Say in words what no program of ours can take back."""
    kept = "an unknown time" if backup_days is None else f"{backup_days} days"
    told = [f"Backups of the research PACS and of the crosswalk that were made before are kept for {kept}."]
    if tombstones:
        holders = sorted({f"{one.release.requester} ({one.release.project})" for one in tombstones})
        told.append(
            "Copies that were downloaded, and what was made of them, are with those who hold the releases, who were"
            f" asked to delete them: {', '.join(holders)}."
        )
    if removal.kind is RemovalKind.WITHDRAWAL:
        told.append(_kept(removal.keys_destroyed_at) + " The clinical PACS keeps its originals.")
    return told


def _kept(keys_destroyed_at: datetime | None) -> str:
    if keys_destroyed_at is None:
        return (
            "The crosswalk keeps, sealed, who the patient is and which objects there were, so that he is known and not"
            " taken up again. The keys of that can be destroyed; he stays barred."
        )
    return (
        f"The keys of who the patient is, and of the source UIDs, were destroyed at {keys_destroyed_at.isoformat()}."
        " The crosswalk keeps which research objects there were, and keyed hashes by which he is known and not taken up"
        " again."
    )


def _digest(objects: Sequence[FormerObject]) -> str:
    lines = sorted(f"{one.research_sop_uid} {one.output_digest.hex()}\n" for one in objects)
    return hashlib.sha256("".join(lines).encode("ascii")).hexdigest()
