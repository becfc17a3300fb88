"""Where the value behind a research identifier is, and how it is opened."""

from dicomanon.crosswalk.audit.events import Subject, SubjectKind
from dicomanon.crosswalk.keys.keychain import Keychain
from dicomanon.crosswalk.sealed import open_identity, open_phi
from dicomanon.crosswalk.session import Connection
from dicomanon.errors import Fatal
from dicomanon.values import Phi

_SEALED = {
    SubjectKind.PSEUDONYM: "SELECT id, identity_sealed, id, key_wrapped FROM crosswalk.patient WHERE pseudonym = %s",
    SubjectKind.STUDY: "SELECT id, uid_sealed, id, key_wrapped FROM crosswalk.study WHERE research_study_uid = %s",
    SubjectKind.SERIES: "SELECT se.id, se.uid_sealed, st.id, st.key_wrapped FROM crosswalk.series se"
    " JOIN crosswalk.study st ON st.id = se.study_id WHERE se.research_series_uid = %s",
    SubjectKind.INSTANCE: "SELECT i.id, i.uid_sealed, st.id, st.key_wrapped FROM crosswalk.instance i"
    " JOIN crosswalk.study st ON st.id = i.study_id WHERE i.research_sop_uid = %s",
}


def subject_of(connection: Connection, identifier: str) -> Subject:
    """Return what a pseudonym or research UID names.

    Raises
    ------
    Fatal
        The crosswalk has no such identifier; it is not repeated, for somebody may have typed one of the other side.
    """
    for kind, query in _SEALED.items():
        if connection.execute(query, (identifier,)).fetchone() is not None:
            return Subject(kind, identifier)
    raise Fatal("nothing in the crosswalk has this research identifier")


def source_value(connection: Connection, keys: Keychain, subject: Subject) -> Phi[str]:
    """Open the Patient ID (with its issuer, as HL7 writes it) of a pseudonym, or the source UID of a research UID.

    Raises
    ------
    Fatal
        It is not in the crosswalk any more.
    Held
        Its keys were destroyed.
    """
    row = connection.execute(_SEALED[subject.kind], (subject.id,)).fetchone()
    if row is None:
        raise Fatal("the crosswalk does not have this research identifier any more")
    number, sealed, owner, wrapped = row
    if subject.kind is SubjectKind.PSEUDONYM:
        identity = open_identity(keys.of("patient", owner, wrapped), number, sealed)
        return Phi(f"{identity.patient_id}^^^{identity.issuer}" if identity.issuer else identity.patient_id)
    return open_phi(keys.of("study", owner, wrapped), f"{subject.kind.value}.uid", number, sealed)
