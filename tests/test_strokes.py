"""Pixels to strokes and back."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from scipy.ndimage import binary_dilation

from dfd.strokes import render, smooth, trace


def drawn(*lines, width=2):
    """bool 512 x 512 with these polylines in it."""
    image = Image.new("1", (512, 512))
    for line in lines:
        ImageDraw.Draw(image).line(line, fill=1, width=width)
    return np.asarray(image)


def test_a_line_is_one_stroke_from_end_to_end():
    (stroke,) = trace(drawn([(100, 200), (300, 200)]))
    assert stroke.dtype == np.float32 and stroke.shape[1] == 2
    assert sorted([stroke[0, 0], stroke[-1, 0]]) == pytest.approx([100, 300], abs=3)
    assert np.abs(stroke[:, 1] - 200).max() <= 1.5
    assert np.abs(np.diff(stroke, axis=0)).max() == 1, "in order, a pixel a point"


def test_lines_that_cross_are_two_strokes_that_go_straight_on():
    strokes = sorted(trace(drawn([(100, 100), (300, 300)], [(300, 100), (100, 300)])), key=len)[-2:]
    for stroke in strokes:
        assert np.abs(stroke[-1] - stroke[0]) == pytest.approx([200, 200], abs=12)


def test_a_branch_is_a_stroke_of_its_own():
    strokes = [s for s in trace(drawn([(100, 200), (400, 200)], [(250, 200), (250, 350)])) if len(s) > 20]
    assert sorted(len(s) for s in strokes) == pytest.approx([150, 300], abs=12)


def test_a_ring_is_one_stroke():
    image = Image.new("1", (512, 512))
    ImageDraw.Draw(image).ellipse((200, 200, 300, 300), outline=1, width=2)
    (stroke,) = trace(np.asarray(image))
    assert np.linalg.norm(stroke - 250, axis=1) == pytest.approx(np.full(len(stroke), 50), abs=3)
    assert np.linalg.norm(stroke[0] - stroke[-1]) < 4


def test_nothing_drawn_gives_no_strokes():
    assert trace(np.zeros((512, 512), bool)) == []
    assert not render([]).any()


def test_traced_lines_drawn_again_cover_the_lines(faces):
    lines = faces.lines(0)
    again = render(trace(lines), 3)[0].numpy() > 0.5
    for one, other in ((lines, again), (again, lines)):
        assert (one & binary_dilation(other, iterations=3)).sum() > 0.97 * one.sum()


@pytest.mark.parametrize("width", [1, 2, 3, 4, 7])
def test_pen_width(width):
    ink = render([np.array([[100, 250.5], [400, 250.5]], np.float32)], width)
    assert ink.shape == (1, 512, 512) and ink.dtype == torch.float32
    assert ink.min() == 0 and ink.max() <= 1
    profile = ink[0, :, 250]
    assert profile.sum() == pytest.approx(width, abs=0.5)
    assert (profile * (torch.arange(512) + 0.5)).sum() / profile.sum() == pytest.approx(250.5, abs=0.5)


def test_smoothing_calms_a_stroke_and_keeps_its_ends():
    x = np.arange(100, dtype=np.float32)
    shaky = np.stack([x, 50 + np.random.default_rng(0).normal(0, 1, 100).astype(np.float32)], 1)
    calm = smooth(shaky, 3)
    assert np.array_equal(calm[[0, -1]], shaky[[0, -1]])
    assert calm[5:-5, 1].std() < 0.5 * shaky[:, 1].std()
    assert smooth(shaky, 0) is shaky
