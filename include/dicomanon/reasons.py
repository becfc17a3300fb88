"""Why an instance is held: the closed list of codes that reports, pages and tests share."""

from enum import StrEnum


class HoldReason(StrEnum):
    """Codes stored with a held instance; a value never changes its meaning once released."""

    UNREADABLE = "unreadable"
    """Not a DICOM file, truncated, or not decodable as its transfer syntax says (PS3.10, PS3.5)."""
    MISSING_IDENTITY = "missing-identity"
    """Patient ID or one of the study, series or SOP instance UIDs is absent, empty or malformed."""
    UNKNOWN_SOP_CLASS = "unknown-sop-class"
    """The SOP class has no IOD in our edition of PS3.3, so no rule can be resolved for it."""
    BURNED_IN_RISK = "burned-in-risk"
    """The SOP class or the header says that pixels may carry identifying text, and nothing vouches for them."""
    UNCONFIRMED_DEVICE = "unconfirmed-device"
    """Text in the pixels is likely, and nobody has looked yet at what this device writes into its pictures."""
    UNDECODABLE = "undecodable-pixels"
    """Pixels that cannot be decoded, so that nobody can tell whether they show text."""
    ENCAPSULATED_DOCUMENT = "encapsulated-document"
    """A document whose text no rule can clean yet."""
    DIRECTORY = "directory"
    """A DICOMDIR or another object that is an index, not data."""
    RECOGNIZABLE_FACE = "recognizable-face"
    """A volume that may show a face, where the profile does not let faces pass and none could be taken out."""
    RULE_FAILED = "rule-failed"
    """An action of the profile could not be carried out on an element."""
    IDENTITY_CONFLICT = "identity-conflict"
    """The same Patient ID with another name, birth date or sex, or a second patient in one study."""
    KEYS_DESTROYED = "keys-destroyed"
    """The keys of this patient were destroyed on purpose: nothing of them is taken up again."""
    UID_REUSED = "uid-reused"
    """The same SOP Instance UID under another study or with other content."""
    NOT_RETRIEVED = "not-retrieved"
    """QIDO-RS reports the instance, WADO-RS does not deliver it."""
    RESIDUAL_PHI = "residual-phi"
    """Validation found an identifying value, attribute or UID in the de-identified object."""
    NONCONFORMANT = "nonconformant"
    """Validation found the de-identified object's markers, identifiers or structure not as the profile says."""
    CONSENT_WITHDRAWN = "consent-withdrawn"
    """The patient has withdrawn: nothing of him is de-identified any more."""
    RECALLED = "recalled"
    """It was released and taken back, or its research UID is one that was taken back; only a re-issue makes it anew."""
    STORE_REFUSED = "store-refused"
    """The research PACS refused the object for a reason that trying again does not cure."""
    UNEXPECTED = "unexpected"
    """An exception that nobody foresaw; a defect to report, with the exception's type in the detail."""


OF_PIXELS = frozenset(
    {
        HoldReason.BURNED_IN_RISK,
        HoldReason.UNCONFIRMED_DEVICE,
        HoldReason.UNDECODABLE,
        HoldReason.RECOGNIZABLE_FACE,
    }
)
"""What a person can judge who sees the picture."""
