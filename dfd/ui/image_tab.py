"""The tab "From an image": a photographed drawing or a photo becomes lines, to be drawn on and generated."""

from __future__ import annotations

import gradio as gr
import torch
from PIL import Image, ImageStat

from dfd.components import CANVAS
from dfd.lines import trace_photo
from dfd.sketch import read_sketch, sketch_to_pil
from dfd.ui import texts
from dfd.ui.controls import (
    PRIVATE,
    QUIET,
    READ_ONE_BY_ONE,
    SIDE_BY_SIDE,
    Translate,
    manifold_radio,
    refinement_slider,
    refusal,
)
from dfd.ui.endpoint import Drawing
from dfd.ui.engine import Engine
from dfd.ui.importing import KINDS, Tracer, import_picture, ink_element, ink_picture
from dfd.ui.pad import Pad

#: What the pad begins with. Without a picture it waits until a tool is picked; with one, the pen is in hand.
PAPER = Image.new("RGB", (CANVAS, CANVAS), "white")


def image_tab(engine: Engine, t: Translate, tabs: gr.Tabs, pad: Pad) -> None:
    """Builds the tab where it is called; `pad` in the first tab of `tabs` takes over what was made of a picture."""
    gr.Markdown(t("image_intro"))
    with gr.Row(elem_classes="stage"):
        with gr.Column(min_width=320):
            sketch = gr.Sketchpad(
                value=PAPER,
                label=t("picture"),
                elem_id="sketch",
                type="pil",
                format="png",
                sources=("upload", "clipboard", "webcam"),
                canvas_size=(CANVAS, CANVAS),
                fixed_canvas=True,
                layers=False,
                transforms=(),
                brush=gr.Brush(default_size=2, colors=["#000000"], color_mode="fixed"),
                eraser=gr.Eraser(default_size=10),
                height=600,
            )
            kind = gr.Radio([(t(name), name) for name in KINDS], value="auto", label=t("kind"), elem_id="kind")
            manifold = manifold_radio(t, "manifold_image")
            refinement = refinement_slider(t("refinement"), "refinement_image", info=t("refinement_info"))
        with gr.Column(min_width=320):
            face = gr.Image(
                PAPER,  # Gradio's own sign for "no picture" is not accessible
                label=t("face"),
                alt_text=texts.LANGUAGES["en"]["page"]["face"],
                elem_id="face",
                type="pil",
                format="png",
                interactive=False,
                height=600,
                buttons=["download", "fullscreen"],
            )
            with gr.Row():
                to_lines = gr.Button(t("to_lines"), elem_id="to_lines", min_width=120)
                generate = gr.Button(t("generate"), variant="primary", elem_id="generate_image", min_width=120)
                onwards = gr.Button(t("continue"), elem_id="continue", min_width=120)

    def lines_of(value: dict | None, kind: str) -> torch.Tensor:
        """The ink of the picture and of what was drawn on it; `gr.Error` if there is none."""
        try:
            ink = read_pad(value, kind, engine.trace)
            if not ink.any():
                raise ValueError("nothing_drawn")
            return ink
        except ValueError as error:  # what the visitor can mend
            raise refusal(error) from error

    def turn_into_lines(value: dict | None, kind: str) -> dict:
        # As a layer of strokes, so that the eraser takes lines away.
        return {"background": PAPER, "layers": [ink_picture(lines_of(value, kind))], "composite": None}

    def sketch_to_face(sketch: dict, manifold: str, refinement: float, kind: str) -> Image.Image:
        """Turns a sketch of a face into a photo, 512 x 512 px, of a person who does not exist.

        Args:
            sketch: a picture's file, or data:image/png;base64,...: a face drawn from the front, or a photo of one.
            manifold: whose faces the sketch is matched with: "all", "female" or "male".
            refinement: from 0 (keep to the lines) to 1 (correct them to the most plausible face).
            kind: what the picture shows: a "drawing", a "photo", or "auto" to find out.
        """
        ink = lines_of(sketch, kind)
        try:
            return engine.face(sketch_to_pil(ink), {"manifold": manifold, "refinement": refinement}).face
        except ValueError as error:
            raise refusal(error) from error

    def go_on(value: dict | None, kind: str):
        return gr.Tabs(selected="draw"), Pad.replace([ink_element(lines_of(value, kind))])

    sketch.clear(lambda: PAPER, None, sketch, **QUIET)
    to_lines.click(turn_into_lines, [sketch, kind], sketch, **PRIVATE, **READ_ONE_BY_ONE)
    onwards.click(go_on, [sketch, kind], [tabs, pad], **PRIVATE, **READ_ONE_BY_ONE)
    controls = [manifold, refinement, kind]
    generate.click(sketch_to_face, [sketch, *controls], face, **PRIVATE, **SIDE_BY_SIDE)
    # Nobody sees this input, so that only programs cause its event.
    drawing = Drawing()
    drawing.apply(sketch_to_face, [drawing, *controls], face, api_name="generate", **SIDE_BY_SIDE)


def read_pad(value: dict | None, kind: str = "auto", tracer: Tracer = trace_photo) -> torch.Tensor:
    """Reads what is on the Sketchpad: an uploaded picture, the strokes on it, or both.

    Args:
        value: None, or `background` (RGBA or None), `layers` (list of RGBA) and `composite` (RGBA or None),
            which is read only where there is neither background nor layer.
        kind: what the background or composite shows, see `import_picture`.
        tracer: draws photos, see `import_picture`.

    Returns:
        float32 1 x 512 x 512, ink in [0, 1]; zeros for an empty pad. Each picture is read by itself, since its
        paper is: the grey of a photographed sheet is no ink, and the strokes on it are.

    Raises:
        ValueError: a picture that cannot be read, or an unknown kind.
    """
    value = value or {"background": None, "layers": [], "composite": None}
    strokes = [read_sketch(layer) for layer in value["layers"] if layer]
    picture = value["background"] or (None if strokes else value["composite"])
    drawn = [import_picture(without_bars(picture), kind, tracer)] if picture else []
    return torch.stack([torch.zeros(1, CANVAS, CANVAS), *strokes, *drawn]).amax(0)


def without_bars(picture: Image.Image) -> Image.Image:
    """Takes off the transparent bars that the pad adds to an oblong picture (RGBA) to make it square.

    The paper is judged by the picture's rim, and the picture is centred in the same way again.
    """
    alpha = picture.getchannel("A")
    box = alpha.getbbox() or (0, 0, *picture.size)
    opaque = ImageStat.Stat(alpha.crop(box)).mean[0] > 250  # a transparent drawing is no picture with bars
    touches = max(box[2] - box[0], box[3] - box[1]) == max(picture.size)
    return picture.crop(box) if opaque and touches else picture
