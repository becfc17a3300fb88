"""Brings events into the crosswalk: the lines of the folder, then those that never arrived, made of our own events."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Final, Literal
from uuid import UUID

from openlineage.client.serde import Serde
from pydantic import AwareDatetime, BaseModel, ConfigDict, TypeAdapter, ValidationError

from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.openlineage_events import OpenLineageRow, RecordedTaskEvent
from dicomanon.errors import Fatal, Retriable
from dicomanon.openlineage.emitter import OpenLineageSettings, event_files, site_names
from dicomanon.openlineage.events import STATES, SiteNames, run_event
from dicomanon.openlineage.files import EventFiles
from dicomanon.openlineage.naming import task_run_uuid

log = logging.getLogger(__name__)

_ROWS_AT_ONCE: Final = 500
_LONGEST_LINE: Final = 4_000_000
"""Bytes; a line that is longer is no event."""
_ARRIVED: Final = timedelta(minutes=5)
"""By then an event has arrived, or does not: a task tells the crosswalk first."""


class _Named(BaseModel):
    model_config = ConfigDict(extra="allow", hide_input_in_errors=True)
    namespace: str
    name: str


class _Run(BaseModel):
    model_config = ConfigDict(extra="allow", hide_input_in_errors=True)
    runId: UUID


class _Event(BaseModel):
    """As much of an event as it takes to file it."""

    model_config = ConfigDict(extra="allow", hide_input_in_errors=True)
    eventType: Literal["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]
    eventTime: AwareDatetime
    run: _Run
    job: _Named


_JSON: Final[TypeAdapter[dict[str, Any]]] = TypeAdapter(dict[str, Any])


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of loading: lines that were read, new ones among them, lines that make no sense, events made anew."""

    lines: int = 0
    loaded: int = 0
    damaged: int = 0
    rebuilt: int = 0


def load(crosswalk: Crosswalk, settings: OpenLineageSettings) -> Loaded:
    """Load what waits in the folder, then make up for what never arrived there; safe to repeat, and in bounded memory.

    Raises
    ------
    Fatal
        The folder cannot be read or written.
    Retriable
        Another process is loading, or the crosswalk cannot be reached; what was loaded stays.
    """
    files = event_files(settings)
    read = Loaded()
    # Where events go elsewhere, a folder may still hold those from before.
    if settings.openlineage.transport == "file" or files.folder.exists():
        try:
            with files.one_loader() as mine:
                if not mine:
                    raise Retriable("another process is loading the OpenLineage events: wait for it to end")
                read = _load_files(crosswalk, files)
        except OSError as error:
            raise Fatal(f"the folder of OpenLineage events cannot be used: {error.strerror}") from None
    if read.damaged:
        log.warning("%d lines are no OpenLineage events; they are kept in damaged.jsonl", read.damaged)
    rebuilt = sum(_rebuild(crosswalk, site_names(settings)))
    return Loaded(read.lines, read.loaded, read.damaged, rebuilt)


def _load_files(crosswalk: Crosswalk, files: EventFiles) -> Loaded:
    lines = loaded = damaged = 0
    for segment in files.close_active():
        for chunk in _chunks(_lines(segment), _ROWS_AT_ONCE):
            rows = []
            for line in chunk:
                row = _row(line)
                if row is None:
                    files.keep_damaged(line)
                    damaged += 1
                else:
                    rows.append(row)
            lines += len(chunk)
            loaded += crosswalk.openlineage.add(rows, "emitted")
        files.mark_loaded(segment)
    return Loaded(lines, loaded, damaged)


def _lines(segment: Path) -> Iterator[bytes]:
    with segment.open("rb") as stream:
        while line := stream.readline(_LONGEST_LINE):
            yield line.rstrip(b"\n")


def _row(line: bytes) -> OpenLineageRow | None:
    try:
        # The null character is valid in JSON and not in jsonb.
        event = None if rb"\u0000" in line else _Event.model_validate_json(line)
    except ValidationError:
        return None
    if event is None:
        return None
    return OpenLineageRow(
        event.run.runId,
        event.eventType,
        event.eventTime,
        event.job.namespace,
        event.job.name,
        _JSON.validate_json(line),
    )


def _rebuild(crosswalk: Crosswalk, site: SiteNames) -> Iterator[int]:
    """Yield how many events were made anew, chunk by chunk."""
    while recorded := crosswalk.openlineage.unlooked(older_than=_ARRIVED, limit=_ROWS_AT_ONCE):
        told = [one for one in recorded if one.event.event in STATES]
        known = crosswalk.openlineage.known([task_run_uuid(one.event) for one in told])
        missing = [one for one in told if (task_run_uuid(one.event), STATES[one.event.event].value) not in known]
        yield crosswalk.openlineage.add([_made_anew(crosswalk, site, one) for one in missing], "rebuilt")
        crosswalk.openlineage.looked(recorded[-1].id)


def _made_anew(crosswalk: Crosswalk, site: SiteNames, recorded: RecordedTaskEvent) -> OpenLineageRow:
    event = recorded.event
    made = run_event(site, event, recorded.recorded_at, crosswalk.lineage.facts(event))
    return OpenLineageRow(
        task_run_uuid(event),
        STATES[event.event].value,
        recorded.recorded_at,
        made.job.namespace,
        made.job.name,
        Serde.to_dict(made),
    )


def _chunks(lines: Iterable[bytes], size: int) -> Iterator[list[bytes]]:
    waiting = iter(lines)
    while chunk := list(islice(waiting, size)):
        yield chunk
