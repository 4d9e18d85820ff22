"""Which precision this machine synthesises fastest in: measured, since it depends on the processor.

On two cores with avx512_bf16, bfloat16 takes 0.6 of float32's time for a face and 0.4 for a shadow, and changes a pixel
of a face by 0.2 of 255 on average, by 3 at most; processors without such instructions can be slower with it.
"""

from __future__ import annotations

import time
from copy import deepcopy

import torch
from torch import nn

from dfd.components import COMPONENTS
from dfd.models import FeatureMapping
from dfd.pipeline import DeepFaceDrawingPipeline

#: bfloat16 must save at least so much of float32's time to be worth a change.
WORTH = 0.9

_ROUNDS = 2


def use_fastest_precision(pipeline: DeepFaceDrawingPipeline) -> torch.dtype:
    """Puts what makes pictures out of codes into float32 or bfloat16, whichever is faster here.

    That is `feature_mapping`, `image_synthesis` and the auto-encoders' decoders. Only the first is timed: the others
    have the same kinds of layers. Encoders and manifold stay as they are: they take little time, and decide which
    samples are near.

    Args:
        pipeline: in float32, on the CPU; changed in place.

    Returns:
        The precision chosen.
    """
    owners = [(pipeline, "feature_mapping"), (pipeline, "image_synthesis")]
    owners += [(autoencoder, "decoder") for autoencoder in pipeline.autoencoders.values()]
    exact = [getattr(owner, name) for owner, name in owners]
    exact_seconds = _seconds(pipeline.feature_mapping)
    for (owner, name), model in zip(owners, exact, strict=True):
        # A copy, since weights that were once bfloat16 do not become exact again.
        setattr(owner, name, nn.Module.to(deepcopy(model), torch.bfloat16))
    if _seconds(pipeline.feature_mapping) < WORTH * exact_seconds:
        return torch.bfloat16
    for (owner, name), model in zip(owners, exact, strict=True):
        setattr(owner, name, model)
    return torch.float32


@torch.no_grad()
def _seconds(feature_mapping: FeatureMapping) -> float:
    """Of the fastest run, after one to warm up."""
    codes = torch.zeros(1, feature_mapping.config.latent_dim, dtype=feature_mapping.dtype)
    times = []
    for _ in range(1 + _ROUNDS):
        start = time.perf_counter()
        feature_mapping(dict.fromkeys(COMPONENTS, codes))
        times.append(time.perf_counter() - start)
    return min(times[1:])
