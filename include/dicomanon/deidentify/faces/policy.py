"""What a profile says about faces, applied to one instance from its header alone (PS3.15 E.3.2)."""

from dicomanon.deidentify.faces.facts import facts_of
from dicomanon.deidentify.faces.recognise import Recognition, Sight, recognise
from dicomanon.deidentify.source import SourceInstance
from dicomanon.errors import Held
from dicomanon.profile.compiler import CompiledProfile
from dicomanon.reasons import HoldReason


def judge_face(source: SourceInstance, profile: CompiledProfile) -> Recognition:
    """Return what is known of a face in the instance, where the profile lets the instance pass.

    Raises
    ------
    Held
        ``RECOGNIZABLE_FACE``: the profile holds faces, and the header does not speak against one. The detail has the
        codes of what the answer rests on.
    """
    recognition = recognise(facts_of(source))
    if profile.recognizable_visual_features == "hold" and recognition.sight is not Sight.NO_FACE:
        raise Held(HoldReason.RECOGNIZABLE_FACE, f"{recognition.sight}: {', '.join(recognition.reasons)}")
    return recognition
