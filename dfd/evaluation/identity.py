"""Identity: dlib's face detector and face descriptor, networks that training never sees (extra `evaluation`)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from dfd.data.landmarks import dlib_models
from dfd.extras import missing_extra

#: Length of a face descriptor. Two photos of one person lie nearer than 0.6 (dlib's documentation).
DESCRIPTOR = 128


@lru_cache(maxsize=1)
def _networks():
    """Detector, landmarks, descriptor. Raises ImportError with what to install."""
    folder = dlib_models()
    if folder is None:
        raise missing_extra("evaluation", "measuring identity (left out by --no-identity)")
    import dlib

    return (
        dlib.get_frontal_face_detector(),
        dlib.shape_predictor(str(folder / "shape_predictor_5_face_landmarks.dat")),
        dlib.face_recognition_model_v1(str(folder / "dlib_face_recognition_resnet_model_v1.dat")),
    )


def check_available() -> None:
    """Raises ImportError, with what to install, if `describe` cannot work here."""
    _networks()


def describe(picture: np.ndarray) -> tuple[int, np.ndarray]:
    """Faces found in a picture, and the descriptor of the face if it is exactly one.

    Args:
        picture: uint8 H x W x 3 RGB; faces of 80 px and more are found.

    Returns:
        the number of faces, and float64 128: Euclidean distance is dissimilarity; NaN unless one face is found.

    Raises:
        ImportError: the extra packages are missing.
    """
    detector, landmarks, network = _networks()
    picture = np.ascontiguousarray(picture)
    boxes = detector(picture, 0)
    if len(boxes) != 1:
        return len(boxes), np.full(DESCRIPTOR, np.nan)
    return 1, np.array(network.compute_face_descriptor(picture, landmarks(picture, boxes[0])))
