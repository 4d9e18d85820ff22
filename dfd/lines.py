"""Photo -> thin contour lines, as a person's pen would trace them: by classical edge detection, or by a small network.

`network_lines` follows the ridges of what `dfd.models.LineExtractor` holds likely; it draws visitors' photos.
`extract_lines` needs no weights, and measures the obedience of pictures, which must not change with weights.

Classically, the strength of an edge is the largest eigenvalue of the colour structure tensor (Di Zenzo 1986) at two
scales; ridges of that strength become lines as in Canny's detector: non-maximum suppression across the edge,
hysteresis, short pieces dropped. On training photos, lines found this way agree with the data's line drawings (ridges
of an edge network) by F1 0.83 at 4 px (measured; one scale 0.82, grey 0.81, after a bilateral filter 0.82, relative to
the surroundings' contrast 0.82, on the square root or the logarithm of the photo 0.77 and 0.74).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.ndimage import binary_dilation, gaussian_filter, label

if TYPE_CHECKING:
    from dfd.models.line_extractor import LineExtractor

#: Scales at which edges are sought, in pixels of a 512 px photo: skin texture is finer than the first.
SIGMAS = (2.0, 3.5)

#: Luma, and two differences of colour that find lips and hairlines where brightness does not.
CHANNELS = np.float32([[0.299, 0.587, 0.114], [0.75, -0.63, -0.12], [-0.255, -0.495, 0.75]])

#: A line is followed while its strength is above the first, and kept if it exceeds the second somewhere.
WEAK, STRONG = 0.03, 0.05

#: The same two for the network's ridges, chosen on 16 training faces: F1 0.88 there, 0.86 at 0.2 and 0.35.
LIKELY_WEAK, LIKELY_STRONG = 0.35, 0.5

#: Shorter pieces, in pixels, are dropped.
MIN_LENGTH = 16

#: Width in pixels of the lines that `trace_photo` draws.
PEN = 3

_EIGHT = np.ones((3, 3), bool)


def extract_lines(photo: np.ndarray) -> np.ndarray:
    """Contour lines of a photo; about 0.05 s on one core.

    Args:
        photo: uint8 H x W x 3 RGB; the scales suit a side of 512 px.

    Returns:
        bool H x W, True on lines about 1 px wide.

    Raises:
        ValueError: another shape or dtype.
    """
    _check_photo(photo)
    return _ridges(*_edges(photo), WEAK, STRONG)


@torch.no_grad()
def network_lines(photo: np.ndarray, extractor: LineExtractor) -> np.ndarray:
    """Contour lines of a photo, as the network draws them.

    Args, returns and raises as `extract_lines`; the photo's sides are multiples of `extractor.multiple`.
    """
    _check_photo(photo)
    pixels = torch.from_numpy(photo).to(extractor.device).permute(2, 0, 1)[None]
    logits = extractor((pixels.float() / 127.5 - 1).to(extractor.dtype))
    likely = gaussian_filter(logits.float().sigmoid()[0, 0].cpu().numpy(), 1)
    return _ridges(likely, _across(likely), LIKELY_WEAK, LIKELY_STRONG)


def trace_photo(photo: np.ndarray, extractor: LineExtractor | None = None) -> torch.Tensor:
    """The drawing of a photo, to be read by the pipeline or drawn on.

    Args:
        photo: as for `extract_lines`.
        extractor: the network that draws; None leaves it to `extract_lines`.

    Returns:
        float32 1 x H x W, ink 0 or 1, lines 3 px wide.

    Raises:
        ValueError: another shape or dtype.
    """
    lines = extract_lines(photo) if extractor is None else network_lines(photo, extractor)
    return torch.from_numpy(binary_dilation(lines, np.ones((PEN, PEN), bool)).astype(np.float32))[None]


def _check_photo(photo: np.ndarray) -> None:
    if photo.ndim != 3 or photo.shape[2] != 3 or photo.dtype != np.uint8:
        raise ValueError(f"a photo is uint8 H x W x 3, got {photo.dtype} {photo.shape}")


def _ridges(strength: np.ndarray, direction: np.ndarray, weak: float, strong: float) -> np.ndarray:
    """bool H x W: lines about 1 px wide along the ridges of `strength`.

    Args:
        strength, direction: float32 H x W each; the direction across the ridge, in radians.
        weak, strong: a line is followed while above the first, and kept if above the second somewhere.
    """
    pieces, count = label(_is_maximum(strength, direction) & (strength > weak), _EIGHT)
    if count == 0:
        return np.zeros(strength.shape, bool)
    keep = np.bincount(pieces.ravel(), minlength=count + 1) >= MIN_LENGTH
    keep &= np.bincount(pieces[strength > strong], minlength=count + 1) > 0
    keep[0] = False  # the paper
    return keep[pieces]


def _across(strength: np.ndarray) -> np.ndarray:
    """float32 H x W: the direction in which `strength` bends down most, in radians."""
    dy, dx = np.gradient(strength)
    (yy, yx), (_, xx) = np.gradient(dy), np.gradient(dx)
    return 0.5 * np.arctan2(-2 * yx, yy - xx)


def _edges(photo: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """float32 H x W each: strength of the edge at a pixel, and the direction across it in radians."""
    channels = [photo.astype(np.float32) @ (weights / 255) for weights in CHANNELS]
    xx = yy = xy = 0
    before = 0.0
    for sigma in SIGMAS:
        # From one scale to the next: variances of Gaussians add up.
        channels = [gaussian_filter(c, (sigma**2 - before**2) ** 0.5, truncate=3) for c in channels]
        before = sigma
        for channel in channels:
            dy, dx = np.gradient(channel)
            weight = sigma**2 / len(SIGMAS)  # a step's slope falls with the scale
            xx, yy, xy = xx + weight * dx * dx, yy + weight * dy * dy, xy + weight * dx * dy
    root = np.sqrt((xx - yy) ** 2 + 4 * xy * xy)
    return np.sqrt((xx + yy + root) / 2), 0.5 * np.arctan2(2 * xy, xx - yy)


def _is_maximum(strength: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """bool H x W: as strong as both neighbours across the edge (directions rounded to 45 degrees)."""
    height, width = strength.shape
    padded = np.pad(strength, 1)
    octant = np.round(direction * (4 / np.pi)).astype(np.int8) % 4
    result = np.zeros(strength.shape, bool)
    for number, (dy, dx) in enumerate([(0, 1), (1, 1), (1, 0), (1, -1)]):
        ahead = padded[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
        behind = padded[1 - dy : 1 - dy + height, 1 - dx : 1 - dx + width]
        # Strictly on one side only, so that of two equal neighbours one remains.
        result |= (octant == number) & (strength >= ahead) & (strength > behind)
    return result
