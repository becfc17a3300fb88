"""Sealed values and wrapped data keys: what opens, and what is refused."""

import pickle
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomanon.crosswalk.keys.data_keys import ERASED, DataKey, Sealer, SiteKeys
from dicomanon.crosswalk.keys.wrapping import WrappingKey, wrapped_by, wrapped_prefix
from dicomanon.errors import Fatal, Held
from dicomanon.reasons import HoldReason

SITE = SiteKeys({1: b"s" * 32})
KEY = DataKey(b"k" * 32, SITE)
BOTH = pytest.mark.parametrize("key", [KEY, SITE], ids=["of-row", "of-site"])
ROW, OTHER_ROW = UUID(int=1), UUID(int=2)


class TestSealedValue:
    @BOTH
    @given(plaintext=st.binary(max_size=200), context=st.text(max_size=40))
    def test_opens_to_what_was_sealed(self, key: Sealer, plaintext: bytes, context: str) -> None:
        assert key.open(key.seal(plaintext, context), context) == plaintext

    @BOTH
    def test_is_another_each_time(self, key: Sealer) -> None:
        assert key.seal(b"MRN", "c") != key.seal(b"MRN", "c")

    def test_of_a_row_is_no_longer_than_it_was_before_there_were_data_keys(self) -> None:
        assert len(KEY.seal(b"MRN-1", "c")) == 1 + 12 + 5 + 16

    @BOTH
    @given(position=st.integers(min_value=0, max_value=33), change=st.integers(min_value=1, max_value=255))
    def test_is_refused_when_any_byte_was_changed(self, key: Sealer, position: int, change: int) -> None:
        sealed = bytearray(key.seal(b"MRN-1", "c"))
        sealed[position] ^= change
        with pytest.raises(Fatal) as refused:
            key.open(bytes(sealed), "c")
        assert "MRN-1" not in str(refused.value)

    @BOTH
    @given(length=st.integers(min_value=1, max_value=33))
    def test_is_refused_when_cut_short(self, key: Sealer, length: int) -> None:
        with pytest.raises(Fatal):
            key.open(key.seal(b"MRN-1", "c")[:length], "c")

    @BOTH
    def test_is_refused_in_another_context(self, key: Sealer) -> None:
        with pytest.raises(Fatal, match="does not open"):
            key.open(key.seal(b"MRN-1", "patient.identity|1"), "patient.identity|2")

    def test_is_refused_with_the_key_of_another_row(self) -> None:
        with pytest.raises(Fatal, match="does not open"):
            DataKey(b"e" * 32, SITE).open(KEY.seal(b"MRN-1", "c"), "c")

    @BOTH
    def test_that_was_destroyed_is_held(self, key: Sealer) -> None:
        with pytest.raises(Held) as held:
            key.open(ERASED, "c")
        assert held.value.reason is HoldReason.KEYS_DESTROYED

    def test_is_never_made_for_a_row_without_a_key(self) -> None:
        with pytest.raises(Fatal, match="without a data key"):
            DataKey(None, SITE).seal(b"x", "c")


class TestSiteKeys:
    def test_the_newest_seals_and_each_opens(self) -> None:
        before = SITE.seal(b"x", "c")
        grown = SiteKeys({1: b"s" * 32, 2: b"t" * 32})
        assert grown.open(before, "c") == b"x"
        assert grown.open(grown.seal(b"y", "c"), "c") == b"y"
        with pytest.raises(Fatal, match="not there"):
            SITE.open(grown.seal(b"y", "c"), "c")


class TestWrappedKey:
    WRAPPING = WrappingKey(7, b"w" * 32)

    def test_opens_for_its_row(self) -> None:
        wrapped = self.WRAPPING.wrap(b"k" * 32, "study", ROW)
        assert self.WRAPPING.unwrap(wrapped, "study", ROW) == b"k" * 32
        assert (wrapped_by(wrapped), len(wrapped)) == (7, 65)
        assert wrapped.startswith(wrapped_prefix(7))

    @pytest.mark.parametrize(("owner", "row"), [("study", OTHER_ROW), ("patient", ROW)])
    def test_is_refused_on_another_row(self, owner: str, row: UUID) -> None:
        wrapped = self.WRAPPING.wrap(b"k" * 32, "study", ROW)
        with pytest.raises(Fatal, match="does not open"):
            self.WRAPPING.unwrap(wrapped, owner, row)  # type: ignore[arg-type]

    @pytest.mark.parametrize("junk", [b"", b"\x01\0\0\0\x07", b"\x02" + b"x" * 64])
    def test_of_another_form_is_refused(self, junk: bytes) -> None:
        with pytest.raises(Fatal, match="unknown version or cut short"):
            wrapped_by(junk)


@pytest.mark.parametrize("key", [KEY, SITE, WrappingKey(1, b"w" * 32)])
def test_no_key_shows_or_is_pickled(key: object) -> None:
    assert "****" in repr(key)
    assert "kkkk" not in repr(key)
    with pytest.raises(TypeError):
        pickle.dumps(key)
