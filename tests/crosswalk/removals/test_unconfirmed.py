"""Objects that the research PACS may have though the ledger has gone beyond them: no removal forgets them."""

from collections.abc import Callable

import pytest
from tests.crosswalk.scenario import DOE, Run, digest, discover, held, research, sightings

from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.decisions.rows import Signed
from dicomanon.crosswalk.removals.rows import Removal, RemovalKind, Requester
from dicomanon.crosswalk.rows import Receipt, Verdict
from dicomanon.reasons import HoldReason

UID = "1.2.826.0.1.3680043.1"
WITHDRAWAL, RE_ISSUE = RemovalKind.WITHDRAWAL, RemovalKind.RE_ISSUE
SENT = {(research(f"{UID}.0.{number}"), digest(f"output {UID}.0.{number}")) for number in range(2)}


def answered(run: Run, *, accepted: bool) -> None:
    """Record what the research PACS said, which does not show the objects yet."""
    status = 0 if accepted else 0xA700
    staged = run.crosswalk.mapping.staged(run.batch)
    run.crosswalk.mapping.record_receipts(
        run.batch, [Receipt(row.instance_id, accepted=accepted, confirmed=False, status=status) for row in staged]
    )


@pytest.fixture
def sent(crosswalk: Crosswalk) -> Run:
    """A study whose two objects are validated."""
    discover(crosswalk, UID, sightings(UID, 2))
    run = Run(crosswalk)
    run.record()
    run.validate()
    return run


def mark(crosswalk: Crosswalk, kind: RemovalKind, pseudonym: str = "") -> Removal:
    pseudonym = pseudonym or str(crosswalk.patients.get_or_create(DOE).pseudonym)
    removal = crosswalk.removals.request_of_patient(
        kind, pseudonym, Requester("ada"), reason="asked by letter", ticket="DPO-17"
    )
    crosswalk.removals.mark(removal)
    return removal


def taken(crosswalk: Crosswalk, removal: Removal) -> set[tuple[str, bytes]]:
    return {(one.research_sop_uid, one.output_digest) for one in crosswalk.removals.objects(removal)}


def test_what_was_refused_is_made_anew_by_a_reissue_and_withdraws_afterwards(crosswalk: Crosswalk, sent: Run) -> None:
    answered(sent, accepted=False)
    assert sent.states() == ["held"] * 2
    assert taken(crosswalk, mark(crosswalk, RE_ISSUE)) == SENT, "a refused object may be there all the same"
    again = Run(crosswalk)
    assert again.states() == ["discovered"] * 2
    assert taken(crosswalk, mark(crosswalk, WITHDRAWAL)) == set(), "the re-issue has taken them"
    assert again.states() == ["withdrawn"] * 2


def made_again(run: Run) -> None:
    run.record(profile_version="research@ba9876543210", output_digest=b"other")


def found_wanting(run: Run) -> None:
    made_again(run)
    staged = run.crosswalk.mapping.staged(run.batch)
    run.crosswalk.mapping.record_verdicts(run.batch, [Verdict(row.instance_id, False, {"name": 1}) for row in staged])


def held_without_uids(run: Run) -> None:
    gone = {"research_study_uid": "", "research_series_uid": "", "research_sop_uid": "", "patient_id": None}
    run.crosswalk.mapping.record(
        run.batch, [held(outcome, HoldReason.UNREADABLE, **gone) for outcome in run.outcomes()]
    )


def held_by_hand(run: Run) -> None:
    ids = [row.instance_id for row in run.sources()]
    run.crosswalk.mapping.hold(run.batch, ids, HoldReason.NOT_RETRIEVED)


LATER: list[Callable[[Run], None]] = [made_again, found_wanting, held_without_uids, held_by_hand]


@pytest.mark.parametrize("kind", [WITHDRAWAL, RE_ISSUE])
@pytest.mark.parametrize("later", LATER)
def test_what_was_accepted_and_overtaken_by_a_run_is_looked_for(
    crosswalk: Crosswalk, sent: Run, later: Callable[[Run], None], kind: RemovalKind
) -> None:
    answered(sent, accepted=True)
    next_run = Run(crosswalk)
    later(next_run)
    assert {uid for uid, _ in taken(crosswalk, mark(crosswalk, kind))} == {uid for uid, _ in SENT}


def test_a_former_object_has_the_recipe_and_bytes_that_were_sent(crosswalk: Crosswalk, sent: Run) -> None:
    answered(sent, accepted=True)
    found_wanting(Run(crosswalk))
    removal = mark(crosswalk, WITHDRAWAL)
    assert taken(crosswalk, removal) == SENT
    trace = crosswalk.lineage.trace(min(SENT)[0])
    assert trace is not None
    assert {one.profile_version for one in trace.removals} == {"research@0123456789ab"}


def test_what_a_split_takes_up_again_is_removed_under_the_pseudonym_that_it_bears(
    crosswalk: Crosswalk, sent: Run
) -> None:
    bore = crosswalk.patients.get_or_create(DOE).pseudonym
    done = crosswalk.identities.split([research(UID)], Signed("admin", "asked the ward"))
    assert sent.states() == ["discovered"] * 2
    removal = mark(crosswalk, WITHDRAWAL, str(done.survivor))
    assert taken(crosswalk, removal) == SENT
    assert {one.pseudonym for one in crosswalk.removals.objects(removal)} == {bore}


def test_a_reissue_takes_what_was_sent_and_leaves_the_hold_of_what_was_found_wanting(
    crosswalk: Crosswalk, sent: Run
) -> None:
    answered(sent, accepted=True)
    wanting = Run(crosswalk)
    found_wanting(wanting)
    assert taken(crosswalk, mark(crosswalk, RE_ISSUE)) == SENT
    assert wanting.states() == ["held"] * 2
    assert taken(crosswalk, mark(crosswalk, WITHDRAWAL)) == set()


def test_what_became_stored_after_all_is_one_object(crosswalk: Crosswalk, sent: Run) -> None:
    answered(sent, accepted=True)
    next_run = Run(crosswalk)
    made_again(next_run)
    next_run.validate()
    next_run.store()
    objects = crosswalk.removals.objects(mark(crosswalk, WITHDRAWAL))
    assert {(one.research_sop_uid, one.output_digest) for one in objects} == {(uid, b"other") for uid, _ in SENT}
