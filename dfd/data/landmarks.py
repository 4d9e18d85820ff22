"""Where eyes, brows, nose, lips and chin lie in a photo, for drawings as people who cannot draw make them.

dlib's 68 landmarks (extra `evaluation`), and the two pupils. Photos of a face folder are aligned: no detector is
needed, the landmarks are sought from the box in which dlib's detector finds such faces on average.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from dfd.components import CANVAS
from dfd.extras import missing_extra

#: left, top, right, bottom in px of 512: mean of dlib's detections on 18 aligned faces (spread 3 to 17 px); landmarks
#: found from it differ by 0.5 px on average from those found from each face's own box (measured).
BOX = (97, 157, 404, 463)

#: A chin darker than this beside the cheeks is bearded: every ninth of the men, and hardly a woman (measured).
BEARDED = 0.8

#: Glasses have an edge across the nose and one below each eye at least so strong, in shares of the skin's brightness
#: from one row to the next, and lenses at least so bright beside the cheeks: the others are sunglasses. 210 of 6,897
#: faces, of those with the weakest edges three in four wear glasses (seen).
BRIDGE_EDGE, RIM_EDGE, CLEAR_LENS = 0.03, 0.055, 0.62


def dlib_models() -> Path | None:
    """The folder of dlib's trained models, or None if they or dlib are missing."""
    models = find_spec("face_recognition_models")  # found, not imported: importing it needs an old setuptools
    if models is None or find_spec("dlib") is None:
        return None
    return Path(next(iter(models.submodule_search_locations))) / "models"


@lru_cache(maxsize=1)
def _predictor():
    """dlib's shape predictor, or None without the packages."""
    folder = dlib_models()
    if folder is None:
        return None
    import dlib

    return dlib.shape_predictor(str(folder / "shape_predictor_68_face_landmarks.dat"))


def available() -> bool:
    """Whether `find` can work here."""
    return _predictor() is not None


def find(photo: np.ndarray) -> np.ndarray:
    """Landmarks of an aligned photo; about 3 ms on one core.

    Args:
        photo: uint8 512 x 512 x 3 RGB, eyes at (0.38, 0.47) and (0.62, 0.47) of the side.

    Returns:
        float32 70 x 2 (x, y) in px: 68 landmarks in dlib's order, then the pupils of the picture's left and right eye.

    Raises:
        ImportError: the packages of the extra `evaluation` are missing.
    """
    predictor = _predictor()
    if predictor is None:
        raise missing_extra("evaluation", "finding landmarks")
    import dlib

    found = predictor(np.ascontiguousarray(photo), dlib.rectangle(*BOX))
    points = np.float32([(p.x, p.y) for p in found.parts()])
    grey = photo.mean(2)
    return np.concatenate([points, np.stack([_pupil(grey, points[36:42]), _pupil(grey, points[42:48])])])


def chin_shade(photo: np.ndarray, landmarks: np.ndarray) -> float:
    """How bright chin and jaw are, as a share of the cheeks: about 0.97 for women, below `BEARDED` with a beard.

    Args:
        photo: uint8 512 x 512 x 3 RGB.
        landmarks: 70 x 2 as `find` gives them.
    """
    marks, grey = landmarks.astype(np.float32), photo.mean(2)
    chin = [(57, 8, 0.55), (57, 6, 0.6), (57, 10, 0.6), (48, 5, 0.45), (54, 11, 0.45)]
    patches = [_patch(grey, _between(marks, *place), 6) for place in chin]
    return float(np.mean([np.median(patch) for patch in patches]) / _cheeks(grey, marks))


def wears_glasses(photo: np.ndarray, landmarks: np.ndarray) -> bool:
    """Whether there is an edge across the nose between the eyes and one below each eye, and eyes can be seen.

    Args:
        photo: uint8 512 x 512 x 3 RGB.
        landmarks: 70 x 2 as `find` gives them.
    """
    marks, grey = landmarks.astype(np.float32), photo.mean(2)
    nose = np.median(_patch(grey, marks[29], 4)) + 1
    (left, right), brows = marks[[39, 42]], marks[[19, 24], 1].mean()
    middle, width, eyes = (left[0] + right[0]) / 2, right[0] - left[0], (left[1] + right[1]) / 2
    columns = slice(int(middle - 0.22 * width), int(middle + 0.22 * width))
    band = grey[int(0.3 * brows + 0.7 * eyes) - 6 : int(eyes) + 26, columns]
    if _steps(band, nose).mean(1).max(initial=0) < BRIDGE_EDGE:
        return False
    rims, lenses = [], []
    for lids in (marks[36:42], marks[42:48]):
        (first, _), (last, bottom) = lids.min(0).astype(int), lids.max(0).astype(int)
        below = grey[bottom + 9 : bottom + 60, first - 4 : last + 4]
        rims.append(np.median(_steps(below, nose).max(0, initial=0)))
        lenses.append(np.median(_patch(grey, np.float32([(first + last) / 2, bottom + 10]), 4)))
    return bool(min(rims) > RIM_EDGE and np.mean(lenses) > CLEAR_LENS * _cheeks(grey, marks))


def _steps(grey: np.ndarray, unit: float) -> np.ndarray:
    """How much each row, smoothed, differs from the next, in shares of `unit`."""
    return np.abs(np.diff(gaussian_filter(grey, 1.2), axis=0)) / unit


def _between(marks: np.ndarray, a: int, b: int, share: float) -> np.ndarray:
    """The point at a share of the way from one landmark to another."""
    return marks[a] + share * (marks[b] - marks[a])


def _patch(grey: np.ndarray, middle: np.ndarray, side: int) -> np.ndarray:
    """The square that reaches so far around a point, moved into the picture."""
    x, y = middle.astype(int).clip(side, CANVAS - 1 - side)
    return grey[y - side : y + side + 1, x - side : x + side + 1]


def _cheeks(grey: np.ndarray, marks: np.ndarray) -> float:
    """Brightness of the cheeks, 1 at least."""
    return max(
        float(np.median([_patch(grey, _between(marks, *place), 8) for place in ((31, 2, 0.5), (35, 14, 0.5))])), 1
    )


def _pupil(grey: np.ndarray, lids: np.ndarray) -> np.ndarray:
    """Centre (x, y) of the dark in an eye's opening; the iris is the darkest thing between the lids."""
    middle, width = lids.mean(0), float(np.ptp(lids[:, 0]))
    rows, columns = np.mgrid[: grey.shape[0], : grey.shape[1]][:, *_box(lids, grey.shape)]
    values = grey[_box(lids, grey.shape)]
    dark = np.clip(np.quantile(values, 0.3) - values, 0, None)
    if dark.sum() <= 0:
        return middle
    found = np.float32([(columns * dark).sum(), (rows * dark).sum()]) / dark.sum()
    return np.clip(found, middle - 0.2 * width, middle + 0.2 * width).astype(np.float32)


def _box(points: np.ndarray, shape: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of the picture that the points span."""
    (left, top), (right, bottom) = np.floor(points.min(0)).astype(int), np.ceil(points.max(0)).astype(int) + 1
    left, right = np.clip([left, right], 0, shape[1])
    top, bottom = np.clip([top, bottom], 0, shape[0])
    return slice(top, max(bottom, top + 1)), slice(left, max(right, left + 1))
