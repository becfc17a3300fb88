"""Start, find and stop an Orthanc of our own: the clinical or the research PACS of a workstation and of the tests."""

import atexit
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import requests
from requests.adapters import HTTPAdapter

from dicomanon.errors import Fatal
from dicomanon.local_stack import processes
from dicomanon.local_stack.ports import require_free_port

PLUGIN_FOLDER = Path("/usr/share/orthanc/plugins")
PLUGINS = ("libOrthancDicomWeb.so", "libOrthancGdcm.so")
INSTALL_HINT = "install with: deploy/system-packages.sh"
START_SECONDS = 30.0

_PROCESS = "orthanc"
_CONFIG = "orthanc.json"


class _OwnConnections(HTTPAdapter):
    """Sends each request on a connection of its own.

    Orthanc closes one that was idle for a second, or after an answer where it was asked to, and says of both that they
    are kept alive: a request that is sent at that instant is lost.
    """

    def send(self, *given: Any, **named: Any) -> requests.Response:
        """Let go of what is kept, then send."""
        self.poolmanager.clear()
        return super().send(*given, **named)


def fresh_session() -> requests.Session:
    """Return a session for Orthancs of this machine, whose requests never meet a connection that is being closed."""
    session = requests.Session()
    # A proxy of the environment must neither see nor break traffic to the loopback interface.
    session.trust_env = False
    session.mount("http://", _OwnConnections())
    return session


class OrthancServer:
    """An Orthanc and the folder that holds its configuration, storage, index, log and pid file.

    Attributes
    ----------
    url
        Root of Orthanc's own REST API.
    dicom_web_url
        Root of its DICOMweb services (PS3.18): what a ``PacsEndpoint`` is given.
    username, password
        The one registered user.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        self.folder = folder
        self.url = f"http://127.0.0.1:{config['HttpPort']}"
        self.dicom_web_url = f"{self.url}/dicom-web"
        self.username, self.password = next(iter(config["RegisteredUsers"].items()))
        self._session = self.session()

    def __repr__(self) -> str:
        return f"OrthancServer({self.url})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def session(self) -> requests.Session:
        """Return a new session of its user."""
        session = fresh_session()
        session.auth = (self.username, self.password)
        return session

    def is_running(self) -> bool:
        """Tell whether the process lives."""
        return processes.is_running(self.folder, _PROCESS)

    def is_ready(self) -> bool:
        """Tell whether it answers, and lets its user in."""
        try:
            return self._session.get(f"{self.url}/system", timeout=5).ok
        except requests.RequestException:
            return False

    def plugins(self) -> set[str]:
        """Return the names of the plugins that it has loaded."""
        answer = self._session.get(f"{self.url}/plugins", timeout=5)
        answer.raise_for_status()
        return set(answer.json())

    def stop(self) -> None:
        """End the process; all data stays. Does nothing when it has ended already."""
        processes.stop(self.folder, _PROCESS)
        self._session.close()
        atexit.unregister(self.stop)

    def clear(self) -> None:
        """Delete every patient and the change log, so that a test or a demonstration begins empty."""
        patients = self._session.get(f"{self.url}/patients", timeout=60).json()
        if patients:
            answer = self._session.post(f"{self.url}/tools/bulk-delete", json={"Resources": patients}, timeout=600)
            answer.raise_for_status()
        for log in ("changes", "exports"):
            self._session.delete(f"{self.url}/{log}", timeout=60).raise_for_status()


def start_orthanc(
    folder: Path,
    name: str,
    http_port: int,
    dicom_port: int | None,
    username: str,
    password: str,
    extra: Mapping[str, object] | None = None,
    *,
    detach: bool = True,
) -> OrthancServer:
    """Start an Orthanc in a folder and wait until it answers; one that runs there already is returned as it is.

    Parameters
    ----------
    folder
        Where configuration, storage, index, log and pid file live; made with mode 0700. What it stored before is kept.
    name
        The name Orthanc shows, such as ``"clinical"``.
    http_port
        Port of REST and DICOMweb. Orthanc 1.10 cannot be given an address to bind: it listens on every interface
        and refuses peers that are not on the loopback interface.
    dicom_port
        Port of DIMSE, which serves nobody until modalities are added; ``None`` for no DIMSE at all.
    username, password
        The one registered user; nobody else gets in.
    extra
        Settings of Orthanc that replace ours, such as ``{"LimitFindResults": 5}``.
    detach
        Whether it outlives this process; :func:`find_orthanc` finds it again.

    Raises
    ------
    Fatal
        Orthanc or a plugin is missing, a port is taken, one with other settings runs in the folder,
        or it ended or stayed silent while starting.
    """
    binary = shutil.which("Orthanc", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if binary is None:
        raise Fatal(f"Orthanc is not installed; {INSTALL_HINT}")
    plugins = [PLUGIN_FOLDER / plugin for plugin in PLUGINS]
    for plugin in plugins:
        if not plugin.exists():
            raise Fatal(f"the Orthanc plugin {plugin.name} is not installed; {INSTALL_HINT}")

    folder = folder.resolve()
    config = _configuration(folder, name, http_port, dicom_port, username, password, plugins) | dict(extra or {})
    text = json.dumps(config, indent=2)
    if processes.is_running(folder, _PROCESS):
        if (folder / _CONFIG).read_text() != text:
            raise Fatal(f"the Orthanc '{name}' runs with other settings: stop it first")
    else:
        require_free_port(http_port, f"{name} pacs")
        if dicom_port is not None:
            require_free_port(dicom_port, f"{name} dimse")
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write_private(folder / _CONFIG, text)
        processes.start_detached(folder, _PROCESS, [binary, folder / _CONFIG])

    server = OrthancServer(folder, config)
    if not processes.wait_until(
        lambda: server.is_ready() or not server.is_running(), seconds=START_SECONDS, interval=0.05
    ):
        server.stop()
        raise Fatal(f"the Orthanc '{name}' did not answer in {START_SECONDS:.0f} s: see {folder / 'orthanc.log'}")
    processes.require_running(folder, _PROCESS, f"the Orthanc '{name}'")
    # Orthanc starts without a plugin that it cannot load, and then has no DICOMweb at all.
    missing = {"dicom-web", "gdcm"} - server.plugins()
    if missing:
        server.stop()
        raise Fatal(f"the Orthanc '{name}' could not load {', '.join(sorted(missing))}: see {folder / 'orthanc.log'}")
    if not detach:
        atexit.register(server.stop)
    return server


def find_orthanc(folder: Path) -> OrthancServer | None:
    """Return the living Orthanc that this or an earlier process started in the folder, or ``None``."""
    folder = folder.resolve()
    if not processes.is_running(folder, _PROCESS):
        return None
    return OrthancServer(folder, json.loads((folder / _CONFIG).read_text()))


def _configuration(
    folder: Path,
    name: str,
    http_port: int,
    dicom_port: int | None,
    username: str,
    password: str,
    plugins: list[Path],
) -> dict[str, object]:
    return {
        "Name": name,
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "index"),
        "Plugins": [str(plugin) for plugin in plugins],
        "HttpPort": http_port,
        "RemoteAccessAllowed": False,
        # Said explicitly: Orthanc's default is "no authentication" while remote access is off.
        "AuthenticationEnabled": True,
        "RegisteredUsers": {username: password},
        "DicomServerEnabled": dicom_port is not None,
        "DicomPort": dicom_port or 4242,
        "DicomAet": name.upper()[:16],
        # DIMSE knows no passwords, and these are open by default.
        "DicomAlwaysAllowEcho": False,
        "DicomAlwaysAllowStore": False,
        "WebDavEnabled": False,
        "ExecuteLuaEnabled": False,
        "DefaultEncoding": "Utf8",
        "UnknownSopClassAccepted": True,
        "OverwriteInstances": False,
        # No clamp on what a query returns; tests of a clamp set their own.
        "LimitFindResults": 0,
        "LimitFindInstances": 0,
        "StableAge": 1,
        "HttpThreadsCount": 16,
        # Slices hardly shrink, and gzip takes longer than the loopback interface.
        "HttpCompressionEnabled": False,
        "StorageCompression": False,
        "SaveJobs": False,
        "DicomWeb": {
            "Enable": True,
            "Root": "/dicom-web/",
            "EnableWado": False,
            "Ssl": False,
            "StudiesMetadata": "Full",
            "SeriesMetadata": "Full",
        },
        "Gdcm": {"Enable": True, "Throttling": 2},
    }


def _write_private(path: Path, text: str) -> None:
    """Write a file that its owner alone can read, at no moment otherwise."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
