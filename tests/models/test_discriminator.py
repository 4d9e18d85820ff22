"""The discriminators of stage II."""

from itertools import pairwise

import pytest
import torch

from dfd.models.discriminator import MultiScaleDiscriminator, ProjectedDiscriminator
from dfd.training.losses import ADVERSARIAL, feature_matching

CHANNELS = (24, 40, 12)


def pictures(count: int = 2, side: int = 64, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    photo = 2 * torch.rand(count, 3, side, side, generator=generator) - 1
    return photo, torch.rand(count, 1, side, side, generator=generator)


def features(count: int = 2, seed: int = 0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(count, c, 16 >> i, 16 >> i, generator=generator) for i, c in enumerate(CHANNELS)]


def multi_scale(**config) -> MultiScaleDiscriminator:
    torch.manual_seed(0)
    return MultiScaleDiscriminator(**{"width": 8, **config})


def projected() -> ProjectedDiscriminator:
    torch.manual_seed(0)
    return ProjectedDiscriminator(CHANNELS, width=16)


@pytest.mark.parametrize("scales", [1, 2, 3])
def test_each_scale_gives_features_and_logits(scales):
    outputs = multi_scale(scales=scales)(*pictures())
    shapes = [[tuple(x.shape[1:]) for x in scale] for scale in outputs]
    expected = [
        [(8, 33, 33), (16, 17, 17), (32, 9, 9), (64, 10, 10), (1, 11, 11)],
        [(8, 17, 17), (16, 9, 9), (32, 5, 5), (64, 6, 6), (1, 7, 7)],
        [(8, 9, 9), (16, 5, 5), (32, 3, 3), (64, 4, 4), (1, 5, 5)],
    ]
    assert shapes == expected[:scales]


def test_the_official_size():
    """Kernels of 4 x 4 throughout; the input is photo and sketch."""
    with torch.device("meta"):
        model = MultiScaleDiscriminator()
    one = sum(16 * a * b + b for a, b in pairwise((4, 64, 128, 256, 512, 1)))
    assert sum(p.numel() for p in model.parameters()) == 2 * one


def test_channels_stop_at_512():
    with torch.device("meta"):
        model = MultiScaleDiscriminator(scales=1, layers=5, width=64)
        outputs = model(torch.empty(1, 3, 64, 64), torch.empty(1, 1, 64, 64))
    assert [x.shape[1] for x in outputs[0]] == [64, 128, 256, 512, 512, 512, 1]


@torch.no_grad()
def test_both_judge_the_picture_by_its_sketch():
    photo, sketch = pictures()
    model = multi_scale()
    for logits, other in zip(model(photo, sketch), model(photo, 1 - sketch), strict=True):
        assert not torch.allclose(logits[-1], other[-1], atol=1e-4)
    model = projected().eval()
    for logits, other in zip(model(features(), sketch), model(features(), 1 - sketch), strict=True):
        assert not torch.allclose(logits[-1], other[-1], atol=1e-4)


def test_each_head_gives_logits_of_its_features_size():
    outputs = projected()(features(), pictures()[1])
    assert [[tuple(x.shape) for x in scale] for scale in outputs] == [
        [(2, 1, 16, 16)],
        [(2, 1, 8, 8)],
        [(2, 1, 4, 4)],
    ]
    with pytest.raises(ValueError):
        projected()(features()[:2], pictures()[1])


@torch.no_grad()
def test_spectral_norms_are_bounded_however_large_the_weights_grow():
    model = projected()
    convs = [m for m in model.modules() if isinstance(m, torch.nn.Conv2d)]
    assert len(convs) == 4 * len(CHANNELS)
    for conv in convs:
        noise = torch.randn_like(conv.parametrizations.weight.original)
        conv.parametrizations.weight.original.copy_(50 * noise)
    for _ in range(20):  # each training step refines the estimate once
        model(features(), pictures()[1])
    for conv in convs:
        assert 0.95 < torch.linalg.matrix_norm(conv.weight.flatten(1), 2) < 1.1


@pytest.mark.parametrize("loss", ADVERSARIAL)
@pytest.mark.parametrize("kind", ["multi_scale", "projected"])
def test_every_parameter_gets_a_gradient_from_each_loss(kind, loss):
    if kind == "multi_scale":
        model = multi_scale()
        real, fake = model(*pictures(seed=1)), model(*pictures(seed=2))
    else:
        model = projected()
        real, fake = model(features(seed=1), pictures()[1]), model(features(seed=2), pictures()[1])
    ADVERSARIAL[loss][0](real, fake).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        if parameter.ndim > 1:  # biases before an instance norm have no effect
            assert parameter.grad.any(), name


@pytest.mark.parametrize("loss", ADVERSARIAL)
def test_the_generator_gets_a_gradient_through_each(loss):
    photo, sketch = pictures()
    photo.requires_grad_()
    ADVERSARIAL[loss][1](multi_scale()(photo, sketch)).backward()
    assert photo.grad.any()
    inputs = [f.requires_grad_() for f in features()]
    ADVERSARIAL[loss][1](projected()(inputs, sketch)).backward()
    assert all(f.grad.any() for f in inputs)


def test_feature_matching_finds_features_in_the_multi_scale_discriminator_only():
    (photo, sketch), (other, _) = pictures(), pictures(seed=1)
    model = multi_scale()
    assert feature_matching(model(photo, sketch), model(photo, sketch)) == 0
    assert feature_matching(model(photo, sketch), model(other, sketch)) > 0.01
    model = projected()
    assert feature_matching(model(features(), sketch), model(features(seed=1), sketch)) == 0
