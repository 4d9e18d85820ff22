"""The page's own functions."""

import numpy as np
import pytest
import torch
from PIL import Image

from dfd.sketch import read_sketch
from dfd.ui import draw_examples
from dfd.ui.draw_tab import EXAMPLES, example_session, settings_of
from dfd.ui.image_tab import read_pad
from dfd.ui.session import Session


def pad(background=None, layers=(), composite=None):
    images = [image and image.convert("RGBA") for image in (background, composite)]
    return {"background": images[0], "layers": list(layers), "composite": images[1]}


def strokes(*box):
    """A transparent layer with one black rectangle."""
    layer = Image.new("RGBA", (512, 512), (0, 0, 0, 0))
    layer.paste("black", box)
    return layer


@pytest.mark.parametrize("value", [None, pad(), pad(Image.new("RGB", (512, 512), "white"), [strokes(0, 0, 0, 0)])])
def test_an_empty_pad_has_no_ink(value):
    assert torch.equal(read_pad(value), torch.zeros(1, 512, 512))


def test_strokes_lie_over_the_uploaded_picture():
    drawing = Image.open(EXAMPLES[0])
    ink = read_pad(pad(drawing, [strokes(0, 0, 20, 10)]))
    expected = read_sketch(drawing)
    expected[:, :10, :20] = 1
    assert torch.equal(ink, expected)


def test_the_composite_counts_only_where_it_is_alone():
    drawing = Image.open(EXAMPLES[0])
    assert torch.equal(read_pad(pad(composite=drawing)), read_sketch(drawing))
    assert torch.equal(read_pad(pad(layers=[strokes(0, 0, 9, 9)], composite=drawing))[:, 9:], torch.zeros(1, 503, 512))


def test_grey_paper_of_an_oblong_upload_is_no_ink():
    paper = Image.new("L", (512, 400), 170)
    paper.paste(20, (100, 100, 400, 104))
    shown = Image.new("RGBA", (512, 512), (0, 0, 0, 0))  # as the pad shows it: with transparent bars
    shown.paste(paper.convert("RGBA"), (0, 56))
    ink = read_pad(pad(shown))[0]
    assert ink.max() > 0.8
    assert ink.mean() < 0.03, "the paper is no ink"


def test_a_transparent_drawing_keeps_its_place():
    corner = strokes(0, 200, 512, 204)
    corner.paste("black", (100, 150, 104, 400))
    assert torch.equal(read_pad(pad(corner)), read_sketch(corner))


@pytest.mark.parametrize("name", draw_examples.FACES)
def test_examples_are_drawn_by_their_script(name):
    path = draw_examples.FOLDER / f"{name}.png"
    pen = draw_examples.draw(name)
    with Image.open(path) as example:
        assert (example.mode, example.size) == ("L", (512, 512))
        difference = np.asarray(example, float) - np.asarray(pen.image(), float)
    assert example_session(path) == Session(pen.strokes)
    assert np.abs(difference).mean() < 0.5, "run `python -m dfd.ui.draw_examples`"


def test_no_other_examples_are_shown():
    assert {path.stem for path in EXAMPLES} == set(draw_examples.FACES)


@pytest.mark.parametrize("odd", [None, "x", float("inf"), float("nan"), ["x"], 10**400, {}])
@pytest.mark.parametrize("place", [0, 1, 6, 7, 8])
def test_controls_may_send_anything(place, odd):
    values = ["all", 0.5, 0.5, 0.5, 0.5, 0.5, 10, "", 0]
    assert Session([], settings_of(*values)).settings["num_neighbors"] == 10
    values[place] = odd
    if place < 7 or odd:  # no colours and no suggestion are the usual ones
        with pytest.raises(ValueError):
            Session([], settings_of(*values))


def test_whole_numbers_may_come_as_floats():
    settings = settings_of("all", 0.5, 0.5, 0.5, 0.5, 0.5, 10.0, True, 1.0)
    assert (settings["num_neighbors"], settings["alternative"]) == (10, 1)
