"""The line extractor's loss; it learns, resumes exactly, and is trained from the command line."""

import csv

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from safetensors.torch import load_file

from dfd.data.faces import FaceFolder
from dfd.data.pairs import load_photos
from dfd.evaluation.obedience import agreement
from dfd.lines import network_lines
from dfd.models import LineExtractor
from dfd.train import main
from dfd.training.lines import Options, line_loss, soft_lines, train, training_step

WEIGHTS = "line_extractor/diffusion_pytorch_model.safetensors"


@pytest.fixture
def options(quick):
    return Options(**quick, images=8, side=64, sample_steps=2)


def test_soft_lines_fall_off_with_the_distance():
    lines = torch.zeros(1, 1, 32, 32)
    lines[0, 0, 10, 12] = lines[0, 0, 10, 16] = 1
    soft = soft_lines(lines, 2.0)
    assert soft[0, 0, 10, 12] == 1
    assert soft[0, 0, 13, 12].item() == pytest.approx(np.exp(-9 / 8))
    assert soft[0, 0, 12, 11].item() == pytest.approx(np.exp(-5 / 8))
    assert soft[0, 0, 10, 14].item() == pytest.approx(np.exp(-4 / 8)), "the nearest line counts, not the sum"
    assert soft[0, 0, 25, 25] == 0


def test_the_loss_forgives_a_pixel_and_counts_a_lost_line_more_than_a_new_one():
    lines, near, far, none = (torch.zeros(1, 1, 64, 64) for _ in range(4))
    lines[..., 20], near[..., 21], far[..., 40] = 1, 1, 1
    loss = [float(line_loss(12 * soft_lines(guess) - 6, lines)) for guess in (lines, near, far, none)]
    assert loss[0] < loss[1] < 0.7 * loss[3] < loss[3] < loss[2]
    # Half of both is the lost line, half the new one.
    assert loss[3] - loss[0] > 1.5 * (loss[2] - loss[3])


def test_overfits_the_middle_of_a_face(options):
    faces = FaceFolder(options.data, options.cache)
    torch.manual_seed(0)
    model = LineExtractor((16, 16, 16))
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    accelerator = Accelerator(cpu=True)
    middle = np.s_[160:352, 160:352]
    photo, drawn = np.array(faces.photos[0][middle]), faces.lines(0)[middle]
    batch = load_photos(faces, [0])[(..., *middle)], torch.from_numpy(drawn).float()[None, None]
    losses = [float(training_step(model, *batch, optimizer, accelerator)) for _ in range(150)]
    assert losses[-1] < 0.5 * losses[0]
    f1 = agreement(network_lines(photo, model.eval()), drawn, {"all": np.ones_like(drawn)}, 2)["all"][2]
    assert f1 > 0.9


def test_a_run_writes_the_network_its_metrics_and_samples(options):
    folder = train(options)
    LineExtractor.from_pretrained(folder / "line_extractor")
    with open(folder / "metrics.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["images"] for row in rows] == ["4", "8"]
    assert {"loss", "precision", "recall", "f1"} <= set(rows[0])
    assert [p.name for p in sorted((folder / "samples").iterdir())] == ["000002.png", "000004.png"]


@pytest.mark.parametrize("side", [0, 60])
def test_a_side_that_the_network_cannot_halve_is_refused(options, side):
    options.side = side
    with pytest.raises(ValueError, match=rf"side must be a multiple of 8 px, got {side}"):
        train(options)


def test_a_killed_run_resumes_to_the_same_weights(options, die_after_saving, tmp_path):
    whole = load_file(train(options) / WEIGHTS)
    options.output = tmp_path / "killed"
    die_after_saving(2, train, options)
    resumed = load_file(train(options) / WEIGHTS)
    assert all(torch.equal(resumed[name], value) for name, value in whole.items())


def test_the_command_line_trains_it_on_from_a_folder(options):
    first = train(options)
    arguments = ["lines", "--preset", "tiny", "--images", "2", "--batch-size", "2", "--mixed-precision", "no"]
    arguments += ["--side", "64", "--learning-rate", "0", "--start-from", str(first), "--cache", str(options.cache)]
    second = options.output.with_name("second")
    main([*arguments, "--data", str(options.data), "--output", str(second)])
    before, after = load_file(first / WEIGHTS), load_file(second / WEIGHTS)
    learned = [name for name in before if not name.endswith(("running_mean", "running_var", "num_batches_tracked"))]
    assert all(torch.equal(before[name], after[name]) for name in learned)
