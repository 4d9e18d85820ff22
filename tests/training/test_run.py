"""Checkpoints, resumption, divergence, metrics, and the learning-rate curve."""

import csv

import pytest
import torch
from accelerate import Accelerator

from dfd.training.run import Run, TrainingDiverged, learning_rate_factor, seed_step


@pytest.fixture
def run(tmp_path):
    model = torch.nn.Linear(2, 2)
    return Run(tmp_path / "run", Accelerator(cpu=True), {"model": model}, save_minutes=10)


def test_learning_rate_warms_up_then_falls_over_the_last_quarter():
    assert learning_rate_factor(0, 1000) == pytest.approx(0.01)
    assert learning_rate_factor(99, 1000) == learning_rate_factor(749, 1000) == 1
    assert learning_rate_factor(875, 1000) == pytest.approx(0.525)
    assert learning_rate_factor(1000, 1000) == pytest.approx(0.05)


def test_randomness_follows_from_seed_process_and_step():
    def draw(*key):
        generator = seed_step(*key)
        return generator.random(), torch.rand(()).item()

    assert draw(0, 0, 5) == draw(0, 0, 5)
    assert len({draw(*key) for key in ((0, 0, 5), (0, 0, 6), (0, 1, 5), (1, 0, 5))}) == 4


def test_resume_gives_back_step_and_state(run):
    assert run.resume() == 0
    run.save(7)
    saved = {k: v.clone() for k, v in run.state["model"].state_dict().items()}
    torch.nn.init.zeros_(run.state["model"].weight)
    assert run.resume() == 7
    assert torch.equal(run.state["model"].weight, saved["weight"])


def test_an_interrupted_save_leaves_the_old_checkpoint_whole(run, monkeypatch):
    run.save(7)

    def die(state, path):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", die)
    with pytest.raises(KeyboardInterrupt):
        run.save(8)
    assert run.resume() == 7


def test_a_checkpoint_of_other_parts_is_refused(run):
    run.save(1)
    run.state = {"another": run.state["model"]}
    with pytest.raises(ValueError, match="another"):
        run.resume()


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_checkpoint(run, bad):
    run.save(3)
    with pytest.raises(TrainingDiverged, match="l1"):
        run.add({"l1": torch.tensor(bad), "kl": torch.tensor(1.0)}, images=4)
    assert run.resume() == 3


def test_metrics_are_means_and_a_resumed_run_replaces_repeated_rows(run):
    run.add({"l1": torch.tensor(1.0)}, images=4)
    run.add({"l1": torch.tensor(2.0)}, images=4)
    assert run.log(2, 8)["l1"] == 1.5
    for step in (4, 6, 4):  # killed after step 6, resumed from before step 4
        run.add({"l1": torch.tensor(1.0), "late": torch.tensor(2.0)}, images=4)
        run.log(step, 4 * step)
    with open(run.folder / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["2", "4"]
    assert [row["late"] for row in rows] == ["", "2.0"]
