"""The keyring file, sealing and blind indexes."""

import json
import os
import pickle
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from dicomanon.crosswalk.keyring import Keyring
from dicomanon.errors import Fatal

KEYS = Keyring(b"a" * 32, b"b" * 32, b"c" * 32, b"d" * 32)


class TestFile:
    def test_is_readable_by_its_owner_alone(self, keyring_file: Path) -> None:
        assert keyring_file.stat().st_mode & 0o777 == 0o600

    def test_loads_the_keys_that_were_generated(self, tmp_path: Path) -> None:
        generated = Keyring.generate(tmp_path / "keys")
        loaded = Keyring.load(tmp_path / "keys")
        assert loaded.uid_key == generated.uid_key
        assert loaded.sealing_key == generated.sealing_key
        assert loaded.index("k", "v") == generated.index("k", "v")

    def test_is_never_overwritten(self, keyring_file: Path) -> None:
        before = keyring_file.read_bytes()
        with pytest.raises(Fatal, match="never overwritten"):
            Keyring.generate(keyring_file)
        assert keyring_file.read_bytes() == before

    @pytest.mark.parametrize("mode", [0o644, 0o604, 0o660, 0o666])
    def test_refused_when_open_to_others(self, keyring_file: Path, mode: int) -> None:
        os.chmod(keyring_file, mode)
        with pytest.raises(Fatal, match="open to others"):
            Keyring.load(keyring_file)

    def test_a_mounted_secret_readable_by_the_group_is_accepted(self, keyring_file: Path) -> None:
        os.chmod(keyring_file, 0o440)
        Keyring.load(keyring_file)

    @pytest.mark.parametrize("damage", ["", "{", "[]", '{"format": 1}', '{"format": 2, "keys": {}}'])
    def test_refused_when_damaged_without_showing_its_content(self, keyring_file: Path, damage: str) -> None:
        keyring_file.write_text(damage)
        with pytest.raises(Fatal):
            Keyring.load(keyring_file)

    def test_refused_when_two_keys_are_the_same(self, keyring_file: Path) -> None:
        content = json.loads(keyring_file.read_text())
        content["keys"]["index"] = content["keys"]["sealing"]
        keyring_file.write_text(json.dumps(content))
        with pytest.raises(Fatal, match="independent"):
            Keyring.load(keyring_file)

    def test_refused_when_missing(self, tmp_path: Path) -> None:
        with pytest.raises(Fatal, match="cannot be read"):
            Keyring.load(tmp_path / "none")


class TestReplacedSealingKey:
    def test_is_in_the_file_with_the_former_one_beside_it(self, keyring_file: Path) -> None:
        before = Keyring.load(keyring_file)
        before.replaced_sealing_key().replace(keyring_file)
        after = Keyring.load(keyring_file)
        assert after.sealing_key != before.sealing_key
        assert [master.name for master in after.masters[1:]] == [master.name for master in before.masters]
        assert (after.uid_key, after.index("k", "v")) == (before.uid_key, before.index("k", "v"))

    def test_forgets_the_former_one_when_told(self, keyring_file: Path) -> None:
        Keyring.load(keyring_file).replaced_sealing_key().replace(keyring_file)
        kept = Keyring.load(keyring_file)
        kept.without_former_keys().replace(keyring_file)
        assert [master.name for master in Keyring.load(keyring_file).masters] == [kept.masters[0].name]

    @pytest.mark.parametrize("mode", [0o600, 0o440])
    def test_leaves_mode_and_nothing_beside_the_file(self, keyring_file: Path, mode: int) -> None:
        os.chmod(keyring_file, mode)
        Keyring.load(keyring_file).replaced_sealing_key().replace(keyring_file)
        assert keyring_file.stat().st_mode & 0o777 == mode
        assert list(keyring_file.parent.iterdir()) == [keyring_file]

    def test_leaves_a_file_that_cannot_be_replaced(self, tmp_path: Path) -> None:
        missing = tmp_path / "nowhere" / "keyring.json"
        with pytest.raises(Fatal, match="cannot be replaced"):
            KEYS.replaced_sealing_key().replace(missing)


class TestIndex:
    def test_equal_values_of_one_kind_are_equal(self) -> None:
        assert KEYS.index("study-uid", "1.2") == KEYS.index("study-uid", "1.2")

    def test_kinds_do_not_meet(self) -> None:
        assert KEYS.index("study-uid", "1.2") != KEYS.index("series-uid", "1.2")

    def test_depends_on_the_key(self) -> None:
        other = Keyring(b"a" * 32, b"e" * 32, b"c" * 32, b"d" * 32)
        assert KEYS.index("k", "v") != other.index("k", "v")

    def test_takes_values_that_are_not_valid_unicode(self) -> None:
        assert len(KEYS.index("k", "\udcff")) == 16


class TestRequestKey:
    def test_public_key_belongs_to_the_private_one(self) -> None:
        private = X25519PrivateKey.from_private_bytes(KEYS.request_private_key)
        assert private.public_key().public_bytes_raw() == KEYS.request_public_key


def test_shows_no_key_in_any_textual_form() -> None:
    for text in (repr(KEYS), str(KEYS), f"{KEYS}"):
        assert text == "Keyring(****)"


def test_is_not_pickled() -> None:
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(KEYS)


def test_keys_of_projects_are_derived_each_by_itself_and_lead_back_to_none() -> None:
    one, other = (Keyring(*(bytes([number + more]) * 32 for number in range(4))) for more in (0, 10))
    keys = [one.project_key("LUNG"), one.project_key("HEART"), other.project_key("LUNG"), one.uid_key]
    assert len(set(keys)) == len(keys)
    assert {len(key) for key in keys} == {32}
    assert one.project_key("LUNG") == keys[0]
