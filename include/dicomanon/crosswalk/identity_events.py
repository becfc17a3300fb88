"""Writes identity events: once for each thing that does not fit, however often it is met."""

import json
from uuid import UUID, uuid4

from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.keys.data_keys import Sealer
from dicomanon.crosswalk.sealed import seal_text
from dicomanon.crosswalk.session import Connection


def record_identity_event(
    connection: Connection,
    keyring: Keyring,
    key: Sealer,
    kind: str,
    subject: str,
    *,
    detail: dict[str, str],
    patient_id: UUID | None = None,
    study_id: UUID | None = None,
    instance_id: int | None = None,
) -> None:
    """Add an event unless the same kind was recorded for the same subject.

    Parameters
    ----------
    key
        Data key of the study, or of the patient where no study is named: when it is destroyed, so is the detail.
    kind
        What does not fit, such as ``"birth_date"`` or ``"uid-reused"``.
    subject
        What the event is about, values included; it is stored as a keyed hash only.
    detail
        Values for the administrator who looks into it; stored sealed.
    """
    row = uuid4()
    connection.execute(
        "INSERT INTO crosswalk.identity_event"
        " (id, kind, fingerprint, patient_id, study_id, instance_id, detail_sealed)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (kind, fingerprint) DO NOTHING",
        (
            row,
            kind,
            keyring.index("identity-event", f"{kind}|{subject}"),
            patient_id,
            study_id,
            instance_id,
            seal_text(key, "identity_event.detail", row, json.dumps(detail)),
        ),
    )
