"""What the networks see of a drawing: each component's crop, its code decoded again, and that code refined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from PIL import Image

from dfd.checks import check_whole
from dfd.components import COMPONENTS
from dfd.sketch import sketch_to_pil

if TYPE_CHECKING:
    from dfd.pipeline import DeepFaceDrawingPipeline, Encoding


@dataclass(frozen=True)
class Inspection:
    """One component of one drawing; all pictures are PIL "L", black on white.

    Attributes:
        crop: the component as drawn, at the side of its window.
        refinements: the refinement of each picture in `refined`, from 0 to 1.
        refined: the code of the component decoded: as drawn first, its projection on the manifold last. Of a
            component that is not drawn all are the same. Their side is the auto-encoder's, which may be reduced.
    """

    crop: Image.Image
    refinements: list[float]
    refined: list[Image.Image]


@torch.no_grad()
def inspect(
    pipeline: DeepFaceDrawingPipeline,
    encoding: Encoding,
    component: str | None,
    steps: int,
    manifold: str,
    num_neighbors: int,
) -> dict[str, Inspection]:
    """See `DeepFaceDrawingPipeline.inspect`."""
    if component is not None and component not in COMPONENTS:
        raise ValueError(f"component must be one of {', '.join(COMPONENTS)} or None, got {component!r}")
    check_whole("steps", steps, 2, 100)
    if len(encoding.sketches) != 1:
        raise ValueError(f"one drawing at a time can be inspected, got {len(encoding.sketches)}")
    drawn, projected = (pipeline.project(encoding, manifold, r, num_neighbors, emphasis=0).latents for r in (0, 1))
    refinements = torch.linspace(0, 1, steps)
    crops = pipeline.layout.crop(encoding.sketches)
    result = {}
    for name in COMPONENTS if component is None else (component,):
        autoencoder = pipeline.autoencoders[name]
        codes = torch.lerp(drawn[name], projected[name], refinements.to(drawn[name])[:, None])
        pictures = [sketch_to_pil(ink) for ink in autoencoder.decode(codes)]
        result[name] = Inspection(sketch_to_pil(crops[name][0]), refinements.tolist(), pictures)
    return result
