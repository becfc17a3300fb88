"""An Orthanc of our own is private, found again, emptied and stopped, and says plainly why it cannot start."""

import json
import secrets
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from dicomanon.errors import Fatal
from dicomanon.local_stack import orthanc
from dicomanon.local_stack.orthanc import OrthancServer, find_orthanc, start_orthanc
from dicomanon.local_stack.ports import free_port


def test_only_its_user_gets_in(clinical_orthanc: OrthancServer) -> None:
    url = f"{clinical_orthanc.dicom_web_url}/studies"
    assert requests.get(url, timeout=5).status_code == 401
    assert requests.get(url, timeout=5, auth=(clinical_orthanc.username, clinical_orthanc.password)).json() == []
    assert clinical_orthanc.password not in repr(clinical_orthanc)


def test_its_password_is_in_a_file_of_its_owner_alone(clinical_orthanc: OrthancServer) -> None:
    config = clinical_orthanc.folder / "orthanc.json"
    assert clinical_orthanc.password in config.read_text()
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    settings = json.loads(config.read_text())
    assert settings["RemoteAccessAllowed"] is False
    assert settings["AuthenticationEnabled"] is True


def test_it_outlives_its_starter_keeps_its_data_and_is_found_again(tmp_path: Path) -> None:
    port, password = free_port(), secrets.token_hex(8)
    program = (
        "import sys; from pathlib import Path; from dicomanon.local_stack.orthanc import start_orthanc; "
        "start_orthanc(Path(sys.argv[1]), 'kept', int(sys.argv[2]), None, 'user', sys.argv[3])"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path), str(port), password], check=True, timeout=60)
    server = find_orthanc(tmp_path)
    assert server is not None
    with server:
        assert server.is_ready()
        again = start_orthanc(tmp_path, "kept", port, None, "user", password)
        assert again.url == server.url
        with pytest.raises(Fatal, match="other settings"):
            start_orthanc(tmp_path, "kept", port, None, "user", password, {"LimitFindResults": 5})
    assert find_orthanc(tmp_path) is None
    assert not server.is_running()


def test_fatal_when_the_port_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Fatal, match=f"port {port}"):
            start_orthanc(tmp_path, "late", port, None, "user", "password")


def test_fatal_when_a_plugin_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orthanc, "PLUGIN_FOLDER", tmp_path)
    with pytest.raises(Fatal, match=r"libOrthancDicomWeb.so is not installed; install with: deploy/system-packages.sh"):
        start_orthanc(tmp_path, "bare", free_port(), None, "user", "password")


def test_fatal_when_it_starts_without_a_plugin(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match="could not load dicom-web, gdcm"):
        start_orthanc(tmp_path, "bare", free_port(), None, "user", "password", {"Plugins": []})
    assert find_orthanc(tmp_path) is None


def test_fatal_when_orthanc_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orthanc.shutil, "which", lambda *_, **__: None)
    with pytest.raises(Fatal, match="Orthanc is not installed"):
        start_orthanc(tmp_path, "none", free_port(), None, "user", "password")
