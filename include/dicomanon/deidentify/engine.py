"""De-identifies one instance: source, profile and context in, outcome out, and never an exception."""

from collections.abc import Mapping
from operator import itemgetter

from dicomanon.deidentify.codec import Buffer
from dicomanon.deidentify.conditions import keep_conditions
from dicomanon.deidentify.context import PatientContext
from dicomanon.deidentify.faces.policy import judge_face, must_be_defaced
from dicomanon.deidentify.faces.recognise import Sight
from dicomanon.deidentify.faces.series import Face
from dicomanon.deidentify.markers import CONTRIBUTING_EQUIPMENT, markers
from dicomanon.deidentify.outcome import ActionLog, Deidentified, HeldInstance, Outcome
from dicomanon.deidentify.pixels.decision import PixelPath, Risk, decide
from dicomanon.deidentify.pixels.filling import Stencil
from dicomanon.deidentify.pixels.image import PIXELS, PixelImage
from dicomanon.deidentify.pixels.masking import MaskedPixels, mask
from dicomanon.deidentify.pixels.seeing import Seen
from dicomanon.deidentify.rewriting import Rewriter
from dicomanon.deidentify.source import SourceInstance
from dicomanon.deidentify.uids import research_uids
from dicomanon.devices import ConfirmedDevices
from dicomanon.errors import Held
from dicomanon.profile.actions import Action
from dicomanon.profile.compiler import CLEAN_PIXEL_DATA, LONGITUDINAL_INFORMATION_MODIFIED, CompiledProfile
from dicomanon.profile.options import RETAIN_UIDS
from dicomanon.reasons import HoldReason
from dicomanon.standard.dictionary import shown_tag

DEFACED_PIXELS = "defaced-pixels"
"""Among the counts of actions, that of pixels that became air."""


def deidentify(
    source: SourceInstance,
    profile: CompiledProfile,
    context: PatientContext,
    log: ActionLog | None = None,
    *,
    seen: Seen | None = None,
    face: Face | Held | None = None,
) -> Outcome:
    """Apply a profile to an instance (PS3.15 Annex E).

    Parameters
    ----------
    source
        From :func:`~dicomanon.deidentify.parse`; not changed. Its buffer must stay until the outcome is encoded.
    profile
        What to do.
    context
        Whose instance it is.
    log
        Gets an entry for every element of the source, where somebody wants to know.
    seen
        What :func:`~dicomanon.deidentify.look` found in the pixels. Without it the headers are cleaned, the pixels
        stay as they are and nothing is claimed of them; where text is likely in them, the instance is held.
    face
        What :func:`~dicomanon.deidentify.find_faces` found in the series. Without it an instance is held that the
        profile releases only without its face.

    Returns
    -------
    Deidentified or HeldInstance
        Whatever goes wrong holds the instance: nothing passes because a rule failed.
    """
    rewriter: Rewriter | None = None
    try:
        _require_a_look(source, profile, seen)
        recognition = judge_face(source, profile, face)
        defaced = face if isinstance(face, Face) and must_be_defaced(source, profile) else None
        _require_secrets(profile, context)
        rewriter = Rewriter(source, profile, context, log)
        uids = research_uids(context.uids, retained=profile.has(RETAIN_UIDS))
        rewritten = rewriter.rewrite()
        stencils = defaced.stencils(source) if defaced else {}
        masked = _masked(source, profile, seen, stencils)
        if masked is not None:
            rewritten = _with_pixels(rewritten, masked)
        written = markers(
            profile,
            context.pseudonym,
            source.file.codec,
            equipment=b"".join([chunk for tag, chunk in rewritten if tag == CONTRIBUTING_EQUIPMENT]),
            dates_before=source.text(LONGITUDINAL_INFORMATION_MODIFIED),
            pixels_cleaned=seen is not None
            and seen.decision.path is not PixelPath.NOTHING
            and profile.has(CLEAN_PIXEL_DATA),
            may_show_face=False if defaced else (recognition.sight is Sight.MAY_SHOW or None),
        )
        ours = {tag for tag, _ in written}
        kept = keep_conditions(rewritten, source.file.codec)
        elements = [element for element in kept if element[0] not in ours]
        elements.extend(written)
        elements.sort(key=itemgetter(0))
        return Deidentified(
            sop_class_uid=source.sop_class_uid,
            study_uid=uids(source.study_uid),
            series_uid=uids(source.series_uid),
            sop_uid=uids(source.sop_uid),
            transfer_syntax=source.transfer_syntax if masked is None else masked.transfer_syntax,
            action_counts={
                **{str(action): count for action, count in rewriter.counts.items()},
                **(_count_defaced(stencils, log) if defaced else {}),
            },
            chunks=tuple([chunk for _, chunk in elements]),
        )
    except Held as held:
        return HeldInstance(held.reason, held.detail)
    except Exception as error:
        # The type and the tag, and no more: the text of an exception can hold the value that provoked it.
        at = shown_tag(rewriter.at) if rewriter is not None else "the start"
        reason = HoldReason.RULE_FAILED if rewriter is not None else HoldReason.UNEXPECTED
        return HeldInstance(reason, f"{type(error).__name__} at {at}")


def _require_a_look(source: SourceInstance, profile: CompiledProfile, seen: Seen | None) -> None:
    """Hold what nobody has looked at, or what may not be changed, where text is likely."""
    decision = decide(source, profile, ConfirmedDevices()) if seen is None else seen.decision
    if decision.flagged and seen is None:
        raise Held(HoldReason.UNCONFIRMED_DEVICE, ", ".join(decision.reasons))
    unseen = seen is None or not profile.has(CLEAN_PIXEL_DATA)
    if decision.path is PixelPath.HOLD or (unseen and decision.risk is Risk.HIGH):
        raise Held(HoldReason.BURNED_IN_RISK, ", ".join(decision.reasons))


def _masked(
    source: SourceInstance, profile: CompiledProfile, seen: Seen | None, stencils: Mapping[int, Stencil]
) -> MaskedPixels | None:
    """Return the pixels less text and face, encoded once; ``None`` where neither is in them."""
    regions = seen.regions if seen is not None else ()
    if regions and not profile.has(CLEAN_PIXEL_DATA):
        raise Held(HoldReason.BURNED_IN_RISK, "text in pixels that the profile leaves as they are")
    if not regions and not stencils:
        return None
    image = PixelImage.of(source)
    assert image is not None, "regions and stencils are of an image"
    return mask(image, regions, stencils)


def _count_defaced(stencils: Mapping[int, Stencil], log: ActionLog | None) -> dict[str, int]:
    """Record that the face was taken out, also where none of it is in this slice, and of how many pixels."""
    if log is not None:
        log.add((PIXELS,), Action.DEFACE, "face in its series (PS3.15 E.3.2)")
    return {str(Action.DEFACE): 1, DEFACED_PIXELS: sum(int(stencil.pixels.sum()) for stencil in stencils.values())}


def _with_pixels(rewritten: list[tuple[int, Buffer]], masked: MaskedPixels) -> list[tuple[int, Buffer]]:
    kept = [chunk for chunk in rewritten if chunk[0] != PIXELS and chunk[0] not in masked.attributes]
    kept += [(tag, encoded) for tag, encoded in masked.attributes.items() if encoded is not None]
    return kept + [(PIXELS, piece) for piece in masked.pieces]


def _require_secrets(profile: CompiledProfile, context: PatientContext) -> None:
    """Refuse a context that would release what it should hide; a defect of the caller, not of the object."""
    if not context.pseudonym.isascii() or not context.pseudonym.isalnum():
        raise Held(HoldReason.RULE_FAILED, "the pseudonym is empty or has other characters than letters and digits")
    if profile.modifies_dates and not context.date_shift_days:
        raise Held(HoldReason.RULE_FAILED, "the date shift is zero days")
