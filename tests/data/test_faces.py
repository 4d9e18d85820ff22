"""Reading a face folder through its cache."""

import csv
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps

from dfd.data import landmarks
from dfd.data.faces import FEMALE, MALE, UNSURE, FaceFolder, _read_face
from dfd.photocopy import photocopy
from dfd.strokes import trace


@pytest.fixture
def builds(monkeypatch):
    """Counts the caches that are built, with empty arrays, so that tables can be long and name no real files."""
    folders = []

    def build(self, folder):
        folder.mkdir(parents=True)
        folders.append(folder)
        np.save(folder / "sizes.npy", np.full(len(self), 512))
        for name in ("photos", "lines", "photocopies"):
            np.save(folder / f"{name}.npy", np.zeros(1, np.uint8))

    def trace(self, folder):
        for name in ("points", "starts", "faces"):
            np.save(folder / f"stroke_{name}.npy", np.zeros(1, np.uint8))

    monkeypatch.setattr(FaceFolder, "_trace", trace)
    monkeypatch.setattr(landmarks, "available", lambda: False)
    monkeypatch.setattr(FaceFolder, "_build", build)
    monkeypatch.setattr(FaceFolder, "_files", lambda self: ([], []))
    return folders


def write_table(root, rows):
    root.mkdir(parents=True, exist_ok=True)
    with open(root / "metadata.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return root


def test_photos_lines_and_photocopies_are_those_of_the_files(faces, face_data):
    root, _ = face_data
    assert len(faces) == 4
    assert faces.photos.shape == (4, 512, 512, 3) and faces.photos.dtype == np.uint8
    assert faces.photocopies.shape == (4, 512, 512) and faces.photocopies.dtype == np.uint8
    assert faces.sample_ids.tolist() == [0, 1, 2, 3]
    for i in (0, 3):
        photo = np.asarray(Image.open(root / f"images/drawn-{i:05d}.webp").convert("RGB"))
        drawing = Image.open(root / f"lines/drawn-{i:05d}.png")
        assert drawing.mode == "1"
        assert np.array_equal(faces.photos[i], photo)
        lines = faces.lines(i)
        assert lines.shape == (512, 512) and lines.dtype == bool
        assert np.array_equal(lines, ~np.asarray(drawing))
        assert 0.005 < lines.mean() < 0.05, "True is ink, and lines are thin"
    assert np.abs(faces.photocopies[0] / 255 - photocopy(faces.photos[0])).max() < 0.51 / 255
    assert faces.photocopies[0].max() == 255


def test_strokes_are_those_of_the_lines(faces):
    for i in range(4):
        given, traced = faces.strokes(i), trace(faces.lines(i))
        assert len(given) == len(traced) > 5
        for few, all_ in zip(given, traced, strict=True):
            assert np.abs(few[[0, -1]] - all_[[0, -1]]).max() < 0.02
            assert len(few) == len(all_) // 2 + 1


def test_a_face_without_lines_has_no_strokes(face_folder, tmp_path):
    root = face_folder(tmp_path / "faces", count=2)
    Image.new("1", (512, 512), 1).save(root / "lines/drawn-00000.png")
    faces = FaceFolder(root, tmp_path / "cache")
    assert faces.strokes(0) == [] and len(faces.strokes(1)) > 5


def test_small_photos_are_enlarged_and_without_line_drawings_the_photocopy_serves(face_folder, tmp_path):
    root = face_folder(tmp_path / "faces", count=1, size=256, line_file_name=None)
    assert not (root / "lines").exists()
    faces = FaceFolder(root, tmp_path / "cache")
    assert faces.photos.shape == (1, 512, 512, 3)
    assert faces.sizes.tolist() == [256]
    lines = faces.lines(0)
    assert lines.any()
    grey = faces.photocopies[0].astype(int)
    assert not lines[grey < 127].any() and lines[grey > 128].all()


def test_an_empty_line_file_name_also_means_photocopy(face_folder, tmp_path):
    root = face_folder(tmp_path / "faces", count=2, line_file_name=["lines/one.png", ""])
    faces = FaceFolder(root, tmp_path / "cache")
    assert np.array_equal(faces.lines(0), ~np.asarray(Image.open(root / "lines/one.png")))
    assert np.array_equal(faces.lines(1), faces.photocopies[1] > 127)


def test_the_cache_is_built_once(faces, face_data, monkeypatch):
    monkeypatch.setattr(FaceFolder, "_build", lambda *_: pytest.fail("built again"))
    again = FaceFolder(*face_data)
    assert np.array_equal(again.photos, faces.photos)
    assert np.array_equal(again.lines(1), faces.lines(1))


def test_of_two_that_need_a_cache_at_once_one_builds_it(face_data, tmp_path, monkeypatch):
    build, builds = FaceFolder._build, []

    def slowly(self, folder):
        builds.append(folder)
        time.sleep(0.5)
        build(self, folder)

    monkeypatch.setattr(FaceFolder, "_build", slowly)
    with ThreadPoolExecutor(2) as threads:
        both = list(threads.map(lambda _: FaceFolder(face_data[0], tmp_path), range(2)))
    assert len(builds) == 1
    assert (both[0].photos == both[1].photos).all()


def test_a_cache_is_built_after_torch_has_worked_on_several_threads(face_data, tmp_path):
    program = """
import sys, torch
from dfd.data.faces import FaceFolder
torch.set_num_threads(2)
torch.nn.functional.interpolate(torch.rand(8, 3, 512, 512), scale_factor=2, mode="bilinear").sum()
print(len(FaceFolder(*sys.argv[1:])))
"""
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    command = [sys.executable, "-c", program, face_data[0], tmp_path]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "4"


def test_a_changed_table_or_another_folder_gets_a_cache_of_its_own(builds, tmp_path):
    rows = [{"file_name": "a.png"}]
    write_table(tmp_path / "one", rows)
    for _ in range(2):
        FaceFolder(tmp_path / "one", tmp_path / "cache")
    assert len(builds) == 1
    write_table(tmp_path / "two", rows)
    FaceFolder(tmp_path / "two", tmp_path / "cache")
    assert len(builds) == 2
    write_table(tmp_path / "one", rows * 2)
    FaceFolder(tmp_path / "one", tmp_path / "cache")
    assert len(set(builds)) == 3


def test_a_photo_that_was_replaced_is_read_anew(face_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(landmarks, "available", lambda: False)
    root = face_folder(tmp_path / "faces", count=1)
    assert FaceFolder(root, tmp_path / "cache").photos.std() > 10
    Image.new("RGB", (512, 512), "red").save(root / "images/drawn-00000.webp", lossless=True)
    assert (FaceFolder(root, tmp_path / "cache").photos == [255, 0, 0]).all()


def save_16_bits(photo, path):
    Image.fromarray(np.asarray(photo.convert("L")).astype(np.uint16) * 257).save(path)


def save_turned(photo, path):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    photo.rotate(90).save(path, exif=exif)


def save_on_nothing(photo, path):
    Image.merge("RGBA", [*photo.split(), Image.new("L", photo.size, 255)]).save(path)


def save_for_print(photo, path):
    photo.convert("CMYK").save(path)


@pytest.mark.parametrize("save", [save_16_bits, save_turned, save_on_nothing, save_for_print])
def test_photos_of_other_kinds_are_read_as_people_see_them(save, faces, tmp_path):
    photo = Image.fromarray(faces.photos[0])
    path = tmp_path / ("photo.tiff" if save is save_for_print else "photo.png")
    save(photo, path)
    seen = photo.convert("L").convert("RGB") if save is save_16_bits else photo
    assert np.abs(_read_face(path, None)[0].astype(int) - np.asarray(seen)).max() <= 2


@pytest.mark.parametrize("kind", ["white on black", "on nothing", "large"])
def test_drawings_of_other_kinds_have_the_same_lines(kind, faces, tmp_path):
    lines = faces.lines(0)
    drawing = Image.fromarray(np.where(lines, 0, 255).astype(np.uint8))
    if kind == "white on black":
        drawing = ImageOps.invert(drawing)
    elif kind == "on nothing":
        drawing = Image.merge("LA", [Image.new("L", drawing.size), ImageOps.invert(drawing)])
    else:  # at twice the size, half as thick
        drawing = Image.fromarray(np.where(np.kron(lines, [[1, 1], [0, 0]]), 0, 255).astype(np.uint8))
    drawing.save(tmp_path / "lines.png")
    Image.fromarray(faces.photos[0]).save(tmp_path / "photo.png")
    read = np.unpackbits(_read_face(tmp_path / "photo.png", tmp_path / "lines.png")[1], axis=1).astype(bool)
    assert lines[read].mean() > 0.9 and read[lines].mean() > 0.9


def test_a_photo_that_is_not_square_is_named_and_so_is_what_cannot_be_read(tmp_path):
    Image.new("RGB", (600, 512)).save(tmp_path / "wide.png")
    with pytest.raises(ValueError, match=r"wide\.png is 600 x 512: photos must be square"):
        _read_face(tmp_path / "wide.png", None)
    Image.new("RGB", (64, 64)).save(tmp_path / "photo.png")
    (tmp_path / "broken.png").write_bytes((tmp_path / "photo.png").read_bytes()[:50])
    for photo, lines in (("broken.png", None), ("photo.png", "broken.png")):
        with pytest.raises(ValueError, match=r"cannot read .*broken\.png"):
            _read_face(tmp_path / photo, lines and tmp_path / lines)


def test_without_a_column_the_size_is_the_photos(face_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(landmarks, "available", lambda: False)
    root = face_folder(tmp_path / "faces", count=2, size=128)
    table = root / "metadata.csv"
    table.write_text(table.read_text().replace(",128,", ",,", 1))
    assert FaceFolder(root, tmp_path / "cache").sizes.tolist() == [128, 128]
    assert FaceFolder(root, tmp_path / "cache").select("train", 512).tolist() == []


def test_a_half_built_cache_is_not_used(face_folder, tmp_path):
    root, cache = face_folder(tmp_path / "faces", count=1), tmp_path / "cache"
    photo = root / "images/drawn-00000.webp"
    whole = photo.read_bytes()
    photo.write_bytes(whole[: len(whole) // 2])
    with pytest.raises((OSError, ValueError)):
        FaceFolder(root, cache)
    photo.write_bytes(whole)
    faces = FaceFolder(root, cache)
    assert np.array_equal(faces.photos[0], np.asarray(Image.open(photo).convert("RGB")))
    assert faces.lines(0).any()
    assert [path.name for path in cache.iterdir() if "partial" in path.name] == [], "gigabytes are left behind"


def test_missing_files_are_named(face_folder, tmp_path):
    root = face_folder(tmp_path / "faces", count=3)
    (root / "images/drawn-00001.webp").unlink()
    (root / "lines/drawn-00002.png").unlink()
    with pytest.raises(ValueError, match=r"2 files .* are missing.*images/drawn-00001\.webp"):
        FaceFolder(root, tmp_path / "cache")
    shutil.copy(root / "images/drawn-00000.webp", root / "images/drawn-00001.webp")
    with pytest.raises(ValueError, match=r"1 files .*lines/drawn-00002\.png"):
        FaceFolder(root, tmp_path / "cache")


def test_a_folder_without_a_table_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no face folder: it has no metadata\.csv"):
        FaceFolder(tmp_path, tmp_path / "cache")
    write_table(tmp_path, [{"photo": "a.png"}])
    with pytest.raises(ValueError, match="no column file_name"):
        FaceFolder(tmp_path, tmp_path / "cache")
    write_table(tmp_path, [{"file_name": "a.png", "size": "large"}])
    with pytest.raises(ValueError, match=r"metadata\.csv: size must be a whole number of pixels, got 'large'"):
        FaceFolder(tmp_path, tmp_path / "cache")
    (tmp_path / "metadata.csv").write_text("file_name,size\n")
    with pytest.raises(ValueError, match="has no rows"):
        FaceFolder(tmp_path, tmp_path / "cache")
    (tmp_path / "metadata.csv").write_bytes("file_name\nMänner.png\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"metadata\.csv is not in UTF-8"):
        FaceFolder(tmp_path, tmp_path / "cache")


def test_a_row_that_is_cut_off_is_refused(builds, tmp_path):
    table = write_table(tmp_path, [{"file_name": f"{i}.png", "size": 512, "split": "test"} for i in range(3)])
    table = table / "metadata.csv"
    whole = table.read_text()
    table.write_text(whole.rstrip()[: -len(",512,test")])
    with pytest.raises(ValueError, match=r"metadata\.csv: row 3 has not as many fields"):
        FaceFolder(tmp_path, tmp_path / "cache")
    table.write_text(whole, encoding="utf-8-sig")  # as Excel writes it
    assert FaceFolder(tmp_path, tmp_path / "cache").splits.tolist() == ["test"] * 3


def test_splits_are_disjoint(builds, tmp_path):
    rows = [
        {"file_name": f"{i}.png", "split": "test" if i % 10 == 7 else "train", "size": 256 if i % 7 < 2 else 512}
        for i in range(400)
    ]
    faces = FaceFolder(write_table(tmp_path, rows), tmp_path / "cache")
    for size, least in ((0, 0), (512, 512)):
        parts = {name: set(faces.select(name, size).tolist()) for name in ("train", "validation", "test", "bank")}
        assert not parts["train"] & parts["validation"]
        assert not parts["bank"] & parts["test"]
        assert parts["bank"] == parts["train"] | parts["validation"]
        assert all(parts.values())
        fits = {i for i in range(400) if int(rows[i]["size"]) >= least}
        assert parts["bank"] | parts["test"] == fits
        assert parts["test"] == {i for i in fits if i % 10 == 7}
        assert len(parts["validation"]) <= len(parts["bank"]) / 25
    # The same faces are held out whatever the size asked for: none is trained on at one size and watched at another.
    assert not set(faces.select("validation").tolist()) & set(faces.select("train", 512).tolist())
    with pytest.raises(ValueError, match="unknown split 'val'; accepted are train, validation, bank, test"):
        faces.select("val")


def test_a_small_folder_trains_on_all_its_faces(faces):
    assert faces.select("train").tolist() == faces.select("bank").tolist() == [0, 1, 2, 3]
    assert faces.select("validation").tolist() == faces.select("test").tolist() == []
    assert faces.held_out().tolist() == faces.to_train_on().tolist() == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="no photos to train on of 513 px or more"):
        faces.to_train_on(513)
    assert faces.select("train", 513).tolist() == []


def test_genders(builds, tmp_path):
    rows = [
        {"file_name": "0.png", "gender": "male", "gender_source": "folder"},
        {"file_name": "1.png", "gender": "female", "gender_source": "predicted"},
        {"file_name": "2.png", "gender": "female", "gender_source": "unsure"},
        {"file_name": "3.png", "gender": "male", "gender_source": "unsure"},
        {"file_name": "4.png", "gender": "", "gender_source": ""},
    ]
    faces = FaceFolder(write_table(tmp_path, rows), tmp_path / "cache")
    assert (MALE, FEMALE, UNSURE) == (0, 1, 2)
    assert faces.genders.tolist() == [MALE, FEMALE, UNSURE, UNSURE, UNSURE]
    assert faces.genders.dtype == np.uint8
    with pytest.raises(ValueError, match=r"gender must be one of male, female, unsure, or empty, got 'F'"):
        FaceFolder(write_table(tmp_path, [*rows, {"file_name": "5.png", "gender": "F"}]), tmp_path / "cache")


def test_names_say_which_faces_rows_stand_for(builds, tmp_path):
    def names(*rows):
        return FaceFolder(write_table(tmp_path, rows), tmp_path / "cache").names_sha256()

    a, b = {"file_name": "a.png"}, {"file_name": "b.png"}
    assert names(a, b) == names(a | {"gender": "male"}, b | {"gender": "female"})
    assert len({names(a, b), names(b, a), names(a)}) == 3


def test_optional_columns_may_be_missing(builds, tmp_path):
    faces = FaceFolder(write_table(tmp_path, [{"file_name": f"{i}.png"} for i in range(3)]), tmp_path / "cache")
    assert faces.genders.tolist() == [UNSURE] * 3
    assert faces.sizes.tolist() == [512] * 3
    assert faces.select("train").tolist() == [0, 1, 2]


def test_a_cache_that_does_not_fit_on_its_disk_is_refused_before_it_is_built(face_data, small_disk):
    with pytest.raises(OSError, match=r"disk/cache/\w+ cannot be written: No space left on device\. Make room"):
        FaceFolder(face_data[0], small_disk / "cache")
    assert [file.suffix for file in (small_disk / "cache").iterdir()] == [".lock"], "nothing of it stays"


def test_a_cache_that_cannot_be_written_to_is_named(face_data, read_only_disk):
    with pytest.raises(OSError, match=r"cache/\w+ cannot be written: Read-only file system\. .*choose a folder"):
        FaceFolder(face_data[0], read_only_disk / "cache")


def test_a_dataset_of_the_hub_has_its_table_in_the_hubs_cache(face_data, monkeypatch):
    monkeypatch.setattr("dfd.data.faces.snapshot_download", lambda name, repo_type: str(face_data[0]))
    assert FaceFolder("somebody/faces", face_data[1]).table == face_data[0] / "metadata.csv"
