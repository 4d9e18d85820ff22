"""Feature mapping: codes -> one map."""

import pytest
import torch

from dfd.components import COMPONENTS
from dfd.models import FeatureMapping

DIM = 12
SMALL = {
    "map_scale": 4,
    "widths": (8, 8, 8, 8),
    "remainder_widths": (8, 8, 8, 8, 8),
    "out_channels": 5,
    "latent_channels": 4,
    "latent_dim": DIM,
    "norm": "group",
}


def make(**config) -> FeatureMapping:
    torch.manual_seed(0)
    return FeatureMapping(**{**SMALL, **config}).eval()


def codes(count: int = 2, seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(count, DIM, generator=generator) for name in COMPONENTS}


@pytest.fixture(scope="module")
def model():
    """Without statistics: do not set them."""
    return make()


@pytest.mark.parametrize(
    ("map_scale", "doublings", "remainder_doublings", "out_channels"), [(4, 3, 4, 32), (2, 4, 5, 7), (1, 5, 5, 3)]
)
@torch.no_grad()
def test_output_size(map_scale, doublings, remainder_doublings, out_channels):
    widths, remainder_widths = (4,) * (doublings + 1), (4,) * (remainder_doublings + 1)
    model = make(map_scale=map_scale, widths=widths, remainder_widths=remainder_widths, out_channels=out_channels)
    side = 512 // map_scale
    assert model(codes(1)).shape == (1, out_channels, side, side)


@pytest.mark.parametrize(
    ("component", "rows", "columns"),
    [
        ("left_eye", (39, 71), (27, 59)),
        ("right_eye", (39, 71), (64, 96)),
        ("nose", (58, 98 - 9), (46, 86)),
        ("mouth", (75, 123), (42, 90)),
    ],
)
@torch.no_grad()
def test_a_part_shows_in_its_window_only(model, component, rows, columns):
    latents = codes(1)
    changed = {**latents, component: latents[component] + 1}
    difference = (model(latents) - model(changed)).abs().sum((0, 1)) > 0
    found_rows, found_columns = difference.any(1).nonzero(), difference.any(0).nonzero()
    assert (found_rows.min(), found_rows.max() + 1) == rows
    assert (found_columns.min(), found_columns.max() + 1) == columns


@torch.no_grad()
def test_the_remainder_shows_everywhere_but_inside_the_windows(model):
    latents = codes(1)
    changed = {**latents, "remainder": latents["remainder"] + 1}
    difference = (model(latents) - model(changed)).abs().sum((0, 1)) > 0
    assert difference[0].any() and difference[-1].any() and difference[:, 0].any() and difference[:, -1].any()
    assert not difference[45:65, 33:53].any(), "shows through the left eye"


@torch.no_grad()
def test_codes_are_standardised_by_the_training_codes():
    """A model that knows the statistics sees no difference between codes and codes in other units."""
    model = make()
    latents, training = codes(2), codes(50, seed=1)
    plain = model(latents)
    model.set_statistics(training)
    expected = model(latents)
    assert not torch.allclose(plain, expected, atol=1e-3)
    for i, name in enumerate(COMPONENTS):
        assert torch.allclose(model.latent_mean[i], training[name].mean(0))
        assert torch.allclose(model.latent_std[i], training[name].std(0))

    def rescale(codes):
        return {name: 30 * (i + 1) * code + 100 * i - 7 for i, (name, code) in enumerate(codes.items())}

    assert not torch.allclose(model(rescale(latents)), expected, atol=1e-3)
    model.set_statistics(rescale(training))
    assert torch.allclose(model(rescale(latents)), expected, atol=1e-3)


@torch.no_grad()
def test_a_code_that_never_varies_does_no_harm():
    model = make()
    training = codes(5)
    training["nose"] = torch.ones(5, DIM)
    model.set_statistics(training)
    assert model(training).isfinite().all()


def test_own_windows_and_statistics_are_saved(tmp_path):
    model = make(windows={"nose": (64, 32, 128)})
    model.set_statistics(codes(10, seed=3))
    model.save_pretrained(tmp_path)
    loaded = FeatureMapping.from_pretrained(tmp_path)
    assert loaded.layout.windows == model.layout.windows
    assert torch.equal(loaded.latent_mean, model.latent_mean)
    latents = codes(1)
    with torch.no_grad():
        expected = model(latents)
        assert torch.equal(loaded(latents), expected)
        changed = model({**latents, "nose": latents["nose"] + 1})
    found = ((changed - expected).abs().sum((0, 1)) > 0).nonzero()
    # The nose's window at a quarter of the canvas is (16, 8, 32), without its bottom 36 / 160: 7 rows.
    assert (found.amin(0).tolist(), found.amax(0).tolist()) == ([8, 16], [8 + 32 - 7 - 1, 16 + 32 - 1])


def test_every_parameter_learns():
    model = make().train()
    model(codes(2)).square().mean().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        if parameter.ndim > 1:
            assert parameter.grad.any(), name


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"windows": {"chin": (0, 0, 64)}}, "unknown component 'chin'"),
        ({"windows": {"nose": (0, 0, 100)}}, "25 px cannot be halved"),
    ],
)
def test_impossible_configs_are_refused(config, message):
    with pytest.raises(ValueError, match=message):
        make(**config)
