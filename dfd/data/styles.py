"""Sketch styles: the many ways in which one face may be drawn, mixed at random for training.

Lines are what a visitor's pen gives; the photocopy is what the paper trained on. A network that sees both, and
both damaged as hands damage them, gives a rough drawing a code near that of the clean one.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from dfd.components import CANVAS, Layout

#: Share of each style. Lines come first because that is what visitors draw.
STYLES = {"lines": 0.5, "photocopy": 0.1, "binary": 0.1, "photocopy_in_windows": 0.15, "overlay": 0.15}


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


def draw(lines: np.ndarray, photocopy: np.ndarray, layout: Layout, rng: np.random.Generator) -> torch.Tensor:
    """One random drawing of a face.

    Args:
        lines: bool 512 x 512, contour lines 1 px wide.
        photocopy: uint8 512 x 512, 255 is ink.

    Returns:
        float32 1 x 512 x 512, ink in [0, 1].
    """
    style = rng.choice(list(STYLES), p=list(STYLES.values()))
    pen = torch.from_numpy(lines).float()[None]
    if rng.random() < 0.15 and style in ("lines", "overlay"):
        pen = erase_patches(pen, rng, rng.uniform(0.1, 0.4))
    pen = thicken(pen, int(rng.choice([1, 2, 3, 4, 5, 7], p=[0.15, 0.2, 0.25, 0.2, 0.15, 0.05])))
    if style == "lines":
        sketch = pen  # half of all drawings: the photocopy is not even read from the disk
    else:
        copy = torch.from_numpy(photocopy.astype(np.float32))[None] / 255
        if style == "photocopy":
            sketch = copy
        elif style == "binary":
            sketch = (copy > rng.uniform(0.3, 0.8)).float()
        elif style == "photocopy_in_windows":
            sketch = torch.where(layout.remainder_mask.bool(), pen, copy)
        else:
            sketch = torch.maximum(pen, copy)
    if rng.random() < 0.35:
        sketch = displace(sketch, rng, wobble=rng.uniform(0.5, 4), shift=3, scale=0.015)
    return sketch


def draw_lines(lines: np.ndarray, width: int = 3) -> torch.Tensor:
    """The plain line drawing, undamaged, with a pen of `width` px: for banks, evaluation and sample grids."""
    return thicken(torch.from_numpy(lines).float()[None], width)
