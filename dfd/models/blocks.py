"""Building blocks shared by the networks: normalisation, residual block, latent encoder and decoder."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


class BatchNorm(nn.BatchNorm2d):
    """Batch normalisation that keeps its precision when the model around it is converted.

    A running variance may be beyond fp16 (1,000,000 was measured, fp16 ends at 65,504): it would become infinite.
    """

    def _apply(self, fn, recurse=True):
        def keep_dtype(tensor: torch.Tensor) -> torch.Tensor:
            converted = fn(tensor)
            return converted if converted.dtype == tensor.dtype else tensor.to(converted.device)

        return super()._apply(keep_dtype, recurse)


def make_norm(kind: str, channels: int) -> nn.Module:
    """A normalisation layer: `batch` and `instance` as in the paper, `group` for small batches."""
    if kind == "batch":
        return BatchNorm(channels)
    if kind == "instance":
        return nn.InstanceNorm2d(channels, affine=True)
    if kind == "group":
        return nn.GroupNorm(max(g for g in (1, 2, 4, 8, 16) if channels % g == 0 and channels // g >= 4), channels)
    raise ValueError(f"unknown norm {kind!r}; accepted are batch, instance, group")


class ResidualBlock(nn.Module):
    """conv, norm, ReLU, conv, norm, plus the input; reflect padding (pix2pixHD's block)."""

    def __init__(self, channels: int, norm: str):
        super().__init__()
        self.body = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            make_norm(norm, channels),
            nn.ReLU(),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            make_norm(norm, channels),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x)


class LatentEncoder(nn.Sequential):
    """Encoding layers (conv, norm, LeakyReLU), a residual block after each, then linear to the latent.

    Args:
        size: side of the input in pixels.
        widths, strides: output channels and stride (2 or 1) of each encoding layer.
        latent_channels: channels that the last map is reduced to before the linear layer; 0 keeps them all,
            as the paper does (the linear layer is then by far the largest part).
    """

    def __init__(
        self,
        size: int,
        widths: Sequence[int],
        strides: Sequence[int],
        latent_dim: int,
        latent_channels: int = 0,
        norm: str = "batch",
    ):
        layers: list[nn.Module] = []
        channels = 1
        for width, stride in zip(widths, strides, strict=True):
            kernel = 4 if stride == 2 else 3
            layers += [
                nn.Conv2d(channels, width, kernel, stride, padding=1),
                make_norm(norm, width),
                nn.LeakyReLU(0.2),
                ResidualBlock(width, norm),
            ]
            channels = width
        if latent_channels:
            layers.append(nn.Conv2d(channels, latent_channels, 1))
            channels = latent_channels
        grid = latent_grid(size, strides)
        layers += [nn.Flatten(), nn.Linear(channels * grid * grid, latent_dim)]
        super().__init__(*layers)


class LatentDecoder(nn.Sequential):
    """Linear from the latent, a residual block, then decoding layers with a residual block after each.

    Args:
        grid: side of the map that the linear layer makes.
        widths: channels of that map, then of each decoding layer's output.
        strides: of the decoding layers: 2 doubles the side (transposed convolution), 1 keeps it.
        out_channels: of the last 5x5 convolution; there is no output activation.
        latent_channels: as for `LatentEncoder`.
    """

    def __init__(
        self,
        grid: int,
        widths: Sequence[int],
        strides: Sequence[int],
        latent_dim: int,
        out_channels: int,
        latent_channels: int = 0,
        norm: str = "batch",
    ):
        first = latent_channels or widths[0]
        layers: list[nn.Module] = [
            nn.Linear(latent_dim, first * grid * grid),
            nn.Unflatten(1, (first, grid, grid)),
        ]
        if latent_channels:
            layers.append(nn.Conv2d(latent_channels, widths[0], 1))
        layers.append(ResidualBlock(widths[0], norm))
        for channels, width, stride in zip(widths[:-1], widths[1:], strides, strict=True):
            up = (
                nn.ConvTranspose2d(channels, width, 4, stride=2, padding=1)
                if stride == 2
                else nn.Conv2d(channels, width, 3, padding=1)
            )
            layers += [up, make_norm(norm, width), nn.LeakyReLU(0.2), ResidualBlock(width, norm)]
        layers += [nn.ReflectionPad2d(2), nn.Conv2d(widths[-1], out_channels, 5)]
        super().__init__(*layers)


def latent_grid(size: int, strides: Sequence[int]) -> int:
    """Side of the smallest map for an input of `size` px. Raises ValueError if it does not come out whole."""
    factor = 1
    for stride in strides:
        factor *= stride
    if size % factor:
        raise ValueError(f"a side of {size} px cannot be halved by strides {tuple(strides)}")
    return size // factor
