"""The page, as a visitor uses it: chromium, mouse and eyes."""

import io
import shutil
import time
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect, sync_playwright

from dfd.ui.studio import EXAMPLES

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# Without a graphics card the pad is drawn by software and the page is slow.
PATIENCE = 120_000

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="needs chromium (Debian: apt-get install chromium)")


@pytest.fixture(scope="module")
def browser():
    quiet = ["--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--no-first-run", *quiet],
            timeout=PATIENCE,
        )
        yield chromium
        chromium.close()


class Visitor:
    """A visitor of the page, who notes which hosts it talks to."""

    def __init__(self, browser, url):
        self.page = browser.new_page(viewport={"width": 1280, "height": 1000})
        self.page.set_default_timeout(PATIENCE)
        self.hosts = set()
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).hostname))
        self.page.goto(url)
        # The pad is ready once the white paper lies on it and the pen's options show.
        self.page.wait_for_selector("#sketch canvas")
        self.wait_for_pen()

    def wait_for_pen(self):
        self.page.wait_for_selector("#sketch button[aria-label='Brush Size']")
        self.page.wait_for_timeout(1500)

    def wait_for_ink(self):
        """Waits until black lines are seen in the middle of the pad."""
        deadline = time.monotonic() + PATIENCE / 1000
        while True:
            pad = Image.open(io.BytesIO(self.page.locator("#sketch").screenshot())).convert("L")
            (width, height), seen = pad.size, np.asarray(pad)
            if (seen[height // 4 : -height // 4, width // 4 : -width // 4] < 50).sum() > 500:
                break
            assert time.monotonic() < deadline, "no drawing appears on the pad"
            self.page.wait_for_timeout(500)
        self.page.wait_for_timeout(1500)

    def stroke(self, *points):
        """Draws through points, given as fractions of the pad, with the mouse."""
        pad = self.page.locator("#sketch canvas").first.bounding_box()
        path = [(pad["x"] + x * pad["width"], pad["y"] + y * pad["height"]) for x, y in points]
        self.page.mouse.move(*path[0])
        self.page.mouse.down()
        for point in path[1:]:
            self.page.mouse.move(*point, steps=3)
        self.page.mouse.up()

    def generate(self):
        """Presses the button and waits for a new picture; returns it as an array H x W x 3."""
        image = self.page.locator("#face img")
        before = image.get_attribute("src") if image.count() else ""
        self.page.click("#generate")
        self.page.wait_for_function(
            "before => { const i = document.querySelector('#face img');"
            " return i && i.complete && i.naturalWidth && i.getAttribute('src') !== before }",
            arg=before,
        )
        answer = self.page.request.get(image.evaluate("image => image.src"), timeout=PATIENCE)
        return np.asarray(Image.open(io.BytesIO(answer.body())).convert("RGB"), int)


@pytest.fixture
def visitor(browser, server):
    visitor = Visitor(browser, server)
    yield visitor
    visitor.page.close()


def test_the_face_follows_the_drawing(visitor):
    visitor.stroke((0.32, 0.3), (0.32, 0.6), (0.5, 0.8), (0.68, 0.6), (0.68, 0.3))
    visitor.stroke((0.38, 0.45), (0.45, 0.47))
    visitor.stroke((0.55, 0.47), (0.62, 0.45))
    first = visitor.generate()
    assert first.shape == (512, 512, 3)

    visitor.stroke((0.4, 0.66), (0.5, 0.7), (0.6, 0.66))
    second = visitor.generate()
    assert second.shape == (512, 512, 3)
    assert np.abs(first - second).mean() > 0.1

    assert visitor.hosts - {"", None} == {"127.0.0.1"}, "the page asks other hosts"


def test_an_empty_canvas_gets_a_message_and_can_be_drawn_on(visitor):
    message = visitor.page.get_by_text("The canvas is empty").first
    visitor.page.click("#generate")
    expect(message).to_be_visible(timeout=PATIENCE)
    visitor.stroke((0.4, 0.45), (0.6, 0.45))
    visitor.generate()
    expect(message).to_be_hidden(timeout=PATIENCE)

    visitor.page.click("#sketch button[aria-label='Clear canvas']")
    visitor.wait_for_pen()
    visitor.page.click("#generate")
    expect(message).to_be_visible(timeout=PATIENCE)
    visitor.stroke((0.4, 0.66), (0.5, 0.74), (0.6, 0.66))
    visitor.generate()


def test_an_example_can_be_picked_and_changed(visitor):
    visitor.page.locator("button.gallery-item").first.click()
    visitor.wait_for_ink()
    first = visitor.generate()
    visitor.stroke((0.35, 0.66), (0.65, 0.66))
    assert np.abs(first - visitor.generate()).mean() > 0.05


def test_a_drawing_can_be_uploaded(visitor):
    visitor.page.click("#sketch button[aria-label='Image']")
    visitor.page.locator("#sketch input[type=file]").first.set_input_files(EXAMPLES[0])
    visitor.wait_for_ink()
    assert visitor.generate().shape == (512, 512, 3)
