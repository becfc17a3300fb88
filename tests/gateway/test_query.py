"""What a search asks for, read from its parameters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomanon.crosswalk.gateway.showing import ShownStudy
from dicomanon.gateway.addresses import Address, bulk_path, frames, is_uid
from dicomanon.gateway.attributes import KnownBy, Level, by_name, of_level
from dicomanon.gateway.query import Query, read
from dicomanon.gateway.refusals import Refusal
from dicomanon.gateway.rows import row


def asked(level: Level = Level.STUDY, below: Address | None = None, **parameters: str) -> Query:
    return read(level, below, parameters.items())


def test_the_crosswalk_and_the_pacs_get_each_their_part() -> None:
    query = asked(PatientID="D?1*", StudyDate="20200101-", limit="5", offset="10", **{"0020000D": "1.2,1.3\\1.4"})
    assert query.wanted.patient_like == "D_1%"
    assert query.wanted.studies == ["1.2", "1.3", "1.4"]
    assert query.filters == {"StudyDate": "20200101-"}
    assert (query.limit, query.offset) == (5, 10)


def test_wildcards_of_sql_are_none_of_dicom() -> None:
    assert asked(PatientID="50%_\\").wanted.patient_like == "50\\%\\_\\\\"


@pytest.mark.parametrize("value", ["", "*", " ", "**"])
def test_what_does_not_restrict_is_left_out(value: str) -> None:
    query = asked(PatientName=value, PatientID=value, StudyInstanceUID=value)
    assert query.filters == {}
    assert (query.wanted.patient_like, query.wanted.studies) == (None, None)


def test_a_path_and_a_parameter_that_contradict_find_nothing() -> None:
    below = Address("1.2", "1.2.1")
    assert asked(Level.INSTANCE, below, StudyInstanceUID="1.3").wanted.studies == []
    assert asked(Level.INSTANCE, below, SeriesInstanceUID="1.2.1,9").wanted.series == ["1.2.1"]


def test_rows_have_what_their_level_has() -> None:
    def tags(level: Level, field: str) -> set[str]:
        return {one.tag for one in asked(level, includefield=field).fields}

    assert "00081030" not in tags(Level.STUDY, "SeriesDescription")
    assert "00081030" in tags(Level.STUDY, "StudyDescription")
    assert "00081030" in tags(Level.SERIES, "00081030")
    assert tags(Level.STUDY, "all") == {one.tag for one in of_level(Level.STUDY)}


@pytest.mark.parametrize("name", ["NumberOfStudyRelatedInstances", "RetrieveURL", "Modality", "SOPInstanceUID", "x"])
def test_a_study_is_not_searched_by(name: str) -> None:
    with pytest.raises(Refusal, match="can be searched by"):
        asked(**{name: "1"})


@given(st.text(max_size=70))
def test_a_uid_is_made_of_numbers_and_dots(text: str) -> None:
    if is_uid(text):
        assert set(text) <= set("0123456789.")
        assert 0 < len(text) <= 64


@given(st.text(max_size=40))
def test_what_goes_into_a_path_cannot_lead_out_of_it(text: str) -> None:
    for judge in (frames, lambda value: "/".join(bulk_path(value))):
        try:
            accepted = judge(text)
        except Refusal:
            continue
        assert accepted == text
        assert not set(text) - set("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-/,")


def test_counts_of_the_pacs_do_not_come_through() -> None:
    shown = ShownStudy("1.2", "D1", ["MR", "CT"], ["1.2.840.10008.5.1.4.1.1.2"], 2, 7)
    of_pacs = {
        "00100020": {"vr": "LO", "Value": ["OTHER"]},
        "00201208": {"vr": "IS", "Value": [99]},
        "00081190": {"vr": "UR", "Value": ["http://inside/studies/1.2"]},
        "00080020": {"vr": "DA", "Value": ["20200101"]},
        "00081110": {"vr": "SQ", "Value": []},
    }
    made = row(shown, of_pacs, asked(includefield="all").fields, "https://gate/dicom-web")
    assert made["00100020"]["Value"] == ["D1"]
    assert made["00201208"]["Value"] == [7]
    assert made["00080061"]["Value"] == ["CT", "MR"]
    assert made["00081190"]["Value"] == ["https://gate/dicom-web/studies/1.2"]
    assert made["00080020"] == of_pacs["00080020"]
    assert "00081110" not in made
    assert row(shown, None, asked().fields, "x")["00080056"]["Value"] == ["UNAVAILABLE"]


def test_the_table_says_what_the_standard_says() -> None:
    from pydicom.datadict import dictionary_keyword, dictionary_VR

    for attribute in by_name().values():
        assert dictionary_keyword(int(attribute.tag, 16)) == attribute.keyword
        assert dictionary_VR(int(attribute.tag, 16)) == attribute.vr
        assert attribute.known_by in KnownBy
