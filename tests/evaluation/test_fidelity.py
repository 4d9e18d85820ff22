"""Fidelity: known values, and what equal and changed pictures must give."""

import numpy as np
import pytest

from dfd.evaluation.fidelity import PictureFeatures, psnr, ssim


@pytest.fixture(scope="module")
def network():
    return PictureFeatures()


@pytest.fixture
def photos(faces) -> np.ndarray:
    return np.array(faces.photos[:2])


def test_psnr_of_a_known_error():
    black = np.zeros((8, 8, 3), np.uint8)
    assert psnr(black, black) == float("inf")
    assert psnr(black + 255, black) == pytest.approx(0)
    assert psnr(black + 51, black) == pytest.approx(20 * np.log10(5))  # an error of a fifth of the range


def test_ssim_of_equal_flat_and_changed_pictures(photos):
    assert ssim(photos[0], photos[0]) == pytest.approx(1)
    flat = np.full((64, 64, 3), 100, np.uint8)
    # Of two flat pictures only the luminance term is left: (2 x y + c) / (x^2 + y^2 + c).
    c = (0.01 * 255) ** 2
    assert ssim(flat, flat + 50) == pytest.approx((2 * 100 * 150 + c) / (100**2 + 150**2 + c))
    noise = np.random.default_rng(0).integers(0, 40, photos[0].shape)
    worse = (photos[0].astype(int) + noise).clip(0, 255).astype(np.uint8)
    assert ssim(worse, photos[0]) < 0.9


def test_perceptual_distance_is_zero_for_equal_pictures_and_judges_each_pair_alone(network, photos):
    changed = photos.copy()
    changed[1] = changed[1][::-1]
    distances = network.distances(network(photos), network(changed))
    assert distances[0] == 0
    assert distances[1] > 0.5
    alone = network.distances(network(photos[1:]), network(changed[1:]))
    assert alone[0] == pytest.approx(distances[1], rel=1e-4)


def test_a_blurred_picture_lies_nearer_than_another_face(network, photos):
    from scipy.ndimage import gaussian_filter

    blurred = np.stack([gaussian_filter(p, (2, 2, 0)) for p in photos])
    real = network(photos)
    assert (network.distances(real, network(blurred)) < network.distances(real, network(photos[::-1].copy()))).all()


def test_pooled_features_are_one_vector_a_picture(network, photos):
    pooled = network.pooled(network(photos))
    assert pooled.shape == (2, 320)
    assert np.isfinite(pooled).all()
