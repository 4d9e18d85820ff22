"""The U-Net of the baseline: shapes, gradients, determinism, storage."""

import pytest
import torch

from dfd.models.unet import WIDTHS, UNet


@pytest.fixture
def unet():
    torch.manual_seed(0)
    return UNet(WIDTHS["tiny"])


@pytest.mark.parametrize("side", [64, 512])
def test_a_drawing_becomes_a_photo_of_its_size(unet, side):
    photo = unet.eval()(torch.rand(2, 1, side, side))
    assert photo.shape == (2, 3, side, side)
    assert photo.abs().max() <= 1


def test_every_parameter_receives_a_gradient(unet):
    # Of the mean alone the layers before a BatchNorm would get none: it takes the mean away.
    unet(torch.rand(2, 1, 128, 128)).square().mean().backward()
    without = [name for name, p in unet.named_parameters() if p.grad is None or not p.grad.any()]
    assert not without


def test_fine_detail_takes_the_skip_connection(unet):
    sketch = torch.zeros(1, 1, 128, 128, requires_grad=True)
    unet.eval()(sketch)[0, :, 64, 64].sum().backward()
    near = sketch.grad[0, 0, 60:69, 60:69].abs().sum()
    assert near > 0.5 * sketch.grad.abs().sum()


def test_dropout_is_on_in_training_only(unet):
    sketch = torch.rand(2, 1, 64, 64)
    unet.train()
    assert (unet(sketch) != unet(sketch)).any()
    unet.eval()
    assert (unet(sketch) == unet(sketch)).all()


def test_saved_and_loaded_it_gives_the_same_picture(unet, tmp_path):
    unet.eval().save_pretrained(tmp_path)
    sketch = torch.rand(1, 1, 64, 64)
    assert (UNet.from_pretrained(tmp_path)(sketch) == unet(sketch)).all()


def test_the_compact_one_costs_what_our_networks_cost():
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        unet = UNet(WIDTHS["compact"]).eval()
        unet(torch.zeros(1, 1, 512, 512))
    assert 25e9 < counter.get_total_flops() < 30e9
    assert sum(p.numel() for p in unet.parameters()) < 60e6
