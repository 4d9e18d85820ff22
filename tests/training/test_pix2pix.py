"""The baseline trains, overfits, resumes, and stops when its time is over."""

import csv

import pytest
import torch
from safetensors.torch import load_file

from dfd.data.faces import FaceFolder
from dfd.data.pairs import load_photos, plain_sketches
from dfd.models.unet import WIDTHS, UNet
from dfd.train import main
from dfd.training.pix2pix import Clock, Options, Pix2PixTrainer, train


@pytest.fixture
def options(quick):
    return Options(**quick, images=8, sample_steps=2)


def pairs(options):
    faces = FaceFolder(options.data, options.cache)
    indices = faces.select("train")
    return plain_sketches(faces, indices), load_photos(faces, indices)


def make_trainer(options):
    torch.manual_seed(0)
    return Pix2PixTrainer(UNet(WIDTHS["tiny"]), options)


def test_one_step_changes_both_networks(options):
    trainer = make_trainer(options)
    before = [{n: p.detach().clone() for n, p in x.named_parameters()} for x in (trainer.unet, trainer.discriminator)]
    losses = trainer.step(1.0, *pairs(options))
    assert set(losses) == {"l1", "generator", "discriminator"}
    for network, old in zip((trainer.unet, trainer.discriminator), before, strict=True):
        assert all((p != old[n]).any() for n, p in network.named_parameters())
        assert all(p.requires_grad for p in network.parameters())


def test_overfits_four_faces(options):
    options.learning_rate = 2e-3
    trainer = make_trainer(options)
    sketches, photos = (torch.nn.functional.interpolate(x, size=128, mode="area") for x in pairs(options))
    losses = [float(trainer.step(1.0, sketches, photos)["l1"]) for _ in range(70)]
    assert sum(losses[-5:]) / 5 < 0.4 * losses[0]


def test_a_run_writes_the_network_its_metrics_and_samples(options):
    folder = train(options)
    UNet.from_pretrained(folder / "unet")
    with open(folder / "metrics.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["images"] for row in rows] == ["4", "8"]
    assert float(rows[-1]["validation_l1"]) > 0
    assert [p.name for p in sorted((folder / "samples").iterdir())] == ["000002.png", "000004.png"]


def test_a_killed_run_resumes_to_the_same_weights(options, die_after_saving, tmp_path):
    whole = load_file(train(options) / "unet" / "diffusion_pytorch_model.safetensors")
    options.output = tmp_path / "killed"
    die_after_saving(2, train, options)
    resumed = load_file(train(options) / "unet" / "diffusion_pytorch_model.safetensors")
    assert all(torch.equal(resumed[name], value) for name, value in whole.items())


def test_hours_end_a_run_and_are_counted_over_its_pieces(options, monkeypatch):
    seconds = iter(range(0, 10**6, 100))
    monkeypatch.setattr("dfd.training.pix2pix.time.monotonic", lambda: next(seconds))
    options.hours, options.images, options.sample_steps = 0.5, 1, 1000
    folder = train(options)
    stored = torch.load(folder / "checkpoint.pt", weights_only=True)
    assert stored["clock"]["seconds"] >= 1800
    assert stored["step"] > 1
    clock = Clock()
    clock.load_state_dict(stored["clock"])
    assert clock.seconds() > stored["clock"]["seconds"]


def test_the_command_line_trains_it(options):
    arguments = ["pix2pix", "--preset", "tiny", "--images", "2", "--batch-size", "2", "--mixed-precision", "no"]
    main([*arguments, "--data", str(options.data), "--output", str(options.output), "--cache", str(options.cache)])
    assert (options.output / "unet" / "config.json").is_file()
