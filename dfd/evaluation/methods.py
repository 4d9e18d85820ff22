"""What is compared: ways from drawings to pictures. Each is called with drawings and face indices."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from dfd.components import CANVAS, COMPONENTS
from dfd.data.faces import FaceFolder
from dfd.manifold import ComponentManifold
from dfd.pipeline import DeepFaceDrawingPipeline

#: Sketches float32 N x 1 x 512 x 512 (ink in [0, 1]) and indices of their faces -> uint8 N x 512 x 512 x 3.
Method = Callable[[torch.Tensor, np.ndarray], np.ndarray]


def ours(pipe: DeepFaceDrawingPipeline, refinement: float, num_neighbors: int = 10) -> Method:
    """The pipeline as a visitor uses it, with the subset "all"."""

    def make(sketches: torch.Tensor, indices: np.ndarray) -> np.ndarray:
        paper = [1 - sketch for sketch in sketches]
        made = pipe(paper, refinement=refinement, num_neighbors=num_neighbors, output_type="np")
        return np.round(made.images * 255).astype(np.uint8)

    return make


def retrieval(pipe: DeepFaceDrawingPipeline, faces: FaceFolder) -> Method:
    """The photo of the training face whose drawing's codes are nearest, all components together.

    Distances count in units of each component's own spread, as for components that were not drawn.
    """
    bank = pipe.manifold
    codes = {name: bank.codes.get_buffer(name).float().cpu() for name in COMPONENTS}
    spreads = {name: float(c.var(0, correction=0).sum().sqrt()) or 1.0 for name, c in codes.items()}

    def make(sketches: torch.Tensor, indices: np.ndarray) -> np.ndarray:
        latents = pipe.encode([1 - sketch for sketch in sketches]).latents
        distance = sum((torch.cdist(latents[n].cpu(), codes[n]) / spreads[n]).square() for n in COMPONENTS)
        return np.stack([faces.photos[i] for i in bank.sample_ids.cpu()[distance.argmin(1)].tolist()])

    return make


def true_photos(faces: FaceFolder) -> Method:
    """The photos that the drawings were made from: what no method can beat, and obedience's ceiling."""
    return lambda sketches, indices: np.stack([faces.photos[i] for i in indices])


def pix2pix(network: torch.nn.Module) -> Method:
    """The U-Net of `dfd.training.pix2pix`."""

    @torch.no_grad()
    def make(sketches: torch.Tensor, indices: np.ndarray) -> np.ndarray:
        made = (network(sketches) / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1)
        return (made * 255).round().byte().numpy()

    return make


def from_folder(folder: Path, faces: FaceFolder, indices: np.ndarray) -> Method:
    """Pictures that another system or version made: `<name of the photo>.png`, 512 x 512, for every face.

    Args:
        indices: the faces that it is to be asked for.

    Raises:
        ValueError: a picture is missing, or of another size, or two faces' photos have one name.
    """
    files = {int(i): folder / f"{Path(faces.rows[i]['file_name']).stem}.png" for i in indices}
    names = [file.name for file in files.values()]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"several faces' pictures would be called {twice}: give their photos different names")
    missing = [file for file in files.values() if not file.is_file()]
    if missing:
        raise ValueError(f"{folder} lacks {len(missing)} of {len(files)} pictures, {missing[0].name} among them")
    for file in files.values():
        with Image.open(file) as picture:
            if picture.size != (CANVAS, CANVAS):
                raise ValueError(f"{file} is {picture.width} x {picture.height}, not {CANVAS} x {CANVAS}")

    def make(sketches: torch.Tensor, indices: np.ndarray) -> np.ndarray:
        return np.stack([np.asarray(Image.open(files[int(i)]).convert("RGB")) for i in indices])

    return make


def knows_bank(pipe: DeepFaceDrawingPipeline, faces: FaceFolder) -> bool:
    """Whether the bank's samples are rows of these faces' table, as far as the bank says of which faces they are.

    Raises:
        ValueError: the pipeline has no bank.
    """
    if pipe.manifold is None:
        raise ValueError("this pipeline has no manifold: there is nothing to project on")
    return pipe.manifold.config.data_sha256 in (None, faces.names_sha256())


def without_faces(pipe: DeepFaceDrawingPipeline, indices: np.ndarray) -> tuple[DeepFaceDrawingPipeline, int]:
    """The pipeline with a bank that lacks these faces, and how many it had: no face may be its own neighbour.

    Raises:
        ValueError: nothing would be left of the bank.
    """
    bank = pipe.manifold
    ids = bank.sample_ids.cpu()
    keep = ~torch.isin(ids, torch.as_tensor(indices))
    if keep.all():
        return pipe, 0
    smaller = ComponentManifold.from_codes(
        {name: bank.codes.get_buffer(name).cpu()[keep] for name in COMPONENTS},
        ids[keep],
        bank.genders.cpu()[keep],
        bank.appearance.cpu()[keep] if bank.config.appearance_dim else None,
        bank.config.data_sha256,
    )
    return DeepFaceDrawingPipeline(**{**pipe.components, "manifold": smaller}), int((~keep).sum())
