"""Whether a picture of a device that nobody has seen waits for a person or goes on the text reader's word."""

import pytest
from tests.deidentify.builders import Instance, Leaf
from tests.profile.making import MODIFIED_DATES, compiled

from dicomanon.crosswalk.database import Crosswalk
from dicomanon.deidentify import Seen, UidMapper, parse
from dicomanon.deidentify.pixels.decision import decide
from dicomanon.deidentify.pixels.facts import HeaderFacts
from dicomanon.devices import Confirmation, ConfirmedDevices, DeviceDecision
from dicomanon.errors import Fatal, Retriable
from dicomanon.pipeline import anonymize
from dicomanon.pipeline.anonymize import Anonymizer, Source

RAW = Instance(extra=(Leaf(0x00280301, "CS", "YES"),)).raw()
WAITS = ("held", "unconfirmed-device")
GOES_ON = ("deidentified", "")


@pytest.fixture(autouse=True)
def _sees_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read in these pictures: what is asked here is whether they are looked at."""
    monkeypatch.setattr(anonymize, "look", lambda *given: Seen(decide(*given)))


def _anonymized(crosswalk: Crosswalk, choice: str | None, **settings: object) -> anonymize.Anonymized:
    profile = compiled("clean-pixel-data", MODIFIED_DATES, unconfirmed_devices=choice)
    anonymizer = Anonymizer(profile, UidMapper(b"a key of thirty-two bytes length"), crosswalk.patients, **settings)  # type: ignore[arg-type]
    return anonymizer.anonymize(Source(0, RAW, parse(RAW)))


@pytest.mark.parametrize(
    ("choice", "reads", "expected"),
    [(None, False, WAITS), (None, True, GOES_ON), ("wait", True, WAITS), ("read", False, GOES_ON)],
)
def test_the_profile_decides_before_who_asks(
    crosswalk: Crosswalk, choice: str | None, reads: bool, expected: tuple[str, str]
) -> None:
    outcome = _anonymized(crosswalk, choice, reads_unconfirmed=reads).outcome
    assert (outcome.state, outcome.reason) == expected


@pytest.mark.parametrize("choice", ["wait", "read"])
def test_the_device_is_told_whether_it_waits_or_not(crosswalk: Crosswalk, choice: str) -> None:
    assert _anonymized(crosswalk, choice).outcome.device == HeaderFacts.of(parse(RAW)).device


def test_a_confirmed_device_waits_no_longer_and_is_not_told_again(crosswalk: Crosswalk) -> None:
    devices = ConfirmedDevices({HeaderFacts.of(parse(RAW)).device: Confirmation(DeviceDecision.CLEAN)})
    outcome = _anonymized(crosswalk, "wait", devices=devices).outcome
    assert (outcome.state, outcome.device) == ("deidentified", None)


def test_a_device_to_be_held_is_held_whatever_is_read(crosswalk: Crosswalk) -> None:
    devices = ConfirmedDevices({HeaderFacts.of(parse(RAW)).device: Confirmation(DeviceDecision.HOLD)})
    outcome = _anonymized(crosswalk, "read", devices=devices).outcome
    assert (outcome.state, outcome.reason) == ("held", "burned-in-risk")


@pytest.mark.parametrize("trouble", [Fatal("install the reader"), Retriable("try again")])
def test_what_is_wrong_with_the_site_holds_no_slice(
    crosswalk: Crosswalk, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    def fail(*_: object) -> None:
        raise trouble

    monkeypatch.setattr(anonymize, "look_together", fail)
    profile = compiled("clean-pixel-data", MODIFIED_DATES)
    anonymizer = Anonymizer(profile, UidMapper(b"a key of thirty-two bytes length"), crosswalk.patients)
    with pytest.raises(type(trouble)):
        anonymizer.anonymize_together([Source(0, RAW, parse(RAW))])
