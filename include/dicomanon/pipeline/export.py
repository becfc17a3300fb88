"""Writes the crosswalk's two maps as CSV, for those who may re-identify."""

import csv
import os
from collections.abc import Iterable
from pathlib import Path

from dicomanon.crosswalk.roles.role import Role
from dicomanon.errors import Fatal
from dicomanon.pipeline.runtime import open_runtime
from dicomanon.values import Phi

Counts = dict[str, int]

HEADER = ("id_old", "id_new")


def export_maps(uid_map: Path, patient_map: Path, *, actor: str, reason: str) -> Counts:
    """Write every UID and every patient, old and new; who did it and why is in the audit trail before a row is read.

    Raises
    ------
    Fatal
        No reason is given, or a file cannot be written.
    """
    if not reason.strip():
        raise Fatal("say why with --reason: it is kept in the audit trail")
    if not all(path.absolute().parent.is_dir() for path in (uid_map, patient_map)):
        raise Fatal("the folder of a map does not exist: make it first")
    with open_runtime(Role.ADMIN) as runtime:
        uids, patients = runtime.crosswalk.exports.maps(actor=actor, reason=reason)
        return {"UIDs": write_map(uid_map, uids), "patients": write_map(patient_map, patients)}


def write_map(path: Path, rows: Iterable[tuple[Phi[str], str]]) -> int:
    """Write an ``id_old,id_new`` file that only its owner can read, and return the number of rows."""
    written = 0
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(HEADER)
            for old, new in rows:
                writer.writerow((old.reveal(), new))
                written += 1
    except OSError as error:
        raise Fatal(f"a map cannot be written: {error.strerror}") from None
    return written
