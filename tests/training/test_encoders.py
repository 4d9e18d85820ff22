"""Encoders learn that any drawing means what its line drawing does, and nothing else changes."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from safetensors.torch import load_file

from dfd.components import Layout
from dfd.data import pairs
from dfd.data.faces import FaceFolder
from dfd.data.pairs import drawings_of, plain_sketches
from dfd.data.schematic import Person
from dfd.models import presets
from dfd.training.encoders import (
    FARTHER,
    EncoderLosses,
    Options,
    code_distance,
    evaluate,
    measured_ways,
    train,
    training_step,
)

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


def test_marks_move_the_goals_where_they_are_seen(drawings):
    losses, lines = EncoderLosses(tiny("nose", "mouth", "left_eye"), Layout()), drawings[1]
    ways = {"bearded": {name: torch.full((64,), 1.0) for name in losses.teachers}}
    ways["old"] = {name: torch.full((64,), 10.0) for name in losses.teachers}
    plain = losses.goals(lines)
    marked = losses.goals(lines, [{"beard"}, {"crows_feet", "bags"}, {"beard", "folds"}, set()], ways)
    bearded, old = FARTHER["bearded"], 10 * FARTHER["old"]
    wanted = {"nose": (bearded, 0, bearded + old, 0), "left_eye": (0, old, 0, 0)}
    wanted["mouth"] = wanted["nose"]
    for name, by_row in wanted.items():
        torch.testing.assert_close(marked[name] - plain[name], torch.tensor(by_row)[:, None].expand(-1, 64))


def test_ways_lead_from_faces_without_to_faces_with_a_trait(monkeypatch):
    """Half of the men have beards; half of each gender are old. Codes say so, beside gender, source and age.

    Every fifth of the old wears glasses that nobody noticed: the way to the old must not lead to glasses.
    """
    losses = EncoderLosses(tiny("nose"), Layout())
    many = np.arange(384)
    male, old = many % 2 == 0, many // 2 % 2 == 0
    bearded = male & (many // 4 % 2 == 0)
    glasses, hanging, curly = (many // period % 2 == 0 for period in (8, 48, 96))
    worn = glasses | old & (many % 5 == 1)

    class Faces:
        genders = np.where(male, 0, 1)
        rows = [{"source": "a" if i < 192 else "b"} for i in many]  # noqa: RUF012

        def person(self, i):
            landmarks = np.zeros((70, 2))
            landmarks[48 + 17 : 48 + 20, 1] = 9 * (i % 3)
            landmarks[54, 0] = 100
            landmarks[[48, 54], 1] = landmarks[66, 1] / 2 + np.where(hanging[i], 10, -3)
            hair = np.full((128, 128), i % 5 > 0)
            looks = {"hair": hair, "glasses": bool(glasses[i]), "curly": bool(curly[i])}
            return Person(landmarks, bool(bearded[i]), 60 if old[i] else 20, **looks)

    def codes(faces, indices):
        codes = np.stack([bearded, old, male, many < 192, many % 3 == 0, worn, hanging, curly], 1)
        return torch.tensor(codes[indices], dtype=torch.float32)

    monkeypatch.setattr(pairs, "plain_sketches", codes)
    monkeypatch.setattr(losses, "goals", lambda lines: {"nose": lines})
    ways = measured_ways(losses, Faces(), many)
    for trait, wanted in (("bearded", 0), ("old", 1), ("closed", 4), ("glasses", 5), ("sad", 6), ("curly", 7)):
        assert ways[trait]["nose"].tolist() == pytest.approx(np.eye(8)[wanted].tolist(), abs=0.15)
    assert abs(ways["old"]["nose"] @ ways["glasses"]["nose"]) < 1e-5
    assert torch.equal(ways["open"]["nose"], -ways["closed"]["nose"])
    assert measured_ways(losses, Faces(), many[:16]).keys() == set(), "too few"


def test_a_run_needs_trained_encoders_and_keeps_decoders(quick, tmp_path):
    options = Options(**quick, components=("nose",), images=8, sample_steps=2)
    with pytest.raises(ValueError, match="start from"):
        train(options)
    start = tmp_path / "start"
    tiny("nose")["nose"].save_pretrained(start / "nose_autoencoder")
    folder = train(replace(options, start_from=start))
    old, new = load_file(start / WEIGHTS), load_file(folder / WEIGHTS)
    changed = {key.split(".")[0] for key in old if not torch.equal(old[key], new[key])}
    assert changed == {"encoder"}
