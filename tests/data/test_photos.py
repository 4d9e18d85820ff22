"""Photos as visitors bring them, and their lines."""

import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_edt, gaussian_gradient_magnitude

from dfd.data import photos
from dfd.data.photos import blurred, compressed, damage, noisy, random_crops


@pytest.fixture
def photo(faces):
    return np.array(faces.photos[0]).transpose(2, 0, 1).astype(np.float32) / 255


def test_crops_have_the_promised_shapes_and_follow_from_the_generator(faces):
    first, second = (random_crops(faces, np.arange(4), np.random.default_rng(3), 5, 128) for _ in range(2))
    crops, lines = first
    assert crops.shape == (5, 3, 128, 128) and lines.shape == (5, 1, 128, 128)
    assert crops.dtype == lines.dtype == torch.float32
    assert crops.min() >= -1 and crops.max() <= 1
    assert set(lines.unique().tolist()) == {0, 1}
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_lines_move_with_the_photo(faces, monkeypatch):
    """Turned, scaled and mirrored, lines still lie on edges: far more so than those of another crop."""
    monkeypatch.setattr(photos, "damage", lambda photo, rng: photo)
    crops, lines = random_crops(faces, np.arange(4), np.random.default_rng(0), 12, 256)
    edges = [gaussian_gradient_magnitude(crop.mean(0).numpy(), 1.5) for crop in crops]
    drawn = [ink[0].numpy() > 0 for ink in lines]
    on = np.mean([e[d].mean() / e.mean() for e, d in zip(edges, drawn, strict=True)])
    off = np.mean([e[d].mean() / e.mean() for e, d in zip(edges, drawn[1:] + drawn[:1], strict=True)])
    assert on > 3 > 1.5 > off


def test_scaled_down_lines_are_no_thinner_and_have_no_gaps(faces, monkeypatch):
    monkeypatch.setattr(photos, "damage", lambda photo, rng: photo)
    monkeypatch.setattr(photos, "TURN", 0)
    for scale in photos.SCALES:
        monkeypatch.setattr(photos, "SCALES", (scale, scale))
        lines = random_crops(faces, np.arange(1), np.random.default_rng(0), 1, 512)[1][0, 0].numpy() > 0
        whole = distance_transform_edt(~lines) <= 1.5
        assert lines.any() and whole[lines].all()
        assert (distance_transform_edt(~whole)[whole] == 0).all()


def test_damage_changes_a_photo_and_keeps_its_range(photo):
    before = photo.copy()
    damaged = [damage(photo, np.random.default_rng(seed)) for seed in range(8)]
    assert np.array_equal(photo, before)
    for one in damaged:
        assert one.shape == photo.shape and one.dtype == np.float32
        assert one.min() >= 0 and one.max() <= 1
    assert len({one.tobytes() for one in damaged}) == 8


def test_blur_noise_and_compression_do_what_they_say(photo):
    edges = gaussian_gradient_magnitude(photo[0], 1)
    assert gaussian_gradient_magnitude(blurred(photo, 3)[0], 1).max() < 0.5 * edges.max()
    grey = np.full_like(photo, 0.5)
    assert abs(noisy(grey, 0.05, np.random.default_rng(0)).std() - 0.05) < 0.002
    assert 0 < np.abs(compressed(photo, 60) - photo).mean() < np.abs(compressed(photo, 10) - photo).mean() < 0.1
