"""Landmarks of aligned photos."""

import numpy as np
import pytest
from face_folder import drawn_landmarks, make_face_folder
from PIL import Image, ImageDraw

from dfd.data import hair, landmarks
from dfd.data.faces import FaceFolder

needs_dlib = pytest.mark.skipif(not landmarks.available(), reason="needs the extra `evaluation`")


def test_without_the_packages_the_extra_is_named(monkeypatch, face_data, tmp_path):
    monkeypatch.setattr(landmarks, "_predictor", lambda: None)
    with pytest.raises(ImportError, match="evaluation"):
        landmarks.find(np.zeros((512, 512, 3), np.uint8))
    assert FaceFolder(face_data[0], tmp_path).landmarks is None


@needs_dlib
def test_landmarks_lie_where_the_features_of_a_drawn_face_are(faces):
    found = landmarks.find(faces.photos[0])
    assert found.shape == (70, 2) and found.dtype == np.float32
    for points, (x, y) in ((range(36, 42), (195, 241)), (range(42, 48), (317, 241))):
        assert np.abs(found[points].mean(0) - (x, y)).max() < 25


@needs_dlib
def test_a_folder_finds_them_once(face_data, tmp_path, monkeypatch):
    first = FaceFolder(face_data[0], tmp_path).landmarks
    assert first.shape == (4, 70, 2)
    monkeypatch.setattr(FaceFolder, "_mark", lambda self, folder: pytest.fail("sought again"))
    assert np.array_equal(FaceFolder(face_data[0], tmp_path).landmarks, first)


def test_a_dark_chin_is_bearded():
    photo, marks = np.full((512, 512, 3), 180, np.uint8), drawn_landmarks()
    assert landmarks.chin_shade(photo, marks) == pytest.approx(1)
    photo[round(marks[57, 1]) :] = 90
    assert landmarks.chin_shade(photo, marks) < landmarks.BEARDED


def test_glasses_are_told_from_bare_eyes_and_from_sunglasses():
    photo, marks = Image.new("RGB", (512, 512), (180, 150, 130)), drawn_landmarks()
    assert not landmarks.wears_glasses(np.asarray(photo), marks)
    pen = ImageDraw.Draw(photo)
    for x, y in marks[68:70]:
        pen.ellipse((x - 46, y - 36, x + 46, y + 36), outline=(40, 30, 30), width=5)
    assert not landmarks.wears_glasses(np.asarray(photo), marks), "no bridge"
    pen.line((241, 238, 271, 238), fill=(40, 30, 30), width=5)
    assert landmarks.wears_glasses(np.asarray(photo), marks)
    for x, y in marks[68:70]:
        pen.ellipse((x - 44, y - 34, x + 44, y + 34), fill=(50, 40, 40))
    assert not landmarks.wears_glasses(np.asarray(photo), marks), "eyes cannot be seen"


@needs_dlib
def test_a_person_has_landmarks_a_beard_or_none_and_an_age(tmp_path):
    ages, genders = ["61.5", "", "nan", "30"], ["male", "male", "female", "female"]
    folder = make_face_folder(tmp_path / "faces", age_estimate=ages, gender=genders)
    faces = FaceFolder(folder, tmp_path / "cache")
    assert [faces.person(i).age for i in range(4)] == [61.5, None, None, 30]
    assert np.array_equal(faces.person(1).landmarks, faces.landmarks[1])
    assert np.array_equal(faces.person(1).hair, hair.find(faces.photos[1], faces.landmarks[1]))
    faces._chin_shades = np.float16([0.7, 0.9, 0.7, 0.9])
    assert [faces.person(i).bearded for i in range(4)] == [True, False, False, False]
    faces._glasses = np.array([False, True, False, False])
    assert [faces.person(i).glasses for i in range(4)] == [False, True, False, False]
    faces._curls = np.array([False, False, True, False])
    assert [faces.person(i).curly for i in range(4)] == [False, False, True, False]


def test_without_landmarks_nobody_is_known(monkeypatch, face_data, tmp_path):
    monkeypatch.setattr(landmarks, "available", lambda: False)
    assert FaceFolder(face_data[0], tmp_path).person(0) is None


def test_a_pupil_is_the_dark_in_the_opening():
    grey = np.full((512, 512), 200.0)
    grey[235:248, 205:215] = 20
    lids = np.float32([[170, 241], [185, 230], [215, 230], [230, 241], [215, 250], [185, 250]])
    assert np.allclose(landmarks._pupil(grey, lids), (209.5, 241), atol=1)
    assert np.allclose(landmarks._pupil(np.full((512, 512), 9.0), lids), lids.mean(0)), "nothing is darker: the middle"
