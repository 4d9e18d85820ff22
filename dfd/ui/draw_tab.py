"""The tab "Draw": pad, face and controls. Every stroke, slider and switch asks for the face.

Requests carry the whole drawing and all settings; the server keeps nothing between two of them. Of requests that
come faster than faces are made, only the latest is answered.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from dfd.components import COMPONENTS
from dfd.ui import details, texts
from dfd.ui.controls import ONE_BY_ONE, Translate, manifold_radio, refinement_slider
from dfd.ui.engine import Engine, Result
from dfd.ui.pad import Pad
from dfd.ui.results import Results, problem, shot
from dfd.ui.session import (
    DEFAULT_SETTINGS,
    MAX_NEIGHBORS,
    Session,
    face_png,
    pad_image,
    read_session,
    sketch_png,
    write_session,
)

#: Drawings to begin with, as pictures; each has a session of the same name beside it.
EXAMPLES = sorted((Path(__file__).parent / "examples").glob("*.png"))

#: The one that is on the pad at first.
FIRST = next(path for path in EXAMPLES if path.stem == "long_hair")

EMPTY = "There is nothing on the paper yet. Draw something first."

# How events are run.
_PRIVATE = {"api_visibility": "private"}
_QUIET = {**_PRIVATE, "show_progress": "hidden"}


def draw_tab(engine: Engine, t: Translate) -> Pad:
    """Builds the tab where it is called; returns its pad."""
    first = example_session(FIRST)
    face = engine.face(Image.open(FIRST), first.settings).face
    with gr.Row(elem_classes="stage"):
        with gr.Column(min_width=320):
            pad = Pad(initial=first.strokes, texts=texts.section("pad"), elem_id="pad")
            with gr.Row(elem_classes="actions"):
                generate = gr.Button(t("generate"), variant="primary", elem_id="generate", min_width=100)
                surprise = gr.Button(t("surprise"), elem_id="surprise", min_width=100)
                live = gr.Checkbox(True, label=t("live"), elem_id="live", min_width=160, container=False)
            gr.Markdown(t("examples"), elem_classes="caption")
            gallery = gr.Gallery(
                [str(path) for path in EXAMPLES],
                show_label=False,
                container=False,
                columns=len(EXAMPLES),
                rows=1,
                height="auto",
                allow_preview=False,
                interactive=False,
                buttons=[],
                format="png",
                elem_id="examples",
            )
        with gr.Column(min_width=320):
            results = Results(shot=shot(face, first), texts=texts.section("results"), elem_id="results")
            refinement = refinement_slider(t("refinement"), "refinement", info=t("refinement_info"))
            manifold = manifold_radio(t, "manifold")
            with gr.Row(elem_classes="actions"):
                savers = {
                    kind: gr.Button(t(kind), elem_id=kind, min_width=70)
                    for kind in ("save_face", "share", "save_sketch", "save_session")
                }
                types = [".json", ".png", ".jpg", ".jpeg", ".webp"]
                opener = gr.UploadButton(t("open"), file_types=types, elem_id="open", min_width=70)
    with gr.Row(elem_classes="panels"):
        with gr.Accordion(t("by_part"), open=False, elem_id="by_part"):
            parts = [refinement_slider(t(name), f"refinement_{name}") for name in COMPONENTS]
        with gr.Accordion(t("advanced"), open=False, elem_id="advanced"):
            fewest = min(len(engine.pipeline.manifold.subset_rows(name)) for name in ("male", "female"))
            neighbors = gr.Slider(
                1,
                min(MAX_NEIGHBORS, fewest),
                DEFAULT_SETTINGS["num_neighbors"],
                step=1,
                label=t("neighbors"),
                info=t("neighbors_info"),
                elem_id="neighbors",
                buttons=[],
            )
    with gr.Row(elem_classes="panels"):
        with gr.Accordion(t("compare"), open=False, elem_id="compare") as compare:
            slider = gr.ImageSlider(
                show_label=False,
                interactive=False,
                type="pil",
                format="jpeg",
                buttons=[],
                elem_id="slider",
            )
        with gr.Accordion(t("helpers"), open=False, elem_id="helpers") as helped:
            people = gr.HTML(elem_id="people")
    # Whether these two are open: what nobody looks at is not computed.
    comparing, helping = (gr.Checkbox(False, visible="hidden", elem_id=f"{n}_open") for n in ("compare", "helpers"))

    settings = [manifold, *parts, neighbors]
    outputs = [results, pad, slider, people]
    making = {
        **_PRIVATE,
        **ONE_BY_ONE,
        "trigger_mode": "always_last",
        "show_progress": "minimal",
        "show_progress_on": results,
    }

    def make(value: dict | None, chosen: dict, comparing: bool, helping: bool, accepted: str) -> Iterator[tuple]:
        """Updates of `outputs`: the face first, then what is shown around it."""
        started = time.perf_counter()
        drawing = None
        try:
            drawing = pad_image(value)
            if drawing is not None:
                result = engine.face(drawing, chosen)
                session = Session(value["strokes"], chosen)
        except ValueError as error:  # what the visitor can mend
            yield Results.show(problem(str(error))), gr.skip(), gr.skip(), gr.skip()
            return
        if drawing is None:
            yield Results.show(problem("nothing_drawn")), Pad.show(""), gr.skip(), gr.skip()
            return
        seconds = time.perf_counter() - started
        yield Results.show(shot(result.face, session, seconds)), gr.skip(), gr.skip(), gr.skip()
        pair = (drawing.convert("RGB"), result.face) if comparing else gr.skip()
        helpers = who_helped(engine, result, accepted) if helping else gr.skip()
        yield gr.skip(), Pad.show(engine.shadow(result.projection)), pair, helpers

    def draw(request: gr.Request, value, manifold, *rest):
        *strengths, neighbors, comparing, helping = rest
        chosen = settings_of(manifold, strengths, neighbors)
        yield from make(value, chosen, comparing, helping, request.headers.get("accept-language", ""))

    def draw_all(request: gr.Request, value, manifold, refinement, neighbors, comparing, helping):
        same = [refinement] * len(COMPONENTS)
        for update in draw(request, value, manifold, *same, neighbors, comparing, helping):
            yield *update, *same

    changes = [pad.input, generate.click, manifold.input, neighbors.input, *(part.input for part in parts)]
    inputs = [pad, *settings, comparing, helping]
    gr.on(changes, draw, inputs, outputs, **making)
    inputs_all = [pad, manifold, refinement, neighbors, comparing, helping]
    refinement.input(draw_all, inputs_all, [*outputs, *parts], **making)
    for panel, is_open in ((compare, comparing), (helped, helping)):
        panel.expand(lambda: True, None, is_open, queue=False, **_QUIET).then(draw, inputs, outputs, **making)
        panel.collapse(lambda: False, None, is_open, queue=False, **_QUIET)
    live.input(lambda on: gr.update(live=on), live, pad, queue=False, **_QUIET)

    # A drawing is put on the pad, which tells of it like of a stroke: the face follows.
    def pick(event: gr.SelectData):
        return Pad.replace(example_session(EXAMPLES[event.index]).strokes)

    def surprise_me(value):
        drawn = value and value["strokes"]
        others = [s.strokes for s in map(example_session, EXAMPLES) if s.strokes != drawn]
        return Pad.replace(random.choice(others))

    def open_file(path: str):
        try:
            return opened(read_session(path))
        except ValueError as error:
            raise gr.Error(str(error), print_exception=False) from error

    loaded = [pad, manifold, refinement, *parts, neighbors]
    gallery.select(pick, None, pad, queue=False, **_QUIET)
    surprise.click(surprise_me, pad, pad, queue=False, **_QUIET)
    # These may refuse; only errors of events in the queue reach the page with their words.
    results.select(opened, results, loaded, concurrency_limit=None, **_QUIET)
    opener.upload(open_file, opener, loaded, concurrency_limit=None, **_QUIET)

    def save(kind: str):
        def deliver(value, manifold, *rest) -> dict[str, Any]:
            *strengths, neighbors = rest
            try:
                drawing = pad_image(value)
                if drawing is None:
                    raise ValueError(EMPTY)
                session = Session(value["strokes"], settings_of(manifold, strengths, neighbors))
                if kind == "save_session":
                    return Results.deliver("drawing.json", write_session(session), "application/json")
                if kind == "save_sketch":
                    return Results.deliver("drawing.png", sketch_png(drawing, session), "image/png")
                face = face_png(engine.face(drawing, session.settings).face, session)
                return Results.deliver("face.png", face, "image/png", share=kind == "share")
            except ValueError as error:
                raise gr.Error(str(error), print_exception=False) from error

        return deliver

    for kind, button in savers.items():
        button.click(save(kind), [pad, *settings], results, **_QUIET, **ONE_BY_ONE)
    return pad


def settings_of(manifold: str, strengths: list[float], neighbors: float) -> dict[str, Any]:
    """A `Session`'s settings from the controls' values."""
    refinement = dict(zip(COMPONENTS, strengths, strict=True))
    return {"manifold": manifold, "refinement": refinement, "num_neighbors": int(neighbors)}


def opened(session: Session | None) -> list[Any]:
    """Updates of pad, manifold, refinement, the parts' refinement and neighbours to a saved session."""
    if session is None:
        return [gr.skip()] * (4 + len(COMPONENTS))
    strengths = [session.settings["refinement"][name] for name in COMPONENTS]
    mean = round(sum(strengths) / len(strengths), 2)
    drawing = Pad.replace(session.strokes)
    return [drawing, session.settings["manifold"], mean, *strengths, session.settings["num_neighbors"]]


def example_session(path: Path) -> Session:
    """The drawing of an example's picture, stroke by stroke."""
    return read_session(path.with_suffix(".json"))


def who_helped(engine: Engine, result: Result, accepted: str) -> str:
    """The panel "Who helped" in one of the accepted languages."""
    found = details.helpers(engine.pipeline, result.projection)
    share = details.agreement(result.encoding.sketches[0], result.face)
    return details.helpers_html(found, share, texts.section("details")[texts.language(accepted)])
