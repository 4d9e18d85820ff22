"""Batches of drawings and photos."""

import numpy as np
import pytest
import torch

from dfd.components import Layout
from dfd.data import pairs
from dfd.data.pairs import (
    load_photos,
    plain_sketches,
    random_pairs,
    random_sketches,
    random_with_lines,
    with_seldom_ones,
)
from dfd.data.schematic import Person
from dfd.data.styles import clean, draw_lines

LAYOUT = Layout()


@pytest.fixture
def plain(monkeypatch):
    """All drawings in one plain style, so that they can be recognised."""
    monkeypatch.setattr(pairs, "draw", lambda lines, *_: (draw_lines(lines), frozenset({str(lines.sum())})))


def test_photos(faces):
    photos = load_photos(faces, np.array([2, 0]))
    assert photos.shape == (2, 3, 512, 512) and photos.dtype == torch.float32
    assert -1 <= photos.min() < -0.5 and 0.5 < photos.max() <= 1
    for photo, i in zip(photos, (2, 0), strict=True):
        assert np.array_equal(((photo + 1) * 127.5).round().byte().permute(1, 2, 0).numpy(), faces.photos[i])


def test_plain_sketches(faces):
    sketches = plain_sketches(faces, np.array([3, 1]))
    assert sketches.shape == (2, 1, 512, 512) and sketches.dtype == torch.float32
    assert torch.equal(sketches[0], draw_lines(faces.lines(3)))
    assert torch.equal(sketches[1], draw_lines(faces.lines(1)))


def recognise(sketch: torch.Tensor, known: torch.Tensor) -> tuple[int, bool]:
    """Which of the known ones it is, and whether mirrored."""
    found = [(i, m) for i, x in enumerate(known) for m in (False, True) if torch.equal(sketch, x.flip(-1) if m else x)]
    assert len(found) == 1
    return found[0]


def test_drawing_and_photo_belong_together_and_are_mirrored_together(faces, plain):
    indices = np.arange(4)
    known_sketches, known_photos = plain_sketches(faces, indices), load_photos(faces, indices)
    drawn = random_pairs(faces, indices, LAYOUT, np.random.default_rng(0), 12)
    assert drawn.drawings.shape == (12, 1, 512, 512) and drawn.photos.shape == (12, 3, 512, 512)
    assert torch.equal(drawn.drawings, drawn.lines) and torch.equal(drawn.sketches, drawn.lines)
    found = [recognise(sketch, known_sketches) for sketch in drawn.drawings]
    assert found == [recognise(photo, known_photos) for photo in drawn.photos]
    assert drawn.ids.tolist() == [faces.sample_ids[i] for i, _ in found]
    assert drawn.marks == [{str(faces.lines(i).sum())} for i, _ in found]
    assert {mirrored for _, mirrored in found} == {False, True}
    assert len({i for i, _ in found}) > 2


def test_what_says_more_than_the_photo_is_not_learnt_with_it(faces, monkeypatch):
    louder = torch.zeros(1, 512, 512)
    for marks, plain_lines in ((frozenset(), False), (frozenset({"beard"}), True)):
        monkeypatch.setattr(pairs, "draw", lambda *_, marks=marks: (louder, marks))
        drawn = random_pairs(faces, np.array([1]), LAYOUT, np.random.default_rng(0), 3)
        assert all(bool(sketch.any()) == plain_lines for sketch in drawn.sketches)
        assert not drawn.drawings.any(), "what was drawn is still there"


def test_random_sketches_are_of_the_given_faces_and_half_of_them_mirrored(faces, plain):
    known, wanted = plain_sketches(faces, np.arange(4)), torch.stack([clean(faces.strokes(i)) for i in range(4)])
    sketches, targets = random_sketches(faces, np.array([1, 3]), LAYOUT, np.random.default_rng(0), 24)
    assert sketches.shape == targets.shape == (24, 1, 512, 512) and sketches.dtype == targets.dtype == torch.float32
    found = [recognise(sketch, known) for sketch in sketches]
    assert found == [recognise(target, wanted) for target in targets], "each with its own clean drawing"
    assert {i for i, _ in found} == {1, 3}
    assert 5 <= sum(mirrored for _, mirrored in found) <= 19


def test_batches_depend_on_the_random_numbers_alone(faces):
    def batch(make, seed):
        result = make(faces, np.arange(4), LAYOUT, np.random.default_rng(seed), 3)
        parts = vars(result).values() if make is random_pairs else result
        return torch.cat([x.flatten() for x in parts if isinstance(x, torch.Tensor)])

    for make in (random_pairs, random_sketches):
        torch.manual_seed(1)
        one = batch(make, 5)
        torch.manual_seed(2)
        assert torch.equal(one, batch(make, 5))
        assert not torch.equal(one, batch(make, 6))


def test_a_random_drawing_comes_with_the_plain_lines_of_the_same_face(faces, plain):
    sketches, lines, marks = random_with_lines(faces, np.arange(4), LAYOUT, np.random.default_rng(0), 12)
    assert torch.equal(sketches, lines) and len({float(x.sum()) for x in lines}) > 2
    known = plain_sketches(faces, np.arange(4))
    assert marks == [{str(faces.lines(recognise(line, known)[0]).sum())} for line in lines]


def test_the_bearded_the_old_and_those_with_glasses_are_seen_more_often():
    class Faces:
        people = (Person(None), Person(None, True, 30), None, Person(None, False, 70), Person(None, glasses=True))

        def person(self, index):
            return self.people[index]

    found = with_seldom_ones(Faces(), np.arange(5), 5).tolist()
    assert [found.count(i) for i in range(5)] == [1, 5, 1, 5, 5]
