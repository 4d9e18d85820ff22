"""Which precision this machine synthesises fastest in: measured, where the processor computes in both.

On two cores with avx512_bf16, bfloat16 takes 0.74 of float32's time for a face and 0.62 for a shadow
(`docs/benchmark.md`), and changes a pixel of a face by 0.2 of 255 on average, by 3 at most. Processors without such
instructions have to imitate it.
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


def computes_in_bfloat16(device: torch.device | str = "cpu") -> bool:
    """Whether a device has instructions for bfloat16.

    Without them it is imitated: with avx512 at a fifth of float32's speed (55 and 250 GFLOP/s on two cores), with avx2
    at a twentieth to a three-hundredth, so that already to measure it takes long.

    Args:
        device: a CUDA device or the processor. Only of x86 processors is it known that PyTorch makes use of such
            instructions: of others the answer is no.
    """
    if torch.device(device).type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    able = torch.cpu.get_capabilities()
    return any(able.get(name, False) for name in ("avx512_bf16", "amx_bf16"))


def use_fastest_precision(pipeline: DeepFaceDrawingPipeline) -> torch.dtype:
    """Puts what makes pictures out of codes into float32 or bfloat16, whichever is faster here.

    That is `feature_mapping`, `image_synthesis` and the auto-encoders' decoders. Only the first is timed: the others
    have the same kinds of layers. Encoders and manifold stay as they are: they take little time, and decide which
    samples are near. Where bfloat16 would be imitated nothing is timed, and float32 stays.

    Args:
        pipeline: in float32, on the CPU; changed in place.

    Returns:
        The precision chosen.
    """
    if not computes_in_bfloat16():
        return torch.float32
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
