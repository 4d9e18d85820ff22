"""Draws the grids by which weights are judged by eye: `PYTHONPATH=. python docs/grids.py --data FOLDER [name ...]`.

Drawings are traced from faces of the test split, always the same ones, so that two versions can be laid side by side.
Only what the pipeline made of them is shown, never a photo. Writes `docs/grids/<name>.webp`.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from figures import DOCS, grid
from PIL import Image

from dfd import DeepFaceDrawingPipeline
from dfd.data.faces import FaceFolder
from dfd.data.pairs import plain_sketches
from dfd.data.schematic import schematic
from dfd.data.styles import freehand
from dfd.evaluation.methods import Method, from_folder, ours, pix2pix
from dfd.manifold import SUBSETS
from dfd.models.unet import UNet
from dfd.sketch import sketch_to_pil
from dfd.strokes import render
from dfd.ui.draw_tab import EXAMPLES

REFINEMENTS = (0, 0.25, 0.5, 0.75, 1)


class Drawings:
    """Drawings of test faces, spread evenly over the split, and so over its sources and groups."""

    def __init__(self, faces: FaceFolder, pipe: DeepFaceDrawingPipeline):
        self.faces, self.layout = faces, pipe.layout
        self.indices = faces.select("test")

    def chosen(self, count: int) -> list[int]:
        return [int(i) for i in self.indices[np.linspace(0, len(self.indices) - 1, count).round().astype(int)]]

    def lines(self, count: int) -> list[Image.Image]:
        """Plain line drawings."""
        return [sketch_to_pil(sketch) for sketch in plain_sketches(self.faces, self.chosen(count))]

    def by_hand(self, count: int) -> list[Image.Image]:
        """As people draw: every other one with schematic features, all with freehand strokes."""
        rng = np.random.default_rng(0)
        made = []
        for n, i in enumerate(self.chosen(count)):
            strokes, person = self.faces.strokes(i), self.faces.person(i)
            if n % 2 and person is not None:
                strokes, _ = schematic(strokes, person, rng)
            made.append(sketch_to_pil(freehand(strokes, self.layout, rng)))
        return made


def _in_pairs(above: list[Image.Image], below: list[Image.Image], columns: int, side: int) -> Image.Image:
    starts = range(0, len(above), columns)
    return grid([row[s : s + columns] for s in starts for row in (above, below)], side)


def lines(pipe: DeepFaceDrawingPipeline, drawings: Drawings) -> Image.Image:
    """24 line drawings, each above its face."""
    drawn = drawings.lines(24)
    return _in_pairs(drawn, [pipe(drawing).images[0] for drawing in drawn], 8, 192)


def freehand_like(pipe: DeepFaceDrawingPipeline, drawings: Drawings) -> Image.Image:
    """12 drawings as people draw them, each above its face."""
    drawn = drawings.by_hand(12)
    return _in_pairs(drawn, [pipe(drawing).images[0] for drawing in drawn], 6, 256)


def refinement(pipe: DeepFaceDrawingPipeline, drawings: Drawings) -> Image.Image:
    """A row for each drawing: refinement from 0 to 1 in five steps."""
    rows = [(drawing, pipe.encode(drawing)) for drawing in drawings.by_hand(6)]
    return grid([[d, *(_face(pipe, code, refinement=strength) for strength in REFINEMENTS)] for d, code in rows], 224)


def gender(pipe: DeepFaceDrawingPipeline, drawings: Drawings) -> Image.Image:
    """A row for each drawing: its face among male, female and all samples, fully refined."""
    rows = [(drawing, pipe.encode(drawing)) for drawing in drawings.by_hand(6)]
    return grid([[d, *(_face(pipe, c, manifold=subset, refinement=1) for subset in SUBSETS)] for d, c in rows], 224)


def being_drawn(pipe: DeepFaceDrawingPipeline, drawings: Drawings) -> Image.Image:
    """Two example drawings while they grow from stroke to stroke, each state above its face."""
    rows = []
    for name in ("bob", "beard"):
        file = next(path for path in EXAMPLES if path.stem == name).with_suffix(".json")
        strokes = [np.array(s["points"]) for s in json.loads(file.read_text())["strokes"]]
        counts = np.linspace(2, len(strokes), 8).round().astype(int)
        states = [sketch_to_pil(render(strokes[:n])) for n in counts]
        rows += [states, [pipe(state).images[0] for state in states]]
    return grid(rows, 192)


def baselines(drawings: Drawings, methods: list[Method]) -> Image.Image:
    """Six line drawings, and below them what each method makes of them."""
    indices = np.array(drawings.chosen(24)[1::4])
    sketches = plain_sketches(drawings.faces, indices)
    rows = [[Image.fromarray(picture) for picture in make(sketches, indices)] for make in methods]
    return grid([[sketch_to_pil(sketch) for sketch in sketches], *rows], 224)


def _face(pipe: DeepFaceDrawingPipeline, encoding, **settings) -> Image.Image:
    projection = pipe.project(encoding, **settings)
    picture = pipe.synthesize(projection.latents, projection.appearance)[0]
    return Image.fromarray((picture.permute(1, 2, 0) * 255).round().to(torch.uint8).numpy())


def main() -> None:
    """Rewrites `docs/grids/<name>.webp` for the names given, or all."""
    grids = {draw.__name__: draw for draw in (lines, freehand_like, refinement, gender, being_drawn)}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help=f"out of {', '.join(grids)}; all if none is given")
    parser.add_argument("--data", required=True, help="face folder, as for the training")
    parser.add_argument("--cache", default="runs/cache", help="folder for the arrays read from it")
    parser.add_argument("--checkpoint", default=DOCS.parent / "checkpoints", help="pipeline folder")
    parser.add_argument("--output", type=Path, default=DOCS / "grids", help="where the pictures go")
    parser.add_argument("--pix2pix", type=Path, help="run folder of the baseline: draws baselines.webp too")
    parser.add_argument("--pictures", type=Path, nargs="+", default=[], help="further rows of it, see dfd.evaluate")
    options = parser.parse_args()
    unknown = set(options.names) - set(grids)
    if unknown:
        parser.error(f"unknown grids {', '.join(sorted(unknown))}; accepted are {', '.join(grids)}")
    pipe = DeepFaceDrawingPipeline.from_pretrained(options.checkpoint)
    drawings = Drawings(FaceFolder(options.data, options.cache), pipe)
    options.output.mkdir(parents=True, exist_ok=True)
    for name in options.names or grids:
        grids[name](pipe, drawings).save(options.output / f"{name}.webp", quality=85, method=6)
    if options.pix2pix:
        others = [from_folder(folder, drawings.faces, drawings.indices) for folder in options.pictures]
        methods = [pix2pix(UNet.from_pretrained(options.pix2pix / "unet")), *others, ours(pipe, 0.5)]
        baselines(drawings, methods).save(options.output / "baselines.webp", quality=85, method=6)


if __name__ == "__main__":
    main()
