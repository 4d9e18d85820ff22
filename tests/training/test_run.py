"""The loop, checkpoints, resumption, divergence, metrics, and the learning-rate curve."""

import csv
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
import torch
from accelerate import Accelerator
from PIL import Image

from dfd.models import ComponentAutoencoder
from dfd.training import autoencoders
from dfd.training.run import Run, RunOptions, TrainingDiverged, fast_precision, learning_rate_factor, seed_step


@pytest.fixture
def run(tmp_path):
    model = torch.nn.Linear(2, 2)
    return Run(tmp_path / "run", Accelerator(cpu=True), {"model": model}, save_minutes=10)


def test_learning_rate_warms_up_then_falls_over_the_last_quarter():
    assert learning_rate_factor(0, 1000) == pytest.approx(0.01)
    assert learning_rate_factor(99, 1000) == learning_rate_factor(749, 1000) == 1
    assert learning_rate_factor(875, 1000) == pytest.approx(0.525)
    assert learning_rate_factor(1000, 1000) == pytest.approx(0.05)


@pytest.mark.parametrize("gpu", [True, False])
@pytest.mark.parametrize("able", [True, False])
def test_bfloat16_is_the_default_only_where_what_trains_computes_in_it(monkeypatch, gpu, able):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: gpu and able)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": able and not gpu})
    assert fast_precision() == ("bf16" if able else "no")


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


def test_the_loop_looks_every_few_steps_and_at_the_end_through_the_average(run):
    seen = []

    @contextmanager
    def averaged():
        seen.append("average")
        yield
        seen.append("end")

    def step(number, rng):
        seen.append(number)
        return {"l1": torch.tensor(rng.random())}

    def sample():
        seen.append("sample")
        return Image.new("L", (4, 4))

    options = RunOptions(
        data=run.folder, output=run.folder, images=13, batch_size=3, learning_rate=0, sample_steps=2, seed=7
    )
    run.save_seconds = 1e9
    folder = run.train(
        options,
        1,
        step=step,
        evaluate=lambda: seen.append("evaluate") or {"val": 0.5},
        sample=sample,
        save_models=lambda where: seen.append(where),
        averaged=averaged,
    )
    assert folder == run.folder
    look = ["average", "evaluate", "sample", "end"]
    assert seen == [1, *look, 2, 3, *look, 4, *look, "average", folder, "end"]  # the fifth step fills up the 13 images
    assert sorted(p.name for p in (folder / "samples").iterdir()) == ["000002.png", "000004.png", "000005.png"]
    with open(folder / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["step"], row["images"], row["val"]) for row in rows] == [
        ("2", "6", "0.5"), ("4", "12", "0.5"), ("5", "15", "0.5")
    ]  # fmt: skip
    assert float(rows[0]["l1"]) == pytest.approx(seed_step(7, 0, 1).random(), abs=1e-5)
    assert run.resume() == 5


class Steps:
    """A state of 4 MB in which every number is the step."""

    def __init__(self):
        self.tensors = {}

    def state_dict(self):
        return self.tensors

    def load_state_dict(self, tensors):
        self.tensors = tensors

    def step(self, step):
        self.tensors = {str(i): torch.full((20_000,), float(step)) for i in range(50)}


def save_for_ever(folder, saved):
    state = Steps()
    run = Run(folder, Accelerator(cpu=True), {"state": state}, save_minutes=0)
    for step in range(run.resume() + 1, 10**9):
        state.step(step)
        run.add({"l1": torch.tensor(1.0)}, images=1)
        run.log(step, step)  # before saving, as the trainers do: a step that is saved has its row
        run.save(step)
        saved.value = step


def test_a_process_killed_at_any_moment_leaves_a_whole_checkpoint(tmp_path):
    processes = multiprocessing.get_context("fork")
    saved, last = processes.Value("q", 0), 0
    for _ in range(6):
        process = processes.Process(target=save_for_ever, args=(tmp_path, saved), daemon=True)
        process.start()
        deadline = time.monotonic() + 60
        while saved.value <= last + 1 and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(random.uniform(0, 0.03))
        process.kill()
        process.join()
        assert saved.value > last, "nothing was saved"
        state = Steps()
        last = Run(tmp_path, Accelerator(cpu=True), {"state": state}, save_minutes=0).resume()
        assert last >= saved.value
        assert {value for tensor in state.tensors.values() for value in tensor.unique().tolist()} == {last}
        with open(tmp_path / "metrics.csv", newline="") as file:
            steps = [int(row["step"]) for row in csv.DictReader(file)]
        assert steps == list(range(1, len(steps) + 1)) and len(steps) >= saved.value


def test_a_full_disk_keeps_the_old_checkpoint_and_is_named(small_disk):
    model = torch.nn.Linear(2, 2)
    run = Run(small_disk / "run", Accelerator(cpu=True), {"model": model}, save_minutes=10)
    run.save(7)
    run.state = {"model": torch.nn.Linear(1000, 500)}
    with pytest.raises(OSError, match=r"run/checkpoint\.pt cannot be written: .*Make room"):
        run.save(8)
    run.state = {"model": model}
    assert run.resume() == 7


def test_a_training_that_is_killed_goes_on(quick):
    options = {**quick, "components": ("nose",), "images": 40}
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in options.items() if name != "components"]
    command = [sys.executable, "-m", "dfd.train", "autoencoders", *flags, "--components", "nose"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    while not (quick["output"] / "checkpoint.pt").exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    stored = torch.load(quick["output"] / "checkpoint.pt", weights_only=True)
    assert 1 <= stored["step"] < 20
    autoencoders.train(autoencoders.Options(**options))
    assert (quick["output"] / "metrics.csv").read_text().splitlines()[-1].startswith("20,40,")
    ComponentAutoencoder.from_pretrained(quick["output"], subfolder="nose_autoencoder")
