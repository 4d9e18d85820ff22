"""What the page shows of a drawing: the face, the last eight of them, and files for the visitor to keep.

A component of its own on top of gr.HTML (`static/results.*`): gr.Image would fetch every face in a request of its
own and blink between two of them, and gr.DownloadButton gives what was there before it was pressed.
"""

from __future__ import annotations

import base64
import io
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from dfd.provenance import NOTICE, XMP
from dfd.ui.session import Session, read_session, write_session

STATIC = Path(__file__).parent / "static"
HTML, CSS, JS = ((STATIC / f"results.{kind}").read_text("utf-8") for kind in ("html", "css", "js"))

#: Everything the component says; `{words}` are filled in.
TEXTS = {
    "face": "The face made from your drawing; this person does not exist",
    "empty": "Your face appears here.",
    "nothing_drawn": "Draw something, and a face appears.",
    "busy": "No answer just now: many people are drawing, or the connection is lost. Your drawing is safe; "
    "it is sent again by itself in a few seconds.",
    "seconds": "Made in {seconds} s. This person does not exist.",
    "restore": "Go back to this drawing",
    "empty_place": "One of the places that you chose is empty. Put a face there first.",
}


#: JavaScript for an event's `failure`: the server did not answer, or too many wait.
NO_ANSWER = '() => { document.querySelector("#results .results").dispatchEvent(new Event("unanswered")); }'


class Results(gr.HTML):
    """The face, how long it took, and the last eight faces. Listen to `select`: a visitor wants one of those back.

    Its value is then that face's `Session`, else None. Listen to `retry`, too, where failures run `NO_ANSWER`:
    it is time to ask again.

    Args:
        shot: from `shot`; what is shown at first.
        texts: language code -> key of `TEXTS` -> text; English stands in for what is missing.
        history: whether the last eight faces are shown, too; `Places` of the same page offer them.
        file: only for updates, see `deliver`.
        options: of gr.HTML.
    """

    def __init__(
        self,
        *,
        shot: Mapping[str, Any] | None = None,
        texts: Mapping[str, Mapping[str, str]] | None = None,
        history: bool = True,
        file: Mapping[str, Any] | None = None,
        **options: Any,
    ):
        options = {"html_template": HTML, "css_template": CSS, "js_on_load": JS, "apply_default_css": False} | options
        super().__init__(shot=shot, texts={**(texts or {}), "en": TEXTS}, history=history, file=file, **options)

    @staticmethod
    def show(shot: Mapping[str, Any]) -> dict[str, Any]:
        """Update that shows a face, or what is wrong; from `shot` or `problem`."""
        return gr.update(shot=shot)

    @staticmethod
    def deliver(name: str, data: bytes, kind: str, share: bool = False) -> dict[str, Any]:
        """Update that saves a file on the visitor's device.

        Args:
            name: of the file.
            data: its contents.
            kind: MIME type.
            share: offer it to the device's sharing, where there is one.
        """
        url = f"data:{kind};base64,{base64.b64encode(data).decode()}"
        return gr.update(file={"id": secrets.randbits(48), "name": name, "url": url, "share": share})

    def __getattr__(self, name: str) -> Any:
        # gr.HTML takes every quoted word of its script for an event, and would keep its listener as the prop's value.
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def preprocess(self, payload: str | None) -> Session | None:
        """The session that was picked. Raises gr.Error for anything else, since the page may be anybody's."""
        if not payload:
            return None
        try:
            return read_session(payload.encode())
        except (ValueError, AttributeError) as error:
            raise gr.Error(str(error), print_exception=False) from error

    def api_info(self) -> dict[str, Any]:
        return {"type": "string", "description": "a session as JSON"}


def shot(
    face: Image.Image, session: Session | None, seconds: float | None = None, turn: int | None = None
) -> dict[str, Any]:
    """A face to show.

    Args:
        face: RGB.
        session: what it was made of, to go back to; None leaves it out of the last eight.
        seconds: that it took.
        turn: number of the request that it answers: it is not shown once a later one is answered.
    """
    file = io.BytesIO()
    # A picture that is saved from the page by the browser's own means says what it is, too.
    face.save(file, "JPEG", quality=92, comment=NOTICE, xmp=XMP.encode())
    url = "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
    text = write_session(session).decode() if session else None
    return {"id": secrets.randbits(48), "face": url, "session": text, "seconds": seconds, "turn": turn}


def problem(text: str, turn: int | None = None) -> dict[str, Any]:
    """A sentence, or a key of `TEXTS`, to show over the last face; `turn` as of `shot`."""
    return {"id": secrets.randbits(48), "problem": text, "turn": turn}
