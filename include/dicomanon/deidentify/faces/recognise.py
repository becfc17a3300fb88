"""Says from header facts whether an instance, or a series, may show a face (PS3.15 E.3.2). Nobody looks at pixels.

A wrong "no" lets a face out, a wrong "may" costs a scan or a note: what speaks for a head counts before what speaks
against one.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from dicomanon.standard.faces import AWAY, HEAD, NECK, WHOLE, region_codes, regions_named

_KINDS = {
    "ct-image": "CT", "enhanced-ct-image": "CT", "legacy-converted-enhanced-ct-image": "CT",
    "mr-image": "MR", "enhanced-mr-image": "MR", "enhanced-mr-color-image": "MR",
    "legacy-converted-enhanced-mr-image": "MR",
    "positron-emission-tomography-image": "PT", "enhanced-pet-image": "PT",
    "legacy-converted-enhanced-pet-image": "PT",
}  # fmt: skip
"""IODs whose images make a volume of a body."""

_COARSE_MM = 8.0
"""From brow to chin are some 120 mm: with slices this far apart a rendering has 15 lines or fewer."""
_THIN_SLAB_MM = 40.0
"""Less than from the brow to the upper lip."""
_LONG_MM = 850.0
"""Longer than a trunk."""
_UPRIGHT = 0.8
"""Cosine to the long axis of the body, above which planes are axial."""


class Sight(StrEnum):
    """Whether a face may be seen."""

    NO_FACE = "no-face"
    MAY_SHOW = "may-show-a-face"
    CANNOT_TELL = "cannot-tell"


@dataclass(frozen=True, slots=True)
class Recognition:
    """An answer, and the codes of what it rests on; never a value of the header."""

    sight: Sight
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Facts:
    """What a header, or the headers of a series, say.

    Attributes
    ----------
    iod
        Name of the IOD, as in ``sop_class_iod.csv``.
    image_type
        Values of (0008,0008), upper case.
    visual_features
        (0028,0302).
    texts
        Descriptions and names of protocols, of the body part and of codes.
    regions
        Code values of anatomic regions.
    across
        Unit vector across the planes, patient axes; ``None`` if not told or not the same in all.
    step_mm
        From plane to plane; the thickness if nothing else tells.
    extent_mm
        From the first plane to the last; ``None`` for an instance that does not know its series.
    """

    iod: str
    image_type: tuple[str, ...] = ()
    visual_features: str = ""
    texts: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    across: tuple[float, float, float] | None = None
    step_mm: float | None = None
    extent_mm: float | None = None

    def __repr__(self) -> str:
        return f"Facts({self.iod})"


@lru_cache(maxsize=64)
def recognise(facts: Facts) -> Recognition:
    """Tell whether an instance or a series may show a face.

    In this order: what is no volume of a body shows none. Radiographs that a CT takes for planning show none. An
    object that says so shows one. Axial planes too far apart, or too few, show none, whatever they are of. Then words
    and codes, first those for a head, a neck or a whole body, then the length of the series, then words for somewhere
    else, which are not believed of PET: it begins at the head as a rule.
    """
    if facts.visual_features == "YES":
        return Recognition(Sight.MAY_SHOW, ("said-by-the-object",))
    kind = _KINDS.get(facts.iod, "")
    cannot = _cannot_show(facts, kind)
    if cannot:
        return Recognition(Sight.NO_FACE, (cannot,))
    named = _named(facts)
    found = tuple(f"{how}-{region}" for how, region in sorted(named) if region in {HEAD, NECK, WHOLE})
    if facts.extent_mm is not None and facts.extent_mm >= _LONG_MM:
        found += ("long-extent",)
    if kind == "PT" and ("word", AWAY) not in named:
        found += ("pet",)
    if found:
        return Recognition(Sight.MAY_SHOW, found)
    if kind != "PT" and any(region == AWAY for _, region in named):
        return Recognition(Sight.NO_FACE, tuple(f"{how}-{region}" for how, region in sorted(named)))
    return Recognition(Sight.CANNOT_TELL, ("pet-elsewhere",) if kind == "PT" else ("no-hint",))


def _named(facts: Facts) -> set[tuple[str, str]]:
    codes = region_codes()
    return {("code", codes[code]) for code in facts.regions if code in codes} | {
        ("word", region) for text in facts.texts for region in regions_named(text)
    }


def _cannot_show(facts: Facts, kind: str) -> str:
    """Return why no face can be seen, whatever is in the picture, ``""`` if one could be.

    Of planes that cannot be rendered as a face only axial ones count: planes along the body show a profile even alone.
    """
    if not kind:
        return "no-volume"
    if kind == "CT" and "LOCALIZER" in facts.image_type:
        return "radiograph"
    if facts.across is None or abs(facts.across[2]) < _UPRIGHT:
        return ""
    if facts.step_mm is not None and facts.step_mm >= _COARSE_MM:
        return "planes-far-apart"
    if facts.extent_mm is not None and facts.extent_mm < _THIN_SLAB_MM:
        return "thin-slab"
    return ""
