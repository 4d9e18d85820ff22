"""Component Embedding: one auto-encoder for each face component (paper, section 3.1)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin  # noqa: F401 - diffusers looks for ModelMixin in this module
from diffusers.configuration_utils import register_to_config

from dfd.models.base import Model
from dfd.models.blocks import LatentDecoder, LatentEncoder, latent_grid


class ComponentAutoencoder(Model):
    """Auto-encoder of one component's sketch: five encoding and five decoding layers around a latent code.

    Args:
        window_size: side of the component's crop in canvas pixels.
        pool: crops are average-pooled by this factor first; reconstructions have that reduced side.
        widths, strides: of the five encoding layers.
        decoder_widths: channels of the decoder's first map and of its five decoding layers.
        latent_dim: length of the code; the paper tried 128, 256 and 512 and chose 512.
        latent_channels: see `LatentEncoder`; 0 as in the paper.
        norm: `batch` as in the paper, or `group`.
    """

    @register_to_config
    def __init__(
        self,
        window_size: int = 128,
        pool: int = 1,
        widths: tuple[int, ...] = (32, 64, 128, 256, 512),
        strides: tuple[int, ...] = (2, 2, 2, 2, 2),
        decoder_widths: tuple[int, ...] = (512, 256, 128, 64, 32, 32),
        latent_dim: int = 512,
        latent_channels: int = 0,
        norm: str = "batch",
    ):
        super().__init__()
        if window_size % pool:
            raise ValueError(f"window_size {window_size} is not a multiple of pool {pool}")
        size = window_size // pool
        grid = latent_grid(size, strides)
        self.encoder = LatentEncoder(size, widths, strides, latent_dim, latent_channels, norm)
        self.decoder = LatentDecoder(grid, decoder_widths, strides[::-1], latent_dim, 1, latent_channels, norm)

    def reduce(self, crop: torch.Tensor) -> torch.Tensor:
        """Average-pools a crop N x 1 x window x window to the side that the networks work at."""
        return F.avg_pool2d(crop, self.config.pool) if self.config.pool > 1 else crop

    def encode(self, crop: torch.Tensor) -> torch.Tensor:
        """Crop N x 1 x window x window, ink in [0, 1] -> latent N x latent_dim."""
        side = self.config.window_size
        if crop.ndim != 4 or crop.shape[1:] != (1, side, side):
            raise ValueError(f"expected crops of shape N x 1 x {side} x {side}, got {tuple(crop.shape)}")
        return self.encoder(self.reduce(crop))

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        """Latent N x latent_dim -> reconstruction N x 1 x s x s with s = window / pool; ink, not clamped.

        In the decoder's precision, which `dfd.precision` may have made another than the encoder's.
        """
        return self.decoder(latent.to(next(self.decoder.parameters()).dtype))

    def forward(self, crop: torch.Tensor) -> torch.Tensor:
        """Crop -> its reconstruction: `decode(encode(crop))`."""
        return self.decode(self.encode(crop))
