"""Hair in photos, and as people draw it."""

import numpy as np
import pytest
from face_folder import drawn_landmarks
from PIL import Image, ImageDraw

from dfd.data import hair
from dfd.data.schematic import Person, schematic
from dfd.strokes import render

LANDMARKS = drawn_landmarks()


def portrait(length=330, background=(200, 200, 205), brown=(60, 40, 30)):
    """A face with hair down to row `length`, and where the hair is."""
    photo, mask = Image.new("RGB", (512, 512), background), Image.new("1", (512, 512), 0)
    for picture, colours in ((photo, (brown, (205, 160, 140))), (mask, (1, 0))):
        pen = ImageDraw.Draw(picture)
        pen.ellipse((90, 30, 422, 340), fill=colours[0])
        pen.rectangle((90, 185, 422, length), fill=colours[0])
        pen.ellipse((125, 115, 387, 455), fill=colours[1])
        pen.rectangle((205, 420, 307, 511), fill=colours[1])
    noise = np.random.default_rng(0).normal(0, 3, (512, 512, 3))
    return (np.asarray(photo) + noise).clip(0, 255).astype(np.uint8), np.asarray(mask)


def small(mask):
    return mask.reshape(128, 4, 128, 4).mean((1, 3)) > 0.5


@pytest.mark.parametrize("length", [230, 360, 511])
def test_hair_is_found_as_far_as_it_falls(length):
    photo, mask = portrait(length)
    found, true = hair.find(photo, LANDMARKS), small(mask)
    assert found.shape == (128, 128) and found.dtype == bool
    assert (found & true).sum() / (found | true).sum() > 0.93


def test_hair_of_the_background_s_colour_is_not_guessed():
    photo, _ = portrait(background=(60, 40, 30))
    assert not hair.find(photo, LANDMARKS).any()


def test_a_bare_head_has_none():
    photo, _ = portrait(brown=(205, 160, 140))
    assert not hair.find(photo, LANDMARKS).any()


def test_an_outline_and_a_hairline_take_the_place_of_texture():
    _, mask = portrait(360)
    texture = [np.float32([[x, 60], [x + 2, 70], [x, 80]]) for x in range(200, 300, 10)]
    chin = np.float32([[220, 450], [256, 455], [290, 450]])
    true = small(mask)
    border = true & ~(np.roll(true, 1, 0) & np.roll(true, -1, 0) & np.roll(true, 1, 1) & np.roll(true, -1, 1))
    kept = 0
    for seed in range(20):
        drawn = hair.draw([*texture, chin], true, LANDMARKS, np.random.default_rng(seed))
        assert any(stroke is chin for stroke in drawn)
        kept += sum(any(stroke is lock for lock in texture) for stroke in drawn)
        assert all(stroke.ndim == 2 and len(stroke) >= 2 and np.isfinite(stroke).all() for stroke in drawn)
        ink = small_ink(drawn)
        reached = np.array([ink[max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3].any() for y, x in np.argwhere(border)])
        assert reached.mean() > 0.9
    assert kept < 0.2 * 20 * len(texture)


def small_ink(strokes):
    return (render(strokes, 3)[0].numpy() > 0.5).reshape(128, 4, 128, 4).any((1, 3))


def test_unknown_hair_stays_as_it_is():
    strokes = [np.float32([[10, 10], [20, 20]])]
    drawn = hair.draw(strokes, np.zeros((128, 128), bool), LANDMARKS, np.random.default_rng(0))
    assert drawn == strokes


def test_schematic_drawings_have_it_and_differ():
    _, mask = portrait(360)
    person = Person(LANDMARKS, hair=small(mask))
    plain = [schematic([], Person(LANDMARKS), np.random.default_rng(seed))[0] for seed in range(20)]
    drawn = [schematic([], person, np.random.default_rng(seed))[0] for seed in range(20)]
    high = [any((s[:, 1] < 60).any() for s in strokes) for strokes in drawn]
    assert 14 <= sum(high) < 20 and not any((s[:, 1] < 60).any() for strokes in plain for s in strokes)
    assert len({len(strokes) for strokes in drawn}) > 4


def test_curls_run_in_all_directions_and_strands_in_one():
    photo, mask = portrait(511)
    across = np.sin(np.arange(512) / 3)[None, :].repeat(512, 0)
    around = np.random.default_rng(0).normal(0, 1, (128, 128)).repeat(4, 0).repeat(4, 1)
    told = {}
    for name, texture in (("smooth", 0 * across), ("straight", across), ("curly", around)):
        textured = photo + 30 * (mask * texture)[..., None]
        told[name] = hair.is_curly(textured.clip(0, 255).astype(np.uint8), small(mask))
    assert told == {"smooth": False, "straight": False, "curly": True}
    assert not hair.is_curly(photo, np.zeros((128, 128), bool))


def turning(strokes):
    """How often all the strokes together turn around."""
    angles = [np.unwrap(np.arctan2(*np.diff(stroke, axis=0).T)) for stroke in strokes]
    return sum(np.abs(np.diff(a)).sum() for a in angles) / (2 * np.pi)


def test_curls_are_loops_waves_or_circles_in_the_hair_and_told():
    mask = small(portrait(511)[1])
    for seed in range(12):
        straight, curly = (hair.draw([], mask, LANDMARKS, np.random.default_rng(seed), c) for c in (False, True))
        assert turning(curly) > turning(straight) + 8
        points = np.concatenate(curly)
        assert np.isfinite(points).all() and all(len(s) >= 2 and s.dtype == np.float32 for s in curly)
        column, row = (points / 4).astype(int).clip(0, 127).T
        assert hair.ndimage.binary_dilation(mask, iterations=6)[row, column].mean() > 0.95
    told = {}
    for curly in (False, True):
        people = (schematic([], Person(LANDMARKS, hair=mask, curly=curly), np.random.default_rng(s)) for s in range(60))
        told[curly] = np.mean(["curls" in marks for _, marks in people])
    assert 0 < told[False] < 0.3 < told[True] < 0.9
