import pytest

from dicomanon.deidentify.text import DateTreatment, KnownValues, TextCleaner
from dicomanon.profile.actions import TextKind

HEADER = KnownValues(dates=frozenset({"20210403", "20200607"}), birth_dates=frozenset({"19500102"}))


def clean(text: str, days: int | None = None, keep: bool = False, kind: TextKind = TextKind.DESCRIPTION) -> str:
    return TextCleaner(HEADER, dates=DateTreatment(days, keep), maximum_age=89).clean(text, kind)


@pytest.mark.parametrize(
    ("text", "moved"),
    [
        ("on 2021-03-14 stable", "on 2021-03-24 stable"),
        ("on 20210314 stable", "on 20210324 stable"),
        ("on 03/14/2021 stable", "on 03/24/2021 stable"),
        ("on 3/14/21 stable", "on 3/24/21 stable"),
        ("on 14.03.2021 stable", "on 24.03.2021 stable"),
        ("on 14 March 2021 stable", "on 24 March 2021 stable"),
        ("on 14-MAR-2021 stable", "on 24-MAR-2021 stable"),
        ("14MAR2021", "24MAR2021"),
        ("March 14, 2021", "March 24, 2021"),
        ("vom 14. März 2021", "vom 24. März 2021"),
        ("le 14 avril 2021", "le 24 avril 2021"),
        ("14 de marzo de 2021", "24 de marzo de 2021"),
        ("14 марта 2021", "24 марта 2021"),
        ("2021年3月14日", "2021年3月24日"),
        ("٢٠٢١-٠٣-١٤", "٢٠٢١-٠٣-٢٤"),
        # As in the header: month first, or day first.
        ("on 04/03/2021", "on 04/13/2021"),
        ("on 07/06/2020", "on 17/06/2020"),
        # Beyond the end of the month or the year, in English by name.
        ("December 31, 2021", "January 10, 2022"),
        ("28.02.2020", "09.03.2020"),
    ],
)
def test_date_is_moved_in_its_form(text: str, moved: str) -> None:
    assert clean(text, days=10) == moved


@pytest.mark.parametrize(
    "text",
    [
        "05/06/2021",
        "March 2021",
        "03/2021",
        "14 March",
        "2 Jan 1950",
        "02.01.1950",
        "1950-01-02",
        "14-XI-2020",
        "令和3年3月14日",
    ],
)
def test_what_nobody_can_read_for_sure_is_removed_and_so_is_the_birth_date(text: str) -> None:
    assert clean(f"seen {text}", days=10) == "seen"


@pytest.mark.parametrize("text", ["2021-03-14", "05/06/2021", "March 2021", "14.03.2021"])
def test_kept_where_the_profile_keeps_dates_but_the_birth_date(text: str) -> None:
    assert clean(f"seen {text}", keep=True) == f"seen {text}"
    assert clean(f"seen {text}") == "seen"
    assert clean("born 1950-01-02", keep=True) == "born"


@pytest.mark.parametrize(
    "text",
    ["2019", "since 2015", "10:22", "3.2 x 1.4 cm", "2/3 views", "MAY 2 LESIONS", "1.2.840.10008.5.1.4.1.1.2", "L4/5"],
)
def test_what_is_no_date_stays(text: str) -> None:
    assert clean(text, days=10) == text


def test_moved_date_that_would_make_the_text_longer_goes() -> None:
    assert clean("May 9, 2021", days=200) == ""


def test_version_of_software_is_no_date() -> None:
    assert clean("05.01.20", kind=TextKind.TECHNICAL) == "05.01.20"
