"""Carries a removal out, step by step; each may be repeated, and a step that was broken off is done again.

The crosswalk is changed first, so that nothing new is released of what is to go; then the releases end and their
holders are told; only then the research PACS is asked to delete, and asked again whether it has.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import Final
from uuid import UUID

from dicomanon.cohort.own_pseudonyms import tombstones_as_told
from dicomanon.cohort.tombstone import mark_if_ended, write_next_version
from dicomanon.crosswalk.removals.rows import FormerObject, RemovalReceipt, Step, Tombstone
from dicomanon.errors import Fatal, Retriable
from dicomanon.notices import FolderNotifier, Notifier, SmtpNotifier
from dicomanon.pacs.removal import remover_for
from dicomanon.pipeline.removal.certificate import write_certificate
from dicomanon.pipeline.removal.contacts import load_contacts
from dicomanon.pipeline.removal.notice import notice
from dicomanon.pipeline.runtime import Runtime

Counts = dict[str, int]


def mark(runtime: Runtime, removal_id: UUID) -> Counts:
    """Say in the crosswalk what goes: from now on nothing new is released of it."""
    removals = runtime.crosswalk.removals
    return removals.mark(removals.find(removal_id), runtime.settings.removal_approvals)


def replace_releases(runtime: Runtime, removal_id: UUID) -> Counts:
    """Write tombstones into the folders of releases that had any of it, and the versions that replace them."""
    counts = {"releases": 0, "folders": 0, "new_releases": 0}
    for tombstone in _tombstones(runtime, removal_id):
        counts["releases"] += 1
        counts["folders"] += mark_if_ended(runtime.crosswalk, runtime.settings.release_dir, tombstone.release)
        counts["new_releases"] += write_next_version(runtime.crosswalk, runtime.settings.release_dir, tombstone)
        if tombstone.replaced_by is not None:
            # Another removal may have ended it since it was entered, and then looked for its folder in vain.
            mark_if_ended(runtime.crosswalk, runtime.settings.release_dir, tombstone.replaced_by)
    _done(runtime, removal_id, Step.REPLACED, counts)
    return counts


def notify(runtime: Runtime, removal_id: UUID) -> Counts:
    """Tell the holders of each release: always by a file, and by e-mail where the site has a server and addresses.

    Raises
    ------
    Retriable
        The e-mail server did not take a message; who was told already is not told again.
    """
    settings, removals = runtime.settings, runtime.crosswalk.removals
    removal = removals.find(removal_id)
    contacts = load_contacts(settings.notice_contacts)
    told = {(one.release_id, one.means) for one in removals.notices(removal)}
    counts: Counts = {"releases": 0, "notices": 0, "without_address": 0}
    for tombstone in tombstones_as_told(runtime.crosswalk, _tombstones(runtime, removal_id)):
        recipients = contacts.of(tombstone.release)
        counts["releases"] += 1
        counts["without_address"] += not recipients
        notifiers: list[Notifier] = [FolderNotifier(settings.notice_dir)]
        if settings.smtp is not None and recipients:
            notifiers.append(SmtpNotifier(settings.smtp))
        for notifier in notifiers:
            counts["notices"] += 1
            if (tombstone.release.id, notifier.means) in told:
                continue
            notifier.send(notice(tombstone, recipients, settings.smtp.sender if settings.smtp else ""))
            removals.record_notice(removal, tombstone.release.id, notifier.means, recipients)
    _done(runtime, removal_id, Step.NOTIFIED, counts)
    return counts


def remove_objects(runtime: Runtime, removal_id: UUID) -> Counts:
    """Have the research PACS delete what the removal took, and look whether it is gone, what was gone before too.

    Raises
    ------
    Retriable
        The research PACS cannot be asked, or shows what it said to have deleted.
    Fatal
        The removal is not marked; or the PACS deletes nothing for us, and a person has not done it yet.
    """
    removals = runtime.crosswalk.removals
    removal = removals.find(removal_id)
    if Step.MARKED not in removal.steps:
        raise Fatal("the removal is not marked in the crosswalk yet: nothing is deleted before")
    removals.wait_for_stores(removal)
    remover = remover_for(runtime.settings.research, runtime.settings.research_orthanc_url)
    objects = removals.objects(removal)
    remover.remove([one.research_sop_uid for one in objects])
    receipts = _looked_for(runtime, objects, remover.means)
    removals.record_receipts(removal, receipts)
    left = sum(not receipt.gone for receipt in receipts)
    if left:
        raise _still_there(left, removal_id, by_hand=not runtime.settings.research_orthanc_url)
    counts = {"objects": len(objects)}
    _done(runtime, removal_id, Step.REMOVED, counts)
    return counts


def certify(runtime: Runtime, removal_id: UUID) -> Counts:
    """Sign what was done, and what could not be.

    Raises
    ------
    Fatal
        A step before is not done.
    """
    removal = runtime.crosswalk.removals.find(removal_id)
    missing = [step for step in Step if step is not Step.CERTIFIED and step not in removal.steps]
    if missing:
        raise Fatal(f"the removal is not {missing[0]} yet: there is nothing to certify")
    write_certificate(runtime, removal)
    _done(runtime, removal_id, Step.CERTIFIED, {"certificates": 1})
    return {"certificates": 1}


STEPS: Final[tuple[tuple[Step, Callable[[Runtime, UUID], Counts]], ...]] = (
    (Step.MARKED, mark),
    (Step.REPLACED, replace_releases),
    (Step.NOTIFIED, notify),
    (Step.REMOVED, remove_objects),
    (Step.CERTIFIED, certify),
)


def carry_out(runtime: Runtime, removal_id: UUID, note: Callable[[Step, Counts], None] | None = None) -> None:
    """Do every step, those that are done already too: what they find done, they leave.

    Once the removal is marked, no step waits for another's luck: an e-mail server that is away keeps nothing in the
    research PACS, and a person who has still to remove objects keeps no holder uninformed.

    Raises
    ------
    Retriable, Fatal
        The first that a step raised, after the others; nothing is certified then.
    """
    failure: Retriable | Fatal | None = None
    for step, work in STEPS:
        if failure is not None and step is Step.CERTIFIED:
            raise failure
        try:
            counts = work(runtime, removal_id)
        except (Retriable, Fatal) as error:
            if step is Step.MARKED:
                raise
            failure = failure or error
        else:
            if note is not None:
                note(step, counts)


def _looked_for(runtime: Runtime, objects: Sequence[FormerObject], means: str) -> list[RemovalReceipt]:
    """Ask QIDO-RS by study and WADO-RS by object what the research PACS shows."""
    receipts: list[RemovalReceipt] = []
    for study_uid, group in groupby(objects, key=lambda one: one.research_study_uid):
        listed = runtime.research.stored_instances(study_uid)

        def look(one: FormerObject, listed: set[str] = listed) -> RemovalReceipt:
            shown = one.research_sop_uid in listed or runtime.research.shows(
                one.research_study_uid, one.research_series_uid, one.research_sop_uid
            )
            return RemovalReceipt(one.instance_id, gone=not shown, means=means)

        with ThreadPoolExecutor(runtime.settings.research.threads) as pool:
            receipts += pool.map(look, group)
    return receipts


def _still_there(left: int, removal_id: UUID, *, by_hand: bool) -> Fatal | Retriable:
    if by_hand:
        return Fatal(
            f"{left} objects are to be removed from the research PACS by hand: `dicomanon removal show {removal_id}"
            " --objects` lists them; then run this again"
        )
    return Retriable(f"the research PACS still shows {left} objects that it was asked to delete")


def _tombstones(runtime: Runtime, removal_id: UUID) -> list[Tombstone]:
    removals = runtime.crosswalk.removals
    if Step.MARKED not in removals.find(removal_id).steps:
        raise Fatal("the removal is not marked in the crosswalk yet")
    return removals.tombstones(removal_id=removal_id)


def _done(runtime: Runtime, removal_id: UUID, step: Step, counts: Counts) -> None:
    removals = runtime.crosswalk.removals
    removals.record_step(removals.find(removal_id), step, counts)
