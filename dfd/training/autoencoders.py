"""Stage I: the component auto-encoders, self-supervised (paper, section 3.4).

They see a face's drawing in any style and are to give back its clean drawing, so that a rough sketch and a careful
one of the same face get codes close to each other: the paper reconstructs the one style that it has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from PIL import Image
from torch import nn

from dfd.components import COMPONENTS, Layout
from dfd.data.faces import FaceFolder
from dfd.data.pairs import random_sketches, sketches_of
from dfd.models import ComponentAutoencoder, presets
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

CLIP_NORM = 1.0


@dataclass(kw_only=True)
class Options(AveragedOptions):
    """Options of stage I."""

    latent_dim: int = 512
    components: Sequence[str] = COMPONENTS
    batch_size: int = 16
    learning_rate: float = 4e-4
    sample_steps: int = 250
    freeze_encoders: bool = False


def pyramid_loss(prediction: torch.Tensor, target: torch.Tensor, levels: int = 3) -> torch.Tensor:
    """Mean squared error over an averaging pyramid, each coarser level weighted twice.

    Plain MSE hardly rewards a thin line that is drawn one pixel off; coarser levels do.
    """
    loss = F.mse_loss(prediction, target)
    for _ in range(levels - 1):
        prediction, target = F.avg_pool2d(prediction, 2), F.avg_pool2d(target, 2)
        loss = loss + 2 * F.mse_loss(prediction, target)
    return loss


class AutoencoderLosses(nn.Module):
    """Sketches and clean drawings, N x 1 x 512 x 512 each -> loss of each component.

    One module, so that it can be distributed as one.

    Args:
        autoencoders: component -> what is trained.
        layout: where the components lie.
        freeze_encoders: whether decoders alone learn: encoders that photos have taught (`dfd.training.synthesis`) give
            other codes than those that their decoders know.
    """

    def __init__(self, autoencoders: dict[str, ComponentAutoencoder], layout: Layout, freeze_encoders: bool = False):
        super().__init__()
        self.autoencoders = nn.ModuleDict(autoencoders)
        self.layout = layout
        self.freeze_encoders = freeze_encoders
        for model in self.autoencoders.values():
            model.encoder.requires_grad_(not freeze_encoders)

    def train(self, mode: bool = True) -> AutoencoderLosses:
        """As always, but frozen encoders keep their BatchNorm statistics too."""
        super().train(mode)
        for model in self.autoencoders.values():
            model.encoder.train(mode and not self.freeze_encoders)
        return self

    @property
    def networks(self) -> nn.ModuleDict:
        """What is trained, by component; they share no parameter."""
        return self.autoencoders

    def forward(self, sketches: torch.Tensor, targets: torch.Tensor) -> dict[str, torch.Tensor]:
        crops, wanted = self.layout.crop(sketches), self.layout.crop(targets)
        return {
            name: pyramid_loss(model(crops[name]).float(), model.reduce(wanted[name]))
            for name, model in self.autoencoders.items()
        }


def train(options: Options) -> Path:
    """Trains the auto-encoders and writes each to `output/<component>_autoencoder`; resumes if it can.

    Raises:
        TrainingDiverged: a loss is not finite; the last good checkpoint stays.
        ValueError: there are no faces to train on, or weights, windows and checkpoint do not fit, or encoders are to be
            frozen that were never trained.
    """
    if options.freeze_encoders and options.start_from is None:
        raise ValueError("new encoders know nothing yet: to freeze encoders, start from a folder with trained ones")
    accelerator = Accelerator(mixed_precision=options.mixed_precision, cpu=not torch.cuda.is_available())
    layout = chosen_layout(options)
    faces = FaceFolder(options.data, options.cache)
    train_faces = faces.to_train_on()
    torch.manual_seed(options.seed)
    if options.start_from is not None:
        autoencoders = {
            name: ComponentAutoencoder.from_pretrained(options.start_from / f"{name}_autoencoder")
            for name in options.components
        }
    else:
        models = presets.build(options.preset, options.latent_dim, layout.windows)
        autoencoders = {name: models[f"{name}_autoencoder"] for name in options.components}
    losses = AutoencoderLosses(autoencoders, layout, options.freeze_encoders)
    losses.to(accelerator.device, memory_format=torch.channels_last)  # before its average is made, which is a copy
    optimizer, average = adamw_and_average(losses, options)
    state = {"models": losses, "optimizer": optimizer, "average": average}
    run = Run(options, accelerator, state)
    done = run.resume()
    distributed, optimizer = accelerator.prepare(losses, optimizer)
    total = total_steps(options, accelerator)
    held_out = faces.held_out()[:64]
    # The same faces in the same styles at every look.
    held_out = [x.to(accelerator.device) for x in sketches_of(faces, held_out, layout, np.random.default_rng(0))]

    def step(number: int, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        set_learning_rate(optimizer, options.learning_rate * learning_rate_factor(number, total))
        batch = random_sketches(faces, train_faces, layout, rng, options.batch_size)
        values = training_step(distributed, *(x.to(accelerator.device) for x in batch), optimizer, accelerator)
        average.update_parameters(losses)
        return values

    def save_models(folder: Path) -> None:
        write_layout(layout, folder)
        for name, model in average.module.autoencoders.items():
            model.save_pretrained(folder / f"{name}_autoencoder")

    return run.train(
        done,
        step=step,
        evaluate=lambda: evaluate(average.module, *held_out),
        sample=lambda: sample_grid(average.module, *(x[:12] for x in held_out)),
        save_models=save_models,
    )


def training_step(
    losses: nn.Module,
    sketches: torch.Tensor,
    targets: torch.Tensor | Mapping[str, torch.Tensor],
    optimizer: torch.optim.Optimizer,
    accelerator: Accelerator,
) -> dict[str, torch.Tensor]:
    """One step on sketches, N x 1 x 512 x 512, and what they stand for; returns each component's loss.

    Serves any module that gives losses by component and has `networks`.
    """
    losses.train()
    with accelerator.autocast():
        values = losses(sketches, targets)
    optimizer.zero_grad()
    accelerator.backward(torch.stack(list(values.values())).sum())
    # Clipped one by one, no component slows another down.
    for network in accelerator.unwrap_model(losses).networks.values():
        accelerator.clip_grad_norm_(network.parameters(), CLIP_NORM)
    optimizer.step()
    return values


@torch.no_grad()
def evaluate(losses: AutoencoderLosses, sketches: torch.Tensor, targets: torch.Tensor) -> dict[str, float]:
    """Share of the clean drawings' variance that reconstructions miss (0 is perfect, 1 is the mean drawing)."""
    losses.eval()
    result = {}
    wanted = losses.layout.crop(targets)
    for name, crop in losses.layout.crop(sketches).items():
        if name in losses.autoencoders:
            model = losses.autoencoders[name]
            target = model.reduce(wanted[name])
            error = F.mse_loss(model(crop).float(), target)
            result[f"val_{name}"] = float(error / (target - target.mean(0)).square().mean().clamp(min=1e-9))
    return result


@torch.no_grad()
def sample_grid(losses: AutoencoderLosses, sketches: torch.Tensor, targets: torch.Tensor) -> Image.Image:
    """For each component a row of sketches, of reconstructions and of clean drawings, black on white."""
    losses.eval()
    rows = []
    wanted = losses.layout.crop(targets)
    for name, crop in losses.layout.crop(sketches).items():
        if name in losses.autoencoders:
            model = losses.autoencoders[name]
            for ink in (model.reduce(crop), model(crop).float(), model.reduce(wanted[name])):
                rows.append(torch.cat([F.interpolate(ink, (128, 128))[i, 0] for i in range(len(ink))], 1))
    grid = 255 * (1 - torch.cat(rows).clamp(0, 1))
    return Image.fromarray(grid.cpu().numpy().astype(np.uint8))
