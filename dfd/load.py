"""`python -m dfd.load URL`: visitors who draw in a running studio, all at once, and how long they wait for their faces.

Each draws one of the examples, a stroke at a time, over the HTTP that the page itself speaks: the whole drawing goes
with every request, and of the strokes drawn while a face is made only the last is sent. No two visitors draw in the
same place, so that nothing that the server remembers of one helps another.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
from PIL import Image, ImageDraw

from dfd.extras import needs_extra

with needs_extra("demo", "drawing in a studio", __name__):
    from dfd.checks import check_whole
    from dfd.components import CANVAS
    from dfd.files import write_atomically
    from dfd.ui.draw_tab import EXAMPLES, example_session
    from dfd.ui.pad import data_url

#: Seconds without a sign of life after which a visitor gives up on an answer.
PATIENCE = 60


@dataclass
class Tally:
    """What became of the requests of all visitors.

    Attributes:
        seconds: from a stroke's request to its face.
        busy: requests that were refused politely, since too many wait.
        errors: what else went wrong, as text.
        positions: the place in the queue, from 1, that each request was first told.
        memory: resident MB of the server, second by second.
    """

    seconds: list[float] = field(default_factory=list)
    busy: int = 0
    errors: list[str] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)

    @property
    def requests(self) -> int:
        return len(self.seconds) + self.busy + len(self.errors)


@dataclass(frozen=True)
class Studio:
    """How to ask a studio for a face.

    Attributes:
        fn_index: the event that a stroke causes.
        data: the values that it sends, as they are when the page opens.
        pad: the drawing's place among them.
    """

    fn_index: int
    data: list[Any]
    pad: int

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Studio:
        """Reads the page's description. Raises ValueError if it is not the studio's."""
        with suppress(AttributeError, LookupError, TypeError, ValueError):  # other servers answer anything
            components = {component["id"]: component["props"] for component in config["components"]}
            pad = next((key for key, props in components.items() if props.get("elem_id") == "pad"), None)
            for event in config["dependencies"]:
                if [pad, "input"] in [list(target) for target in event["targets"]]:
                    inputs = event["inputs"]
                    return cls(event["id"], [components[key].get("value") for key in inputs], inputs.index(pad))
        raise ValueError("this page is no drawing studio")

    def body(self, drawing: str, session: str) -> dict[str, Any]:
        """What the page sends to `queue/join`: a drawing as JSON, and whose it is."""
        data = [drawing if i == self.pad else value for i, value in enumerate(self.data)]
        return {"data": data, "fn_index": self.fn_index, "session_hash": session}


def drawings(number: int) -> Iterator[str]:
    """What a visitor's pad sends after one stroke, two strokes, and so on without end, as JSON."""
    strokes = example_session(EXAMPLES[number % len(EXAMPLES)]).strokes
    for turn in range(sys.maxsize):
        dx, dy = number % 23 - 11, (number // 23 + turn) % 23 - 11
        paper, drawn = Image.new("L", (CANVAS, CANVAS), 255), []
        pen = ImageDraw.Draw(paper)
        for stroke in strokes:
            line = [(point[0] + dx, point[1] + dy) for point in stroke["points"]]
            pen.line(line, fill=0, width=max(1, round(2 * stroke["radius"])), joint="curve")
            drawn.append({**stroke, "points": [list(point) for point in line]})
            yield json.dumps({"png": data_url(paper), "strokes": drawn, "n": len(drawn)})


async def ask(client: httpx.AsyncClient, studio: Studio, drawing: str, session: str, tally: Tally) -> None:
    """Sends a drawing and waits, as the page does, until face and shadow are there."""
    started = time.perf_counter()
    body = studio.body(drawing, session)
    seconds = place = None
    try:
        joined = await client.post("gradio_api/queue/join", json=body)
        if joined.status_code == 503:
            tally.busy += 1
            return
        joined.raise_for_status()
        async with client.stream("GET", "gradio_api/queue/data", params={"session_hash": session}) as stream:
            stream.raise_for_status()
            async for line in stream.aiter_lines():
                message = json.loads(line.removeprefix("data:")) if line.startswith("data:") else {}
                if message.get("msg") == "estimation" and place is None:
                    place = message["rank"] + 1
                    tally.positions.append(place)
                if message.get("msg") == "process_generating" and seconds is None:
                    seconds = time.perf_counter() - started
                if message.get("success") is False:
                    raise ValueError(message.get("message") or message["output"].get("error") or message["msg"])
        if seconds is None:
            raise ValueError("the answer ended without a face")
        tally.seconds.append(seconds)
    except (httpx.HTTPError, ValueError) as error:
        tally.errors.append(f"{type(error).__name__}: {error}")


async def visit(
    client: httpx.AsyncClient, studio: Studio, number: int, interval: float, until: float, tally: Tally
) -> None:
    """One visitor, who draws a stroke each `interval` seconds."""
    session, stroke = secrets.token_hex(5), time.perf_counter()
    drawing = drawings(number)
    await asyncio.sleep(interval * (number * 0.618 % 1))  # nobody's first stroke falls together with another's
    while time.perf_counter() < until:
        now = time.perf_counter()
        latest = next(drawing)
        stroke += interval
        while stroke < now:  # drawn while the last face was made
            latest = next(drawing)
            stroke += interval
        await ask(client, studio, latest, session, tally)
        await asyncio.sleep(max(0, min(stroke, until) - time.perf_counter()))


async def watch(pid: int, tally: Tally) -> None:
    """Notes the server's memory until it is cancelled."""
    with suppress(psutil.Error):  # if it ends meanwhile, the visitors' errors tell
        server = psutil.Process(pid)
        while True:
            tally.memory.append(server.memory_info().rss / 2**20)
            await asyncio.sleep(1)


def check_options(visitors: int, interval: float, minutes: float, pid: int | None) -> None:
    """Raises ValueError, with what was given and what is accepted, unless `load` can begin."""
    check_whole("visitors", visitors, 1)
    for name, value in (("interval", interval), ("minutes", minutes)):
        if not 0 < value < inf:
            raise ValueError(f"{name} must be a number above 0, got {value!r}")
    try:
        if pid is not None:
            psutil.Process(pid).memory_info()
    except psutil.AccessDenied:
        raise ValueError(f"the memory of process {pid} may not be read: start this as the server's user") from None
    except (psutil.Error, ValueError, OverflowError):
        raise ValueError(f"pid must be that of the server, got {pid!r}: there is no such process") from None


async def load(url: str, visitors: int, interval: float, minutes: float, pid: int | None = None) -> Tally:
    """Lets visitors draw.

    Args:
        url: the studio's address.
        visitors: how many at once, from 1.
        interval: seconds between two strokes of one visitor, above 0.
        minutes: how long, above 0.
        pid: the server's process, to watch its memory.

    Raises:
        httpx.HTTPError: nothing answers there.
        ValueError: an argument is out of range, there is no such process, or what answers is no drawing studio.
    """
    check_options(visitors, interval, minutes, pid)
    tally = Tally()
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(base_url=url, timeout=PATIENCE, limits=limits) as client:
        config = (await client.get("config")).raise_for_status()
        try:
            description = config.json()
        except ValueError:
            description = None  # which is no studio's
        studio = Studio.from_config(description)
        watcher = None if pid is None else asyncio.create_task(watch(pid, tally))
        until = time.perf_counter() + 60 * minutes
        await asyncio.gather(*(visit(client, studio, i, interval, until, tally) for i in range(visitors)))
        if watcher:
            watcher.cancel()
    return tally


def summary(tally: Tally) -> dict[str, Any]:
    """The figures of a load, seconds and MB, as they are written to JSON."""
    figures = {
        "requests": tally.requests,
        "faces": len(tally.seconds),
        "busy": tally.busy,
        "errors": len(tally.errors),
        "median_seconds": float(np.median(tally.seconds)) if tally.seconds else None,
        "p95_seconds": float(np.percentile(tally.seconds, 95)) if tally.seconds else None,
        "longest_queue": max(tally.positions, default=0),
    }
    if tally.memory:
        # The first requests fill what the studio remembers; what grows in the second half would grow for ever.
        looks = {"first": 0, "half_way": len(tally.memory) // 2, "last": -1}
        figures |= {f"memory_{name}_mb": tally.memory[i] for name, i in looks.items()}
    return figures


def table(figures: dict[str, Any]) -> str:
    """The figures as a Markdown table."""
    rows = [
        (name.replace("_", " "), f"{value:.2f}" if isinstance(value, float) else f"{value}")
        for name, value in figures.items()
    ]
    return "\n".join(["| figure | value |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line.

    Exits with a sentence if an option is out of range or there is no studio, and with status 1 if a request failed.
    """
    parser = argparse.ArgumentParser(prog="python -m dfd.load", description=__doc__)
    parser.add_argument("url", metavar="URL", help="a running studio's address, such as http://127.0.0.1:7860")
    parser.add_argument("--visitors", type=int, default=10, help="at once (%(default)s)")
    parser.add_argument("--interval", type=float, default=2, help="seconds between strokes of one (%(default)s)")
    parser.add_argument("--minutes", type=float, default=3, help="how long they draw (%(default)s)")
    parser.add_argument("--pid", type=int, help="the server's process on this machine, to watch its memory")
    parser.add_argument("--output", type=Path, metavar="FILE", help="JSON file for the figures")
    options = parser.parse_args(arguments)
    try:
        check_options(options.visitors, options.interval, options.minutes, options.pid)
    except ValueError as error:
        parser.error(str(error))
    try:
        tally = asyncio.run(load(options.url, options.visitors, options.interval, options.minutes, options.pid))
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        sys.exit(f"{options.url} cannot be loaded: {error}")
    figures = summary(tally)
    print(table(figures))
    if options.output:
        try:
            write_atomically(options.output, json.dumps({**vars(options), "output": None, **figures}, indent=2) + "\n")
        except OSError as error:
            sys.exit(f"error: {error}")
    for text in sorted(set(tally.errors)):
        print(f"{tally.errors.count(text)} x {text}", file=sys.stderr)
    sys.exit(1 if tally.errors else 0)


if __name__ == "__main__":
    main()
