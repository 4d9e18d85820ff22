"""Identity: what the detector says of pictures without a face, and the sentence when the extra is missing."""

from importlib.util import find_spec

import numpy as np
import pytest

from dfd.data import landmarks
from dfd.evaluation import identity


@pytest.mark.skipif(not (find_spec("dlib") and find_spec("face_recognition_models")), reason="extra `evaluation`")
def test_no_face_gives_no_descriptor():
    count, descriptor = identity.describe(np.full((256, 256, 3), 128, np.uint8))
    assert count == 0
    assert descriptor.shape == (128,)
    assert np.isnan(descriptor).all()


def test_a_missing_extra_is_named(monkeypatch):
    identity._networks.cache_clear()
    monkeypatch.setattr(landmarks, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"\.\[evaluation\]"):
        identity.check_available()
