"""For a stage II that leaves encoders frozen: they learn that a drawing by any hand means what its lines mean.

A stage II that trains encoders teaches them that too (`dfd.training.synthesis`).

Auto-encoders alone give an almond with a circle in it a code of its own, far from the codes of eyes. Here each encoder
learns to give any drawing of a face the code that it used to give to the line drawing of that face (the goal, by a
frozen copy), so that codes, decoders, bank and stage II all stay what they were. Mean squared error makes what a rough
drawing leaves open the mean of what it may be.

The goal of a drawing with marks is moved on (`dfd.training.meanings`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn

from dfd.components import COMPONENTS, Layout
from dfd.data.faces import FaceFolder
from dfd.data.pairs import encode_plain, marked_drawings, plain_sketches, random_with_lines, with_seldom_ones
from dfd.models import ComponentAutoencoder
from dfd.training.autoencoders import training_step
from dfd.training.meanings import measured_ways, moved_on
from dfd.training.run import (
    AveragedOptions,
    Run,
    adamw_and_average,
    chosen_layout,
    learning_rate_factor,
    set_learning_rate,
    total_steps,
    write_layout,
)

#: How often faces with beards or glasses and old ones are seen, in times of the others: what is drawn of them alone
#: would be learnt from a few drawings only.
OFTENER = 3


@dataclass(kw_only=True)
class Options(AveragedOptions):
    """Options of the encoders' training."""

    components: Sequence[str] = COMPONENTS
    batch_size: int = 8
    learning_rate: float = 5e-4
    sample_steps: int = 250


class EncoderLosses(nn.Module):
    """Drawings, N x 1 x 512 x 512, and the codes that they are to get (`goals`) -> loss of each component.

    One module, so that it can be distributed as one.

    Args:
        autoencoders: component -> trained auto-encoder; only its encoder is trained further, its decoder is frozen.
        layout: where the components lie.
    """

    def __init__(self, autoencoders: Mapping[str, ComponentAutoencoder], layout: Layout):
        super().__init__()
        for model in autoencoders.values():
            model.decoder.requires_grad_(False)
        # Not among the module's own parts: they are neither trained nor averaged nor saved.
        self.teachers = {name: deepcopy(model).eval().requires_grad_(False) for name, model in autoencoders.items()}
        self.encoders = nn.ModuleDict({name: model.encoder for name, model in autoencoders.items()})
        self.layout = layout

    @property
    def networks(self) -> nn.ModuleDict:
        """What is trained, by component; they share no parameter."""
        return self.encoders

    def forward(self, sketches: torch.Tensor, goals: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        crops = self.layout.crop(sketches)
        return {
            name: code_distance(encoder(self.teachers[name].reduce(crops[name])).float(), goals[name])
            for name, encoder in self.encoders.items()
        }

    @torch.no_grad()
    def goals(
        self, lines: torch.Tensor, marks: Sequence[Set[str]] = (), ways: Mapping[str, Mapping[str, torch.Tensor]] = {}
    ) -> dict[str, torch.Tensor]:
        """The codes that drawings are to get, component -> float32 N x D.

        Args:
            lines: N x 1 x 512 x 512, the plain line drawings of the same faces.
            marks: what each drawing says on purpose (`dfd.training.meanings.MEANINGS`); nothing without.
            ways: trait -> component -> D, see `dfd.training.meanings`.
        """
        crops = self.layout.crop(lines)
        codes = {name: teacher.encode(crops[name]).float() for name, teacher in self.teachers.items()}
        return moved_on(codes, marks, ways)


def code_distance(codes: torch.Tensor, goals: torch.Tensor) -> torch.Tensor:
    """Mean squared distance of codes N x D from the codes that they are to equal, as a share of those codes' variance.

    1 is the distance of the mean code, where the N drawings are of many faces: such a drawing says nothing of its face.
    The goals must be a frozen encoder's: with the moving encoder's own, all codes became one within 1,600 images
    (tried).
    """
    return (codes - goals).square().mean() / goals.var(0, correction=0).mean().clamp(min=1e-6)


def train(options: Options) -> Path:
    """Trains the encoders of `start_from` further and writes `output/<component>_autoencoder`; resumes if it can.

    Raises:
        TrainingDiverged: a loss is not finite; the last good checkpoint stays.
        ValueError: there is no `start_from`, or see `dfd.training.autoencoders.train`.
    """
    if options.start_from is None:
        raise ValueError("encoders are trained further, not anew: start from a folder with trained auto-encoders")
    accelerator = Accelerator(mixed_precision=options.mixed_precision, cpu=not torch.cuda.is_available())
    layout = chosen_layout(options)
    faces = FaceFolder(options.data, options.cache)
    train_faces = with_seldom_ones(faces, faces.to_train_on(), OFTENER)
    torch.manual_seed(options.seed)
    autoencoders = {
        name: ComponentAutoencoder.from_pretrained(options.start_from / f"{name}_autoencoder")
        for name in options.components
    }
    losses = EncoderLosses(autoencoders, layout).to(accelerator.device, memory_format=torch.channels_last)
    for teacher in losses.teachers.values():
        teacher.to(accelerator.device, memory_format=torch.channels_last)
    optimizer, average = adamw_and_average(losses, options)
    state = {"models": losses, "optimizer": optimizer, "average": average}
    run = Run(options, accelerator, state)
    done = run.resume()
    distributed, optimizer = accelerator.prepare(losses, optimizer)
    total = total_steps(options, accelerator)
    shown = np.unique(train_faces)
    codes = encode_plain(faces, shown, losses.goals, accelerator.device, quiet=not accelerator.is_main_process)
    ways = measured_ways(codes, faces, shown)
    held_out = faces.held_out()[:64]
    rng = np.random.default_rng(0)  # the same faces in the same styles at every look

    def with_goals(drawings: torch.Tensor, lines: torch.Tensor, marks: list[frozenset[str]]):
        lines = lines.to(accelerator.device)
        return drawings.to(accelerator.device), losses.goals(lines, marks, ways)

    drawings, marks = marked_drawings(faces, held_out, layout, rng)
    held_out = with_goals(drawings, plain_sketches(faces, held_out), marks)

    def step(number: int, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        set_learning_rate(optimizer, options.learning_rate * learning_rate_factor(number, total))
        batch = random_with_lines(faces, train_faces, layout, rng, options.batch_size)
        values = training_step(distributed, *with_goals(*batch), optimizer, accelerator)
        average.update_parameters(losses)
        return values

    def save_models(folder: Path) -> None:
        write_layout(layout, folder)
        for name, model in autoencoders.items():
            averaged = deepcopy(model)
            averaged.encoder.load_state_dict(average.module.encoders[name].state_dict())
            averaged.save_pretrained(folder / f"{name}_autoencoder")

    return run.train(
        done,
        step=step,
        evaluate=lambda: evaluate(average.module, *held_out),
        save_models=save_models,
    )


@torch.no_grad()
def evaluate(losses: EncoderLosses, sketches: torch.Tensor, goals: Mapping[str, torch.Tensor]) -> dict[str, float]:
    """`code_distance` of each component on faces not trained on."""
    losses.eval()
    return {f"val_{name}": float(value) for name, value in losses(sketches, goals).items()}
