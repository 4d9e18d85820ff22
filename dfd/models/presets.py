"""The presets: `paper` (the official numbers), `compact` (trained and shipped) and `tiny` (for tests).

All networks are the same classes; a preset is nothing but their configs.
"""

from __future__ import annotations

from collections.abc import Mapping

from diffusers import ModelMixin

from dfd.components import COMPONENTS, Layout, Window
from dfd.models.appearance import AppearanceEncoder
from dfd.models.autoencoder import ComponentAutoencoder
from dfd.models.feature_mapping import FeatureMapping
from dfd.models.image_synthesis import ImageSynthesis

PRESETS = ("paper", "compact", "tiny")

_PAPER_PART = {
    "pool": 1,
    "widths": (32, 64, 128, 256, 512),
    "strides": (2, 2, 2, 2, 2),
    "decoder_widths": (512, 256, 128, 64, 32, 32),
    "latent_channels": 0,
}
# Crops are pooled first (eyes 128 -> 64 px, remainder 512 -> 128 px) and the last layer keeps its side, so every
# part still has five layers and ends at a sixteenth of its pooled side.
_COMPACT_PART = {
    "pool": 2,
    "widths": (32, 48, 64, 96, 128),
    "strides": (2, 2, 2, 2, 1),
    "decoder_widths": (128, 96, 80, 64, 48, 32),
    "latent_channels": 32,
}
_TINY_PART = {
    "pool": 2,
    "widths": (8, 8, 16, 16, 32),
    "strides": (2, 2, 2, 2, 1),
    "decoder_widths": (32, 32, 16, 16, 8, 8),
    "latent_channels": 8,
}
_AUTOENCODERS = {
    "paper": {"part": _PAPER_PART, "remainder": _PAPER_PART},
    "compact": {
        "part": _COMPACT_PART,
        "remainder": {
            **_COMPACT_PART,
            "pool": 4,
            "widths": (32, 64, 96, 128, 160),
            "decoder_widths": (160, 128, 112, 96, 64, 32),
            "latent_channels": 48,
        },
    },
    "tiny": {"part": _TINY_PART, "remainder": {**_TINY_PART, "pool": 8}},
}

_FEATURE_MAPPING = {
    "paper": {},
    # Maps of a quarter of the canvas; the generator enlarges.
    "compact": {
        "map_scale": 4,
        "widths": (192, 128, 96, 48),
        "remainder_widths": (256, 192, 128, 96, 48),
        "latent_channels": 32,
        "norm": "group",
    },
    "tiny": {
        "map_scale": 4,
        "widths": (16, 8, 8, 8),
        "remainder_widths": (16, 8, 8, 8, 8),
        "latent_channels": 8,
        "norm": "group",
    },
}
_IMAGE_SYNTHESIS = {
    "paper": {},
    "compact": {
        "architecture": "compact",
        "widths": (40, 80, 160, 320),
        "middle_blocks": 4,
        "upsample_width": 24,
        "appearance_dim": 16,
    },
    "tiny": {
        "architecture": "compact",
        "widths": (8, 8, 16, 16),
        "middle_blocks": 1,
        "upsample_width": 8,
        "appearance_dim": 4,
    },
}


def build(
    preset: str, latent_dim: int = 512, windows: Mapping[str, Window | tuple[int, int, int]] | None = None
) -> dict[str, ModelMixin]:
    """Builds every network of a preset with random weights.

    Args:
        preset: `paper`, `compact` or `tiny`.
        latent_dim: length of each component's code; 128, 256 or 512 in the paper.
        windows: see `Layout`.

    Returns:
        `left_eye_autoencoder`, …, `remainder_autoencoder`, `feature_mapping`, `image_synthesis` and, if the
        preset has an appearance code, `appearance_encoder`.
    """
    if preset not in PRESETS:
        raise ValueError(f"unknown preset {preset!r}; accepted are {', '.join(PRESETS)}")
    layout = Layout(windows)
    models: dict[str, ModelMixin] = {}
    for component in COMPONENTS:
        kind = "remainder" if component == "remainder" else "part"
        models[f"{component}_autoencoder"] = ComponentAutoencoder(
            window_size=layout.size(component), latent_dim=latent_dim, **_AUTOENCODERS[preset][kind]
        )
    models["feature_mapping"] = FeatureMapping(windows=layout.boxes, latent_dim=latent_dim, **_FEATURE_MAPPING[preset])
    models["image_synthesis"] = ImageSynthesis(**_IMAGE_SYNTHESIS[preset])
    if appearance_dim := models["image_synthesis"].config.appearance_dim:
        models["appearance_encoder"] = AppearanceEncoder(appearance_dim)
    return models
