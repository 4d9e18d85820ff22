"""Losses of stage II, against values worked out by hand."""

import math

import pytest
import torch

from dfd.training.losses import (
    ADVERSARIAL,
    feature_matching,
    gaussian_divergence,
    hinge_discriminator,
    hinge_generator,
    least_squares_discriminator,
    least_squares_generator,
    line_distance,
    perceptual,
)

# Two scales: a feature (not to be looked at by the adversarial losses), then logits, of different sizes.
REAL = [[torch.tensor([9.0]), torch.tensor([2.0, 0.0])], [torch.tensor([9.0]), torch.tensor([-1.0])]]
FAKE = [[torch.tensor([5.0]), torch.tensor([-2.0, 1.0])], [torch.tensor([6.0]), torch.tensor([0.5])]]


def test_hinge():
    # Scale 1: mean(0, 1) + mean(0, 2); scale 2: 2 + 1.5.
    assert hinge_discriminator(REAL, FAKE) == pytest.approx((0.5 + 1 + 2 + 1.5) / 2)
    assert hinge_generator(FAKE) == pytest.approx((0.5 - 0.5) / 2)
    assert hinge_generator(REAL) == pytest.approx((-1 + 1) / 2)
    assert hinge_generator(REAL[:1]) == -1


def test_least_squares():
    # Scale 1: mean(1, 1) + mean(4, 1); scale 2: 4 + 0.25.
    assert least_squares_discriminator(REAL, FAKE) == pytest.approx((1 + 2.5 + 4 + 0.25) / 2)
    # Scale 1: mean(9, 0); scale 2: 0.25.
    assert least_squares_generator(FAKE) == pytest.approx((4.5 + 0.25) / 2)


@pytest.mark.parametrize("name", ["hinge", "least_squares"])
def test_a_perfect_discriminator_loses_nothing_and_the_generator_gains_by_deceiving_it(name):
    discriminator, generator = ADVERSARIAL[name]
    fake_target = -1.0 if name == "hinge" else 0.0
    real, fake = [[torch.ones(4)]], [[torch.full((4,), fake_target)]]
    assert discriminator(real, fake) == 0
    assert discriminator(fake, real) > 1
    assert generator(real) < generator(fake)


def test_adversarial_names_and_scales():
    assert set(ADVERSARIAL) == {"hinge", "least_squares"}
    for discriminator, _ in ADVERSARIAL.values():
        with pytest.raises(ValueError):
            discriminator(REAL, FAKE[:1])


def test_feature_matching_compares_all_but_the_logits():
    assert feature_matching(REAL, FAKE) == pytest.approx((4 + 3) / 2)
    assert feature_matching([x[-1:] for x in REAL], [x[-1:] for x in FAKE]) == 0


def test_feature_matching_moves_the_fake_only():
    real, fake = torch.ones(3, requires_grad=True), torch.zeros(3, requires_grad=True)
    feature_matching([[real, real]], [[fake, fake]]).backward()
    assert real.grad is None
    assert torch.allclose(fake.grad, torch.full((3,), -1 / 3))


def test_perceptual():
    a = torch.tensor([3.0, 0.0])[None, :, None, None].expand(2, 2, 4, 4)
    b = torch.tensor([0.0, 7.0])[None, :, None, None].expand(2, 2, 4, 4)
    assert perceptual([a], [a]) == 0
    assert perceptual([a], [5 * a]) == pytest.approx(0, abs=1e-6), "features are unit-normalised"
    assert perceptual([a], [b]) == pytest.approx(0.1 * 2)
    assert perceptual([a, a, a], [b, a, b]) == pytest.approx(0.1 * 4), "a sum over layers"
    half = torch.cat([a[..., :2], b[..., :2]], -1)
    assert perceptual([a], [half]) == pytest.approx(0.1), "a mean over pixels"


def test_line_distance_is_a_mean_over_scales():
    fine, coarse = torch.zeros(2, 3, 8, 8), torch.ones(2, 3, 4, 4)
    assert line_distance([coarse, fine], [coarse, fine]) == 0
    assert line_distance([coarse, fine], [coarse + 1, fine - 3]) == pytest.approx(2)


def test_gaussian_divergence():
    zero = torch.zeros(2, 3)
    assert gaussian_divergence(zero, zero) == 0
    mean = torch.tensor([[1.0, 2.0, 0.0], [0.0, 0.0, 0.0]])
    assert gaussian_divergence(mean, zero) == pytest.approx(2.5 / 2), "summed over dimensions, mean over the batch"
    log_variance = torch.full((2, 3), math.log(4))
    assert gaussian_divergence(zero, log_variance) == pytest.approx(3 * 0.5 * (4 - 1 - math.log(4)))


def test_losses_of_half_precision_outputs_are_float32():
    real = [[x.bfloat16() for x in scale] for scale in REAL]
    fake = [[x.bfloat16() for x in scale] for scale in FAKE]
    for discriminator, generator in ADVERSARIAL.values():
        assert discriminator(real, fake).dtype == generator(fake).dtype == torch.float32
    assert feature_matching(real, fake).dtype == torch.float32
