"""The line extractor: shapes, gradients, where it looks, storage, size."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from dfd.models import LineExtractor


@pytest.fixture
def extractor():
    torch.manual_seed(0)
    return LineExtractor((8, 8, 8))


@pytest.mark.parametrize(("height", "width"), [(64, 64), (48, 80)])
def test_a_logit_for_each_pixel(extractor, height, width):
    assert extractor.multiple == 16
    assert extractor.eval()(torch.rand(2, 3, height, width)).shape == (2, 1, height, width)


def test_lines_are_drawn_from_the_last_of_its_maps(extractor):
    photo = torch.rand(2, 3, 48, 80)
    maps = extractor.eval().features(photo)
    assert [tuple(m.shape) for m in maps] == [(2, 8, 3, 5), (2, 8, 6, 10), (2, 8, 12, 20)]
    assert torch.equal(extractor.head(maps[-1]), extractor(photo))


def test_every_parameter_receives_a_gradient(extractor):
    extractor(torch.rand(2, 3, 64, 64)).square().mean().backward()
    assert not [name for name, p in extractor.named_parameters() if p.grad is None or not p.grad.any()]


def test_a_pixel_looks_around_itself_at_every_scale(extractor):
    photo = torch.rand(1, 3, 128, 128, requires_grad=True)
    extractor.eval()(photo)[0, 0, 64, 64].backward()
    weight = photo.grad.abs().sum((0, 1))
    assert weight[56:72, 56:72].mean() > 10 * weight.mean()
    assert weight[30:98, 30:98].count_nonzero() > 0.9 * 68 * 68


def test_saved_and_loaded_it_gives_the_same_logits(extractor, tmp_path):
    extractor.eval().save_pretrained(tmp_path)
    photo = torch.rand(1, 3, 32, 32)
    assert torch.equal(LineExtractor.from_pretrained(tmp_path)(photo), extractor(photo))


def test_the_usual_one_is_small_and_quick():
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        extractor = LineExtractor().eval()
        extractor(torch.zeros(1, 3, 512, 512))
    assert sum(p.numel() for p in extractor.parameters()) < 600_000
    assert counter.get_total_flops() < 5e9
