"""A picture that a visitor brings - a photographed, scanned or painted drawing, or a photo - becomes ink.

`dfd.sketch.read_sketch` leaves clean drawings alone and whitens evenly lit paper; that is right for a program
that was handed a drawing. A picture taken with a phone has more: shadows with edges, ruled paper, the table around
the sheet, pencil that is hardly darker than a shadow. Here paper is judged locally and pencil becomes ink.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from PIL import Image, ImageOps
from scipy import ndimage

from dfd.components import CANVAS
from dfd.lines import trace_photo
from dfd.sketch import MAX_PIXELS, MIN_SIDE, read_sketch, sketch_to_pil, upright
from dfd.ui.pad import data_url

KINDS = ("auto", "drawing", "photo")

#: Longer side at which a photographed drawing is cleaned: its thin lines fade when the picture is smaller.
SIDE = 768

#: Median curvature of the logarithm of the light above which a picture is a photo: the drawings measured had up to
#: 0.0011, the photos 0.0016 and more.
BEND = 0.0013

#: Widest line, as a share of the longer side: paper is the lightest thing within that distance.
LINE = 1 / 28

#: What is darker than this share of the paper farther away is not in the shade, but filled with ink (hair, pupils).
FILLED = 0.4

#: Faint marks are paper: below this, below so many times the grain, below this share of the usual line.
FAINT, GRAIN, PALE = 0.05, 4, 0.2

#: A sheet with a smaller share of marks is blank: the ends of shadows' edges leave some, a single eye has more than
#: twice as much.
BLANK = 0.001

#: Smallest mark that is kept, as side of a square and a share of the longer side (4 px of 768).
SPECK = 1 / 200

#: Where the ink of a drawing lies that must be moved: centre and height of the training drawings (medians).
CENTRE_X, CENTRE_Y, HEIGHT = 256, 262, 460


#: Photo, uint8 512 x 512 x 3 -> its ink, float32 1 x 512 x 512.
Tracer = Callable[[np.ndarray], torch.Tensor]


def import_picture(image: Image.Image, kind: str = "auto", tracer: Tracer = trace_photo) -> torch.Tensor:
    """Reads a picture as a drawing.

    A clean drawing, on white paper or transparent, is left to `read_sketch` and keeps its place. Other drawings
    are cleaned, and moved and scaled to where faces lie if they are clearly elsewhere. A photo loses what exceeds
    a square and is traced; nobody looks for the face in it.

    Args:
        image: PIL image of any mode; its EXIF rotation is applied, the first of several frames is read.
        kind: "drawing", "photo", or "auto" to decide by the picture.
        tracer: draws photos, such as `Engine.trace`; without one the classical filter does.

    Returns:
        float32 1 x 512 x 512, ink in [0, 1]; zeros when nothing is drawn.

    Raises:
        ValueError: an unknown kind, a picture that cannot be read, a side under 16 px or more than 50 megapixels.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    if image.width * image.height > MAX_PIXELS:
        raise ValueError(f"This picture is too large: at most {MAX_PIXELS // 10**6} megapixels.")
    if min(image.size) < MIN_SIDE:
        raise ValueError(f"This picture is too small: a side must have at least {MIN_SIDE} pixels.")
    try:
        picture, transparent = _opaque(image)
    except Exception as error:  # PIL lets through whatever a broken file makes its readers raise
        raise ValueError("This picture cannot be opened: the file is damaged or cut off.") from error
    if kind == "photo" or (kind == "auto" and not transparent and is_photo(picture)):
        photo = ImageOps.fit(picture, (CANVAS, CANVAS), Image.Resampling.HAMMING)
        return tracer(np.array(photo))
    if transparent or np.median(np.asarray(picture.convert("L"))) == 255:
        del picture  # up to 200 MB
        return read_sketch(image)
    return _place(clean_drawing(picture))


def is_photo(picture: Image.Image) -> bool:
    """Whether an RGB picture is a photo rather than a drawing, however badly photographed.

    The lines of a drawing are taken away, and what is left in the middle of the picture is paper, on which light
    hardly ever bends: half of its pixels are almost flat even under shadows with edges. A face is round
    everywhere.
    """
    colour = _array(picture, 192)
    height, width = colour.shape[1:]
    middle = colour[:, height // 5 : height - height // 5, width // 5 : width - width // 5]
    paper = np.stack([ndimage.grey_closing(channel, (12, 12)) for channel in middle]).mean(0)
    bend = ndimage.gaussian_laplace(np.log(paper.clip(0.02)), 2)
    return float(np.median(np.abs(bend))) > BEND


def clean_drawing(picture: Image.Image) -> np.ndarray:
    """The ink of a photographed or scanned drawing.

    Args:
        picture: RGB.

    Returns:
        float32 h x w, ink in [0, 1], in the picture's shape with a longer side of at most 768: paper is 0 and
        the usual line 1, be it pencil or ink.
    """
    colour = _array(picture, SIDE)
    side = max(colour.shape[1:])
    reach = max(3, round(side * LINE))
    colour = np.stack([ndimage.gaussian_filter(channel, side / 1000) for channel in colour])
    if _is_blackboard(colour, reach):
        colour = 1 - colour
    colour = colour.clip(1 / 255)
    # Closing takes lines away and keeps the edges of shadows, where a blur would not.
    paper = np.stack([ndimage.grey_closing(channel, (reach, reach), mode="nearest") for channel in colour])
    light = colour / np.maximum(paper, [FILLED * _lightest(channel, reach) for channel in paper])
    # The lightest of many pixels is lighter than most of the paper: grain.
    light /= np.median(light, axis=(1, 2), keepdims=True)
    darkest, neutral = (1 - light.min(0)).clip(0), (1 - light.max(0)).clip(0)
    ink = neutral if _is_ruled(darkest - neutral, side) else darkest
    ink[_table(paper, reach)] = 0

    grain = 1.48 * float(np.median(np.abs(1 - light.mean(0))))
    faint = max(FAINT, GRAIN * grain)
    marks = ink[ink > 1.5 * faint]
    if marks.size < BLANK * ink.size:
        return np.zeros_like(ink)
    full = float(np.percentile(marks, 75))
    faint = max(faint, PALE * full)
    ink = ((ink - faint) / (full - faint)).clip(0, 1)
    return ink * _without_specks(ink, side)


def ink_picture(ink: torch.Tensor) -> Image.Image:
    """Ink 1 x 512 x 512 in [0, 1] as a picture "RGBA": black, its alpha the ink."""
    picture = Image.new("RGBA", (CANVAS, CANVAS))
    picture.putalpha(ImageOps.invert(sketch_to_pil(ink)))
    return picture


def ink_element(ink: torch.Tensor) -> dict:
    """Ink as an element of the pad's drawing.

    Args:
        ink: 1 x 512 x 512, in [0, 1].

    Returns:
        `{"tool": "image", "png": data URL, "box": [0, 0, 512, 512]}`; the PNG is black, its alpha the ink.
    """
    return {"tool": "image", "png": data_url(ink_picture(ink), optimize=True), "box": [0, 0, CANVAS, CANVAS]}


def _opaque(image: Image.Image) -> tuple[Image.Image, bool]:
    """The picture upright, RGB, on white where it is transparent; and whether it is."""
    image.seek(0)
    picture = upright(image)
    if picture.mode.startswith(("I", "F")):  # scans of 16 bits, scientific files: read_sketch knows their scale
        return sketch_to_pil(read_sketch(picture)).convert("RGB"), False
    if not picture.has_transparency_data:
        return picture.convert("RGB"), False
    picture = picture if picture.mode == "RGBA" else picture.convert("RGBA")
    opacity = picture.getchannel("A")
    paper = Image.new("RGB", picture.size, "white")
    paper.paste(picture, mask=opacity)  # alpha_composite would hold two more pictures of up to 200 MB
    return paper, opacity.getextrema()[0] < 255


def _array(picture: Image.Image, side: int) -> np.ndarray:
    """float32 3 x h x w in [0, 1], reduced to a longer side of at most `side`."""
    scale = min(1, side / max(picture.size))
    size = [max(1, round(length * scale)) for length in picture.size]
    reduced = picture.resize(size, Image.Resampling.HAMMING, reducing_gap=3)
    return np.asarray(reduced, np.float32).transpose(2, 0, 1) / 255


# Parts of the cleaning; `reach` is the widest line in pixels.


def _is_blackboard(colour: np.ndarray, reach: int) -> bool:
    """Whether light lines stand on a dark ground: the few pixels that differ most from their surroundings decide."""
    grey = colour.mean(0)
    return bool(np.median(grey) < 0.5 and ((grey - ndimage.gaussian_filter(grey, reach)) ** 3).sum() > 0)


def _lightest(paper: np.ndarray, reach: int) -> np.ndarray:
    """The lightest that paper is in about a quarter of the picture, smoothed."""
    coarse = ndimage.maximum_filter(paper[::4, ::4], 3 * reach)
    rows, columns = (np.arange(n) // 4 for n in paper.shape)
    return ndimage.gaussian_filter(coarse, 3 * reach / 4)[np.ix_(rows, columns)]


def _is_ruled(coloured: np.ndarray, side: int) -> bool:
    """Whether what is coloured in a drawing (h x w, 0 where it is grey) is long straight lines: ruled paper."""
    coloured = np.where(coloured > 0.08, coloured, 0)
    if (coloured > 0).mean() < 0.005:
        return False
    thick = ndimage.grey_dilation(coloured, (3, 3))  # the sheet may be turned a little
    across, down = (ndimage.grey_opening(thick, size) for size in ((1, side // 10), (side // 10, 1)))
    return np.maximum(across, down).sum() > 0.3 * thick.sum()


def _table(paper: np.ndarray, reach: int) -> np.ndarray:
    """bool h x w: what lies around the sheet, of another colour than its middle or much darker."""
    height, width = paper.shape[1:]
    middle = paper[:, height // 4 : -height // 4, width // 4 : -width // 4]
    tint, level = (paper / paper.sum(0)), paper.mean(0)
    usual = np.median(middle / middle.sum(0), axis=(1, 2))[:, None, None]
    other = (np.abs(tint - usual).sum(0) > 0.06) | (level < 0.3 * np.median(middle))
    pieces, _ = ndimage.label(other)
    rim = np.concatenate([pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1]])
    table = np.isin(pieces, np.unique(rim[rim > 0]))
    return ndimage.maximum_filter(table, reach // 2)


def _without_specks(ink: np.ndarray, side: int) -> np.ndarray:
    """bool h x w: marks that are dark somewhere, and larger than a speck."""
    marks = ink > 0.15
    pieces, count = ndimage.label(marks, np.ones((3, 3)))
    areas = np.bincount(pieces.ravel(), minlength=count + 1)
    darkest = ndimage.maximum(ink, pieces, np.arange(count + 1))
    keep = (areas >= (side * SPECK) ** 2) & (darkest > 0.6)
    keep[0] = False
    return keep[pieces]


def _place(ink: np.ndarray) -> torch.Tensor:
    """Fits ink h x w on the canvas as `read_sketch` does, or to where faces lie if it is clearly elsewhere."""
    height, width = ink.shape
    side = max(height, width)
    x, y = width / 2, height / 2  # centre of the square that becomes the canvas
    rows, columns = (np.flatnonzero((ink > 0.3).any(axis)) for axis in (1, 0))
    if len(rows):
        middle_x, middle_y = (columns[0] + columns[-1] + 1) / 2, (rows[0] + rows[-1] + 1) / 2
        extent = max(rows[-1] + 1 - rows[0], columns[-1] + 1 - columns[0])
        if extent < 0.6 * side or max(abs(middle_x - x), abs(middle_y - y)) > 0.15 * side:
            side = round(extent * CANVAS / HEIGHT)
            x = middle_x + side * (0.5 - CENTRE_X / CANVAS)
            y = middle_y + side * (0.5 - CENTRE_Y / CANVAS)
    left, top = round(x - side / 2), round(y - side / 2)
    square = Image.fromarray(ink).transform((side, side), Image.Transform.AFFINE, (1, 0, left, 0, 1, top))
    return torch.from_numpy(np.array(square.resize((CANVAS, CANVAS), Image.Resampling.HAMMING)))[None].clamp(0, 1)
