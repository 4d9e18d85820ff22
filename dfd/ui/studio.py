"""The drawing page: a pad, three controls and the face. `build_demo(pipeline)` returns the Blocks to launch.

The face is made when the button is pressed, not at every stroke: the change events of Gradio's Sketchpad skip
the first stroke or repeat old ones, while the drawing that travels with a click is always the one on the pad.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import gradio as gr
import torch
from PIL import Image, ImageStat

from dfd.components import CANVAS
from dfd.sketch import read_sketch, sketch_to_pil

EXAMPLES = sorted((Path(__file__).parent / "examples").glob("*.png"))

#: What the pad begins with. Without a picture it waits until a tool is picked; with one, the pen is in hand.
PAPER = Image.new("RGB", (CANVAS, CANVAS), "white")

#: Calls that may wait; the next one is told that the queue is full.
QUEUE = 24

INTRO = """
# DeepFaceDrawing
Sketch a face, however roughly, and see it as a photo.

1. **Draw** thin lines: outline, eyes, nose, mouth, hair. It need not be finished: missing parts are found.
2. **Choose** whose faces to follow, and how freely your lines may be corrected.
3. **Generate**, change a line, generate again.
"""

NOTICE = """
The faces are made by a machine, from a model that was trained on machine-made faces only: they show nobody.
The weights are for research and demonstration. Do not present the pictures as photos of real people.
"""

# System fonts only: the page must not ask other hosts for anything.
SANS, MONO = ("system-ui", "sans-serif"), ("ui-monospace", "monospace")
THEME = gr.themes.Default(primary_hue="indigo", neutral_hue="slate", font=SANS, font_mono=MONO)

CSS = """
.gradio-container { max-width: 1240px !important; margin: 0 auto !important; }
#intro ol { margin-bottom: 0; }
#face img { width: 100%; height: 100%; object-fit: contain; }
@media (max-width: 640px) { #sketch, #face { height: 430px !important; } }
#notice { text-align: center; font-size: 0.85em; opacity: 0.75; }
"""

SETTINGS = {
    "theme": THEME,
    "css": CSS,
    "footer_links": ["api"],
    "max_file_size": "20mb",
    "run_history": False,
    "show_error": True,  # an upload that Gradio itself cannot open gets its sentence too
    "ssr_mode": False,
}


class Studio(gr.Blocks):
    """Blocks whose look and settings hold however it is launched: by `app.py`, by a Space, in a test."""

    def launch(self, *args, **options):
        return super().launch(*args, **{**SETTINGS, **options})


def read_pad(value: dict | None) -> torch.Tensor:
    """Reads what is on the pad: an uploaded picture, the strokes on it, or both.

    Args:
        value: None, or `background` (RGBA or None), `layers` (list of RGBA) and `composite` (RGBA or None),
            which is read only where there is neither background nor layer.

    Returns:
        float32 1 x 512 x 512, ink in [0, 1]; zeros for an empty pad. Each picture is read by itself, since its
        paper is: the grey of a photographed sheet is no ink, and the strokes on it are.

    Raises:
        ValueError: a picture that `read_sketch` refuses.
    """
    value = value or {"background": None, "layers": [], "composite": None}
    pictures = [without_bars(value["background"]), *value["layers"]] if value["background"] else value["layers"]
    pictures = pictures or [picture for picture in [value["composite"]] if picture]
    return torch.stack([torch.zeros(1, CANVAS, CANVAS), *map(read_sketch, pictures)]).amax(0)


def without_bars(picture: Image.Image) -> Image.Image:
    """Takes off the transparent bars that the pad adds to an oblong picture (RGBA) to make it square.

    `read_sketch` judges the paper by the picture's rim, and centres the picture in the same way itself.
    """
    alpha = picture.getchannel("A")
    box = alpha.getbbox() or (0, 0, *picture.size)
    opaque = ImageStat.Stat(alpha.crop(box)).mean[0] > 250  # a transparent drawing is no picture with bars
    touches = max(box[2] - box[0], box[3] - box[1]) == max(picture.size)
    return picture.crop(box) if opaque and touches else picture


def build_demo(pipeline: Callable) -> gr.Blocks:
    """Builds the page.

    Args:
        pipeline: a `DeepFaceDrawingPipeline`, or anything that is called like one.

    Returns:
        Blocks with one public endpoint, `/generate(sketch, manifold, refinement)` -> 512 x 512 PNG.
    """

    def generate(sketch: dict, manifold: str, refinement: float) -> Image.Image:
        """Turns a face sketch into a photo of a person who does not exist.

        Args:
            sketch: a Sketchpad's value; a plain drawing goes in as its `background` or as its only layer.
            manifold: whose faces the drawing is matched with: "all", "female" or "male".
            refinement: from 0 (keep to the lines) to 1 (correct them to the most plausible face).
        """
        try:
            ink = read_pad(sketch)
            if not ink.any():
                raise ValueError("The canvas is empty. Draw a face, upload one or pick an example first.")
            return pipeline(sketch_to_pil(ink), manifold=manifold, refinement=refinement).images[0]
        except ValueError as error:  # what the visitor can mend; a message, not an entry in the log
            raise gr.Error(str(error), print_exception=False) from error

    with Studio(title="DeepFaceDrawing", analytics_enabled=False) as demo:
        gr.Markdown(INTRO, elem_id="intro")
        with gr.Row():
            with gr.Column(min_width=400):
                sketch = gr.Sketchpad(
                    value=PAPER,
                    label="Your drawing",
                    elem_id="sketch",
                    type="pil",
                    format="png",
                    sources=("upload", "clipboard"),
                    canvas_size=(CANVAS, CANVAS),
                    fixed_canvas=True,
                    layers=False,
                    transforms=(),
                    brush=gr.Brush(default_size=2, colors=["#000000"], color_mode="fixed"),
                    eraser=gr.Eraser(default_size=10),
                    height=600,
                )
            with gr.Column(min_width=400):
                face = gr.Image(
                    label="Face",
                    elem_id="face",
                    type="pil",
                    format="png",
                    interactive=False,
                    height=600,
                    buttons=["download", "fullscreen"],
                )
        with gr.Row(equal_height=True):
            manifold = gr.Radio(
                [("All", "all"), ("Female", "female"), ("Male", "male")],
                value="all",
                label="Faces to follow",
                info="Whose faces the drawing is matched with.",
                elem_id="manifold",
                min_width=200,
                scale=2,
            )
            refinement = gr.Slider(
                0,
                1,
                value=0.5,
                step=0.05,
                label="Refinement",
                info="0 keeps to your lines, 1 corrects them to the most plausible face.",
                elem_id="refinement",
                min_width=200,
                scale=2,
            )
            button = gr.Button("Generate", variant="primary", size="lg", elem_id="generate", min_width=200)
        gr.Examples(
            [[{"background": None, "layers": [str(path)], "composite": str(path)}] for path in EXAMPLES],
            inputs=[sketch],
            label="Or start from one of these, then press Generate",
            examples_per_page=len(EXAMPLES),
            api_visibility="private",
        )
        gr.Markdown(NOTICE, elem_id="notice")
        sketch.clear(lambda: PAPER, None, sketch, api_visibility="private", show_progress="hidden")
        button.click(generate, [sketch, manifold, refinement], face, api_name="generate", concurrency_limit=1)
    return demo.queue(max_size=QUEUE)
