"""Losses of stage II, each named after what it computes. A discriminator's output is a list over its scales of
lists that end with the logits and begin with the features to match, if it has any.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

Outputs = Sequence[Sequence[torch.Tensor]]


def hinge_discriminator(real: Outputs, fake: Outputs) -> torch.Tensor:
    """Hinge loss of the discriminator, averaged over its scales."""
    losses = [
        F.relu(1 - r[-1].float()).mean() + F.relu(1 + f[-1].float()).mean() for r, f in zip(real, fake, strict=True)
    ]
    return torch.stack(losses).mean()


def hinge_generator(fake: Outputs) -> torch.Tensor:
    """Hinge loss of the generator, averaged over the discriminator's scales."""
    return torch.stack([-f[-1].float().mean() for f in fake]).mean()


def least_squares_discriminator(real: Outputs, fake: Outputs) -> torch.Tensor:
    """Least-squares loss of the discriminator (pix2pixHD's default)."""
    losses = [
        (r[-1].float() - 1).square().mean() + f[-1].float().square().mean() for r, f in zip(real, fake, strict=True)
    ]
    return torch.stack(losses).mean()


def least_squares_generator(fake: Outputs) -> torch.Tensor:
    """Least-squares loss of the generator."""
    return torch.stack([(f[-1].float() - 1).square().mean() for f in fake]).mean()


ADVERSARIAL = {
    "hinge": (hinge_discriminator, hinge_generator),
    "least_squares": (least_squares_discriminator, least_squares_generator),
}


def feature_matching(real: Outputs, fake: Outputs) -> torch.Tensor:
    """L1 between the discriminator's features of true and made photos (the paper's perceptual term); 0 if none."""
    features = [[feature for scale in side for feature in scale[:-1]] for side in (real, fake)]
    return _mean_l1(*features) if features[1] else fake[0][-1].new_zeros(())


def perceptual(real: Sequence[torch.Tensor], fake: Sequence[torch.Tensor]) -> torch.Tensor:
    """Distance of unit-normalised ImageNet features: mean over pixels of the channel-summed difference, x 0.1."""
    distances = [
        (F.normalize(f.float(), dim=1) - F.normalize(r.float(), dim=1)).abs().sum(1).mean()
        for r, f in zip(real, fake, strict=True)
    ]
    return 0.1 * torch.stack(distances).sum()


def line_distance(real: Sequence[torch.Tensor], fake: Sequence[torch.Tensor]) -> torch.Tensor:
    """L1 between the maps that a line extractor draws from (`LineExtractor.features`), mean over its scales.

    Of lines themselves, in place of maps, a line beside the true one would have no way to it.
    """
    return _mean_l1(real, fake)


def gaussian_divergence(mean: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
    """KL divergence from the standard normal, summed over dimensions, mean over the batch."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean()


def _mean_l1(real: Sequence[torch.Tensor], fake: Sequence[torch.Tensor]) -> torch.Tensor:
    """L1 between maps of true and made photos, mean over the maps; only the made ones are moved by it."""
    return torch.stack([F.l1_loss(f.float(), r.detach().float()) for r, f in zip(real, fake, strict=True)]).mean()
