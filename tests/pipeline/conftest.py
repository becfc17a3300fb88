"""What the tests of this room share."""

import pytest
from tests.site import judge_by_counts

from dicomanon.pipeline import validate


@pytest.fixture(autouse=True)
def quick_verdicts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is judged, and how, is not what these tests are about."""
    if "ingested" not in request.fixturenames:
        monkeypatch.setattr(validate, "run_checkpoint", judge_by_counts)
