"""After a stage: encoders learn that a drawing by any hand means what its careful line drawing means.

Auto-encoders alone give an almond with a circle in it a code of its own, far from the codes of eyes. Here each encoder
learns to give any drawing of a face the code that it used to give to the line drawing of that face (the goal, by a
frozen copy), so that codes, decoders, bank and stage II all stay what they were. Mean squared error makes what a rough
drawing leaves open the mean of what it may be.

What is drawn on purpose is to be seen: beards, wrinkles, glasses, closed lips. A photo's line drawing hardly tells of a
beard, and neither does its code; and the mean of what rough lips may be is a mouth a little open. So the goal of a
drawing with such marks is moved on, the way that leads from faces without to faces with them; of one with glasses also
where the photo has none.
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
from dfd.data.pairs import (
    OLD,
    encode_plain,
    marked_drawings,
    plain_sketches,
    random_with_lines,
    with_seldom_ones,
)
from dfd.data.schematic import CLOSED, OPEN
from dfd.models import ComponentAutoencoder
from dfd.training.autoencoders import training_step
from dfd.training.run import (
    AveragedOptions,
    Run,
    adamw_and_average,
    learning_rate_factor,
    set_learning_rate,
    total_steps,
)

#: How often faces with beards or glasses and old ones are seen, in times of the others: what is drawn of them alone
#: would be learnt from a few drawings only.
OFTENER = 3

#: Faces not older than this (years) are those from which the way to the old ones leads.
YOUNG = 35

#: What a drawing says on purpose (`dfd.data.schematic.schematic`) -> the trait, and the components that see it.
MEANINGS = {
    "closed": ("closed", ("nose", "mouth")),
    "smile": ("open", ("nose", "mouth")),
    "sad": ("sad", ("nose", "mouth")),
    "glasses": ("glasses", ("left_eye", "right_eye", "nose")),
    "curls": ("curly", ("remainder",)),
    "beard": ("bearded", ("nose", "mouth")),
    "forehead": ("old", ("left_eye", "right_eye", "remainder")),
    "crows_feet": ("old", ("left_eye", "right_eye")),
    "bags": ("old", ("left_eye", "right_eye")),
    "folds": ("old", ("nose", "mouth")),
}

#: How far goals are moved, in ways from the mean of the faces without a trait to the mean of those with it: at twice
#: the way a beard or an age is hinted at, at three times it is seen, and faces are still whole at four times (seen).
#: Lips drawn closed still parted after 0.7 of the way, and closed 0.6 of it farther on (seen). Glasses are a wire at
#: one way, a frame from two on; hair waves at one and has curls at two (seen). Corners of a mouth hang a little at four
#: (seen): in photos people are hardly ever sad.
FARTHER = {"bearded": 3.0, "old": 3.0, "closed": 1.5, "open": 0.7, "sad": 4.0, "glasses": 2.5, "curly": 2.0}

#: Corners of a closed mouth that hang so far (`Person.corners_down`) are sad, every twelfth; the way to them leads from
#: those between the other two, the middle half of all.
SAD, LEVEL = 0.01, (-0.055, -0.015)

#: A way is measured from so many faces at least on both sides, who are alike otherwise.
ENOUGH = 8


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
            marks: what each drawing says on purpose (`MEANINGS`); nothing without.
            ways: trait -> component -> D, see `measured_ways`.
        """
        crops = self.layout.crop(lines)
        codes = {name: teacher.encode(crops[name]).float() for name, teacher in self.teachers.items()}
        for row, drawn in enumerate(marks):
            # A set, since several wrinkles together make nobody older than one does.
            shown = {(trait, name) for mark in drawn for trait, names in [MEANINGS[mark]] for name in names}
            for trait, name in shown:
                if name in codes and trait in ways:
                    codes[name][row] += FARTHER[trait] * ways[trait][name].to(codes[name])
        return codes


@torch.no_grad()
def measured_ways(
    losses: EncoderLosses, faces: FaceFolder, indices: np.ndarray, quiet: bool = False
) -> dict[str, dict[str, torch.Tensor]]:
    """Trait -> component -> D: the way from the mean code of faces without a trait to that of faces with it.

    Measured among faces of the same source and gender, of mouths as far open, and with or without glasses alike, so
    that it leads to nothing else: to no other background, nor from wrinkles to glasses, which the old wear more often.
    Averaged by the number of faces with the trait. A trait of too few faces is left out.
    """
    groups: dict[str, dict[tuple, tuple[list[int], list[int]]]] = {}

    def note(trait: str, row: int, having: bool, *alike: object) -> None:
        groups.setdefault(trait, {}).setdefault(alike, ([], []))[not having].append(row)

    shown = np.unique(indices)
    for row, i in enumerate(shown):
        person = faces.person(i)
        if person is None:
            continue
        kind = faces.rows[i].get("source"), int(faces.genders[i])
        opening, down = np.digitize(person.lips_apart, (CLOSED, OPEN)), person.corners_down
        note("bearded", row, person.bearded, kind, opening, person.glasses)
        note("glasses", row, person.glasses, kind, opening)
        if opening != 1:
            note("closed", row, opening == 0, kind, person.glasses)
        if opening == 0 and (down > SAD or LEVEL[0] < down < LEVEL[1]):
            note("sad", row, down > SAD, kind, person.glasses)
        if person.hairy:  # else the way would lead to more hair
            note("curly", row, person.curly, kind, person.glasses)
        if person.age is not None and not YOUNG < person.age <= OLD:
            note("old", row, person.age > OLD, kind, opening, person.glasses)
    device = next(losses.parameters()).device
    codes = encode_plain(faces, shown, losses.goals, device, quiet)
    ways = {}
    for trait, sides in groups.items():
        enough = [pair for pair in sides.values() if min(map(len, pair)) >= ENOUGH]
        if not enough:
            continue
        weights = torch.tensor([len(having) for having, _ in enough], dtype=torch.float32, device=device)
        ways[trait] = {}
        for name, samples in codes.items():
            steps = [samples[having].mean(0) - samples[lacking].mean(0) for having, lacking in enough]
            ways[trait][name] = (weights / weights.sum()) @ torch.stack(steps)
    if {"old", "glasses"} <= ways.keys():  # some glasses go unnoticed: old eyes got a wire, half of a way to glasses
        for name, way in ways["glasses"].items():
            ways["old"][name] -= (ways["old"][name] @ way) / (way @ way) * way
    if "closed" in ways:
        ways["open"] = {name: -way for name, way in ways["closed"].items()}
    return ways


def code_distance(codes: torch.Tensor, goals: torch.Tensor) -> torch.Tensor:
    """Mean squared distance of codes N x D from the codes that they are to equal, as a share of those codes' variance.

    1 is the distance of the mean code: such a drawing says nothing of its face. The goals must be a frozen encoder's:
    with the moving encoder's own, all codes became one within 1,600 images (tried).
    """
    return (codes - goals).square().mean() / goals.var(0, correction=0).mean().clamp(min=1e-6)


def train(options: Options) -> Path:
    """Trains the encoders of `start_from` further and writes `output/<component>_autoencoder`; resumes if it can.

    Raises:
        TrainingDiverged: a loss is not finite; the last good checkpoint stays.
        ValueError: there is no `start_from`.
    """
    if options.start_from is None:
        raise ValueError("encoders are trained further, not anew: start from a folder with trained auto-encoders")
    accelerator = Accelerator(mixed_precision=options.mixed_precision, cpu=not torch.cuda.is_available())
    layout = options.layout or Layout()
    faces = FaceFolder(options.data, options.cache)
    train_faces = with_seldom_ones(faces, faces.select("train"), OFTENER)
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
    run = Run(options.output, accelerator, state, options.save_minutes)
    done = run.resume()
    distributed, optimizer = accelerator.prepare(losses, optimizer)
    total = total_steps(options, accelerator)
    ways = measured_ways(losses, faces, train_faces, quiet=not accelerator.is_main_process)
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
        for name, model in autoencoders.items():
            averaged = deepcopy(model)
            averaged.encoder.load_state_dict(average.module.encoders[name].state_dict())
            averaged.save_pretrained(folder / f"{name}_autoencoder")

    return run.train(
        options,
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
