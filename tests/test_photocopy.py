"""Photo -> drawing by the photocopy filter."""

import numpy as np
import pytest

from dfd.photocopy import bilateral, photocopy

SIDE = 160
RADIUS = np.hypot(*np.mgrid[-SIDE / 2 : SIDE / 2, -SIDE / 2 : SIDE / 2] + 0.5)


@pytest.mark.parametrize("colour", [(255, 255, 255), (128, 128, 128), (220, 170, 140), (80, 60, 50)])
def test_a_flat_photo_is_blank_paper(colour):
    ink = photocopy(np.full((40, 60, 3), colour, np.uint8))
    assert ink.shape == (40, 60)
    assert ink.max() == 0


def test_a_dark_disc_is_drawn_along_its_border_on_the_dark_side():
    photo = np.where(RADIUS < 50, 70, 220)[..., None].repeat(3, -1).astype(np.uint8)
    ink = photocopy(photo)
    assert ink.dtype == np.float32
    assert 0 <= ink.min() <= ink.max() <= 1
    border = (RADIUS > 47) & (RADIUS < 49)
    assert ink[border].min() > 0.5, "the line is closed"
    assert ink[RADIUS < 40].max() == 0, "the disc is not filled"
    assert ink[RADIUS > 51].max() == 0, "no ink on the light side"


def test_faint_texture_is_paper_and_a_light_disc_is_drawn_outside():
    rng = np.random.default_rng(0)
    photo = np.where(RADIUS < 50, 220, 70)[..., None] + rng.normal(0, 3, (SIDE, SIDE, 1))
    ink = photocopy(photo.repeat(3, -1).astype(np.uint8))
    assert ink[(RADIUS > 51) & (RADIUS < 53)].mean() > 0.5
    assert ink[RADIUS < 47].mean() < 0.005


def test_output_stays_in_range_on_noise():
    ink = photocopy(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    assert 0 <= ink.min() < 0.01
    assert 0.99 < ink.max() <= 1
    assert ink.dtype == np.float32


def test_bilateral_smooths_texture_and_keeps_edges():
    rng = np.random.default_rng(0)
    step = np.where(np.arange(60) < 30, 0.2, 0.8)[None].repeat(60, 0)
    smooth = bilateral((step + rng.normal(0, 0.02, step.shape)).astype(np.float32))
    assert smooth[5:-5, 5:25].std() < 0.01  # 0.02 before
    assert (smooth[:, 30] - smooth[:, 29]).min() > 0.5  # 0.6 before
