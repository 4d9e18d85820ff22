"""The page while the server has too much to do, or is not there: what a visitor sees, and that nothing is lost."""

import threading

import httpx
import pytest

from dfd.load import Studio, drawings
from dfd.ui import limits
from dfd.ui.engine import Engine

from .browsing import PATIENCE, needs_chromium

pytestmark = needs_chromium


@pytest.fixture
def studio(tiny_studio):
    return tiny_studio


@pytest.fixture
def page(browser, studio):
    page = browser.new_page(locale="en-GB")
    page.set_default_timeout(PATIENCE)
    page.goto(studio.local_url)
    page.wait_for_function("document.querySelector('#results figcaption')?.textContent")
    yield page
    page.close()


def wait_for_face(page, before):
    """Waits until the page shows another face than the one of that number."""
    page.wait_for_function(
        "n => document.querySelector('#results .results').dataset.shot !== n &&"
        " !document.querySelector('#results .stale')",
        arg=before,
    )


def test_a_drawing_that_is_refused_is_sent_again(page, studio, monkeypatch):
    before = page.get_attribute("#results .results", "data-shot")
    with monkeypatch.context() as patch:
        patch.setattr(studio._queue, "max_size", 0)
        page.click("#generate")
        page.wait_for_selector("#results .stale")
        assert "many people are drawing" in page.inner_text("#results .empty")
    wait_for_face(page, before)
    assert page.inner_text("#results .empty") == ""


def test_gradio_does_not_say_in_english_what_the_page_says(page, studio, monkeypatch):
    before = page.get_attribute("#results .results", "data-shot")
    with monkeypatch.context() as patch:
        patch.setattr(studio._queue, "max_size", 0)
        patch.setattr(limits, "waiting", lambda *_: -1)  # others have filled the queue, not this visitor
        page.click("#generate")
        page.wait_for_selector("#results .stale")
        page.wait_for_timeout(500)
        assert page.locator("[data-testid=toast-body]").count() == 0
    wait_for_face(page, before)


def test_who_waits_sees_the_place_in_the_queue(page, studio, monkeypatch):
    before = page.get_attribute("#results .results", "data-shot")
    picture, go_on = Engine._picture, threading.Event()

    def wait(self, face):
        assert go_on.wait(60)
        return picture(self, face)

    monkeypatch.setattr(Engine, "_picture", wait)
    config = httpx.get(f"{studio.local_url}config").json()
    for visitor in ("first", "second"):
        body = Studio.from_config(config).body(next(drawings(1)), visitor)
        httpx.post(f"{studio.local_url}gradio_api/queue/join", json=body).raise_for_status()
    page.click("#generate")
    page.get_by_text("queue: 2/2").first.wait_for()
    go_on.set()
    wait_for_face(page, before)
