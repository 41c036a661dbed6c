"""Generated characters: A-Z and 0-9 in the fonts that matplotlib bundles, distorted, cluttered and partly covered.

Image i of a split is a pure function of (seed, split, i), so any number can be drawn and splits never overlap: every
split has random streams of its own (Philox generators whose counter follows from i). Random numbers become whole
numbers before anything is drawn, so the same image has the same bytes on every machine with the same fonts.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from sviT_models.data import drawing
from sviT_models.data.imageset import CENTRED, ImageSet, from_pixels
from sviT_models.errors import ModelError

CLASSES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
RESOLUTION = 32
SIZES = {"train": 16_128, "validation": 2_016, "search": 4_032, "verify": 10_080}  # unless `count` says otherwise
LARGEST = 1_000_000
CHUNK = 64  # images drawn together; what fits into the cache

# cmmi10, cmsy10 and cmex10 are left out: they have symbols or old-style figures where others have digits
FONTS = (
    *(f"DejaVuSans{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSansMono{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSerif{style}" for style in ("", "-Bold", "-Italic", "-BoldItalic")),
    *(f"STIXGeneral{style}" for style in ("", "Bol", "Italic", "BolIta")),
    *("cmr10", "cmb10", "cmti10", "cmss10", "cmtt10"),
)
CAPITAL = 32  # height of an H in the atlas, in pixels
CELL = 64  # side of an atlas cell; the widest character needs under 50, and the border has to stay empty
STROKES = 3
WORDS = 64  # random numbers per image for everything but the noise; a multiple of Philox's 4 per count


def load(split: str, count: int | None, seed: int, resolution: int | None) -> ImageSet:
    """The first `count` images of a split; see `load_data`."""
    count = SIZES[split] if count is None else count
    if not 1 <= count <= LARGEST:
        raise ModelError(f"glyphs, split {split}: asked for {count} images; expected 1 to {LARGEST}")
    side = resolution or RESOLUTION
    parts = [draw(seed, split, begin, min(begin + CHUNK, count), side) for begin in range(0, count, CHUNK)]
    return from_pixels(
        name="glyphs",
        split=split,
        pixels=np.concatenate(parts),
        labels=labels(0, count),
        ids=[f"glyphs/{seed}/{split}/{index:06d}" for index in range(count)],
        classes=CLASSES,
        normalisation=CENTRED,
    )


def labels(begin: int, end: int) -> NDArray[np.int64]:
    """Classes of the images `begin` to `end`: they take turns, so every prefix is balanced."""
    return np.arange(begin, end, dtype=np.int64) % len(CLASSES)


def draw(seed: int, split: str, begin: int, end: int, side: int = RESOLUTION) -> NDArray[np.uint8]:
    """Pixels (end - begin, 3, side, side) of the images `begin` to `end` of a split."""
    random = Draws(random_words(f"{seed}/{split}/shape", begin, end, WORDS))
    number = end - begin
    font = (random.uniform(0, len(FONTS))).astype(np.int64)
    character = characters(random, font * len(CLASSES) + labels(begin, end), side)
    darker, lighter = _two_tones(random)
    inverted = (random.uniform(0, 1) < 0.5)[:, None]
    ink, paper = np.where(inverted, lighter, darker), np.where(inverted, darker, lighter)

    canvas = np.empty((number, 3, side, side), np.int32)
    canvas[:] = paper[:, :, None, None]
    shade = np.clip(paper + random.colour(-50, 50), 0, 255)
    drawing.paint(canvas, drawing.ramp(random.uniform(0, 2 * np.pi), side), shade)
    strokes = [_stroke(random, ink, paper, side) for _ in range(STROKES)]
    drawing.paint(canvas, *strokes[0])
    drawing.paint(canvas, character, ink)
    for mask, colour in strokes[1:]:
        drawing.paint(canvas, mask, colour)
    drawing.paint(canvas, *_cover(random, paper, side))

    noise = random_words(f"{seed}/{split}/noise/{side}", begin, end, -(-3 * side * side // 32) * 4).view(np.int8)
    noise = noise[:, : 3 * side * side].reshape(canvas.shape).astype(np.int32)  # -128..127
    strength = np.rint(random.uniform(0, 32)).astype(np.int32)[:, None, None, None]
    return np.clip(canvas + ((noise * strength) >> 7), 0, 255).astype(np.uint8)


class Draws:
    """Random numbers of many images, one column after the other; the order of the calls is part of the data set."""

    def __init__(self, words: NDArray[np.uint64]):
        self.unit = ((words >> np.uint64(11)) * 2.0**-53).astype(np.float64, copy=False)  # (N, WORDS) in [0, 1)
        self.used = 0

    def uniform(self, low: float, high: float) -> NDArray[np.float64]:
        """(N,) in [low, high)."""
        self.used += 1
        return low + (high - low) * self.unit[:, self.used - 1]

    def colour(self, low: float, high: float) -> NDArray[np.int32]:
        """(N, 3) whole numbers from `low` to `high`."""
        return np.stack([np.rint(self.uniform(low, high)) for _ in range(3)], axis=1).astype(np.int32)


def random_words(stream: str, begin: int, end: int, each: int) -> NDArray[np.uint64]:
    """Random words (end - begin, each) of the images `begin` to `end`; `each` is a multiple of 4."""
    key = int.from_bytes(hashlib.sha256(f"svit-dse glyphs/{stream}".encode()).digest()[:16], "little")
    philox = np.random.Philox(key=key, counter=begin * (each // 4))  # 4 words per count
    return philox.random_raw((end - begin) * each).reshape(end - begin, each)


def characters(random: Draws, cells: NDArray[np.int64], side: int, field: float = 1.0) -> NDArray[np.int32]:
    """Masks (N, side, side) of the characters, each with a size, stretch, shear, rotation and place of its own.

    A cell is font * classes + class. `field` is how much wider the view is than the image, whose side is the unit.
    """
    height = random.uniform(0.5, 0.8)  # of a capital, as a share of the image
    stretch = np.exp2(random.uniform(-0.35, 0.35))
    shear = random.uniform(-0.35, 0.35)
    angle = np.radians(random.uniform(-20, 20))
    shift = np.stack([random.uniform(-0.18, 0.18), random.uniform(-0.18, 0.18)], axis=1)  # in half image sides
    # from image to atlas: undo the shift, the rotation, the shear, the stretch, then scale to the atlas
    cos, sin = np.cos(angle), np.sin(angle)
    unturned = np.stack([np.stack([cos, sin], 1), np.stack([-sin, cos], 1)], 1)  # (N, 2, 2)
    unsheared = np.zeros_like(unturned)
    unsheared[:, 0, 0], unsheared[:, 0, 1], unsheared[:, 1, 1] = 1 / stretch, shear, 1
    matrix = (CAPITAL / (2 * height))[:, None, None] * (unsheared @ unturned)
    origin = CELL / 2 - 0.5 - (matrix @ shift[:, :, None])[:, :, 0]
    return drawing.sampled(_atlas(), cells, field * matrix, origin, side)


def _two_tones(random: Draws) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """A darker and a lighter colour (N, 3), 70 to 200 levels of grey apart before each gets its tint."""
    contrast = random.uniform(70, 200)
    dark = random.uniform(0, 1) * (255 - contrast)
    tones = [np.rint(dark), np.rint(dark + contrast)]
    darker, lighter = (np.clip(tone.astype(np.int32)[:, None] + random.colour(-40, 40), 0, 255) for tone in tones)
    return darker, lighter


def _stroke(
    random: Draws, ink: NDArray[np.int32], paper: NDArray[np.int32], side: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """A stroke of clutter that is there for half of the images, in a colour between ink and paper."""
    angle, offset, middle = random.uniform(0, np.pi), random.uniform(-0.8, 0.8), random.uniform(-0.6, 0.6)
    length, width = random.uniform(0.2, 0.9), random.uniform(0.02, 0.07)
    present = random.uniform(0, 1) < 0.5
    mix = np.rint(random.uniform(0.3, 1.0) * 256).astype(np.int32)[:, None]
    mask = drawing.stroke(angle, offset, middle, length, np.where(present, width, 0), side)
    return mask, np.clip(paper + (((ink - paper) * mix) >> 8) + random.colour(-20, 20), 0, 255)


def _cover(random: Draws, paper: NDArray[np.int32], side: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """A rectangle that hides a part of half of the images."""
    centre = np.stack([random.uniform(-0.7, 0.7), random.uniform(-0.7, 0.7)], axis=1)
    half = np.stack([random.uniform(0.08, 0.3), random.uniform(0.08, 0.3)], axis=1)
    half[random.uniform(0, 1) < 0.5] = 0
    return drawing.rectangle(centre, half, side), np.clip(paper + random.colour(-60, 60), 0, 255)


@cache
def _atlas() -> NDArray[np.uint8]:
    """All characters of all fonts (fonts * classes, CELL, CELL), capitals equally high, boxes centred."""
    import matplotlib  # takes a sixth of a second, which other data sets need not wait for

    folder = Path(matplotlib.get_data_path(), "fonts", "ttf")
    return np.stack([cell for font in FONTS for cell in _cells(folder / f"{font}.ttf")])


def _cells(path: Path) -> list[NDArray[np.uint8]]:
    layout = ImageFont.Layout.BASIC  # the other one needs a library that may be missing
    _, top, _, bottom = ImageFont.truetype(path, 200, layout_engine=layout).getbbox("H")
    font = ImageFont.truetype(path, 200 * CAPITAL / (bottom - top), layout_engine=layout)
    cells = []
    for character in CLASSES:
        left, top, right, bottom = font.getbbox(character)
        cell = Image.new("L", (CELL, CELL))
        corner = ((CELL - right - left) // 2, (CELL - bottom - top) // 2)
        ImageDraw.Draw(cell).text(corner, character, fill=255, font=font)
        cells.append(np.asarray(cell))
    return cells
