"""Sketch styles and the damage that hands do."""

from collections import Counter

import numpy as np
import pytest
import torch
from face_folder import drawn_landmarks

from dfd.components import Layout
from dfd.data import styles
from dfd.data.schematic import Person
from dfd.data.styles import STYLES, clean, displace, draw, draw_lines, erase_patches, freehand, thicken

LAYOUT = Layout()
PERSON = Person(drawn_landmarks())


@pytest.fixture(scope="module")
def drawing(faces):
    return faces.lines(0), faces.strokes(0), np.array(faces.photocopies[0]), PERSON


def test_ink_stays_in_range(drawing):
    lines, strokes, copy, _ = drawing
    before = [array.copy() for array in (lines, *strokes, copy)]
    rng = np.random.default_rng(0)
    for _ in range(24):
        sketch, _ = draw(*drawing, LAYOUT, rng)
        assert sketch.shape == (1, 512, 512) and sketch.dtype == torch.float32
        assert sketch.min() >= 0 and sketch.max() <= 1
        assert 0.001 < sketch.mean() < 0.5, "neither blank nor black"
    assert all(np.array_equal(a, b) for a, b in zip((lines, *strokes, copy), before, strict=True)), (
        "the face was changed"
    )


def test_the_same_seed_gives_the_same_drawing(drawing):
    for seed in range(8):
        one, two = (draw(*drawing, LAYOUT, np.random.default_rng(seed))[0] for _ in range(2))
        assert torch.equal(one, two)
    assert len({draw(*drawing, LAYOUT, np.random.default_rng(seed))[0].sum().item() for seed in range(8)}) > 5


def test_every_style_occurs_in_its_share(monkeypatch):
    """Undamaged, styles are told apart by what shows, outside the windows and inside, of the lines and the copy."""
    monkeypatch.setattr(styles, "erase_patches", lambda ink, *_: ink)
    monkeypatch.setattr(styles, "thicken", lambda ink, *_: ink)
    monkeypatch.setattr(styles, "displace", lambda ink, *_, **__: ink)
    lines, copy = np.zeros((512, 512), bool), np.zeros((512, 512), np.uint8)
    probes = {"outside": (20, 20), "inside": (200, 150)}
    for y, x in probes.values():
        lines[y : y + 9, x : x + 9] = True
        copy[y : y + 9, x + 40 : x + 49] = 230
    rng = np.random.default_rng(0)
    found, count = Counter(), 400
    for _ in range(count):
        sketch = draw(lines, [], copy, None, LAYOUT, rng)[0][0]
        seen = tuple(round(sketch[y + 4, x + 4 + dx].item(), 1) for y, x in probes.values() for dx in (0, 40))
        found[seen] += 1
    names = {  # lines and copy outside the windows, lines and copy inside
        (0, 0, 0, 0): "by hand",  # draws its strokes, and here there are none
        (1, 0, 1, 0): "lines",
        (0, 0.9, 0, 0.9): "photocopy",
        (0, 1, 0, 1): "binary",
        (1, 0, 0, 0.9): "photocopy_in_windows",
        (1, 0.9, 1, 0.9): "overlay",
    }
    shares = {**STYLES, "by hand": STYLES["freehand"] + STYLES["schematic"]}
    assert sum(STYLES.values()) == pytest.approx(1)
    assert {names[seen] for seen in found} == set(shares) - {"freehand", "schematic"}
    for seen, n in found.items():
        share = shares[names[seen]]
        assert n / count == pytest.approx(share, abs=4 * (share * (1 - share) / count) ** 0.5)


def test_schematic_drawings_are_drawn_from_landmarks(monkeypatch):
    """Nothing is in the drawing but what the landmarks put there; and without landmarks, nothing is."""
    monkeypatch.setattr(styles, "STYLES", {"schematic": 1})
    paper, copy = np.zeros((512, 512), bool), np.zeros((512, 512), np.uint8)
    assert draw(paper, [], copy, PERSON, LAYOUT, np.random.default_rng(0))[0].any()
    assert not draw(paper, [], copy, None, LAYOUT, np.random.default_rng(0))[0].any()


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 7])
@pytest.mark.parametrize("across", [1, 2])
def test_pen_width(width, across):
    line = torch.zeros(1, 64, 64)
    line.select(across, 30)[:] = 1
    ink = thicken(line, width)
    assert ink.shape == line.shape and ink.max() <= 1
    profile = ink[0].sum(across - 1)[20:-20].median()  # of one row across the line
    assert profile == pytest.approx(width, abs=0.5)
    touched = (ink[0].amax(2 - across) > 0).sum()
    assert touched in (width, width + 1) if across == 1 else True
    centre = (ink[0].sum(2 - across) * torch.arange(64)).sum() / ink.sum()
    assert centre == pytest.approx(30, abs=0.51)


@pytest.mark.parametrize("share", [0.1, 0.25, 0.4])
def test_erased_share(share):
    ink = torch.ones(1, 512, 512)
    left = torch.stack([erase_patches(ink, np.random.default_rng(seed), share) for seed in range(4)])
    assert 1 - left.mean((1, 2, 3)).numpy() == pytest.approx(share, abs=0.02)
    assert not torch.equal(left[0], left[1])
    assert ink.min() == 1, "the caller's ink was changed"
    # In patches, not in grains: hardly a pixel differs from its neighbour.
    assert (left.diff(dim=-1).abs() > 0.5).float().mean() < 0.05


def test_erasing_adds_no_ink():
    assert not erase_patches(torch.zeros(1, 512, 512), np.random.default_rng(0), 0.3).any()


def dots() -> torch.Tensor:
    ink = torch.zeros(1, 512, 512)
    for y in range(32, 512, 64):
        for x in range(32, 512, 64):
            ink[0, y - 3 : y + 3, x - 3 : x + 3] = 1
    return ink


def movement(ink: torch.Tensor) -> torch.Tensor:
    """By how many pixels (x, y) each of the 8 x 8 dots has moved: 64 x 2."""
    cells = ink[0].reshape(8, 64, 8, 64).permute(0, 2, 1, 3).reshape(64, 64, 64)
    position = torch.arange(64) + 0.5
    mass = cells.sum((1, 2))
    return torch.stack([(cells.sum(1) @ position) / mass, (cells.sum(2) @ position) / mass], 1) - 32


def test_no_displacement_is_none():
    assert torch.allclose(displace(dots(), np.random.default_rng(0), wobble=0), dots(), atol=1e-3)


@pytest.mark.parametrize("wobble", [0.5, 2, 4])
def test_wobble_moves_each_stroke_by_a_few_pixels(wobble):
    moves = torch.stack([movement(displace(dots(), np.random.default_rng(s), wobble)) for s in range(6)])
    assert 0.5 * wobble < moves.square().mean().sqrt() < 1.2 * wobble
    assert moves.abs().max() < 4.5 * wobble
    assert moves.std(1).mean() > 0.4 * wobble, "strokes move differently"


def test_shift_moves_all_strokes_alike():
    for seed in range(6):
        moves = movement(displace(dots(), np.random.default_rng(seed), wobble=0, shift=3))
        assert moves.std(0).max() < 0.05
        assert 0.1 < moves.abs().max() < 12


def test_scale_moves_strokes_from_the_middle():
    changes = []
    for seed in range(6):
        moves = movement(displace(dots(), np.random.default_rng(seed), wobble=0, scale=0.015)).reshape(8, 8, 2)
        assert moves[3:5, 3:5].abs().max() < 2.5
        assert torch.allclose(moves[:, 0, 0], -moves[:, 7, 0], atol=0.3)
        changes.append((moves[:, 7, 0] - moves[:, 0, 0]).mean().item() / 448)
    assert 0.004 < np.std(changes) < 0.03


def test_displaced_ink_stays_in_range_and_does_not_change_its_input():
    ink = dots()
    moved = displace(ink, np.random.default_rng(0), wobble=4, shift=3, scale=0.015)
    assert torch.equal(ink, dots())
    assert moved.shape == (1, 512, 512)
    assert moved.min() >= 0 and moved.max() <= 1 + 1e-5
    assert moved.sum() == pytest.approx(ink.sum().item(), rel=0.15)


def test_plain_lines_are_undamaged(drawing):
    lines, *_ = drawing
    ink = draw_lines(lines)
    assert ink.shape == (1, 512, 512) and ink.dtype == torch.float32
    assert torch.equal(draw_lines(lines, width=1), torch.from_numpy(lines).float()[None])
    assert torch.equal(ink, thicken(torch.from_numpy(lines).float()[None], 3))
    assert torch.equal(ink, draw_lines(lines)), "nothing random"


def test_clean_drawings_have_no_whiskers_and_are_calm(drawing):
    _, strokes, *_ = drawing
    ink = clean(strokes)
    assert ink.shape == (1, 512, 512) and ink.dtype == torch.float32
    whisker = np.array([[20, 20], [22, 20], [24, 20]], np.float32)
    assert torch.equal(clean([*strokes, whisker]), ink)
    assert torch.equal(clean(strokes), ink), "nothing random"


def test_freehand_drawings_of_one_face_differ_and_resemble_it(drawing):
    _, strokes, *_ = drawing
    meant = torch.nn.functional.max_pool2d(clean(strokes), 31, stride=1, padding=15) > 0.5
    found = [freehand(strokes, LAYOUT, np.random.default_rng(seed)) for seed in range(12)]
    assert len({round(ink.sum().item()) for ink in found}) > 8
    for ink in found:
        assert ink.shape == (1, 512, 512) and ink.min() >= 0 and ink.max() <= 1
        assert ink.sum() > 500
        assert ink[meant].sum() > 0.9 * ink.sum(), "strokes stay near where they were"
