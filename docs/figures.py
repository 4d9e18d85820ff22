"""Draws the README's pictures with the shipped weights: `PYTHONPATH=. python docs/figures.py` rewrites them."""

from pathlib import Path

from PIL import Image

from dfd import DeepFaceDrawingPipeline
from dfd.components import PARTS
from dfd.ui.draw_tab import EXAMPLES

DOCS = Path(__file__).parent
SIDE = 256


def grid(rows: list[list[Image.Image]], side: int = SIDE) -> Image.Image:
    """Pictures side by side, each reduced to `side` px."""
    sheet = Image.new("RGB", (side * len(rows[0]), side * len(rows)), "white")
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            small = picture.convert("RGB").resize((side, side), Image.Resampling.LANCZOS)
            sheet.paste(small, (side * x, side * y))
    return sheet


def examples_and_faces(pipe: DeepFaceDrawingPipeline) -> Image.Image:
    """Each example drawing above its face."""
    drawings = [Image.open(path) for path in EXAMPLES]
    faces = [pipe(drawing).images[0] for drawing in drawings]
    half = (len(drawings) + 1) // 2
    return grid([part for start in (0, half) for part in (drawings[start : start + half], faces[start : start + half])])


def morph_strip(pipe: DeepFaceDrawingPipeline) -> Image.Image:
    """Eight faces from one example to another."""
    return grid([pipe.morph(example("long_hair"), example("beard")).images])


def mix_board(pipe: DeepFaceDrawingPipeline) -> Image.Image:
    """Outline, hair and colours of the drawing on the left, eyes, nose and mouth of the drawing above."""
    drawings = [example(name) for name in ("long_hair", "beard", "bun_and_smile", "older")]
    codes = [pipe.embed(drawing) for drawing in drawings]
    rows = [[Image.new("L", (SIDE, SIDE), 255), *drawings]]
    for drawing, rest in zip(drawings, codes, strict=True):
        mixes = [pipe.mix({**dict.fromkeys(PARTS, inner), "remainder": rest}).images[0] for inner in codes]
        rows.append([drawing, *mixes])
    return grid(rows, 200)


def example(name: str) -> Image.Image:
    """The page's example drawing of that name."""
    return Image.open(next(path for path in EXAMPLES if path.stem == name))


def main() -> None:
    """Rewrites all of them."""
    pipe = DeepFaceDrawingPipeline.from_pretrained(DOCS.parent / "checkpoints")
    for name, draw in {"faces": examples_and_faces, "morph": morph_strip, "mix": mix_board}.items():
        draw(pipe).save(DOCS / f"{name}.webp", quality=88)


if __name__ == "__main__":
    main()
