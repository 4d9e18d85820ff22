"""Fidelity: how near a picture is to the true photo, and the features that realism is judged by."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from skimage.metrics import structural_similarity

from dfd.training.lite0 import Lite0Features
from dfd.training.losses import perceptual

#: Top left corner (y, x) and side of what is compared at full size: eyes, nose and mouth.
FACE = (144, 128, 256)


class PictureFeatures:
    """Frozen ImageNet features of pictures: the perceptual distance, and one pooled vector each for realism.

    Raises:
        ImportError: the extra packages are missing.
    """

    def __init__(self):
        self.network = Lite0Features().to(memory_format=torch.channels_last)

    @torch.no_grad()
    def __call__(self, pictures: np.ndarray) -> list[list[torch.Tensor]]:
        """Features at strides 2 to 32 of two views: the whole picture halved, and the face at full size.

        Args:
            pictures: uint8 N x 512 x 512 x 3.
        """
        y, x, side = FACE
        values = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
        views = F.avg_pool2d(values, 2), values[..., y : y + side, x : x + side]
        return [self.network(view.contiguous(memory_format=torch.channels_last)) for view in views]

    @staticmethod
    def distances(real: list[list[torch.Tensor]], made: list[list[torch.Tensor]]) -> np.ndarray:
        """float64 N: perceptual distance of each pair, the mean of both views, up to stride 16, as in training."""
        count = len(real[0][0])
        return np.array(
            [
                np.mean(
                    [
                        float(perceptual([f[i : i + 1] for f in r[:4]], [f[i : i + 1] for f in m[:4]]))
                        for r, m in zip(real, made, strict=True)
                    ]
                )
                for i in range(count)
            ]
        )

    @staticmethod
    def pooled(features: list[list[torch.Tensor]]) -> np.ndarray:
        """float64 N x 320: the halved picture's features at stride 32, averaged over places."""
        return features[0][-1].mean((2, 3)).double().numpy()


def psnr(made: np.ndarray, photo: np.ndarray) -> float:
    """Peak signal to noise ratio in dB of two uint8 pictures; infinite if they are equal."""
    error = np.mean((made.astype(np.float64) - photo) ** 2)
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def ssim(made: np.ndarray, photo: np.ndarray) -> float:
    """Structural similarity (Wang et al. 2004) of the luma of two uint8 H x W x 3 pictures: 1 if they are equal."""
    grey = [picture @ np.array([0.299, 0.587, 0.114]) for picture in (made, photo)]
    return float(
        structural_similarity(*grey, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False)
    )
