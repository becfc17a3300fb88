"""How easily patients of a release can be told from each other by what its manifest says of them; pure.

Whoever knows of a person what a class of patients has in common finds them among so many: the least is *k* of
k-anonymity (Sweeney 2002). *l* of l-diversity (Machanavajjhala 2007) is in how many ways the patients of a class were
examined, at least: of people who were all examined alike it is known how, whichever of them somebody is.

The report states what is; it keeps nothing back. The requester has the rows in any case.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import pyarrow as pa

from dicomanon.cohort.card import Plot

_YEARS: Final = 5
"""Width of the bands of age: whoever knows a person knows about how old they are."""
_SIZES: Final = ((1, "alone"), (4, "of 2 to 4"), (9, "of 5 to 9"))
_LARGE: Final = "of 10 and more"

_Patient = Mapping[str, Hashable]


@dataclass(frozen=True, slots=True)
class Risk:
    """How patients of a release fall into classes by what somebody may know of them.

    Attributes
    ----------
    known
        What the patients of a class have in common.
    k, diversity
        Patients of the smallest class; *l*: ways of examination in the class that has fewest of them.
    sizes
        How many patients are in classes of which size.
    """

    known: tuple[str, ...]
    k: int
    diversity: int
    sizes: Mapping[str, int]


KNOWN: Final = (
    ("age", "sex"),
    ("age", "sex", "body_parts"),
    ("age", "sex", "body_parts", "devices"),
    ("age", "sex", "intervals"),
)
"""What may be known of a person. Days between studies are true ones; dates are not, and are no help."""


def risks(table: pa.Table) -> tuple[Risk, ...]:
    """Return the risk by each of what may be known; nothing of an empty manifest."""
    patients = list(_patients(table))
    return tuple(_risk(patients, known) for known in KNOWN) if patients else ()


def risk_report(found: Iterable[Risk]) -> dict[str, Any]:
    """Return what ``risk.json`` says."""
    return {
        "age": f"bands of {_YEARS} years, at the first study",
        "intervals": "days between studies",
        "l_of": "body parts and modalities of a patient",
        "risks": [
            {"known": list(one.known), "k": one.k, "l": one.diversity, "patients": dict(one.sizes)} for one in found
        ],
    }


def risk_plots(found: Iterable[Risk]) -> tuple[Plot, ...]:
    """Return a plot of each: patients by how many others are like them."""
    return tuple(
        Plot(
            f"Patients by how many are alike in {_words(one.known)} (k = {one.k}, l = {one.diversity})",
            "patients",
            tuple(one.sizes.items()),
        )
        for one in found
    )


def _words(names: Iterable[str]) -> str:
    return ", ".join(names).replace("_", " ")


def _risk(patients: Iterable[_Patient], known: tuple[str, ...]) -> Risk:
    classes: dict[tuple[Hashable, ...], list[Hashable]] = defaultdict(list)
    for patient in patients:
        classes[tuple(patient[name] for name in known)].append(patient["examined"])
    sizes = dict.fromkeys([*(label for _, label in _SIZES), _LARGE], 0)
    for members in classes.values():
        sizes[next((label for most, label in _SIZES if len(members) <= most), _LARGE)] += len(members)
    return Risk(
        known,
        k=min(map(len, classes.values())),
        diversity=min(len(set(members)) for members in classes.values()),
        sizes=sizes,
    )


def _patients(table: pa.Table) -> Iterable[_Patient]:
    """Yield what a manifest says of each patient; what it does not say is a value of its own."""
    columns = ("patient", "StudyInstanceUID", "StudyDate", "age_years", "PatientSex", "BodyPartExamined",
               "ManufacturerModelName", "Modality")  # fmt: skip
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in table.group_by(list(columns)).aggregate([]).to_pylist():
        rows[row["patient"]].append(row)
    for of_patient in rows.values():
        ages = [row["age_years"] for row in of_patient if row["age_years"] is not None]
        days = sorted({row["StudyDate"] for row in of_patient if row["StudyDate"] is not None})
        parts, devices, modalities = (
            frozenset(row[name] for row in of_patient)
            for name in ("BodyPartExamined", "ManufacturerModelName", "Modality")
        )
        yield {
            "age": int(min(ages)) // _YEARS if ages else None,
            "sex": min(row["PatientSex"] or "" for row in of_patient),
            "body_parts": parts,
            "devices": devices,
            "intervals": tuple((later - before).days for before, later in pairwise(days)),
            "examined": (parts, modalities),
        }
