"""Stage I: the component auto-encoders, self-supervised (paper, section 3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from PIL import Image
from torch import nn
from tqdm import tqdm

from dfd.components import COMPONENTS, Layout
from dfd.data.faces import FaceFolder
from dfd.data.pairs import plain_sketches, random_sketches
from dfd.models import ComponentAutoencoder, presets
from dfd.training.run import Run, RunOptions, learning_rate_factor, seed_step

CLIP_NORM = 1.0


@dataclass(kw_only=True)
class Options(RunOptions):
    """Options of stage I."""

    latent_dim: int = 512
    components: Sequence[str] = COMPONENTS
    batch_size: int = 16
    learning_rate: float = 4e-4
    weight_decay: float = 0.01
    sample_steps: int = 250


def pyramid_loss(prediction: torch.Tensor, target: torch.Tensor, levels: int = 3) -> torch.Tensor:
    """Mean squared error over an averaging pyramid, each level weighted like the finest.

    Plain MSE hardly rewards a thin line that is drawn one pixel off; coarser levels do.
    """
    loss = F.mse_loss(prediction, target)
    for _ in range(levels - 1):
        prediction, target = F.avg_pool2d(prediction, 2), F.avg_pool2d(target, 2)
        loss = loss + 2 * F.mse_loss(prediction, target)
    return loss


class AutoencoderLosses(nn.Module):
    """Sketches N x 1 x 512 x 512 -> loss of each component. One module, so that it can be distributed as one."""

    def __init__(self, autoencoders: dict[str, ComponentAutoencoder], layout: Layout):
        super().__init__()
        self.autoencoders = nn.ModuleDict(autoencoders)
        self.layout = layout

    def forward(self, sketches: torch.Tensor) -> dict[str, torch.Tensor]:
        crops = self.layout.crop(sketches)
        return {
            name: pyramid_loss(model(crops[name]).float(), model.reduce(crops[name]))
            for name, model in self.autoencoders.items()
        }


def train(options: Options) -> Path:
    """Trains the auto-encoders and writes each to `output/<component>_autoencoder`; resumes if it can.

    Raises:
        TrainingDiverged: a loss is not finite; the last good checkpoint stays.
    """
    accelerator = Accelerator(mixed_precision=options.mixed_precision, cpu=not torch.cuda.is_available())
    layout = options.layout or Layout()
    faces = FaceFolder(options.data, options.cache)
    train_faces = faces.select("train")
    torch.manual_seed(options.seed)
    if options.start_from is not None:
        autoencoders = {
            name: ComponentAutoencoder.from_pretrained(options.start_from / f"{name}_autoencoder")
            for name in options.components
        }
    else:
        models = presets.build(options.preset, options.latent_dim, layout.windows)
        autoencoders = {name: models[f"{name}_autoencoder"] for name in options.components}
    losses = AutoencoderLosses(autoencoders, layout).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(
        losses.parameters(), options.learning_rate, weight_decay=options.weight_decay, fused=True
    )
    run = Run(options.output, accelerator, {"models": losses, "optimizer": optimizer}, options.save_minutes)
    done = run.resume()
    distributed, optimizer = accelerator.prepare(losses, optimizer)
    per_step = options.batch_size * accelerator.num_processes
    total = -(-options.images // per_step)
    held_out = faces.select("validation")
    held_out = plain_sketches(faces, (held_out if len(held_out) else train_faces)[:64])

    progress = tqdm(total=total, initial=done, unit="step", disable=not accelerator.is_main_process)
    for step in range(done, total):
        rng = seed_step(options.seed, accelerator.process_index, step)
        for group in optimizer.param_groups:
            group["lr"] = options.learning_rate * learning_rate_factor(step, total)
        batch = random_sketches(faces, train_faces, layout, rng, options.batch_size).to(accelerator.device)
        run.add(training_step(distributed, batch, optimizer, accelerator), per_step)
        progress.update()
        last = step + 1 == total
        if (step + 1) % options.sample_steps == 0 or last:
            row = run.log(step + 1, (step + 1) * per_step, evaluate(losses, held_out.to(accelerator.device)))
            progress.set_postfix(row)
            if accelerator.is_main_process:
                sample_grid(losses, held_out[:12].to(accelerator.device)).save(
                    run.folder / "samples" / f"{step + 1:06d}.png"
                )
        if run.due() or last:
            run.save(step + 1)
            if accelerator.is_main_process:
                for name, model in losses.autoencoders.items():
                    model.save_pretrained(run.folder / f"{name}_autoencoder")
    accelerator.wait_for_everyone()
    return run.folder


def training_step(
    losses: nn.Module, sketches: torch.Tensor, optimizer: torch.optim.Optimizer, accelerator: Accelerator
) -> dict[str, torch.Tensor]:
    """One step on sketches N x 1 x 512 x 512; returns each component's loss."""
    losses.train()
    with accelerator.autocast():
        values = losses(sketches)
    optimizer.zero_grad()
    accelerator.backward(torch.stack(list(values.values())).sum())
    # The components share no parameter: clipped one by one, none slows another down.
    for model in accelerator.unwrap_model(losses).autoencoders.values():
        accelerator.clip_grad_norm_(model.parameters(), CLIP_NORM)
    optimizer.step()
    return values


@torch.no_grad()
def evaluate(losses: AutoencoderLosses, sketches: torch.Tensor) -> dict[str, float]:
    """Share of the drawings' variance that reconstructions miss (0 is perfect, 1 is the mean drawing)."""
    losses.eval()
    result = {}
    for name, crop in losses.layout.crop(sketches).items():
        if name in losses.autoencoders:
            model = losses.autoencoders[name]
            target = model.reduce(crop)
            error = F.mse_loss(model(crop).float(), target)
            result[f"val_{name}"] = float(error / (target - target.mean(0)).square().mean().clamp(min=1e-9))
    return result


@torch.no_grad()
def sample_grid(losses: AutoencoderLosses, sketches: torch.Tensor) -> Image.Image:
    """Each component of each sketch above its reconstruction, black on white."""
    losses.eval()
    rows = []
    for name, crop in losses.layout.crop(sketches).items():
        if name in losses.autoencoders:
            model = losses.autoencoders[name]
            for ink in (model.reduce(crop), model(crop).float()):
                rows.append(torch.cat([F.interpolate(ink, (128, 128))[i, 0] for i in range(len(ink))], 1))
    grid = 255 * (1 - torch.cat(rows).clamp(0, 1))
    return Image.fromarray(grid.cpu().numpy().astype(np.uint8))
