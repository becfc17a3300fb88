"""A series whose face goes is seen whole, in a folder and by the DAG; what cannot be seen whole is held."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, JPEGLosslessSV1, JPEGLSLossless
from tests.deidentify.faces.heads import SAGITTAL, Phantom, phantom
from tests.deidentify.faces.test_series import enhanced_mr
from tests.deidentify.test_conformance import errors_of
from tests.head_series import AIR, defacing_profile, head_ct, raw, scouts
from tests.pipeline.test_folder import results, source_folder
from tests.proxy import Reply, proxy
from tests.site import Run, Site, encoded, read, slices, study

from dicomanon.errors import Retriable
from dicomanon.pipeline import series
from dicomanon.pipeline.folder import deidentify_folder

STUDY = study("head")
HELD = "held(recognizable-face)"


@pytest.fixture(scope="module")
def head() -> Phantom:
    return phantom(spacing=(4.0, 2.0, 2.0))


@pytest.fixture
def objects(head: Phantom) -> list[bytes]:
    return raw(head_ct(STUDY, head))


@pytest.fixture
def defacing(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site whose profile takes faces out."""
    monkeypatch.setenv("DICOMANON_PROFILE", str(defacing_profile(tmp_path)))
    return site


def folder_run(tmp_path: Path, objects: Sequence[bytes]) -> tuple[list[Dataset | None], list[tuple[str, str]]]:
    """Return what became of each object, and reason and detail of each that is held."""
    source, report = source_folder(tmp_path, list(objects)), tmp_path / "report.json"
    deidentify_folder(source, tmp_path / "out", profile=str(defacing_profile(tmp_path)), jobs=1, report=report)
    said = json.loads(report.read_text())
    entries = [said[f"below/file{at}" if at % 2 else f"file{at}"] for at in range(len(objects))]
    written = results(tmp_path / "out")
    return (
        [read(written[Path(entry["written"]).stem]) if entry["written"] else None for entry in entries],
        [(entry["reason"], entry["detail"]) for entry in entries if entry["state"] == "held"],
    )


def stored(site: Site) -> list[Dataset]:
    """Return what the research PACS has, from the lowest slice to the highest."""
    found = [read(data) for data in site.research_objects().values()]
    return sorted(found, key=lambda one: float(one.ImagePositionPatient[2]))


def details(site: Site) -> set[str]:
    return {detail for (detail,) in site.rows("SELECT DISTINCT detail FROM crosswalk.instance WHERE state = 'held'")}


def codes(dataset: Dataset) -> set[str]:
    return {item.CodeValue for item in dataset.DeidentificationMethodCodeSequence}


def require_defaced(head: Phantom, before: Sequence[bytes], after: Sequence[Dataset | None]) -> int:
    """Check that air is where the face was and that no other pixel has changed; return how many became air."""
    there = [one for one in after if one is not None]
    was = np.stack([read(one).pixel_array for one in before])
    now = np.stack([one.pixel_array for one in there])
    changed = was != now
    assert changed[head.face].mean() > 0.9
    assert not (changed & head.brain).any()
    assert np.all(np.abs(now[changed] - AIR) < 10)
    assert {one.RecognizableVisualFeatures for one in there} == {"NO"}
    assert all("113102" in codes(one) for one in there)
    return int(changed.sum())


@pytest.mark.parametrize("syntax", ["", JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless])
def test_the_face_of_a_series_in_a_folder_becomes_air_and_nothing_else_changes(
    site: Site, tmp_path: Path, head: Phantom, syntax: str
) -> None:
    before = raw(head_ct(STUDY, head, syntax=syntax))
    after, held = folder_run(tmp_path, before[::-1])
    assert held == []
    require_defaced(head, before, after[::-1])
    assert {str(one.file_meta.TransferSyntaxUID) for one in after if one} == {
        str(read(before[0]).file_meta.TransferSyntaxUID)
    }
    for was, now in zip(before[::20], after[::-20], strict=False):
        assert now is not None
        assert errors_of(encoded(now), tmp_path) <= errors_of(was, tmp_path)


def test_a_series_of_a_folder_with_a_slice_missing_is_held(site: Site, tmp_path: Path, objects: list[bytes]) -> None:
    del objects[30]
    after, held = folder_run(tmp_path, objects)
    assert not any(after)
    (why,) = set(held)
    assert why == (
        "recognizable-face",
        "may-show-a-face: word-head; the series is no volume to find a face in: a slice is missing",
    )


def test_slices_of_another_orientation_are_judged_by_themselves(
    site: Site, tmp_path: Path, head: Phantom, objects: list[bytes]
) -> None:
    few = raw(scouts(STUDY, first=1 + len(objects)))
    after, held = folder_run(tmp_path, [*objects, *few])
    require_defaced(head, objects, after[: len(objects)])
    assert [detail.rsplit(": ", 1)[-1] for _, detail in held] == ["too few slices"] * len(few)


def test_a_multi_frame_object_is_a_series_by_itself(site: Site, tmp_path: Path) -> None:
    head = phantom("MR", SAGITTAL, (4.0, 2.0, 2.0))
    before = enhanced_mr(head)
    before.file_meta = FileMetaDataset()
    before.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    (after,), held = folder_run(tmp_path, [encoded(before)])
    assert held == []
    assert after is not None
    changed = after.pixel_array != before.pixel_array
    assert changed[head.face].mean() > 0.9
    assert not (changed & head.brain).any()
    assert after.RecognizableVisualFeatures == "NO"


def test_what_the_header_says_shows_no_face_passes_as_it_is(site: Site, tmp_path: Path) -> None:
    chest = slices(study("chest"))
    after, held = folder_run(tmp_path, chest)
    assert held == []
    for was, now in zip(chest, after, strict=True):
        assert now is not None
        assert np.array_equal(read(was).pixel_array, now.pixel_array)
        assert "RecognizableVisualFeatures" not in now
        assert "113102" not in codes(now)


def test_a_series_too_large_for_memory_is_held(
    site: Site, tmp_path: Path, objects: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(series, "MOST_BYTES", 20 * len(objects[0]))
    after, held = folder_run(tmp_path, objects)
    assert not any(after)
    assert {detail for _, detail in held} == {
        "may-show-a-face: word-head; its series is too large to be held in memory"
    }


def test_the_dag_takes_faces_out_and_the_trace_tells(defacing: Site, head: Phantom, objects: list[bytes]) -> None:
    assert defacing.ingest(*objects)["stored"] == len(objects)
    after = stored(defacing)
    changed = require_defaced(head, objects, after)
    counts = defacing.trace(str(after[0].SeriesInstanceUID)).action_counts
    assert counts["deface"] == len(objects)
    # Some of them were air, of just the value that they have now.
    assert changed <= counts["defaced-pixels"] < 1.2 * changed


def test_small_batches_leave_a_series_whole(
    defacing: Site, head: Phantom, objects: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DICOMANON_BATCH_INSTANCES", "10")
    defacing.ingest(*objects)
    require_defaced(head, objects, stored(defacing))


def test_late_slices_are_seen_with_those_that_are_stored(defacing: Site, head: Phantom, objects: list[bytes]) -> None:
    late = objects[25:28]
    defacing.ingest(*objects[28:])
    assert set(defacing.states().values()) == {"stored"}
    defacing.ingest(*late)
    after = stored(defacing)
    assert len(after) == len(objects[25:])
    part = Phantom(head.volume, head.planes, head.brain[25:], head.face[25:])
    require_defaced(part, objects[25:], after)


def test_what_is_stored_of_a_series_counts_for_its_size_in_memory(
    defacing: Site, objects: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    late = str(read(objects[0]).SOPInstanceUID)
    defacing.ingest(*objects[1:])
    monkeypatch.setattr(series, "MOST_BYTES", 20 * len(objects[0]))
    defacing.ingest(objects[0])
    states = defacing.states()
    assert states.pop(late) == HELD
    assert set(states.values()) == {"stored"}
    assert details(defacing) == {"may-show-a-face: word-head; its series is too large to be held in memory"}


def test_a_stream_that_breaks_off_before_what_is_stored_is_tried_again(
    defacing: Site, objects: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    defacing.ingest(*objects[1:])
    defacing.load(objects[0])
    run = Run()
    run.discover()
    (batch,) = run.plan()

    def cut(reply: Reply) -> None:
        if reply.is_wado and len(reply.body) > 2 * len(objects[0]):
            reply.cut = len(reply.body) // 2

    with proxy(defacing.clinical, cut) as between:
        monkeypatch.setenv("DICOMANON_CLINICAL__URL", between.url)
        with pytest.raises(Retriable):
            run.pull(batch, last_try=False)
        between.change = lambda reply: None
        assert run.pull(batch) == {"instances": 1, "deidentified": 1, "held": 0, "filtered": 0, "not_retrieved": 0}


def test_an_object_that_was_lost_is_made_again_from_its_whole_series(defacing: Site, objects: list[bytes]) -> None:
    defacing.load(*objects)
    run = Run()
    (batch,) = run.pulled()
    lost = sorted(defacing.staging.rglob("*.dcm"))[7]
    before = lost.read_bytes()
    lost.unlink()
    assert run.pull(batch)["instances"] == 1
    assert lost.read_bytes() == before


def test_what_the_pacs_withholds_holds_its_series_in_the_last_try_only(
    defacing: Site, objects: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = str(read(objects[-1]).SOPInstanceUID)
    defacing.load(*objects)
    run = Run()
    run.discover()
    (batch,) = run.plan()

    def withhold(reply: Reply) -> None:
        if reply.path.endswith(missing):
            reply.fail(500)
        elif reply.is_wado:
            reply.replace_parts([part for part in reply.parts() if str(read(part).SOPInstanceUID) != missing])

    with proxy(defacing.clinical, withhold) as between:
        monkeypatch.setenv("DICOMANON_CLINICAL__URL", between.url)
        with pytest.raises(Retriable):
            run.pull(batch, last_try=False)
        assert set(defacing.states().values()) == {"discovered"}
        run.pull(batch)
    states = defacing.states()
    assert states.pop(missing) == "held(not-retrieved)"
    assert set(states.values()) == {HELD}
    assert any("1 of" in detail for detail in details(defacing))
