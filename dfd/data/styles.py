"""Sketch styles: the many ways in which one face may be drawn, mixed at random for training.

Lines are what a visitor's pen gives; the photocopy is what the paper trained on. A network that sees both, and
both damaged as hands damage them, gives a rough drawing a code near that of the clean one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from skimage.measure import approximate_polygon

from dfd.components import CANVAS, PARTS, Layout
from dfd.data.schematic import Person, schematic
from dfd.strokes import render, smooth

#: Share of each style. Those of a pen come first because that is what visitors draw.
STYLES = {
    "schematic": 0.35,
    "freehand": 0.25,
    "lines": 0.2,
    "photocopy": 0.05,
    "binary": 0.05,
    "photocopy_in_windows": 0.05,
    "overlay": 0.05,
}

#: What every drawing stands for: strokes of at least so many points (2 px apart), this calm, with this pen (px).
CLEAN_POINTS, CLEAN_SIGMA, CLEAN_WIDTH = 6, 1.5, 3


def thicken(ink: torch.Tensor, width: int) -> torch.Tensor:
    """Widens 1 px lines (1 x H x W, ink in [0, 1]) to about `width` px, with soft borders from 2 px on."""
    if width <= 1:
        return ink
    if width % 2:
        return F.max_pool2d(ink[None], width, stride=1, padding=width // 2)[0]
    ink = F.max_pool2d(ink[None], width - 1, stride=1, padding=width // 2 - 1)
    return F.avg_pool2d(F.pad(ink, (1, 0, 1, 0)), 2, stride=1)[0].mul(1.5).clamp(max=1)


def erase_patches(ink: torch.Tensor, rng: np.random.Generator, share: float) -> torch.Tensor:
    """Erases about `share` of the canvas in smooth patches, as strokes not drawn yet."""
    noise = torch.from_numpy(rng.random((1, 1, 12, 12), dtype=np.float32))
    noise = F.interpolate(noise, size=(CANVAS, CANVAS), mode="bilinear", align_corners=False)[0]
    threshold = torch.quantile(noise[:, ::8, ::8], share)
    return ink * (noise > threshold)


def displace(ink: torch.Tensor, rng: np.random.Generator, wobble: float, shift: float = 0, scale: float = 0):
    """Moves strokes by a smooth random field of up to about `wobble` px, then all by `shift` px and `scale`."""
    field = torch.from_numpy(rng.normal(0, 1, (1, 2, 9, 9)).astype(np.float32)) * wobble
    field = F.interpolate(field, size=(CANVAS, CANVAS), mode="bicubic", align_corners=True)[0]
    offset = torch.from_numpy(rng.normal(0, 1, 2).astype(np.float32)) * shift
    axis = (torch.arange(CANVAS) + 0.5) * (2 / CANVAS) - 1
    grid = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1) * (1 + scale * float(rng.normal()))
    grid = grid + (field + offset[:, None, None]).permute(1, 2, 0) * (2 / CANVAS)
    return F.grid_sample(ink[None], grid[None], mode="bilinear", align_corners=False)[0]


def clean(strokes: Sequence[np.ndarray]) -> torch.Tensor:
    """The drawing that auto-encoders are to give back, whatever style they see: even lines without whiskers."""
    return render(calm(strokes), CLEAN_WIDTH)


def calm(strokes: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Strokes as a calm hand draws them; whiskers are left out."""
    return [smooth(s, CLEAN_SIGMA) for s in strokes if len(s) >= CLEAN_POINTS]


def freehand(
    strokes: Sequence[np.ndarray], layout: Layout, rng: np.random.Generator, whole: bool = False
) -> torch.Tensor:
    """A person's drawing of the same face: fewer, calmer, straighter or displaced strokes with any pen.

    Args:
        strokes: n x 2 in canvas px each, points about 2 px apart.
        whole: whether no stroke of a part is left out: an open mouth without its upper lip looks like closed lips, and
            taught so, encoders gave drawn closed lips a code half-way (measured).

    Returns:
        float32 1 x 512 x 512, ink in [0, 1].
    """
    shortest = rng.choice([CLEAN_POINTS, rng.uniform(6, 30)])  # outside the windows of the parts
    dropped = rng.choice([0, rng.uniform(0, 0.5)], p=[0.6, 0.4])
    calm = rng.uniform(1, 6)
    straight = rng.uniform(1, 5) if rng.random() < 0.2 else 0  # px that a polygon may be off
    shift, turn = rng.choice([0, 1, 2, 4]), rng.choice([0, 0.02, 0.05])
    twice = rng.random() < 0.1
    windows = np.array([(w.x, w.y, w.x + w.size, w.y + w.size) for w in map(layout.windows.get, PARTS)])
    drawn = []
    for stroke in strokes:
        middle = stroke.mean(0)
        inside = ((middle > windows[:, :2]) & (middle < windows[:, 2:])).all(1).any()
        left_out = rng.random() < dropped and not (whole and inside)
        if left_out or len(stroke) < (min(shortest, 8) if inside else shortest):
            continue
        line = smooth(stroke, min(calm, 3) if inside else calm)
        if straight:
            line = approximate_polygon(line, min(straight, 2) if inside else straight)
        for _ in range(2 if twice else 1):
            moved = (line - middle) @ (np.eye(2) + rng.normal(0, turn, (2, 2))) + middle + rng.normal(0, shift, 2)
            drawn.append(moved)
    return render(drawn, rng.choice([2, 3, 4, 5, 7], p=[0.15, 0.25, 0.35, 0.2, 0.05]))


def draw(
    lines: np.ndarray,
    strokes: Sequence[np.ndarray],
    photocopy: np.ndarray,
    person: Person | None,
    layout: Layout,
    rng: np.random.Generator,
) -> tuple[torch.Tensor, frozenset[str]]:
    """One random drawing of a face.

    Args:
        lines: bool 512 x 512, contour lines 2 px wide.
        strokes: the same as `dfd.strokes.trace` gives them.
        photocopy: uint8 512 x 512, 255 is ink.
        person: whom a schematic drawing shows; None if landmarks are not known: then no drawing is schematic.

    Returns:
        float32 1 x 512 x 512, ink in [0, 1]; and what it says on purpose, see `dfd.data.schematic.schematic`.
    """
    marks: frozenset[str] = frozenset()
    style = rng.choice(list(STYLES), p=list(STYLES.values()))
    by_hand = style in ("schematic", "freehand")
    whole = style == "schematic" and person is not None
    if whole:
        strokes, marks = schematic(strokes, person, rng)
    sketch = freehand(strokes, layout, rng, whole) if by_hand else torch.from_numpy(lines).float()[None]
    if rng.random() < 0.15 and (by_hand or style in ("lines", "overlay")):
        sketch = erase_patches(sketch, rng, rng.uniform(0.1, 0.4))
    if not by_hand:
        sketch = thicken(sketch, int(rng.choice([1, 2, 3, 4, 5, 7], p=[0.15, 0.2, 0.25, 0.2, 0.15, 0.05])))
    if not by_hand and style != "lines":  # most drawings: the photocopy is not even read from the disk
        copy = torch.from_numpy(photocopy.astype(np.float32))[None] / 255
        if style == "photocopy":
            sketch = copy
        elif style == "binary":
            sketch = (copy > rng.uniform(0.3, 0.8)).float()
        elif style == "photocopy_in_windows":
            sketch = torch.where(layout.remainder_mask.bool(), sketch, copy)
        else:
            sketch = torch.maximum(sketch, copy)
    if rng.random() < 0.35:
        sketch = displace(sketch, rng, wobble=rng.uniform(0.5, 4), shift=3, scale=0.015)
    return sketch, marks


def draw_lines(lines: np.ndarray, width: int = 3) -> torch.Tensor:
    """The plain line drawing, undamaged, with a pen of `width` px: for banks, evaluation and sample grids."""
    return thicken(torch.from_numpy(lines).float()[None], width)
