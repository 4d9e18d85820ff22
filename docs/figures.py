"""Draws the README's picture with the shipped weights: `python docs/figures.py` rewrites `docs/faces.webp`."""

from pathlib import Path

from PIL import Image

from dfd import DeepFaceDrawingPipeline
from dfd.ui.draw_tab import EXAMPLES

DOCS = Path(__file__).parent
SIDE = 256


def grid(rows: list[list[Image.Image]]) -> Image.Image:
    """Pictures side by side, each reduced to `SIDE` px."""
    sheet = Image.new("RGB", (SIDE * len(rows[0]), SIDE * len(rows)), "white")
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            small = picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
            sheet.paste(small, (SIDE * x, SIDE * y))
    return sheet


def main() -> None:
    """Each example drawing above its face."""
    pipe = DeepFaceDrawingPipeline.from_pretrained(DOCS.parent / "checkpoints")
    drawings = [Image.open(path) for path in EXAMPLES]
    faces = [pipe(drawing).images[0] for drawing in drawings]
    half = (len(drawings) + 1) // 2
    rows = [part for start in (0, half) for part in (drawings[start : start + half], faces[start : start + half])]
    grid(rows).save(DOCS / "faces.webp", quality=88)


if __name__ == "__main__":
    main()
