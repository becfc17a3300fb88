"""What a profile says about faces, applied to one instance (PS3.15 E.3.2)."""

from dicomanon.deidentify.faces.facts import facts_of
from dicomanon.deidentify.faces.recognise import Recognition, Sight, recognise
from dicomanon.deidentify.faces.series import Face
from dicomanon.deidentify.source import SourceInstance
from dicomanon.errors import Held
from dicomanon.profile.compiler import CompiledProfile
from dicomanon.reasons import HoldReason


def must_be_defaced(source: SourceInstance, profile: CompiledProfile) -> bool:
    """Tell whether the profile releases an instance only without its face, which takes the whole of its series.

    That is so where the header does not speak against a face. It is asked of the instance alone: what the instances of
    a series have in common is not known before all of them are there, and a part of a head is easily taken for a thin
    slab.
    """
    return profile.defaces and recognise(facts_of(source)).sight is not Sight.NO_FACE


def judge_face(source: SourceInstance, profile: CompiledProfile, face: Face | Held | None = None) -> Recognition:
    """Return what the header says of a face in the instance, where the profile lets the instance pass.

    Parameters
    ----------
    face
        What :func:`~dicomanon.deidentify.find_faces` found in its series, where somebody has looked.

    Raises
    ------
    Held
        ``RECOGNIZABLE_FACE``: the header does not speak against a face, and the profile holds faces, or takes them out
        and none was found. Where nobody can tell whether there is one, not finding it proves nothing. The detail has
        the codes of what the answer rests on.
    """
    recognition = recognise(facts_of(source))
    if recognition.sight is Sight.NO_FACE or profile.recognizable_visual_features == "pass":
        return recognition
    detail = f"{recognition.sight}: {', '.join(recognition.reasons)}"
    if profile.defaces:
        if isinstance(face, Face):
            return recognition
        detail += f"; {face.detail if face else 'it was not seen with its series'}"
    raise Held(HoldReason.RECOGNIZABLE_FACE, detail)
