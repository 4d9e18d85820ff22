"""Each damage does what it is called, and nothing else."""

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from dfd.components import Layout
from dfd.evaluation.damages import THICK_PEN, cut, damage, displaced, erased
from dfd.evaluation.tables import DAMAGES
from dfd.strokes import trace

LAYOUT = Layout()


def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def strokes(faces):
    return trace(faces.lines(0))


def ruler(y: float = 400.5) -> np.ndarray:
    """A level stroke across the canvas."""
    return np.stack([np.arange(20, 490) + 0.5, np.full(470, y)], 1).astype(np.float32)


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damage_is_a_drawing_that_its_seed_repeats(strokes, kind):
    drawing = damage(strokes, kind, LAYOUT, rng())
    assert drawing.sketch.shape == (1, 512, 512)
    assert 0 <= drawing.sketch.min() < drawing.sketch.max() <= 1
    assert drawing.lines.shape == (512, 512)
    assert drawing.lines.dtype == bool
    assert (drawing.sketch[0].numpy()[drawing.lines] > 0).mean() > 0.95
    assert (damage(strokes, kind, LAYOUT, rng()).sketch == drawing.sketch).all()


def test_redrawn_changes_nothing_but_the_pen(strokes, faces):
    lines = damage(strokes, "redrawn", LAYOUT, rng()).lines
    assert (distance_transform_edt(~faces.lines(0))[lines] <= 2).all()


@pytest.mark.parametrize("distance", [4, 8, 12])
def test_strokes_move_by_exactly_the_distance_each_in_its_own_direction(strokes, distance):
    moved = displaced(strokes, distance, rng())
    offsets = np.array([after[0] - before[0] for before, after in zip(strokes, moved, strict=True)])
    assert np.allclose(np.linalg.norm(offsets, axis=1), distance, atol=1e-3)
    assert len(np.unique(offsets.round(3), axis=0)) == len(strokes)
    assert all(np.allclose(a - b, (a - b)[0], atol=1e-3) for a, b in zip(moved, strokes, strict=True))


@pytest.mark.parametrize("share", [0.3, 0.6])
def test_the_share_of_strokes_is_erased(share):
    strokes = [ruler(y) for y in range(10, 510, 10)]
    left = erased(strokes, share, rng())
    assert len(left) == round((1 - share) * len(strokes))
    assert {s[0, 1] for s in left} < {s[0, 1] for s in strokes}
    assert [s[0, 1] for s in left] == sorted(s[0, 1] for s in left)


@pytest.mark.parametrize(("kind", "parts"), [("eyes missing", ["left_eye", "right_eye"]), ("mouth missing", ["mouth"])])
def test_the_windows_of_missing_parts_are_blank_and_the_rest_stays(strokes, kind, parts):
    whole, lacking = (damage(strokes, k, LAYOUT, rng()) for k in ("redrawn", kind))
    kept = whole.lines.copy()
    for part in parts:
        assert LAYOUT.crop(lacking.sketch[None])[part].max() == 0
        assert LAYOUT.crop(whole.sketch[None])[part].max() > 0
        window = LAYOUT.windows[part]
        kept[window.y - 6 : window.y + window.size + 6, window.x - 6 : window.x + window.size + 6] = False
    # A stroke that is cut in two is drawn in two, which may move its pixels by one.
    assert (distance_transform_edt(~lacking.lines)[kept] < 2).all()
    assert (distance_transform_edt(~whole.lines)[lacking.lines] < 2).all()


def test_a_stroke_through_a_window_becomes_two():
    window = LAYOUT.windows["mouth"]
    left, right = cut([ruler()], window)
    assert left[-1, 0] < window.x
    assert right[0, 0] > window.x + window.size
    assert len(cut([ruler(50.5)], window)) == 1


def test_doubled_lines_have_twice_the_ink_and_a_thick_pen_its_width():
    single, doubled, thick = (damage([ruler()], k, LAYOUT, rng()) for k in ("redrawn", "doubled lines", "thick pen"))
    assert doubled.lines.sum() > 1.6 * single.lines.sum()
    assert thick.sketch[0, :, 256].sum() == pytest.approx(THICK_PEN, abs=1)
    assert (thick.lines == single.lines).all()


def test_the_whole_face_is_shifted_by_sixteen_pixels(strokes):
    def centre(kind):
        return np.argwhere(damage([ruler(200.5)], kind, LAYOUT, rng()).lines).mean(0)

    assert np.linalg.norm(centre("shifted 16 px") - centre("redrawn")) == pytest.approx(16, abs=1)


def test_an_unknown_damage_is_refused(strokes):
    with pytest.raises(ValueError, match="unknown damage 'burnt'; accepted are redrawn"):
        damage(strokes, "burnt", LAYOUT, rng())
