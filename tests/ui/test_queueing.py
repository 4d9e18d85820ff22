"""Visitors who leave while they wait: nobody else notices."""

import json
import threading

import httpx
import pytest

from dfd.load import Studio, drawings
from dfd.ui import engine
from dfd.ui.engine import Engine
from dfd.ui.queueing import PatientQueue


class Visitors:
    """Visitors who ask a studio for faces, of which none is made until `go_on` is set."""

    def __init__(self, url):
        self.http = httpx.Client(base_url=f"{url}gradio_api/", timeout=60)
        self.studio = Studio.from_config(httpx.get(f"{url}config").json())
        self.go_on, self.made = threading.Event(), 0

    def join(self, visitor):
        return self.http.post("queue/join", json=self.studio.body(next(drawings(1)), visitor))

    def messages(self, visitor):
        """What a visitor is told until there is no more to say, or the queue has stopped."""
        said = []
        with self.http.stream("GET", "queue/data", params={"session_hash": visitor}) as stream:
            for line in stream.iter_lines():
                if line.startswith("data:"):
                    said.append(json.loads(line.removeprefix("data:")))
                    if said[-1]["msg"] == "unexpected_error":  # Gradio would say it again and again
                        break
        return said


@pytest.fixture
def visitors(tiny_studio, monkeypatch):
    visitors, picture = Visitors(tiny_studio.local_url), Engine._picture

    def wait(self, face):
        assert visitors.go_on.wait(60)
        visitors.made += 1
        return picture(self, face)

    monkeypatch.setattr(Engine, "_picture", wait)
    yield visitors
    visitors.go_on.set()
    visitors.http.close()


def test_who_has_left_keeps_nobody_from_being_served(visitors, tiny_studio):
    queue = tiny_studio._queue
    assert isinstance(queue, PatientQueue)
    stay = [f"visitor {i}" for i in range(engine.WORKERS + 1)]  # each worker makes a face, and one visitor waits
    for visitor in (*stay, "gone"):
        assert visitors.join(visitor).is_success
    del queue.pending_messages_per_session["gone"]
    assert visitors.join("late").is_success
    visitors.go_on.set()
    for visitor in (*stay, "late"):
        said = visitors.messages(visitor)
        assert [m["success"] for m in said if m["msg"] == "process_completed"] == [True], said
    assert visitors.made == len(stay) + 1, "a face was made for nobody"
    assert not queue.stopped
