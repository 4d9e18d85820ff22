"""Which precision this machine synthesises fastest in: measured, since it depends on the processor.

On two cores with avx512_bf16, bfloat16 takes 0.6 of float32's time, and changes a pixel by 0.2 of 255 on average, by 3
at most; processors without such instructions can be slower with it.
"""

from __future__ import annotations

import time
from copy import deepcopy

import torch
from torch import nn

from dfd.components import COMPONENTS
from dfd.pipeline import DeepFaceDrawingPipeline

#: bfloat16 must save at least so much of float32's time to be worth a change.
WORTH = 0.9

_ROUNDS = 2


def use_fastest_precision(pipeline: DeepFaceDrawingPipeline) -> torch.dtype:
    """Puts `feature_mapping` and `image_synthesis` into float32 or bfloat16, whichever is faster here.

    Makes six pictures to find out. Encoders and manifold stay as they are: they take little time.

    Args:
        pipeline: in float32, on the CPU; changed in place.

    Returns:
        The precision chosen.
    """
    exact = {name: getattr(pipeline, name) for name in ("feature_mapping", "image_synthesis")}
    # Copies, since weights that were once bfloat16 do not become exact again.
    rounded = {name: nn.Module.to(deepcopy(model), torch.bfloat16) for name, model in exact.items()}
    exact_seconds = _seconds(pipeline)
    pipeline.register_modules(**rounded)
    if _seconds(pipeline) < WORTH * exact_seconds:
        return torch.bfloat16
    pipeline.register_modules(**exact)
    return torch.float32


def _seconds(pipeline: DeepFaceDrawingPipeline) -> float:
    """Of the fastest synthesis, after one to warm up."""
    latents = {name: torch.zeros(1, pipeline.feature_mapping.config.latent_dim) for name in COMPONENTS}
    times = []
    for _ in range(1 + _ROUNDS):
        start = time.perf_counter()
        pipeline.synthesize(latents)
        times.append(time.perf_counter() - start)
    return min(times[1:])
