"""Image Synthesis: the conditional generator that turns the feature map into a photo (paper, section 3.3)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin  # noqa: F401 - diffusers looks for ModelMixin in this module
from diffusers.configuration_utils import register_to_config
from torch import nn

from dfd.models.base import Model
from dfd.models.blocks import ResidualBlock, make_norm

STYLE_DIM = 64


class ImageSynthesis(Model):
    """Feature map -> RGB photo.

    Args:
        architecture: `global` is pix2pixHD's global generator, as in the paper: map and photo have one size.
            `compact` is a U-Net whose output has four times the map's side.
        in_channels: of the feature map.
        widths: channels at each resolution, from the map's down; each is half the side of the one before.
        middle_blocks: residual blocks at the smallest resolution.
        upsample_width: channels of the compact generator's stage between map and photo size.
        appearance_dim: length of the appearance code (skin, hair, light: what a drawing does not say) that
            modulates the compact generator's residual blocks; 0 gives a generator without it, as in the paper.
    """

    @register_to_config
    def __init__(
        self,
        architecture: str = "global",
        in_channels: int = 32,
        widths: tuple[int, ...] = (56, 112, 224, 448, 896),
        middle_blocks: int = 9,
        upsample_width: int = 24,
        appearance_dim: int = 0,
    ):
        super().__init__()
        if architecture == "global":
            if appearance_dim:
                raise ValueError("the global generator takes no appearance code; set appearance_dim to 0")
            self.generator = GlobalGenerator(in_channels, widths, middle_blocks)
        elif architecture == "compact":
            self.generator = CompactGenerator(in_channels, widths, middle_blocks, upsample_width, appearance_dim)
        else:
            raise ValueError(f"unknown architecture {architecture!r}; accepted are global, compact")

    def forward(self, feature_map: torch.Tensor, appearance: torch.Tensor | None = None) -> torch.Tensor:
        """Map N x in_channels x s x s and appearance N x appearance_dim (None: the mean) -> photo N x 3 x S x S.

        Values are in [-1, 1]; the compact generator is not clamped, so that training keeps its gradient.
        """
        return self.generator(feature_map, self._appearance(feature_map, appearance))[0]

    def with_preview(self, feature_map: torch.Tensor, appearance: torch.Tensor | None = None):
        """As `forward`, and the low-resolution RGB head's picture at the map's size (None if `global`)."""
        return self.generator(feature_map, self._appearance(feature_map, appearance))

    def _appearance(self, feature_map: torch.Tensor, appearance: torch.Tensor | None) -> torch.Tensor | None:
        dim = self.config.appearance_dim
        if appearance is None:
            return feature_map.new_zeros(len(feature_map), dim) if dim else None
        if appearance.shape != (len(feature_map), dim):
            expected = f"{len(feature_map)} x {dim}"
            raise ValueError(f"expected an appearance code of shape {expected}, got {tuple(appearance.shape)}")
        return appearance


class GlobalGenerator(nn.Sequential):
    """pix2pixHD's global generator: 7x7 in, strided convs down, residual blocks, transposed convs up, 7x7 out."""

    def __init__(self, in_channels: int, widths: Sequence[int], middle_blocks: int):
        layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(in_channels, widths[0], 7)]
        layers += [make_norm("instance", widths[0]), nn.ReLU()]
        for width, wider in pairwise(widths):
            layers += [
                nn.Conv2d(width, wider, 3, stride=2, padding=1),
                make_norm("instance", wider),
                nn.ReLU(),
            ]
        layers += [ResidualBlock(widths[-1], "instance") for _ in range(middle_blocks)]
        for wider, width in zip(widths[:0:-1], widths[-2::-1], strict=True):
            layers += [nn.ConvTranspose2d(wider, width, 3, stride=2, padding=1, output_padding=1)]
            layers += [make_norm("instance", width), nn.ReLU()]
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(widths[0], 3, 7), nn.Tanh()]
        super().__init__(*layers)

    def forward(self, x: torch.Tensor, appearance: None = None) -> tuple[torch.Tensor, None]:
        return super().forward(x), None


class ModulatedBlock(nn.Module):
    """norm, SiLU, conv, norm, scale and shift from the style, SiLU, conv (zero at first), plus the input."""

    def __init__(self, channels: int, styled: bool):
        super().__init__()
        self.norm1, self.norm2 = make_norm("group", channels), make_norm("group", channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)
        self.style = nn.Linear(STYLE_DIM, 2 * channels) if styled else None

    def forward(self, x: torch.Tensor, style: torch.Tensor | None) -> torch.Tensor:
        h = self.norm2(self.conv1(F.silu(self.norm1(x))))
        if self.style is not None:
            scale, shift = self.style(style)[..., None, None].chunk(2, dim=1)
            h = h * (1 + scale) + shift
        return x + self.conv2(F.silu(h))


class CompactGenerator(nn.Module):
    """A U-Net at the map's size and below, then two light stages up to four times the map's side.

    The photo is the sum of a pixel-shuffled residual and the enlarged picture of an RGB head on the map-size
    features; the head alone learns colours and shapes within the first minutes of training (measured).
    """

    def __init__(
        self,
        in_channels: int,
        widths: Sequence[int],
        middle_blocks: int,
        upsample_width: int,
        appearance_dim: int,
    ):
        super().__init__()
        styled = appearance_dim > 0
        self.mapping = (
            nn.Sequential(nn.Linear(appearance_dim, STYLE_DIM), nn.SiLU(), nn.Linear(STYLE_DIM, STYLE_DIM), nn.SiLU())
            if styled
            else None
        )
        self.stem = nn.Conv2d(in_channels, widths[0], 3, padding=1)
        steps = list(pairwise(widths))
        self.encoder = nn.ModuleList(ModulatedBlock(w, styled) for w in widths[:-1])
        self.down = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in steps)
        self.middle = nn.ModuleList(ModulatedBlock(widths[-1], styled) for _ in range(middle_blocks))
        self.up = nn.ModuleList(nn.Conv2d(b, a, 3, padding=1) for a, b in reversed(steps))
        self.decoder = nn.ModuleList(ModulatedBlock(w, styled) for w in reversed(widths[:-1]))
        self.to_rgb = nn.Conv2d(widths[0], 3, 1)
        self.upsample = nn.Conv2d(widths[0], upsample_width, 3, padding=1)
        self.upsample_block = ModulatedBlock(upsample_width, styled)
        self.to_detail = nn.Sequential(
            make_norm("group", upsample_width),
            nn.SiLU(),
            nn.Conv2d(upsample_width, 12, 3, padding=1),
            nn.PixelShuffle(2),
        )

    def forward(self, x: torch.Tensor, appearance: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        style = self.mapping(appearance) if self.mapping is not None else None
        x = self.stem(x)
        skips = []
        for block, down in zip(self.encoder, self.down, strict=True):
            x = block(x, style)
            skips.append(x)
            x = down(x)
        for block in self.middle:
            x = block(x, style)
        for up, block in zip(self.up, self.decoder, strict=True):
            x = up(F.interpolate(x, scale_factor=2, mode="nearest")) + skips.pop()
            x = block(x, style)
        preview = self.to_rgb(x)
        x = self.upsample_block(self.upsample(F.interpolate(x, scale_factor=2, mode="nearest")), style)
        enlarged = F.interpolate(preview, scale_factor=4, mode="bilinear", align_corners=False)
        return enlarged + self.to_detail(x), preview
