"""What several tabs have."""

from __future__ import annotations

from collections.abc import Callable

import gradio as gr
from gradio.context import LocalContext
from gradio.i18n import I18nData

from dfd.manifold import DEFAULT_REFINEMENT
from dfd.ui import texts
from dfd.ui.engine import WORKERS
from dfd.ui.session import DEFAULT_SETTINGS

#: Key of the section `page` -> what Gradio shows in the visitor's language.
Translate = Callable[[str], I18nData]

#: How events are run that are nobody's to call but the page's; and those among them that show no progress.
PRIVATE = {"api_visibility": "private"}
QUIET = {**PRIVATE, "show_progress": "hidden"}

#: How events are run that make faces: as many at a time, whichever tab asks, as the engine makes side by side.
SIDE_BY_SIDE = {"concurrency_limit": WORKERS, "concurrency_id": "face"}

#: How events are run that read files: one at a time, since a picture of 50 megapixels takes half a gigabyte.
READ_ONE_BY_ONE = {"concurrency_limit": 1, "concurrency_id": "file"}


def manifold_radio(t: Translate, elem_id: str, **options) -> gr.Radio:
    """Whose faces to follow: "all", "female" or "male"."""
    choices = [(t(name), name) for name in ("all", "female", "male")]
    value, info = DEFAULT_SETTINGS["manifold"], t("manifold_info")
    return gr.Radio(choices, value=value, label=t("manifold"), info=info, elem_id=elem_id, **options)


def refinement_slider(label: str, elem_id: str, **options) -> gr.Slider:
    """From 0, the drawing as it is, to 1, its projection on the manifold."""
    return gr.Slider(0, 1, DEFAULT_REFINEMENT, step=0.05, label=label, elem_id=elem_id, buttons=[], **options)


def accept_language() -> str | None:
    """The Accept-Language of the request that is answered just now."""
    return getattr(LocalContext.request.get(None), "headers", {}).get("accept-language")


def refusal(error: ValueError) -> gr.Error:
    """A message for the visitor, and no entry in the log.

    Args:
        error: its words are a sentence, or a key of `dfd.ui.results.TEXTS`, which the visitor gets in the language that
            the request asks for.
    """
    words = texts.section("results")[texts.language(accept_language())]
    return gr.Error(words.get(str(error), str(error)), print_exception=False)
