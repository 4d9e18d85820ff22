"""Tests of the line extractor."""

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from dfd.lines import MIN_LENGTH, extract_lines


def disc(radius: int, inside=(230, 200, 180), outside=(60, 60, 60)) -> np.ndarray:
    """uint8 512 x 512 x 3: a disc about the middle."""
    y, x = np.mgrid[:512, :512]
    return np.where(((x - 256) ** 2 + (y - 256) ** 2 < radius**2)[..., None], np.uint8(inside), np.uint8(outside))


@pytest.mark.parametrize(("inside", "outside"), [((230, 200, 180), (60, 60, 60)), ((200, 90, 90), (100, 140, 95))])
def test_an_edge_of_brightness_or_colour_becomes_a_closed_thin_line_on_it(inside, outside):
    lines = extract_lines(disc(150, inside, outside))
    y, x = np.nonzero(lines)
    assert np.abs(np.hypot(x - 256, y - 256) - 150).max() < 2.5
    assert 0.85 < lines.sum() / (2 * np.pi * 150) < 1.3  # pixels per length: 0.9 with 8, 1.27 with 4 neighbours
    angles = np.sort(np.degrees(np.arctan2(y - 256, x - 256)))
    assert np.diff(angles).max() < 3


def test_no_lines_in_flat_areas_faint_noise_and_specks():
    rng = np.random.default_rng(0)
    noise = (128 + rng.normal(0, 3, (512, 512, 3))).clip(0, 255).astype(np.uint8)
    assert not extract_lines(np.full((512, 512, 3), 128, np.uint8)).any()
    assert not extract_lines(noise).any()
    speck = disc(1)
    assert not extract_lines(speck).any()


def test_every_piece_is_long_enough_and_two_edges_stay_two_lines():
    photo = np.full((512, 512, 3), 220, np.uint8)
    photo[:, 250:262] = 30
    lines = extract_lines(photo)
    assert (lines.sum(1)[20:-20] == 2).all()
    assert lines.sum() >= 2 * MIN_LENGTH


def test_extracted_lines_agree_with_the_drawing_of_a_drawn_face(faces):
    found, drawn = extract_lines(np.array(faces.photos[0])), faces.lines(0)
    assert (distance_transform_edt(~drawn)[found] <= 4).mean() > 0.8


def test_it_is_deterministic_and_leaves_the_photo_alone():
    photo = disc(100)
    before = photo.copy()
    assert (extract_lines(photo) == extract_lines(photo)).all()
    assert (photo == before).all()


@pytest.mark.parametrize("photo", [np.zeros((512, 512), np.uint8), np.zeros((512, 512, 3), np.float32)])
def test_other_arrays_are_refused(photo):
    with pytest.raises(ValueError, match="uint8 H x W x 3"):
        extract_lines(photo)
