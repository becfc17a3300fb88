"""What fails, fails closed: nothing leaves unrecorded, nothing hidden slips through, nothing short passes for whole."""

import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest
import requests
from tests.gateway.conftest import Getting, World, client_of
from tests.pacs.archive import load, make_object
from tests.site import encoded, read

from dicomanon.console import DONE, FATAL
from dicomanon.local_stack.orthanc import OrthancServer


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as opened:
        opened.trust_env = False
        yield opened


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def remove(server: OrthancServer, sop_uid: str) -> bytes:
    with requests.Session() as session:
        session.trust_env = False
        session.auth = (server.username, server.password)
        (found,) = session.post(f"{server.url}/tools/lookup", data=sop_uid, timeout=60).json()
        content = session.get(f"{server.url}/instances/{found['ID']}/file", timeout=60).content
        session.delete(f"{server.url}/instances/{found['ID']}", timeout=60).raise_for_status()
    return content


class TestTrail:
    def test_nothing_leaves_while_it_cannot_be_written(self, world: World, get: Getting) -> None:
        one = world.given["LUNG"][0]
        with psycopg.connect(world.site.dsn) as owner:
            owner.execute("REVOKE EXECUTE ON FUNCTION crosswalk.gateway_record FROM dicomanon_gateway")
        try:
            for path in ("/studies", f"/studies/{one.study}", one.path, f"{one.path}/metadata", f"{one.path}/frames/1"):
                answer = get(path)
                assert answer.status_code == 502
                assert answer.headers["Content-Type"] == "application/problem+json"
        finally:
            with psycopg.connect(world.site.dsn) as owner:
                owner.execute("GRANT EXECUTE ON FUNCTION crosswalk.gateway_record TO dicomanon_gateway")
        assert get(one.path).status_code == 200

    def test_many_at_once_are_all_in_it(self, world: World, address: str) -> None:
        tokens = [world.token() for _ in range(4)]
        before = len(world.trail())
        path = world.given["LUNG"][0].path

        def read_it(number: int) -> int:
            headers = bearer(tokens[number % 4])
            return requests.get(address + path, headers=headers, timeout=60).status_code

        with ThreadPoolExecutor(20) as pool:
            assert set(pool.map(read_it, range(60))) == {200}
        assert len(world.trail()) - before == 60

    def test_none_is_lost_when_the_gateway_is_killed(self, world: World, session: requests.Session) -> None:
        address, token = world.serve(), world.token()
        before = len(world.trail())
        done = [session.get(f"{address}/studies", headers=bearer(token), timeout=30).status_code for _ in range(10)]
        world.servers[-1].send_signal(signal.SIGKILL)
        assert done == [200] * 10
        assert len(world.trail()) - before == 10


class TestPacs:
    def test_what_it_sends_beyond_what_is_shown_is_not_passed_on(self, world: World, address: str) -> None:
        """Somebody else has put an object into a released study; or one waits there to be removed."""
        one = world.given["LUNG"][-1]
        assert one.study == world.whole()
        dataset = read(world.site.research_objects()[one.sop])
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"{one.sop}9"
        extra = encoded(dataset)
        load(world.site.research, extra)
        try:
            client = client_of(address, world.token())
            mine = {other.sop for other in world.given["LUNG"] if other.study == one.study}
            assert {found.SOPInstanceUID for found in client.iter_study(one.study)} == mine
            assert {found.SOPInstanceUID for found in client.iter_series(one.study, one.series)} == mine
            assert len(client.retrieve_study_metadata(one.study)) == len(mine)
            assert len(client.search_for_instances(one.study)) == len(mine)
            (row,) = client.search_for_studies(search_filters={"StudyInstanceUID": one.study})
            assert row["00201208"]["Value"] == [len(mine)]
        finally:
            remove(world.site.research, dataset.SOPInstanceUID)

    def test_a_body_that_lacks_an_object_is_no_whole_one(self, world: World, get: Getting) -> None:
        one = world.given["LUNG"][-1]
        lost = remove(world.site.research, one.sop)
        try:
            for path in (f"/studies/{one.study}", f"/studies/{one.study}/series/{one.series}", one.path):
                answer = get(path)
                assert answer.status_code == 502
                assert "does not have what was released" in answer.json()["detail"]
            rows = get(f"/studies/{one.study}/instances").json()
            available = {row["00080018"]["Value"][0]: row["00080056"]["Value"] for row in rows}
            assert len(available) == 3
            assert available[one.sop] == ["UNAVAILABLE"]
        finally:
            load(world.site.research, lost)
        assert get(f"/studies/{one.study}").status_code == 200

    def test_nor_is_one_that_has_begun_when_that_comes_out(self, world: World, get: Getting) -> None:
        """The status is sent by then: the body has to say it."""
        kept, lost = [one for one in world.given["LUNG"] if one.study == world.whole()][:2]
        stored = {one.sop: remove(world.site.research, one.sop) for one in (kept, lost)}
        dataset = read(stored[kept.sop])
        dataset.add_new(0x00420011, "OB", b"\0" * (8 << 20))
        load(world.site.research, encoded(dataset))
        try:
            with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
                get(f"/studies/{kept.study}")
        finally:
            remove(world.site.research, kept.sop)
            load(world.site.research, *stored.values())
        assert get(f"/studies/{kept.study}").status_code == 200

    def test_one_that_does_not_answer_is_said_to_and_not_where_it_is(
        self, world: World, session: requests.Session
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        address = world.serve(DICOMANON_RESEARCH__URL=f"http://127.0.0.1:{port}/dicom-web")
        one = world.given["LUNG"][0]
        for path in ("/studies", f"/studies/{one.study}", f"{one.path}/metadata", f"{one.path}/rendered"):
            answer = session.get(address + path, headers=bearer(world.token()), timeout=60)
            assert answer.status_code == 503
            assert "Retry-After" in answer.headers
            assert str(port) not in answer.text
            assert one.study not in answer.text

    def test_wrong_credentials_are_told_to_administrators(self, world: World, session: requests.Session) -> None:
        address = world.serve(DICOMANON_RESEARCH__PASSWORD="wrong")
        answer = session.get(f"{address}/studies", headers=bearer(world.token()), timeout=60)
        assert answer.status_code == 502
        assert "administrators" in answer.text


class TestLimits:
    def test_requests_in_a_minute_by_token(self, world: World, session: requests.Session) -> None:
        address = world.serve(DICOMANON_GATEWAY__REQUESTS_PER_MINUTE="5")
        one, other = world.token(), world.token()
        status = [session.get(f"{address}/studies", headers=bearer(one), timeout=30).status_code for _ in range(7)]
        assert status == [200] * 5 + [429] * 2
        assert session.get(f"{address}/studies", headers=bearer(other), timeout=30).status_code == 200

    def test_guesses_in_a_minute_by_place(self, world: World, session: requests.Session) -> None:
        address = world.serve()
        guesses = [
            session.get(f"{address}/studies", headers=bearer("dicomanon_" + f"{n:043}"), timeout=30).status_code
            for n in range(32)
        ]
        assert guesses == [401] * 30 + [429] * 2
        assert session.get(f"{address}/studies", headers=bearer(world.token()), timeout=30).status_code == 200

    def test_a_client_that_takes_nothing_is_left_and_one_that_leaves_frees_its_place(
        self, world: World, session: requests.Session
    ) -> None:
        address = world.serve(
            DICOMANON_GATEWAY__AT_ONCE="1",
            DICOMANON_GATEWAY__AT_ONCE_PER_TOKEN="1",
            DICOMANON_GATEWAY__STALL_SECONDS="1",
        )
        one = world.given["LUNG"][0]
        big = make_object(one.study, series_uid=one.series, sop_uid=one.sop, payload=b"\0" * (64 << 20))
        kept = remove(world.site.research, one.sop)
        load(world.site.research, big)
        try:
            token = world.token()
            with asking(address, one.path, token):
                time.sleep(0.5)
                assert session.get(f"{address}/studies", headers=bearer(token), timeout=30).status_code == 429
                other = session.get(f"{address}/studies", headers=bearer(world.token()), timeout=30)
                assert other.status_code == 200  # it waited until the stalled one was left
            asking(address, one.path, token).close()
            assert session.get(f"{address}/studies", headers=bearer(world.token()), timeout=10).status_code == 200
        finally:
            remove(world.site.research, one.sop)
            load(world.site.research, kept)


def asking(address: str, path: str, token: str) -> socket.socket:
    """Ask and read nothing."""
    parts = urlsplit(address)
    assert parts.hostname
    assert parts.port
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect((parts.hostname, parts.port))
    head = f"GET {parts.path}{path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {token}\r\n\r\n"
    connection.sendall(head.encode())
    return connection


ASKING = {"Origin": "https://viewer.example", "Access-Control-Request-Method": "GET"}


class TestBrowsers:
    """Viewers ask from pages of their own origin."""

    def test_may_ask_where_the_site_says_so(self, world: World, session: requests.Session) -> None:
        address = world.serve(DICOMANON_GATEWAY__ORIGINS="https://viewer.example, https://other.example")
        headers = ASKING | {"Access-Control-Request-Headers": "authorization"}
        allowed = session.options(f"{address}/studies", headers=headers, timeout=30)
        assert allowed.status_code == 200
        assert allowed.headers["Access-Control-Allow-Origin"] == "https://viewer.example"
        evil = session.options(f"{address}/studies", headers=headers | {"Origin": "https://evil.example"}, timeout=30)
        assert "Access-Control-Allow-Origin" not in evil.headers
        asked = session.get(f"{address}/studies", headers=bearer(world.token()) | ASKING, timeout=30)
        assert asked.status_code == 200
        assert asked.headers["Access-Control-Allow-Origin"] == "https://viewer.example"
        assert session.get(f"{address}/studies", headers=ASKING, timeout=30).status_code == 401

    def test_may_not_otherwise(self, address: str, session: requests.Session) -> None:
        assert session.options(f"{address}/studies", headers=ASKING, timeout=30).status_code == 405


class TestProcess:
    def test_has_no_key_and_owns_nothing(self, world: World, address: str) -> None:
        process = psutil.Process(world.servers[0].pid)
        ours = {name for name in process.environ() if name.startswith("DICOMANON_")}
        assert not [name for name in ours if "KEYRING" in name or "CLINICAL" in name]
        listening = [each for each in process.net_connections() if each.status == "LISTEN"]
        assert [each.laddr.ip for each in listening] == ["127.0.0.1"]
        files = [Path(file.path).name for file in process.open_files()]
        assert not [name for name in files if name in {"keyring.json", "audit_key.pem"}]

    def test_ends_in_good_order_and_lets_go_what_is_on_its_way(self, world: World, session: requests.Session) -> None:
        address, token = world.serve(), world.token()
        answers: list[int] = []

        def ask() -> None:
            path = f"/studies/{world.whole()}"
            answers.append(requests.get(address + path, headers=bearer(token), timeout=30).status_code)

        assert session.get(f"{address}/studies", headers=bearer(token), timeout=30).status_code == 200
        asked = [threading.Thread(target=ask) for _ in range(4)]
        for thread in asked:
            thread.start()
        for thread in asked:
            thread.join()
        world.servers[-1].terminate()
        assert world.servers[-1].wait(timeout=20) == DONE
        assert answers == [200] * 4

    def test_does_not_listen_to_a_network_in_the_clear(self, world: World) -> None:
        address = world.serve(DICOMANON_GATEWAY__HOST="0.0.0.0")
        assert address == ""
        assert world.servers[-1].wait(timeout=20) == FATAL

    def test_needs_a_login_that_may_act_as_gateway(self, world: World) -> None:
        assert world.serve(DICOMANON_CROSSWALK_DSN=world.stranger_dsn) == ""
        assert world.servers[-1].wait(timeout=40) == FATAL
