"""Photo -> drawing by the classical filter that imitates Photoshop's Photocopy, which the paper used."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

#: Difference of Gaussians: fine scale in pixels of a 512 px photo, ratio of the scales, weight of the coarse one.
SIGMA, RATIO, TAU = 1.4, 1.6, 0.98


def bilateral(grey: np.ndarray, radius: int = 2, sigma_space: float = 1.5, sigma_grey: float = 0.08) -> np.ndarray:
    """Edge-preserving smoothing of a float32 H x W picture in [0, 1]: removes skin texture, keeps contours."""
    padded = np.pad(grey, radius, mode="edge")
    height, width = grey.shape
    total = np.zeros_like(grey)
    weights = np.zeros_like(grey)
    for dy in range(-radius, radius + 1):
        for dx in range(-radius, radius + 1):
            shifted = padded[radius + dy : radius + dy + height, radius + dx : radius + dx + width]
            weight = np.exp(
                -((shifted - grey) ** 2) / (2 * sigma_grey**2) - np.float32((dx * dx + dy * dy) / (2 * sigma_space**2))
            )
            total += weight * shifted
            weights += weight
    return total / weights


def photocopy(photo: np.ndarray) -> np.ndarray:
    """Drawing of a photo.

    Args:
        photo: uint8 H x W x 3 RGB; the scales suit a side of 512 px.

    Returns:
        float32 H x W, ink in [0, 1] (1 is black ink).
    """
    grey = photo.astype(np.float32) @ np.float32([0.299, 0.587, 0.114]) / 255
    grey = bilateral(grey)
    difference = gaussian_filter(grey, SIGMA) - TAU * gaussian_filter(grey, SIGMA * RATIO)
    # Soft threshold: a flat area's difference is 0.02 x its grey, so it is paper unless it is nearly black (which
    # gives black hair some tone); the dark side of an edge is ink.
    return np.clip(np.tanh(60 * (0.004 - difference)), 0, 1).astype(np.float32)
