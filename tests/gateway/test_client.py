"""dicomweb-client, unchanged, finds and reads what was released, and only that."""

from dicomweb_client.web import DICOMwebClient
from pydicom.dataset import Dataset
from tests.gateway.conftest import World, client_of, uids
from tests.site import read

STUDY, SERIES, SOP = "0020000D", "0020000E", "00080018"


def test_searches_studies_with_counts_of_what_is_shown(world: World, client: DICOMwebClient) -> None:
    rows = client.search_for_studies()
    assert sorted(uids(rows, STUDY)) == sorted({one.study for one in world.given["LUNG"]})
    assert uids(rows, "00201208") == [3, 3]
    assert uids(rows, "00201206") == [1, 1]
    assert all(row["00080061"]["Value"] == ["CT"] for row in rows)
    assert all(row["00100020"]["Value"][0].startswith("D") for row in rows)
    assert {"00080020", "00100010"} <= rows[0].keys()


def test_searches_series_and_instances_at_every_path(world: World, client: DICOMwebClient) -> None:
    mine = world.given["LUNG"]
    assert sorted(uids(client.search_for_series(), SERIES)) == sorted({one.series for one in mine})
    assert sorted(uids(client.search_for_instances(), SOP)) == sorted(one.sop for one in mine)
    for one in mine:
        assert uids(client.search_for_series(one.study), SERIES) == [one.series]
        assert one.sop in uids(client.search_for_instances(one.study), SOP)
        assert one.sop in uids(client.search_for_instances(one.study, one.series), SOP)


def test_pages_by_limit_and_offset_and_gets_the_rest(world: World, client: DICOMwebClient) -> None:
    whole = uids(client.search_for_instances(), SOP)
    assert len(whole) == 6
    pages = [uids(client.search_for_instances(limit=4, offset=start), SOP) for start in (0, 4)]
    assert [uid for page in pages for uid in page] == whole
    assert client.search_for_instances(limit=4, offset=6) == []
    assert uids(client.search_for_instances(limit=4, get_remaining=True), SOP) == whole
    # Also where the PACS is what restricts.
    by_pacs = {"SeriesDescription": "*"} | {"StudyDate": "19000101-"}
    pages = [uids(client.search_for_instances(limit=4, offset=start, search_filters=by_pacs), SOP) for start in (0, 4)]
    assert [uid for page in pages for uid in page] == whole


def test_searches_by_attributes(world: World, client: DICOMwebClient) -> None:
    rows = client.search_for_studies(fields=["StudyDescription"])
    for row in rows:
        (uid,) = uids([row], STUDY)
        assert uids(client.search_for_studies(search_filters={"StudyInstanceUID": uid}), STUDY) == [uid]
        assert uids(client.search_for_studies(search_filters={"PatientID": row["00100020"]["Value"][0]}), STUDY) == [
            uid
        ]
        date = row["00080020"]["Value"][0]
        assert uid in uids(client.search_for_studies(search_filters={"StudyDate": date}), STUDY)
    assert client.search_for_studies(search_filters={"StudyDate": "19000101"}) == []
    assert len(client.search_for_studies(search_filters={"PatientID": "D*", "ModalitiesInStudy": "CT"})) == 2
    assert client.search_for_studies(search_filters={"ModalitiesInStudy": "MR"}) == []
    assert client.search_for_series(search_filters={"Modality": "MR"}) == []
    two = ",".join(uids(rows, STUDY))
    assert len(client.search_for_series(search_filters={"StudyInstanceUID": two})) == 2


def test_retrieves_whole_studies_byte_for_byte(world: World, client: DICOMwebClient, get: object) -> None:
    stored = {read(data).SOPInstanceUID: data for data in world.site.research_objects().values()}
    for study in (world.whole(), world.partly()):
        mine = sorted(one.sop for one in world.given["LUNG"] if one.study == study)
        found = client.retrieve_study(study)
        assert sorted(dataset.SOPInstanceUID for dataset in found) == mine
        for dataset in found:
            assert dataset == read(stored[dataset.SOPInstanceUID])


def test_iterates_over_studies_and_series_as_they_arrive(world: World, client: DICOMwebClient) -> None:
    for one in world.given["LUNG"]:
        mine = sorted(other.sop for other in world.given["LUNG"] if other.series == one.series)
        assert sorted(dataset.SOPInstanceUID for dataset in client.iter_series(one.study, one.series)) == mine
        assert len(list(client.iter_study(one.study))) == 3
        assert client.retrieve_instance(one.study, one.series, one.sop).SOPInstanceUID == one.sop


def test_retrieves_any_transfer_syntax(world: World, client: DICOMwebClient) -> None:
    one = world.given["LUNG"][0]
    found = client.retrieve_instance(one.study, one.series, one.sop, media_types=(("application/dicom", "*"),))
    assert found.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert found.pixel_array.shape == (32, 32)


def test_retrieves_frames_bulk_data_and_pictures(world: World, client: DICOMwebClient) -> None:
    one = world.given["LUNG"][0]
    whole = client.retrieve_instance(one.study, one.series, one.sop)
    (frame,) = client.retrieve_instance_frames(one.study, one.series, one.sop, frame_numbers=[1])
    assert frame == whole.PixelData
    (header,) = client.retrieve_series_metadata(one.study, one.series)[:1]
    uri = header["7FE00010"]["BulkDataURI"]
    assert uri.startswith(client.base_url)
    (bulk,) = client.retrieve_bulkdata(uri)
    assert len(bulk) == len(whole.PixelData)
    picture = client.retrieve_instance_rendered(one.study, one.series, one.sop, media_types=("image/png",))
    assert picture.startswith(b"\x89PNG")
    jpeg = client.retrieve_instance_frames_rendered(
        one.study, one.series, one.sop, frame_numbers=[1], media_types=("image/jpeg",)
    )
    assert jpeg.startswith(b"\xff\xd8")


def test_retrieves_metadata_of_what_is_shown(world: World, client: DICOMwebClient) -> None:
    study = world.partly()
    mine = [one for one in world.given["LUNG"] if one.study == study]
    assert sorted(uids(client.retrieve_study_metadata(study), SOP)) == sorted(one.sop for one in mine)
    assert sorted(uids(client.retrieve_series_metadata(study, mine[0].series), SOP)) == sorted(one.sop for one in mine)
    header = client.retrieve_instance_metadata(study, mine[0].series, mine[0].sop)
    dataset = Dataset.from_json(header, bulk_data_uri_handler=lambda *_: None)
    assert dataset.SOPInstanceUID == mine[0].sop
    assert (dataset.Rows, dataset.Modality) == (32, "CT")


def test_two_projects_see_each_their_part_of_one_study(world: World, address: str) -> None:
    shared = world.partly()
    found = {}
    for project in ("LUNG", "HEART"):
        found[project] = {d.SOPInstanceUID for d in client_of(address, world.token(project)).iter_study(shared)}
        assert found[project] == {one.sop for one in world.given[project] if one.study == shared}
    assert not found["LUNG"] & found["HEART"]
