"""Six places, A to F, for the faces that are morphed and mixed, and what is offered for them.

A component of its own on top of gr.HTML (`static/places.*`): the page keeps the faces, and sends all of them with each
request. A face is a session, so that it can be made again anywhere; examples go by their names.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from dfd.ui.pad import data_url
from dfd.ui.session import Session, read_session, write_session

STATIC = Path(__file__).parent / "static"
HTML, CSS, JS = ((STATIC / f"places.{kind}").read_text("utf-8") for kind in ("html", "css", "js"))

LETTERS = "ABCDEF"

#: Side in pixels of a drawing's small picture.
THUMBNAIL = 160

#: Everything the component says; `{letter}` is filled in.
TEXTS = {
    "place": "Place {letter}: choose it",
    "empty": "Place {letter}, still empty: choose it",
    "choose": "Choose a face below for place {letter}, or choose another place first.",
    "fill": "Put into place {letter}",
    "clear": "Empty place {letter}",
    "last": "Your last faces",
    "none": "What you draw in the first tab appears here.",
    "examples": "Examples",
}


class Places(gr.HTML):
    """Places A to F. Listen to `input`: it follows when a face is put into one, and once when the tab is opened.

    A function gets a list of six, of `Session` or None.

    Args:
        examples: name -> file of an example's picture, which has a session of the same name beside it.
        initial: names of the examples that are in the first places.
        texts: language code -> key of `TEXTS` -> text; English stands in for what is missing.
        put: only for updates, see `fill`.
        options: of gr.HTML.
    """

    def __init__(
        self,
        *,
        examples: Mapping[str, Path],
        initial: Sequence[str] = (),
        texts: Mapping[str, Mapping[str, str]] | None = None,
        put: Mapping[str, Any] | None = None,
        **options: Any,
    ):
        options = {"html_template": HTML, "css_template": CSS, "js_on_load": JS, "apply_default_css": False} | options
        self.files = dict(examples)
        super().__init__(
            examples={name: thumbnail(Image.open(path)) for name, path in examples.items()},
            initial=[*initial, *[None] * (len(LETTERS) - len(initial))],
            texts={**(texts or {}), "en": TEXTS},
            put=put,
            **options,
        )

    @staticmethod
    def fill(session: Session, drawing: Image.Image) -> dict[str, Any]:
        """Update that puts a face into the chosen place; `input` follows.

        Args:
            session: that the face is made of.
            drawing: its picture.
        """
        put = {"id": secrets.randbits(48), "session": write_session(session).decode(), "picture": thumbnail(drawing)}
        return gr.update(put=put)

    def __getattr__(self, name: str) -> Any:
        # gr.HTML takes every quoted word of its script for an event, and would keep its listener as the prop's value.
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def preprocess(self, payload: str | None) -> list[Session | None]:
        """The sessions in the places. Raises gr.Error for anything else, since the page may be anybody's."""
        if payload is None:
            return [None] * len(LETTERS)
        try:
            faces = json.loads(payload) if isinstance(payload, str) else None
            known = isinstance(faces, list) and all(face is None or isinstance(face, str) for face in faces)
            if not known or len(faces) != len(LETTERS):
                raise ValueError("Six places are needed, each with a face or null.")
            return [face if face is None else self._session(face) for face in faces]
        except (ValueError, RecursionError) as error:
            raise gr.Error(str(error), print_exception=False) from error

    def _session(self, face: str) -> Session:
        path = self.files.get(face)
        return read_session(path.with_suffix(".json") if path else face.encode())

    def api_info(self) -> dict[str, Any]:
        return {"type": "string", "description": "a list of six sessions or null, as JSON"}


def thumbnail(drawing: Image.Image) -> str:
    """A small picture of a drawing as a data URL."""
    small = drawing.convert("L").resize((THUMBNAIL, THUMBNAIL), Image.Resampling.HAMMING)
    return data_url(small.quantize(16), optimize=True)
