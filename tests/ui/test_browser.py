"""The studio as a visitor uses it: chromium, mouse, finger and eyes, with the shipped weights."""

import base64
import io
import json
import os
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from PIL import Image, ImageDraw

from dfd.components import DEFAULT_WINDOWS
from dfd.lines import trace_photo
from dfd.models import LineExtractor
from dfd.precision import computes_in_bfloat16
from dfd.ui import texts
from dfd.ui.draw_tab import EXAMPLES

from .browsing import PATIENCE, needs_chromium

ROOT = Path(__file__).parents[2]

pytestmark = needs_chromium

#: Screenshots of the page are kept here, if it is set, to be looked at.
ARTEFACTS = os.environ.get("DFD_TEST_ARTEFACTS")

FACE = "document.querySelector('#results img.new')"


class Visitor:
    """A visitor of the page, who notes which hosts it talks to and what goes wrong in it."""

    def __init__(self, context, url):
        self.page = context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.hosts, self.errors = set(), []
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).hostname))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(url)
        self.ready()

    def ready(self):
        self.page.wait_for_selector("#pad .pad[data-ready]")
        # The drawing on the pad asks for its face once; the one that is there before was made in advance.
        self.page.wait_for_function(f"document.querySelector('#results figcaption').textContent && {FACE}.complete")

    def number(self):
        return self.page.get_attribute("#results .results", "data-shot")

    def after(self, act):
        """Does something and waits for the face that comes of it: float32 512 x 512 x 3 in [0, 255]."""
        before = self.number()
        act()
        self.page.wait_for_function(
            f"before => document.querySelector('#results .results').dataset.shot !== before && {FACE}.complete",
            arg=before,
        )
        return self.face()

    def open_image(self, path):
        """Opens a picture in the tab for images."""
        self.page.get_by_role("tab", name="From an image").click()
        self.page.wait_for_selector("#sketch button[aria-label='Brush Size']")
        self.page.click("#sketch button[aria-label='Image']")
        self.page.locator("#sketch input[type=file]").first.set_input_files(path)
        self.page.wait_for_timeout(3000)

    def face(self):
        data = self.page.evaluate(f"{FACE}.src").split(",", 1)[1]
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"), np.float32)

    def stroke(self, *points):
        """Draws through points of the canvas with the mouse."""
        ink = self.page.locator("#pad canvas.ink")
        ink.scroll_into_view_if_needed()
        box = ink.bounding_box()
        path = [(box["x"] + x * box["width"] / 512, box["y"] + y * box["height"] / 512) for x, y in points]
        self.page.mouse.move(*path[0])
        self.page.mouse.down()
        for point in path[1:]:
            self.page.mouse.move(*point, steps=4)
        self.page.mouse.up()

    def slide(self, name, value):
        """Sets a slider as a visitor does who types its number."""
        box = self.page.locator(f"#{name} input[type=number]")
        box.fill(str(value))
        box.blur()

    def example(self, index):
        self.page.locator("#examples button.thumbnail-item").nth(index).click()

    def saved(self, name):
        with self.page.expect_download(timeout=PATIENCE) as download:
            self.page.click(f"#{name}")
        return Path(download.value.path()).read_bytes(), download.value.suggested_filename

    def open(self, path):
        with self.page.expect_file_chooser() as chooser:
            self.page.click("#open")
        chooser.value.set_files(path)

    def keep(self, name):
        if ARTEFACTS:
            Path(ARTEFACTS).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=Path(ARTEFACTS) / f"{name}.png", full_page=True)


@pytest.fixture
def visit(browser, server):
    """Opens the page as a new visitor; `visit(viewport=…, locale=…)`."""
    contexts = []

    def open_page(path="", **options):
        contexts.append(browser.new_context(**{"viewport": {"width": 1360, "height": 900}, **options}))
        return Visitor(contexts[-1], server + path)

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def visitor(visit):
    visitor = visit()
    yield visitor
    assert visitor.errors == []


def difference(one, other):
    return np.abs(one - other).mean()


#: How far pictures of the same codes may be apart, of 255: on average, and at most. The engine gives a face as many
#: threads as are free, and with other threads the sums of the group normalisations come out otherwise in their last
#: digits. That changes 0.06 % of a face's values, by 1. The JPEG on the page makes 0.014 on average of it, 7 at most;
#: in bfloat16 0.5 and 8 (measured where it is imitated). A single further stroke changes a face by 0.9, and by 40.
ROUNDING = (0.7, 20) if computes_in_bfloat16() else (0.1, 12)


def same_face(one, other):
    """Whether two pictures show the same face: exactly, where each face has one thread."""
    if torch.get_num_threads() == 1:
        return np.array_equal(one, other)
    apart = np.abs(np.float32(one) - np.float32(other))
    return apart.mean() < ROUNDING[0] and apart.max() < ROUNDING[1]


def test_a_face_is_there_at_once_and_follows_every_stroke(visitor):
    first = visitor.face()
    assert first.shape == (512, 512, 3) and first.std() > 5
    guides = int(visitor.page.get_attribute("#pad .pad", "data-guides"))
    faces = [first]
    for y in (380, 395):
        faces.append(visitor.after(lambda y=y: visitor.stroke((190, y), (320, y))))
    assert min(difference(a, b) for a, b in pairwise(faces)) > 0.05
    visitor.page.wait_for_function(
        "n => Number(document.querySelector('#pad .pad').dataset.guides) > n", arg=guides
    )  # the shadow follows
    assert same_face(visitor.after(lambda: visitor.page.keyboard.press("Control+z")), faces[1]), "undone"
    assert visitor.hosts - {"", None} == {"127.0.0.1"}, "the page asks other hosts"
    visitor.keep("desktop")


def test_an_empty_pad_gets_a_hint_and_can_be_drawn_on(visitor):
    before = visitor.number()
    visitor.page.click("#pad [data-act=clear]")
    visitor.page.wait_for_function("n => document.querySelector('#results .results').dataset.shot !== n", arg=before)
    assert "Draw something" in visitor.page.inner_text("#results .empty")
    visitor.page.click("#save_face")
    visitor.page.locator("[data-testid=toast-body]", has_text="Draw something").wait_for()
    # Two eyes and an outline are enough.
    visitor.after(lambda: visitor.stroke((170, 245), (195, 232), (225, 246)))
    visitor.after(lambda: visitor.stroke((290, 246), (317, 232), (345, 245)))
    visitor.after(lambda: visitor.stroke((130, 200), (140, 330), (256, 452), (372, 330), (382, 200)))
    assert visitor.page.inner_text("#results .empty") == ""


def test_refinement_of_one_part_changes_that_part_most(visitor):
    visitor.page.click("#by_part button")
    before = visitor.after(lambda: visitor.slide("refinement_mouth", 0))
    after = visitor.after(lambda: visitor.slide("refinement_mouth", 1))
    changed = np.abs(before - after).mean(2)
    x, y, size = (getattr(DEFAULT_WINDOWS["mouth"], name) for name in ("x", "y", "size"))
    inside = changed[y : y + size, x : x + size].mean()
    changed[y : y + size, x : x + size] = np.nan
    assert inside > 1.5 * np.nanmean(changed) and inside > 0.5


def test_one_slider_moves_all_parts(visitor):
    page = visitor.page
    page.click("#by_part button")
    visitor.after(lambda: (visitor.slide("refinement", 0.9), visitor.slide("refinement_nose", 0.25)))
    assert page.input_value("#refinement_nose input[type=number]") == "0.25", "moved on before the answer came"
    at_one = visitor.after(lambda: visitor.slide("refinement", 1))
    values = [page.input_value(f"#refinement_{name} input[type=number]") for name in DEFAULT_WINDOWS]
    assert set(values) == {"1"}
    at_zero = visitor.after(lambda: visitor.slide("refinement", 0))
    assert difference(at_one, at_zero) > 0.5


def test_the_manifold_changes_the_face(visitor):
    faces = [
        visitor.after(lambda name=name: visitor.page.click(f"#manifold input[value={name}]"))
        for name in ("male", "female")
    ]
    assert difference(*faces) > 0.5


def test_panels_are_filled_when_they_are_opened(visitor):
    assert visitor.page.locator("#people img").count() == 0
    visitor.page.click("#helpers button")
    visitor.page.wait_for_selector("#people img")
    assert "of your lines are found again" in visitor.page.inner_text("#people")
    visitor.page.click("#compare button")
    visitor.page.wait_for_selector("#slider img")
    visitor.keep("panels")


def test_a_saved_face_opens_as_the_same_face(visitor, visit, tmp_path):
    visitor.after(lambda: visitor.page.click("#manifold input[value=male]"))
    visitor.after(lambda: visitor.slide("refinement", 0.8))
    face = visitor.after(lambda: visitor.stroke((190, 400), (320, 390)))
    for button, name in (("save_face", "face.png"), ("save_sketch", "drawing.png"), ("save_session", "drawing.json")):
        data, suggested = visitor.saved(button)
        assert suggested == name
        (tmp_path / name).write_bytes(data)
    with Image.open(tmp_path / "face.png") as saved:
        assert saved.size == (512, 512) and "shows nobody" in saved.info["Description"]
        # The one on the page is a JPEG of it.
        assert difference(np.asarray(saved, np.float32), face) < 4
        exact = np.asarray(saved)
    assert json.loads((tmp_path / "drawing.json").read_bytes())["settings"]["manifold"] == "male"

    for name in ("drawing.json", "face.png"):
        other = visit()
        again = other.after(lambda other=other, name=name: other.open(tmp_path / name))
        assert same_face(again, face), f"{name} opens as another face"
        assert other.page.is_checked("#manifold input[value=male]")
    data, _ = other.saved("save_face")
    assert same_face(Image.open(io.BytesIO(data)), exact)


def test_a_file_that_is_no_drawing_gets_a_message_and_loses_nothing(visitor, tmp_path):
    face = visitor.face()
    (tmp_path / "broken.json").write_text("{")
    visitor.open(tmp_path / "broken.json")
    visitor.page.get_by_text("neither a saved drawing nor").first.wait_for()
    assert np.array_equal(visitor.face(), face)


def test_one_of_the_last_faces_can_be_had_back(visitor):
    first = visitor.face()
    assert visitor.page.locator("#results .strip img").count() == 1
    visitor.page.wait_for_timeout(2000)  # faces that follow each other faster count as one
    second = visitor.after(lambda: visitor.page.click("#manifold input[value=male]"))  # of the same drawing
    assert difference(first, second) > 0.5
    again = visitor.after(lambda: visitor.page.locator("#results .strip button").last.click())
    assert same_face(again, first)
    assert visitor.page.is_checked("#manifold input[value=all]")


def test_examples_and_surprises(visitor):
    seen = [visitor.face(), visitor.after(lambda: visitor.example(3))]
    seen.append(visitor.after(lambda: visitor.page.click("#surprise")))
    assert min(difference(a, b) for a, b in pairwise(seen)) > 0.5


def test_without_live_only_the_button_makes_a_face(visitor):
    visitor.page.click("#live input")
    visitor.page.wait_for_timeout(1000)
    before = visitor.number()
    visitor.stroke((190, 380), (320, 380))
    visitor.page.wait_for_timeout(2500)
    assert visitor.number() == before
    first = visitor.face()
    assert difference(first, visitor.after(lambda: visitor.page.click("#generate"))) > 0.05


def test_a_reload_keeps_drawing_settings_and_last_faces(visitor):
    """Gradio loads the page anew when the connection was lost."""
    visitor.after(lambda: visitor.example(2))
    visitor.page.wait_for_timeout(2000)
    face = visitor.after(lambda: visitor.page.click("#manifold input[value=male]"))
    listed = visitor.page.locator("#results .strip img").count()
    asked = []
    visitor.page.on("request", lambda request: asked.append(request.url))
    visitor.page.reload()
    visitor.ready()
    assert same_face(visitor.face(), face)
    assert visitor.page.is_checked("#manifold input[value=male]")
    assert visitor.page.locator("#results .strip img").count() == listed
    assert sum("queue/join" in url for url in asked) == 1


def test_a_photographed_drawing_becomes_lines_and_goes_on_in_the_first_tab(visitor, tmp_path):
    sheet = Image.open(EXAMPLES[0]).convert("L").point(lambda v: 90 + v * 110 // 255).resize((700, 700))
    ImageDraw.Draw(sheet).rectangle((0, 0, 700, 60), fill=150)  # a shadow across the sheet
    sheet.save(tmp_path / "photographed.jpg", quality=80)
    page = visitor.page
    visitor.open_image(tmp_path / "photographed.jpg")
    page.click("#to_lines")
    page.wait_for_timeout(3000)
    blank = page.get_attribute("#face img", "src")
    page.click("#generate_image")
    page.wait_for_function(
        "blank => { const i = document.querySelector('#face img');"
        " return i.getAttribute('src') !== blank && i.complete && i.naturalWidth === 512 }",
        arg=blank,
    )
    visitor.keep("image")
    before = visitor.face()
    assert difference(before, visitor.after(lambda: page.click("#continue"))) > 0.5
    assert page.locator("#pad canvas.ink").is_visible()


def test_a_photo_becomes_the_lines_that_the_network_draws(visitor, tmp_path):
    photo = visitor.face().astype(np.uint8)
    Image.fromarray(photo).save(tmp_path / "photo.png")
    page = visitor.page
    visitor.open_image(tmp_path / "photo.png")
    page.check("#kind input[value=photo]")
    page.click("#to_lines")
    page.wait_for_timeout(3000)
    visitor.keep("photo")
    visitor.after(lambda: page.click("#continue"))
    data, _ = visitor.saved("save_sketch")
    drawn = np.asarray(Image.open(io.BytesIO(data)).convert("L")) < 128
    network = LineExtractor.from_pretrained(ROOT / "checkpoints", subfolder="line_extractor")
    by_network, classical = (trace_photo(photo, extractor)[0].numpy() > 0 for extractor in (network, None))

    def overlap(lines):
        return (drawn & lines).sum() / (drawn | lines).sum()

    assert overlap(by_network) > 0.9 > overlap(classical)


def test_on_a_phone_a_finger_draws(visit):
    phone = visit(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, device_scale_factor=2)
    page = phone.page
    box = page.locator("#pad canvas.ink").bounding_box()
    assert box["width"] > 330 and abs(box["width"] - box["height"]) < 2
    assert page.evaluate("document.documentElement.scrollWidth <= 390"), "the page scrolls sideways"
    touch = page.context.new_cdp_session(page)

    def swipe():
        start = {"x": box["x"] + 0.4 * box["width"], "y": box["y"] + 0.75 * box["height"]}
        touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [start]})
        for i in range(1, 6):
            point = {**start, "x": start["x"] + 12 * i}
            touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    before = phone.face()
    assert difference(before, phone.after(swipe)) > 0.05
    phone.keep("phone")


@pytest.mark.parametrize("locale", ["en", "de", "es", "zh-CN", "hi", "ar"])
def test_all_tabs_fit_on_a_phone(visit, locale):
    """Else Gradio puts them into a menu, where nobody looks."""
    phone = visit(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, locale=locale)
    phone.page.wait_for_selector(".overflow-menu", state="hidden")
    assert sum(tab.is_visible() for tab in phone.page.get_by_role("tab").all()) == 3
    phone.keep(f"tabs_{locale}")


@pytest.mark.parametrize("look", ["light", "dark"])
def test_axe_finds_nothing_serious(visit, look):
    visitor = visit(f"/?__theme={look}")
    visitor.page.click("#by_part button")
    visitor.page.click("#helpers button")
    visitor.page.wait_for_selector("#people img")
    found = Axe().run(visitor.page).response["violations"]
    visitor.keep(look)
    visitor.page.get_by_role("tab").nth(1).click()
    visitor.page.wait_for_selector("#sketch canvas")
    found += Axe().run(visitor.page).response["violations"]
    serious = {v["id"]: [n["html"][:200] for n in v["nodes"]] for v in found if v["impact"] in ("serious", "critical")}
    assert serious == {}


@pytest.mark.parametrize("locale", ["de-DE", "zh-CN", "ar"])
def test_other_languages(visit, locale):
    visitor = visit(locale=locale)
    words = texts.section("page")[locale.split("-")[0] if locale == "de-DE" else locale]
    assert visitor.page.get_by_role("tab", name=words["draw"], exact=True).is_visible()
    assert visitor.page.inner_text("#generate") == words["generate"]
    assert visitor.page.evaluate("document.documentElement.dir") == ("rtl" if locale == "ar" else "ltr")
    visitor.keep(locale)


def test_colours_and_suggestions_are_chosen_and_saved(visitor, visit, tmp_path):
    page = visitor.page
    half = visitor.after(lambda: visitor.example(next(i for i, p in enumerate(EXAMPLES) if p.stem == "half_finished")))
    page.click("#inspect button")
    page.wait_for_selector("#codes img")
    assert page.locator("#codes img").count() == 5 * 6

    page.click("#suggestions button")
    page.wait_for_function("document.querySelectorAll('#suggested img').length === 4")
    page.wait_for_timeout(1000)
    other = visitor.after(lambda: page.locator("#suggested button.thumbnail-item").nth(2).click())
    lower, upper = (np.abs(half - other)[rows].mean() for rows in (slice(280, 420), slice(0, 150)))
    assert lower > 2 * upper and lower > 2, "another nose and mouth, under the same hair"

    def marked(name):
        items = page.locator(f"#{name} button.thumbnail-item").all()
        return [i for i, item in enumerate(items) if "selected" in item.get_attribute("class")]

    page.click("#colours button")
    page.wait_for_function("document.querySelectorAll('#swatches img').length === 20")
    cheek = (slice(300, 340), slice(180, 330))
    skins = []
    for index in (0, 19):
        face = visitor.after(lambda index=index: page.locator("#swatches button.thumbnail-item").nth(index).click())
        skins.append(face[cheek].mean())
    assert marked("swatches") == [19] and marked("suggested") == [2]
    assert skins[0] > skins[1] + 20
    found = Axe().run(page).response["violations"]
    serious = {v["id"]: [n["html"][:200] for n in v["nodes"]] for v in found if v["impact"] in ("serious", "critical")}
    assert serious == {}
    Image.new("RGB", (64, 64), "white").save(tmp_path / "photo.png")
    with page.expect_file_chooser() as chooser:
        page.click("#colours_photo")
    light = visitor.after(lambda: chooser.value.set_files(tmp_path / "photo.png"))
    assert light[cheek].mean() > skins[1] + 20
    (tmp_path / "notes.png").write_text("no picture")
    with page.expect_file_chooser() as chooser:
        page.click("#colours_photo")
    chooser.value.set_files(tmp_path / "notes.png")
    page.get_by_text("This cannot be read").first.wait_for()
    lucky = visitor.after(lambda: page.click("#colours_random"))
    page.wait_for_function("!document.querySelector('#swatches .selected')")
    visitor.keep("colours")

    data, name = visitor.saved("save_session")
    (tmp_path / name).write_bytes(data)
    again = visit()
    assert same_face(again.after(lambda: again.open(tmp_path / name)), lucky), "colours and suggestion are kept"
    automatic = visitor.after(lambda: page.click("#colours_auto"))
    assert same_face(automatic, other)


# -- Morph and mix


class Blender:
    """A visitor of the tab "Morph and mix"."""

    def __init__(self, visitor):
        self.visitor, self.page = visitor, visitor.page
        self.after_both(lambda: self.page.get_by_role("tab").nth(2).click())

    def number(self, name):
        results = self.page.locator(f"#{name} .results")
        return results.get_attribute("data-shot") if results.count() else ""

    def picture(self, name):
        data = self.page.evaluate(f"document.querySelector('#{name} img.new').src").split(",", 1)[1]
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"), np.float32)

    def after(self, name, act):
        """Does something and waits for the face of that name, "morph" or "mix"."""
        before = self.number(name)
        act()
        self.wait(name, before)
        return self.picture(name)

    def after_both(self, act):
        before = [self.number(name) for name in ("morph", "mix")]
        act()
        for name, number in zip(("morph", "mix"), before, strict=True):
            self.wait(name, number)
        return [self.picture(name) for name in ("morph", "mix")]

    def wait(self, name, before):
        self.page.wait_for_function(
            f"before => {{ const shot = document.querySelector('#{name} .results')?.dataset.shot;"
            f" return shot && shot !== before && document.querySelector('#{name} img.new').complete }}",
            arg=before,
        )

    def choose(self, name, letter):
        self.page.click(f"#{name} input[value={letter}]")


@pytest.fixture
def blender(visitor):
    return Blender(visitor)


def test_the_slider_goes_from_the_drawn_face_to_another(visitor):
    drawn = visitor.face()
    blender = Blender(visitor)
    page = visitor.page
    # The last face goes into place D, the next one that is empty.
    blender.after_both(lambda: page.locator("#places .last button").first.click())
    assert page.locator("#places .place img").count() == 4
    blender.after("morph", lambda: blender.choose("from", "D"))
    faces = [blender.after("morph", lambda x=x: visitor.slide("position", x)) for x in (0, 0.3, 0.7, 1)]
    assert difference(faces[0], drawn) < 1.5, "the drawing is drawn differently on the server"
    left = [difference(face, faces[-1]) for face in faces]
    assert all(later < earlier for earlier, later in pairwise(left)) and left[0] > 5
    visitor.keep("blend")


def test_a_strip_and_animations(blender):
    page = blender.page
    page.click("#strip")
    page.wait_for_function("document.querySelectorAll('#between img').length === 8")
    blender.visitor.keep("strip")
    for kind, start in (("gif", b"GIF8"), ("webp", b"RIFF"), ("mp4", b"ftyp")):
        data, name = blender.visitor.saved(f"save_{kind}")
        assert start in data[:12] and name == f"morph.{kind}"
    with Image.open(io.BytesIO(blender.visitor.saved("save_webp")[0])) as file:
        assert file.n_frames == 22 and file.size == (512, 512)


def test_a_mix_takes_each_part_from_its_place(blender):
    before = blender.picture("mix")
    after = blender.after("mix", lambda: blender.choose("mix_mouth", "C"))
    changed = np.abs(before - after).mean(2)
    x, y, size = (getattr(DEFAULT_WINDOWS["mouth"], name) for name in ("x", "y", "size"))
    inside = changed[y : y + size, x : x + size].mean()
    changed[y : y + size, x : x + size] = np.nan
    assert inside > 2 * np.nanmean(changed) and inside > 1
    data, name = blender.visitor.saved("save_mix")
    with Image.open(io.BytesIO(data)) as file:
        assert name == "face.png" and "deepfacedrawing" not in file.text and file.text["Title"] == "Synthetic face"
        assert difference(np.asarray(file, np.float32), after) < 4


def test_an_empty_place_gets_a_message_and_a_file_fills_it(blender, tmp_path):
    page = blender.page
    blender.choose("mix_nose", "F")
    page.locator("#mix .empty", has_text="empty").wait_for()
    page.locator("#places .place[data-letter=F]").click()
    with page.expect_file_chooser() as chooser:
        page.click("#open_place")
    before = blender.number("mix")
    chooser.value.set_files(EXAMPLES[5].with_suffix(".json"))
    blender.wait("mix", before)
    assert page.inner_text("#mix .empty") == ""
    assert page.locator("#places .place[data-letter=F] img").count() == 1


def test_places_are_kept_when_another_tab_is_opened(blender):
    page = blender.page
    blender.after_both(lambda: page.locator("#places .examples button").nth(7).click())
    held = page.locator("#places .place img").evaluate_all("images => images.map(i => i.src)")
    page.get_by_role("tab").first.click()
    page.wait_for_selector("#pad .pad[data-ready]")
    page.get_by_role("tab").nth(2).click()
    page.wait_for_selector("#places .places[data-ready]")
    assert page.locator("#places .place img").evaluate_all("images => images.map(i => i.src)") == held
    assert len(held) == 4
    page.reload()  # as Gradio does when the connection was lost
    page.get_by_role("tab").nth(2).click()
    page.wait_for_selector("#places .places[data-ready]")
    assert page.locator("#places .place img").evaluate_all("images => images.map(i => i.src)") == held


def test_axe_finds_nothing_serious_in_morph_and_mix(blender):
    found = Axe().run(blender.page).response["violations"]
    serious = {v["id"]: [n["html"][:200] for n in v["nodes"]] for v in found if v["impact"] in ("serious", "critical")}
    assert serious == {}


def test_morph_and_mix_fit_on_a_phone(visit):
    blender = Blender(visit(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True))
    assert blender.page.evaluate("document.documentElement.scrollWidth <= 390"), "the page scrolls sideways"
    blender.visitor.keep("blend_phone")
