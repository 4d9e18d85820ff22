"""Tests of the line extractor."""

import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_edt

from dfd.lines import MIN_LENGTH, extract_lines, network_lines, trace_photo


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
    with pytest.raises(ValueError, match="uint8 H x W x 3"):
        trace_photo(photo)


class Extractor:
    """Stands for a network that holds a line likely where the photo is red."""

    device, dtype = torch.device("cpu"), torch.float32

    def __call__(self, photo):
        return 8 * photo[:, :1] - 4


def red(*points: tuple[int, int], level: int = 255) -> np.ndarray:
    """A black photo with red pixels at (y, x)."""
    photo = np.zeros((64, 96, 3), np.uint8)
    for y, x in points:
        photo[y, x, 0] = level
    return photo


@pytest.mark.parametrize(("dy", "dx"), [(0, 1), (1, 0), (1, 1), (1, -1)])
def test_the_networks_ridges_become_thin_lines(dy, dx):
    """Of a band three pixels wide its middle is left, whatever its direction."""
    middle = [(32 + dy * t, 48 + dx * t) for t in range(-24, 25)]
    empty = np.ones((64, 96), bool)
    empty[tuple(zip(*middle, strict=True))] = False
    band = np.argwhere(distance_transform_edt(empty) < 1.5)
    lines = network_lines(red(*band), Extractor())
    distance = distance_transform_edt(~lines)
    assert lines.sum() < 1.7 * np.hypot(dy, dx) * len(middle)  # diagonals go by sides, not by corners
    assert all(distance[point] <= 1 for point in middle[4:-4])


def test_what_is_hardly_likely_or_short_is_no_line():
    line = [(y, x) for x in range(20, 76) for y in (31, 32, 33)]
    assert network_lines(red(*line), Extractor()).any()
    assert not network_lines(red(*line, level=60), Extractor()).any()
    assert not network_lines(red(*line[:MIN_LENGTH]), Extractor()).any()


def test_a_traced_photo_has_ink_three_pixels_wide():
    photo = disc(150)
    for extractor, lines in ((None, extract_lines(photo)), (Extractor(), network_lines(photo, Extractor()))):
        ink = trace_photo(photo, extractor)
        assert ink.shape == (1, 512, 512) and ink.dtype == torch.float32
        assert np.array_equal(ink[0] > 0, distance_transform_edt(~lines, sampling=1) < 1.5)
