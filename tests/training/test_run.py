"""The loop, checkpoints, resumption, windows, divergence, metrics, and the learning-rate curve."""

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

from dfd.components import Layout
from dfd.models import ComponentAutoencoder, LineExtractor, presets
from dfd.training import autoencoders, encoders, lines
from dfd.training.autoencoders import Options as AutoencoderOptions
from dfd.training.run import (
    WINDOWS_FILE,
    Run,
    RunOptions,
    TrainingDiverged,
    chosen_layout,
    fast_precision,
    learning_rate_factor,
    seed_step,
    write_layout,
)
from dfd.training.synthesis import Options as SynthesisOptions


def options_of(folder, **others):
    return RunOptions(
        **{"data": folder, "output": folder, "batch_size": 3, "learning_rate": 0, "sample_steps": 2, **others}
    )


def run_of(folder, state, **others):
    return Run(options_of(folder, **others), Accelerator(cpu=True), state)


@pytest.fixture
def run(tmp_path):
    return run_of(tmp_path / "run", {"model": torch.nn.Linear(2, 2)})


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


@pytest.mark.parametrize(
    ("option", "value"), [("batch_size", 6), ("seed", 1), ("layout", Layout({"nose": (150, 200, 160)}))]
)
def test_a_run_goes_on_with_the_options_that_it_was_begun_with(run, tmp_path, option, value):
    run.save(7)
    again = run_of(tmp_path / "run", run.state, learning_rate=1, images=9)
    assert again.resume() == 7, "rates and lengths may change"
    with pytest.raises(ValueError, match=rf"checkpoint\.pt was begun with {option} .*, not "):
        run_of(tmp_path / "run", run.state, **{option: value}).resume()


def test_another_trainings_checkpoint_is_refused(run, tmp_path):
    run.save(7)
    options = AutoencoderOptions(data=tmp_path, output=tmp_path / "run", batch_size=3, sample_steps=2)
    with pytest.raises(ValueError, match="was begun with training run, not autoencoders"):
        Run(options, Accelerator(cpu=True), run.state).resume()


@pytest.mark.parametrize("share", [0, 0.5])
def test_a_damaged_checkpoint_is_named(run, share):
    run.save(7)
    path = run.folder / "checkpoint.pt"
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(ValueError, match=r"checkpoint\.pt is damaged.*delete it to begin anew"):
        run.resume()


def test_a_checkpoint_of_other_shapes_is_refused(run):
    run.save(7)
    run.state = {"model": torch.nn.Linear(3, 3)}
    with pytest.raises(ValueError, match=r"checkpoint\.pt holds networks of other shapes"):
        run.resume()


def test_a_run_at_its_end_writes_its_models_again(run):
    written = []
    folder = run.train(
        10**9, step=lambda *_: pytest.fail("trained on"), evaluate=dict, save_models=lambda where: written.append(where)
    )
    assert written == [folder], "it may have been cut off between its last checkpoint and its models"


@pytest.mark.parametrize(
    "wrong", [{"batch_size": 0}, {"images": 0}, {"sample_steps": 0}, {"batch_size": 2.5}, {"save_minutes": -1}]
)
def test_options_that_make_no_run_are_refused(tmp_path, wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be"):
        options_of(tmp_path, **wrong)


def test_windows_are_those_of_the_weights_that_training_starts_from(tmp_path):
    moved = Layout({"nose": (150, 200, 160)})
    presets.build("tiny", 64, moved.windows)["feature_mapping"].save_pretrained(tmp_path / "feature_mapping")
    assert chosen_layout(options_of(tmp_path)).windows == Layout().windows
    assert chosen_layout(options_of(tmp_path, layout=moved)).windows == moved.windows
    assert chosen_layout(options_of(tmp_path, start_from=tmp_path / "stage_1", layout=moved)).windows == moved.windows
    assert chosen_layout(options_of(tmp_path, start_from=tmp_path)).windows == moved.windows
    assert chosen_layout(options_of(tmp_path, start_from=tmp_path, layout=moved)).windows == moved.windows
    with pytest.raises(ValueError, match="other windows"):
        chosen_layout(options_of(tmp_path, start_from=tmp_path, layout=Layout()))


def test_windows_are_those_that_the_auto_encoders_were_trained_on(tmp_path):
    moved, official = Layout({"nose": (150, 200, 160)}), Layout()
    first, second = tmp_path / "first", tmp_path / "second"
    write_layout(moved, first)
    write_layout(official, second)

    def windows(autoencoders, **others):
        options = SynthesisOptions(data=tmp_path, output=tmp_path, autoencoders=autoencoders, **others)
        return chosen_layout(options).windows

    assert chosen_layout(options_of(tmp_path, start_from=first)).windows == moved.windows
    assert windows(first) == windows(first, start_from=first) == windows(first, layout=moved) == moved.windows
    assert windows(tmp_path / "older") == official.windows
    assert windows(tmp_path / "older", layout=moved) == moved.windows
    with pytest.raises(ValueError, match=r"first.windows\.json have other windows: leave out --windows"):
        windows(first, layout=official)
    with pytest.raises(ValueError, match=r"second.windows\.json have other windows: they differ from those of .*first"):
        windows(second, start_from=first)
    presets.build("tiny", 64, official.windows)["feature_mapping"].save_pretrained(first / "feature_mapping")
    assert chosen_layout(options_of(tmp_path, start_from=first)).windows == official.windows, "a pipeline's come first"


@pytest.mark.parametrize("text", ["{", "[1]", '{"chin": [0, 0, 64]}'])
def test_damaged_windows_are_named(tmp_path, text):
    (tmp_path / WINDOWS_FILE).write_text(text)
    with pytest.raises(ValueError, match=r"no windows can be read from .*windows\.json"):
        chosen_layout(options_of(tmp_path, start_from=tmp_path))


@pytest.mark.parametrize("training", [autoencoders, encoders, lines])
def test_the_average_is_made_where_training_is(quick, training, tmp_path, monkeypatch):
    for name, model in presets.build("tiny", latent_dim=64).items():
        model.save_pretrained(tmp_path / name)
    LineExtractor((8, 8)).save_pretrained(tmp_path / "line_extractor")

    def look(model, options):
        assert {p.device.type for p in model.parameters()} == {"meta"}
        raise InterruptedError

    monkeypatch.setattr(training, "adamw_and_average", look)
    monkeypatch.setattr(Accelerator, "device", torch.device("meta"))  # stands in for a GPU
    with pytest.raises(InterruptedError):
        training.train(training.Options(**quick, start_from=tmp_path))


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

    run.options = options_of(run.folder, images=13, seed=7)
    run.save_seconds = 1e9
    folder = run.train(
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
    run = run_of(folder, {"state": state}, save_minutes=0)
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
        last = run_of(tmp_path, {"state": state}).resume()
        assert last >= saved.value
        assert {value for tensor in state.tensors.values() for value in tensor.unique().tolist()} == {last}
        with open(tmp_path / "metrics.csv", newline="") as file:
            steps = [int(row["step"]) for row in csv.DictReader(file)]
        assert steps == list(range(1, len(steps) + 1)) and len(steps) >= saved.value


def test_a_full_disk_keeps_the_old_checkpoint_and_is_named(small_disk):
    model = torch.nn.Linear(2, 2)
    run = run_of(small_disk / "run", {"model": model})
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
