"""What all trainers share: the loop, a run's folder, its checkpoints, its learning-rate curve and its metrics."""

from __future__ import annotations

import csv
import json
import math
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast, gather
from PIL import Image
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from dfd.checks import check_whole
from dfd.components import Layout
from dfd.data.windows import write_windows
from dfd.files import whole_file
from dfd.precision import computes_in_bfloat16

WARMUP_STEPS = 100
FINAL_LEARNING_RATE = 0.05

#: Beside auto-encoders: the windows whose crops they know.
WINDOWS_FILE = "windows.json"

#: Options that a resumed run must have as it was begun: the checkpoint's state would not fit, or the option would do
#: nothing, or images would be counted wrongly.
FIXED = (
    *("preset", "latent_dim", "components", "layout", "batch_size", "seed", "weight_decay", "ema_decay"),
    *("freeze_encoders", "train_encoders", "discriminator"),
)


def fast_precision() -> str:
    """`bf16` where the device that trains computes in it, else `no`: imitated it is slower than float32."""
    return "bf16" if computes_in_bfloat16("cuda" if torch.cuda.is_available() else "cpu") else "no"


@dataclass(kw_only=True)
class RunOptions:
    """What all trainers have options for; the command line shows them with their help."""

    data: Path
    output: Path
    cache: Path = Path("runs/cache")
    start_from: Path | None = None
    preset: str = "compact"
    images: int = 100_000
    batch_size: int
    learning_rate: float
    save_minutes: float = 10
    sample_steps: int
    seed: int = 0
    mixed_precision: str = fast_precision()
    layout: Layout | None = None

    def __post_init__(self):
        for name in ("images", "batch_size", "sample_steps"):
            check_whole(name, getattr(self, name), 1)
        if not self.save_minutes >= 0:
            raise ValueError(f"save_minutes must be 0 or more, got {self.save_minutes!r}")

    @property
    def fixed(self) -> dict[str, str]:
        """What a checkpoint must have been begun with, as text: which training this is, and its `FIXED` options."""
        chosen = {f.name: getattr(self, f.name) for f in fields(self) if f.name in FIXED}
        chosen["layout"] = chosen_layout(self).windows
        if "components" in chosen:
            chosen["components"] = list(chosen["components"])
        return {"training": type(self).__module__.rpartition(".")[2], **{n: str(v) for n, v in chosen.items()}}


def chosen_layout(options: RunOptions) -> Layout:
    """Where the components lie: as in the weights that training starts from, if they say so, else as asked for.

    Weights are those of `start_from` and, where a training has that option, of `autoencoders`.

    Raises:
        ValueError: two of them say so, and differ; or a file of windows is damaged.
    """
    files = []
    if options.start_from is not None:
        config = options.start_from / "feature_mapping" / "config.json"
        files.append(config if config.is_file() else options.start_from / WINDOWS_FILE)
    if (autoencoders := getattr(options, "autoencoders", None)) is not None:
        files.append(autoencoders / WINDOWS_FILE)
    layout = options.layout
    for file in filter(Path.is_file, files):
        stored = _read_layout(file)
        if layout is not None and layout.windows != stored.windows:
            what = "leave out --windows" if options.layout is not None else f"they differ from those of {files[0]}"
            raise ValueError(f"the weights of {file} have other windows: {what}")
        layout = stored
    return layout or Layout()


def _read_layout(file: Path) -> Layout:
    try:
        stored = json.loads(file.read_text())
        return Layout(stored["windows"] if file.name == "config.json" else stored)
    except (ValueError, KeyError, TypeError) as error:  # the latter two: a config of something else
        raise ValueError(f"no windows can be read from {file}: {error}") from error


def write_layout(layout: Layout, folder: Path) -> None:
    """Writes windows into the folder of the auto-encoders that were trained on them, for `chosen_layout`."""
    write_windows(layout.boxes, folder / WINDOWS_FILE)


@dataclass(kw_only=True)
class AveragedOptions(RunOptions):
    """Options of the trainers that use `adamw_and_average`."""

    weight_decay: float = 0.01
    ema_decay: float = 0.998


def adamw_and_average(model: torch.nn.Module, options: AveragedOptions) -> tuple[torch.optim.AdamW, AveragedModel]:
    """A model's optimiser, and what is shown, measured and saved of it.

    That is the moving average of weights and BatchNorm statistics: at these learning rates the last step's weights are
    noisy.
    """
    optimizer = torch.optim.AdamW(
        model.parameters(), options.learning_rate, weight_decay=options.weight_decay, fused=True
    )
    return optimizer, AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(options.ema_decay), use_buffers=True)


def learning_rate_factor(step: int, total_steps: int) -> float:
    """Linear warm-up, constant, then a half cosine to 5 % over the last quarter (measured: design of stage II)."""
    decay = max(0.0, (step / total_steps - 0.75) / 0.25)
    cosine = FINAL_LEARNING_RATE + (1 - FINAL_LEARNING_RATE) * 0.5 * (1 + math.cos(math.pi * min(decay, 1)))
    return min(1.0, (step + 1) / WARMUP_STEPS) * cosine


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Sets the learning rate of all of an optimizer's parameters."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def total_steps(options: RunOptions, accelerator: Accelerator) -> int:
    """Steps in which all processes together see `options.images` images, the last batch filled up."""
    return -(-options.images // (options.batch_size * accelerator.num_processes))


def seed_step(seed: int, rank: int, step: int) -> np.random.Generator:
    """Seeds torch for one step and returns that step's numpy generator.

    All randomness of a step follows from (seed, rank, step), so a resumed run continues exactly the random
    sequence of the one that was interrupted, with no generator state to store.
    """
    torch.manual_seed((seed * 1_000_003 + rank) * 1_000_003 + step)
    return np.random.default_rng([seed, rank, step])


class TrainingDiverged(RuntimeError):
    """A loss became NaN or infinite."""


class Run:
    """A training run's folder: `checkpoint.pt` (resume), `metrics.csv`, `samples/`.

    Args:
        options: `output` is the folder, made if it does not exist; at most `save_minutes` of training are lost when the
            process is killed.
        state: name -> object with `state_dict` and `load_state_dict`; all of it is saved and resumed.
        optional: names of the state that older checkpoints lack. `lacking` has those that the resumed one lacked.
    """

    def __init__(
        self, options: RunOptions, accelerator: Accelerator, state: Mapping[str, Any], optional: Collection[str] = ()
    ):
        self.options = options
        self.begun = {**options.fixed, "processes": str(accelerator.num_processes)}
        self.folder = options.output
        self.accelerator = accelerator
        self.state = state
        self.optional = optional
        self.lacking: set[str] = set()
        self.save_seconds = options.save_minutes * 60
        self.saved_at = self.logged_at = time.monotonic()
        self.images_since_log = 0
        self.sums: dict[str, float] = {}
        self.counts: dict[str, int] = {}
        (self.folder / "samples").mkdir(parents=True, exist_ok=True)

    def resume(self) -> int:
        """Loads the last checkpoint, if there is one, and returns the number of steps already done.

        Raises:
            ValueError: it cannot be read, or belongs to another training or to other `FIXED` options, or not all
                processes found the same one.
        """
        try:
            step = self._load()
        except Exception:
            self._steps_of_all(-1)  # the others wait for this process there
            raise
        steps = self._steps_of_all(step)
        if len(set(steps)) > 1:
            found = ", ".join("unusable" if s < 0 else str(s) for s in steps)
            raise ValueError(
                f"the processes found different checkpoints (steps {found}): --output must be on a disk that all "
                "machines share"
            )
        return step

    def _steps_of_all(self, step: int) -> list[int]:
        return gather(torch.tensor([step], device=self.accelerator.device)).tolist()

    def _load(self) -> int:
        path = self.folder / "checkpoint.pt"
        if not path.is_file():
            return 0
        try:
            stored = torch.load(path, map_location="cpu", weights_only=True)
        except OSError:
            raise
        except Exception as error:  # whatever broken contents make its readers raise
            raise ValueError(f"{path} is damaged and cannot be resumed from: delete it to begin anew") from error
        for name, value in stored.pop("begun", {}).items():
            if value != (now := self.begun.get(name)):
                raise ValueError(
                    f"{path} was begun with {name} {value}, not {now}: go on with that, or into another folder"
                )
        step = stored.pop("step")
        self.lacking = set(self.state) - set(stored)
        if not self.lacking <= set(self.optional) or not set(stored) <= set(self.state):
            raise ValueError(f"{path} holds {sorted(stored)}, this run needs {sorted(self.state)}: other options?")
        try:
            for name, target in self.state.items():
                if name in stored:
                    target.load_state_dict(stored[name])
        except (RuntimeError, KeyError) as error:
            raise ValueError(f"{path} holds networks of other shapes: choose another folder") from error
        return step

    def train(
        self,
        done: int,
        *,
        step: Callable[[int, np.random.Generator], Mapping[str, torch.Tensor]],
        evaluate: Callable[[], Mapping[str, float]],
        save_models: Callable[[Path], None],
        sample: Callable[[], Image.Image] | None = None,
        averaged: Callable[[], AbstractContextManager] = nullcontext,
    ) -> Path:
        """Trains from step `done` to the end, with figures and samples every `sample_steps`; returns the folder.

        Args:
            done: steps already done, from `resume`.
            step: trains on one batch, given its step's number and generator; returns the losses.
            evaluate: figures of faces not trained on, for `metrics.csv`; every process computes them.
            save_models: writes what was trained to the run's folder, in the main process, with each checkpoint.
            sample: draws what is kept in `samples/`, in the main process.
            averaged: the context in which the last three see the moving average of the weights, if they need one.

        Raises:
            TrainingDiverged: a loss is not finite; the last good checkpoint stays.
        """
        options, main = self.options, self.accelerator.is_main_process
        per_step = options.batch_size * self.accelerator.num_processes
        total = total_steps(options, self.accelerator)
        progress = tqdm(total=total, initial=done, unit="step", disable=not main)
        if done >= total and main:  # perhaps cut off after its last checkpoint, before its models were written
            print(f"{self.folder} is trained to its end: its models are written once more")
            with averaged():
                save_models(self.folder)
        while done < total:
            rng = seed_step(options.seed, self.accelerator.process_index, done)
            self.add(step(done, rng), per_step)
            done += 1
            progress.update()
            if done % options.sample_steps == 0 or done == total:
                with averaged():
                    row = self.log(done, done * per_step, evaluate())
                    if main and sample is not None:
                        sample().save(self.folder / "samples" / f"{done:06d}.png")
                progress.set_postfix(row)
            if self.due() or done == total:
                self.save(done)
                if main:
                    with averaged():
                        save_models(self.folder)
        self.accelerator.wait_for_everyone()
        return self.folder

    def due(self) -> bool:
        """Whether `save_minutes` have passed since the last checkpoint, by the main process's clock.

        One clock for all: processes that disagree would wait for each other in different places, for ever.
        """
        due = torch.tensor([time.monotonic() - self.saved_at > self.save_seconds], device=self.accelerator.device)
        return bool(broadcast(due))

    def save(self, step: int) -> None:
        """Writes the checkpoint beside the old one, then renames it: there is always a whole one."""
        self.saved_at = time.monotonic()
        if self.accelerator.is_main_process:
            with whole_file(self.folder / "checkpoint.pt") as partial:
                state = {name: value.state_dict() for name, value in self.state.items()}
                torch.save({"step": step, "begun": self.begun, **state}, partial)
        self.accelerator.wait_for_everyone()

    def add(self, losses: Mapping[str, torch.Tensor], images: int) -> None:
        """Adds a step's losses to the running means. Raises TrainingDiverged if one of them is not finite."""
        values = {name: float(loss.detach()) for name, loss in losses.items()}
        bad = [name for name, value in values.items() if not math.isfinite(value)]
        if bad:
            raise TrainingDiverged(
                f"loss {', '.join(bad)} is not finite; {self.folder / 'checkpoint.pt'} is the last good state. "
                "Resume from it with a lower learning rate."
            )
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
            self.counts[name] = self.counts.get(name, 0) + 1
        self.images_since_log += images

    def log(self, step: int, images: int, extra: Mapping[str, float] | None = None) -> dict[str, float]:
        """Appends the means since the last call to `metrics.csv` and returns that row."""
        now = time.monotonic()
        row = {
            "step": step,
            "images": images,
            "images_per_second": round(self.images_since_log / max(now - self.logged_at, 1e-9), 3),
            **{name: round(total / self.counts[name], 5) for name, total in self.sums.items()},
            **{name: round(value, 5) for name, value in (extra or {}).items()},
        }
        self.logged_at, self.images_since_log, self.sums, self.counts = now, 0, {}, {}
        if self.accelerator.is_main_process:
            self._append(row)
        return row

    def _append(self, row: Mapping[str, float]) -> None:
        path = self.folder / "metrics.csv"
        rows = [row]
        if path.is_file():
            with open(path, newline="") as file:
                # A resumed run repeats the steps after its checkpoint: the new rows replace the old.
                rows = [old for old in csv.DictReader(file) if int(old["step"]) < row["step"]] + rows
        columns = list(dict.fromkeys(name for r in rows for name in r))
        with whole_file(path) as partial, open(partial, "w", newline="") as file:
            writer = csv.DictWriter(file, columns, restval="")
            writer.writeheader()
            writer.writerows(rows)
