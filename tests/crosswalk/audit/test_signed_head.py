"""Signed heads are believed from the key that signs alone, and a trail that does not hold is not signed."""

import base64
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.crosswalk.audit.conftest import Tamper, events
from tests.crosswalk.audit.test_chain import REBUILD

from dicomanon.crosswalk.audit.chain import Head
from dicomanon.crosswalk.audit.signed_head import SignedHead
from dicomanon.crosswalk.database import Crosswalk
from dicomanon.errors import Fatal
from dicomanon.pipeline.audit_head import newest_head, sign_head
from dicomanon.signing import PublicKey, SigningKey


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    SigningKey.generate(tmp_path / "audit.pem")
    return tmp_path / "audit.pem"


@pytest.fixture
def key(key_file: Path) -> SigningKey:
    return SigningKey.load(key_file)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "heads"
    path.mkdir()
    return path


class TestSignedHead:
    def test_comes_back_as_it_was_signed(self, key: SigningKey, crosswalk: Crosswalk, tmp_path: Path) -> None:
        signed = SignedHead.sign(key, crosswalk.audit.chain(), Head(7, b"h" * 32))
        (tmp_path / "public.pem").write_text(key.public.pem())
        assert SignedHead.from_json(signed.to_json(), PublicKey.load(tmp_path / "public.pem")) == signed

    @pytest.mark.parametrize(
        ("name", "value"),
        [("number", 6), ("hash", "00" * 32), ("signed_at", "2001-01-01T00:00:00+00:00"), ("chain", "0" * 32)],
    )
    def test_changed_is_refused(self, key: SigningKey, crosswalk: Crosswalk, name: str, value: object) -> None:
        content = json.loads(SignedHead.sign(key, crosswalk.audit.chain(), Head(7, b"h" * 32)).to_json())
        with pytest.raises(Fatal, match="changed, or was signed with another key"):
            SignedHead.from_json(json.dumps({**content, name: value}), key.public)

    def test_of_another_key_is_refused(self, key: SigningKey, crosswalk: Crosswalk, tmp_path: Path) -> None:
        signed = SignedHead.sign(
            SigningKey.generate(tmp_path / "other.pem"), crosswalk.audit.chain(), Head(7, b"h" * 32)
        )
        with pytest.raises(Fatal, match="another key"):
            SignedHead.from_json(signed.to_json(), key.public)

    @pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "dicomanon audit head 1"}', '{"format": "2"}'])
    def test_damaged_is_refused(self, key: SigningKey, text: str) -> None:
        with pytest.raises(Fatal, match=r"damaged|format"):
            SignedHead.from_json(text, key.public)

    @pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl on this machine")
    def test_openssl_agrees(self, key: SigningKey, crosswalk: Crosswalk, tmp_path: Path) -> None:
        signed = SignedHead.sign(key, crosswalk.audit.chain(), Head(7, b"h" * 32))
        content = json.loads(signed.to_json())
        signature = base64.b64decode(content.pop("signature"))
        statement = json.dumps(content, sort_keys=True, separators=(",", ":"))
        for name, data in (("s", signature), ("m", statement.encode()), ("k", key.public.pem().encode())):
            (tmp_path / name).write_bytes(data)
        done = subprocess.run(
            ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "k", "-rawin", "-in", "m", "-sigfile", "s"],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "Verified Successfully" in done.stdout, done.stderr


class TestSignHead:
    def test_writes_one_for_each_state_and_reads_only_what_is_new(
        self, crosswalk: Crosswalk, key: SigningKey, folder: Path
    ) -> None:
        crosswalk.audit.record(events(10))
        _, checked = sign_head(crosswalk.audit, key, folder)
        assert checked.entries == 10
        crosswalk.audit.record(events(3))
        signed, checked = sign_head(crosswalk.audit, key, folder)
        assert (signed.head.number, checked.entries) == (13, 3)
        again, checked = sign_head(crosswalk.audit, key, folder)
        assert (again, checked.entries) == (signed, 0)
        assert [path.name for path in sorted(folder.iterdir())] == [
            "head-000000000000010.json",
            "head-000000000000013.json",
        ]
        assert newest_head(folder, key.public) == signed

    @pytest.mark.parametrize(
        ("statements", "number"),
        [
            (["UPDATE crosswalk.access_event SET actor = 'eve' WHERE number = 12"], 12),
            (["DELETE FROM crosswalk.access_event WHERE number > 8"], 9),
            (["DELETE FROM crosswalk.access_event WHERE number = 2", REBUILD], 1),
        ],
        ids=["edited", "cut before the head", "rebuilt"],
    )
    def test_what_does_not_hold_is_not_signed(
        self, crosswalk: Crosswalk, key: SigningKey, folder: Path, tamper: Tamper, statements: list[str], number: int
    ) -> None:
        crosswalk.audit.record(events(10))
        sign_head(crosswalk.audit, key, folder)
        crosswalk.audit.record(events(5))
        for statement in statements:
            tamper(statement)
        with pytest.raises(Fatal, match=f"does not hold: entry {number}:"):
            sign_head(crosswalk.audit, key, folder)
        assert len(list(folder.iterdir())) == 1

    def test_of_another_trail_nothing_is_signed(
        self, crosswalk: Crosswalk, key: SigningKey, folder: Path, tamper: Tamper
    ) -> None:
        sign_head(crosswalk.audit, key, folder)
        tamper("ALTER TABLE crosswalk.audit_turn DISABLE TRIGGER USER")
        tamper("UPDATE crosswalk.audit_turn SET chain = gen_random_uuid()")
        with pytest.raises(Fatal, match="another trail"):
            sign_head(crosswalk.audit, key, folder)

    def test_a_folder_that_is_not_there_is_said(self, crosswalk: Crosswalk, key: SigningKey, tmp_path: Path) -> None:
        with pytest.raises(Fatal, match="DICOMANON_AUDIT_HEAD_DIR"):
            sign_head(crosswalk.audit, key, tmp_path / "none")
