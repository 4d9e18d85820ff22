"""The component auto-encoder."""

import pytest
import torch

from dfd.models import ComponentAutoencoder

SMALL = {"widths": (4, 4, 8, 8, 8), "strides": (2, 2, 2, 2, 1), "decoder_widths": (8, 8, 8, 4, 4, 4)}


def make(**config) -> ComponentAutoencoder:
    torch.manual_seed(0)
    return ComponentAutoencoder(**{"window_size": 64, "latent_dim": 24, **SMALL, **config})


@pytest.mark.parametrize(
    ("window", "pool", "strides", "latent_channels", "norm"),
    [
        (64, 1, (2, 2, 2, 2, 2), 0, "batch"),
        (64, 2, (2, 2, 2, 2, 1), 4, "batch"),
        (160, 2, (2, 2, 2, 2, 1), 4, "group"),
        (128, 4, (2, 1, 2, 1, 2), 0, "instance"),
    ],
)
def test_shapes(window, pool, strides, latent_channels, norm):
    model = make(window_size=window, pool=pool, strides=strides, latent_channels=latent_channels, norm=norm)
    crop = torch.rand(3, 1, window, window)
    latent = model.encode(crop)
    assert latent.shape == (3, 24)
    assert model.decode(latent).shape == (3, 1, window // pool, window // pool)
    assert model.eval()(crop).shape == (3, 1, window // pool, window // pool)


def test_forward_decodes_the_code():
    model, crop = make(pool=2).eval(), torch.rand(2, 1, 64, 64)
    assert torch.equal(model(crop), model.decode(model.encode(crop)))


def test_crops_are_averaged_before_encoding():
    model = make(pool=2).eval()
    crop = torch.rand(1, 1, 64, 64)
    blocks = crop.reshape(1, 1, 32, 2, 32, 2).mean((3, 5))
    assert torch.allclose(model.reduce(crop), blocks)
    assert torch.allclose(model.encode(crop), model.encode(blocks.repeat_interleave(2, 2).repeat_interleave(2, 3)))
    assert torch.equal(make().reduce(crop), crop)


@pytest.mark.parametrize("norm", ["batch", "group"])
def test_a_drawing_alone_gives_the_code_that_it_gives_in_a_batch(norm):
    model = make(norm=norm)
    model(torch.rand(4, 1, 64, 64))
    model.eval()
    crops = torch.rand(3, 1, 64, 64)
    assert torch.allclose(model(crops)[:1], model(crops[:1]), atol=1e-5)


def test_decode_is_not_clamped():
    model = make()
    with torch.no_grad():
        model.decoder[-1].bias.fill_(7)
    assert model.eval().decode(torch.randn(1, 24)).max() > 1


def test_every_parameter_learns():
    model = make(pool=2, latent_channels=4)
    crop = torch.rand(4, 1, 64, 64)
    (model(crop) - model.reduce(crop)).square().mean().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        if parameter.ndim > 1:  # a bias before a norm has no effect
            assert parameter.grad.any(), name


@pytest.mark.parametrize("shape", [(1, 1, 32, 32), (1, 3, 64, 64), (1, 64, 64), (1, 1, 64, 128)])
def test_a_crop_of_the_wrong_shape_is_refused(shape):
    with pytest.raises(ValueError, match=r"expected crops of shape N x 1 x 64 x 64, got \(1, "):
        make(pool=2).encode(torch.zeros(shape))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"window_size": 66, "pool": 4}, "66 is not a multiple of pool 4"),
        ({"window_size": 72}, "72 px cannot be halved"),
        ({"norm": "layer"}, "unknown norm 'layer'; accepted are batch, instance, group"),
    ],
)
def test_impossible_configs_are_refused(config, message):
    with pytest.raises(ValueError, match=message):
        make(**config)


def test_saved_and_loaded_it_is_the_same_to_the_bit(tmp_path):
    model = make(pool=2, latent_channels=4)
    for _ in range(2):
        model(torch.rand(4, 1, 64, 64))  # so that the norms' running statistics are not the initial ones
    model.save_pretrained(tmp_path)
    loaded = ComponentAutoencoder.from_pretrained(tmp_path)
    state, loaded_state = model.state_dict(), loaded.state_dict()
    assert state.keys() == loaded_state.keys()
    assert all(torch.equal(state[name], loaded_state[name]) for name in state)
    assert not loaded.training
    crop = torch.rand(2, 1, 64, 64)
    assert torch.equal(loaded(crop), model.eval()(crop))


def test_statistics_beyond_half_precision_survive_it():
    model = ComponentAutoencoder(window_size=64, widths=(8,) * 5, decoder_widths=(8,) * 6, latent_dim=16).eval()
    norms = [layer for layer in model.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
    norms[0].running_var.fill_(1e6)
    model.half()
    assert model.dtype == torch.float16
    assert norms[0].running_var.max() == 1e6
    assert model(torch.rand(1, 1, 64, 64).half()).isfinite().all()
