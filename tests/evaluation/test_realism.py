"""Fréchet and kernel distance against values known in closed form."""

import numpy as np
import pytest

from dfd.evaluation.realism import bootstrap_interval, frechet_distance, halves_distance, kernel_distance


def normal(n: int, dim: int = 4, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, dim))


def test_equal_sets_have_no_frechet_distance():
    for n in (10, 400):
        a = normal(n, 30)  # fewer and more rows than features
        assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
        assert frechet_distance(a, a[::-1]) == pytest.approx(0, abs=1e-9)


def test_frechet_distance_of_a_shift_is_its_square_and_of_a_scale_known():
    a = normal(300)
    assert frechet_distance(a, a + np.array([3, 0, 4, 0])) == pytest.approx(25)
    centred = a - a.mean(0)
    # C and 9 C: tr (C + 9 C - 2 * 3 C) = 4 tr C
    assert frechet_distance(centred, 3 * centred) == pytest.approx(4 * np.trace(np.cov(centred.T)))


def test_frechet_distance_agrees_with_the_matrix_square_root():
    from scipy.linalg import sqrtm

    a, b = normal(200), normal(150, seed=1) @ np.diag([1, 2, 0.5, 3]) + 1
    c, d = np.cov(a.T), np.cov(b.T)
    expected = np.sum((a.mean(0) - b.mean(0)) ** 2) + np.trace(c + d - 2 * sqrtm(c @ d).real)
    assert frechet_distance(a, b) == pytest.approx(expected)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a))


def test_kernel_distance_by_hand():
    a, b = np.array([[1.0, 0], [0, 1]]), np.array([[1.0, 0], [1, 0]])
    # Scale 1. Within a: (0 + 1)^3 = 1; within b: (1 + 1)^3 = 8; across, of different rows: 8 and 1.
    assert kernel_distance(a, b) == pytest.approx(1 + 8 - 2 * 4.5)


def test_kernel_distance_is_unbiased_and_rises_with_a_shift():
    values = [kernel_distance(normal(12, seed=2 * s), normal(12, seed=2 * s + 1)) for s in range(400)]
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(len(values))
    assert min(values) < 0 < max(values)
    a, b = normal(200), normal(200, seed=1)
    assert kernel_distance(a + 0.5, b) > kernel_distance(a + 0.2, b) > kernel_distance(a, b)
    assert kernel_distance(7 * a, 7 * b) == pytest.approx(kernel_distance(a, b))


def test_kernel_distance_is_unbiased_for_pictures_of_the_same_faces():
    values = []
    for seed in range(300):
        faces = normal(10, 30, seed=3 * seed)
        a, b = (faces + 0.5 * normal(10, 30, seed=3 * seed + i) for i in (1, 2))
        values.append(kernel_distance(a, b))
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(len(values))


@pytest.mark.parametrize("distance", [frechet_distance, kernel_distance])
def test_the_bootstrap_interval_holds_the_value_and_narrows_with_n(distance):
    widths = []
    for n in (40, 360):
        a, b = normal(n) + 0.5, normal(n, seed=1)
        low, high = bootstrap_interval(distance, a, b, np.random.default_rng(0))
        assert low < distance(a, b) < high
        assert (low, high) == bootstrap_interval(distance, a, b, np.random.default_rng(0))
        widths.append(high - low)
    assert widths[1] < widths[0] / 1.5


def test_halves_of_one_population_are_the_floor():
    rng = np.random.default_rng
    true, good, bad = normal(400), normal(400, seed=1), normal(400, seed=2) + 1
    floor = halves_distance(frechet_distance, true, true, rng(0))
    assert 0 < floor < 0.2
    assert halves_distance(frechet_distance, good, true, rng(0)) < 2 * floor
    assert halves_distance(frechet_distance, bad, true, rng(0)) > 10 * floor
