import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import UID

from dicomanon.deidentify import UidMapper
from dicomanon.standard.dictionary import is_registered_uid

MAPPER = UidMapper(b"0123456789abcdef0123456789abcdef")
COMPONENT = st.integers(0, 10**12).map(str)
UIDS = st.lists(COMPONENT, min_size=3, max_size=4).map(lambda parts: "1.2." + ".".join(parts))


@given(st.sets(UIDS, min_size=2, max_size=20))
def test_uids_map_one_to_one(uids: set[str]) -> None:
    uids = {uid for uid in uids if not is_registered_uid(uid)}
    assert len({MAPPER(uid) for uid in uids}) == len(uids)


@given(UIDS)
def test_result_is_a_valid_uid_made_of_a_version_8_uuid(uid: str) -> None:
    mapped = MAPPER(uid)
    assert UID(mapped).is_valid
    number = int(mapped.removeprefix("2.25."))
    assert number >> 76 & 0xF == 8
    assert number >> 62 & 0x3 == 2


@given(UIDS)
def test_mapping_is_the_same_in_every_process_with_the_same_key_and_no_other(uid: str) -> None:
    again = UidMapper(b"0123456789abcdef0123456789abcdef")
    other = UidMapper(b"another key, also of thirty-two b")
    assert again(uid) == MAPPER(uid) != other(uid)


@given(UIDS)
def test_padding_does_not_change_the_mapping(uid: str) -> None:
    assert MAPPER(uid + "\0") == MAPPER(uid + " ") == MAPPER(uid)


@given(st.text(min_size=1, max_size=40))
def test_whatever_stands_in_a_uid_attribute_is_replaced(text: str) -> None:
    mapped = MAPPER(text)
    assert not mapped or is_registered_uid(mapped) or re.fullmatch(r"2\.25\.\d+", mapped)


@pytest.mark.parametrize("uid", ["1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.4.1.1", ""])
def test_registered_and_empty_uids_stay(uid: str) -> None:
    assert MAPPER(uid) == uid


def test_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="too short"):
        UidMapper(b"short")


def test_mapper_does_not_show_its_key() -> None:
    assert "0123456789" not in repr(MAPPER)
