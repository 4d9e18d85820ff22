"""How much one visitor may ask for: bytes, parts of a value, requests a second, open requests, places in the queue.

A visitor is an address, since a client can make up all else that it says of itself. Behind a proxy, uvicorn takes the
address out of X-Forwarded-For if the environment variable FORWARDED_ALLOW_IPS names the proxy, and never otherwise.
Whoever draws stays far below: a browser waits for the answer to a stroke before it asks for the next.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from ipaddress import IPv6Address, ip_address

from gradio.queueing import Queue
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dfd.ui import texts

#: Largest uploaded file. The request around it is a little larger.
MAX_UPLOAD = 20 * 2**20

#: Largest other request. The largest that the page sends holds six drawings of 1 MB.
MAX_JSON = 8 * 2**20

#: Most values in a request; the page sends drawings as text, and a dozen values. Gradio needs a minute and a gigabyte
#: for the three million that have room in 8 MB, and answers nobody meanwhile.
MAX_PARTS = 20_000

#: Requests (POST) a second that a visitor may keep up, and how many at once after a rest. A class in one room shares
#: an address.
RATE, BURST = 20, 100

#: Bytes a second of uploads, and at once: they lie on the disk for half an hour.
UPLOAD_RATE, UPLOAD_BURST = 200_000, 100_000_000

#: Requests that a visitor may have open; each page keeps two open all the time.
OPEN = 200

#: A string in JSON. One that does not end goes to the end, lest others are looked for inside.
STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)

#: Visitors whose account is kept.
KNOWN = 10_000


class Limits:
    """ASGI middleware that refuses what is too much, with a sentence in the visitor's language.

    Args:
        app: the application.
        queue: of the Blocks, half of which one visitor may take.
        rate: requests a second; 0 leaves only the limits on size.
    """

    def __init__(self, app: ASGIApp, queue: Queue, rate: float = RATE):
        self.app, self.queue, self.rate = app, queue, rate
        self.requests = Budget(rate, BURST)
        self.uploads = Budget(UPLOAD_RATE, UPLOAD_BURST)
        self.open = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        visitor = visitor_of(scope)
        refused = self.refusal(scope, visitor)
        if refused:
            return await refuse(*refused, scope, receive, send)
        self.open[visitor] += 1
        try:
            if is_upload(scope):
                receive = at_most(MAX_UPLOAD + 2**16, receive)
            elif scope["method"] == "POST":
                receive = await checked(at_most(MAX_JSON, receive), Headers(scope=scope))
            await self.app(scope, receive, send)
        except TooMany:
            await refuse(400, "unreadable", scope, receive, send)
        except TooLarge:  # of a body whose length was not said; nothing was answered yet
            await refuse(413, "too_large", scope, receive, send)
        finally:
            self.open[visitor] -= 1
            if not self.open[visitor]:
                del self.open[visitor]

    def refusal(self, scope: Scope, visitor: str) -> tuple[int, str] | None:
        """Status and key of the text, if this request is too much."""
        upload = is_upload(scope)
        length = Headers(scope=scope).get("content-length", "")
        size = int(length) if length.isdecimal() else None
        if size is not None and size > (MAX_UPLOAD + 2**16 if upload else MAX_JSON):
            return 413, "too_large"
        if not self.rate:
            return None
        if self.open[visitor] >= OPEN:
            return 429, "too_many"
        if scope["method"] != "POST":
            return None
        if not self.requests.take(visitor, 1):
            return 429, "too_many"
        if upload and not self.uploads.take(visitor, MAX_UPLOAD if size is None else size):
            return 429, "too_many"
        if joins_queue(scope) and waiting(self.queue, visitor) >= (self.queue.max_size or 0) / 2:
            return 429, "too_many"
        return None


class Budget:
    """What each visitor may spend: it grows by `rate` a second up to `most`."""

    def __init__(self, rate: float, most: float):
        self.rate, self.most = rate, most
        self.accounts: dict[str, tuple[float, float]] = {}  # visitor -> what was left, when

    def take(self, visitor: str, amount: float) -> bool:
        """Spends if there is enough."""
        now = time.monotonic()
        left, since = self.accounts.pop(visitor, (self.most, now))
        left = min(self.most, left + self.rate * (now - since))
        enough = left >= amount
        self.accounts[visitor] = (left - amount if enough else left, now)
        if len(self.accounts) > KNOWN:  # the one that asked longest ago is forgotten
            del self.accounts[next(iter(self.accounts))]
        return enough


class TooLarge(Exception):
    """A body that is longer than allowed."""


class TooMany(Exception):
    """A body of more values than allowed, or of none that can be counted."""


def at_most(limit: int, receive: Receive) -> Receive:
    """`receive`, which raises TooLarge after so many bytes."""
    got = 0

    async def counted() -> Message:
        nonlocal got
        message = await receive()
        got += len(message.get("body", b""))
        if got > limit:
            raise TooLarge
        return message

    return counted


async def checked(receive: Receive, headers: Headers) -> Receive:
    """`receive` of the same body, which is read and looked at; raises TooMany."""
    body, more, message = b"", True, None
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    if message["type"] != "http.request":  # the client has gone

        async def gone() -> Message:
            return message

        return gone
    if "multipart/" not in headers.get("content-type", "") and count_parts(body) > MAX_PARTS:
        raise TooMany
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def again() -> Message:
        return next(messages, None) or await receive()

    return again


def count_parts(body: bytes) -> int:
    """How many values a JSON text holds, roughly and fast: what opens or separates some, outside of strings."""
    if b"\0" in body:  # UTF-16, in which a string's end is not found so easily
        raise TooMany
    return sum(STRING.sub(b"", body).count(mark) for mark in (b"[", b"{", b","))


def visitor_of(scope: Scope) -> str:
    """The address; of IPv6 the network, all of which belongs to one customer."""
    host = (scope.get("client") or ("", 0))[0]
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if isinstance(address, IPv6Address) and not address.ipv4_mapped:
        return address.exploded[:19]
    return str(getattr(address, "ipv4_mapped", None) or address)


def is_upload(scope: Scope) -> bool:
    return scope["path"].rstrip("/").endswith("/gradio_api/upload")


def joins_queue(scope: Scope) -> bool:
    return "/gradio_api/queue/join" in scope["path"] or "/gradio_api/call/" in scope["path"]


def waiting(queue: Queue, visitor: str) -> int:
    """How many of a visitor's calls wait or run."""
    waits = [event for line in queue.event_queue_per_concurrency_id.values() for event in line.queue]
    runs = [event for job in queue.active_jobs if job for event in job]
    return sum(visitor_of(event.request.scope) == visitor for event in [*waits, *runs] if event.request)


async def refuse(status: int, key: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with a sentence; the page shows it."""
    words = texts.refusal(key, Headers(scope=scope).get("accept-language"))
    headers = {"Retry-After": "2"} if status == 429 else {}
    await JSONResponse({"detail": words}, status, headers)(scope, receive, send)
