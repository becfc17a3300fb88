"""Whether three places say the same of one study; pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

from dicomanon.crosswalk.archives.causes import Cause
from dicomanon.crosswalk.archives.rows import Difference, InstanceKey, LedgerInstance, LedgerStudy
from dicomanon.crosswalk.rows import InstanceState
from dicomanon.identity import InstanceSighting
from dicomanon.values import Phi

_KEPT_BACK = {InstanceState.HELD, InstanceState.FILTERED, InstanceState.WITHDRAWN}


def compare_clinical(
    study: LedgerStudy, ledger: Sequence[LedgerInstance], clinical: Mapping[InstanceKey, str]
) -> Iterator[Difference]:
    """Compare what the clinical PACS lists of a study with the ledger; one difference a direction, with counts."""
    known = {row.key for row in ledger}
    if known and not clinical:
        yield Difference(Cause.GONE_FROM_CLINICAL, study.study_id, detail=f"{len(known)} instances")
        return
    if extra := clinical.keys() - known:
        yield Difference(
            Cause.INSTANCES_NOT_IN_LEDGER, study.study_id, detail=f"{len(extra)} of {len(clinical)} instances"
        )
    if gone := known - clinical.keys():
        yield Difference(
            Cause.INSTANCES_GONE_FROM_CLINICAL, study.study_id, detail=f"{len(gone)} of {len(known)} instances"
        )


def compare_research(
    study: LedgerStudy,
    ledger: Sequence[LedgerInstance],
    clinical: Mapping[InstanceKey, str],
    research: Sequence[InstanceSighting],
    research_uid: Callable[[str], str],
    former: Mapping[str, int] = MappingProxyType({}),
) -> Iterator[Difference]:
    """Compare what the research PACS lists of a study with what was stored.

    Parameters
    ----------
    clinical
        The clinical listing, by which objects of ours are recognised that no row has; empty where there is none.
    research_uid
        Makes a research UID of a clinical one.
    former
        Research UIDs of objects that were removed, each with its instance.
    """
    shown = {one.sop_uid: one for one in research}
    stored = [row for row in ledger if row.state is InstanceState.STORED and row.research_sop_uid not in former]
    if stored and not shown:
        yield Difference(Cause.STUDY_MISSING, study.study_id, detail=f"{len(stored)} instances")
        return
    for row in stored:
        if row.research_sop_uid not in shown:
            yield Difference(Cause.INSTANCE_MISSING, study.study_id, row.instance_id)
    rows = {row.research_sop_uid: row for row in ledger if row.research_sop_uid}
    by_key = {row.key: row for row in ledger}
    # A profile that keeps UIDs gives an object of ours its clinical UID.
    sources = {name: key for key, uid in clinical.items() for name in (uid, research_uid(uid))}
    for uid, one in shown.items():
        if uid in former:
            yield Difference(Cause.INSTANCE_NOT_REMOVED, study.study_id, former[uid], research_uid=uid)
            continue
        known = rows.get(uid) or by_key.get(sources.get(uid, (b"", b"")))
        if known is not None:
            yield from _same_object(study, known, one)
        elif uid in sources:
            yield Difference(Cause.INSTANCE_NOT_RECORDED, study.study_id, research_uid=uid)
        else:
            yield Difference(Cause.INSTANCE_UNKNOWN, study.study_id, subject=Phi(uid))


def _same_object(study: LedgerStudy, row: LedgerInstance, shown: InstanceSighting) -> Iterator[Difference]:
    if row.state in _KEPT_BACK:
        yield Difference(Cause.HELD_IN_RESEARCH, study.study_id, row.instance_id, detail=str(row.state))
    elif row.state is not InstanceState.STORED:
        yield Difference(Cause.INSTANCE_NOT_RECORDED, study.study_id, row.instance_id, detail=str(row.state))
    else:
        differing = [
            name
            for name, said, kept in (
                ("series", shown.series_uid, row.research_series_uid),
                ("SOP class", shown.sop_class_uid, row.sop_class_uid),
            )
            # What an archive leaves out, or a private class that the crosswalk does not keep, says nothing.
            if said and kept and said != kept
        ]
        if differing:
            yield Difference(Cause.OBJECT_DIFFERS, study.study_id, row.instance_id, detail=", ".join(differing))
