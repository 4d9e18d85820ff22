"""What one visitor may ask for."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import httpx
import pytest

from dfd.ui import limits, texts
from dfd.ui.limits import Limits


class Clock:
    now = 1000.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(limits, "time", clock)
    return clock


def queue(*hosts):
    """A queue of 24 places, in which these addresses wait."""
    line = [SimpleNamespace(request=SimpleNamespace(scope={"client": (host, 1)})) for host in hosts]
    lines = {"face": SimpleNamespace(queue=line)}
    return SimpleNamespace(max_size=24, event_queue_per_concurrency_id=lines, active_jobs=[None])


@pytest.fixture
def ask():
    """`ask(app, path, times=1, ...)`: the answers of a server behind the limits."""

    async def echo(scope, receive, send):
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    def call(path="/gradio_api/queue/join", times=1, host="1.2.3.4", limited=None, method="POST", **options):
        app = limited or Limits(echo, queue())

        async def run():
            transport = httpx.ASGITransport(app, client=(host, 5))
            async with httpx.AsyncClient(transport=transport, base_url="http://studio") as client:
                return [await client.request(method, path, **options) for _ in range(times)]

        with ThreadPoolExecutor(1) as thread:  # in this one the browser tests may have left a loop running
            return thread.submit(asyncio.run, run()).result()

    call.echo = echo
    return call


def statuses(answers):
    return [answer.status_code for answer in answers]


def test_who_asks_too_often_waits_a_little_and_nobody_else_does(ask, clock):
    limited = Limits(ask.echo, queue(), rate=20)
    assert statuses(ask(limited=limited, times=limits.BURST)) == [200] * limits.BURST
    (refused,) = ask(limited=limited, headers={"Accept-Language": "de"})
    assert refused.status_code == 429 and refused.headers["retry-after"]
    assert refused.json()["detail"] == texts.LANGUAGES["de"]["refusals"]["too_many"]
    assert statuses(ask(limited=limited, host="1.2.3.5")) == [200]
    assert statuses(ask(limited=limited, method="GET")) == [200], "pages and pictures are not counted"
    clock.now += 1
    assert statuses(ask(limited=limited, times=21)) == [200] * 20 + [429]


def test_five_who_draw_as_fast_as_they_can_are_not_refused(ask, clock):
    """A stroke each 0.3 s, for a minute, from one address."""
    limited = Limits(ask.echo, queue())
    for _ in range(200):
        assert statuses(ask(limited=limited, times=5)) == [200] * 5
        clock.now += 0.3


def test_one_slider_that_is_dragged_is_not_refused(ask, clock):
    """A browser asks again when it was answered, which takes 0.07 s at least."""
    limited = Limits(ask.echo, queue())
    for _ in range(200):
        assert statuses(ask(limited=limited)) == [200]
        clock.now += 0.07


def test_uploads_have_a_budget_of_bytes(ask, clock, monkeypatch):
    monkeypatch.setattr(limits, "UPLOAD_BURST", 3_000)
    limited = Limits(ask.echo, queue())
    assert statuses(ask("/gradio_api/upload", 4, limited=limited, content=bytes(1000))) == [200] * 3 + [429]
    clock.now += 3_000 / limits.UPLOAD_RATE
    assert statuses(ask("/gradio_api/upload", limited=limited, content=bytes(1000))) == [200]


def test_half_of_the_queue_is_for_others(ask):
    crowded = queue(*["1.2.3.4"] * 12)
    assert statuses(ask(limited=Limits(ask.echo, crowded))) == [429]
    assert statuses(ask("/gradio_api/call/v2/generate", limited=Limits(ask.echo, crowded))) == [429]
    assert statuses(ask(limited=Limits(ask.echo, crowded), host="1.2.3.5")) == [200]
    assert statuses(ask("/gradio_api/cancel", limited=Limits(ask.echo, crowded))) == [200]


def test_open_requests_are_counted(ask):
    limited = Limits(ask.echo, queue())
    limited.open["1.2.3.4"] = limits.OPEN
    assert statuses(ask(limited=limited, method="GET")) == [429]
    assert statuses(ask(limited=limited, host="1.2.3.5")) == [200]
    assert limited.open == {"1.2.3.4": limits.OPEN}, "what was answered is no longer open"


async def in_pieces(data):
    for start in range(0, len(data), 2**20):
        yield data[start : start + 2**20]


@pytest.mark.parametrize("path", ["/gradio_api/upload", "/gradio_api/queue/join"])
def test_large_requests_are_refused_whether_they_say_so_or_not(ask, path):
    most = (limits.MAX_UPLOAD + 2**16) if "upload" in path else limits.MAX_JSON
    for data in (bytes([65]) * (most + 1), in_pieces(bytes([65]) * (most + 1))):
        (refused,) = ask(path, content=data)
        assert refused.status_code == 413 and "20 MB" in refused.json()["detail"]
    (answer,) = ask(path, content=in_pieces(b"A" * most))
    assert (answer.status_code, len(answer.content)) == (200, most)


@pytest.mark.parametrize(
    "body",
    [
        b'{"data": [' + b"[]," * 20_000 + b"1]}",
        b"[" * 30_000,
        b"1," * 20_001,
        b'"\\"' + b"[" * 5 + b'",' + b"[" * 20_001,
        '{"data": []}'.encode("utf-16"),
    ],
    ids=["wide", "deep", "long", "after a string", "utf-16"],
)
def test_requests_of_many_parts_are_refused(ask, body):
    (refused,) = ask(content=body)
    assert refused.status_code == 400 and "cannot be read" in refused.json()["detail"]


def test_text_may_hold_anything(ask):
    body = b'{"data": ["' + b'[],{\\"' * 100_000 + b'"]}'
    assert ask(content=body)[0].content == body
    assert limits.count_parts(b'"' + b'\\"' * 1_000_000) == 0, "and takes no time"


def test_a_visitor_is_an_address_or_a_network():
    def visitor(host):
        return limits.visitor_of({"client": (host, 1)})

    assert visitor("2001:db8:1:2::3") == visitor("2001:db8:1:2:ffff::") != visitor("2001:db8:1:3::3")
    assert visitor("::ffff:1.2.3.4") == visitor("1.2.3.4") != visitor("1.2.3.5")
    assert visitor("testclient") == "testclient" and limits.visitor_of({"client": None}) == ""


def test_accounts_do_not_pile_up(monkeypatch):
    monkeypatch.setattr(limits, "KNOWN", 3)
    budget = limits.Budget(1, 1)
    for visitor in "abcdefg":
        budget.take(visitor, 1)
    assert list(budget.accounts) == ["e", "f", "g"]


def test_limits_but_on_size_can_be_switched_off(ask):
    limited = Limits(ask.echo, queue(*["1.2.3.4"] * 24), rate=0)
    assert set(statuses(ask(limited=limited, times=limits.BURST + 50))) == {200}
    assert ask(limited=limited, content=b"[" * 30_000)[0].status_code == 400
