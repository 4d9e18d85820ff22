"""Draws folders of simple faces, laid out as the training data: `metadata.csv` beside `images/` and `lines/`."""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

CANVAS = 512


def make_face_folder(path: str | Path, count: int = 4, size: int = 512, seed: int = 0, **columns) -> Path:
    """Writes `count` drawn faces, the same for the same seed, and returns `path`.

    Args:
        path: folder, made if it does not exist.
        size: side of the photos in pixels; line drawings always have 512.
        columns: further or other columns of the table: one value for all faces or a list with one for each.
            None leaves the column out. Without a `line_file_name` a face gets no line drawing.
    """
    path = Path(path)
    rng = np.random.default_rng(seed)
    names = [f"drawn-{i:05d}" for i in range(count)]
    genders = [("female", "male")[i % 2] for i in range(count)]
    table = {
        "file_name": [f"images/{name}.webp" for name in names],
        "line_file_name": [f"lines/{name}.png" for name in names],
        "split": "train",
        "size": size,
        "source": "drawn",
        "gender": genders,
        "gender_source": "folder",
        "p_male": [float(gender == "male") for gender in genders],
        "group": "",
        "age_estimate": 30,
        "yaw": 0,
        "mouth_open": 0,
        **columns,
    }
    table = {name: v if isinstance(v, list) else [v] * count for name, v in table.items() if v is not None}
    rows = [dict(zip(table, values, strict=True)) for values in zip(*table.values(), strict=True)]
    for row in rows:
        photo, lines = _draw_face(rng)
        target = path / row["file_name"]
        target.parent.mkdir(parents=True, exist_ok=True)
        photo.resize((size, size), Image.Resampling.LANCZOS).save(target, quality=90, method=0)
        if row.get("line_file_name"):
            target = path / row["line_file_name"]
            target.parent.mkdir(parents=True, exist_ok=True)
            lines.save(target)
    with open(path / "metadata.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(table))
        writer.writeheader()
        writer.writerows(rows)
    return path


def drawn_landmarks() -> np.ndarray:
    """float32 70 x 2: where `dfd.data.landmarks` would find eyes, brows, nose, mouth and chin in such a face."""

    def arc(x, y, a, b, start, end, count):
        angles = np.deg2rad(np.linspace(start, end, count))
        return np.stack([x + a * np.cos(angles), y - b * np.sin(angles)], 1)

    eyes = [arc(x, 241, 34, 16, 180, -180, 7)[:6] for x in (195, 317)]
    brows = [arc(x, 215, 40, 12, 180, 0, 5) for x in (195, 317)]
    bridge, base = np.stack([np.full(4, 256), np.linspace(240, 310, 4)], 1), arc(256, 335, 20, 6, 180, 360, 5)
    outer, inner = arc(256, 392, 58, 18, 180, -180, 13)[:12], arc(256, 392, 50, 6, 180, -180, 9)[:8]
    jaw, pupils = arc(256, 270, 135, 185, 180, 360, 17), [[195, 241], [317, 241]]
    return np.concatenate([jaw, *brows, bridge, base, *eyes, outer, inner, pupils]).astype(np.float32)


def _draw_face(rng: np.random.Generator) -> tuple[Image.Image, Image.Image]:
    """Photo RGB and line drawing 1 (black on white, lines 1 px wide) of one face, both 512 px."""
    photo = Image.new("RGB", (CANVAS, CANVAS), tuple(rng.integers(120, 256, 3).tolist()))
    lines = Image.new("1", (CANVAS, CANVAS), 1)
    pen, line_pen = ImageDraw.Draw(photo), ImageDraw.Draw(lines)
    for shape, box, colour, *angles in _shapes(rng):
        getattr(pen, shape)(box, *angles, fill=colour)
        getattr(line_pen, shape)(box, *angles, fill=1, outline=0, width=1)
    return photo.filter(ImageFilter.GaussianBlur(1)), lines


def _shapes(rng: np.random.Generator) -> Iterator[tuple]:
    """Shapes of a face from back to front: PIL's method, box, colour and, for chords, start and end angle."""

    def box(x: float, y: float, a: float, b: float) -> tuple[int, int, int, int]:
        """Box of an ellipse about (x, y) with half axes a and b, each a few pixels off."""
        x, y, a, b = (round(v + j) for v, j in zip((x, y, a, b), rng.uniform(-4, 4, 4), strict=True))
        return x - a, y - b, x + a, y + b

    def colour(low: int, high: int) -> tuple[int, int, int]:
        return tuple(rng.integers(low, high, 3).tolist())

    hair, skin, iris, lips = colour(10, 90), colour(140, 230), colour(20, 120), colour(60, 160)
    yield "ellipse", box(256, 220, 180, 200), hair
    yield "rectangle", box(256, 460, 60, 60), skin
    yield "ellipse", box(256, 270, 135, 185), skin
    yield "chord", box(256, 200, 160, 150), hair, 190 + rng.uniform(-8, 8), 350 + rng.uniform(-8, 8)
    for x in (195, 317):  # where the training data's eyes lie: (0.38, 0.47) and (0.62, 0.47) of the side
        yield "ellipse", box(x, 241, 34, 16), (245, 245, 245)
        yield "ellipse", box(x, 241, 13, 13), iris
    yield "ellipse", box(256, 310, 22, 36), tuple(int(0.85 * v) for v in skin)
    yield "ellipse", box(256, 392, 58, 18), lips
