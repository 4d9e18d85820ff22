"""The tab "Morph and mix": faces between two drawings, and faces of several drawings' parts.

As everywhere in the studio, requests carry all that they need: the six faces as sessions, and all settings. Nothing is
encoded twice, since the engine remembers codes by drawing.
"""

from __future__ import annotations

import base64
import io
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache
from PIL import Image

from dfd.animation import FORMATS, save_animation
from dfd.components import COMPONENTS
from dfd.interpolation import mix_faces
from dfd.manifold import Projection
from dfd.provenance import NOTICE, XMP
from dfd.ui import texts
from dfd.ui.controls import PRIVATE, QUIET, READ_ONE_BY_ONE, SIDE_BY_SIDE, Translate, refusal
from dfd.ui.draw_tab import EXAMPLES
from dfd.ui.engine import Engine
from dfd.ui.importing import Tracer
from dfd.ui.places import LETTERS, Places
from dfd.ui.rendering import render
from dfd.ui.results import Results, problem, shot
from dfd.ui.session import PICTURES, Session, face_png, read_session

#: In the first places, so that there is something to play with.
FIRST = ("long_hair", "beard", "bob")

#: Faces of the strip, and of an animation, which goes there and back within so many seconds.
STRIP, FRAMES, SECONDS = 8, 12, 4

#: Most frames that a program can ask for.
MAX_FRAMES = 48

MIME = {".gif": "image/gif", ".webp": "image/webp", ".mp4": "video/mp4"}

#: Side in pixels of a face in the strip.
SMALL = 192


class FaceFile(gr.File):
    """An input for programs alone: no page shows it. A function gets a `Session`, or None.

    It takes a saved face, drawing or session, or any picture of a drawing.
    """

    def __init__(self, label: str, tracer: Tracer):
        super().__init__(label=label, visible=False)
        self._tracer = tracer  # under another name Gradio would send it to the page

    def get_block_name(self) -> str:
        return "api"  # as of gr.Api, which the page does not mount

    def preprocess(self, payload: Any) -> Session | None:
        path = super().preprocess(payload)
        try:
            return path and read_session(path, self._tracer)
        except ValueError as error:
            raise gr.Error(str(error), print_exception=False) from error


class AnimationFile(gr.File):
    """An output for programs alone. A function returns the ending of the file's name and its bytes."""

    def __init__(self):
        super().__init__(label="Animation", visible=False)

    def get_block_name(self) -> str:
        return "api"

    def postprocess(self, value: tuple[str, bytes] | None) -> Any:
        if value is None:
            return None
        ending, data = value
        path = save_bytes_to_cache(data, f"morph{ending}", self.GRADIO_CACHE)
        self.temp_files.add(path)
        return super().postprocess(path)


def blend_tab(engine: Engine, t: Translate) -> None:
    """Builds the tab where it is called."""
    gr.Markdown(t("blend_intro"))
    places = Places(
        examples={path.stem: path for path in EXAMPLES},
        initial=FIRST,
        texts=texts.section("places"),
        elem_id="places",
    )
    opener = gr.UploadButton(t("open"), file_types=[".json", *PICTURES], elem_id="open_place", min_width=70)
    with gr.Row(elem_classes="stage"):
        with gr.Column(min_width=320):
            gr.Markdown(t("morph"))
            between = Results(texts=texts.section("results"), history=False, elem_id="morph")
            position = gr.Slider(
                0, 1, 0.5, step=0.01, label=t("position"), info=t("position_info"), elem_id="position", buttons=[]
            )
            with gr.Row(elem_classes="actions"):
                start = gr.Radio(list(LETTERS), value="A", label=t("from"), elem_id="from", min_width=140)
                end = gr.Radio(list(LETTERS), value="B", label=t("to"), elem_id="to", min_width=140)
            with gr.Row(elem_classes="actions"):
                strip = gr.Button(t("strip"), elem_id="strip", min_width=100)
                savers = {
                    ending: gr.Button(name, elem_id=f"save_{ending[1:]}", min_width=70)
                    for ending, name in zip(FORMATS, ("GIF", "WebP", "MP4"), strict=True)
                }
            faces_between = gr.HTML(elem_id="between")
        with gr.Column(min_width=320):
            gr.Markdown(t("mix"))
            mixed = Results(texts=texts.section("results"), history=False, elem_id="mix")
            # At first everybody of the first three gives something.
            givers = {
                name: gr.Radio(list(LETTERS), value=value, label=t(name), elem_id=f"mix_{name}")
                for name, value in zip(COMPONENTS, "AACBA", strict=True)
            }
            colours = gr.Radio(list(LETTERS), value="A", label=t("mix_colours"), elem_id="mix_colours")
            save_mix = gr.Button(t("save_face"), elem_id="save_mix", min_width=100)

    def code(session: Session | None) -> Projection:
        """A face in code form; raises ValueError for an empty place."""
        if session is None:
            raise ValueError("empty_place")
        return engine.code(render(session), session.wishes)

    def ends(sessions: list[Session | None], start: str, end: str) -> tuple[Projection, Projection]:
        return code(sessions[LETTERS.index(start)]), code(sessions[LETTERS.index(end)])

    def morphed(sessions, position, start, end) -> dict[str, Any]:
        return shown(lambda: engine.morph(*ends(sessions, start, end), position))

    def mixture(sessions, *letters) -> Image.Image:
        chosen = {letter: code(sessions[LETTERS.index(letter)]) for letter in dict.fromkeys(letters)}
        *parts, look = (chosen[letter] for letter in letters)
        face = mix_faces(dict(zip(COMPONENTS, parts, strict=True)))
        return engine.picture(replace(face, appearance=look.appearance))

    def mixing(sessions, *letters) -> dict[str, Any]:
        return shown(lambda: mixture(sessions, *letters))

    def both(sessions, position, start, end, *letters) -> Iterator[tuple]:
        yield morphed(sessions, position, start, end), gr.skip()
        yield gr.skip(), mixing(sessions, *letters)

    def small_faces(sessions, start, end) -> str:
        try:
            a, b = ends(sessions, start, end)
        except ValueError as error:
            raise refusal(error) from error
        return strip_html([engine.morph(a, b, i / (STRIP - 1)) for i in range(STRIP)])

    def animate(ending: str) -> Callable:
        def deliver(sessions, start, end) -> dict[str, Any]:
            try:
                data = animation(engine, *ends(sessions, start, end), ending, FRAMES, bounce=True)
            except ValueError as error:
                raise refusal(error) from error
            return Results.deliver(f"morph{ending}", data, MIME[ending])

        return deliver

    def save(sessions, *letters) -> dict[str, Any]:
        try:
            return Results.deliver("face.png", face_png(mixture(sessions, *letters), None), "image/png")
        except ValueError as error:
            raise refusal(error) from error

    def open_file(path: str) -> dict[str, Any]:
        try:
            session = read_session(path, engine.trace)
            return Places.fill(session, render(session))
        except ValueError as error:
            raise refusal(error) from error

    live = {**PRIVATE, **SIDE_BY_SIDE, "trigger_mode": "always_last", "show_progress": "minimal"}
    morph_inputs, letters = [places, position, start, end], [*givers.values(), colours]
    gr.on(
        [position.input, start.input, end.input],
        morphed,
        morph_inputs,
        between,
        **live,
        show_progress_on=between,
    )
    gr.on([radio.input for radio in letters], mixing, [places, *letters], mixed, **live, show_progress_on=mixed)
    places.input(both, [*morph_inputs, *letters], [between, mixed], **live, show_progress_on=[between, mixed])
    strip.click(small_faces, [places, start, end], faces_between, **PRIVATE, **SIDE_BY_SIDE)
    for ending, button in savers.items():
        button.click(
            animate(ending), [places, start, end], between, **PRIVATE, **SIDE_BY_SIDE, show_progress_on=faces_between
        )
    save_mix.click(save, [places, *letters], mixed, **QUIET, **SIDE_BY_SIDE)
    opener.upload(open_file, opener, places, **READ_ONE_BY_ONE, **QUIET)

    endpoints(engine, code)


def endpoints(engine: Engine, code: Callable[[Session | None], Projection]) -> None:
    """What programs call: `/morph` and `/mix`."""

    def morph(a: Session, b: Session, steps: int, kind: str, bounce: bool) -> tuple[str, bytes]:
        """Makes an animation of faces on the way from one drawing to another; nobody in it exists.

        Args:
            a: file of the first face: saved by this page, or any picture of a drawing.
            b: file of the last face, likewise.
            steps: how many faces, from 2 to 48.
            kind: "gif", "webp" or "mp4".
            bounce: whether it goes back to the first face, too.
        """
        try:
            ending = f".{kind}"
            return ending, animation(engine, code(a), code(b), ending, int(steps), bounce)
        except ValueError as error:
            raise refusal(error) from error

    def mix(
        left_eye: Session | None = None,
        right_eye: Session | None = None,
        nose: Session | None = None,
        mouth: Session | None = None,
        remainder: Session | None = None,
        appearance_from: str = "remainder",
    ) -> Image.Image:
        """Makes one face of several drawings' parts; this person does not exist.

        Args:
            left_eye: file of a face, saved by this page, or any picture of a drawing; left is the picture's left.
                What is left out, here or below, comes from the remainder's face, or from the first one given.
            right_eye: likewise.
            nose: likewise.
            mouth: likewise.
            remainder: likewise; outline and hair.
            appearance_from: the part whose face gives colours and light, or "mean".
        """
        sessions = (left_eye, right_eye, nose, mouth, remainder)
        try:
            given = {name: code(face) for name, face in zip(COMPONENTS, sessions, strict=True) if face}
            return engine.picture(mix_faces(given, appearance_from))
        except ValueError as error:
            raise refusal(error) from error

    a, b = FaceFile("a", engine.trace), FaceFile("b", engine.trace)
    steps = gr.Slider(2, MAX_FRAMES, FRAMES, step=1, label="steps", visible=False)
    kind = gr.Radio([ending[1:] for ending in FORMATS], value="webp", label="kind", visible=False)
    bounce = gr.Checkbox(True, label="bounce", visible=False)
    a.upload(morph, [a, b, steps, kind, bounce], AnimationFile(), api_name="morph", **SIDE_BY_SIDE)
    parts = [FaceFile(name, engine.trace) for name in COMPONENTS]
    look = gr.Radio([*COMPONENTS, "mean"], value="remainder", label="appearance_from", visible=False)
    picture = gr.Image(visible=False, format="png", label="Face")
    parts[0].upload(mix, [*parts, look], picture, api_name="mix", **SIDE_BY_SIDE)


def shown(make: Callable[[], Image.Image]) -> dict[str, Any]:
    """Update of `Results` that shows the face that is made now, or what the visitor can mend."""
    started = time.perf_counter()
    try:
        face = make()
    except ValueError as error:
        return Results.show(problem(str(error)))
    return Results.show(shot(face, None, time.perf_counter() - started))


def animation(engine: Engine, a: Projection, b: Projection, ending: str, frames: int, bounce: bool) -> bytes:
    """The file of an animation from one face to another."""
    pictures = [engine.morph(a, b, i / (frames - 1)) for i in range(frames)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"morph{ending}"
        save_animation(pictures, path, SECONDS, bounce=bounce)
        return path.read_bytes()


def strip_html(faces: list[Image.Image]) -> str:
    """Faces in a row, as HTML that needs nothing else."""
    images = []
    for number, face in enumerate(faces, 1):
        file = io.BytesIO()
        small = face.resize((SMALL, SMALL), Image.Resampling.HAMMING)
        small.save(file, "JPEG", quality=90, comment=NOTICE, xmp=XMP.encode())
        url = f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
        images.append(f'<img src="{url}" width="{SMALL}" height="{SMALL}" alt="{number}/{len(faces)}">')
    return f'<div class="between">{"".join(images)}</div>'
