"""Invented DICOM objects with planted PHI, and the search that proves where the planted PHI did not go."""
