"""Visitors who draw in a studio with tiny networks, and one that has too many of them."""

import asyncio
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from dfd import load
from dfd.ui.engine import Engine
from dfd.ui.session import Session, pad_image


@pytest.fixture
def studio(tiny_studio):
    return tiny_studio


def apart(call, *arguments):
    """Calls in a thread of its own: in this one the browser tests may have left an event loop running."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(call, *arguments).result()


def draw(studio, visitors, interval, seconds, **options):
    return apart(asyncio.run, load.load(studio.local_url, visitors, interval, seconds / 60, **options))


def test_a_visitor_draws_stroke_by_stroke_and_not_where_others_do():
    mine, other = load.drawings(0), load.drawings(8)
    first, second, same_example = (json.loads(next(visitor)) for visitor in (mine, mine, other))
    assert [len(value["strokes"]) for value in (first, second)] == [1, 2]
    assert second["strokes"][0] == first["strokes"][0] == Session(first["strokes"]).strokes[0]
    ink = [pad_image(value).histogram()[0] for value in (first, second)]
    assert 0 < ink[0] < ink[1]
    assert same_example["png"] != first["png"]


def test_visitors_get_their_faces(studio, tmp_path, capsys):
    arguments = [studio.local_url, "--visitors", "3", "--interval", "0.5", "--minutes", "0.05"]
    with pytest.raises(SystemExit) as ended:
        apart(load.main, [*arguments, "--pid", str(os.getpid()), "--output", str(tmp_path / "load.json")])
    assert ended.value.code == 0
    figures = json.loads((tmp_path / "load.json").read_text())
    assert figures["visitors"] == 3 <= figures["faces"] == figures["requests"]
    assert (figures["busy"], figures["errors"]) == (0, 0)
    assert 0 < figures["median_seconds"] <= figures["p95_seconds"]
    assert figures["memory_last_mb"] > 100
    assert f"| faces | {figures['faces']} |" in capsys.readouterr().out


def test_too_many_visitors_are_told_so_and_the_studio_recovers(studio, pipe, monkeypatch):
    picture, shadow, shadows = Engine._picture, pipe.shadow, []

    def slow(self, face):
        time.sleep(0.3)
        return picture(self, face)

    with monkeypatch.context() as patch:
        patch.setattr(Engine, "_picture", slow)
        patch.setattr(pipe, "shadow", lambda *args: shadows.append(1) or shadow(*args))
        patch.setattr(studio._queue, "max_size", 3)
        tally = draw(studio, visitors=12, interval=0.2, seconds=4)
    assert tally.errors == []
    assert tally.busy > 0 and len(tally.seconds) > 0
    assert len(shadows) < len(tally.seconds), "faces come first"
    assert 2 <= max(tally.positions) <= 3, "those who wait are told their place"
    after = draw(studio, visitors=1, interval=0.2, seconds=0.5)
    assert (after.busy, after.errors) == (0, [])
    assert max(after.positions) == 1


def test_errors_are_counted_and_named(studio, monkeypatch, capsys):
    def crash(self, face):
        raise RuntimeError("out of order")

    monkeypatch.setattr(Engine, "_picture", crash)
    with pytest.raises(SystemExit) as ended:
        apart(load.main, [studio.local_url, "--visitors", "1", "--minutes", "0.01"])
    assert ended.value.code == 1
    assert "1 x ValueError: Something went wrong here" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("--interval=0", "interval must be a number above 0, got 0.0"),
        ("--interval=-1", "interval must be a number above 0, got -1.0"),
        ("--interval=nan", "interval must be a number above 0, got nan"),
        ("--minutes=0", "minutes must be a number above 0, got 0.0"),
        ("--visitors=0", "visitors must be a whole number of at least 1, got 0"),
        ("--pid=0", "pid must be that of the server, got 0: there is no such process"),
        ("--pid=-5", "there is no such process"),
        (f"--pid={2**30}", "there is no such process"),
    ],
)
def test_options_out_of_range_are_refused_before_anybody_draws(option, sentence, capsys):
    with pytest.raises(SystemExit) as ended:
        load.main(["http://127.0.0.1:9", option])
    assert ended.value.code == 2 and sentence in capsys.readouterr().err


@pytest.mark.parametrize("answer", [b"{}", b"[]", b"<html>", b'{"components": [1]}', b'{"components": []}'])
def test_another_server_is_named_as_such(answer):
    class Other(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Other) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(SystemExit, match=r"cannot be loaded: this page is no drawing studio$"):
            apart(load.main, [f"http://127.0.0.1:{server.server_port}"])
        server.shutdown()


def test_without_a_studio_there_is_a_sentence():
    with pytest.raises(SystemExit, match=r"^http://127.0.0.1:9 cannot be loaded: "):
        apart(load.main, ["http://127.0.0.1:9"])
