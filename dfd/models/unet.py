"""The U-Net of pix2pix (Isola et al. 2017): the baseline that goes from drawing to photo with no components."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from diffusers import ConfigMixin, ModelMixin  # noqa: F401 - diffusers looks for ModelMixin in this module
from diffusers.configuration_utils import register_to_config
from torch import nn

from dfd.models.base import Model

#: Widths by preset. `paper` has the published ones (48 GFLOP at 512 px, 54 M parameters); `compact` costs what
#: FM and IS of the preset of that name cost (27 GFLOP, 31 M parameters; counted).
WIDTHS = {
    "paper": (64, 128, 256, 512, 512, 512, 512, 512),
    "compact": (48, 96, 192, 384, 384, 384, 384, 384),
    "tiny": (8, 8, 8, 8, 8, 8),
}


class UNet(Model):
    """Drawing -> photo: an encoder of strided convolutions, a decoder with skip connections at every scale.

    Dropout, which the authors keep on at inference for variety, is on in training only, and BatchNorm uses its
    running statistics: the same drawing gives the same picture.

    Args:
        widths: channels of the encoder's maps; each has half the side of the one before.
    """

    @register_to_config
    def __init__(self, widths: Sequence[int] = WIDTHS["compact"]):
        super().__init__()
        last = len(widths) - 1
        self.down = nn.ModuleList()
        self.up = nn.ModuleList()  # up[i] undoes down[i]
        for i, width in enumerate(widths):
            before = widths[i - 1] if i else 1
            layers: list[nn.Module] = [nn.LeakyReLU(0.2)] if i else []
            layers.append(nn.Conv2d(before, width, 4, 2, 1, bias=i in (0, last)))
            if i not in (0, last):
                layers.append(nn.BatchNorm2d(width))
            self.down.append(nn.Sequential(*layers))

            inside = width if i == last else 2 * width  # what comes from below, and the skip connection
            conv = nn.ConvTranspose2d(inside, before if i else 3, 4, 2, 1, bias=i == 0)
            layers = [nn.ReLU(), conv, nn.Tanh() if i == 0 else nn.BatchNorm2d(before)]
            if last - 3 <= i < last and i:
                layers.append(nn.Dropout(0.5))
            self.up.append(nn.Sequential(*layers))

    def forward(self, sketch: torch.Tensor) -> torch.Tensor:
        """Sketch N x 1 x s x s, ink in [0, 1] -> photo N x 3 x s x s in [-1, 1]; s a multiple of 2^len(widths)."""
        skips = [sketch]
        for layer in self.down:
            skips.append(layer(skips[-1]))
        x = skips.pop()
        for i, layer in reversed(list(enumerate(self.up))):
            x = layer(x)
            if i:
                x = torch.cat([x, skips[i]], 1)
        return x
