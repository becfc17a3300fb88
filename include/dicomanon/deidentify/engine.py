"""De-identifies one instance: source, profile and context in, outcome out, and never an exception."""

from dicomanon.deidentify.conditions import keep_conditions
from dicomanon.deidentify.context import PatientContext
from dicomanon.deidentify.markers import CONTRIBUTING_EQUIPMENT, markers
from dicomanon.deidentify.outcome import ActionLog, Deidentified, HeldInstance, Outcome
from dicomanon.deidentify.rewriting import Rewriter
from dicomanon.deidentify.risk import require_releasable
from dicomanon.deidentify.source import SourceInstance
from dicomanon.deidentify.uids import research_uids
from dicomanon.errors import Held
from dicomanon.profile.compiler import LONGITUDINAL_INFORMATION_MODIFIED, CompiledProfile
from dicomanon.profile.options import RETAIN_UIDS
from dicomanon.reasons import HoldReason
from dicomanon.standard.tables import format_tag


def deidentify(
    source: SourceInstance, profile: CompiledProfile, context: PatientContext, log: ActionLog | None = None
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

    Returns
    -------
    Deidentified or HeldInstance
        Whatever goes wrong holds the instance: nothing passes because a rule failed.
    """
    rewriter: Rewriter | None = None
    try:
        require_releasable(source, profile)
        _require_secrets(profile, context)
        rewriter = Rewriter(source, profile, context, log)
        uids = research_uids(context.uids, retained=profile.has(RETAIN_UIDS))
        rewritten = rewriter.rewrite()
        written = markers(
            profile,
            context.pseudonym,
            source.file.codec,
            equipment=next((chunk for tag, chunk in rewritten if tag == CONTRIBUTING_EQUIPMENT), b""),
            dates_before=source.text(LONGITUDINAL_INFORMATION_MODIFIED),
        )
        ours = {tag for tag, _ in written}
        kept = keep_conditions(rewritten, source.file.codec)
        elements = [element for element in kept if element[0] not in ours]
        elements.extend(written)
        elements.sort(key=lambda element: element[0])
        return Deidentified(
            sop_class_uid=source.sop_class_uid,
            study_uid=uids(source.study_uid),
            series_uid=uids(source.series_uid),
            sop_uid=uids(source.sop_uid),
            transfer_syntax=source.transfer_syntax,
            action_counts={str(action): count for action, count in rewriter.counts.items()},
            chunks=tuple([chunk for _, chunk in elements]),
        )
    except Held as held:
        return HeldInstance(held.reason, held.detail)
    except Exception as error:
        # The type and the tag, and no more: the text of an exception can hold the value that provoked it.
        at = format_tag(rewriter.at) if rewriter is not None else "the start"
        reason = HoldReason.RULE_FAILED if rewriter is not None else HoldReason.UNEXPECTED
        return HeldInstance(reason, f"{type(error).__name__} at {at}")


def _require_secrets(profile: CompiledProfile, context: PatientContext) -> None:
    """Refuse a context that would release what it should hide; a defect of the caller, not of the object."""
    if not context.pseudonym.isascii() or not context.pseudonym.isalnum():
        raise Held(HoldReason.RULE_FAILED, "the pseudonym is empty or has other characters than letters and digits")
    if profile.modifies_dates and not context.date_shift_days:
        raise Held(HoldReason.RULE_FAILED, "the date shift is zero days")
