"""Batches of drawings and photos from a face folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from tqdm import tqdm

from dfd.components import Layout
from dfd.data.faces import FaceFolder
from dfd.data.styles import clean, draw, draw_lines

#: Faces older than this (years) are old.
OLD = 45


def with_seldom_ones(faces: FaceFolder, indices: np.ndarray, times: int) -> np.ndarray:
    """Indices of faces to choose from, bearded and old people and those with glasses so many times: every twelfth."""
    people = (faces.person(i) for i in indices)  # one at a time: each has a mask of 16 KB
    seldom = np.array([p is not None and (p.bearded or p.glasses or (p.age or 0) > OLD) for p in people], bool)
    return np.repeat(indices, np.where(seldom, times, 1))


def plain_sketches(faces: FaceFolder, indices: np.ndarray) -> torch.Tensor:
    """The undamaged line drawings of some faces: float32 N x 1 x 512 x 512."""
    return torch.stack([draw_lines(faces.lines(i)) for i in indices])


def encode_plain(
    faces: FaceFolder,
    indices: np.ndarray,
    encode: Callable[[torch.Tensor], dict[str, torch.Tensor]],
    device: torch.device,
    quiet: bool = False,
) -> dict[str, torch.Tensor]:
    """The codes of the undamaged line drawings of many faces, component -> float32 N x D.

    Args:
        encode: drawings, float32 N x 1 x 512 x 512 on `device` -> component -> float32 N x D.
        quiet: whether there is no progress bar, as in all processes but the main one.
    """
    parts = tqdm(np.split(indices, range(64, len(indices), 64)), desc="encoding", unit="batch", disable=quiet)
    batches = [encode(plain_sketches(faces, part).to(device)) for part in parts]
    return {name: torch.cat([batch[name] for batch in batches]) for name in batches[0]}


def load_photos(faces: FaceFolder, indices: np.ndarray) -> torch.Tensor:
    """Photos N x 3 x 512 x 512 in [-1, 1]."""
    photos = torch.from_numpy(np.stack([faces.photos[i] for i in indices]))
    return photos.permute(0, 3, 1, 2).float() / 127.5 - 1


@dataclass(frozen=True)
class Pairs:
    """N drawings in random styles, and what they show.

    Attributes:
        drawings: float32 N x 1 x 512 x 512.
        marks: what each drawing says on purpose, see `marked_drawings`.
        lines: the plain line drawings of the same faces, float32 N x 1 x 512 x 512.
        photos: float32 N x 3 x 512 x 512 in [-1, 1].
        ids: the samples' ids, int64 N.
    """

    drawings: torch.Tensor
    marks: list[frozenset[str]]
    lines: torch.Tensor
    photos: torch.Tensor
    ids: torch.Tensor

    def to(self, device: torch.device) -> Pairs:
        """The same with drawings, lines and photos on a device."""
        moved = {name: getattr(self, name).to(device) for name in ("drawings", "lines", "photos")}
        return replace(self, **moved)

    @property
    def sketches(self) -> torch.Tensor:
        """Drawings to learn photos from: what is drawn on purpose says more than the photo shows.

        Learnt with the photo it would be toned down again; such drawings are replaced by the plain line drawings.
        """
        marked = torch.tensor([bool(drawn) for drawn in self.marks], device=self.lines.device)
        return torch.where(marked[:, None, None, None], self.lines, self.drawings)


def random_pairs(faces: FaceFolder, indices: np.ndarray, layout: Layout, rng: np.random.Generator, count: int) -> Pairs:
    """`count` random faces, half of them mirrored."""
    chosen, mirrored = _choose(indices, rng, count)
    drawings, marks = marked_drawings(faces, chosen, layout, rng)
    pictures = (drawings, plain_sketches(faces, chosen), load_photos(faces, chosen))
    drawings, lines, photos = (_mirror(x, mirrored) for x in pictures)
    return Pairs(drawings, marks, lines, photos, torch.from_numpy(faces.sample_ids[chosen]))


def random_sketches(faces: FaceFolder, indices: np.ndarray, layout: Layout, rng: np.random.Generator, count: int):
    """`count` random faces, half of them mirrored: drawings in random styles, and the clean drawings they stand for.

    Returns:
        two float32 count x 1 x 512 x 512.
    """
    chosen, mirrored = _choose(indices, rng, count)
    return tuple(_mirror(drawings, mirrored) for drawings in sketches_of(faces, chosen, layout, rng))


def random_with_lines(faces: FaceFolder, indices: np.ndarray, layout: Layout, rng: np.random.Generator, count: int):
    """`count` random faces, half of them mirrored: drawings in random styles, and the plain line drawings.

    Returns:
        two float32 count x 1 x 512 x 512; and what each drawing says on purpose, see `marked_drawings`.
    """
    chosen, mirrored = _choose(indices, rng, count)
    sketches, marks = marked_drawings(faces, chosen, layout, rng)
    return _mirror(sketches, mirrored), _mirror(plain_sketches(faces, chosen), mirrored), marks


def sketches_of(faces: FaceFolder, indices: np.ndarray, layout: Layout, rng: np.random.Generator):
    """Faces in random styles, and their clean drawings: two float32 N x 1 x 512 x 512."""
    return drawings_of(faces, indices, layout, rng), torch.stack([clean(faces.strokes(i)) for i in indices])


def drawings_of(faces: FaceFolder, indices: np.ndarray, layout: Layout, rng: np.random.Generator) -> torch.Tensor:
    """Faces in random styles: float32 N x 1 x 512 x 512."""
    return marked_drawings(faces, indices, layout, rng)[0]


def marked_drawings(
    faces: FaceFolder, indices: np.ndarray, layout: Layout, rng: np.random.Generator
) -> tuple[torch.Tensor, list[frozenset[str]]]:
    """Faces in random styles, float32 N x 1 x 512 x 512, and what each says on purpose (`schematic.schematic`)."""
    drawn = [
        draw(faces.lines(i), faces.strokes(i), faces.photocopies[i], faces.person(i), layout, rng) for i in indices
    ]
    return torch.stack([sketch for sketch, _ in drawn]), [marks for _, marks in drawn]


def _choose(indices: np.ndarray, rng: np.random.Generator, count: int) -> tuple[np.ndarray, torch.Tensor]:
    """Faces, and which of them are mirrored (bool count x 1 x 1 x 1)."""
    return rng.choice(indices, count), torch.from_numpy(rng.random(count) < 0.5)[:, None, None, None]


def _mirror(pictures: torch.Tensor, which: torch.Tensor) -> torch.Tensor:
    return torch.where(which, pictures.flip(-1), pictures)
