"""DICOManon: a traceable de-identification pipeline for medical images."""

__version__ = "0.1.0"
