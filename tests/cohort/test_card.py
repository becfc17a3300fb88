"""The card of a release says what is in it, runs nothing and loads nothing."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

from tests.cohort.test_manifest import SAYS, instances

from dicomanon.cohort.card import card_files, missing, plots
from dicomanon.cohort.manifest import manifest_table

FACTS: dict[str, Any] = {
    "project": "lung", "number": 7, "release": "0000", "created_at": "2026-11-26T10:00:00+00:00",
    "profile_versions": ["research@000000000000"], "code_version": "0.1.0",
}  # fmt: skip
HOSTILE = "<script>alert(1)</script>|`x`"


class _Elements(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def bars(title: str, **changes: Any) -> dict[str, int]:
    rows = [replace(one, facts={**(one.facts or {}), **changes}) for one in instances()]
    return {label: count for plot in plots(manifest_table(rows)) if plot.title == title for label, count in plot.bars}


def test_patients_studies_and_series_are_counted_once() -> None:
    assert bars("Series by modality") == {"CT": 4, "MR": 4}
    assert bars("Studies by year, as dates are here") == {"2021": 4}
    assert bars("Patients by sex", PatientSex="F") == {"F": 2}
    assert bars("Patients by age at their first study", PatientAge="061Y") == {"60 to 69": 2}
    assert bars("Patients by age at their first study", PatientAge="101Y") == {"90 and over": 2}
    assert bars("Patients by age at their first study", PatientAge="") == {"not known": 2}


def test_what_is_not_known_is_counted_by_object() -> None:
    assert dict(missing(manifest_table(instances())).bars) | {"StudyDate": 1, "NumberOfFrames": 24} == dict(
        missing(manifest_table(instances())).bars
    )


def test_the_page_is_self_contained_and_escaped() -> None:
    rows = [replace(one, facts={**SAYS, "PatientSex": HOSTILE}) for one in instances()]
    page = card_files(manifest_table(rows), FACTS)["card.html"]
    elements = _Elements(page).found
    tags = {tag for tag, _ in elements}
    assert {"svg", "rect"} <= tags
    assert tags.isdisjoint({"script", "link", "img", "iframe", "object", "a"})
    assert not any(name.startswith("on") or name in {"src", "href"} for _, given in elements for name in given)
    assert "&lt;script&gt;alert(1)" in page
    assert re.findall(r"https?://[^\"]*", page) == ["http://www.w3.org/2000/svg"] * page.count("<svg")


def test_no_value_ends_a_cell_of_the_markdown_table() -> None:
    rows = [replace(one, facts={**SAYS, "PatientSex": HOSTILE}) for one in instances()]
    text = card_files(manifest_table(rows), FACTS)["README.md"]
    (line,) = [line for line in text.splitlines() if "alert" in line]
    assert len(re.findall(r"(?<!\\)\|", line)) == 3
    assert re.search(r"(?<!\\)[<`]", line) is None
    assert "# lung/0007" in text


def test_an_empty_release_has_a_card() -> None:
    assert "0 patients" in card_files(manifest_table([]), FACTS)["README.md"]
