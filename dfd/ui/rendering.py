"""A session's drawing as a picture, made on the server: strokes are drawn as the pad draws them (`static/pad.js`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageChops, ImageDraw

from dfd.components import CANVAS
from dfd.ui.session import Session, decode_png

#: Drawn so many times larger and reduced, for soft edges.
SCALE = 8

#: What is fainter in an imported picture is paper (of 255).
PAPER = 8

#: Straight pieces of each curve.
PIECES = 6


def render(session: Session) -> Image.Image:
    """The drawing: "L", 512 x 512, black on white. Of the pad's own picture it differs by the softness of edges."""
    ink = Image.new("L", (CANVAS * SCALE, CANVAS * SCALE), 0)
    for element in session.strokes:
        if element["tool"] == "image":
            ink = _with_image(ink, element)
            continue
        draw, fill = ImageDraw.Draw(ink), 255 if element["tool"] == "pen" else 0
        points = np.array([[*point, 0.5][:3] for point in element["points"]], float)
        pressed = any(len(point) > 2 for point in element["points"])
        _line(draw, points, element["radius"], pressed, fill)
        if element.get("mirror"):
            _line(draw, points * (-1, 1, 1) + (CANVAS, 0, 0), element["radius"], pressed, fill)
    return ImageChops.invert(ink.reduce(SCALE))


def _with_image(ink: Image.Image, element: Mapping[str, Any]) -> Image.Image:
    """Ink with an imported picture's dark parts over it."""
    x, y, width, height = (round(SCALE * value) for value in element["box"])
    # Off the canvas nothing is seen, and a picture may be scaled to twenty times the canvas.
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + width, ink.width), min(y + height, ink.height)
    if right <= left or bottom <= top:
        return ink
    mask = ImageChops.invert(_flat(element)).point(lambda v: v if v >= PAPER else 0)
    across, down = mask.width / max(width, 1), mask.height / max(height, 1)
    seen = ((left - x) * across, (top - y) * down, (right - x) * across, (bottom - y) * down)
    over = Image.new("L", ink.size, 0)
    over.paste(mask.resize((right - left, bottom - top), Image.Resampling.BILINEAR, box=seen), (left, top))
    return ImageChops.screen(ink, over)


def _flat(element: Mapping[str, Any]) -> Image.Image:
    """An imported picture, "L", on white paper."""
    image = decode_png(element["png"]).convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("L")


def _line(draw: ImageDraw.ImageDraw, points: np.ndarray, radius: float, pressed: bool, fill: int) -> None:
    """One stroke: curves from middle to middle, with the points (n x 3: x, y, pressure) as their controls."""
    begin = points[0, :2]
    _dot(draw, begin, radius * (0.4 + 1.2 * points[0, 2]) if pressed else radius, fill)
    path: list[Sequence[float]] = [begin]
    for i in range(1, len(points)):
        control = points[i, :2]
        end = (control + points[i + 1, :2]) / 2 if i + 1 < len(points) else control
        t = np.linspace(0, 1, PIECES + 1)[1:, None]
        curve = (1 - t) ** 2 * begin + 2 * t * (1 - t) * control + t**2 * end
        if pressed:
            wide = radius * (0.4 + 1.2 * points[i, 2])
            _path(draw, [begin, *curve], wide, fill)
            _dot(draw, end, wide, fill)
        path.extend(curve)
        begin = end
    if not pressed:
        _path(draw, path, radius, fill)
        _dot(draw, begin, radius, fill)


def _path(draw: ImageDraw.ImageDraw, path: Sequence[Sequence[float]], radius: float, fill: int) -> None:
    if len(path) > 1:
        flat = (SCALE * np.asarray(path) - 0.5).ravel().tolist()
        draw.line(flat, fill=fill, width=max(round(2 * SCALE * radius), 1), joint="curve")


def _dot(draw: ImageDraw.ImageDraw, centre: Sequence[float], radius: float, fill: int) -> None:
    x, y = SCALE * np.asarray(centre) - 0.5
    draw.circle((x, y), SCALE * radius - 0.5, fill=fill)
