"""One source object in, one staged object and its crosswalk row out: what a worker does to each instance."""

import hashlib
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from dicomanon import __version__
from dicomanon.crosswalk.patients import IdentityConflict, Patients, Withdrawn
from dicomanon.crosswalk.rows import MappedOutcome, Patient
from dicomanon.deidentify import (
    Deidentified,
    Face,
    HeldInstance,
    PatientContext,
    Seen,
    SourceInstance,
    UidMapper,
    deidentify,
    encode_in_pieces,
    look,
    look_together,
    parse,
)
from dicomanon.deidentify.codec import Buffer
from dicomanon.deidentify.faces.policy import judge_face, must_be_defaced
from dicomanon.deidentify.pixels.decision import decide
from dicomanon.deidentify.pixels.seeing import can_be_seen_together
from dicomanon.deidentify.uids import research_uids
from dicomanon.devices import ConfirmedDevices, DeviceKey
from dicomanon.errors import Fatal, Held, Retriable
from dicomanon.identity import PatientIdentity
from dicomanon.profile import CompiledProfile
from dicomanon.profile.options import RETAIN_UIDS
from dicomanon.reasons import HoldReason
from dicomanon.validate.known_values import collect_known_values

_OF_DEVICES = frozenset({HoldReason.UNCONFIRMED_DEVICE, HoldReason.BURNED_IN_RISK})
"""Reasons that a person who looks at the pictures of a device can do something about."""


@dataclass(frozen=True, slots=True)
class Anonymized:
    """What became of one source object; ``pieces`` are the de-identified object, where there is one."""

    outcome: MappedOutcome
    pieces: tuple[Buffer, ...]
    known_values: frozenset[str] = field(repr=False)
    pseudonym: str = ""
    date_shift_days: int | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, repr=False)
class Source:
    """An object as it came, and parsed; ``study_id`` is its row in the crosswalk, where it has one."""

    instance_id: int
    raw: bytes
    parsed: SourceInstance
    study_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Anonymizer:
    """The engine with what it needs of the site: profile, UID key, patients, confirmed devices.

    ``reads_unconfirmed`` says whether pictures in which text is likely are released on the text reader's word, where
    the profile leaves it open.
    """

    profile: CompiledProfile
    uids: UidMapper
    patients: Patients
    default_issuer: str = ""
    reads_unconfirmed: bool = False
    devices: ConfirmedDevices = field(default_factory=ConfirmedDevices)

    def research_uid(self, uid: str, salt: bytes | None = None) -> str:
        """Return the UID that an object gets under the profile; ``salt`` is its patient's."""
        return research_uids(self.uids.salted(salt), retained=self.profile.has(RETAIN_UIDS))(uid)

    def read(self, raw: bytes) -> SourceInstance:
        """Parse a source object.

        Raises
        ------
        Held
            It cannot be read or names no patient or UID.
        """
        return parse(raw)

    def together(self, source: SourceInstance) -> Hashable | None:
        """Return what objects share whose pixels may be looked at together, ``None`` for one to be looked at alone."""
        try:
            return can_be_seen_together(source, self.profile, self.devices)
        except Held:
            return None  # Why it is held is found out again, and recorded, when it is anonymized.

    def needs_series(self, source: SourceInstance) -> bool:
        """Tell whether an object goes on only with the whole of its series, for its face has to be found."""
        try:
            return must_be_defaced(source, self.profile)
        except Exception:
            return True  # The same defect of ours holds it, and is recorded, when it is anonymized.

    def anonymize_together(
        self, sources: Sequence[Source], faces: Sequence[Face | Held | None] | None = None
    ) -> list[Anonymized]:
        """De-identify objects that :meth:`together` gives the same for, as :meth:`anonymize` does each.

        Raises
        ------
        Retriable, Fatal
            As :meth:`anonymize`; ``Fatal`` also where the text reader is not installed as it should be.
        """
        try:
            seen = look_together([source.parsed for source in sources], self.profile, self.devices)
        except (Retriable, Fatal):
            raise
        except Exception as error:
            seen = [Held(HoldReason.UNEXPECTED, f"{type(error).__name__} in the pixels")] * len(sources)
        return [
            self.anonymize(source, seen=each, face=face)
            for source, each, face in zip(sources, seen, faces or [None] * len(sources), strict=True)
        ]

    def anonymize(
        self, source: Source, *, seen: Seen | Held | None = None, face: Face | Held | None = None
    ) -> Anonymized:
        """De-identify one object; every trouble with it ends in a held outcome, none in an exception.

        Parameters
        ----------
        seen
            What was found in its pixels, where somebody has looked.
        face
            What was found in its series, where its face has to go.

        Raises
        ------
        Retriable, Fatal
            The trouble is the crosswalk's or the settings', not the object's.
        """
        known: frozenset[str] = frozenset()
        try:
            known = collect_known_values(source.raw)
            return self._anonymize(source, known, seen, face)
        except (Retriable, Fatal):
            raise
        except Exception as error:
            # One object that trips a defect of ours must not stop the others; its text may quote a value.
            return self._held(source.instance_id, source.raw, HoldReason.UNEXPECTED, type(error).__name__, None, known)

    def _anonymize(
        self, given: Source, known: frozenset[str], seen: Seen | Held | None, face: Face | Held | None
    ) -> Anonymized:
        instance_id, raw, source = given.instance_id, given.raw, given.parsed
        try:
            patient = self.patients.get_or_create(self._identity(source), given.study_id)
        except Withdrawn as held:
            # Of the object nothing is kept but whose it is.
            return self._held(instance_id, raw, held.reason, held.detail, None, frozenset(), patient=held.patient)
        except Held as held:
            # Of a patient whose keys were destroyed nothing is learned anew.
            kept = frozenset[str]() if held.reason is HoldReason.KEYS_DESTROYED else known
            event = held.event_id if isinstance(held, IdentityConflict) else None
            return self._held(instance_id, raw, held.reason, held.detail, source, kept, event_id=event)
        context = PatientContext(patient.pseudonym, patient.date_shift_days, self.uids.salted(patient.uid_salt))
        try:
            if isinstance(face, Held):
                # Before anybody takes the time to read in it.
                judge_face(source, self.profile, face)
            found = self._look(source) if seen is None else seen
        except Held as held:
            found = held
        if isinstance(found, Held):
            return self._held(instance_id, raw, found.reason, found.detail, source, known, patient=patient)
        result = deidentify(source, self.profile, context, seen=found, face=face)
        if isinstance(result, HeldInstance):
            return self._held(instance_id, raw, result.reason, result.detail, source, known, patient=patient)
        pieces = encode_in_pieces(result) if isinstance(result, Deidentified) else ()
        outcome = MappedOutcome(
            instance_id=instance_id,
            state="deidentified" if pieces else "filtered",
            reason="" if isinstance(result, Deidentified) else result.reason,
            detail="",
            patient_id=patient.id,
            keyed_patient_id=patient.keyed_id,
            research_study_uid=self.research_uid(source.study_uid, patient.uid_salt),
            research_series_uid=self.research_uid(source.series_uid, patient.uid_salt),
            research_sop_uid=self.research_uid(source.sop_uid, patient.uid_salt),
            sop_class_uid=source.sop_class_uid,
            modality=source.facts.modality,
            facts=source.facts,
            input_digest=hashlib.sha256(raw).digest(),
            output_digest=_digest(pieces) if pieces else None,
            input_bytes=len(raw),
            output_bytes=sum(map(len, pieces)),
            profile_version=self.profile.version,
            code_version=__version__,
            action_counts=result.action_counts if isinstance(result, Deidentified) else {},
            device=found.decision.device if found.decision.flagged else None,
            uid_salt=patient.uid_salt,
        )
        return Anonymized(outcome, pieces, known, patient.pseudonym, patient.date_shift_days)

    def _flagged_device(self, source: SourceInstance) -> DeviceKey | None:
        """Return the device of a picture that a person should see first."""
        try:
            decision = decide(source, self.profile, self.devices)
        except Held:
            return None
        return decision.device if decision.flagged else None

    def _look(self, source: SourceInstance) -> Seen:
        """Look at the pixels, unless a person is to be waited for."""
        if self.profile.waits_for_devices(by_default=not self.reads_unconfirmed):
            decision = decide(source, self.profile, self.devices)
            if decision.flagged:
                raise Held(HoldReason.UNCONFIRMED_DEVICE, ", ".join(decision.reasons))
        return look(source, self.profile, self.devices)

    def unreadable(self, instance_id: int, raw: bytes, held: Held) -> Anonymized:
        """Return the held outcome of an object that could not be parsed."""
        return self._held(instance_id, raw, held.reason, held.detail, None, frozenset())

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
        raw: bytes,
        reason: HoldReason,
        detail: str,
        source: SourceInstance | None,
        known: frozenset[str],
        *,
        patient: Patient | None = None,
        event_id: UUID | None = None,
    ) -> Anonymized:
        salt = patient.uid_salt if patient else None
        outcome = MappedOutcome(
            instance_id=instance_id,
            state="held",
            reason=reason,
            detail=detail,
            patient_id=patient.id if patient else None,
            keyed_patient_id=patient.keyed_id if patient else None,
            event_id=event_id,
            uid_salt=salt,
            research_study_uid=self.research_uid(source.study_uid, salt) if source else "",
            research_series_uid=self.research_uid(source.series_uid, salt) if source else "",
            research_sop_uid=self.research_uid(source.sop_uid, salt) if source else "",
            sop_class_uid=source.sop_class_uid if source else "",
            modality=source.facts.modality if source else "",
            facts=source.facts if source else None,
            input_digest=hashlib.sha256(raw).digest(),
            output_digest=None,
            input_bytes=len(raw),
            output_bytes=0,
            profile_version=self.profile.version,
            code_version=__version__,
            device=self._flagged_device(source) if reason in _OF_DEVICES and source else None,
        )
        return Anonymized(outcome, (), known)


def _digest(pieces: tuple[Buffer, ...]) -> bytes:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.digest()
