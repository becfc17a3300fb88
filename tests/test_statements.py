"""Statements are signed in an open form, and nothing but the key that signed them opens them."""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dicomanon.errors import Fatal
from dicomanon.signing import SigningKey
from dicomanon.statements import open_statement, sign_statement, statement

KEY = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
SAID = statement([("objects", "ab" * 32)], "urn:example:1", {"count": 3})


def test_what_was_signed_is_read() -> None:
    assert open_statement(KEY.public, sign_statement(KEY, SAID)) == SAID


def test_the_signature_is_that_of_the_dsse_specification() -> None:
    envelope = sign_statement(KEY, SAID)
    body = base64.b64decode(envelope["payload"])
    kind = b"application/vnd.in-toto+json"
    signed = b"DSSEv1 " + str(len(kind)).encode() + b" " + kind + b" " + str(len(body)).encode() + b" " + body
    assert KEY.public.verifies(base64.b64decode(envelope["signatures"][0]["sig"]), signed)
    assert envelope["signatures"][0]["keyid"] == KEY.public.id
    assert json.loads(body)["subject"] == [{"name": "objects", "digest": {"sha256": "ab" * 32}}]


def changed(**fields: Any) -> dict[str, Any]:
    return sign_statement(KEY, SAID) | fields


@pytest.mark.parametrize(
    "envelope",
    [
        changed(payload=base64.b64encode(json.dumps(SAID | {"predicate": {"count": 4}}).encode()).decode()),
        changed(payloadType="application/json"),
        changed(signatures=[]),
        changed(signatures=[{"sig": base64.b64encode(bytes(64)).decode()}]),
        changed(signatures=[{"sig": "no base64"}]),
        changed(signatures=None),
        {},
        sign_statement(SigningKey(Ed25519PrivateKey.generate()), SAID),
    ],
    ids=["other words", "other type", "unsigned", "zeros", "garbage", "nothing", "empty", "another key"],
)
def test_anything_else_is_refused(envelope: dict[str, Any]) -> None:
    with pytest.raises(Fatal):
        open_statement(KEY.public, envelope)
