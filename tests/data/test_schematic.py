"""Faces drawn from landmarks, as people draw who cannot."""

import numpy as np
import pytest
from face_folder import drawn_landmarks

from dfd.data import schematic as module
from dfd.data.schematic import (
    BEARD,
    JAW,
    MARKS,
    MOUTH,
    NOSE,
    ONE_LINE,
    REACH,
    Person,
    _arc,
    _lids,
    _lower_lip,
    _oval,
    _upper_lip,
    curve,
    schematic,
)

LANDMARKS = drawn_landmarks()


def drawings(landmarks=LANDMARKS, strokes=(), count=40, **traits):
    return [schematic(strokes, Person(landmarks, **traits), np.random.default_rng(seed))[0] for seed in range(count)]


def about_the_mouth(strokes):
    """The strokes of a mouth that go across; neither teeth nor the fold below."""
    middle = LANDMARKS[MOUTH].mean(0)
    about = [s for s in strokes if (np.abs(s.mean(0) - middle - (0, 12)) < (25, 38)).all()]
    return [s for s in about if np.ptp(s[:, 0]) > max(40, np.ptp(s[:, 1]))]  # slanting teeth are taller than wide


@pytest.fixture(autouse=True)
def rest_as_it_is(monkeypatch):
    """The rest of a drawing is not drawn anew, nor glasses or beards added: what is found was drawn by a feature.

    And a careful hand drew it.
    """
    careful(monkeypatch)
    monkeypatch.setattr(module, "OUTLINE", 0)
    monkeypatch.setattr(module, "GLASSES", 0)
    monkeypatch.setattr(module, "BEARD", (0, BEARD[1]))


def careful(monkeypatch):
    """Everything is drawn about where it is."""
    for name in ("CARELESS", "UNMEASURED", "ELLIPSE"):
        monkeypatch.setattr(module, name, 0)
    monkeypatch.setattr(module, "SMILE_WIDTH", (1, 1))


def test_in_some_the_rest_is_drawn_anew(monkeypatch):
    monkeypatch.undo()
    careful(monkeypatch)
    away = LANDMARKS[8] + np.float32([[-200, 20], [-190, 25], [-180, 20]])
    jaw, chin = LANDMARKS[:17], LANDMARKS[8, 1]
    kept, necks, shoulders = 0, 0, 0
    for strokes in drawings(strokes=[away], count=200):
        if any(np.array_equal(stroke, away) for stroke in strokes):
            kept += 1
            continue
        points = np.concatenate(strokes)
        assert (np.linalg.norm(points[:, None] - jaw[4:13], axis=2).min(0) < 12).all()
        assert (points >= 0).all() and (points < 512).all()
        low = [s for s in strokes if s[0, 1] > chin - 60 and s[-1, 1] > chin and s[0, 1] < s[-1, 1]]
        necks += len(low) >= 2
        shoulders += any(np.ptp(s[:, 0]) > 60 for s in low)
    assert 0.4 < kept / 200 < 0.8
    assert necks > 0.5 * (200 - kept) and 5 < shoulders < necks


def test_strokes_are_fine_finite_and_within_the_face():
    for strokes in drawings(bearded=True, age=60):
        for stroke in strokes:
            assert stroke.ndim == 2 and stroke.shape[1] == 2 and len(stroke) >= 2 and stroke.dtype == np.float32
            assert np.isfinite(stroke).all()
            # Landmarks end at the brows; wrinkles lie above them.
            assert (stroke > LANDMARKS.min(0) - (40, 110)).all() and (stroke < LANDMARKS.max(0) + 40).all()


def test_some_foreheads_have_lines_above_the_brows():
    assert 0.05 < lined() < 0.5


def lined(**traits):
    """The share of the drawings that have lines on the forehead."""
    brows = LANDMARKS[17:27, 1].min()
    drawn = drawings(**traits)
    return np.mean([any((s[:, 1] < brows - 20).all() and np.ptp(s[:, 0]) > 20 for s in strokes) for strokes in drawn])


def test_wrinkles_are_drawn_for_the_old():
    assert lined(age=25, count=120) < 0.2 < 0.4 < lined(age=60, count=120)
    many = [np.mean([len(strokes) for strokes in drawings(age=age)]) for age in (25, 42, 60)]
    assert many[0] + 1 < many[1] < many[2] - 1


def test_beards_are_drawn_around_the_mouth_for_the_bearded():
    left, right = LANDMARKS[48, 0], LANDMARKS[54, 0]
    lips, chin = LANDMARKS[57, 1], LANDMARKS[8, 1]

    def hairs(strokes):
        places = np.reshape([s.mean(0) for s in strokes if np.ptp(s, axis=0).max() < 20], (-1, 2))
        below = (places[:, 1] > lips + 8) & (places[:, 1] < chin + 10)
        return (below & (places[:, 0] > left) & (places[:, 0] < right)).sum()

    shaved, bearded = ([hairs(strokes) for strokes in drawings(bearded=b)] for b in (False, True))
    assert max(shaved) <= 1
    assert 0.5 < np.mean([count >= 3 for count in bearded]) < 0.9


def test_a_few_others_have_beards_drawn_too(monkeypatch):
    monkeypatch.setattr(module, "BEARD", BEARD)
    told = ["beard" in schematic([], Person(LANDMARKS), np.random.default_rng(seed))[1] for seed in range(100)]
    assert 0 < np.mean(told) < 0.2


def test_a_beards_border_runs_outside_of_lips_drawn_large():
    corner, lip = LANDMARKS[48, 0], LANDMARKS[57, 1]
    drawn = [stroke for seed in range(60) for stroke in module._beard(LANDMARKS, np.random.default_rng(seed))]
    borders = [s for s in drawn if np.ptp(s[:, 0]) > 60 and s[:, 1].max() > lip]
    assert 10 < len(borders) < 40
    assert np.mean([s[:, 1].max() > lip + 12 for s in borders]) > 0.9
    assert np.mean([s[:, 0].min() < corner - 8 for s in borders]) > 0.9


def test_what_is_drawn_on_the_skin_is_told():
    for seed in range(30):
        found = [schematic([], Person(LANDMARKS, True, age), np.random.default_rng(seed)) for age in (20, 60)]
        (young, few), (old, many) = found
        assert few <= many <= {*MARKS, "smile"}
        assert few < many or len(old) == len(young)
    closed = LANDMARKS.copy()
    closed[60:68, 1] = LANDMARKS[MOUTH][:, 1].mean()
    assert "closed" in schematic([], Person(closed), np.random.default_rng(0))[1]


def around(point, stroke):
    """Whether a stroke comes back to where it began and goes around a point."""
    turns = np.unwrap(np.arctan2(*(stroke - point).T))
    return np.linalg.norm(stroke[0] - stroke[-1]) < 4 and abs(turns[-1] - turns[0]) > 6 and np.ptp(stroke[:, 0]) > 50


def test_glasses_are_drawn_around_the_eyes_and_told(monkeypatch):
    for seed in range(30):
        strokes, marks = schematic([], Person(LANDMARKS, glasses=True), np.random.default_rng(seed))
        assert "glasses" in marks
        lenses = [[s for s in strokes if around(pupil, s)] for pupil in LANDMARKS[68:70]]
        assert all(lenses)
        left, right = (np.concatenate(found) for found in lenses)
        bridges = [s for s in strokes if left[:, 0].max() - 10 < s[0, 0] < s[-1, 0] < right[:, 0].min() + 10]
        assert any(np.ptp(s[:, 0]) > 5 for s in bridges) or left[:, 0].max() > right[:, 0].min()
    assert not any("glasses" in schematic([], Person(LANDMARKS), np.random.default_rng(s))[1] for s in range(30))
    monkeypatch.setattr(module, "GLASSES", 0.3)
    told = ["glasses" in schematic([], Person(LANDMARKS), np.random.default_rng(s))[1] for s in range(100)]
    assert 15 < sum(told) < 45, "some get glasses that they do not wear"


def test_some_closed_mouths_hang_and_are_told():
    closed = LANDMARKS.copy()
    closed[60:68, 1] = LANDMARKS[MOUTH][:, 1].mean()
    drawn = [schematic([], Person(closed), np.random.default_rng(seed)) for seed in range(200)]
    hang = {True: [], False: []}
    for strokes, marks in drawn:
        for stroke in about_the_mouth(strokes):
            hang["sad" in marks].append(stroke[[0, -1], 1].mean() - stroke[len(stroke) // 2, 1])
    assert 0.1 < np.mean(["sad" in marks for _, marks in drawn]) < 0.35
    assert np.mean(hang[True]) > np.mean(hang[False]) + 5
    assert not any("sad" in schematic([], Person(LANDMARKS), np.random.default_rng(s))[1] for s in range(30)), "open"


def test_a_smile_without_lips_is_told_and_one_with_lips_is_not():
    """The lips of these landmarks are far apart."""
    told = ["smile" in schematic([], Person(LANDMARKS), np.random.default_rng(seed))[1] for seed in range(200)]
    assert 0.3 < np.mean(told) < 0.6
    counts = [len(about_the_mouth(strokes)) for strokes in drawings(count=200)]
    assert max(count for count, smiles in zip(counts, told, strict=True) if smiles) <= 2
    assert np.mean([count for count, smiles in zip(counts, told, strict=True) if not smiles]) > 2.5


def test_lips_go_from_corner_to_corner_and_some_have_a_bow():
    corners, middle = LANDMARKS[[48, 54]], LANDMARKS[MOUTH].mean(0)
    bows = 0
    for seed in range(60):
        upper, lower = (
            lip(LANDMARKS[[48, 60, 61, 62, 63, 64, 54]], LANDMARKS[MOUTH], np.random.default_rng(seed))
            for lip in (_upper_lip, _lower_lip)
        )
        for lip in (upper, lower):
            np.testing.assert_allclose(lip[[0, -1]], corners, atol=1)
        assert upper[:, 1].min() < middle[1] < lower[:, 1].max()
        centre = len(upper) // 2
        bows += upper[centre, 1] > upper[:centre, 1].min() + 1
    assert 20 < bows < 55


def test_every_feature_is_drawn_where_it_is(monkeypatch):
    monkeypatch.setattr(module, "DOTS", 0)  # such eyes have few points
    monkeypatch.setattr(module, "ONE_LINE", 0)  # such mouths are bent beyond their box
    for strokes in drawings():
        points = np.concatenate(strokes)
        for feature in (range(17, 22), range(22, 27), range(36, 42), range(42, 48), NOSE, MOUTH):
            box = LANDMARKS[feature]
            inside = ((points > box.min(0) - 10) & (points < box.max(0) + 10)).all(1)
            assert inside.sum() >= 7


def test_the_features_replace_the_strokes_that_show_them_and_no_others():
    middle = LANDMARKS[MOUTH].mean(0)
    lips = np.stack([middle + np.float32([x, 0]) for x in np.linspace(-40, 40, 20)]).astype(np.float32)
    hair = lips + np.float32([0, 40 - middle[1]])
    for strokes in drawings(strokes=[lips, hair], count=5):
        assert any(np.array_equal(stroke, hair) for stroke in strokes)
        assert not any(np.array_equal(stroke, lips) for stroke in strokes)
    beside = LANDMARKS[MOUTH].max(0) + 2 * REACH + np.zeros((3, 2), np.float32)
    assert any(np.array_equal(stroke, beside) for stroke in drawings(strokes=[beside], count=1)[0])


def test_an_open_mouth_and_a_closed_one_differ(monkeypatch):
    """Between closed lips there is one line: no stroke lies much above it and below the upper lip's bow."""
    monkeypatch.setattr(module, "ONE_LINE", 0)  # as both may be drawn in a hurry
    closed = LANDMARKS.copy()
    closed[60:68, 1] = LANDMARKS[MOUTH][:, 1].mean()
    counts = []
    for landmarks in (closed, LANDMARKS):
        mouths = [
            [s for s in d if np.abs(s.mean(0) - landmarks[MOUTH].mean(0)).max() < 25] for d in drawings(landmarks)
        ]
        counts.append(np.mean([len(mouth) for mouth in mouths]))
    assert counts[0] < counts[1] - 0.5


def test_no_hairline_is_taken_for_a_feature():
    """Its middle lies between the eyes of who has long hair."""
    rows, columns = np.mgrid[:128, :128]
    mask = (np.abs(columns - 64) < 50) & (rows > 10) & ~((np.abs(columns - 64) < 34) & (rows > 30))
    drawn = drawings(hair=mask)
    with_hair = [d for d in drawn if any(np.ptp(s[:, 0]) > 350 for s in d)]
    assert len(with_hair) > 25
    for strokes in with_hair:  # the hairline: from one side of the face to the other, above the brows
        assert any(240 < np.ptp(s[:, 0]) < 300 and s[:, 1].min() < 135 for s in strokes)


def test_some_are_drawn_in_a_hurry():
    """A single line for a mouth, which goes from corner to corner; eyes without lids, but never without anything."""
    eye = LANDMARKS[36:42]
    lines, lidless = 0, 0
    for strokes in drawings(count=200):
        about = about_the_mouth(strokes)
        lines += len(about) == 1 and np.ptp(about[0][:, 0]) > 0.6 * np.ptp(LANDMARKS[MOUTH, 0])
        inner = [s for s in strokes if (np.abs(s.mean(0) - eye.mean(0)) < (30, 24)).all()]
        assert inner
        lidless += max(np.ptp(s[:, 0]) for s in inner) < 0.6 * np.ptp(eye[:, 0])
    assert abs(lines / 200 - ONE_LINE) < 0.1 and 0.01 < lidless / 200 < 0.15


def test_manners_differ_and_a_seed_repeats_them():
    one, other = (drawings(count=1)[0] for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    assert len({len(d) for d in drawings()}) > 5


@pytest.mark.parametrize("points", [[[0, 0], [10, 0]], [[0, 0], [0, 0], [10, 0]], [[0, 0], [5, 5], [10, 0]]])
def test_a_curve_goes_through_its_ends(points):
    line = curve(np.float32(points))
    assert np.allclose(line[0], points[0], atol=0.1) and np.allclose(line[-1], points[-1], atol=0.1)
    assert np.linalg.norm(np.diff(line, axis=0), axis=1).max() < 5.1


def test_careless_hands_draw_features_beside_their_place(monkeypatch):
    def middles():
        found = [about_the_mouth(strokes) for strokes in drawings(count=200)]  # none of a very small mouth
        return [np.mean([s[:, 0].mean() for s in mouth]) for mouth in found if mouth]

    near = np.std(middles())
    monkeypatch.setattr(module, "CARELESS", 1)
    assert near < 3 and 5 < np.std(middles()) < 9


def test_some_drawings_are_larger_smaller_or_beside_their_place_as_a_whole(monkeypatch):
    monkeypatch.setattr(module, "OUTLINE", 1)
    measured = drawings(count=200)
    monkeypatch.setattr(module, "UNMEASURED", 1)
    sizes, shifts = [], []
    for before, after in zip(measured, drawings(count=200), strict=True):  # the same hands, but for the last change
        before, after = np.concatenate(before), np.concatenate(after)
        sizes.append(np.ptp(after, 0) / np.ptp(before, 0))
        shifts.append((after.min(0) + after.max(0) - before.min(0) - before.max(0)) / 2)
    assert (np.std(sizes, 0) > 0.04).all() and (np.abs(np.mean(sizes, 0) - 1) < 0.03).all()
    assert (np.std(shifts, 0) > 4).all() and (np.abs(np.mean(shifts, 0)) < 5).all()


def test_some_outlines_are_ellipses():
    for seed in range(20):
        oval = _oval(LANDMARKS[JAW], np.random.default_rng(seed))
        middle = oval[[0, 16]].mean(0)
        half = oval[16, 0] - middle[0], oval[8, 1] - middle[1]
        np.testing.assert_allclose((((oval - middle) / half) ** 2).sum(1), 1, atol=1e-3)
        np.testing.assert_allclose(half, (135, 185), rtol=0.25)


def test_lids_may_touch_at_no_corner():
    """Two arcs around a small circle are an eye, no glasses."""
    lids = LANDMARKS[36:42]
    gaps = []
    for seed in range(60):
        drawn = _lids(lids, np.random.default_rng(seed))
        if len(drawn) == 2:
            upper, lower = drawn
            gaps.append(min(np.linalg.norm(upper[0] - lower[-1]), np.linalg.norm(upper[-1] - lower[0])))
    assert min(gaps) < 2 and max(gaps) > 0.15 * np.ptp(lids[:, 0])


def test_a_smile_of_one_line_is_mostly_bent_too_much(monkeypatch):
    """Deeper than the lower lip's edge, and mostly narrower; a line for a mouth that does not smile is not."""
    monkeypatch.undo()
    mouth = LANDMARKS[MOUTH]
    width, lowest = np.ptp(mouth[:, 0]), mouth[[19, 18, 17], 1].max()
    for wide in (False, True):
        lines = [_arc(mouth, wide, np.random.default_rng(seed))[0] for seed in range(60)]
        widths = np.array([line[-1, 0] - line[0, 0] for line in lines]) / width
        if wide:
            assert 0.49 < widths.min() < 0.6 and 1 < widths.max() < 1.11
        else:
            assert all(np.allclose(line[[0, -1]], mouth[[0, 6]], atol=1) for line in lines)
        assert (0.5 < np.mean([line[:, 1].max() > lowest + 2 for line in lines]) < 0.95) == wide
