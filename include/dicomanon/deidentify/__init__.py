"""Doing it: a pure core that takes a source object, a profile and a context, and gives back an outcome."""

from dicomanon.deidentify.context import PatientContext
from dicomanon.deidentify.encoding import encode, encode_in_pieces
from dicomanon.deidentify.engine import deidentify
from dicomanon.deidentify.faces.series import Face, find_faces
from dicomanon.deidentify.outcome import ActionEntry, ActionLog, Deidentified, Filtered, HeldInstance, Outcome
from dicomanon.deidentify.pixels.seeing import Seen, look, look_together
from dicomanon.deidentify.source import SourceInstance, parse
from dicomanon.deidentify.uids import UidMapper

__all__ = [
    "ActionEntry",
    "ActionLog",
    "Deidentified",
    "Face",
    "Filtered",
    "HeldInstance",
    "Outcome",
    "PatientContext",
    "Seen",
    "SourceInstance",
    "UidMapper",
    "deidentify",
    "encode",
    "encode_in_pieces",
    "find_faces",
    "look",
    "look_together",
    "parse",
]
