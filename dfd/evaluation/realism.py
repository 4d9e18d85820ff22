"""Realism: how far the features of generated pictures, as a population, lie from those of true photos."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Distance = Callable[[np.ndarray, np.ndarray], float]


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Fréchet distance of the Gaussians fitted to two sets of features: |m - n|^2 + tr(C + D - 2 (C D)^(1/2)).

    Its bias grows as the sets get smaller (no less than the number of features would be good): compare only
    sets of equal size.

    Args:
        a, b: N x D and M x D, at least two rows each.

    Returns:
        0 or more; 0 for equal sets.
    """
    difference = a.mean(0) - b.mean(0)
    roots = []
    for features in (a, b):
        centred = (features - features.mean(0)) / np.sqrt(len(features) - 1)
        # Any root R with R^T R = C serves; the triangular one has no more rows than there are features.
        roots.append(centred if len(centred) <= centred.shape[1] else np.linalg.qr(centred, mode="r"))
    # tr (C D)^(1/2) is the sum of the singular values of R S^T: no matrix square root, no complex leftovers.
    shared = np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum()
    total = sum(float(np.square(root).sum()) for root in roots)
    return max(float(difference @ difference) + total - 2 * float(shared), 0.0)


def kernel_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Kernel distance (KID): unbiased squared maximum mean discrepancy with a polynomial kernel of degree 3.

    Rows i of both sets may belong to one face: such pairs, which are alike as no strangers are, are left out
    (the U-statistic of Gretton et al. 2012), or the distance would fall far below 0 for small sets.

    The kernel is (x . y / s + 1)^3, where s is the mean of |y|^2 over `b` rather than the number of features: it
    then bends as much for features of any scale (dlib's are small, for which it would be all but linear).

    Args:
        a: N x D, generated; at least two rows.
        b: N x D, true.

    Returns:
        about 0 for two samples of one population, sometimes below; its expectation does not depend on N.
    """
    scale = np.square(b).sum(1).mean()
    aa, bb, ab = ((x @ y.T / scale + 1) ** 3 for x, y in ((a, a), (b, b), (a, b)))
    others = ~np.eye(len(a), dtype=bool)
    return float(aa[others].mean() + bb[others].mean() - 2 * ab[others].mean())


def bootstrap_interval(
    distance: Distance, made: np.ndarray, true: np.ndarray, rng: np.random.Generator, resamples: int = 100
) -> tuple[float, float]:
    """95 % interval of a distance of N generated pictures to the N photos of the same faces.

    Faces are drawn with replacement. A resample has repeats, and so a larger distance than the sample it was
    drawn from; the interval is therefore moved to where the distance of the sample itself is its middle.

    Returns:
        lower and upper limit.
    """
    values = []
    for _ in range(resamples):
        chosen = rng.integers(0, len(made), len(made))
        values.append(distance(made[chosen], true[chosen]))
    low, high = np.percentile(values, [2.5, 97.5]) + distance(made, true) - np.mean(values)
    return float(low), float(high)


def halves_distance(
    distance: Distance, made: np.ndarray, true: np.ndarray, rng: np.random.Generator, splits: int = 20
) -> float:
    """Mean distance of one half of the generated pictures to the photos of the other half's faces.

    With `made` = `true` it is the floor: what true photos have among themselves. With generated pictures it may
    be compared with that floor, since both have N / 2 pictures a side and no face on both sides.
    """
    values = []
    for _ in range(splits):
        order = rng.permutation(len(true))
        middle = len(order) // 2
        values.append(distance(made[order[:middle]], true[order[middle : 2 * middle]]))
    return float(np.mean(values))
