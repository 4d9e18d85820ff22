"""The presets, against the published numbers. Nothing here needs storage: networks live on the meta device."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from dfd.components import COMPONENTS
from dfd.models.presets import PRESETS, build

#: Millions of parameters of the official networks.
ENCODER = {"left_eye": 13.27, "right_eye": 13.27, "nose": 15.63, "mouth": 18.52, "remainder": 76.19}
IMAGE_DECODER = {"left_eye": 13.32, "right_eye": 13.32, "nose": 15.68, "mouth": 18.57, "remainder": 76.35}
FEATURE_DECODER = {"left_eye": 15.65, "right_eye": 15.65, "nose": 18.01, "mouth": 20.90, "remainder": 78.69}
GENERATOR = 139.77

SIZES = {"left_eye": 128, "right_eye": 128, "nose": 160, "mouth": 192, "remainder": 512}


def millions(*models: torch.nn.Module) -> float:
    return sum(p.numel() for model in models for p in model.parameters()) / 1e6


def build_meta(*args, **kwargs):
    with torch.device("meta"):
        return build(*args, **kwargs)


@pytest.fixture(scope="module")
def paper():
    return build_meta("paper")


@pytest.fixture(scope="module")
def compact():
    return build_meta("compact")


@pytest.mark.parametrize("component", COMPONENTS)
def test_paper_has_the_official_numbers_of_parameters(paper, component):
    autoencoder = paper[f"{component}_autoencoder"]
    assert millions(autoencoder.encoder) == pytest.approx(ENCODER[component], abs=0.0051)
    assert millions(autoencoder.decoder) == pytest.approx(IMAGE_DECODER[component], abs=0.0051)
    decoder = paper["feature_mapping"].decoders[component]
    assert millions(decoder) == pytest.approx(FEATURE_DECODER[component], abs=0.0051)


def test_paper_has_the_official_generator(paper):
    # The affine parameters of its instance norms, 0.037 M, are not in the official count.
    assert millions(paper["image_synthesis"]) == pytest.approx(GENERATOR, rel=0.001)
    assert "appearance_encoder" not in paper


def test_paper_has_five_encoding_and_five_decoding_layers(paper):
    for component in COMPONENTS:
        autoencoder = paper[f"{component}_autoencoder"]
        for half in (autoencoder.encoder, autoencoder.decoder):
            assert sum(isinstance(layer, torch.nn.LeakyReLU) for layer in half) == 5


def synthesise(models: dict[str, torch.nn.Module], latent_dim: int) -> torch.Tensor:
    latents = {name: torch.empty(1, latent_dim, device="meta") for name in COMPONENTS}
    return models["image_synthesis"](models["feature_mapping"](latents))


def test_compact_keeps_its_budget(compact):
    assert millions(compact["feature_mapping"], compact["image_synthesis"]) <= 60
    assert millions(*compact.values()) < 44
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        photo = synthesise(compact, 512)
    assert photo.shape == (1, 3, 512, 512)
    assert 20e9 < counter.get_total_flops() <= 30e9  # a multiply-add counts as two


@pytest.mark.parametrize("latent_dim", [128, 256, 512])
@pytest.mark.parametrize("preset", ["paper", "compact"])
def test_latent_dim_is_a_matter_of_config(preset, latent_dim):
    models = build_meta(preset, latent_dim=latent_dim)
    for component in ("nose", "remainder"):
        autoencoder = models[f"{component}_autoencoder"]
        assert autoencoder.config.latent_dim == latent_dim
        side = autoencoder.config.window_size
        latent = autoencoder.encode(torch.empty(2, 1, side, side, device="meta"))
        assert latent.shape == (2, latent_dim)
        assert autoencoder.decode(latent).shape == (2, 1, *[side // autoencoder.config.pool] * 2)
    assert models["feature_mapping"].config.latent_dim == latent_dim
    assert synthesise(models, latent_dim).shape[1:] == (3, 512, 512)


@pytest.mark.parametrize("latent_dim", [128, 256, 512])
def test_tiny_runs(latent_dim):
    models = {name: model.eval() for name, model in build("tiny", latent_dim).items()}
    with torch.no_grad():
        latents = {n: models[f"{n}_autoencoder"].encode(torch.rand(1, 1, s, s)) for n, s in SIZES.items()}
        photo = models["image_synthesis"](models["feature_mapping"](latents))
    assert photo.shape == (1, 3, 512, 512)
    assert photo.isfinite().all()
    assert millions(*models.values()) < 5, "the preset for tests has grown"


def test_all_presets_are_the_same_classes(paper, compact):
    tiny = build_meta("tiny")
    classes = {name: type(model) for name, model in paper.items()}
    assert set(classes) == {*(f"{c}_autoencoder" for c in COMPONENTS), "feature_mapping", "image_synthesis"}
    for models in (compact, tiny):
        assert {name: type(models[name]) for name in classes} == classes
        assert set(models) - set(classes) == {"appearance_encoder"}
        dims = {models[name].config.appearance_dim for name in ("appearance_encoder", "image_synthesis")}
        assert len(dims) == 1


@pytest.mark.parametrize("preset", PRESETS)
def test_own_windows_reach_every_network(preset):
    models = build_meta(preset, windows={"nose": (100, 200, 128)})
    assert models["nose_autoencoder"].config.window_size == 128
    assert models["feature_mapping"].layout.windows["nose"].x == 100
    assert models["mouth_autoencoder"].config.window_size == 192
    assert synthesise(models, 512).shape == (1, 3, 512, 512)


def test_an_unknown_preset_is_refused():
    with pytest.raises(ValueError, match=r"unknown preset 'large'; accepted are paper, compact, tiny"):
        build("large")
