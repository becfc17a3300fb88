"""Who may enter, and from where."""

import pytest

from dicomanon.review.door import Asked, Door

PORT = 8765


@pytest.fixture
def door() -> Door:
    return Door(PORT)


def token(door: Door) -> str:
    return door.address.partition("token=")[2]


def asked(
    door: Door, method: str = "GET", *, host: str = "127.0.0.1:8765", session: str | None = None, **headers: str
) -> Asked:
    cookie = session if session is not None else door.enter(token(door)) or ""
    given = {"host": host, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return Asked(method, given, {door.cookie: cookie})


def test_address_opens_once(door: Door) -> None:
    address = token(door)
    assert len(address) >= 32
    assert door.enter("guess") is None
    assert door.enter(address)
    assert door.enter(address) is None
    assert address not in door.address
    assert address not in repr(door)


def test_no_two_doors_have_a_secret_in_common() -> None:
    one, other = Door(PORT), Door(PORT)
    assert token(one) != token(other)
    assert one.proof != other.proof
    assert one.root != other.root
    assert one.enter(token(one)) != other.enter(token(other))


def test_whoever_entered_may_look_and_send(door: Door) -> None:
    request = asked(door)
    assert door.refusal(request) is None
    assert door.refusal(Asked("POST", {**request.headers, "origin": "http://127.0.0.1:8765"}, request.cookies)) is None


@pytest.mark.parametrize("session", ["", "guess", "é"])
def test_refused_without_the_cookie(door: Door, session: str) -> None:
    assert door.refusal(asked(door, session=session))


@pytest.mark.parametrize("host", ["localhost:8765", "127.0.0.1:9999", "localhost"])
def test_a_tunnel_may_have_another_port(door: Door, host: str) -> None:
    assert door.refusal(asked(door, host=host)) is None


@pytest.mark.parametrize(
    "host", ["", "attacker.example:8765", "127.0.0.1.attacker.example", "127.0.0.1:8765@attacker.example", "[::1]:1"]
)
@pytest.mark.parametrize("entering", [True, False])
def test_refused_under_another_name(door: Door, host: str, entering: bool) -> None:
    assert door.refusal(asked(door, host=host), entering=entering)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_refused_where_another_page_asks(door: Door, site: str) -> None:
    assert door.refusal(asked(door, sec_fetch_site=site))


def test_address_may_be_opened_from_anywhere(door: Door) -> None:
    assert door.refusal(asked(door, session="", sec_fetch_site="cross-site"), entering=True) is None
    assert door.refusal(asked(door, "POST", session=""), entering=True)


@pytest.mark.parametrize(
    "origin", [None, "null", "http://127.0.0.1:9999", "https://127.0.0.1:8765", "http://x.example"]
)
def test_refused_where_a_form_comes_from_elsewhere(door: Door, origin: str | None) -> None:
    headers = {} if origin is None else {"origin": origin}
    assert door.refusal(asked(door, "POST", **headers))
