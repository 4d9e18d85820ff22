"""Discriminators of stage II. Training only: they are neither shipped nor saved as part of a pipeline."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm


class MultiScaleDiscriminator(nn.Module):
    """pix2pixHD's patch discriminators, one for each scale of the picture, conditioned on the sketch (paper).

    Args:
        scales: number of discriminators; each sees half the side of the one before.
        layers: strided layers of each.
        width: channels of the first layer, doubled by each following one up to 512.
    """

    def __init__(self, scales: int = 2, layers: int = 3, width: int = 64):
        super().__init__()
        self.discriminators = nn.ModuleList(self._patch(layers, width) for _ in range(scales))

    @staticmethod
    def _patch(layers: int, width: int) -> nn.ModuleList:
        stages = [nn.Sequential(nn.Conv2d(4, width, 4, 2, 2), nn.LeakyReLU(0.2))]
        for i in range(1, layers + 1):
            wider = min(2 * width, 512)
            conv = nn.Conv2d(width, wider, 4, 2 if i < layers else 1, 2)
            stages.append(nn.Sequential(conv, nn.InstanceNorm2d(wider), nn.LeakyReLU(0.2)))
            width = wider
        stages.append(nn.Conv2d(width, 1, 4, 1, 2))
        return nn.ModuleList(stages)

    def forward(self, photo: torch.Tensor, sketch: torch.Tensor) -> list[list[torch.Tensor]]:
        """Photo N x 3 x s x s in [-1, 1] and sketch N x 1 x s x s -> for each scale: features, then logits last."""
        x = torch.cat([photo, sketch], 1)
        results = []
        for discriminator in self.discriminators:
            outputs = [x]
            for stage in discriminator:
                outputs.append(stage(outputs[-1]))
            results.append(outputs[1:])
            x = F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
        return results


class ProjectedDiscriminator(nn.Module):
    """Small heads on frozen ImageNet features (Projected GAN), one for each stride, conditioned on the sketch.

    Args:
        channels: of the features, finest first.
        width: channels within a head.
    """

    def __init__(self, channels: Sequence[int], width: int = 128):
        super().__init__()
        self.heads = nn.ModuleList(self._head(c, width) for c in channels)

    @staticmethod
    def _head(channels: int, width: int) -> nn.Sequential:
        act = nn.LeakyReLU(0.2)
        return nn.Sequential(
            *(spectral_norm(nn.Conv2d(channels + 1, width, 1)), act),
            *(spectral_norm(nn.Conv2d(width, width, 3, padding=1)), act),
            *(spectral_norm(nn.Conv2d(width, width, 3, padding=1)), act),
            spectral_norm(nn.Conv2d(width, 1, 1)),
        )

    def forward(self, features: Sequence[torch.Tensor], sketch: torch.Tensor) -> list[list[torch.Tensor]]:
        """Features of a picture and its sketch N x 1 x s x s -> for each head a list of its logits alone."""
        results = []
        for feature, head in zip(features, self.heads, strict=True):
            condition = F.adaptive_avg_pool2d(sketch, feature.shape[-2:]).to(feature)
            results.append([head(torch.cat([feature, condition], 1))])
        return results
