"""Feature Mapping: five decoders turn codes into maps, merged by place (paper, section 3.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from diffusers import ConfigMixin, ModelMixin  # noqa: F401 - diffusers looks for ModelMixin in this module
from diffusers.configuration_utils import register_to_config
from torch import nn

from dfd.components import COMPONENTS, Layout
from dfd.models.base import Model
from dfd.models.blocks import LatentDecoder, latent_grid


class FeatureMapping(Model):
    """Codes of the five components -> one feature map of the canvas.

    Codes are standardised by mean and spread of the training codes with which its training began, which this model
    keeps (`set_statistics`): fed raw, they made training diverge or crawl (measured). Callers handle raw codes only.

    Args:
        windows: part -> (x, y, size) in canvas pixels; None takes the official windows.
        map_scale: canvas pixels for each pixel of the map, 1 in the paper.
        widths, remainder_widths: channels of a decoder's first map and of each doubling after it.
        out_channels: channels of the merged map, 32 in the paper.
        latent_dim, latent_channels, norm: see `ComponentAutoencoder`.
    """

    @register_to_config
    def __init__(
        self,
        windows: dict[str, tuple[int, int, int]] | None = None,
        map_scale: int = 1,
        widths: tuple[int, ...] = (512, 256, 256, 128, 64, 64),
        remainder_widths: tuple[int, ...] = (512, 256, 256, 128, 64, 64),
        out_channels: int = 32,
        latent_dim: int = 512,
        latent_channels: int = 0,
        norm: str = "batch",
    ):
        super().__init__()
        self.layout = Layout(windows)
        self.decoders = nn.ModuleDict()
        for component in COMPONENTS:
            channels = remainder_widths if component == "remainder" else widths
            strides = (2,) * (len(channels) - 1)
            grid = latent_grid(self.layout.size(component) // map_scale, strides)
            self.decoders[component] = LatentDecoder(
                grid, channels, strides, latent_dim, out_channels, latent_channels, norm
            )
        self.register_buffer("latent_mean", torch.zeros(len(COMPONENTS), latent_dim))
        self.register_buffer("latent_std", torch.ones(len(COMPONENTS), latent_dim))

    @torch.no_grad()
    def set_statistics(self, latents: Mapping[str, torch.Tensor]) -> None:
        """Takes mean and standard deviation from training codes: component -> N x latent_dim, N at least 2."""
        for i, component in enumerate(COMPONENTS):
            codes = latents[component].float()
            self.latent_mean[i] = codes.mean(0)
            self.latent_std[i] = codes.std(0).clamp(min=1e-4)

    def decode(self, component: str, latents: torch.Tensor) -> torch.Tensor:
        """Raw codes of one component, N x latent_dim  ->  its map N x out_channels x s x s, s = size / map_scale."""
        i = COMPONENTS.index(component)
        return self.decoders[component]((latents - self.latent_mean[i]) / self.latent_std[i])

    def forward(
        self,
        latents: Mapping[str, torch.Tensor],
        decode: Callable[[str, torch.Tensor], torch.Tensor] | None = None,
    ) -> torch.Tensor:
        """Raw codes, component -> N x latent_dim  ->  map N x out_channels x s x s, s = 512 / map_scale.

        `decode` stands in for the method of that name, such as one that remembers its maps.
        """
        decode = decode or self.decode
        return self.layout.merge({component: decode(component, latents[component]) for component in COMPONENTS})
