"""Image synthesis: feature map -> photo."""

import pytest
import torch
import torch.nn.functional as F

from dfd.models import ImageSynthesis

COMPACT = {
    "architecture": "compact",
    "in_channels": 6,
    "widths": (8, 8, 16),
    "middle_blocks": 1,
    "upsample_width": 8,
    "appearance_dim": 4,
}
GLOBAL = {"architecture": "global", "in_channels": 6, "widths": (4, 8, 16), "middle_blocks": 2}


def make(**config) -> ImageSynthesis:
    """A random network whose residual blocks act, which those of a fresh one do not."""
    torch.manual_seed(0)
    model = ImageSynthesis(**config)
    for values in model.parameters():
        if not values.any():
            torch.nn.init.normal_(values, std=0.1)
    return model.eval()


@pytest.fixture(scope="module")
def compact():
    return make(**COMPACT)


@pytest.fixture
def feature_map():
    return torch.randn(2, 6, 32, 32, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def test_the_global_generator_keeps_the_size_and_the_range(feature_map):
    model = make(**GLOBAL)
    photo = model(100 * feature_map)
    assert photo.shape == (2, 3, 32, 32)
    assert photo.abs().max() <= 1
    assert model.with_preview(feature_map)[1] is None
    assert torch.equal(model.with_preview(feature_map)[0], model(feature_map))


@torch.no_grad()
def test_the_compact_generator_quadruples_the_side(compact, feature_map):
    assert compact(feature_map).shape == (2, 3, 128, 128)
    assert compact(100 * feature_map).abs().max() > 1, "not clamped in training"


@torch.no_grad()
def test_the_preview_is_a_picture_at_the_maps_size_that_the_photo_is_built_on(feature_map):
    model = make(**COMPACT)
    photo, preview = model.with_preview(feature_map)
    assert torch.equal(photo, model(feature_map))
    assert preview.shape == (2, 3, 32, 32)
    enlarged = F.interpolate(preview, scale_factor=4, mode="bilinear", align_corners=False)
    assert not torch.allclose(photo, enlarged, atol=1e-3)
    for parameter in model.generator.to_detail.parameters():
        parameter.zero_()
    assert torch.allclose(model(feature_map), enlarged, atol=1e-6)


@torch.no_grad()
def test_appearance_changes_the_picture(compact, feature_map):
    codes = torch.randn(2, 4)
    photo = compact(feature_map, codes)
    assert torch.equal(compact(feature_map), compact(feature_map, torch.zeros(2, 4))), "no code is the mean code"
    assert (photo - compact(feature_map)).abs().mean() > 1e-3
    changed = compact(feature_map, torch.stack([codes[0], -codes[1]]))
    assert torch.allclose(changed[0], photo[0], atol=1e-5), "one sample's code must not reach another"
    assert not torch.allclose(changed[1], photo[1], atol=1e-3)


@torch.no_grad()
def test_a_skip_connection_brings_detail_past_the_smallest_map(compact, feature_map):
    """One pixel of the map must show in the photo as a place, not only as a change of everything."""
    changed = feature_map.clone()
    changed[:, :, 16, 16] += 3
    difference = (compact(changed) - compact(feature_map)).abs().mean((0, 1))
    assert difference[56:76, 56:76].mean() > 3 * difference.mean()


@pytest.mark.parametrize("shape", [(2, 3), (1, 4), (4,), (2, 4, 1, 1)])
def test_a_code_of_the_wrong_shape_is_refused(compact, feature_map, shape):
    with pytest.raises(ValueError, match="expected an appearance code of shape 2 x 4, got"):
        compact(feature_map, torch.zeros(shape))


def test_appearance_dim_0_gives_a_generator_without_codes(feature_map):
    model = make(**{**COMPACT, "appearance_dim": 0})
    assert not [name for name, _ in model.named_parameters() if "style" in name or "mapping" in name]
    with torch.no_grad():
        assert model(feature_map).shape == (2, 3, 128, 128)
    for without in (model, make(**GLOBAL)):
        with pytest.raises(ValueError, match="expected an appearance code of shape 2 x 0"):
            without(feature_map, torch.zeros(2, 4))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({**GLOBAL, "appearance_dim": 4}, "the global generator takes no appearance code"),
        ({**COMPACT, "architecture": "spade"}, "unknown architecture 'spade'; accepted are global, compact"),
    ],
)
def test_impossible_configs_are_refused(config, message):
    with pytest.raises(ValueError, match=message):
        ImageSynthesis(**config)


@pytest.mark.parametrize("config", [COMPACT, GLOBAL])
def test_every_parameter_learns(config, feature_map):
    model = make(**config).train()
    photo, preview = model.with_preview(feature_map, torch.randn(2, 4) if config is COMPACT else None)
    (photo.square().mean() + (0 if preview is None else preview.square().mean())).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        if parameter.ndim > 1:
            assert parameter.grad.any(), name


def test_a_fresh_compact_generator_learns_from_its_first_step_on(feature_map):
    """Residual blocks start as the identity, so codes have no effect at first; that must pass."""
    torch.manual_seed(0)
    model = ImageSynthesis(**COMPACT)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for _ in range(2):
        optimizer.zero_grad()
        model(feature_map, torch.randn(2, 4)).square().mean().backward()
        optimizer.step()
    assert all(p.grad.any() for n, p in model.named_parameters() if p.ndim > 1)


@pytest.mark.parametrize("config", [COMPACT, GLOBAL])
def test_saved_and_loaded_it_is_the_same_to_the_bit(config, feature_map, tmp_path):
    model = make(**config)
    model.save_pretrained(tmp_path)
    loaded = ImageSynthesis.from_pretrained(tmp_path)
    with torch.no_grad():
        assert torch.equal(loaded(feature_map), model(feature_map))
