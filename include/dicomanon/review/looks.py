"""One look at a held instance: recorded, then fetched into memory, then drawn; nothing is ever written down."""

import threading
from dataclasses import dataclass

from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.rows import HeldInstance, HeldSource
from dicomanon.errors import DicomanonError, Held, Retriable
from dicomanon.guard import no_values_escape
from dicomanon.pacs.endpoint import PacsEndpoint
from dicomanon.pacs.query import ClinicalPacs
from dicomanon.pipeline.pixel_picture import FramePicture, picture_of, redrawn
from dicomanon.profile import CompiledProfile
from dicomanon.reasons import HoldReason
from dicomanon.review.recent import Recent

ACTION = "pixels.review"
"""What a look is called in the audit trail."""
_MOST_BYTES = 512 << 20
"""Of an object that is fetched, and of all that are kept: one long cine, or the slices that somebody goes through."""
_PATIENCE_SECONDS = 20.0
"""A person waits; a run, with its longer patience, tries again by itself."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a person sees of an instance.

    Attributes
    ----------
    picture
        ``None`` where there is none to be had.
    words
        What has to be said beside the picture or in its place; ``""`` if nothing has.
    instance
        Of what, where it is held.
    by_pacs
        Whether the PACS drew it, so that nothing was looked for in it.
    """

    picture: FramePicture | None
    words: str = ""
    instance: HeldInstance | None = None
    by_pacs: bool = False


class Looks:
    """Shows held instances to one person, for one reason.

    Parameters
    ----------
    crosswalk, clinical
        Where each look is recorded, and where the pictures come from.
    profile
        What a run would decide by.
    actor, reason
        Who looks, and why.
    at_once
        How many objects the PACS is asked for at once.
    """

    def __init__(
        self,
        crosswalk: Crosswalk,
        clinical: ClinicalPacs,
        profile: CompiledProfile,
        *,
        actor: str,
        reason: str,
        at_once: int = 2,
    ) -> None:
        self.profile = profile
        self._crosswalk = crosswalk
        self._clinical = clinical
        self._actor = actor
        self._reason = reason
        self._fetching = threading.BoundedSemaphore(at_once)
        self._recent = Recent(_MOST_BYTES)

    def look(
        self, instance_id: int, *, frame: int = 0, longest_side: int | None = None, contrast: bool = False
    ) -> Look:
        """Record a look, then fetch and draw; whatever stands in the way is said in words.

        Parameters
        ----------
        frame
            Counted from 0.
        longest_side, contrast
            As :func:`dicomanon.pipeline.pixel_picture.picture_of` takes them.
        """
        try:
            with no_values_escape():
                source = self._crosswalk.quarantine.look(
                    instance_id, actor=self._actor, action=ACTION, reason=self._reason
                )
                devices = self._crosswalk.devices.confirmed()
        except DicomanonError as error:
            return Look(None, f"Not shown, for the look cannot be recorded: {error}.")
        if source is None:
            return Look(None, "This instance is not held any more.")
        try:
            with no_values_escape():
                raw = self._fetched(source)
                picture = picture_of(
                    raw, self.profile, devices, frame=frame, longest_side=longest_side, contrast=contrast
                )
        except Retriable as error:
            return Look(None, f"No picture now: {error}.", source.instance)
        except DicomanonError as error:
            if isinstance(error, Held) and error.reason is HoldReason.NOT_RETRIEVED:
                return Look(None, "The clinical PACS does not have it any more.", source.instance)
            return self._drawn_by_pacs(source, frame, longest_side, str(error))
        return Look(picture, instance=source.instance)

    def _fetched(self, source: HeldSource) -> bytes:
        """Return the object; of what a PACS sends beside it nothing is taken."""
        number = source.instance.instance_id
        with self._fetching:
            raw = self._recent.get(number)
            if raw is not None:
                return raw
            raw = next(
                self._clinical.retrieve_instance(
                    source.study_uid.reveal(),
                    source.series_uid.reveal(),
                    source.sop_uid.reveal(),
                    most_bytes=_MOST_BYTES,
                ),
                None,
            )
        if raw is None:
            raise Held(HoldReason.NOT_RETRIEVED)
        self._recent.keep(number, raw)
        return raw

    def _drawn_by_pacs(self, source: HeldSource, frame: int, longest_side: int | None, why: str) -> Look:
        """Ask the PACS for its own picture of what we cannot draw."""
        try:
            with no_values_escape(), self._fetching:
                picture = self._clinical.rendered_frame(
                    source.study_uid.reveal(), source.series_uid.reveal(), source.sop_uid.reveal(), frame
                )
                shown = redrawn(picture, longest_side=longest_side)
        except DicomanonError as error:
            words = f"No picture: we cannot draw it ({why}), nor does the clinical PACS ({error})."
            return Look(None, words, source.instance)
        words = f"The clinical PACS drew this; we cannot ({why}). No text was looked for in it."
        return Look(shown, words, source.instance, by_pacs=True)


def for_a_person(endpoint: PacsEndpoint) -> PacsEndpoint:
    """Return the same PACS, asked with the patience of a person."""
    return endpoint.model_copy(update={"timeout_seconds": min(endpoint.timeout_seconds, _PATIENCE_SECONDS)})
