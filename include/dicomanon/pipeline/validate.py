"""Checks every staged object of a batch for residual PHI and gives each its verdict."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from dicomanon.at_once import at_once
from dicomanon.crosswalk.research_facts import ResearchFacts
from dicomanon.crosswalk.rows import StagedInstance, Verdict
from dicomanon.errors import Fatal
from dicomanon.pipeline.allowing import allowed_attributes
from dicomanon.pipeline.profiles import site_profile
from dicomanon.pipeline.research_facts import research_facts
from dicomanon.pipeline.runtime import Runtime
from dicomanon.pipeline.staging import Staging
from dicomanon.pipeline.task_reads import record_batch_read
from dicomanon.reasons import HoldReason
from dicomanon.validate.checkpoint import run_checkpoint
from dicomanon.validate.examine import Expected, Findings, examine
from dicomanon.validate.frame import StudyCount, findings_frame, studies_frame
from dicomanon.validate.search import KnownValueSearch
from dicomanon.values import BatchId

Counts = dict[str, int]
Examined = tuple[StagedInstance, Expected, Findings, ResearchFacts]


def validate(runtime: Runtime, batch_id: BatchId, docs: str) -> Counts:
    """Examine the batch's staged objects, run the checkpoint, record a verdict for each, hold what fails.

    Parameters
    ----------
    docs
        Folder of the Data Docs below the site's Data Docs folder; made of ids only.

    Raises
    ------
    Fatal
        A staged object is missing: the batch must be pulled again.
    """
    staging = Staging(runtime.settings.staging_dir, batch_id)
    staged = [row for row in runtime.crosswalk.mapping.staged(batch_id) if row.state == "deidentified"]
    missing = sum(not staging.holds(row.research_sop_uid) for row in staged)
    if missing:
        raise Fatal(f"{missing} staged objects are missing: clear this batch's pull_and_anonymize to pull them again")
    if not staged:
        return {"instances": 0, "passed": 0, "held": 0}
    record_batch_read(runtime.crosswalk, "task.validate", "known values and date shifts", batch_id, len(staged))
    failed: dict[int, str] = {}
    examined = list(_examine(runtime, staging, staged, failed))
    for instance_id, error in failed.items():
        runtime.crosswalk.mapping.hold(
            batch_id, [instance_id], HoldReason.UNEXPECTED, f"{error} while it was validated"
        )
    if not examined:
        return {"instances": len(staged), "passed": 0, "held": len(staged)}
    checkpoint = run_checkpoint(
        findings_frame((expected, findings) for _, expected, findings, _ in examined),
        runtime.settings.data_docs_dir / docs,
        run_name=docs.replace("/", " "),
        studies=studies_frame(_study_counts(runtime, batch_id)),
    )
    verdicts = [
        _verdict(row, findings, checkpoint.failed.get(row.research_sop_uid, ()), facts)
        for row, _, findings, facts in examined
    ]
    runtime.crosswalk.mapping.record_verdicts(batch_id, verdicts)
    passed = {verdict.instance_id for verdict in verdicts if verdict.passed}
    for row in staged:
        if row.instance_id not in passed:
            staging.remove(row.research_sop_uid)
    return {"instances": len(staged), "passed": len(passed), "held": len(staged) - len(passed)}


def _examine(
    runtime: Runtime, staging: Staging, staged: Sequence[StagedInstance], failed: dict[int, str]
) -> Iterator[Examined]:
    """Yield the findings of each object; a few objects, and the known values of their studies, are in memory at a time.

    An object that trips a defect of ours is entered in ``failed`` with the type of the exception, and stops no other.
    """
    allowed = allowed_attributes(site_profile(runtime))

    def examined(task: tuple[StagedInstance, Expected, KnownValueSearch]) -> Examined | None:
        row, expected, search = task
        data = staging.path(row.research_sop_uid).read_bytes()
        try:
            findings = examine(data, expected, search, allowed)
            # Of what is held nothing is kept, and it may not be readable.
            return row, expected, findings, research_facts(data) if findings.reason is None else {}
        except Exception as error:
            failed[row.instance_id] = type(error).__name__
            return None

    yield from filter(None, at_once(runtime.settings.pull_threads, examined, _tasks(runtime, staged)))


def _tasks(
    runtime: Runtime, staged: Sequence[StagedInstance]
) -> Iterator[tuple[StagedInstance, Expected, KnownValueSearch]]:
    """Yield with each object what it must be and what must not be found in it."""
    for study_id, rows in groupby(staged, key=lambda row: row.study_id):
        search = KnownValueSearch(runtime.crosswalk.mapping.known_values([study_id])[study_id])
        date_shift_days = runtime.crosswalk.mapping.date_shift(study_id)
        for row in rows:
            expected = Expected(
                pseudonym=row.pseudonym,
                study_uid=row.research_study_uid,
                series_uid=row.research_series_uid,
                sop_uid=row.research_sop_uid,
                sop_class_uid=row.sop_class_uid,
                output_digest=row.output_digest,
                profile_version=row.profile_version,
                date_shift_days=date_shift_days,
            )
            yield row, expected, search


def _verdict(row: StagedInstance, findings: Findings, failed: tuple[str, ...], facts: ResearchFacts) -> Verdict:
    """Turn the checkpoint's word on an object into its verdict; a rule that only it knows holds the object as well."""
    passed = not failed
    reason = None if passed else findings.reason or HoldReason.NONCONFORMANT
    return Verdict(row.instance_id, passed, dict(findings.counts), reason, row.output_digest, facts)


def _study_counts(runtime: Runtime, batch_id: BatchId) -> Iterator[StudyCount]:
    """Yield, for each study of the batch, how many of the batch's instances are where."""
    sources = sorted(runtime.crosswalk.ledger.batch_sources(batch_id), key=lambda source: source.study_id)
    research = {row.study_id: str(row.research_study_uid) for row in runtime.crosswalk.mapping.staged(batch_id)}
    for study_id, group in groupby(sources, key=lambda source: source.study_id):
        states = [str(source.state) for source in group]
        if study_id in research:
            yield StudyCount(
                research[study_id],
                enrolled=len(states) - states.count("withdrawn"),
                staged=states.count("deidentified") + states.count("validated"),
                held=states.count("held"),
                filtered=states.count("filtered"),
                stored=states.count("stored"),
            )
