"""The card of a release: what is in it, for people, as Markdown and as one HTML page with plots; pure."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

import pyarrow as pa
from jinja2 import DictLoader, Environment, StrictUndefined, select_autoescape

from dicomanon.cohort.manifest import counts

_NOT_KNOWN: Final = "not known"
_DECADE: Final = 10
_TOP: Final = 90
"""The age that stands for itself and for more."""


@dataclass(frozen=True, slots=True)
class Plot:
    """Bars: how many ``things`` there are of each kind, in order."""

    title: str
    things: str
    bars: tuple[tuple[str, int], ...]

    @property
    def most(self) -> int:
        """The length of the longest bar."""
        return max((count for _, count in self.bars), default=0)


def card_files(table: pa.Table, facts: Mapping[str, Any], more: Iterable[Plot] = ()) -> dict[str, str]:
    """Return ``README.md`` and ``card.html``; neither loads anything nor runs anything.

    Parameters
    ----------
    table
        The manifest.
    facts
        What ``release.json`` says.
    more
        Plots beside its own.
    """
    shown = [one for one in (*plots(table), *more, missing(table)) if one.bars]
    told = {"facts": facts, "counts": asdict(counts(table)), "plots": shown}
    return {name: _environment().get_template(f"{name}.jinja").render(told) for name in ("README.md", "card.html")}


def plots(table: pa.Table) -> tuple[Plot, ...]:
    """Return what of a manifest is drawn."""
    return (
        Plot("Series by modality", "series", _bars(_first_of(table, "SeriesInstanceUID", "Modality"), str)),
        Plot(
            "Studies by year, as dates are here",
            "studies",
            _bars(_first_of(table, "StudyInstanceUID", "StudyDate"), _year),
        ),
        Plot(
            "Patients by age at their first study", "patients", _bars(_first_of(table, "patient", "age_years"), _decade)
        ),
        Plot("Patients by sex", "patients", _bars(_first_of(table, "patient", "PatientSex"), str)),
    )


def missing(table: pa.Table) -> Plot:
    """Return of how many objects the manifest does not say what, where it says it of any or of none."""
    bars = [(name, table[name].null_count) for name in table.schema.names if table[name].null_count]
    return Plot("Objects of which it is not known", "objects", tuple(bars))


def _first_of(table: pa.Table, of: str, column: str) -> list[Any]:
    """Return one value for each distinct ``of``: the least that is known."""
    first: dict[Hashable, Any] = {}
    pairs = table.group_by([of, column]).aggregate([])
    for one, told in zip(pairs[of].to_pylist(), pairs[column].to_pylist(), strict=True):
        known = first.get(one)
        first[one] = told if known is None or (told is not None and told < known) else known
    return list(first.values())


def _bars(values: Iterable[Any], kind: Callable[[Any], str]) -> tuple[tuple[str, int], ...]:
    """Count by kind, in the order of the values; what is not known comes last."""
    counted = Counter(_NOT_KNOWN if value is None else kind(value) for value in sorted(values, key=_unknown_last))
    return tuple(counted.items())


def _unknown_last(value: Any) -> tuple[bool, Any]:
    return value is None, 0 if value is None else value


def _year(day: Any) -> str:
    return str(day.year)


def _decade(age: float) -> str:
    start = int(age) // _DECADE * _DECADE
    return f"{_TOP} and over" if start >= _TOP else f"{start} to {start + _DECADE - 1}"


def _in_cell(text: object) -> str:
    """Return a text that ends no cell of a Markdown table and begins no markup."""
    return "".join(f"\\{letter}" if letter in "\\|<>*_`[]" else letter for letter in str(text))


@cache
def _environment() -> Environment:
    folder = resources.files("dicomanon.cohort").joinpath("card_templates")
    environment = Environment(
        loader=DictLoader({file.name: file.read_text("utf-8") for file in folder.iterdir()}),
        autoescape=select_autoescape(["html.jinja"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["cell"] = _in_cell
    return environment
