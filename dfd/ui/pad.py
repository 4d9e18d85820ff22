"""The drawing pad: pen, eraser, a shadow under the ink. `Pad()` in Blocks sends every stroke to Python at once.

Gradio's Sketchpad cannot show a picture that follows the drawing (a new background repeats its events and loses
ink), so this is a component of its own on top of gr.HTML: `static/pad.html`, `pad.css` and `pad.js`.

A drawing is a list of elements in pixels of the 512 x 512 canvas, later ones over earlier ones:

    {"tool": "pen" or "eraser", "radius": 2, "points": [[x, y] or [x, y, pressure], ...], "mirror": True}
    {"tool": "image", "png": "data:image/png;base64,...", "box": [x, y, width, height]}

`mirror` (optional) repeats a stroke about the face's axis, x = 256. White and transparent parts of an image are
paper: only its dark parts are drawn, in black.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from dfd.components import CANVAS, DEFAULT_WINDOWS

STATIC = Path(__file__).parent / "static"
HTML, CSS, JS = ((STATIC / f"pad.{kind}").read_text("utf-8") for kind in ("html", "css", "js"))

#: Where a face with its hair lies in the training data, as [left, top, right, bottom]: chin near 452, eyes on 241.
FIT_BOX = (96, 24, 416, 464)

PNG = "data:image/png;base64,"

#: Everything the pad says, by language; `*_tip` is shown on hovering. Other languages may leave keys out.
TEXTS = {
    "en": {
        "pad": "Drawing pad",
        "canvas": "Paper: draw a face here with mouse, pen or finger",
        "hint": "Draw a face here",
        "tools": "Tools",
        "pen": "Pen",
        "pen_tip": "Draw (B)",
        "pen_size": "Pen size",
        "pen_size_tip": "How thick the pen draws ( [ thinner, ] thicker )",
        "eraser": "Eraser",
        "eraser_tip": "Rub out lines (E)",
        "eraser_size": "Eraser size",
        "eraser_size_tip": "How much the eraser rubs out ( [ less, ] more )",
        "move": "Move",
        "move_tip": "Drag to move the drawing; turn the wheel or pinch with two fingers to change its size",
        "mirror": "Mirror",
        "mirror_tip": "Draw both halves of the face at once",
        "fit": "Fit",
        "fit_tip": "Put the drawing where a face belongs",
        "undo": "Undo",
        "undo_tip": "Undo (Ctrl+Z)",
        "redo": "Redo",
        "redo_tip": "Redo (Ctrl+Shift+Z)",
        "clear": "Clear",
        "clear_tip": "Start with an empty sheet (can be undone)",
        "scale": "Size of the drawing",
        "scale_tip": "Make the drawing larger or smaller",
        "smaller": "Smaller",
        "smaller_tip": "Make the drawing smaller",
        "larger": "Larger",
        "larger_tip": "Make the drawing larger",
        "shadow": "Shadow",
        "shadow_tip": "Show a faint face to draw along",
        "opacity": "Strength of the shadow",
        "opacity_tip": "How strong the shadow is",
        "parts": "Parts",
        "parts_tip": "Show where eyes, nose and mouth are looked for",
        "left_eye": "Eye",
        "right_eye": "Eye",
        "nose": "Nose",
        "mouth": "Mouth",
    }
}

_NUMBER = {"type": "number"}
_STROKE = {
    "type": "object",
    "properties": {
        "tool": {"type": "string", "enum": ["pen", "eraser", "image"]},
        "radius": {"type": "number", "description": "half the width of the line in pixels"},
        "points": {"type": "array", "items": {"type": "array", "items": _NUMBER}},
        "mirror": {"type": "boolean"},
        "png": {"type": "string", "description": "data URL of an imported drawing"},
        "box": {"type": "array", "items": _NUMBER, "description": "x, y, width, height"},
    },
    "required": ["tool"],
}


class Pad(gr.HTML):
    """A 512 x 512 drawing pad. Listen to `pad.input`; the page that shows it needs no other script.

    Its value is None until something was drawn, then a dict: `png`, a data URL of the drawing in black on white,
    512 x 512; `strokes`, its elements (see the module); `n`, which grows with every change of the page's drawing.
    The value goes one way: a value that a function returns for a pad is not drawn, `Pad.replace` is.

    Args:
        guide: data URL of the shadow, any square picture; "" shows none.
        windows: part -> (x, y, size) in canvas pixels, shown on demand.
        fit_box: (left, top, right, bottom) in canvas pixels that "Fit" fills with the drawing.
        texts: language code -> key of `TEXTS["en"]` -> text; added to the English ones, which stand in for what
            is missing. Gradio decides on the language: the browser's, or the visitor's choice in its settings.
        storage_key: name under which the browser keeps the drawing, one for each pad of a page; "" keeps nothing.
            Each of its tabs keeps its own, and a new one begins with the latest of all.
        initial: elements to begin with in a browser that kept none.
        live: whether every change of the drawing triggers `input`; if not, it travels with the next event.
        load: `{"id": any new number, "strokes": elements, "tell": bool}`, only for updates: see `replace`.
        options: of gr.HTML: `elem_id`, `scale`, `min_width`, `visible` and the like.
    """

    def __init__(
        self,
        *,
        guide: str = "",
        windows: Mapping[str, Sequence[int]] | None = None,
        fit_box: Sequence[float] = FIT_BOX,
        texts: Mapping[str, Mapping[str, str]] | None = None,
        storage_key: str = "dfd-drawing",
        initial: Sequence[Mapping[str, Any]] | None = None,
        live: bool = True,
        load: Mapping[str, Any] | None = None,
        **options: Any,
    ):
        if windows is None:
            windows = {name: (w.x, w.y, w.size) for name, w in DEFAULT_WINDOWS.items()}
        texts = texts or {}
        options = {"html_template": HTML, "css_template": CSS, "js_on_load": JS, "apply_default_css": False} | options
        super().__init__(
            guide=guide,
            windows={name: list(window) for name, window in windows.items()},
            fit_box=list(fit_box),
            texts={**texts, "en": {**TEXTS["en"], **texts.get("en", {})}},
            storage_key=storage_key,
            initial=list(initial or []),
            live=live,
            load=load,
            **options,
        )

    @staticmethod
    def show(guide: str | Image.Image) -> dict[str, Any]:
        """Update that changes the shadow and nothing else.

        Args:
            guide: data URL, picture, or "" for no shadow.
        """
        return gr.update(guide=data_url(guide) if isinstance(guide, Image.Image) else guide)

    @staticmethod
    def replace(strokes: Sequence[Mapping[str, Any]], *, tell: bool = False) -> dict[str, Any]:
        """Update that replaces the drawing; the visitor can undo it, and `input` follows once.

        A list equal to the drawing changes nothing and causes no event, unless `tell` is set.

        Args:
            strokes: the elements.
            tell: `input` follows even if the drawing is the same already, for what changes settings along with it.
                Not for answers to `input` itself, which would go round in circles.
        """
        return gr.update(load={"id": secrets.randbits(48), "strokes": list(strokes), "tell": tell})

    # In an update, Gradio sends the component's attribute of a prop's name as well. gr.HTML has an event "load", and
    # takes every quoted word of its script for one; a listener cannot be sent.
    load = None

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def preprocess(self, payload: str | Mapping[str, Any] | None) -> dict[str, Any] | None:
        """The value as a function gets it.

        Args:
            payload: the dict that the class describes, or its JSON as the page sends it; programs may leave out
                `strokes` and `n`.

        Raises:
            gr.Error: anything else.
        """
        if payload is None or payload == "":
            return None
        try:
            value = json.loads(payload) if isinstance(payload, str) else dict(payload)
            if not value["png"].startswith(PNG):
                raise ValueError
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise gr.Error(f"A drawing needs a 'png' that begins with {PNG}", print_exception=False) from error
        return {"strokes": [], "n": 0} | value

    def postprocess(self, value: Mapping[str, Any] | None) -> str | None:
        """A dict like `preprocess`'s, as JSON; for programs that read the page's value, never drawn."""
        return None if value is None else json.dumps(value)

    def api_info(self) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {
                "png": {"type": "string", "description": "data URL of a PNG: the drawing, black on white"},
                "strokes": {"type": "array", "items": _STROKE},
                "n": {"type": "integer"},
            },
            "required": ["png"],
            "description": "A drawing of 512 x 512 px. Only the PNG is needed.",
        }

    def example_payload(self) -> dict[str, Any]:
        return {"png": data_url(Image.new("L", (CANVAS, CANVAS), 255)), "strokes": [], "n": 0}

    def example_value(self) -> dict[str, Any]:
        return self.example_payload()


def data_url(image: Image.Image, optimize: bool = False) -> str:
    """The picture as a PNG data URL, for `guide` or the `png` of an image element; `optimize` takes longer."""
    file = io.BytesIO()
    image.save(file, "PNG", optimize=optimize)
    return PNG + base64.b64encode(file.getvalue()).decode()


def image_element(image: Image.Image, box: Sequence[float] = (0, 0, CANVAS, CANVAS)) -> dict[str, Any]:
    """A picture as an element of a drawing: black on white, or any ink on a transparent ground.

    Args:
        image: any mode and size.
        box: x, y, width and height on the canvas, in pixels.
    """
    return {"tool": "image", "png": data_url(image), "box": list(box)}


def picture(value: Mapping[str, Any] | None) -> Image.Image | None:
    """The drawing of a pad's value: L, black on white; 512 x 512 when the page made it. None for None.

    Raises:
        ValueError: the PNG cannot be read.
    """
    if value is None:
        return None
    try:
        return Image.open(io.BytesIO(base64.b64decode(value["png"].removeprefix(PNG), validate=True))).convert("L")
    except (binascii.Error, OSError) as error:
        raise ValueError("the drawing's PNG cannot be read") from error
