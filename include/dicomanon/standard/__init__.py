"""The DICOM Standard's tables as data files, and the loaders that give them types."""

EDITION = "PS3.15 2026d"
"""Edition of the confidentiality tables; part of every profile's version."""
