"""Runs the Great Expectations suite over the findings of a batch and publishes its Data Docs.

Great Expectations takes seconds to import, so nothing here imports it before it is needed. It sees counts only:
its results and pages repeat what they are given.
"""

import logging
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import pandas as pd

from dicomanon.errors import Fatal
from dicomanon.validate.data_docs import Summary, publish
from dicomanon.validate.frame import IDENTIFIERS, STUDY_COUNTS
from dicomanon.validate.suite import RULES, Severity

_RESULT_FORMAT: Final = {
    "result_format": "COMPLETE",
    "unexpected_index_column_names": ["sop_uid"],
    "include_unexpected_rows": False,
}
_STUDY_RESULT_FORMAT: Final = {**_RESULT_FORMAT, "unexpected_index_column_names": ["study_uid"]}
_SITE: Final = "data_docs"


@dataclass(frozen=True, slots=True)
class CheckpointResult:
    """The verdict of a batch.

    Parameters
    ----------
    success
        Whether every instance passed every rule that holds, and no study misses an instance.
    failed
        Rule ids by research SOP Instance UID, of rules that hold.
    failed_studies
        Research Study Instance UIDs of studies with instances unaccounted for.
    docs_index
        The first page of the Data Docs.
    statistics
        Counts: ``instances``, ``studies``, ``expectations``, ``failed_expectations``, ``noted_expectations``,
        ``failed_instances``.
    """

    success: bool
    failed: Mapping[str, tuple[str, ...]]
    failed_studies: tuple[str, ...]
    docs_index: Path | None
    statistics: Mapping[str, int]


def warm_up() -> None:
    """Import Great Expectations, so that the first batch of a process does not wait for it."""
    _great_expectations()


@cache
def _great_expectations() -> Any:
    # Read at import: analytics would send usage data, and must not even try on a closed network.
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    # Loggers below it print one line per registered class and per metric.
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    import great_expectations
    from great_expectations.data_context.types import base

    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    logging.getLogger("great_expectations._docs_decorators").setLevel(logging.WARNING)
    return great_expectations, base


def run_checkpoint(
    frame: pd.DataFrame, docs_dir: Path, *, run_name: str, studies: pd.DataFrame | None = None
) -> CheckpointResult:
    """Judge a batch.

    Parameters
    ----------
    frame
        As :func:`dicomanon.validate.frame.findings_frame` makes it; other columns are refused.
    docs_dir
        Where the Data Docs go, replacing what is there. One folder per batch: two tasks must not write one site.
    run_name
        Shown on the pages; an id, never a name.
    studies
        As :func:`dicomanon.validate.frame.studies_frame` makes it, for the check that no instance is missing.

    Raises
    ------
    Fatal
        The frames are not of that form, or Great Expectations disagrees with the counts it was given.
    """
    _check_columns(frame, (*IDENTIFIERS, *RULES))
    if studies is not None:
        _check_columns(studies, ("study_uid", *STUDY_COUNTS, "unaccounted"))
    gx, base = _great_expectations()
    staging = Path(tempfile.mkdtemp(prefix=".data-docs-", dir=_made(docs_dir.parent)))
    try:
        context = _context(gx, base, staging)
        results = [_validate(gx, context, "instances", frame, _instance_expectations(gx), _RESULT_FORMAT, run_name)]
        if studies is not None:
            results.append(
                _validate(gx, context, "studies", studies, _study_expectations(gx), _STUDY_RESULT_FORMAT, run_name)
            )
        context.build_data_docs()
        result = _result(frame, studies, results)
        return replace(result, docs_index=publish(staging, docs_dir, _summary(result, run_name)))
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _check_columns(frame: pd.DataFrame, columns: tuple[str, ...]) -> None:
    if tuple(frame.columns) != columns:
        raise Fatal("the findings frame does not have the columns of this suite")


def _context(gx: Any, base: Any, folder: Path) -> Any:
    """Return a context that keeps its results in memory and writes pages only."""
    site = {
        "class_name": "SiteBuilder",
        "show_how_to_buttons": False,
        # A page per suite would repeat the rules at a quarter of the run's time.
        "site_section_builders": {"expectations": "None"},
        "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder)},
        # Ours replaces its index, which lists nothing without scripts from servers outside.
        "site_index_builder": None,
    }
    # The default would add a site of its own in a temporary folder that nobody removes.
    stores = base.InMemoryStoreBackendDefaults(init_temp_docs_sites=False)
    config = base.DataContextConfig(
        store_backend_defaults=stores,
        data_docs_sites={_SITE: site},
        analytics_enabled=False,
        progress_bars=base.ProgressBarsConfig(globally=False),
    )
    return gx.get_context(mode="ephemeral", project_config=config)


def _instance_expectations(gx: Any) -> list[Any]:
    return [
        gx.expectations.ExpectColumnValuesToBeUnique(column="sop_uid"),
        *(
            gx.expectations.ExpectColumnValuesToBeBetween(
                column=rule.id,
                min_value=0,
                max_value=0,
                severity="critical" if rule.severity is Severity.HOLD else "info",
                description=f"{rule.title} ({rule.paragraph}).",
                meta={"rule": rule.id},
            )
            for rule in RULES.values()
        ),
    ]


def _study_expectations(gx: Any) -> list[Any]:
    between = gx.expectations.ExpectColumnValuesToBeBetween
    return [
        gx.expectations.ExpectColumnValuesToBeUnique(column="study_uid"),
        between(
            column="unaccounted",
            min_value=0,
            max_value=0,
            severity="critical",
            description="Every enrolled instance is staged, held, filtered or stored.",
            meta={"rule": "unaccounted"},
        ),
    ]


def _validate(
    gx: Any,
    context: Any,
    name: str,
    frame: pd.DataFrame,
    expectations: list[Any],
    result_format: dict[str, Any],
    run_name: str,
) -> Any:
    asset = context.data_sources.add_pandas(name).add_dataframe_asset(name)
    suite = context.suites.add(gx.ExpectationSuite(name=name, expectations=expectations))
    definition = context.validation_definitions.add(
        gx.ValidationDefinition(name=name, data=asset.add_batch_definition_whole_dataframe(name), suite=suite)
    )
    checkpoint = context.checkpoints.add(
        gx.Checkpoint(name=name, validation_definitions=[definition], result_format=result_format)
    )
    run = checkpoint.run(batch_parameters={"dataframe": frame}, run_id=gx.RunIdentifier(run_name=run_name))
    return next(iter(run.run_results.values()))


def _result(frame: pd.DataFrame, studies: pd.DataFrame | None, results: list[Any]) -> CheckpointResult:
    failed: dict[str, list[str]] = {}
    failed_studies: list[str] = []
    expectations = failures = notes = 0
    for result in [single for run in results for single in run.results]:
        expectations += 1
        if result.success:
            continue
        rule = (result.expectation_config.meta or {}).get("rule", "")
        if rule in RULES and RULES[rule].severity is Severity.NOTE:
            notes += 1
            continue
        failures += 1
        if result.exception_info and result.exception_info.get("raised_exception"):
            raise Fatal("an expectation could not be evaluated")
        for row in result.result.get("unexpected_index_list") or []:
            if "sop_uid" in row:
                failed.setdefault(row["sop_uid"], []).append(rule or "unique")
            else:
                failed_studies.append(row["study_uid"])
    holding = [rule.id for rule in RULES.values() if rule.severity is Severity.HOLD]
    counted = set(frame.loc[(frame[holding] != 0).any(axis=1), "sop_uid"])
    if counted - failed.keys():
        raise Fatal("the checkpoint passed instances that have findings")
    return CheckpointResult(
        success=failures == 0,
        failed={uid: tuple(rules) for uid, rules in failed.items()},
        failed_studies=tuple(dict.fromkeys(failed_studies)),
        docs_index=None,
        statistics={
            "instances": len(frame),
            "studies": 0 if studies is None else len(studies),
            "expectations": expectations,
            "failed_expectations": failures,
            "noted_expectations": notes,
            "failed_instances": len(failed),
        },
    )


def _summary(result: CheckpointResult, run_name: str) -> Summary:
    return Summary(
        title=run_name,
        success=result.success,
        statistics=result.statistics,
        failed={
            uid: tuple(f"{rule}: {RULES[rule].title}" if rule in RULES else rule for rule in rules)
            for uid, rules in result.failed.items()
        },
        incomplete_studies=result.failed_studies,
    )
