"""Damages of drawings: what hands do badly or leave out, applied to the strokes of a line drawing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from dfd.components import Layout, Window
from dfd.evaluation.tables import DAMAGES
from dfd.strokes import render

Strokes = Sequence[np.ndarray]

#: Pen of redrawn strokes, and the thick one, in pixels.
PEN, THICK_PEN = 3, 8

#: Distance in pixels of the second line of doubled ones.
DOUBLED = 5


@dataclass(frozen=True)
class Drawing:
    """A drawing as a network sees it and as obedience is measured against.

    Attributes:
        sketch: float32 1 x 512 x 512, ink in [0, 1].
        lines: bool 512 x 512, the middle lines of its strokes.
    """

    sketch: torch.Tensor
    lines: np.ndarray


def damage(strokes: Strokes, kind: str, layout: Layout, rng: np.random.Generator) -> Drawing:
    """Draws strokes again with one of `DAMAGES`.

    Args:
        strokes: as `dfd.strokes.trace` gives them.
        kind: one of `DAMAGES`.
        layout: where eyes and mouth are.
        rng: all randomness comes from it.

    Raises:
        ValueError: an unknown damage.
    """
    pen = PEN
    match kind:
        case "redrawn":
            pass
        case "displaced 4 px" | "displaced 8 px" | "displaced 12 px":
            strokes = displaced(strokes, float(kind.split()[1]), rng)
        case "30 % erased" | "60 % erased":
            strokes = erased(strokes, float(kind.split()[0]) / 100, rng)
        case "eyes missing":
            strokes = cut(cut(strokes, layout.windows["left_eye"]), layout.windows["right_eye"])
        case "mouth missing":
            strokes = cut(strokes, layout.windows["mouth"])
        case "doubled lines":
            strokes = [*strokes, *displaced(strokes, DOUBLED, rng)]
        case "thick pen":
            pen = THICK_PEN
        case "shifted 16 px":
            move = _direction(rng) * 16
            strokes = [stroke + move for stroke in strokes]
        case _:
            raise ValueError(f"unknown damage {kind!r}; accepted are {', '.join(DAMAGES)}")
    return Drawing(render(strokes, pen), middle_lines(strokes))


def displaced(strokes: Strokes, distance: float, rng: np.random.Generator) -> list[np.ndarray]:
    """Each stroke moved by exactly `distance` px in a direction of its own."""
    return [stroke + distance * _direction(rng) for stroke in strokes]


def erased(strokes: Strokes, share: float, rng: np.random.Generator) -> list[np.ndarray]:
    """A random `share` of the strokes left out; the order of the others stays."""
    gone = set(rng.permutation(len(strokes))[: round(share * len(strokes))].tolist())
    return [stroke for i, stroke in enumerate(strokes) if i not in gone]


def cut(strokes: Strokes, window: Window) -> list[np.ndarray]:
    """What of the strokes lies outside a window; a stroke that passes through becomes two."""
    result = []
    for stroke in strokes:
        low, high = np.array([window.x, window.y]), np.array([window.x, window.y]) + window.size
        outside = ~((stroke >= low - PEN) & (stroke <= high + PEN)).all(1)  # the pen reaches beyond its middle
        ends = np.flatnonzero(np.diff(outside)) + 1
        pieces = zip(np.split(stroke, ends), np.split(outside, ends), strict=True)
        result += [piece for piece, kept in pieces if kept.all() and len(piece) > 1]
    return result


def middle_lines(strokes: Strokes) -> np.ndarray:
    """bool 512 x 512: strokes one pixel wide."""
    return render(strokes, 1)[0].numpy() > 0.25


def _direction(rng: np.random.Generator) -> np.ndarray:
    angle = rng.uniform(0, 2 * np.pi)
    return np.array([np.cos(angle), np.sin(angle)], np.float32)
