"""The appearance encoder."""

import pytest
import torch

from dfd.models import AppearanceEncoder


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return AppearanceEncoder(appearance_dim=5).eval()


@torch.no_grad()
def test_a_photo_of_any_side_gives_a_mean_and_a_log_variance(model):
    for side in (16, 96, 100):
        mean, log_variance = model(2 * torch.rand(3, 3, side, side) - 1)
        assert mean.shape == log_variance.shape == (3, 5)
        assert not torch.equal(mean, log_variance)


@torch.no_grad()
def test_only_the_thumbnail_is_seen(model):
    """What averages out within a sixteenth of the side, such as a thin line, has no effect; colour has."""
    photo = 0.5 * torch.rand(1, 3, 64, 64)
    texture = torch.tensor([1.0, -1.0]).repeat(32)
    mean = model(photo)[0]
    assert torch.allclose(model(photo + 0.4 * texture * texture[:, None])[0], mean, atol=1e-5)
    assert not torch.allclose(model(photo + torch.tensor([0.4, 0, 0])[:, None, None])[0], mean, atol=1e-3)


@torch.no_grad()
def test_log_variance_is_bounded(model):
    for factor in (1e4, -1e4):
        log_variance = model(factor * torch.ones(1, 3, 16, 16))[1]
        assert log_variance.min() >= -8 and log_variance.max() <= 4


def test_every_parameter_learns(model):
    mean, log_variance = model(torch.rand(4, 3, 32, 32))
    (mean.square() + log_variance.square()).sum().backward()
    assert all(p.grad.any() for p in model.parameters())
