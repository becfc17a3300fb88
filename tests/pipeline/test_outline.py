"""A trace as people read it."""

from tests.site import Ingested

from dicomanon.pipeline.outline import MOST_INSTANCES, outline
from dicomanon.sample.leaks import LeakScanner


def test_the_outline_tells_the_whole_way_and_no_phi(ingested: Ingested) -> None:
    scanner = LeakScanner(ingested.planted)
    for uid in list(ingested.research)[::9]:
        text = "\n".join(outline(ingested.site.trace(uid)))
        for word in (
            uid,
            "pseudonym D",
            "source sealed",
            "profile research@",
            "verdict passed",
            "confirmed by QIDO-RS",
        ):
            assert word in text
        assert "batch.store try" in text
        assert scanner.scan_text(text) == []


def test_a_large_study_is_cut_short_and_says_so(ingested: Ingested) -> None:
    account = max(ingested.site.accounts().values(), key=lambda one: one.enrolled)
    lines = list(outline(ingested.site.trace(str(account.research_study_uid))))
    assert f"  … and {account.enrolled - MOST_INSTANCES} more instances: --json has them all" in lines
