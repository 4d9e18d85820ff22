"""Draws the README's pictures with the shipped weights: `PYTHONPATH=. python docs/figures.py [name ...]`."""

import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from dfd import DeepFaceDrawingPipeline
from dfd.components import COMPONENTS, PARTS
from dfd.lines import trace_photo
from dfd.sketch import read_sketch, sketch_to_pil
from dfd.ui.draw_tab import EXAMPLES

DOCS = Path(__file__).parent
SIDE = 256


def grid(rows: list[list[Image.Image]], side: int = SIDE) -> Image.Image:
    """Pictures side by side, each reduced or enlarged to `side` px; rows may be shorter than the first."""
    sheet = Image.new("RGB", (side * len(rows[0]), side * len(rows)), "white")
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            small = picture.convert("RGB").resize((side, side), Image.Resampling.LANCZOS)
            sheet.paste(small, (side * x, side * y))
    return sheet


def example(name: str) -> Image.Image:
    """One of the page's example drawings."""
    return Image.open(next(path for path in EXAMPLES if path.stem == name))


def faces(pipe: DeepFaceDrawingPipeline) -> Image.Image:
    """Each example drawing above its face."""
    drawings = [Image.open(path) for path in EXAMPLES]
    made = [pipe(drawing).images[0] for drawing in drawings]
    half = (len(drawings) + 1) // 2
    rows = [part for start in (0, half) for part in (drawings[start : start + half], made[start : start + half])]
    return grid(rows)


def appearance(pipe: DeepFaceDrawingPipeline) -> Image.Image:
    """One drawing in the colours of each swatch, the drawing first."""
    drawing = example("long_hair")
    pictures = [drawing, *(pipe(drawing, appearance=code).images[0] for code in pipe.palette())]
    return grid([pictures[start : start + 7] for start in (0, 7, 14)], 160)


def completion(pipe: DeepFaceDrawingPipeline) -> Image.Image:
    """Three unfinished drawings, each with four faces that it may become."""
    drawings = [
        _only(pipe, example("bob"), "left_eye", "remainder"),
        _only(pipe, example("short_hair"), "left_eye", "right_eye"),
        _only(pipe, example("long_hair"), "remainder"),
    ]
    return grid([[drawing, *pipe(drawing, num_alternatives=4).images] for drawing in drawings], 200)


def inspect(pipe: DeepFaceDrawingPipeline) -> Image.Image:
    """A row for each component: as drawn, then its code decoded while refinement goes from 0 to 1."""
    seen = pipe.inspect(pipe.encode(example("older")))
    return grid([[seen[name].crop, *seen[name].refined] for name in COMPONENTS], 160)


def extractor(pipe: DeepFaceDrawingPipeline) -> Image.Image:
    """Faces made of example drawings; their lines by the classical filter, and by the network."""
    rows = []
    for name in ("older", "glasses", "beard"):
        face = pipe(example(name)).images[0]
        classical = sketch_to_pil(trace_photo(np.array(face)))
        rows.append([face, classical, pipe.extract_lines(face)])
    return grid(rows)


def morph(pipe: DeepFaceDrawingPipeline) -> Image.Image:
    """Eight faces from one example to another."""
    return grid([pipe.morph(example("long_hair"), example("beard")).images])


def mix(pipe: DeepFaceDrawingPipeline) -> Image.Image:
    """Outline, hair and colours of the drawing on the left, eyes, nose and mouth of the drawing above."""
    drawings = [example(name) for name in ("long_hair", "beard", "bob", "older")]
    codes = [pipe.embed(drawing) for drawing in drawings]
    rows = [[Image.new("L", (SIDE, SIDE), 255), *drawings]]
    for drawing, rest in zip(drawings, codes, strict=True):
        mixes = [pipe.mix({**dict.fromkeys(PARTS, inner), "remainder": rest}).images[0] for inner in codes]
        rows.append([drawing, *mixes])
    return grid(rows, 200)


def _only(pipe: DeepFaceDrawingPipeline, drawing: Image.Image, *kept: str) -> Image.Image:
    """What a drawing has in the windows of these components."""
    keep = pipe.layout.remainder_mask.clone()
    if "remainder" not in kept:
        keep = torch.zeros_like(keep)
    for name in set(kept) & set(PARTS):
        keep[(..., *pipe.layout.windows[name].slices)] = 1
    return sketch_to_pil(read_sketch(drawing) * keep)


def main(names: list[str]) -> None:
    """Rewrites `docs/<name>.webp` for these names, or all."""
    pipe = DeepFaceDrawingPipeline.from_pretrained(DOCS.parent / "checkpoints")
    for draw in (faces, morph, mix, appearance, completion, inspect, extractor):
        if not names or draw.__name__ in names:
            draw(pipe).save(DOCS / f"{draw.__name__}.webp", quality=88, method=6)


if __name__ == "__main__":
    main(sys.argv[1:])
