"""The drawing pad in a page of its own: chromium, mouse, finger and pen."""

import json
import re
import time

import gradio as gr
import numpy as np
import pytest
from gradio_client.utils import json_schema_to_python_type
from PIL import Image

from dfd.ui.pad import CSS, FIT_BOX, HTML, JS, PNG, TEXTS, Pad, data_url, image_element, picture

from .browsing import PATIENCE, needs_chromium

BLACK, WHITE = (Image.new("L", (64, 64), level) for level in (0, 255))
LOADED = [{"tool": "pen", "radius": 3, "points": [[100, 400], [200, 400], [300, 400]]}]
SQUARE = image_element(BLACK, (40, 60, 64, 64))


@pytest.fixture(scope="module")
def seen():
    """The values that Python got, oldest first."""
    return []


@pytest.fixture(scope="module")
def address(seen):
    with gr.Blocks(analytics_enabled=False) as demo:
        pad = Pad(elem_id="pad", texts={"ar": {"pen": "قلم", "left_eye": "عين"}})
        gr.Textbox(elem_id="other")
        black, nothing, load, tell, squares = (
            gr.Button(elem_id=name) for name in ("black", "nothing", "load", "tell", "squares")
        )
        # Every answer sends a new shadow, as the real page does.
        pad.input(lambda value: (seen.append(value), Pad.show(WHITE))[1], pad, pad, trigger_mode="multiple", queue=True)
        black.click(lambda: Pad(guide=data_url(BLACK)), None, pad)
        nothing.click(gr.skip, None, pad)
        load.click(lambda: Pad(load={"id": time.time(), "strokes": LOADED}), None, pad)
        tell.click(lambda: Pad.replace(LOADED, tell=True), None, pad)
        squares.click(lambda: Pad.replace([SQUARE, {"tool": "pen"}, "broken"]), None, pad)
    _, url, _ = demo.launch(server_name="127.0.0.1", prevent_thread_lock=True, quiet=True, run_history=False)
    yield url
    demo.close()


class Visitor:
    """A visitor with one pad; `ink()` is what Python saw last, in pixels of the canvas."""

    def __init__(self, context, address, seen):
        self.seen, self.errors = seen, []
        self.page = context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.page.on("pageerror", lambda error: self.errors.append(error))
        self.page.goto(address)
        self.ready()

    def ready(self):
        self.page.wait_for_selector("#pad .pad[data-ready]")

    def fresh(self):
        """An empty pad with the pen in hand and no history that counts."""
        if not self.page.locator("#pad [data-act=clear]").is_disabled():
            self.after(1, lambda: self.press("clear"))
        for name in ("mirror", "parts"):
            if self.page.get_attribute(f"#pad [data-act={name}]", "aria-pressed") == "true":
                self.press(name)
        self.page.click("#pad [data-tool=pen]")
        return self

    def press(self, action):
        self.page.click(f"#pad [data-act={action}]")

    def place(self, x, y):
        box = self.page.locator("#pad .ink").bounding_box()
        return box["x"] + x * box["width"] / 512, box["y"] + y * box["height"] / 512

    def path(self, *points, up=True):
        self.page.mouse.move(*self.place(*points[0]))
        self.page.mouse.down()
        for point in points[1:]:
            self.page.mouse.move(*self.place(*point), steps=3)
        if up:
            self.page.mouse.up()

    def after(self, events, action):
        """Runs the action, waits for its events, and makes sure that there are no more of them."""
        before = len(self.seen)
        action()
        deadline = time.monotonic() + PATIENCE / 1000
        while len(self.seen) < before + events:
            assert time.monotonic() < deadline, "no event"
            self.page.wait_for_timeout(30)
        self.page.wait_for_timeout(150)
        assert len(self.seen) == before + events
        return self.seen[-1] if self.seen else None

    def stroke(self, *points):
        return self.after(1, lambda: self.path(*points))

    def ink(self):
        return np.asarray(picture(self.seen[-1])) < 128

    def box(self):
        """left, top, right, bottom of the ink."""
        y, x = np.nonzero(self.ink())
        return np.array([x.min(), y.min(), x.max() + 1, y.max() + 1])

    def events(self, kind, pointer, *places, pressure=0.5):
        """Pointer events as a pen or a finger gives them."""
        self.page.evaluate(
            """([kind, pointer, places, pressure]) => {
                const ink = document.querySelector('#pad .ink'), box = ink.getBoundingClientRect();
                const send = (name, [x, y], buttons) => ink.dispatchEvent(new PointerEvent(name, {
                    pointerId: pointer, pointerType: kind, pressure, buttons, button: 0, bubbles: true,
                    clientX: box.left + x * box.width / 512, clientY: box.top + y * box.height / 512 }));
                send('pointerdown', places[0], 1);
                places.slice(1).forEach((place) => send('pointermove', place, 1));
                send('pointerup', places.at(-1), 0);
            }""",
            [kind, pointer, places, pressure],
        )

    def shadow(self, x, y):
        """Darkness of the shadow's canvas at a place, from 0 to 255."""
        return self.page.evaluate(
            """([x, y]) => { const d = document.querySelector('#pad .shadow').getContext('2d')
                .getImageData(x, y, 1, 1).data; return (255 - d[0]) * d[3] / 255 }""",
            [x, y],
        )


@pytest.fixture(scope="module")
def desk(browser, address, seen):
    visitor = Visitor(browser.new_context(viewport={"width": 1000, "height": 900}), address, seen)
    yield visitor
    assert not visitor.errors


@pytest.fixture(scope="module")
def phone(browser, address, seen):
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, device_scale_factor=2, has_touch=True, is_mobile=True, locale="ar-EG"
    )
    visitor = Visitor(context, address, seen)
    yield visitor
    assert not visitor.errors


@pytest.fixture
def visitor(desk):
    return desk.fresh()


# ---- Python's side


def test_values():
    pad = Pad(render=False)
    assert pad.preprocess(None) is None
    assert pad.preprocess(json.dumps({"png": PNG, "strokes": LOADED, "n": 3})) == {
        "png": PNG, "strokes": LOADED, "n": 3
    }  # fmt: skip
    assert pad.preprocess({"png": PNG}) == {"png": PNG, "strokes": [], "n": 0}
    for wrong in ("nonsense", {}, {"png": 3}, {"png": "https://example.org/a.png"}, [1]):
        with pytest.raises(gr.Error, match="png"):
            pad.preprocess(wrong)
    assert picture(pad.preprocess(pad.example_value())).size == (512, 512)
    assert picture(None) is None
    with pytest.raises(ValueError, match="cannot be read"):
        picture({"png": PNG + "AAAA"})


def test_the_schema_describes_a_drawing():
    signature = json_schema_to_python_type(Pad(render=False).api_info())
    assert "png: str" in signature and "points: list[list[float]]" in signature


def test_everything_has_a_text():
    shown = set(re.findall(r'data-text="(\w+)"', HTML))
    assert shown and shown | {f"{name}_tip" for name in shown} <= set(TEXTS["en"])
    assert set(re.findall(r'\btext\("(\w+)"', JS)) <= set(TEXTS["en"])


def test_gradio_can_read_the_templates():
    for source in (HTML, CSS):
        assert not any(mark in source for mark in ("{{", "${", "`", "\\")), "not even in comments"


# ---- The pad


@needs_chromium
def test_a_stroke_is_one_event_with_its_ink(visitor):
    value = visitor.stroke((100, 100), (300, 100), (300, 300))
    ink = visitor.ink()
    assert ink[100, 120:280].all() and ink[150:280, 300].all()
    assert not ink[:90].any() and not ink[310:].any()
    assert picture(value).size == (512, 512)
    (stroke,) = value["strokes"]
    assert (stroke["tool"], stroke["radius"]) == ("pen", 2)
    assert np.allclose(stroke["points"][0], (100, 100), atol=1)


@needs_chromium
def test_undo_redo_and_clear(visitor):
    visitor.stroke((100, 100), (200, 100))
    one = visitor.stroke((100, 200), (200, 200))["png"]
    assert len(visitor.after(1, lambda: visitor.press("undo"))["strokes"]) == 1
    assert visitor.after(1, lambda: visitor.press("redo"))["png"] == one, "the same strokes, another picture"
    visitor.after(1, lambda: visitor.press("clear"))
    assert not visitor.ink().any()
    assert visitor.after(1, lambda: visitor.press("undo"))["png"] == one


@needs_chromium
def test_the_eraser_removes_ink(visitor):
    visitor.stroke((100, 100), (300, 100))
    before = visitor.ink().sum()
    visitor.page.click("#pad [data-tool=eraser]")
    value = visitor.stroke((200, 80), (200, 120))
    ink = visitor.ink()
    assert not ink[:, 197:203].any() and ink[100, 150] and ink[100, 250]
    assert 20 < before - ink.sum() < 60
    assert value["strokes"][-1]["radius"] == 4


@needs_chromium
def test_a_mirrored_pair_is_one_step(visitor):
    visitor.press("mirror")
    visitor.stroke((100, 100), (150, 200))
    ink = visitor.ink()
    assert ink[:, :256].any() and (ink ^ ink[:, ::-1]).mean() < 1e-4
    visitor.page.click("#pad [data-tool=move]")
    pair = visitor.stroke((300, 300), (340, 300))["strokes"]
    assert len(pair) == 2 and (visitor.ink()[:, 40:] == ink[:, :-40]).all()
    visitor.after(1, lambda: visitor.press("undo"))
    visitor.after(1, lambda: visitor.press("undo"))
    assert not visitor.ink().any()


@needs_chromium
def test_move_scale_and_fit(visitor):
    visitor.stroke((200, 200), (260, 200), (260, 280))
    start = visitor.box()
    visitor.page.click("#pad [data-tool=move]")
    visitor.stroke((100, 100), (140, 90))
    assert np.allclose(visitor.box(), np.add(start, (40, -10, 40, -10)), atol=1)

    turn = """() => { const ink = document.querySelector('#pad .ink'), box = ink.getBoundingClientRect();
        for (let i = 0; i < 3; i++) ink.dispatchEvent(new WheelEvent('wheel', { deltaY: -100, cancelable: true,
            clientX: box.left + box.width / 2, clientY: box.top + box.height / 2 })) }"""
    visitor.after(1, lambda: visitor.page.evaluate(turn))
    wide = visitor.box()
    assert wide[2] - wide[0] > 1.3 * (start[2] - start[0])
    visitor.after(1, lambda: visitor.press("smaller"))
    visitor.after(1, lambda: visitor.press("larger"))
    assert np.allclose(visitor.box(), wide, atol=1.5)

    visitor.page.locator("#pad .ink").focus()
    visitor.after(1, lambda: visitor.page.keyboard.press("ArrowLeft"))
    assert np.allclose(visitor.box(), np.subtract(wide, (4, 0, 4, 0)), atol=2)

    visitor.after(1, lambda: visitor.press("fit"))
    x0, y0, x1, y1 = visitor.box()
    assert abs((x0 + x1) - (FIT_BOX[0] + FIT_BOX[2])) < 4 and abs((y0 + y1) - (FIT_BOX[1] + FIT_BOX[3])) < 4
    assert abs((x1 - x0) - (FIT_BOX[2] - FIT_BOX[0])) < 12 or abs((y1 - y0) - (FIT_BOX[3] - FIT_BOX[1])) < 12
    assert len(visitor.seen[-1]["strokes"]) == 1
    visitor.after(0, lambda: visitor.press("fit"))  # it fits already


@needs_chromium
def test_keys(visitor):
    tool = visitor.page.locator("#pad .pad")
    visitor.stroke((100, 100), (200, 100))
    visitor.page.keyboard.press("e")
    assert tool.get_attribute("data-hand") == "eraser"
    visitor.page.keyboard.press("b")
    visitor.page.keyboard.press("]")
    assert visitor.stroke((100, 200), (200, 200))["strokes"][-1]["radius"] == 2.5
    visitor.page.keyboard.press("[")
    for keys, left in (("Control+z", 1), ("Control+Shift+z", 2), ("Control+z", 1), ("Control+y", 2)):
        assert len(visitor.after(1, lambda keys=keys: visitor.page.keyboard.press(keys))["strokes"]) == left
    visitor.page.click("#other textarea, #other input")
    visitor.after(0, lambda: visitor.page.keyboard.type("be"))
    visitor.after(0, lambda: visitor.page.keyboard.press("Control+z"))
    assert tool.get_attribute("data-hand") == "pen"


@needs_chromium
def test_a_pen_presses_and_a_palm_is_ignored(visitor):
    line = [(100 + 20 * i, 100) for i in range(10)]
    thickness = []
    for pressure in (0.1, 0.9):
        visitor.after(1, lambda p=pressure: visitor.events("pen", 7, *line, pressure=p))
        thickness.append(visitor.ink()[:, 200].sum())
        visitor.after(1, lambda: visitor.press("undo"))
    assert thickness[0] < thickness[1]
    visitor.path((100, 100), (200, 100), up=False)
    visitor.events("touch", 8, (300, 300), (350, 300))
    visitor.after(1, visitor.page.mouse.up)
    assert not visitor.ink()[200:].any()


@needs_chromium
def test_a_stroke_keeps_only_the_points_that_are_seen(visitor):
    turns = np.linspace(0, 2 * np.pi, 629)
    circle = np.stack((256 + 100 * np.cos(turns), 256 + 100 * np.sin(turns)), 1)
    (stroke,) = visitor.after(1, lambda: visitor.events("mouse", 1, *circle.tolist()))["strokes"]
    assert 150 < len(stroke["points"]) < 250
    assert np.allclose(np.array(stroke["points"])[[0, -1]], circle[[0, -1]], atol=1.1)
    y, x = np.nonzero(visitor.ink())
    assert np.abs(np.hypot(x + 0.5 - 256, y + 0.5 - 256) - 100).max() < 3 and abs(len(x) / (200 * np.pi) - 4) < 0.3


@needs_chromium
def test_a_shadow_arrives_under_a_stroke_under_way(visitor):
    visitor.page.wait_for_timeout(300)
    count = visitor.page.get_attribute("#pad .pad", "data-guides")
    assert visitor.shadow(10, 10) == 0
    visitor.path((100, 100), (200, 100), up=False)
    visitor.page.evaluate("document.querySelector('#black').click()")
    visitor.page.wait_for_function("n => document.querySelector('#pad .pad').dataset.guides > n", arg=int(count))
    assert visitor.shadow(10, 10) == 255
    visitor.page.mouse.move(*visitor.place(300, 100), steps=3)
    (stroke,) = visitor.after(1, visitor.page.mouse.up)["strokes"]
    assert visitor.ink()[100, 110:290].all() and len(stroke["points"]) > 4
    visitor.after(0, lambda: visitor.page.click("#nothing"))


@needs_chromium
def test_python_can_replace_the_drawing(visitor):
    first = visitor.stroke((100, 100), (200, 100))["png"]
    assert visitor.after(1, lambda: visitor.page.click("#load"))["strokes"] == LOADED
    visitor.after(0, lambda: visitor.page.click("#load"))  # it is there already
    assert visitor.after(1, lambda: visitor.page.click("#tell"))["strokes"] == LOADED, "settings may have changed"
    assert visitor.ink()[400, 120:280].all() and not visitor.ink()[:300].any()
    assert visitor.after(1, lambda: visitor.page.click("#squares"))["strokes"] == [SQUARE]
    assert visitor.box().tolist() == [40, 60, 104, 124]
    visitor.after(1, lambda: visitor.press("undo"))
    assert visitor.after(1, lambda: visitor.press("undo"))["png"] == first


@needs_chromium
def test_the_drawing_outlives_a_reload(visitor):
    value = visitor.stroke((100, 100), (200, 100))
    again = visitor.after(1, lambda: (visitor.page.reload(), visitor.ready()))
    assert (again["png"], again["strokes"]) == (value["png"], value["strokes"])
    far = json.dumps({"strokes": [{**LOADED[0], "points": [[9900, 100], [100, 100]]}]})
    for events, kept in ((0, "{"), (1, '{"strokes": [{"tool": "pen", "points": "no"}, null, 7]}'), (1, far)):
        store = "kept => [sessionStorage, localStorage].forEach((store) => store.setItem('dfd-drawing', kept))"
        visitor.page.evaluate(store, kept)
        visitor.after(events, lambda: (visitor.page.reload(), visitor.ready()))
    visitor.page.click("#pad [data-tool=move]")
    visitor.after(0, lambda: visitor.press("larger"))  # out of Python's reach
    visitor.after(1, lambda: visitor.press("clear"))
    visitor.page.click("#pad [data-tool=pen]")
    assert len(visitor.stroke((100, 100), (200, 100))["strokes"]) == 1
    visitor.after(1, lambda: visitor.press("clear"))
    cleared = visitor.after(1, lambda: (visitor.page.reload(), visitor.ready()))
    assert cleared["strokes"] == [], "the page is told that the paper is empty"


@needs_chromium
def test_each_tab_of_a_browser_has_its_own_drawing(visitor, address, seen):
    mine = visitor.stroke((100, 100), (200, 100))["strokes"]
    others = []
    opened = visitor.after(1, lambda: others.append(Visitor(visitor.page.context, address, seen)))
    assert opened["strokes"] == mine, "a new tab begins with the latest drawing"
    assert len(others[0].stroke((100, 200), (200, 200))["strokes"]) == 2
    others[0].page.close()
    assert visitor.after(1, lambda: (visitor.page.reload(), visitor.ready()))["strokes"] == mine


@needs_chromium
def test_a_finger_draws_on_a_phone_and_nothing_sticks_out(phone):
    column = phone.page.locator("#pad").bounding_box()
    paper = phone.page.locator("#pad .ink").bounding_box()
    assert paper["width"] >= column["width"] - 4 and abs(paper["width"] - paper["height"]) < 1
    assert column["width"] > 320
    assert phone.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for button in phone.page.locator("#pad button:visible").all():
        assert min(button.bounding_box()[side] for side in ("width", "height")) >= 40

    remote = phone.page.context.new_cdp_session(phone.page)

    def swipe():
        for kind, place in (("touchStart", (100, 300)), ("touchMove", (200, 300)), ("touchMove", (300, 300))):
            x, y = phone.place(*place)
            remote.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
        remote.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    phone.after(1, swipe)
    assert phone.ink()[300, 110:290].all()


@needs_chromium
def test_two_fingers_scale_the_drawing(phone):
    phone.fresh()
    phone.after(1, lambda: phone.events("touch", 5, (206, 256), (306, 256)))
    phone.page.click("#pad [data-tool=move]")
    before = phone.box()

    def pinch():
        phone.page.evaluate(
            """() => {
                const ink = document.querySelector('#pad .ink'), box = ink.getBoundingClientRect();
                for (const [name, id, x] of [['down', 1, 206], ['down', 2, 306], ['move', 1, 156], ['move', 2, 356],
                                             ['up', 1, 156], ['up', 2, 356]])
                    ink.dispatchEvent(new PointerEvent('pointer' + name, { pointerId: id, pointerType: 'touch',
                        bubbles: true, clientX: box.left + x * box.width / 512,
                        clientY: box.top + box.height / 2 }));
            }"""
        )

    phone.after(1, pinch)
    assert np.allclose(phone.box(), np.add(before, (-50, 0, 50, 0)), atol=3)


@needs_chromium
def test_arabic_turns_the_tools_but_not_the_paper(phone):
    phone.fresh()
    assert phone.page.get_attribute("#pad .pad", "dir") == "rtl"
    assert phone.page.get_attribute("#pad [data-tool=pen]", "aria-label") == "قلم"
    assert phone.page.get_attribute("#pad [data-tool=eraser]", "aria-label") == "Eraser", "no English in its place"
    pen, eraser = (phone.page.locator(f"#pad [data-tool={name}]").bounding_box() for name in ("pen", "eraser"))
    assert pen["x"] > eraser["x"]
    assert phone.page.locator("#pad .parts text").first.text_content() == "عين"
    phone.after(1, lambda: phone.events("touch", 5, (50, 100), (100, 100)))
    assert phone.ink()[:, :256].any() and not phone.ink()[:, 256:].any()
