"""Encoders learn that any drawing means what its line drawing does, and nothing else changes."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from safetensors.torch import load_file

from dfd.components import Layout
from dfd.data.faces import FaceFolder
from dfd.data.pairs import drawings_of, plain_sketches
from dfd.models import presets
from dfd.training.encoders import EncoderLosses, Options, code_distance, evaluate, train, training_step
from dfd.training.meanings import FARTHER
from dfd.training.run import WINDOWS_FILE, write_layout

WEIGHTS = "nose_autoencoder/diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def drawings(four_faces, tmp_path_factory):
    """Drawings in random styles, and the plain line drawings of the same faces."""
    faces = FaceFolder(four_faces, tmp_path_factory.mktemp("cache"))
    rng, indices = np.random.default_rng(0), faces.select("train")
    return drawings_of(faces, indices, Layout(), rng), plain_sketches(faces, indices)


def tiny(*components):
    torch.manual_seed(0)
    models = presets.build("tiny", latent_dim=64)
    return {name: models[f"{name}_autoencoder"] for name in components}


def test_code_distance_is_a_share_of_the_variance():
    goals = torch.randn(64, 32, generator=torch.Generator().manual_seed(0))
    assert code_distance(goals, goals) == 0
    assert code_distance(goals.mean(0).expand_as(goals), goals) == pytest.approx(1, abs=0.05)


def test_rough_drawings_get_the_line_drawings_codes(drawings):
    models = tiny("nose", "mouth")
    before = deepcopy(models)
    losses = EncoderLosses(models, Layout())
    optimizer = torch.optim.AdamW(losses.parameters(), 3e-3)
    accelerator = Accelerator(cpu=True)
    sketches, goals = drawings[0], losses.goals(drawings[1])
    found = [training_step(losses, sketches, goals, optimizer, accelerator)["mouth"] for _ in range(40)]
    assert found[-1] < 0.3 * found[0]
    assert evaluate(losses, sketches, goals).keys() == {"val_nose", "val_mouth"}
    for name, model in models.items():
        for part in ("encoder", "decoder"):
            pairs = zip(getattr(model, part).parameters(), getattr(before[name], part).parameters(), strict=True)
            same = all(torch.equal(a, b) for a, b in pairs)
            assert same == (part == "decoder")


def test_marks_move_the_goals(drawings):
    losses, lines = EncoderLosses(tiny("nose"), Layout()), drawings[1]
    ways = {"bearded": {"nose": torch.full((64,), 1.0)}}
    moved = losses.goals(lines, [{"beard"}, set(), {"beard"}, set()], ways)["nose"] - losses.goals(lines)["nose"]
    torch.testing.assert_close(moved[:, 0], FARTHER["bearded"] * torch.tensor([1.0, 0, 1, 0]))


def test_a_run_needs_trained_encoders_and_keeps_decoders(quick, tmp_path):
    options = Options(**quick, components=("nose",), images=8, sample_steps=2)
    with pytest.raises(ValueError, match="start from"):
        train(options)
    start = tmp_path / "start"
    tiny("nose")["nose"].save_pretrained(start / "nose_autoencoder")
    write_layout(Layout({"nose": (150, 200, 160)}), start)
    folder = train(replace(options, start_from=start))
    assert (folder / WINDOWS_FILE).read_text() == (start / WINDOWS_FILE).read_text()
    old, new = load_file(start / WEIGHTS), load_file(folder / WEIGHTS)
    changed = {key.split(".")[0] for key in old if not torch.equal(old[key], new[key])}
    assert changed == {"encoder"}
