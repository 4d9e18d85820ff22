"""Batches of drawings and photos from a face folder."""

from __future__ import annotations

import numpy as np
import torch

from dfd.components import Layout
from dfd.data.faces import FaceFolder
from dfd.data.styles import draw, draw_lines


def plain_sketches(faces: FaceFolder, indices: np.ndarray) -> torch.Tensor:
    """The undamaged line drawings of some faces: float32 N x 1 x 512 x 512."""
    return torch.stack([draw_lines(faces.lines(i)) for i in indices])


def load_photos(faces: FaceFolder, indices: np.ndarray) -> torch.Tensor:
    """Photos N x 3 x 512 x 512 in [-1, 1]."""
    photos = torch.from_numpy(np.stack([faces.photos[i] for i in indices]))
    return photos.permute(0, 3, 1, 2).float() / 127.5 - 1


def random_pairs(faces: FaceFolder, indices: np.ndarray, layout: Layout, rng: np.random.Generator, count: int):
    """`count` random faces, half of them mirrored: drawings in random styles, and photos."""
    chosen = rng.choice(indices, count)
    sketches = torch.stack([draw(faces.lines(i), faces.photocopies[i], layout, rng) for i in chosen])
    mirrored = torch.from_numpy(rng.random(count) < 0.5)[:, None, None, None]
    photos = load_photos(faces, chosen)
    return torch.where(mirrored, sketches.flip(-1), sketches), torch.where(mirrored, photos.flip(-1), photos)


def random_sketches(
    faces: FaceFolder, indices: np.ndarray, layout: Layout, rng: np.random.Generator, count: int
) -> torch.Tensor:
    """`count` random faces in random styles, half of them mirrored: float32 count x 1 x 512 x 512."""
    chosen = rng.choice(indices, count)
    sketches = [draw(faces.lines(i), faces.photocopies[i], layout, rng) for i in chosen]
    return torch.stack([s.flip(-1) if rng.random() < 0.5 else s for s in sketches])
