"""Identity events and decisions as people read them; identities only where somebody asked to see them."""

from collections.abc import Iterator, Sequence

from dicomanon.crosswalk.decisions.rows import Decided, OpenReissue, ShownEvent
from dicomanon.crosswalk.rows import IdentityEvent, IdentityEventKind
from dicomanon.identity import PatientIdentity

WHAT = {
    IdentityEventKind.PATIENT_DIFFERS: "a known Patient ID with another",
    IdentityEventKind.TWO_PATIENTS: "a study with objects of a second patient",
    IdentityEventKind.ACCESSION_REUSED: "an accession number of another patient's study",
    IdentityEventKind.UID_REUSED: "a SOP Instance UID under another study or with other content",
}
CHOICES = {
    IdentityEventKind.PATIENT_DIFFERS: "overrule (same person), split (another person), uphold",
    IdentityEventKind.TWO_PATIENTS: "merge (one person), overrule (wrong ID in the study), split --to, uphold",
    IdentityEventKind.ACCESSION_REUSED: "merge (one person), overrule, split --to, uphold",
    IdentityEventKind.UID_REUSED: "overrule (corrected in the PACS), uphold",
}


def event_line(event: IdentityEvent) -> str:
    """Return an event in one line, without PHI."""
    kind = IdentityEventKind(event.kind)
    parts = " " + ", ".join(part.replace("_", " ") for part in event.parts) if event.parts else ""
    state = event.decided or "open"
    return f"{event.id}  {event.recorded_at:%Y-%m-%d %H:%M}  {state}  {event.held} held  {WHAT[kind]}{parts}"


def shown(one: ShownEvent) -> Iterator[str]:
    """Yield both sides of an event; PHI."""
    yield event_line(one.event)
    if one.pseudonym:
        yield f"  patient {one.pseudonym}"
    for identity in one.known.reveal():
        yield f"    known   {_identity(identity)}"
    if (seen := one.seen.reveal()) is not None:
        yield f"    came    {_identity(seen)}"
    if one.other_pseudonym:
        yield f"  other patient {one.other_pseudonym}"
    for identity in one.other.reveal():
        yield f"    known   {_identity(identity)}"
    for uid in one.study_uids:
        yield f"  study in the clinical PACS {uid.reveal()}"
    if not one.event.decided:
        yield f"  decide: {CHOICES[IdentityEventKind(one.event.kind)]}"


def decided(done: Decided) -> Iterator[str]:
    """Yield what a decision did, or would do."""
    would = "would be " if done.dry_run else ""
    if done.survivor:
        with_ = f", with {', '.join(done.others)}" if done.others else ""
        yield f"{done.kind}: patient {done.survivor}{with_}"
    if done.new_keys:
        yield f"  {done.new_keys} Patient IDs {would}entered for this patient"
    if done.studies:
        yield f"  {len(done.studies)} studies are concerned"
    if done.settled:
        yield f"  {len(done.settled)} events {would}settled"
    yield f"  {done.freed} instances {would}queued again: the next run takes them up"
    if done.reissues:
        yield f"  {done.reissues} stored instances {would}marked to be re-issued; no new release takes them until then"
    for release in done.releases:
        yield f"  release {release.project}/{release.number:04d} for {release.requester} contains some of them"
    if done.dry_run:
        yield "  nothing was changed"


def reissue_lines(waiting: Sequence[OpenReissue]) -> Iterator[str]:
    """Yield what waits to be removed and made again."""
    for one in waiting:
        yield f"{one.research_sop_uid}  study {one.study_id}  since {one.opened_at:%Y-%m-%d %H:%M}"


def _identity(identity: PatientIdentity) -> str:
    parts = (identity.patient_id, identity.issuer, identity.name, identity.birth_date, identity.sex)
    return "  ".join(part or "-" for part in parts)
