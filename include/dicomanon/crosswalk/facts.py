"""Collects the facts that cohorts are asked by, over all objects of a study or series: every distinct value once."""

import json
from collections.abc import Iterable
from uuid import UUID

from dicomanon.crosswalk.keys.data_keys import Sealer
from dicomanon.crosswalk.sealed import open_text, seal_text
from dicomanon.identity import StudyFacts

CollectedFacts = dict[str, tuple[str, ...]]
"""Distinct values by field of :class:`StudyFacts`, in the order in which they were met."""

SERIES_FIELDS = (
    "modality", "series_description", "body_part", "manufacturer", "manufacturer_model", "protocol_name",
    "slice_thickness", "contrast", "laterality",
)  # fmt: skip

# A study whose objects disagree more often than this is not described better by further values.
_MOST_VALUES = 64


def collect(known: CollectedFacts, seen: Iterable[StudyFacts], fields: Iterable[str] | None = None) -> CollectedFacts:
    """Return ``known`` with the values added that only ``seen`` has."""
    wanted = None if fields is None else frozenset(fields)
    values = {field: dict.fromkeys(texts) for field, texts in known.items()}
    for facts in dict.fromkeys(seen):
        for field, text in facts.as_dict().items():
            if text and (wanted is None or field in wanted):
                texts = values.setdefault(field, {})
                if len(texts) < _MOST_VALUES:
                    texts[text] = None
    return {field: tuple(texts) for field, texts in values.items()}


def as_study_facts(collected: CollectedFacts) -> StudyFacts:
    r"""Return one value a field; several are joined with ``\``, as in a DICOM element (PS3.5 6.4)."""
    return StudyFacts(**{field: "\\".join(texts) for field, texts in collected.items()})


def seal_facts(key: Sealer, column: str, row: UUID, collected: CollectedFacts) -> bytes:
    """Seal collected facts for one row."""
    return seal_text(key, column, row, json.dumps(collected))


def open_facts(key: Sealer, column: str, row: UUID, sealed: bytes | None) -> CollectedFacts:
    """Open the facts of one row; none where nothing was collected yet."""
    if sealed is None:
        return {}
    content: dict[str, list[str]] = json.loads(open_text(key, column, row, sealed))
    return {field: tuple(texts) for field, texts in content.items()}
