"""Reads from an object what cohorts are asked by."""

from dicomanon.deidentify.excerpts import elements_of, once_per_series
from dicomanon.deidentify.faces.facts import group_items, numbers_in
from dicomanon.deidentify.header import Header
from dicomanon.identity import StudyFacts

_TEXTS = {
    "study_date": 0x00080020,
    "study_time": 0x00080030,
    "accession_number": 0x00080050,
    "study_description": 0x00081030,
    "modality": 0x00080060,
    "series_description": 0x0008103E,
    "body_part": 0x00180015,
    "manufacturer": 0x00080070,
    "manufacturer_model": 0x00081090,
    "protocol_name": 0x00181030,
    "requesting_service": 0x00321033,
}
_SLICE_THICKNESS = 0x00180050
_FUNCTIONAL_GROUPS, _PIXEL_MEASURES = (0x52009229, 0x52009230), 0x00289110
_CONTRAST_AGENT, _CONTRAST_AGENTS = 0x00180010, 0x00180012
_LATERALITIES = (0x00200060, 0x00200062)
"""Laterality of the series, of the image; the first that says something counts."""
_NO_AGENT = frozenset({"NO", "NONE", "N"})
"""What devices write where the standard has them leave the element out."""
_ASKED = (
    *_TEXTS.values(), _SLICE_THICKNESS, *_FUNCTIONAL_GROUPS, _CONTRAST_AGENT, _CONTRAST_AGENTS, *_LATERALITIES
)  # fmt: skip


@once_per_series(elements_of(lambda: _ASKED))
def study_facts(source: Header) -> StudyFacts:
    """Return what an object says of its study and series."""
    return StudyFacts(
        **{name: source.text(tag) for name, tag in _TEXTS.items()},
        slice_thickness=_slice_thickness(source),
        contrast=_contrast(source),
        laterality=next((text for tag in _LATERALITIES if (text := source.text(tag))), ""),
    )


def _slice_thickness(source: Header) -> str:
    """Return the thickness in mm; of a multi-frame object, that of its first frame (PS3.3 C.7.6.16.2.1)."""
    if own := source.text(_SLICE_THICKNESS):
        return own
    for measures in group_items(source, 0, _PIXEL_MEASURES):
        if numbers := numbers_in(source, measures, _SLICE_THICKNESS):
            return str(numbers[0])
    return ""


def _contrast(source: Header) -> str:
    """Tell whether a contrast agent was used.

    The module is there if one was (PS3.3 C.7.6.4, C.7.6.4b). One that is there and names no agent tells nothing: many
    devices always write it.
    """
    agents, agent = source.element(_CONTRAST_AGENTS), source.text(_CONTRAST_AGENT).upper()
    if (agents is not None and agents.items) or (agent and agent not in _NO_AGENT):
        return "YES"
    return "" if not agent and (agents is not None or source.element(_CONTRAST_AGENT) is not None) else "NO"
