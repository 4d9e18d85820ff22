"""Where hair is in a photo, and how people draw it: an outline, a hairline and a few strands.

Line drawings made from photos show hair as texture and hardly its outline. Networks that know nothing else cut long
hair that is drawn with two long lines, and overlook fringes (seen).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from scipy import ndimage
from scipy.cluster.vq import kmeans2

from dfd.components import CANVAS

#: Side of a mask, and canvas px per pixel of it.
SIDE = 128
SCALE = CANVAS // SIDE

#: Weights of lightness and the two colours in distances: hair shines, its hue stays.
WEIGHTS = np.float32([0.8, 1.2, 1.2])

#: Distances in weighted CIELAB from which on a colour above the brows is no skin, one behind the head may be told from
#: hair, and one is certainly none.
NO_SKIN, HAIR, NO_HAIR = 18, 14, 25

#: Hair whose edges run so little in one direction (0: in all, 1: in one), and are so strong beside its brightness, is
#: curly: 292 of 6,897 faces (of the first 64, two in three at a look).
COHERENT, STRONG = 0.70, 0.08

#: Share of the picture from which on there is enough hair to draw curls into.
PLENTY = 0.16

Strokes = list[np.ndarray]


def find(photo: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Finds the hair of a portrait by its colours, which are learnt from the photo itself.

    Args:
        photo: uint8 512 x 512 x 3 RGB.
        landmarks: 70 x 2 as `dfd.data.landmarks.find` gives them.

    Returns:
        bool 128 x 128; nothing True where no hair was found or colours do not tell it from what is behind.
    """
    from skimage.color import rgb2lab
    from skimage.draw import polygon2mask

    nothing = np.zeros((SIDE, SIDE), bool)
    lab = rgb2lab(photo.reshape(SIDE, SCALE, SIDE, SCALE, 3).mean((1, 3)) / 255) * WEIGHTS
    points = landmarks[:68].astype(float) / SCALE
    brows, chin, jaw = points[17:27, 1].mean(), points[8], points[:17]
    middle, height, width = points[27:31, 0].mean(), chin[1] - brows, points[16, 0] - points[0, 0]
    y, x = np.mgrid[:SIDE, :SIDE]
    centre = np.array([middle, (brows + chin[1]) / 2])
    forehead = np.stack([points[[26, 17], 0], np.full(2, brows - 0.1 * height)], 1)
    skin = polygon2mask((SIDE, SIDE), np.concatenate([centre + (jaw - centre) * 0.85, forehead])[:, ::-1])
    hairline = _hairline(lab, np.median(lab[skin], 0), brows, height, middle, width)
    if hairline is None:
        return nothing
    seed = (np.abs(x - middle) < 0.14 * width) & (y <= hairline) & (y > hairline - max(0.13 * height, 4))
    colours = np.median(lab[seed], 0)[None]
    sides = ((x < 3) | (x >= SIDE - 3)) & (y < 0.45 * SIDE)
    corners = (y < 6) & ((x < 6) | (x >= SIDE - 6))
    behind = corners | (((y < 3) | sides) & (_distance(lab, colours) > NO_HAIR))
    clothes = (y >= SIDE - 5) & (np.abs(x - chin[0]) < 0.35 * width) & (_distance(lab, colours) > NO_SKIN)
    others = np.concatenate([_palette(lab[part]) for part in (skin, behind, clothes) if part.any()])
    others = others[_distance(others[None], colours)[0] > HAIR]
    if not len(others):
        return nothing
    for _ in range(3):  # each time with more of the hair's colours
        nearer = ndimage.gaussian_filter(_distance(lab, colours) - _distance(lab, others), 0.8) < 0
        nearer &= ~skin
        mask = _part_with(_opened(nearer) | (seed & nearer), seed)
        if mask.sum() < 30:
            return nothing
        colours = _palette(lab[mask])
    mask = ~_opened(~mask, 2)  # small holes are closed
    far = np.abs(x - middle) > 0.95 * width  # only what hangs down is so far from the face
    spilt = (mask & far & (y < brows)).sum() > 0.01 * SIDE**2 or (mask & corners).any()
    return nothing if spilt else mask


def _opened(mask: np.ndarray, iterations: int = 1) -> np.ndarray:
    """A mask without what is thinner than some pixels; beyond the border it goes on."""
    padded = np.pad(mask, 2 * iterations, "edge")
    return ndimage.binary_opening(padded, iterations=iterations)[(slice(2 * iterations, -2 * iterations),) * 2]


def _hairline(lab: np.ndarray, skin: np.ndarray, brows: float, height: float, middle: float, width: float):
    """The first row above the brows, going up, where the middle of the face is no skin any more, or None."""
    columns = lab[:, int(middle - 0.12 * width) : int(middle + 0.12 * width) + 1]
    unlike = np.linalg.norm(np.median(columns, 1) - skin, axis=1) > NO_SKIN
    for row in range(int(brows - 0.12 * height), 2, -1):
        if unlike[row - 2 : row + 1].all():
            return row
    return None


def _palette(colours: np.ndarray, count: int = 4) -> np.ndarray:
    """Up to `count` colours that stand for many (N x 3), without seldom ones."""
    if len(colours) <= count:
        return colours
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fewer than asked for are welcome
        centres, nearest = kmeans2(colours, count, iter=8, minit="++", seed=np.random.default_rng(0))
    return centres[np.bincount(nearest, minlength=count) > 0.03 * len(colours)]


def _distance(lab: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Distance of each pixel (... x 3) from the nearest of some colours (N x 3)."""
    return np.linalg.norm(lab[..., None, :] - colours, axis=-1).min(-1)


def _part_with(mask: np.ndarray, seed: np.ndarray) -> np.ndarray:
    """The connected part of a mask that covers most of the seed."""
    parts, _ = ndimage.label(mask)
    counts = np.bincount(parts[seed & mask], minlength=1)
    counts[0] = 0
    return parts == counts.argmax() if counts.any() else np.zeros_like(mask)


def is_curly(photo: np.ndarray, mask: np.ndarray) -> bool:
    """Whether hair has many edges that run in all directions.

    Args:
        photo: uint8 512 x 512 x 3 RGB.
        mask: bool 128 x 128 as `find` gives it.
    """
    side = 2 * SIDE
    grey = photo.reshape(side, CANVAS // side, side, CANVAS // side, 3).mean((1, 3, 4))
    inside = ndimage.binary_erosion(np.kron(mask, np.ones((2, 2))) > 0, iterations=4)
    if not inside.any():
        return False
    right, down = (ndimage.gaussian_filter(grey, 1.5, order=order) for order in ((0, 1), (1, 0)))
    xx, xy, yy = (ndimage.gaussian_filter(p, 5)[inside] for p in (right * right, right * down, down * down))
    coherence = np.average(np.hypot(xx - yy, 2 * xy) / (xx + yy + 1e-3), weights=xx + yy + 1e-3)
    strength = np.median(np.sqrt(xx + yy)) / (grey[inside].mean() + 8)
    return bool(coherence < COHERENT and strength > STRONG)


def draw(
    strokes: Sequence[np.ndarray],
    mask: np.ndarray,
    landmarks: np.ndarray,
    rng: np.random.Generator,
    curly: bool = False,
) -> Strokes:
    """Strokes in which hair is drawn as people draw it, in place of the lines that a photo's hair has.

    Args:
        strokes: n x 2 in canvas px each, those of the line drawing.
        mask: bool 128 x 128 as `find` gives it; with nothing True the strokes stay.
        landmarks: 70 x 2 in canvas px.
        curly: whether curls are drawn.

    Returns:
        strokes, n x 2 in canvas px each, points about 2 px apart.
    """
    if not mask.any():
        return list(strokes)
    near = ndimage.binary_dilation(mask, iterations=2)
    kept, locks = [], rng.random() < 0.3
    for stroke in strokes:
        column, row = (stroke / SCALE).astype(int).clip(0, SIDE - 1).T
        if near[row, column].mean() < 0.6 or (locks and rng.random() < 0.3):
            kept.append(stroke)
    face = _face(mask, landmarks / SCALE)
    smooth = ndimage.gaussian_filter(np.pad(mask, 8, "edge").astype(np.float32), rng.uniform(1, 3))[8:-8, 8:-8]
    outer, inner = (ndimage.distance_transform_edt(~part) for part in (~mask & ~face, face))
    lines = [part for line in _contours(smooth, 0.5) for part in _split(line, outer < inner)]
    lines = [line for line in lines if len(line) >= 8]
    strands = _strands(mask, outer, inner, rng)
    if curly:
        lines, strands = _curled(lines, strands, mask, rng)
    return kept + lines + strands


def _curled(lines: Strokes, strands: Strokes, mask: np.ndarray, rng: np.random.Generator) -> tuple[Strokes, Strokes]:
    """Outlines and strands as loops or waves, or circles and spirals all over the hair; one of them at least."""
    radius, pitch = rng.uniform(6, 16), rng.uniform(1.4, 3.2)  # of a loop, px; from loop to loop, in radii
    kind = rng.integers(1, 8)  # of the three, which
    if kind & 1:
        lines = [_looped(line, radius, pitch, rng.random() < 0.5) if rng.random() < 0.8 else line for line in lines]
    if kind & 2:
        strands = [_looped(line, 0.8 * radius, pitch, rng.random() < 0.5) for line in strands]
    if kind & 4 or not strands:
        rows, columns = np.nonzero(ndimage.binary_erosion(mask, iterations=2))
        for i in rng.choice(len(rows), min(len(rows), rng.integers(10, 45)), replace=False):
            turns = rng.choice([1, rng.uniform(1.2, 2.5)])
            angles = np.linspace(0, 2 * np.pi * turns, int(80 * turns)) + rng.uniform(0, 6.28)
            reach = radius * rng.uniform(0.6, 1.2) * np.linspace(1 if turns == 1 else 0.2, 1, len(angles))
            ring = reach[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1)
            strands.append(((np.float32([columns[i], rows[i]]) + 0.5) * SCALE + ring).astype(np.float32))
    return lines, strands


def _looped(line: np.ndarray, radius: float, pitch: float, wave: bool) -> np.ndarray:
    """A line (points about 2 px apart) drawn as a row of loops, or as a wave about it.

    Points lie so near that a calm hand (`dfd.data.styles.freehand`) does not smooth the loops away.
    """
    along = np.arange(0, len(line) - 1, 0.1)
    middle = np.stack([np.interp(along, np.arange(len(line)), line[:, i]) for i in (0, 1)], 1)
    angles = 2 * np.pi * 2 * along / (radius * pitch * (2 if wave else 1))
    ahead = np.gradient(middle, axis=0)
    ahead /= np.maximum(np.linalg.norm(ahead, axis=1, keepdims=True), 1e-3)
    aside = ahead[:, ::-1] * (-1, 1)
    turned = np.sin(angles)[:, None] * aside + (0 if wave else np.cos(angles)[:, None] * ahead)
    return (middle + (0.6 if wave else 1) * radius * turned).astype(np.float32)


def _face(mask: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """What is no hair but has hair above it, near the face: the face, ears and neck."""
    x = np.arange(SIDE)
    middle, width = landmarks[27:31, 0].mean(), landmarks[16, 0] - landmarks[0, 0]
    below = np.logical_or.accumulate(mask, axis=0)
    return ~mask & below & (np.abs(x - middle) < 0.75 * width)


def _strands(mask: np.ndarray, outer: np.ndarray, inner: np.ndarray, rng: np.random.Generator) -> Strokes:
    """A few lines along the hair, from where it falls; or across it, from above down to the hairline."""
    share = ndimage.gaussian_filter(outer / np.maximum(outer + inner, 1e-3), 1.5)
    wide = mask & (outer + inner > 6)  # where hair is thin there is no room
    drawn: Strokes = []
    if rng.random() < 0.7:
        for level in rng.uniform(0.15, 0.85, rng.integers(1, 7)):
            for line in _contours(share, level):
                line = _longest(line, wide)
                if len(line) > 20 and rng.random() < 0.8:
                    length = int(len(line) * rng.uniform(0.3, 1))
                    start = rng.integers(0, len(line) - length + 1)
                    drawn.append(line[start : start + length])
    if rng.random() < 0.5:
        rows, columns = np.nonzero(mask & (share > 0.15) & (share < 0.5))
        slope = np.stack(np.gradient(share)[::-1], -1)  # towards the face
        for i in rng.choice(len(rows), min(len(rows), rng.integers(3, 14)), replace=False):
            drawn.append(_downhill(np.float32([columns[i], rows[i]]), slope, mask, rng.uniform(6, 26)))
    return [line for line in drawn if len(line) >= 4]


def _downhill(start: np.ndarray, slope: np.ndarray, mask: np.ndarray, length: float) -> np.ndarray:
    """The line that follows a slope from a point, for as long as it is in the mask, `length` pixels at most."""
    points = [start]
    while len(points) < 2 * length:
        column, row = points[-1].round().astype(int).clip(0, SIDE - 1)
        step = slope[row, column]
        if not mask[row, column] or not step.any():
            break
        points.append(points[-1] + 0.5 * step / np.linalg.norm(step))
    return ((np.stack(points) + 0.5) * SCALE).astype(np.float32)


def _contours(values: np.ndarray, level: float) -> Strokes:
    """Lines of equal value, n x 2 in canvas px (x, y), points about 2 px apart."""
    from skimage.measure import find_contours

    lines = []
    for line in find_contours(values, level):
        line = (line[:, ::-1] + 0.5) * SCALE
        along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
        at = np.arange(0, along[-1], 2)
        lines.append(np.stack([np.interp(at, along, line[:, i]) for i in (0, 1)], 1).astype(np.float32))
    return lines


def _split(line: np.ndarray, side: np.ndarray) -> Strokes:
    """A contour cut where it leaves the canvas, and where it goes over from outline to hairline."""
    column, row = (line / SCALE).astype(int).clip(0, SIDE - 1).T
    at_border = ((line < 2 * SCALE) | (line > CANVAS - 2 * SCALE)).any(1)
    kind = np.where(at_border, -1, ndimage.median_filter(side[row, column].astype(np.int8), 9, mode="wrap"))
    cuts = np.flatnonzero(np.diff(kind)) + 1
    return [part for part, k in zip(np.split(line, cuts), np.split(kind, cuts), strict=True) if k[0] >= 0]


def _longest(line: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The longest piece of a line in a mask."""
    column, row = (line / SCALE).astype(int).clip(0, SIDE - 1).T
    inside = mask[row, column]
    cuts = np.flatnonzero(np.diff(inside)) + 1
    pieces = [p for p, i in zip(np.split(line, cuts), np.split(inside, cuts), strict=True) if len(i) and i[0]]
    return max(pieces, key=len, default=line[:0])
