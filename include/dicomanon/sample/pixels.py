"""Pictures that look and compress like the real ones, made fast: a body, organs, noise, and text burned in."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Pixels = NDArray[Any]

LUNG = -820
"""Hounsfield units of lung in :func:`body`; all tissue is above."""


def body(size: int, level: float, *, air: int = -1000) -> Pixels:
    """Return an axial slice, ``size`` squared, int16 Hounsfield units; ``level`` runs from 0 to 1 along the body."""
    y, x = np.ogrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    picture = np.full((size, size), air, dtype=np.int16)
    picture[(x / 0.82) ** 2 + (y / 0.6) ** 2 < 1] = -90
    picture[(x / 0.78) ** 2 + (y / 0.56) ** 2 < 1] = 45
    lung = 0.18 + 0.14 * np.sin(np.pi * level)
    for side in (-0.36, 0.36):
        picture[((x - side) / lung) ** 2 + ((y + 0.05) / (lung + 0.15)) ** 2 < 1] = LUNG
    picture[((x - 0.08) / 0.17) ** 2 + ((y + 0.1) / 0.2) ** 2 < 1] = 60
    picture[(x / 0.07) ** 2 + ((y - 0.36) / 0.08) ** 2 < 1] = 520
    picture[((x + 0.34) / 0.03) ** 2 + ((y - level * 0.2) / 0.03) ** 2 < 1] = 35
    return picture


def noisy(picture: Pixels, rng: np.random.Generator, sigma: float) -> Pixels:
    """Return the picture with Gaussian noise, in its own type."""
    noise = rng.standard_normal(picture.shape, dtype=np.float32) * np.float32(sigma)
    summed: Pixels = picture + noise
    return summed.astype(picture.dtype)


def burn_in(picture: Pixels, lines: list[str]) -> Pixels:
    """Return an RGB or grey 8-bit picture with text written over its top left corner, as scanners do."""
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(16)
    for number, line in enumerate(lines):
        draw.text((8, 6 + 20 * number), line, fill="white", font=font)
    return np.asarray(image)


def jpeg(picture: Pixels) -> bytes:
    """Return an 8-bit RGB picture as a baseline JPEG stream (YBR_FULL_422)."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=85, subsampling="4:2:2")
    return buffer.getvalue()


def ultrasound_sector(rows: int, columns: int, rng: np.random.Generator) -> Pixels:
    """Return a grey sector on black, RGB, uint8."""
    y, x = np.ogrid[0:rows, 0:columns]
    angle = np.arctan2(x - columns / 2, y + 20.0)
    radius = np.hypot(x - columns / 2, y + 20.0)
    half_angle, nearest = 0.65, 60
    inside = (np.abs(angle) < half_angle) & (radius > nearest) & (radius < rows * 0.95)
    speckle = rng.rayleigh(38, (rows, columns)) * np.exp(-radius / rows) * 1.6
    grey = np.where(inside, np.clip(speckle, 0, 255), 0).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def projection(rows: int, columns: int, rng: np.random.Generator) -> Pixels:
    """Return a chest radiograph with noise, 12 bits in uint16."""
    y, x = np.ogrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    ribs, chest = 0.6, 0.75
    picture: Any = 2600 - 1500 * np.exp(-((x / 0.18) ** 2)) - 500 * (np.cos(y * 26) > ribs) * (np.abs(x) < chest)
    picture = picture + 900 * (((np.abs(x) - 0.42) / 0.26) ** 2 + (y / 0.6) ** 2 < 1)
    return np.clip(noisy(picture.astype(np.float32), rng, 25), 0, 4095).astype(np.uint16)
