"""Names of the options that code has to tell apart, and how those are claimed that depend on the object."""

from dicomanon.standard.confidentiality import option_names

SAFE_PRIVATE = "retain-safe-private"
RETAIN_UIDS = "retain-uids"
DEVICE_IDENTITY = "retain-device-identity"
INSTITUTION_IDENTITY = "retain-institution-identity"
PATIENT_CHARACTERISTICS = "retain-patient-characteristics"
FULL_DATES = "retain-longitudinal-full-dates"
MODIFIED_DATES = "retain-longitudinal-modified-dates"
CLEAN_DESCRIPTORS = "clean-descriptors"
CLEAN_STRUCTURED_CONTENT = "clean-structured-content"
CLEAN_GRAPHICS = "clean-graphics"
CLEAN_PIXEL_DATA = "clean-pixel-data"
CLEAN_VISUAL_FEATURES = "clean-recognizable-visual-features"

BY_SWITCH = {CLEAN_VISUAL_FEATURES: "recognizable_visual_features: deface"}
"""Refused among the options of a profile, which says it in another way, so that nothing is said twice and otherwise."""
NOT_CLAIMED = frozenset({CLEAN_PIXEL_DATA})
"""Claimed object by object, where pixels were looked at; not by the profile as a whole."""

PARAGRAPHS = {
    CLEAN_PIXEL_DATA: "PS3.15 E.3.1",
    CLEAN_VISUAL_FEATURES: "PS3.15 E.3.2",
    CLEAN_GRAPHICS: "PS3.15 E.3.3",
    CLEAN_STRUCTURED_CONTENT: "PS3.15 E.3.4",
    CLEAN_DESCRIPTORS: "PS3.15 E.3.5",
    FULL_DATES: "PS3.15 E.3.6",
    MODIFIED_DATES: "PS3.15 E.3.6",
    PATIENT_CHARACTERISTICS: "PS3.15 E.3.7",
    DEVICE_IDENTITY: "PS3.15 E.3.8",
    RETAIN_UIDS: "PS3.15 E.3.9",
    SAFE_PRIVATE: "PS3.15 E.3.10",
    INSTITUTION_IDENTITY: "PS3.15 E.3.11",
}
"""Where the standard says what an option means."""

assert PARAGRAPHS.keys() == set(option_names())
