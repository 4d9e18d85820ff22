"""Saved drawings as pictures; the browser's own are compared in test_browser."""

import numpy as np
import pytest
from PIL import Image

from dfd.ui.draw_tab import EXAMPLES, example_session
from dfd.ui.pad import image_element
from dfd.ui.rendering import render
from dfd.ui.session import Session


def ink(*strokes):
    """float 512 x 512 in [0, 1]."""
    image = render(Session(list(strokes)))
    assert (image.mode, image.size) == ("L", (512, 512))
    return 1 - np.asarray(image, float) / 255


def pen(*points, radius=2, **more):
    return {"tool": "pen", "radius": radius, "points": [list(point) for point in points], **more}


def test_nothing_drawn_is_white():
    assert ink().max() == 0


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_look_like_their_pictures(path):
    difference = np.asarray(render(example_session(path)), float) - np.asarray(Image.open(path).convert("L"), float)
    assert np.abs(difference).mean() < 1.7  # of 12 levels of ink


def test_a_line_lies_where_it_was_drawn_and_has_its_width():
    drawn = ink(pen((100, 200), (300, 200), radius=3))
    assert drawn[197:203, 150].min() > 0.9 and drawn[190:195].max() < 0.1 and drawn[205:].max() < 0.1
    assert drawn[:, 150].sum() == pytest.approx(6, abs=0.3)
    columns = np.flatnonzero(drawn[200] > 0.5)
    assert (columns.min(), columns.max()) == (97, 302)


def test_one_point_is_a_dot():
    drawn = ink(pen((50, 60), radius=4))
    assert drawn.sum() == pytest.approx(np.pi * 16, rel=0.1) and drawn[60, 50] == 1


def test_pressure_makes_lines_wider():
    light, heavy = (ink(pen((100, 100, p), (200, 100, p), (300, 100, p)))[:, 200].sum() for p in (0.1, 1.0))
    assert light == pytest.approx(4 * 0.52, abs=0.3) and heavy == pytest.approx(4 * 1.6, abs=0.3)


def test_a_mirrored_stroke_is_there_twice():
    drawn = ink(pen((100, 100), (150, 130), mirror=True))
    assert np.abs(drawn - drawn[:, ::-1]).max() < 0.25 and drawn[:, :256].sum() > 50


def test_the_eraser_takes_away_what_was_drawn_before():
    drawn = ink(
        pen((100, 200), (300, 200)),
        {"tool": "eraser", "radius": 20, "points": [[200, 200]]},
        pen((190, 210), (210, 210)),
    )
    assert drawn[200, 190:210].max() == 0 and drawn[200, 120] == 1 and drawn[210, 200] == 1


def test_dark_parts_of_a_picture_are_ink_in_its_box():
    picture = Image.new("RGBA", (20, 10), (0, 0, 0, 0))
    picture.paste((0, 0, 0, 255), (0, 0, 10, 10))
    picture.paste((252, 252, 252, 255), (10, 0, 20, 5))
    drawn = ink(pen((300, 300), (400, 300)), image_element(picture, (100, 50, 200, 100)))
    assert drawn[60:140, 110:190].min() == 1 and drawn[60:140, 215:290].max() == 0
    assert drawn[300, 350] == 1, "what is under its paper stays"


def test_pictures_off_the_canvas_are_cut_off():
    black = Image.new("L", (8, 8), 0)
    assert ink(image_element(black, (-5000, -5000, 10000, 10000))).mean() == pytest.approx(1)
    assert ink(image_element(black, (600, 0, 50, 50))).max() == 0
    assert ink(image_element(black, (-50, 0, 100, 100)))[:100, :50].min() == 1
