"""Appearance encoder: what a drawing does not say (colour of skin and hair, light), as a small Gaussian code."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin  # noqa: F401 - diffusers looks for ModelMixin in this module
from diffusers.configuration_utils import register_to_config
from torch import nn

from dfd.models.base import Model


class AppearanceEncoder(Model):
    """Photo -> mean and log-variance of its appearance code, from a thumbnail too small to show shape.

    Args:
        appearance_dim: length of the code.
        thumbnail: side of the thumbnail in pixels.
        hidden: units of the hidden layer.
    """

    @register_to_config
    def __init__(self, appearance_dim: int = 16, thumbnail: int = 16, hidden: int = 256):
        super().__init__()
        self.body = nn.Sequential(
            nn.Flatten(),
            nn.Linear(3 * thumbnail * thumbnail, hidden),
            nn.SiLU(),
            nn.Linear(hidden, 2 * appearance_dim),
        )

    def forward(self, photo: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Photo N x 3 x s x s in [-1, 1] (any side) -> mean and log-variance, each N x appearance_dim."""
        thumbnail = F.adaptive_avg_pool2d(photo, self.config.thumbnail)
        mean, log_variance = self.body(thumbnail).chunk(2, dim=1)
        return mean, log_variance.clamp(-8, 4)
