"""Line extractor: where in a photo a person would draw a line."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin  # noqa: F401 - diffusers looks for ModelMixin in this module
from diffusers.configuration_utils import register_to_config
from torch import nn

from dfd.models.base import Model
from dfd.models.blocks import BatchNorm

#: Pixels and lines are packed 4 x 4 into channels: a CPU is much faster at many channels than at many pixels.
PACK = 4


class LineExtractor(Model):
    """Photo -> logits of a line at each pixel: a small U-Net (Ronneberger et al. 2015) from a quarter of the side down.

    Args:
        widths: channels of the maps, each of half the side of the one before; the first has a quarter of the photo's.
    """

    @register_to_config
    def __init__(self, widths: Sequence[int] = (40, 56, 72, 72)):
        super().__init__()
        self.stem = nn.Sequential(nn.PixelUnshuffle(PACK), *_layer(3 * PACK**2, widths[0]))
        self.down = nn.ModuleList()
        self.up = nn.ModuleList()  # up[i] undoes down[i]
        for fine, coarse in pairwise(widths):
            self.down.append(nn.Sequential(*_layer(fine, coarse, stride=2), *_layer(coarse, coarse)))
            self.up.append(nn.Sequential(*_layer(fine + coarse, fine), *_layer(fine, fine)))
        self.head = nn.Sequential(nn.Conv2d(widths[0], PACK**2, 3, padding=1), nn.PixelShuffle(PACK))

    def forward(self, photo: torch.Tensor) -> torch.Tensor:
        """Photo N x 3 x H x W in [-1, 1] -> logits N x 1 x H x W; sides are multiples of `self.multiple`."""
        return self.head(self.features(photo)[-1])

    def features(self, photo: torch.Tensor) -> list[torch.Tensor]:
        """Photo as in `forward` -> the maps that its lines are drawn from, each of twice the side of the one before.

        The last, N x C x H/4 x W/4, says where in each 4 x 4 pixels a line runs, those before it roughly so.
        """
        maps = [self.stem(photo)]
        for layer in self.down:
            maps.append(layer(maps[-1]))
        found = [maps.pop()]
        for layer, skipped in zip(reversed(self.up), reversed(maps), strict=True):
            x = F.interpolate(found[-1], scale_factor=2, mode="nearest")
            found.append(layer(torch.cat([x, skipped], 1)))
        return found

    @property
    def multiple(self) -> int:
        """What a photo's sides must be multiples of."""
        return PACK * 2 ** len(self.down)


def _layer(before: int, width: int, stride: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(before, width, 3, stride, 1, bias=False), BatchNorm(width), nn.ReLU()]
