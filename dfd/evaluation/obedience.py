"""Obedience: how much of a drawing is found again in the picture made from it, and how much was added.

The lines of a picture are those of the classical filter, `dfd.lines.extract_lines`, whatever draws photos for visitors:
a yardstick that was trained, or that is replaced, cannot compare weights of different days.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt

from dfd.components import COMPONENTS, Layout

#: A line is found if it lies within so many pixels of where it was drawn.
TOLERANCE = 4.0


def component_masks(layout: Layout) -> dict[str, np.ndarray]:
    """Where each component looks: bool 512 x 512, of `all` and of the five; the remainder is outside all windows."""
    remainder = layout.remainder_mask[0].bool().numpy()
    masks = {"all": np.ones_like(remainder)}
    for name in COMPONENTS[:-1]:
        masks[name] = np.zeros_like(remainder)
        masks[name][layout.windows[name].slices] = True
    return {**masks, "remainder": remainder}


def agreement(
    found: np.ndarray, drawn: np.ndarray, masks: dict[str, np.ndarray], tolerance: float = TOLERANCE
) -> dict[str, tuple[float, float, float]]:
    """Precision, recall and F1 of lines, for each mask.

    Args:
        found: bool H x W, the lines of the picture.
        drawn: bool H x W, the lines of the drawing.
        masks: name -> bool H x W: only lines within count, but they may be matched by lines outside.
        tolerance: in pixels, inclusive.

    Returns:
        name -> precision (share of what is found that was drawn), recall (share of what was drawn that is found)
        and F1 (their harmonic mean). Where nothing was drawn all three are NaN; where something was drawn and
        nothing is found, precision counts as 0.
    """
    right = _within(drawn, tolerance) & found
    reached = _within(found, tolerance) & drawn
    result = {}
    for name, mask in masks.items():
        ink, lines = (drawn & mask).sum(), (found & mask).sum()
        if ink == 0:
            result[name] = (np.nan, np.nan, np.nan)
            continue
        precision = float((right & mask).sum() / lines) if lines else 0.0
        recall = float((reached & mask).sum() / ink)
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        result[name] = (precision, recall, f1)
    return result


def _within(lines: np.ndarray, tolerance: float) -> np.ndarray:
    """bool H x W: within `tolerance` of a line."""
    if not lines.any():  # the distance transform has no distance to nothing
        return np.zeros_like(lines)
    return distance_transform_edt(~lines) <= tolerance
