"""Line drawing (pixels) <-> strokes (polylines): what a hand would have drawn, to be displaced, dropped, redrawn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw
from scipy.ndimage import convolve, gaussian_filter1d, label
from skimage.morphology import skeletonize

from dfd.components import CANVAS

#: At a crossing a stroke goes on into the piece that turns by less than this (cosine of 50 degrees).
STRAIGHT_ON = 0.64

#: Pixels over which the direction of a piece's end is measured.
END = 7

_AROUND = np.ones((3, 3), bool)
_STEPS = [(-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1)]  # straight steps first


def trace(lines: np.ndarray) -> list[np.ndarray]:
    """Strokes of a line drawing: it is thinned, cut at its crossings, and joined where a line goes straight on.

    Args:
        lines: bool H x W, True is ink; lines a few pixels wide.

    Returns:
        float32 n x 2 (x, y) for each stroke, n >= 2, one point per pixel of its middle line, in canvas px (the
        centre of the first pixel is (0.5, 0.5)). Single points are left out.
    """
    # PIL's bilevel images come as bool that is stored as 255, on which skeletonize crashes: hence a clean copy.
    skeleton = skeletonize(np.not_equal(lines, 0))
    crossing = skeleton & (convolve(skeleton.astype(np.uint8), _AROUND, mode="constant") > 3)
    crossings, _ = label(crossing, _AROUND)
    pieces = [np.array(piece) for piece in _pieces(skeleton & ~crossing)]
    return [stroke for stroke in _join(pieces, crossings) if len(stroke) > 1]


def _pieces(skeleton: np.ndarray) -> list[list[tuple[int, int]]]:
    """Chains of pixels (y, x) of a skeleton without crossings, each in order from one end to the other."""
    left = set(map(tuple, np.argwhere(skeleton).tolist()))
    pieces = []
    while left:
        piece = [left.pop()]
        for _ in range(2):  # forwards from the first pixel found, then backwards from it
            while True:
                y, x = piece[-1]
                following = next(((y + dy, x + dx) for dy, dx in _STEPS if (y + dy, x + dx) in left), None)
                if following is None:
                    break
                left.remove(following)
                piece.append(following)
            piece.reverse()
        pieces.append(piece)
    return pieces


def _join(pieces: list[np.ndarray], crossings: np.ndarray) -> list[np.ndarray]:
    """Joins pieces (int n x 2, y x) that meet at a crossing and go straight on there."""
    meeting: dict[int, list[tuple[int, int, np.ndarray]]] = {}  # crossing -> (piece, end, direction outwards)
    for i, piece in enumerate(pieces):
        for end, run in ((0, piece[:END][::-1]), (1, piece[-END:])):
            direction = (run[-1] - run[0]).astype(float)
            length = np.linalg.norm(direction)
            y, x = run[-1]
            near = crossings[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
            if near.any() and length:
                meeting.setdefault(int(near.max()), []).append((i, end, direction / length))
    partner: dict[tuple[int, int], tuple[int, int]] = {}
    for ends in meeting.values():
        pairs = [
            (float(-(a[2] @ b[2])), a[:2], b[:2]) for k, a in enumerate(ends) for b in ends[k + 1 :] if a[0] != b[0]
        ]
        for straight, a, b in sorted(pairs, reverse=True):
            if straight > STRAIGHT_ON and a not in partner and b not in partner:
                partner[a], partner[b] = b, a
    strokes, used = [], set()
    # Ends without a partner first: a stroke is followed from its beginning. What is left then are closed rings.
    starts = [(i, end) for i in range(len(pieces)) for end in (0, 1)]
    for i, end in sorted(starts, key=lambda start: start in partner):
        if i in used:
            continue
        stroke = []
        while True:
            used.add(i)
            stroke.append(pieces[i] if end == 0 else pieces[i][::-1])
            i, end = partner.get((i, 1 - end), (-1, 0))
            if i in used or i < 0:
                break
        strokes.append(np.concatenate(stroke)[:, ::-1].astype(np.float32) + 0.5)
    return strokes


def smooth(stroke: np.ndarray, sigma: float) -> np.ndarray:
    """A stroke (float32 n x 2, about a pixel between points) as a calm hand draws it; its ends stay."""
    if sigma <= 0 or len(stroke) < 3:
        return stroke
    calm = gaussian_filter1d(stroke, min(sigma, len(stroke) / 4), axis=0, mode="nearest")
    calm[0], calm[-1] = stroke[0], stroke[-1]
    return calm


def render(strokes: Sequence[np.ndarray], width: float = 3) -> torch.Tensor:
    """Draws strokes with a round pen.

    Args:
        strokes: n x 2 (x, y) in canvas px each.
        width: of the pen in px.

    Returns:
        float32 1 x 512 x 512, ink in [0, 1], with soft borders.
    """
    image = Image.new("L", (2 * CANVAS, 2 * CANVAS))
    draw = ImageDraw.Draw(image)
    pen = max(round(2 * width), 1)
    for stroke in strokes:
        points = (2 * np.asarray(stroke) - 0.5).ravel().tolist()
        # Round joints are slow, and are not seen where points are close.
        sparse = len(stroke) > 2 and np.abs(np.diff(stroke, axis=0)).max() > width
        draw.line(points, fill=255, width=pen, joint="curve" if sparse and pen > 4 else None)
        if pen > 4:
            for x, y in (points[:2], points[-2:]):
                draw.circle((x, y), pen / 2 - 0.5, fill=255)
    return torch.from_numpy(np.asarray(image.reduce(2), np.float32))[None] / 255
