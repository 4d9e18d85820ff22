"""Photos as visitors bring them: other sizes and angles, bad light, blur, noise, compression."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageFilter

from dfd.components import CANVAS
from dfd.data.faces import FaceFolder
from dfd.data.styles import calm

#: How much larger or smaller a face may be than the training photos', and by how many radians turned.
SCALES, TURN = (0.55, 1.3), 0.3

#: Share of random crops that get each kind of damage. Tone is always changed.
SHARES = {"grey": 0.12, "uneven": 0.25, "blur": 0.3, "noise": 0.35, "jpeg": 0.3}


def random_crops(faces: FaceFolder, indices: np.ndarray, rng: np.random.Generator, count: int, side: int):
    """Pieces of `count` random faces, turned, scaled, mirrored and damaged at random, and their lines without whiskers.

    Returns:
        photos, float32 count x 3 x side x side in [-1, 1]; lines, float32 count x 1 x side x side, 0 or 1.
    """
    crops = [_crop(faces, i, rng, side) for i in rng.choice(indices, count)]
    photos, lines = zip(*crops, strict=True)
    return torch.from_numpy(np.stack(photos)) * 2 - 1, torch.from_numpy(np.stack(lines))


def _crop(faces: FaceFolder, index: int, rng: np.random.Generator, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Photo float32 3 x side x side in [0, 1], lines float32 1 x side x side."""
    scale, turn = np.exp(rng.uniform(*np.log(SCALES))), rng.uniform(-TURN, TURN)
    room = max(0, (CANVAS - side / scale) / 2)
    centre = CANVAS / 2 + rng.uniform(-room, room, 2)  # x, y in the photo
    across = np.array([np.cos(turn), np.sin(turn)])
    axes = np.stack([across, [-across[1], across[0]]]) * scale  # the crop's x and y for a step in the photo
    if rng.random() < 0.5:
        axes[0] *= -1

    back = torch.from_numpy(np.linalg.inv(axes)).float()
    offset = torch.from_numpy(centre).float()
    place = torch.arange(side) + 0.5 - side / 2
    grid = torch.stack(torch.meshgrid(place, place, indexing="xy"), -1) @ back.T + offset
    photo = torch.from_numpy(np.array(faces.photos[index])).permute(2, 0, 1)[None].float() / 255
    warped = F.grid_sample(photo, grid[None] * (2 / CANVAS) - 1, padding_mode="border", align_corners=False)[0]

    # Strokes are moved, not pixels resampled: a line stays one pixel wide. It has gaps, which the tolerance of the
    # loss covers.
    strokes = [densified(s) for s in calm(faces.strokes(index))]
    points = np.concatenate(strokes or [np.zeros((0, 2))])
    x, y = np.floor((points - centre) @ axes.T + side / 2).astype(int).T
    inside = (x >= 0) & (y >= 0) & (x < side) & (y < side)
    lines = np.zeros((1, side, side), np.float32)
    lines[0, y[inside], x[inside]] = 1
    return damage(warped.numpy(), rng), lines


def densified(stroke: np.ndarray) -> np.ndarray:
    """A stroke n x 2 with the midpoints of its pieces."""
    return np.concatenate([stroke, (stroke[1:] + stroke[:-1]) / 2])


def damage(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A photo, float32 3 x H x W in [0, 1], in other light and from a worse camera, at random."""
    photo = photo ** np.float32(np.exp(rng.uniform(-0.6, 0.8)))
    contrast, level = rng.uniform(0.5, 1.3), rng.uniform(0.5, 1.1)
    photo = ((photo - 0.5) * np.float32(contrast) + 0.5) * np.float32(level)
    photo *= rng.uniform(0.85, 1.15, (3, 1, 1)).astype(np.float32)
    saturation = 0 if rng.random() < SHARES["grey"] else rng.uniform(0.3, 1.4)
    grey = photo.mean(0)
    photo = grey + (photo - grey) * np.float32(saturation)
    if rng.random() < SHARES["uneven"]:
        ramp = np.linspace(rng.uniform(0.4, 1), rng.uniform(0.8, 1.2), photo.shape[2], dtype=np.float32)
        photo *= ramp if rng.random() < 0.5 else ramp[::-1]
    if rng.random() < SHARES["blur"]:
        photo = blurred(photo, rng.uniform(0.5, 2.5))
    if rng.random() < SHARES["noise"]:
        photo = noisy(photo, rng.uniform(0.01, 0.1), rng)
    if rng.random() < SHARES["jpeg"]:
        photo = compressed(photo, int(rng.integers(15, 60)))
    return photo.clip(0, 1).astype(np.float32)


def blurred(photo: np.ndarray, sigma: float) -> np.ndarray:
    """A photo, float32 3 x H x W in [0, 1], out of focus by `sigma` px."""
    return _through_pil(photo, lambda picture: picture.filter(ImageFilter.GaussianBlur(sigma)))


def noisy(photo: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """A photo, float32 3 x H x W in [0, 1], with a sensor's noise of this standard deviation."""
    return (photo + rng.standard_normal(photo.shape, np.float32) * np.float32(sigma)).clip(0, 1)


def compressed(photo: np.ndarray, quality: int) -> np.ndarray:
    """A photo, float32 3 x H x W in [0, 1], after JPEG of this quality."""

    def jpeg(picture: Image.Image) -> Image.Image:
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=quality)
        return Image.open(file)

    return _through_pil(photo, jpeg)


def _through_pil(photo: np.ndarray, change: Callable[[Image.Image], Image.Image]) -> np.ndarray:
    picture = Image.fromarray((photo.clip(0, 1) * 255).round().astype(np.uint8).transpose(1, 2, 0))
    return np.asarray(change(picture), np.float32).transpose(2, 0, 1) / 255
