"""What must not be had: each attempt with a real request, to the real server."""

import socket
import threading
from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
import requests
from tests.gateway.conftest import WHY, Getting, World, client_of, uids

STUDY, SOP = "0020000D", "00080018"
GUESSED = "2.25.123456789012345678901234567890"


def below(world: World, of: str) -> list[str]:
    """Return every address that leads to an object."""
    one = next(one for one in world.objects if one.sop == of)
    return [
        one.path,
        f"{one.path}/metadata",
        f"{one.path}/frames/1",
        f"{one.path}/rendered",
        f"{one.path}/frames/1/rendered",
        f"{one.path}/bulkdata/bulk/7fe00010",
    ]


class TestOfOthers:
    def test_objects_of_another_project_are_nowhere(self, world: World, get: Getting) -> None:
        for hidden in world.hidden():
            for path in below(world, hidden.sop):
                assert get(path).status_code == 404, path
            assert get(f"/studies/{hidden.study}/series/{hidden.series}").status_code == 404
            assert get(f"/studies/{hidden.study}/series/{hidden.series}/metadata").status_code == 404

    def test_they_cannot_be_told_from_what_does_not_exist(self, world: World, get: Getting) -> None:
        foreign = next(one for one in world.hidden() if one.study not in {mine.study for mine in world.given["LUNG"]})
        for path in (f"/studies/{foreign.study}", f"/studies/{foreign.study}/metadata"):
            theirs, nobodys = get(path), get(path.replace(foreign.study, GUESSED))
            assert (theirs.status_code, theirs.content) == (nobodys.status_code, nobodys.content)
            assert theirs.headers.keys() == nobodys.headers.keys()

    @pytest.mark.parametrize(
        ("path", "name"),
        [
            ("/studies", "StudyInstanceUID"),
            ("/series", "StudyInstanceUID"),
            ("/series", "SeriesInstanceUID"),
            ("/instances", "SOPInstanceUID"),
            ("/instances", "SeriesInstanceUID"),
            ("/studies", "PatientID"),
        ],
    )
    def test_nor_are_they_found(self, world: World, get: Getting, path: str, name: str) -> None:
        names = {
            "StudyInstanceUID": "study",
            "SeriesInstanceUID": "series",
            "SOPInstanceUID": "sop",
            "PatientID": "pseudonym",
        }
        mine = {getattr(one, names[name]) for one in world.given["LUNG"]}
        for hidden in world.hidden():
            value = getattr(hidden, names[name])
            if value not in mine:
                assert get(path, **{name: value}).status_code == 204

    def test_nor_below_an_own_study(self, world: World, get: Getting) -> None:
        own, foreign = world.given["LUNG"][0], world.given["HEART"][0]
        for path in (
            f"/studies/{own.study}/series/{foreign.series}/instances/{foreign.sop}",
            f"/studies/{own.study}/series/{own.series}/instances/{foreign.sop}",
            f"/studies/{foreign.study}/series/{own.series}/instances/{foreign.sop}",
            f"/studies/{own.study}/series/{foreign.series}",
        ):
            assert get(path).status_code == 404
        assert get(f"/studies/{own.study}/series/{foreign.series}/instances").status_code == 204
        assert get(f"/studies/{own.study}/instances", SeriesInstanceUID=foreign.series).status_code == 204

    def test_counts_do_not_tell_of_them(self, world: World, get: Getting) -> None:
        rows = get("/studies", includefield="all").json()
        assert len(rows) == 2
        shared = next(row for row in rows if row[STUDY]["Value"] == [world.partly()])
        assert (shared["00201206"]["Value"], shared["00201208"]["Value"]) == ([1], [3])
        assert not {"00201200", "00201202", "00201204"} & shared.keys()
        whole = get("/studies", limit=2)
        assert "Warning" not in whole.headers
        assert "Warning" in get("/studies", limit=1).headers

    def test_search_by_what_would_count_them_is_refused(self, get: Getting) -> None:
        for name in ("NumberOfStudyRelatedInstances", "00201208", "SOPClassesInStudy", "SeriesDescription"):
            assert get("/studies", **{name: "1"}).status_code == 400


class TestTokens:
    @pytest.mark.parametrize(
        "authorization",
        [
            None,
            "",
            "Bearer",
            "Bearer x",
            "Bearer dicomanon_" + "A" * 43,
            "Bearer dicomanon_' OR '1'='1' --aaaaaaaaaaaaaaaa",
            "Basic YWRhOmFkYQ==",
            "Bearer " + "a" * 9000,
        ],
    )
    def test_none_or_another(self, address: str, authorization: str | None) -> None:
        session = requests.Session()
        session.trust_env = False
        headers = {"Authorization": authorization} if authorization is not None else {}
        for path in ("/studies", "/instances", f"/studies/{GUESSED}", "/nothing"):
            answer = session.get(address + path, headers=headers, timeout=30)
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")

    def test_in_the_address_is_none(self, world: World, get: Getting) -> None:
        assert get("/studies", token=None, access_token=world.token()).status_code == 401

    def test_expired(self, world: World, get: Getting) -> None:
        short = world.token(lifetime=timedelta(seconds=1.5))
        assert get("/studies", token=short).status_code == 200
        threading.Event().wait(1.6)
        assert get("/studies", token=short).status_code == 401
        assert get(f"/studies/{world.whole()}", token=short).status_code == 401

    def test_revoked_takes_effect_at_the_next_request(self, world: World, get: Getting) -> None:
        token, secret = world.make_token()
        assert get(f"/studies/{world.whole()}", token=secret).status_code == 200
        with world.site.crosswalk() as crosswalk:
            crosswalk.tokens.revoke(str(token.id), **WHY)
        assert get(f"/studies/{world.whole()}", token=secret).status_code == 401

    def test_a_member_who_is_removed_midway_reads_no_further(self, world: World, address: str) -> None:
        with world.site.crosswalk() as crosswalk:
            instances = [one.row for one in world.given["HEART"]]
            crosswalk.projects.add("BONE", world.member, **WHY)
            crosswalk.releases.create("BONE", "ada", b"d", instances, request_key="r")
            client = client_of(address, world.token("BONE"))
            found = uids(client.search_for_studies(), STUDY)
            assert len(list(client.iter_study(found[0]))) > 0
            crosswalk.projects.remove("BONE", world.member, **WHY)
            with pytest.raises(requests.HTTPError, match="401"):
                client.retrieve_study(found[1])
            with pytest.raises(requests.HTTPError, match="401"):
                client.search_for_studies()


METHODS = ["POST", "PUT", "DELETE", "PATCH", "HEAD", "TRACE"]


class TestReadOnly:
    @pytest.mark.parametrize("method", METHODS)
    def test_no_other_method(self, world: World, address: str, method: str) -> None:
        session = requests.Session()
        session.trust_env = False
        headers = {"Authorization": f"Bearer {world.token()}", "Content-Type": "application/dicom+json"}
        for path in ("/studies", f"/studies/{world.whole()}", world.given["LUNG"][0].path):
            answer = session.request(method, address + path, headers=headers, data=b"x", timeout=30)
            assert (answer.status_code, answer.headers["Allow"]) == (405, "GET")

    def test_nothing_but_dicomweb_is_there(self, get: Getting, address: str) -> None:
        for path in ("/", "", "/docs", "/openapi.json", "/../instances", "/studies/", "/tools/find", "/aets", "/rs/x"):
            assert get(path).status_code == 404, path
        root = address.removesuffix("/dicom-web")
        for path in ("/", "/instances", "/system", "/docs"):
            assert requests.get(root + path, timeout=30).status_code == 401
        assert requests.get(f"{root}/health", timeout=30).status_code == 204


UID_TRICKS = [
    "..",
    "../../instances",
    "%2e%2e",
    "..%2f..%2finstances",
    "1.2%00",
    "1.2%0d%0aX-Evil:%201",
    "1.2/../../../system",
    "1.2?x=1",
    "1.2%3Fx=1",
    "1.2%23",
    "*",
    "%25",
    "1.2'--",
    "1.2%27%20OR%201=1",
    "1" * 65,
    "１.２",
    "1..2",
    "1.2.",
]


class TestTricks:
    @pytest.mark.parametrize("trick", UID_TRICKS)
    def test_of_paths(self, world: World, address: str, trick: str) -> None:
        one = world.given["LUNG"][0]
        token = world.token()
        for path in (
            f"/studies/{trick}",
            f"/studies/{one.study}/series/{trick}",
            f"/studies/{one.study}/series/{one.series}/instances/{trick}",
            f"{one.path}/frames/{trick}",
            f"{one.path}/bulkdata/{trick}",
            f"{one.path}/bulkdata/bulk/{trick}",
        ):
            status = raw_get(address, path, token)
            assert status in {400, 404}, (path, status)

    @pytest.mark.parametrize("name", ["PatientID", "PatientName", "StudyInstanceUID", "ModalitiesInStudy", "StudyDate"])
    @pytest.mark.parametrize(
        "trick",
        ["' OR '1'='1", "x'; DROP TABLE crosswalk.release; --", "%", "_", "\\", "*?*[", "a\nb", "x" * 5000, "\0"],
    )
    def test_of_values(self, get: Getting, name: str, trick: str) -> None:
        answer = get("/studies", **{name: trick})
        assert answer.status_code in {204, 400}
        assert trick[:9] not in answer.text

    @pytest.mark.parametrize(
        "parameters",
        [
            {"limit": "0"},
            {"limit": "-1"},
            {"limit": "1; DROP"},
            {"limit": "9" * 30},
            {"offset": "x"},
            {"offset": "١"},
            {"fuzzymatching": "yes"},
            {"Unknown": "1"},
            {"StudyInstanceUID": ["1.2", "1.3"]},
            {"00080020.00080030": "1"},
            {"RetrieveURL": "http://x"},
        ],
    )
    def test_of_parameters(self, get: Getting, parameters: dict[str, str | Sequence[str]]) -> None:
        answer = get("/studies", **parameters)
        assert answer.status_code == 400
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json()["status"] == 400

    def test_of_fields(self, get: Getting) -> None:
        asked = get("/studies", includefield=["SeriesDescription,OtherPatientIDs", "'; --", "7FE00010", "all"])
        assert asked.status_code == 200
        assert not {"0008103E", "00101000", "7FE00010"} & asked.json()[0].keys()

    @pytest.mark.parametrize(
        "accept",
        [
            'multipart/related; type="image/jls"',
            'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.4.80',
            "text/html",
            "image/jpeg",
            "x" * 5000,
            "a,b" * 50,
        ],
    )
    def test_of_accept(self, world: World, get: Getting, accept: str) -> None:
        one = world.given["LUNG"][0]
        for path in (f"/studies/{one.study}", one.path, f"{one.path}/frames/1"):
            assert get(path, accept=accept).status_code == 406
        assert world.site.research.is_running()  # what transcodes on request has died of the first of them

    def test_of_rendering(self, world: World, get: Getting) -> None:
        path = world.given["LUNG"][0].path + "/rendered"
        assert get(path, accept="image/jpeg", window="40,400,linear").content.startswith(b"\xff\xd8")
        for name, value in (("window", "1,2,x"), ("window", "1,2,linear&x=y"), ("annotation", "patient"), ("url", "x")):
            assert get(path, **{name: value}).status_code == 400
        assert get(world.given["LUNG"][0].path + "/frames/9/rendered").status_code == 406
        assert get(world.given["LUNG"][0].path + "/frames/9").status_code == 406

    @pytest.mark.parametrize("host", ["evil.example/x?", "x/health?", "x/health#", "a b", "user@evil.example", ""])
    def test_of_the_host_header(self, world: World, address: str, host: str) -> None:
        for token in (world.token(), None):
            headers = {"Host": host} | ({"Authorization": f"Bearer {token}"} if token else {})
            answer = requests.get(f"{address}/studies", headers=headers, timeout=30)
            assert answer.status_code == (400 if token else 401)


def raw_get(address: str, path: str, token: str) -> int:
    """Ask without a library that tidies paths; return the status."""
    parts = urlsplit(address)
    assert parts.hostname and parts.port
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as connection:
        head = f"GET {parts.path}{path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {token}\r\n"
        connection.sendall((head + "Connection: close\r\n\r\n").encode())
        return int(connection.makefile("rb").readline().split()[1])


class TestAnswers:
    def test_never_lie_in_a_cache_and_do_not_tell_where_the_pacs_is(self, world: World, get: Getting) -> None:
        one = world.given["LUNG"][0]
        inside = urlsplit(world.site.research.url).netloc.encode()
        octets = 'multipart/related; type="application/octet-stream"'
        for path, accept in (
            ("/studies", "application/dicom+json"),
            (one.path, "*/*"),
            (f"{one.path}/metadata", "application/dicom+json"),
            (f"{one.path}/frames/1", octets),
            (f"{one.path}/bulkdata/bulk/7fe00010", octets),
            (f"{one.path}/rendered", "image/png"),
        ):
            answer = get(path, accept=accept)
            assert answer.status_code == 200
            assert answer.headers["Cache-Control"] == "no-store"
            assert inside not in answer.content + str(answer.headers).encode()

    def test_a_lone_object_is_sent_as_such_where_it_is_asked_for_so(self, world: World, get: Getting) -> None:
        one = world.given["LUNG"][0]
        answer = get(one.path, accept="application/dicom; transfer-syntax=*")
        assert answer.headers["Content-Type"] == "application/dicom"
        assert answer.content == world.site.research_objects()[one.sop]
        assert get(f"/studies/{one.study}", accept="application/dicom").status_code == 406

    def test_a_search_is_json_and_nothing_else(self, get: Getting) -> None:
        assert get("/studies", accept="application/json").headers["Content-Type"] == "application/dicom+json"
        assert get("/studies", accept='multipart/related; type="application/dicom+xml"').status_code == 406

    def test_fuzzy_matching_is_said_not_to_be_done(self, get: Getting) -> None:
        assert "fuzzymatching parameter is not supported" in get("/studies", fuzzymatching="true").headers["Warning"]


class TestTrail:
    def test_every_request_is_an_entry_before_it_is_answered(self, world: World, get: Getting) -> None:
        before = len(world.trail())
        study, foreign = world.whole(), world.hidden()[0]
        get("/studies", StudyInstanceUID=study)
        get(f"/studies/{study}")
        get(foreign.path)
        get("/studies", token="dicomanon_" + "B" * 43)
        assert world.trail()[before:] == [
            (world.member, "gateway.query", 1, "project", "LUNG"),
            (world.member, "gateway.retrieve", 3, "study", study),
            (world.member, "gateway.refuse", 0, "instance", foreign.sop),
            ("gateway", "gateway.refuse", 0, "other", "token"),
        ]
        with world.site.crosswalk() as crosswalk:
            assert crosswalk.audit.verify().fault is None
