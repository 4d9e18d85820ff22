"""The tab "Draw": pad, face and controls. Every stroke, slider and switch asks for the face.

Requests carry the whole drawing and all settings; the server keeps nothing between two of them. Of requests that
come faster than faces are made, only the latest is answered.
"""

from __future__ import annotations

import json
import random
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import torch
from gradio.context import Context
from PIL import Image

from dfd.appearance import read_photo
from dfd.components import COMPONENTS
from dfd.ui import details, texts
from dfd.ui.controls import (
    PRIVATE,
    QUIET,
    READ_ONE_BY_ONE,
    SIDE_BY_SIDE,
    Translate,
    accept_language,
    manifold_radio,
    refinement_slider,
    refusal,
)
from dfd.ui.engine import Engine, Result
from dfd.ui.pad import Pad
from dfd.ui.results import NO_ANSWER, Results, problem, shot
from dfd.ui.session import (
    ALTERNATIVES,
    DEFAULT_SETTINGS,
    MAX_NEIGHBORS,
    PICTURES,
    Session,
    face_png,
    pad_image,
    read_session,
    sketch_png,
    whole,
    write_session,
)

#: Drawings to begin with, as pictures; each has a session of the same name beside it.
EXAMPLES = sorted((Path(__file__).parent / "examples").glob("*.png"))

#: The one that is on the pad at first.
FIRST = next(path for path in EXAMPLES if path.stem == "long_hair")

#: Side in pixels of the faces that colours and suggestions are chosen by.
SMALL = 128

#: A gallery's index that marks nothing (of None, Gradio leaves marked what was clicked last).
NOT_SELECTED = -1

# Name under which a tab of the browser keeps the settings. Gradio loads the page anew when the connection was lost; the
# drawing and the last faces are kept by their components.
STORE = "dfd-settings"

#: JavaScript: the value of one slider for each part's.
ALL_PARTS = f"strength => Array({len(COMPONENTS)}).fill(strength)"


def draw_tab(engine: Engine, t: Translate) -> Pad:
    """Builds the tab where it is called; returns its pad."""
    first = example_session(FIRST)
    face = engine.face(Image.open(FIRST), first.wishes).face
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
                opener = gr.UploadButton(t("open"), file_types=[".json", *PICTURES], elem_id="open", min_width=70)
    with gr.Row(elem_classes="panels"):
        with gr.Accordion(t("by_part"), open=False, elem_id="by_part"):
            parts = [refinement_slider(t(name), f"refinement_{name}") for name in COMPONENTS]
        with gr.Accordion(t("advanced"), open=False, elem_id="advanced"):
            fewest = min(len(engine.pipeline.manifold.subset_rows(name)) for name in ("male", "female"))
            most = min(MAX_NEIGHBORS, fewest)
            neighbors = gr.Slider(
                1,
                most,
                min(DEFAULT_SETTINGS["num_neighbors"], most),
                step=1,
                label=t("neighbors"),
                info=t("neighbors_info"),
                elem_id="neighbors",
                buttons=[],
            )
    with gr.Row(elem_classes="panels"):
        with gr.Accordion(t("colours"), open=False, elem_id="colours") as colours:
            gr.Markdown(t("colours_info"), elem_classes="caption")
            with gr.Row(elem_classes="actions"):
                automatic = gr.Button(t("colours_auto"), elem_id="colours_auto", min_width=100)
                from_photo = gr.UploadButton(
                    t("colours_photo"), file_types=PICTURES, elem_id="colours_photo", min_width=100
                )
                dice = gr.Button(t("colours_random"), elem_id="colours_random", min_width=100)
            swatches = _faces("swatches", 10)
        with gr.Accordion(t("suggestions"), open=False, elem_id="suggestions") as suggested:
            gr.Markdown(t("suggestions_info"), elem_classes="caption")
            suggestions = _faces("suggested", ALTERNATIVES)
    with gr.Row(elem_classes="panels"):
        with gr.Accordion(t("helpers"), open=False, elem_id="helpers") as helped:
            people = gr.HTML(elem_id="people")
        with gr.Accordion(t("inspect"), open=False, elem_id="inspect") as inspected:
            codes = gr.HTML(elem_id="codes")
    with gr.Row(elem_classes="panels"), gr.Accordion(t("compare"), open=False, elem_id="compare") as compare:
        slider = gr.ImageSlider(
            show_label=False,
            interactive=False,
            type="pil",
            format="jpeg",
            buttons=[],
            elem_id="slider",
        )
    panels = {"compare": compare, "helpers": helped, "inspect": inspected, "suggestions": suggested}
    # Which of them are open: what nobody looks at is not computed.
    are_open = {name: gr.Checkbox(False, visible="hidden", elem_id=f"{name}_open") for name in panels}
    # What was chosen of colours and suggestions: a code as JSON, or nothing for automatic; a number from 0.
    appearance = gr.Textbox("", visible="hidden", elem_id="appearance")
    alternative = gr.Number(0, visible="hidden", precision=0, elem_id="alternative")
    # The number of a request, which the browser counts.
    turn = gr.Number(visible="hidden", precision=0, elem_id="turn")

    settings = [manifold, *parts, neighbors, appearance, alternative]
    usual = [control.value for control in settings]
    inputs = [pad, *settings, *are_open.values(), turn]
    outputs = [results, pad, slider, people, codes, suggestions]
    making = {
        **PRIVATE,
        **SIDE_BY_SIDE,
        "trigger_mode": "always_last",
        "show_progress": "minimal",
        "show_progress_on": results,
        "js": sending(usual),
    }

    page = Context.root_block

    def make(
        value: dict | None, chosen: dict | None, shown: list[bool], accepted: str | None, turn: int | None
    ) -> Iterator[tuple]:
        """Updates of `outputs`: the face first, then what is shown around it."""
        started = time.perf_counter()
        drawing = None
        try:
            drawing = pad_image(value)
            if drawing is not None:
                session = Session(value["strokes"], chosen)
                result = engine.face(drawing, session.wishes)
        except ValueError as error:  # what the visitor can mend
            yield Results.show(problem(str(error), turn)), *[gr.skip()] * 5
            return
        if drawing is None:
            yield Results.show(problem("nothing_drawn", turn)), Pad.show(""), *[gr.skip()] * 4
            return
        seconds = time.perf_counter() - started
        yield Results.show(shot(result.face, session, seconds, turn)), *[gr.skip()] * 5
        comparing, helping, inspecting, suggesting = shown
        yield (
            gr.skip(),
            # A shadow takes longer than a face: it can wait, where others wait for their faces.
            gr.skip() if len(page._queue) else Pad.show(engine.shadow(result.projection)),
            (drawing.convert("RGB"), result.face) if comparing else gr.skip(),
            who_helped(engine, result, accepted) if helping else gr.skip(),
            what_is_seen(engine, result, session.settings, accepted) if inspecting else gr.skip(),
            gr.skip(),
        )
        if suggesting:  # last, since these are several faces
            others = [small(face) for face in engine.alternatives(drawing, session.wishes)]
            chosen = session.settings["alternative"] if others else NOT_SELECTED
            yield *[gr.skip()] * 5, gr.update(value=others, selected_index=chosen)

    def draw(value, *rest):
        values, shown, turn = rest[: len(settings)], rest[len(settings) : -1], rest[-1]
        yield from make(value, settings_of(*values), shown, accept_language(), turn)

    changes = [pad.input, generate.click, manifold.input, neighbors.input, *(part.input for part in parts)]
    # One slider moves all parts at once, in the page: in an answer they would jump back under the visitor's hand.
    all_parts = refinement.input(None, refinement, parts, js=ALL_PARTS, queue=False, **QUIET)
    for event in (
        gr.on([*changes, results.retry], draw, inputs, outputs, **making),
        all_parts.then(draw, inputs, outputs, **making),
    ):
        event.failure(None, js=NO_ANSWER, **QUIET)
    for panel, is_open in zip(panels.values(), are_open.values(), strict=True):
        panel.expand(lambda: True, None, is_open, queue=False, **QUIET).then(draw, inputs, outputs, **making)
        panel.collapse(lambda: False, None, is_open, queue=False, **QUIET)
    live.input(lambda on: gr.update(live=on), live, pad, queue=False, **QUIET)

    # A colour or a suggestion is chosen; the face follows.
    first_settings = {"manifold": first.settings["manifold"], "refinement": first.settings["refinement"]}

    def show_swatches(code: str):
        faces = engine.swatch_faces(Image.open(FIRST), first_settings)
        return gr.update(value=[small(face) for face in faces], selected_index=swatch_of(code))

    def swatch_of(code: str) -> int:
        """The swatch of an appearance, to be marked among the others."""
        swatches = [code_text(swatch) for swatch in engine.palette()]
        return swatches.index(code) if code in swatches else NOT_SELECTED

    def pick_swatch(event: gr.SelectData) -> str:
        return code_text(engine.palette()[event.index])

    def colours_of(path: str) -> str:
        try:
            return code_text(engine.appearance_of(read_photo(path)))
        except ValueError as error:
            raise gr.Error(texts.refusal("unreadable", accept_language()), print_exception=False) from error

    def random_code() -> str:
        return code_text(engine.pipeline.random_appearance(secrets.randbits(32)))

    def pick_suggestion(event: gr.SelectData) -> int:
        return event.index

    def draw_suggestion(*given):
        *others, _, turn = given  # the suggestions are there already
        yield from draw(*others, False, turn)

    colours.expand(show_swatches, appearance, swatches, **PRIVATE)
    appearance.change(
        lambda code: gr.update(selected_index=swatch_of(code)), appearance, swatches, queue=False, **QUIET
    )
    for chosen in (
        swatches.select(pick_swatch, None, appearance, queue=False, **QUIET),
        automatic.click(lambda: "", None, appearance, queue=False, **QUIET),
        dice.click(random_code, None, appearance, queue=False, **QUIET),
        from_photo.upload(colours_of, from_photo, appearance, **READ_ONE_BY_ONE, **QUIET),
    ):
        chosen.success(draw, inputs, outputs, **making)
    suggestion = suggestions.select(pick_suggestion, None, alternative, queue=False, **QUIET)
    suggestion.success(draw_suggestion, inputs, outputs, **making)

    # A drawing is put on the pad, which tells of it like of a stroke: the face follows.
    def pick(event: gr.SelectData):
        return Pad.replace(example_session(EXAMPLES[event.index]).strokes, tell=True), 0

    def surprise_me(value):
        drawn = value and value["strokes"]
        others = [s.strokes for s in map(example_session, EXAMPLES) if s.strokes != drawn]
        return Pad.replace(random.choice(others), tell=True), 0

    def open_file(path: str):
        try:
            return opened(read_session(path, engine.trace))
        except ValueError as error:
            raise refusal(error) from error

    set_too = [manifold, refinement, *parts, neighbors, appearance, alternative]
    page.load(None, None, set_too, js=restoring(usual), queue=False, **QUIET)
    loaded = [pad, *set_too]
    gallery.select(pick, None, [pad, alternative], queue=False, **QUIET)
    surprise.click(surprise_me, pad, [pad, alternative], queue=False, **QUIET)
    # These may refuse; only errors of events in the queue reach the page with their words.
    results.select(opened, results, loaded, concurrency_limit=None, **QUIET)
    opener.upload(open_file, opener, loaded, **READ_ONE_BY_ONE, **QUIET)

    def save(kind: str):
        def deliver(value, *values) -> dict[str, Any]:
            try:
                drawing = pad_image(value)
                if drawing is None:
                    raise ValueError("nothing_drawn")
                session = Session(value["strokes"], settings_of(*values))
                if kind == "save_session":
                    return Results.deliver("drawing.json", write_session(session), "application/json")
                if kind == "save_sketch":
                    return Results.deliver("drawing.png", sketch_png(drawing, session), "image/png")
                face = face_png(engine.face(drawing, session.wishes).face, session)
                return Results.deliver("face.png", face, "image/png", share=kind == "share")
            except ValueError as error:
                raise refusal(error) from error

        return deliver

    for kind, button in savers.items():
        button.click(save(kind), [pad, *settings], results, **QUIET, **SIDE_BY_SIDE)
    return pad


def restoring(usual: list[Any]) -> str:
    """JavaScript of the page when it is loaded: the settings that the browser kept, where they are others.

    Args:
        usual: the settings' first values.

    Returns:
        A function that gives the settings, with the mean of the parts' refinement in second place; or nothing.
    """
    parts = len(COMPONENTS)
    return f"""() => {{
        const usual = {json.dumps(usual)};
        try {{
            const kept = JSON.parse(sessionStorage.getItem("{STORE}"));
            const fits = kept.length === usual.length && kept.every((value, i) => typeof value === typeof usual[i]);
            if (!fits || JSON.stringify(kept) === JSON.stringify(usual)) return;
            const mean = kept.slice(1, {1 + parts}).reduce((sum, strength) => sum + strength) / {parts};
            return [kept[0], Math.round(100 * mean) / 100, ...kept.slice(1)];
        }} catch {{}} // none, forbidden, or not ours
    }}"""


def sending(usual: list[Any]) -> str:
    """JavaScript of every request for a face: the browser keeps the settings, and numbers the request.

    Args:
        usual: the settings' first values. The drawing comes before them; the request's number is the last value.
    """
    # The drawing may ask for its face before the page has set what was kept.
    return f"""(drawing, ...values) => {{
        const settings = values.slice(0, {len(usual)});
        const [manifold, , ...others] = (window.dfdTurn === undefined && ({restoring(usual)})()) || [];
        if (manifold) settings.splice(0, {len(usual)}, manifold, ...others);
        try {{
            sessionStorage.setItem("{STORE}", JSON.stringify(settings));
        }} catch {{}} // full or forbidden: they last as long as the page
        window.dfdTurn = (window.dfdTurn ?? 0) + 1;
        return [drawing, ...settings, ...values.slice({len(usual)}, -1), window.dfdTurn];
    }}"""


def settings_of(manifold: str, *values: Any) -> dict[str, Any]:
    """A `Session`'s settings from the values of the controls, in their order."""
    *strengths, neighbors, appearance, alternative = values
    try:
        code = json.loads(appearance) if appearance else None
    except (ValueError, TypeError, RecursionError):
        code = appearance  # which the session refuses in words
    return {
        "manifold": manifold,
        "refinement": dict(zip(COMPONENTS, strengths, strict=True)),
        "num_neighbors": whole(neighbors),
        "appearance": code,
        "alternative": whole(alternative or 0),
    }


def opened(session: Session | None) -> list[Any]:
    """Updates of pad, manifold, refinement, the parts' refinement, neighbours, colours and suggestion to a session."""
    if session is None:
        return [gr.skip()] * (6 + len(COMPONENTS))
    settings = session.settings
    strengths = [settings["refinement"][name] for name in COMPONENTS]
    mean = round(sum(strengths) / len(strengths), 2)
    code = json.dumps(settings["appearance"]) if settings["appearance"] else ""
    last = [settings["num_neighbors"], code, settings["alternative"]]
    return [Pad.replace(session.strokes, tell=True), settings["manifold"], mean, *strengths, *last]


def code_text(code: torch.Tensor) -> str:
    """An appearance code as JSON, short enough to travel with each request."""
    return json.dumps([round(value, 4) for value in code.tolist()])


def small(face: Image.Image) -> Image.Image:
    """A face to choose by."""
    return face.resize((SMALL, SMALL), Image.Resampling.HAMMING)


def example_session(path: Path) -> Session:
    """The drawing of an example's picture, stroke by stroke."""
    return read_session(path.with_suffix(".json"))


def who_helped(engine: Engine, result: Result, accepted: str | None) -> str:
    """The panel "Who helped" in one of the accepted languages."""
    found = engine.helpers(result.projection)
    share = details.agreement(result.encoding.sketches[0], result.face)
    return details.helpers_html(found, share, texts.section("details")[texts.language(accepted)])


def what_is_seen(engine: Engine, result: Result, settings: dict[str, Any], accepted: str | None) -> str:
    """The panel "What the networks see" in one of the accepted languages."""
    found = engine.inspect(result.encoding, settings)
    return details.inspection_html(found, texts.section("details")[texts.language(accepted)])


def _faces(elem_id: str, columns: int) -> gr.Gallery:
    """Small faces to choose from."""
    return gr.Gallery(
        show_label=False,
        container=False,
        columns=columns,
        height="auto",
        allow_preview=False,
        interactive=False,
        buttons=[],
        format="webp",
        elem_id=elem_id,
        elem_classes="faces",
    )
