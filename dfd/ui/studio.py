"""The drawing studio: `build_demo(pipeline)` returns the Blocks to launch.

Three tabs. "Draw" is live: every stroke, slider and switch asks for the face, and of several requests only the latest
is answered. "From an image" reads a photographed drawing or a photo, and hands it on.
"Morph and mix" makes faces of several drawings.

The server keeps nothing between two requests: all that a visitor has is in the page, and travels with each request.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.i18n import I18nData
from gradio.utils import get_space
from PIL import EpsImagePlugin
from starlette.middleware import Middleware

from dfd.pipeline import DeepFaceDrawingPipeline
from dfd.ui import cleaning, queueing, texts
from dfd.ui.blend_tab import blend_tab
from dfd.ui.draw_tab import draw_tab
from dfd.ui.engine import Engine
from dfd.ui.image_tab import image_tab
from dfd.ui.limits import MAX_UPLOAD, RATE, Limits
from dfd.ui.shield import BadPayload, Shield, check_payload, log_error

#: Calls that may wait; the next one is told that the queue is full.
QUEUE = 24

#: Temporary files, which uploads and downloads pass through, are looked over so often, and deleted at this age.
KEEP_SECONDS = (600, 1800)

# System fonts only: the page must not ask other hosts for anything.
SANS, MONO = ("system-ui", "sans-serif"), ("ui-monospace", "monospace")
# The defaults' subdued texts and primary buttons have too little contrast.
THEME = gr.themes.Default(primary_hue="indigo", neutral_hue="slate", font=SANS, font_mono=MONO).set(
    color_accent="*primary_600",
    button_primary_background_fill="*primary_600",
    button_primary_background_fill_hover="*primary_700",
    body_text_color_subdued="*neutral_600",
    body_text_color_subdued_dark="*neutral_300",
    block_info_text_color="*neutral_600",
    block_info_text_color_dark="*neutral_300",
    block_title_text_color="*neutral_700",
)
CSS = (Path(__file__).parent / "static" / "studio.css").read_text("utf-8")

#: Arabic is read from right to left; Gradio sets the page's language, not its direction.
DIRECTION = """() => {
  const page = document.documentElement;
  const turn = () => { page.dir = page.lang.startsWith("ar") ? "rtl" : "ltr"; };
  new MutationObserver(turn).observe(page, { attributeFilter: ["lang"] });
  turn();
}"""

# A prefix, since Gradio has words of its own under short names.
I18N = gr.I18n(
    **{
        language: {f"dfd_{key}": text for key, text in words.items()}
        for language, words in texts.section("page").items()
    }
)

SETTINGS = {
    "theme": THEME,
    "css": CSS,
    "js": DIRECTION,
    "i18n": I18N,
    "footer_links": ["api", "settings"],
    "max_file_size": MAX_UPLOAD,
    "enable_monitoring": False,
    "state_session_capacity": 1000,  # they are kept nearly empty, see dfd.ui.cleaning
    "run_history": False,
    "show_error": True,  # an upload that Gradio itself cannot open gets its sentence too
    "ssr_mode": False,
}


cleaning.install()
queueing.install()

# A picture that visitors bring is no program: Pillow would run an EPS file in Ghostscript.
EpsImagePlugin.gs_binary = False

#: Proxies of Hugging Face, which say in X-Forwarded-For whom they ask for.
SPACE_PROXIES = "10.0.0.0/8,127.0.0.1"

#: Longest message of an error that the page shows: Gradio's own may hold all that was sent.
MAX_WORDS = 300


class Studio(gr.Blocks):
    """Blocks whose look, settings and limits hold however it is launched: by `app.py`, by a Space, in a test.

    The environment variable DFD_VISITOR_RATE says how many requests a second a visitor may make; 0 for any number.
    """

    def launch(self, *args, **options):
        if get_space():
            os.environ.setdefault("FORWARDED_ALLOW_IPS", SPACE_PROXIES)
        rate = float(os.environ.get("DFD_VISITOR_RATE", RATE))
        middleware = [Middleware(Shield), Middleware(Limits, queue=self._queue, rate=rate)]
        return super().launch(*args, **{**SETTINGS, "app_kwargs": {"middleware": middleware}, **options})

    async def process_api(self, block_fn, inputs, *args, **options):
        """Runs an event. Whatever goes wrong becomes a sentence, and no entry in the log with what was sent."""
        try:
            check_payload(inputs)
            return await super().process_api(block_fn, inputs, *args, **options)
        except gr.Error as error:
            error.message, error.print_exception = str(error.message)[:MAX_WORDS], False
            raise
        except BadPayload as error:
            raise _refusal(str(error), options) from None
        except Exception as error:
            log_error(error)
            raise _refusal("failed", options) from None

    async def preprocess_data(self, block_fn, inputs, *args, **options):
        try:
            return await super().preprocess_data(block_fn, inputs, *args, **options)
        except gr.Error:
            raise
        except Exception as error:  # a value that a component cannot read
            raise BadPayload("unreadable") from error


def _refusal(key: str, options: dict[str, Any]) -> gr.Error:
    accepted = getattr(options.get("request"), "headers", {}).get("accept-language")
    return gr.Error(texts.refusal(key, accepted), print_exception=False)


def build_demo(pipeline: DeepFaceDrawingPipeline) -> gr.Blocks:
    """Builds the page.

    Args:
        pipeline: with a manifold.

    Returns:
        Blocks with the public endpoints `/generate(sketch, manifold, refinement, kind)` -> 512 x 512 PNG,
        `/morph(a, b, steps, kind, bounce)` -> animation, and `/mix(left_eye, ..., remainder, appearance_from)` ->
        512 x 512 PNG.
    """
    engine = Engine(pipeline)

    def t(key: str) -> I18nData:
        return I18N(f"dfd_{key}")

    with Studio(title="DeepFaceDrawing", analytics_enabled=False, delete_cache=KEEP_SECONDS) as demo:
        gr.Markdown(t("intro"), elem_id="intro")
        with gr.Tabs(selected="draw") as tabs:
            with gr.Tab(t("draw"), id="draw"):
                pad = draw_tab(engine, t)
            with gr.Tab(t("image"), id="image"):
                image_tab(engine, t, tabs, pad)
            with gr.Tab(t("blend"), id="blend"):
                blend_tab(engine, t)
        gr.Markdown(t("notice"), elem_id="notice")
    # Direct calls would pass by the queue.
    return demo.queue(max_size=QUEUE, api_open=False)
