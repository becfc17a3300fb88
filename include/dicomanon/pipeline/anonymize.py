"""One source object in, one staged object and its crosswalk row out: what a worker does to each instance."""

import hashlib
from dataclasses import dataclass, field

from dicomanon import __version__
from dicomanon.crosswalk.patients import Patients
from dicomanon.crosswalk.rows import MappedOutcome
from dicomanon.deidentify import (
    Deidentified,
    HeldInstance,
    PatientContext,
    SourceInstance,
    UidMapper,
    deidentify,
    encode_in_pieces,
    parse,
)
from dicomanon.deidentify.codec import Buffer
from dicomanon.deidentify.uids import research_uids
from dicomanon.errors import Fatal, Held, Retriable
from dicomanon.identity import PatientIdentity
from dicomanon.profile import CompiledProfile
from dicomanon.profile.options import RETAIN_UIDS
from dicomanon.reasons import HoldReason
from dicomanon.validate.known_values import collect_known_values


@dataclass(frozen=True, slots=True)
class Anonymized:
    """What became of one source object; ``pieces`` are the de-identified object, where there is one."""

    outcome: MappedOutcome
    pieces: tuple[Buffer, ...]
    known_values: frozenset[str] = field(repr=False)
    pseudonym: str = ""
    date_shift_days: int | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Anonymizer:
    """The engine with what it needs of the site: profile, UID key, patients."""

    profile: CompiledProfile
    uids: UidMapper
    patients: Patients
    default_issuer: str = ""

    def research_uid(self, uid: str) -> str:
        """Return the UID that an object gets under the profile."""
        return research_uids(self.uids, retained=self.profile.has(RETAIN_UIDS))(uid)

    def read(self, raw: bytes) -> SourceInstance:
        """Parse a source object.

        Raises
        ------
        Held
            It cannot be read or names no patient or UID.
        """
        return parse(raw)

    def anonymize(self, instance_id: int, raw: bytes, source: SourceInstance) -> Anonymized:
        """De-identify one parsed object; every trouble with it ends in a held outcome, none in an exception.

        Raises
        ------
        Retriable, Fatal
            The trouble is the crosswalk's or the settings', not the object's.
        """
        known: frozenset[str] = frozenset()
        try:
            known = collect_known_values(raw)
            return self._anonymize(instance_id, raw, source, known)
        except (Retriable, Fatal):
            raise
        except Exception as error:
            # One object that trips a defect of ours must not stop the others; its text may quote a value.
            digest = hashlib.sha256(raw).digest()
            return self._held(instance_id, len(raw), digest, HoldReason.UNEXPECTED, type(error).__name__, None, known)

    def _anonymize(self, instance_id: int, raw: bytes, source: SourceInstance, known: frozenset[str]) -> Anonymized:
        digest = hashlib.sha256(raw).digest()
        try:
            patient = self.patients.get_or_create(self._identity(source))
        except Held as held:
            return self._held(instance_id, len(raw), digest, held.reason, held.detail, source, known)
        context = PatientContext(patient.pseudonym, patient.date_shift_days, self.uids)
        result = deidentify(source, self.profile, context)
        if isinstance(result, HeldInstance):
            return self._held(
                instance_id, len(raw), digest, result.reason, result.detail, source, known, patient_id=patient.id
            )
        pieces = encode_in_pieces(result) if isinstance(result, Deidentified) else ()
        outcome = MappedOutcome(
            instance_id=instance_id,
            state="deidentified" if pieces else "filtered",
            reason="" if isinstance(result, Deidentified) else result.reason,
            detail="",
            patient_id=patient.id,
            research_study_uid=self.research_uid(source.study_uid),
            research_series_uid=self.research_uid(source.series_uid),
            research_sop_uid=self.research_uid(source.sop_uid),
            sop_class_uid=source.sop_class_uid,
            modality=source.facts.modality,
            facts=source.facts,
            input_digest=digest,
            output_digest=_digest(pieces) if pieces else None,
            input_bytes=len(raw),
            output_bytes=sum(map(len, pieces)),
            profile_version=self.profile.version,
            code_version=__version__,
            action_counts=result.action_counts if isinstance(result, Deidentified) else {},
        )
        return Anonymized(outcome, pieces, known, patient.pseudonym, patient.date_shift_days)

    def unreadable(self, instance_id: int, raw: bytes, held: Held) -> Anonymized:
        """Return the held outcome of an object that could not be parsed."""
        digest = hashlib.sha256(raw).digest()
        return self._held(instance_id, len(raw), digest, held.reason, held.detail, None, frozenset())

    def _identity(self, source: SourceInstance) -> PatientIdentity:
        identity = source.identity
        if identity.issuer or not self.default_issuer:
            return identity
        return PatientIdentity(
            identity.patient_id, self.default_issuer, identity.name, identity.birth_date, identity.sex
        )

    def _held(
        self,
        instance_id: int,
        size: int,
        digest: bytes,
        reason: HoldReason,
        detail: str,
        source: SourceInstance | None,
        known: frozenset[str],
        patient_id: object = None,
    ) -> Anonymized:
        outcome = MappedOutcome(
            instance_id=instance_id,
            state="held",
            reason=reason,
            detail=detail,
            patient_id=patient_id,  # type: ignore[arg-type]
            research_study_uid=self.research_uid(source.study_uid) if source else "",
            research_series_uid=self.research_uid(source.series_uid) if source else "",
            research_sop_uid=self.research_uid(source.sop_uid) if source else "",
            sop_class_uid=source.sop_class_uid if source else "",
            modality=source.facts.modality if source else "",
            facts=source.facts if source else None,
            input_digest=digest,
            output_digest=None,
            input_bytes=size,
            output_bytes=0,
            profile_version=self.profile.version,
            code_version=__version__,
        )
        return Anonymized(outcome, (), known)


def _digest(pieces: tuple[Buffer, ...]) -> bytes:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.digest()
