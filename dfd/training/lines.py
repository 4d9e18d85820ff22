"""The line extractor: photos -> where their line drawings have lines."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from PIL import Image
from torch import nn

from dfd.data.faces import FaceFolder
from dfd.data.pairs import load_photos
from dfd.data.photos import random_crops
from dfd.evaluation.obedience import agreement
from dfd.lines import network_lines
from dfd.models.line_extractor import LineExtractor
from dfd.training.run import (
    AveragedOptions,
    Run,
    adamw_and_average,
    learning_rate_factor,
    set_learning_rate,
    total_steps,
)

#: Widths by preset; `paper` has no such network.
WIDTHS = {"paper": (40, 56, 72, 72), "compact": (40, 56, 72, 72), "tiny": (16, 16)}

#: The drawings' lines lie a pixel or two beside what they follow: how likely a line is falls off beside them like a
#: Gaussian of this sigma (px), whose ridge is the line.
SIGMA = 1.2

#: Weight of lines against paper. 4 % of a drawing's pixels are lines.
LINE_WEIGHT = 3.0

CLIP_NORM = 1.0


@dataclass(kw_only=True)
class Options(AveragedOptions):
    """Options of the line extractor. An image is a piece of a photo, `side` px square."""

    images: int = 25_000
    batch_size: int = 16
    side: int = 256
    learning_rate: float = 2e-3
    ema_decay: float = 0.995
    sample_steps: int = 250


def soft_lines(lines: torch.Tensor, sigma: float = SIGMA) -> torch.Tensor:
    """Lines N x 1 x H x W, 0 or 1 -> in [0, 1], how near the nearest line is: exp(-distance^2 / 2 sigma^2)."""
    reach = round(3 * sigma)
    weights = torch.exp(-(torch.arange(-reach, reach + 1).float() ** 2) / (2 * sigma**2)).tolist()
    for dim in (-1, -2):  # the Gaussian of a distance is the product of those of its two coordinates
        length = lines.shape[dim]
        padded = F.pad(lines, (reach, reach, 0, 0) if dim == -1 else (0, 0, reach, reach))
        lines = reduce(torch.maximum, (padded.narrow(dim, i, length) * w for i, w in enumerate(weights)))
    return lines


def line_loss(logits: torch.Tensor, lines: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy with soft lines, those weighted more. Logits and lines N x 1 x H x W."""
    target = soft_lines(lines)
    weight = 1 + (LINE_WEIGHT - 1) * target
    return F.binary_cross_entropy_with_logits(logits, target, weight)


def train(options: Options) -> Path:
    """Trains the extractor and writes it to `output/line_extractor`; resumes if it can.

    Raises:
        TrainingDiverged: a loss is not finite; the last good checkpoint stays.
        ValueError: `side` is nothing that the network can halve as often as it does, or see
            `dfd.training.autoencoders.train`.
    """
    accelerator = Accelerator(mixed_precision=options.mixed_precision, cpu=not torch.cuda.is_available())
    faces = FaceFolder(options.data, options.cache)
    indices = faces.to_train_on()
    torch.manual_seed(options.seed)
    if options.start_from is not None:
        model = LineExtractor.from_pretrained(options.start_from / "line_extractor")
    else:
        model = LineExtractor(WIDTHS[options.preset])
    if options.side < 1 or options.side % model.multiple:
        raise ValueError(f"side must be a multiple of {model.multiple} px, got {options.side}")
    model = model.to(accelerator.device, memory_format=torch.channels_last)
    optimizer, average = adamw_and_average(model, options)
    state = {"model": model, "optimizer": optimizer, "average": average}
    run = Run(options, accelerator, state)
    done = run.resume()
    distributed, optimizer = accelerator.prepare(model, optimizer)
    total = total_steps(options, accelerator)
    held_out = faces.held_out()[:16]

    def step(number: int, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        set_learning_rate(optimizer, options.learning_rate * learning_rate_factor(number, total))
        batch = random_crops(faces, indices, rng, options.batch_size, options.side)
        loss = training_step(distributed, *(x.to(accelerator.device) for x in batch), optimizer, accelerator)
        average.update_parameters(model)
        return {"loss": loss}

    return run.train(
        done,
        step=step,
        evaluate=lambda: evaluate(average.module, faces, held_out),
        sample=lambda: sample_grid(average.module, faces, held_out[:6]),
        save_models=lambda folder: average.module.save_pretrained(folder / "line_extractor"),
    )


def training_step(
    model: nn.Module,
    photos: torch.Tensor,
    lines: torch.Tensor,
    optimizer: torch.optim.Optimizer,
    accelerator: Accelerator,
) -> torch.Tensor:
    """One step on photos N x 3 x S x S in [-1, 1] and lines N x 1 x S x S; returns the loss."""
    model.train()
    with accelerator.autocast():
        logits = model(photos)
    loss = line_loss(logits.float(), lines)
    optimizer.zero_grad()
    accelerator.backward(loss)
    accelerator.clip_grad_norm_(model.parameters(), CLIP_NORM)
    optimizer.step()
    return loss.detach()


def evaluate(model: LineExtractor, faces: FaceFolder, indices: np.ndarray) -> dict[str, float]:
    """Precision, recall and F1 (within 4 px) of the lines of whole photos, mean over the faces."""
    model.eval()
    mask = {"all": np.ones(faces.lines(indices[0]).shape, bool)}
    figures = [agreement(network_lines(np.array(faces.photos[i]), model), faces.lines(i), mask)["all"] for i in indices]
    return dict(zip(("precision", "recall", "f1"), np.mean(figures, 0).tolist(), strict=True))


@torch.no_grad()
def sample_grid(model: LineExtractor, faces: FaceFolder, indices: np.ndarray, side: int = 384) -> Image.Image:
    """A row for each face: photo, its lines, how likely the network holds lines, the lines that it draws."""
    model.eval()
    rows = []
    for i in indices:
        photo = np.array(faces.photos[i])
        likely = model(load_photos(faces, [i]).to(model.device)).sigmoid()[0, 0].cpu().numpy()
        drawings = [1 - faces.lines(i), 1 - likely, 1 - network_lines(photo, model)]
        pictures = [photo, *(np.repeat((255 * d).astype(np.uint8)[..., None], 3, 2) for d in drawings)]
        rows.append(np.concatenate([np.asarray(Image.fromarray(p).resize((side, side))) for p in pictures], 1))
    return Image.fromarray(np.concatenate(rows))
