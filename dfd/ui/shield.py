"""What Gradio leaves open and the studio does not need is closed, and every answer says how browsers may treat it.

`Shield` is an ASGI middleware. `check_payload` looks at the values of a call before Gradio does.
"""

from __future__ import annotations

import logging
import re
import traceback
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dfd.ui.limits import refuse

#: Routes of Gradio that the page does not use. They fetch addresses for anybody, run ffmpeg on anybody's films, write
#: a session's drawings to the disk, or tell about other visitors.
CLOSED = re.compile(
    r"(?i)/gradio_api/(proxy=|file[=/]\s*[a-z][a-z0-9+.-]*:/|process_recording|deep_link|run-history|vibe-|dev/)"
    r"|/monitoring"
)

#: Gradio builds functions of text in the page, so scripts may do that; they can be loaded from here alone, and no
#: data goes elsewhere. Pages of Hugging Face may show this one in a frame.
POLICY = "; ".join(
    [
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'self' https://huggingface.co https://*.huggingface.co",
    ]
)

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=(), payment=(), usb=()",
}

log = logging.getLogger(__name__)


class Shield:
    """ASGI middleware: closed routes, headers, and a sentence in place of an error that nobody foresaw.

    Args:
        app: the application.
    """

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        started = False

        async def with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if "/gradio_api/file=" in scope["path"]:  # what one visitor made is nothing for shared caches
                    headers.setdefault("Cache-Control", "private")
            await send(message)

        if CLOSED.search(scope["path"]):
            return await refuse(404, "closed", scope, receive, with_headers)
        try:
            await self.app(scope, receive, with_headers)
        except Exception as error:
            log_error(error)
            if started:
                raise
            # What Gradio's routes do not foresee is in what was asked: an unknown name, a value of another kind.
            await refuse(400, "unreadable", scope, receive, with_headers)


class BadPayload(ValueError):
    """Values that are not looked at any further; says which text tells why."""


def check_payload(values: Any) -> None:
    """Raises BadPayload for a file that lies at an address: Gradio would fetch it, however large, from wherever."""
    left = [values]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            path = value.get("path")
            if isinstance(path, str) and re.match(r"(?i)\s*[a-z][a-z0-9+.-]*://", path):
                raise BadPayload("no_addresses")
            left.extend(value.values())
        elif isinstance(value, list | tuple):
            left.extend(value)


def log_error(error: BaseException) -> None:
    """Logs where an error arose, and not what it says: that may hold what a visitor drew."""
    kinds = " of ".join(type(e).__name__ for e in (error, error.__cause__) if e)
    log.error("%s\n%s", kinds, "".join(traceback.format_tb(error.__traceback__)))
