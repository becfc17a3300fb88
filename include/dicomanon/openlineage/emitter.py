"""Sends events; one that cannot be sent is counted and said, and fails nobody."""

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from openlineage.client.serde import Serde
from openlineage.client.transport.http import HttpConfig, HttpTransport
from openlineage.client.transport.noop import NoopConfig, NoopTransport
from openlineage.client.transport.transport import Transport

from dicomanon.crosswalk.rows import TaskEvent
from dicomanon.crosswalk.task_facts import TaskFacts
from dicomanon.openlineage.events import SiteNames, run_event
from dicomanon.openlineage.files import EventFiles

if TYPE_CHECKING:
    from pathlib import Path

    from openlineage.client.client import Event

    from dicomanon.openlineage.target import OpenLineageTarget

NOTHING = TaskFacts()

log = logging.getLogger(__name__)


class EventFileTransport(Transport):
    """Appends events to files of ours: the client's own file transport neither locks nor rotates nor closes them."""

    kind = "dicomanon-file"

    def __init__(self, files: EventFiles) -> None:
        self._files = files

    def emit(self, event: "Event") -> None:
        """Append one event."""
        self._files.append(Serde.to_json(event).encode())


class Named(Protocol):
    """An endpoint of which only the name is used."""

    @property
    def name(self) -> str:
        """What messages call it."""
        ...


class OpenLineageSettings(Protocol):
    """What of the site's settings this room needs."""

    @property
    def openlineage(self) -> "OpenLineageTarget":
        """Where events go."""
        ...

    @property
    def staging_dir(self) -> "Path":
        """The events' folder is beside it, unless one is named."""
        ...

    @property
    def clinical(self) -> Named:
        """The clinical PACS."""
        ...

    @property
    def research(self) -> Named:
        """The research PACS."""
        ...


def site_names(settings: OpenLineageSettings) -> SiteNames:
    """Return what the site calls its jobs and PACS."""
    return SiteNames(settings.openlineage.namespace, settings.clinical.name, settings.research.name)


def event_files(settings: OpenLineageSettings) -> EventFiles:
    """Return the site's folder of events."""
    target = settings.openlineage
    folder = target.folder or settings.staging_dir.parent / "openlineage"
    return EventFiles(folder, target.segment_megabytes, target.segments)


def _transport(settings: OpenLineageSettings) -> Transport:
    # Not the client's own factory: it also reads configuration from the environment, the home folder and wherever the
    # process was started, and may add environment variables and the repository's address to events.
    target = settings.openlineage
    if target.transport == "none":
        return NoopTransport(NoopConfig())
    if target.transport == "file":
        return EventFileTransport(event_files(settings))
    key = target.api_key.get_secret_value()
    return HttpTransport(
        HttpConfig.from_dict(
            {
                "url": target.url,
                "timeout": target.timeout_seconds,
                "auth": {"type": "api_key", "apiKey": key} if key else {},
                "retry": {"total": 0, "connect": 0, "read": 0, "status_forcelist": []},
            }
        )
    )


class Emitter:
    """Sends the events of one step."""

    def __init__(self, transport: Transport, site: SiteNames) -> None:
        self._transport = transport
        self._site = site
        self.lost = 0
        """Events that could not be sent."""

    @classmethod
    def of(cls, settings: OpenLineageSettings) -> "Emitter":
        """Return the emitter that the site's settings ask for."""
        return cls(_transport(settings), site_names(settings))

    def emit(self, event: TaskEvent, facts: TaskFacts = NOTHING) -> None:
        """Send what a task said, as it is now.

        Lineage serves the studies: whatever goes wrong with it must not stop them. The type of the error is logged,
        its text, which may hold an address or a key, is not.
        """
        try:
            self._transport.emit(run_event(self._site, event, datetime.now(UTC), facts))
        except Exception as error:
            self.lost += 1
            log.warning("an OpenLineage event (%s) could not be sent: %s", event.event, type(error).__name__)

    def close(self) -> None:
        """Give the connection back."""
        self._transport.close()
