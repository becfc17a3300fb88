"""What is held for its pixels: counted, sampled evenly, and named only to those whose look is in the trail."""

from uuid import uuid4

import psycopg
import pytest
from tests.crosswalk.scenario import Run, discover, held, sightings

from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.rows import HeldCount
from dicomanon.devices import DeviceDecision, DeviceKey
from dicomanon.errors import Fatal
from dicomanon.reasons import HoldReason

WHO = {"actor": "reviewer", "action": "pixels.review", "reason": "to see what it writes"}
KEY = DeviceKey.of(
    modality="US", manufacturer="Acme", model="Sono", software_versions="1", sop_class_uid="1.2", rows=10, columns=20,
    image_type="",
)  # fmt: skip


@pytest.fixture
def studies(crosswalk: Crosswalk) -> Crosswalk:
    """Three studies of one, two and nine instances; all wait for a device but one, which is held for its document."""
    for number, instances in enumerate((1, 2, 9)):
        discover(crosswalk, f"1.2.{number}", sightings(f"1.2.{number}", instances))
    run = Run(crosswalk)
    large = [source.instance_id for source in run.sources() if source.study_instances == 9]
    outcomes = [
        held(outcome, "encapsulated-document", "a scan")
        if outcome.instance_id == large[0]
        else held(outcome, "unconfirmed-device", "class-high", device=KEY)
        for outcome in run.outcomes()
    ]
    crosswalk.mapping.record(run.batch, outcomes)
    return crosswalk


def study_of(crosswalk_dsn: str, instance_id: int) -> str:
    with psycopg.connect(crosswalk_dsn) as connection:
        row = connection.execute("SELECT study_id FROM crosswalk.instance WHERE id = %s", (instance_id,)).fetchone()
    assert row is not None
    return str(row[0])


def events(crosswalk_dsn: str) -> list[tuple[str, str, int, int]]:
    with psycopg.connect(crosswalk_dsn) as connection:
        return connection.execute("SELECT actor, action, count, instance_id FROM crosswalk.access_event").fetchall()  # type: ignore[return-value]


class TestCounts:
    def test_by_reason_those_of_pixels_alone(self, studies: Crosswalk) -> None:
        assert studies.quarantine.counts() == {HoldReason.UNCONFIRMED_DEVICE: HeldCount(11, 3)}

    def test_none(self, crosswalk: Crosswalk) -> None:
        assert crosswalk.quarantine.counts() == {}


class TestSamples:
    def test_one_of_each_study_before_a_second_of_any(self, studies: Crosswalk, crosswalk_dsn: str) -> None:
        (device,) = studies.devices.all()
        for found in (
            studies.quarantine.of_device(device.id, limit=5),
            studies.quarantine.of_reason(HoldReason.UNCONFIRMED_DEVICE, limit=5),
        ):
            of = [study_of(crosswalk_dsn, one.instance_id) for one in found]
            assert len(set(of[:3])) == 3
            assert len(set(of[3:5])) == 2

    def test_pages_are_whole_and_do_not_overlap(self, studies: Crosswalk) -> None:
        pages = [
            studies.quarantine.of_reason(HoldReason.UNCONFIRMED_DEVICE, limit=4, offset=offset) for offset in (0, 4, 8)
        ]
        assert [len(page) for page in pages] == [4, 4, 3]
        assert len({one.instance_id for page in pages for one in page}) == 11

    def test_tells_research_identifiers_only(self, studies: Crosswalk) -> None:
        (one,) = studies.quarantine.of_reason(HoldReason.UNCONFIRMED_DEVICE, limit=1)
        assert (one.reason, one.detail) == (HoldReason.UNCONFIRMED_DEVICE, "class-high")
        assert one.research_sop_uid.startswith("2.25.")

    def test_other_reasons_and_unknown_devices_have_none(self, studies: Crosswalk) -> None:
        assert studies.quarantine.of_reason(HoldReason.ENCAPSULATED_DOCUMENT, limit=9) == []
        assert studies.quarantine.of_device(uuid4(), limit=9) == []

    @pytest.mark.parametrize(("limit", "offset"), [(0, 0), (1, -1)])
    def test_refused_where_a_page_makes_no_sense(self, studies: Crosswalk, limit: int, offset: int) -> None:
        with pytest.raises(Fatal):
            studies.quarantine.of_reason(HoldReason.UNCONFIRMED_DEVICE, limit=limit, offset=offset)


class TestLook:
    def test_names_the_source_and_says_who_looked_at_what(self, studies: Crosswalk, crosswalk_dsn: str) -> None:
        (one,) = studies.quarantine.of_reason(HoldReason.UNCONFIRMED_DEVICE, limit=1)
        source = studies.quarantine.look(one.instance_id, **WHO)
        assert source is not None
        assert source.instance == one
        assert source.sop_uid.reveal().startswith(source.series_uid.reveal())
        assert source.series_uid.reveal().startswith(source.study_uid.reveal())
        assert source.study_uid.reveal() not in repr(source)
        assert events(crosswalk_dsn) == [("reviewer", "pixels.review", 1, one.instance_id)]

    def test_what_is_held_for_another_reason_or_not_at_all_is_not_shown(
        self, studies: Crosswalk, crosswalk_dsn: str
    ) -> None:
        with psycopg.connect(crosswalk_dsn) as connection:
            others = connection.execute(
                "SELECT id FROM crosswalk.instance WHERE reason = 'encapsulated-document'"
            ).fetchall()
        assert others
        (device,) = studies.devices.all()
        waiting = studies.quarantine.of_device(device.id, limit=20)
        studies.devices.confirm(device.id, DeviceDecision.CLEAN, (), author="me", reason="seen")
        for number in [row[0] for row in others] + [one.instance_id for one in waiting] + [0, 10**9]:
            assert studies.quarantine.look(number, **WHO) is None
        assert [action for _, action, _, _ in events(crosswalk_dsn)] == ["device.confirm"]

    @pytest.mark.parametrize("missing", ["actor", "action", "reason"])
    def test_refused_without_who_what_and_why(self, studies: Crosswalk, crosswalk_dsn: str, missing: str) -> None:
        (one,) = studies.quarantine.of_reason(HoldReason.UNCONFIRMED_DEVICE, limit=1)
        with pytest.raises(Fatal, match="who, what and why"):
            studies.quarantine.look(one.instance_id, **{**WHO, missing: " "})
        assert events(crosswalk_dsn) == []

    def test_no_name_where_it_cannot_be_recorded(self, studies: Crosswalk, crosswalk_dsn: str) -> None:
        (one,) = studies.quarantine.of_reason(HoldReason.UNCONFIRMED_DEVICE, limit=1)
        with psycopg.connect(crosswalk_dsn) as connection:
            connection.execute("ALTER TABLE crosswalk.access_event ADD CHECK (count <> 1)")
        with pytest.raises(Fatal, match="refused a statement"):
            studies.quarantine.look(one.instance_id, **WHO)
