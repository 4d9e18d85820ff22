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
    sketches, chosen, mirrored = _random_drawings(faces, indices, layout, rng, count)
    photos = load_photos(faces, chosen)
    return sketches, torch.where(mirrored, photos.flip(-1), photos)


def random_sketches(
    faces: FaceFolder, indices: np.ndarray, layout: Layout, rng: np.random.Generator, count: int
) -> torch.Tensor:
    """`count` random faces in random styles, half of them mirrored: float32 count x 1 x 512 x 512."""
    return _random_drawings(faces, indices, layout, rng, count)[0]


def _random_drawings(faces: FaceFolder, indices: np.ndarray, layout: Layout, rng: np.random.Generator, count: int):
    """Drawings, the faces drawn, and which are mirrored (bool count x 1 x 1 x 1)."""
    chosen = rng.choice(indices, count)
    sketches = torch.stack([draw(faces.lines(i), faces.photocopies[i], layout, rng) for i in chosen])
    mirrored = torch.from_numpy(rng.random(count) < 0.5)[:, None, None, None]
    return torch.where(mirrored, sketches.flip(-1), sketches), chosen, mirrored
