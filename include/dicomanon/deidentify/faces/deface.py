"""Finds the face of a head by its shape and tells which voxels go: no model, no atlas, no brain extraction.

The nose is the one narrow ridge that stands out from the front of a head. From its tip and from the dent above it (the
nasion) a smooth surface is laid behind the relief of brow, eyes, nose, mouth and chin; what lies before it is blanked.
The surface is made of a few numbers, so nothing of the face's form is copied into it. It stays a few millimetres below
the skin where the brain is near (the brow) and goes deeper where it is far.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from dicomanon.deidentify.faces.surface import GRID_MM, Head, Mask, head_of
from dicomanon.deidentify.faces.volume import Floats, Plane, Volume
from dicomanon.errors import Held
from dicomanon.reasons import HoldReason

# Lengths of an adult head in millimetres; all are scaled by its cross-section.
_ADULT_AREA = 20_500.0
_LEAST_SCALE, _LARGEST_SCALE = 0.6, 1.1
_ABOVE_THE_EARS = (100.0, 45.0)
"""Below the vertex; where a head is measured."""
_EVERY = 5
_TIP_BELOW_VERTEX = (172.0, 80.0)
_NEAR_THE_MIDDLE = 25.0
_BESIDE_THE_NOSE = 22.0
_HALF_A_NOSE = 4.0
_LEAST_RIDGE = 12.0
_LARGEST_RIDGE = 45.0
_NOSE_HEIGHT = 10.0
_AIR_BEFORE = 4.0
"""Millimetres before the skin that must be in the picture, or it may be no skin."""
_APART = 16.0
_CANDIDATES = 3
_NASION_ABOVE_TIP = (26.0, 64.0)
_GAP = 14.0
_HOLLOW = 16.0
_LEAST_HOLLOW = 3.0
_EYES_BEHIND = 4.0
_EYE = 32.0
_EYE_BELOW_NASION = 4.0
_LARGEST_STEP = 9.0
_LOPSIDED = 0.8
_FARTHEST_FROM_MIDDLE = 12.0
_BELOW_THE_TOP = 6.0
_VAULT_ABOVE_NASION = 40.0
_TOP_SHARE = 0.5
_VAULT_SHARE = (0.6, 1.6)
_TURNS = range(-30, 31, 6)

_TOP_ABOVE_NASION = 38.0
_BELOW_TIP = 92.0
"""Chin, and some more."""
_DEPTHS = ((38.0, 0.0), (30.0, 3.0), (18.0, 4.5), (8.0, 8.0), (0.0, 13.0), (-10.0, 18.0), (-28.0, 22.0))
"""Height above the nasion, and depth below the skin that the cut reaches in the middle."""
_BEHIND_THE_SKIN = 8.0
_REACH = 20.0
_DEEPEST = 40.0
_BRAIN_DOWN_TO = -70.0
_MOUTH = 26.0
_FACE_RADIUS = 46.0
_BROW_RADII = (55.0, 120.0)
_BROW_BESIDE = 40.0
_BROW_ABOVE_NASION = 22.0
_BEND = (-12.0, 10.0)
"""From the radius of the face to that of the forehead, by height above the nasion."""
_HALF_A_FACE = 76.0
_SMOOTH = 10.0
_BEYOND = 1e4
_UPPER_LIP, _BROW, _CHEEK = 20.0, 6.0, 40.0
_LEAST_HIDDEN = 0.92


@dataclass(frozen=True, slots=True)
class FaceCut:
    """A smooth surface behind a face, in patient coordinates.

    Attributes
    ----------
    heights
        Levels from the lowest to the highest, millimetres.
    fronts
        How far to the front the surface is at each level, in the middle.
    middle
        Front and left coordinate of the axis that the head turns about.
    turn
        Radians by which the face looks to the left.
    offset
        How far the middle of the face is to the left of that axis.
    radii
        Radius of the surface around the head's long axis at each level, millimetres.
    half_width
        How far it reaches to the sides.
    """

    heights: Floats
    fronts: Floats
    middle: tuple[float, float]
    turn: float
    offset: float
    radii: Floats
    half_width: float

    def hides(self, plane: Plane) -> Mask:
        """Return which pixels of a slice or frame lie before the surface, shape (rows, columns)."""
        rows = np.arange(plane.rows)[:, None]
        columns = np.arange(plane.columns)[None, :]
        by_row, by_column = plane.steps
        left, back, height = (
            # An upright plane has one height: what does not change along rows or columns is not worked out for each.
            plane.position[axis]
            + (rows * by_row[axis] if by_row[axis] else np.zeros((1, 1)))
            + (columns * by_column[axis] if by_column[axis] else 0.0)
            for axis in range(3)
        )
        hidden: Mask = np.broadcast_to(self.before(height, -back, left), (plane.rows, plane.columns))
        return hidden

    def before(self, height: Floats, front: Floats, left: Floats) -> Mask:
        """Tell of points, in millimetres, whether they lie before the surface."""
        cos, sin = np.cos(self.turn), np.sin(self.turn)
        ahead = (front - self.middle[0]) * cos + (left - self.middle[1]) * sin
        aside = -(front - self.middle[0]) * sin + (left - self.middle[1]) * cos - self.offset
        limit = np.interp(height, self.heights, self.fronts, left=np.inf, right=np.inf)
        radius = np.interp(height, self.heights, self.radii)
        hidden: Mask = (ahead > limit - aside**2 / (2 * radius)) & (np.abs(aside) < self.half_width)
        return hidden


def find_face(volume: Volume) -> FaceCut:
    """Find the surface behind the face of a head.

    Parameters
    ----------
    volume
        CT or MR of a head, or of more than a head, with the nose in the picture.

    Raises
    ------
    Held
        ``RECOGNIZABLE_FACE``: no nose with a nasion above it was found, or what was found has not the shape of a head.
    """
    head = head_of(volume)
    if not head.tissue.any():
        raise _not_found("there is no tissue")
    top = int(np.flatnonzero(head.tissue.any(axis=(1, 2)))[-1])
    scale = _scale(head, top)
    middle = _middle(head, top, scale)
    ridges = [
        ridge for turn in np.radians(_TURNS) for ridge in _ridges(*_seen_from(head, middle, turn), turn, top, scale)
    ]
    for ridge in sorted(ridges, key=lambda one: abs(one.offset) * _LOPSIDED - one.height):
        nasion = _nasion(ridge, scale)
        if nasion is not None:
            _require_a_head(head, ridge, nasion, scale)
            return _cut(head, ridge, nasion, middle, scale)
    raise _not_found("there is no nose with a dent above it" if ridges else "there is no nose")


@dataclass(frozen=True, slots=True)
class _Ridge:
    """What may be a nose: how far it stands out, the level and column of its tip, the skin as seen from ``turn``."""

    height: float
    tip: int
    column: int
    skin: Floats
    sure: Mask
    turn: float

    @property
    def offset(self) -> float:
        """How far it is from the head's middle, millimetres to the left."""
        return float(self.column - self.skin.shape[1] // 2) * GRID_MM

    @property
    def profile(self) -> Floats:
        """How far to the front the middle of the face is at each level, ``-inf`` where nothing is."""
        half = round(_HALF_A_NOSE / GRID_MM)
        return _without_gaps(self.skin[:, self.column - half : self.column + half + 1].max(axis=1))


def _scale(head: Head, top: int) -> float:
    """Return the size of the head against an adult's, by its cross-sections above the ears."""
    low, high = (max(0, top - round(far / GRID_MM)) for far in _ABOVE_THE_EARS)
    areas = [_area(head, level) for level in range(low, high + 1, _EVERY)]
    scale = float(np.sqrt(np.median(areas) / _ADULT_AREA))
    return min(max(scale, _LEAST_SCALE), _LARGEST_SCALE)


def _area(head: Head, level: int) -> float:
    """Return the area within the outline of the tissue at a level, square millimetres."""
    return float(ndimage.binary_fill_holes(head.tissue[level]).sum()) * GRID_MM**2


def _middle(head: Head, top: int, scale: float) -> tuple[float, float]:
    upper = head.tissue[max(0, top - int(110 * scale / GRID_MM)) : top + 1]
    _, front, left = ndimage.center_of_mass(upper)
    return float(front), float(left)


def _seen_from(head: Head, middle: tuple[float, float], turn: float) -> tuple[Floats, Mask]:
    """Return how far to the front of the middle the skin is, in millimetres, for a head that looks to ``turn``.

    And whether that is skin: where tissue reaches the border of the picture, the skin is somewhere beyond.
    """
    depth, width = head.tissue.shape[1:]
    size = int(np.hypot(depth, width)) // 2 + 1
    ahead, aside = np.meshgrid(np.arange(-size, size + 1), np.arange(-size, size + 1), indexing="ij")
    cos, sin = np.cos(turn), np.sin(turn)
    front = np.rint(middle[0] + ahead * cos - aside * sin).astype(int)
    left = np.rint(middle[1] + ahead * sin + aside * cos).astype(int)
    there = (front >= 0) & (front < depth) & (left >= 0) & (left < width)
    at = np.clip(front, 0, depth - 1), np.clip(left, 0, width - 1)
    turned = head.tissue[:, *at] & there
    first = turned.shape[1] - 1 - np.argmax(turned[:, ::-1], axis=1)
    skin: Floats = np.where(turned.any(axis=1), (first - size) * GRID_MM, -np.inf)
    inside = head.inside[:, *at] & there
    before = np.minimum(first + round(_AIR_BEFORE / GRID_MM), inside.shape[1] - 1)
    sure: Mask = np.take_along_axis(inside, before[:, None], axis=1)[:, 0] & np.isfinite(skin)
    return skin, sure


def _ridges(skin: Floats, sure: Mask, turn: float, top: int, scale: float) -> list[_Ridge]:
    """Return what stands out from the front of the head and is as narrow as a nose, highest first."""
    beside = max(1, round(_BESIDE_THE_NOSE * scale / GRID_MM))
    near = round(_NEAR_THE_MIDDLE * scale / GRID_MM)
    lowest, highest = (max(0, top - round(far * scale / GRID_MM)) for far in _TIP_BELOW_VERTEX)
    centre = skin.shape[1] // 2
    columns = np.arange(max(beside, centre - near), min(skin.shape[1] - beside, centre + near + 1))
    levels = skin[lowest:highest]
    if not levels.size or not len(columns):
        return []
    with np.errstate(invalid="ignore"):
        heights = levels[:, columns] - np.maximum(levels[:, columns - beside], levels[:, columns + beside])
    heights = np.where(np.isfinite(heights), heights, 0.0)
    # A nose stands out at several levels; a tube or a vessel that reaches the border does at one.
    heights = ndimage.minimum_filter(heights, (_odd(_NOSE_HEIGHT), 1), mode="nearest")
    found = []
    for _ in range(_CANDIDATES):
        at, column = np.unravel_index(int(heights.argmax()), heights.shape)
        height = float(heights[at, column])
        if not _LEAST_RIDGE * scale <= height <= _LARGEST_RIDGE * scale:
            break
        found.append(_Ridge(height, lowest + int(at), int(columns[column]), skin, sure, turn))
        apart = round(_APART * scale / GRID_MM)
        heights[max(0, at - apart) : at + apart + 1] = 0.0
    return found


def _nasion(nose: _Ridge, scale: float) -> int | None:
    """Return the level above the tip where the profile of the nose, and those through the eyes, are most hollow."""
    profile = nose.profile
    near = round(_APART / 2 * scale / GRID_MM)
    tip = nose.tip - near + int(profile[max(0, nose.tip - near) : nose.tip + near + 1].argmax())
    reach = round(_HOLLOW * scale / GRID_MM)
    low, high = (tip + round(far * scale / GRID_MM) for far in _NASION_ABOVE_TIP)
    levels = np.arange(max(low, reach), min(high, len(profile) - 1 - reach) + 1)
    if not len(levels):
        return None
    beside, eye = (round(far * scale / GRID_MM) for far in (_BESIDE_THE_NOSE, _EYE))
    sockets = nose.skin[:, [nose.column - beside, nose.column + beside]].mean(axis=1)
    eyes = nose.skin[:, [nose.column - eye, nose.column + eye]].mean(axis=1)
    with np.errstate(invalid="ignore"):
        between_eyes = profile[levels] - sockets[levels] >= _EYES_BEHIND * scale
        hollow = _hollow(profile, levels, reach)
        both = hollow + _hollow(eyes, levels - round(_EYE_BELOW_NASION * scale / GRID_MM), reach)
    both = np.where(np.isfinite(both) & between_eyes & (hollow > 0), both, -np.inf)
    if both.max() < _LEAST_HOLLOW * scale:
        return None
    return int(levels[both.argmax()])


def _hollow(profile: Floats, levels: npt.NDArray[np.int_], reach: int) -> Floats:
    """Return how far a profile lies behind the line between its points above and below each level."""
    whole = _without_gaps(profile)
    hollow: Floats = (whole[np.maximum(levels - reach, 0)] + whole[levels + reach]) / 2 - whole[levels]
    return hollow


def _without_gaps(profile: Floats) -> Floats:
    """Bridge what is narrower than any dent of a face: thin skin before a sinus is lost with other thin things."""
    closed: Floats = ndimage.grey_closing(profile, _odd(_GAP), mode="nearest")
    return closed


def _require_a_head(head: Head, nose: _Ridge, nasion: int, scale: float) -> None:
    """Refuse what has no whole nose or no vault above the eyes: a head that is cut off, a picture upside down."""
    if not nose.sure[nose.tip, nose.column]:
        raise _not_found("the nose reaches the border of the picture")
    if abs(nose.offset) > _FARTHEST_FROM_MIDDLE * scale:
        raise _not_found("the nose is not in the middle of the head")
    above = nasion + round(_VAULT_ABOVE_NASION * scale / GRID_MM)
    if above >= len(head.tissue):
        raise _not_found("the forehead is not in the picture")
    least, largest = np.multiply(_VAULT_SHARE, _area(head, nasion))
    top = int(np.flatnonzero(head.tissue.any(axis=(1, 2)))[-1])
    if _area(head, top - round(_BELOW_THE_TOP / GRID_MM)) > _TOP_SHARE * _area(head, above):
        raise _not_found("the top of the head is not in the picture")
    if not least <= _area(head, above) <= largest:
        raise _not_found("what is above the nose is not the vault of a head")
    if np.abs(np.diff(nose.profile[nasion : above + 1])).max() > _LARGEST_STEP:
        raise _not_found("the skin of the forehead is not whole")


def _cut(head: Head, nose: _Ridge, nasion: int, middle: tuple[float, float], scale: float) -> FaceCut:
    """Lay the surface: by fixed depths down to the eyes, below them behind the lowest skin near by."""
    half = round(_MOUTH * scale / GRID_MM)
    around = np.s_[:, nose.column - half : nose.column + half + 1]
    skin = np.where(nose.sure[around], nose.skin[around], np.inf).min(axis=1)
    filled = np.flatnonzero(np.isfinite(skin[: nasion + 1]))
    if not len(filled):
        raise _not_found("the skin of the face is not in the picture")
    lowest = max(filled[0], nose.tip - round(_BELOW_TIP * scale / GRID_MM))
    highest = nasion + round(_TOP_ABOVE_NASION * scale / GRID_MM)
    levels = np.arange(lowest, highest + 1)
    seen = np.flatnonzero(np.isfinite(nose.profile))
    profile = np.interp(levels, seen, nose.profile[seen])
    above = (levels - nasion) * GRID_MM / scale
    heights, depths = np.array(_DEPTHS)[::-1].T
    base = np.where(levels >= nasion, profile, nose.profile[nasion]) - np.interp(above, heights, depths) * scale
    reach = 2 * round(_REACH * scale / GRID_MM) + 1
    near = np.interp(levels, filled, skin[filled])
    behind = ndimage.minimum_filter1d(near, reach, mode="nearest") - _BEHIND_THE_SKIN * scale
    deepest = ndimage.uniform_filter1d(profile, reach, mode="nearest") - _DEEPEST * scale
    never = np.where(above > _BRAIN_DOWN_TO, nose.profile[nasion] - _DEEPEST * scale, -np.inf)
    behind = np.maximum(np.maximum(behind, deepest), never)
    fronts = np.where(above < heights[0], np.minimum(base, behind), base)
    fronts = ndimage.uniform_filter1d(fronts, _odd(_SMOOTH), mode="nearest")
    # Where the picture ends in the face, the face ends there too: the last level holds to the border.
    ends = head.origin[0] + levels * GRID_MM
    if lowest == filled[0]:  # the lowest level of skin
        ends, fronts = np.r_[ends[0] - _BEYOND, ends], np.r_[fronts[0], fronts]
    nasion_height = head.origin[0] + nasion * GRID_MM
    cut = FaceCut(
        heights=ends,
        fronts=fronts,
        middle=(head.origin[1] + middle[0] * GRID_MM, head.origin[2] + middle[1] * GRID_MM),
        turn=nose.turn,
        offset=nose.offset,
        radii=np.interp(
            ends, nasion_height + np.array(_BEND) * scale, [_FACE_RADIUS * scale, _brow_radius(nose, nasion, scale)]
        ),
        half_width=_HALF_A_FACE * scale,
    )
    _require_hidden(head, nose, nasion, cut, scale)
    return cut


def _require_hidden(head: Head, nose: _Ridge, nasion: int, cut: FaceCut, scale: float) -> None:
    """Check that the skin from the brow to the upper lip lies before the surface."""
    low, high = nose.tip - round(_UPPER_LIP * scale / GRID_MM), nasion + round(_BROW * scale / GRID_MM)
    half = round(_CHEEK * scale / GRID_MM)
    part = np.s_[max(0, low) : high + 1, nose.column - half : nose.column + half + 1]
    levels, columns = np.nonzero(nose.sure[part])
    levels, columns = levels + part[0].start, columns + part[1].start
    ahead = nose.skin[levels, columns]
    aside = (columns - nose.column) * GRID_MM
    height = head.origin[0] + levels * GRID_MM
    limit = np.interp(height, cut.heights, cut.fronts, left=np.inf, right=np.inf)
    hidden = ahead > limit - aside**2 / (2 * np.interp(height, cut.heights, cut.radii))
    if not len(hidden) or hidden.mean() < _LEAST_HIDDEN:
        raise _not_found("skin of the face would stay")


def _brow_radius(nose: _Ridge, nasion: int, scale: float) -> float:
    """Return how round the forehead is: above the eyes the surface follows the skull."""
    beside = round(_BROW_BESIDE / GRID_MM * scale)
    level = nasion + round(_BROW_ABOVE_NASION * scale / GRID_MM)
    middle = nose.profile[level]
    sides = nose.skin[level, [nose.column - beside, nose.column + beside]]
    fall = float(np.clip(middle - sides.mean(), 1.0, None)) if np.isfinite(sides).all() else 1.0
    return float(np.clip((beside * GRID_MM) ** 2 / (2 * fall), *np.multiply(_BROW_RADII, scale)))


def _odd(millimetres: float) -> int:
    """Return the odd number of grid steps that is nearest to a length."""
    return 2 * round(millimetres / GRID_MM / 2) + 1


def _not_found(why: str) -> Held:
    return Held(HoldReason.RECOGNIZABLE_FACE, f"no face was found to take out: {why}")
