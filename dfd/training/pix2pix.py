"""The baseline: a plain pix2pix (Isola et al. 2017), trained on photos and drawings made as those of stage II.

Two things differ. Faces are drawn evenly here; stage II sees seldom ones more often. And a drawing that says something
on purpose (`dfd.training.meanings`) is replaced by the plain lines as a whole; a stage II that trains encoders replaces
only the codes of the components that say it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from PIL import Image
from tqdm import tqdm

from dfd.components import CANVAS
from dfd.data.faces import FaceFolder
from dfd.data.pairs import load_photos, plain_sketches, random_pairs
from dfd.models.discriminator import MultiScaleDiscriminator
from dfd.models.unet import WIDTHS, UNet
from dfd.training.run import Run, RunOptions, chosen_layout, learning_rate_factor, seed_step, set_learning_rate

#: Weight of L1 beside the adversarial loss, as published.
L1_WEIGHT = 100.0

#: Channels of the PatchGAN's first layer by preset; the published 64 would cost more than the compact U-Net itself.
PATCH_WIDTHS = {"paper": 64, "compact": 32, "tiny": 8}


@dataclass(kw_only=True)
class Options(RunOptions):
    """Options of the baseline. `hours` of training time, if given, end the run in place of `images`."""

    batch_size: int = 8
    learning_rate: float = 2e-4
    min_size: int = CANVAS
    hours: float | None = None
    sample_steps: int = 200

    def __post_init__(self):
        super().__post_init__()
        if self.hours is not None and not self.hours > 0:
            raise ValueError(f"hours must be more than 0, got {self.hours!r}")


class Clock:
    """Seconds of training done, over all resumed pieces of a run."""

    def __init__(self):
        self.before, self.started = 0.0, time.monotonic()

    def seconds(self) -> float:
        return self.before + time.monotonic() - self.started

    def state_dict(self) -> dict[str, float]:
        return {"seconds": self.seconds()}

    def load_state_dict(self, state: dict[str, float]) -> None:
        self.before, self.started = state["seconds"], time.monotonic()


class Pix2PixTrainer:
    """One training step and the state that it changes.

    Args:
        unet: the generator.
        options: rates, preset.
    """

    def __init__(self, unet: UNet, options: Options, accelerator: Accelerator | None = None):
        self.accelerator = accelerator or Accelerator(mixed_precision=options.mixed_precision, cpu=True)
        self.options = options
        device = self.accelerator.device
        self.unet = unet.to(device, memory_format=torch.channels_last)
        # One scale with three layers is the PatchGAN of 70 px, conditioned on the drawing.
        patch = MultiScaleDiscriminator(scales=1, layers=3, width=PATCH_WIDTHS[options.preset])
        self.discriminator = patch.to(device, memory_format=torch.channels_last)
        self.optimizers = [
            torch.optim.Adam(network.parameters(), options.learning_rate, betas=(0.5, 0.999), fused=True)
            for network in (self.unet, self.discriminator)
        ]
        self.state = {
            "unet": self.unet,
            "discriminator": self.discriminator,
            "optimizer": self.optimizers[0],
            "discriminator_optimizer": self.optimizers[1],
        }

    def step(self, factor: float, sketches: torch.Tensor, photos: torch.Tensor) -> dict[str, torch.Tensor]:
        """Trains on sketches N x 1 x 512 x 512 (ink) and photos N x 3 x 512 x 512 in [-1, 1]; returns the losses.

        Args:
            factor: of the learning rate.
        """
        generator_optimizer, discriminator_optimizer = self.optimizers
        for optimizer in self.optimizers:
            set_learning_rate(optimizer, self.options.learning_rate * factor)
        self.unet.train()
        with self.accelerator.autocast():
            made = self.unet(sketches).float()
            # Halved, as the authors do, since the discriminator would otherwise learn faster than the generator.
            real = _is_real(self.discriminator(photos, sketches), True)
            fake = _is_real(self.discriminator(made.detach(), sketches), False)
            discriminator = (real + fake) / 2
        discriminator_optimizer.zero_grad()
        self.accelerator.backward(discriminator)
        discriminator_optimizer.step()

        self.discriminator.requires_grad_(False)
        with self.accelerator.autocast():
            generator = _is_real(self.discriminator(made, sketches), True)
        self.discriminator.requires_grad_(True)
        l1 = F.l1_loss(made, photos)
        generator_optimizer.zero_grad()
        self.accelerator.backward(generator + L1_WEIGHT * l1)
        generator_optimizer.step()
        return {"l1": l1.detach(), "generator": generator.detach(), "discriminator": discriminator.detach()}


def _is_real(outputs: list[list[torch.Tensor]], real: bool) -> torch.Tensor:
    logits = outputs[0][-1].float()
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, float(real)))


def train(options: Options) -> Path:
    """Trains the U-Net and writes it to `output/unet`; resumes if it can.

    With `hours` the learning rate falls over the last quarter of the time instead of the images, so that two
    such runs differ by how fast the machine was.

    Raises:
        TrainingDiverged: a loss is not finite; the last good checkpoint stays.
        ValueError: the data do not fit.
    """
    accelerator = Accelerator(mixed_precision=options.mixed_precision, cpu=not torch.cuda.is_available())
    if accelerator.num_processes > 1:
        raise ValueError("the baseline trains in one process")
    faces = FaceFolder(options.data, options.cache)
    indices = faces.to_train_on(options.min_size)
    torch.manual_seed(options.seed)
    start = options.start_from
    unet = UNet.from_pretrained(start / "unet") if start else UNet(widths=WIDTHS[options.preset])
    trainer = Pix2PixTrainer(unet, options, accelerator)
    clock = Clock()
    run = Run(options, accelerator, {**trainer.state, "clock": clock})
    step = run.resume()
    held_out = faces.held_out(options.min_size)
    layout = chosen_layout(options)

    progress = tqdm(
        initial=step, unit="step", total=None if options.hours else -(-options.images // options.batch_size)
    )
    last = _share(options, step, clock) >= 1
    if last:  # perhaps cut off after its last checkpoint, before the network was written
        unet.save_pretrained(run.folder / "unet")
    while not last:
        rng = seed_step(options.seed, 0, step)
        share = _share(options, step, clock)
        factor = learning_rate_factor(step, max(step / share, 1) if share else 1e9)
        pairs = random_pairs(faces, indices, layout, rng, options.batch_size).to(accelerator.device)
        losses = trainer.step(factor, pairs.sketches, pairs.photos)
        run.add(losses, options.batch_size)
        step += 1
        progress.update()
        last = _share(options, step, clock) >= 1
        if step % options.sample_steps == 0 or last:
            extra = {"hours": clock.seconds() / 3600, "validation_l1": validation_l1(trainer, faces, held_out[:32])}
            progress.set_postfix(run.log(step, step * options.batch_size, extra))
            sample_grid(trainer, faces, held_out[:8]).save(run.folder / "samples" / f"{step:06d}.png")
        if run.due() or last:
            run.save(step)
            unet.save_pretrained(run.folder / "unet")
    return run.folder


def _share(options: Options, step: int, clock: Clock) -> float:
    """How much of the run is done, from 0; 1 and more is all of it."""
    if options.hours:
        return clock.seconds() / (3600 * options.hours)
    return step * options.batch_size / options.images


@torch.no_grad()
def _make(trainer: Pix2PixTrainer, faces: FaceFolder, indices: np.ndarray) -> tuple[torch.Tensor, ...]:
    """Plain line drawings, the pictures made from them, and the photos."""
    trainer.unet.eval()
    device = trainer.accelerator.device
    sketches, photos = plain_sketches(faces, indices).to(device), load_photos(faces, indices).to(device)
    with trainer.accelerator.autocast():
        return sketches, trainer.unet(sketches).float(), photos


def validation_l1(trainer: Pix2PixTrainer, faces: FaceFolder, indices: np.ndarray) -> float:
    """L1 on faces not trained on, from plain line drawings."""
    total = 0.0
    for part in np.split(indices, range(8, len(indices), 8)):
        _, made, photos = _make(trainer, faces, part)
        total += float(F.l1_loss(made, photos)) * len(part)
    return total / len(indices)


def sample_grid(trainer: Pix2PixTrainer, faces: FaceFolder, indices: np.ndarray, side: int = 192) -> Image.Image:
    """Rows: line drawing, its picture, photo."""
    sketches, made, photos = _make(trainer, faces, indices)
    rows = [(1 - 2 * sketches).expand(-1, 3, -1, -1), made, photos]
    grid = torch.cat([torch.cat(list(F.interpolate(r, (side, side), mode="area")), 2) for r in rows], 1)
    pixels = ((grid.clamp(-1, 1) + 1) * 127.5).round().byte()
    return Image.fromarray(pixels.permute(1, 2, 0).cpu().numpy())
