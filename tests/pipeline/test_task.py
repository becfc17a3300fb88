"""What a step leaves in the lineage, and what of an error gets out."""

import logging
from typing import Any

import pytest
from tests.site import PlantedError, Site

from dicomanon.errors import Fatal, Held, Retriable
from dicomanon.pipeline.runtime import Runtime
from dicomanon.pipeline.task import TaskKey, no_values_escape, run_step
from dicomanon.reasons import HoldReason

KEY = TaskKey("ingest_studies", "manual__1", "batch.pull_and_anonymize", 4, 2)
EVENTS = (
    "SELECT dag_id, airflow_run_id, task_id, map_index, try_number, event, counts, error"
    " FROM crosswalk.task_event ORDER BY id"
)


def test_a_step_leaves_its_start_and_its_end_in_the_lineage(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert run_step(lambda runtime: {"instances": 3}, KEY) == {"instances": 3}
    coordinates = ("ingest_studies", "manual__1", "batch.pull_and_anonymize", 4, 2)
    assert site.rows(EVENTS) == [(*coordinates, "started", {}, ""), (*coordinates, "succeeded", {"instances": 3}, "")]
    assert caplog.messages == ["batch.pull_and_anonymize: instances 3"]


@pytest.mark.parametrize(
    ("raised", "becomes"),
    [
        (Retriable("the PACS is away"), Retriable),
        (Fatal("no profile"), Fatal),
        (Held(HoldReason.UNREADABLE), Held),
        (PlantedError(), Fatal),
        (KeyError("QUILLFEATHER^ROSA"), Fatal),
    ],
    ids=["Retriable", "Fatal", "Held", "foreign", "KeyError"],
)
def test_a_failing_step_leaves_the_kind_of_its_error(site: Site, raised: Exception, becomes: type[Exception]) -> None:
    def fail(runtime: Runtime) -> Any:
        raise raised

    with pytest.raises(becomes) as caught:
        run_step(fail, KEY)
    (_, failed) = site.rows(EVENTS)
    assert failed[-3:] == ("failed", {}, becomes.__name__)
    assert caught.value.__cause__ is None
    if becomes is type(raised):
        assert str(caught.value) == str(raised)
    else:
        assert str(caught.value).startswith(f"{type(raised).__name__} in ")
        assert "QUILLFEATHER" not in str(caught.value)


def test_an_interrupt_is_not_swallowed() -> None:
    with pytest.raises(KeyboardInterrupt), no_values_escape():
        raise KeyboardInterrupt


def test_missing_settings_are_named_and_not_shown(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DICOMANON_STAGING_DIR")
    monkeypatch.setenv("DICOMANON_QUIET_MINUTES", "a-while")
    with pytest.raises(Fatal) as caught:
        run_step(lambda runtime: {}, KEY)
    assert "DICOMANON_STAGING_DIR" in str(caught.value)
    assert "DICOMANON_QUIET_MINUTES" in str(caught.value)
    assert "a-while" not in str(caught.value)
    assert site.dsn not in str(caught.value)


def test_a_crosswalk_that_is_down_is_worth_another_try(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DICOMANON_CROSSWALK_DSN", "postgresql://u:secret@127.0.0.1:1/x")
    with pytest.raises(Retriable) as caught:
        run_step(lambda runtime: {}, KEY)
    assert "secret" not in str(caught.value)
