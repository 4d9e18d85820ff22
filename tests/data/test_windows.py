"""`python -m dfd.data windows`: windows from masks of the face's parts."""

import json

import numpy as np
import pytest
from PIL import Image, ImageDraw

from dfd.components import CANVAS, DEFAULT_WINDOWS, Layout
from dfd.data.__main__ import main
from dfd.data.windows import mask_centres, windows_from_centres

CENTRES = {"l_eye": (200, 230), "r_eye": (310, 240), "nose": (256, 300), "mouth": (250, 390)}


def draw(folder, face, name, centre, radii=(20, 10), size=CANVAS, mode="L"):
    """A mask file with one ellipse, its centre and radii given in canvas pixels; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    f = size / CANVAS
    image = Image.new("L", (size, size))
    (x, y), (a, b) = centre, radii
    ImageDraw.Draw(image).ellipse(((x - a) * f, (y - b) * f, (x + a) * f - 1, (y + b) * f - 1), fill=255)
    path = folder / f"{face}_{name}.png"
    image.convert(mode).save(path)
    return path


def draw_face(folder, face, shift=(0, 0), names=tuple(CENTRES), **options):
    for name in names:
        x, y = CENTRES[name]
        draw(folder, face, name, (x + shift[0], y + shift[1]), **options)


def assert_centre(window, part, centre):
    x, y, size = window
    assert size == DEFAULT_WINDOWS[part].size
    assert (x + size / 2, y + size / 2) == pytest.approx(centre, abs=1)


def windows_from_masks(folder):
    return windows_from_centres(mask_centres(folder))


def test_centres_are_means_over_faces_in_nested_folders(tmp_path):
    draw_face(tmp_path / "0", "00000", shift=(-8, 4))
    draw_face(tmp_path / "1" / "deep", "02000", shift=(4, 0), mode="RGB")
    draw_face(tmp_path / "1", "02000", shift=(-8, 2), mode="1")  # the same number elsewhere is another face
    windows = windows_from_masks(tmp_path)
    assert list(windows) == ["left_eye", "right_eye", "nose", "mouth"]
    assert_centre(windows["left_eye"], "left_eye", (196, 232))
    assert_centre(windows["right_eye"], "right_eye", (306, 242))
    assert_centre(windows["nose"], "nose", (252, 302))
    assert_centre(windows["mouth"], "mouth", (246, 392))


def test_layout_accepts_the_windows(tmp_path):
    draw_face(tmp_path, "00000")
    windows = windows_from_masks(tmp_path)
    layout = Layout(windows)
    assert (layout.windows["nose"].x, layout.windows["nose"].y) == tuple(windows["nose"][:2])


def test_eyes_are_told_apart_by_position(tmp_path):
    draw_face(tmp_path, "1", names=("nose", "mouth"))
    draw(tmp_path, "1", "l_eye", CENTRES["r_eye"])
    draw(tmp_path, "1", "r_eye", CENTRES["l_eye"])
    windows = windows_from_masks(tmp_path)
    assert_centre(windows["left_eye"], "left_eye", CENTRES["l_eye"])
    assert_centre(windows["right_eye"], "right_eye", CENTRES["r_eye"])


def test_mouth_joins_lips_and_open_mouth(tmp_path):
    draw_face(tmp_path, "1", names=("l_eye", "r_eye", "nose"))
    draw(tmp_path, "1", "u_lip", (250, 380), radii=(20, 10))
    draw(tmp_path, "1", "l_lip", (250, 420), radii=(40, 10))  # twice the upper lip's area
    assert mask_centres(tmp_path)["mouth"][0] == pytest.approx((250, 406.7), abs=1)
    draw(tmp_path, "1", "mouth", (280, 400), radii=(60, 10))
    assert mask_centres(tmp_path)["mouth"][0] == pytest.approx((265, 403.3), abs=1)


def test_faces_may_lack_parts(tmp_path):
    draw_face(tmp_path, "1")
    draw_face(tmp_path, "2", shift=(10, 0), names=("nose", "l_eye"))  # one eye: nobody knows which
    draw_face(tmp_path, "3", shift=(20, 0), names=("l_eye", "r_eye"))
    Image.new("L", (CANVAS, CANVAS)).save(tmp_path / "3_nose.png")  # empty
    centres = mask_centres(tmp_path)
    assert {part: len(found) for part, found in centres.items()} == {
        "left_eye": 2,
        "right_eye": 2,
        "nose": 2,
        "mouth": 1,
    }
    windows = windows_from_masks(tmp_path)
    assert_centre(windows["left_eye"], "left_eye", (210, 230))
    assert_centre(windows["nose"], "nose", (261, 300))


@pytest.mark.parametrize("size", [256, 1024])
def test_other_sizes_are_scaled_to_the_canvas(tmp_path, size):
    draw_face(tmp_path, "1", size=size)
    for part, centre in zip(("left_eye", "right_eye", "nose", "mouth"), CENTRES.values(), strict=True):
        assert_centre(windows_from_masks(tmp_path)[part], part, centre)


def test_masks_of_zero_and_one(tmp_path):
    draw_face(tmp_path, "1")
    for path in tmp_path.iterdir():
        Image.fromarray(np.asarray(Image.open(path)) // 255).save(path)
    assert_centre(windows_from_masks(tmp_path)["nose"], "nose", CENTRES["nose"])


def test_windows_stay_on_the_canvas(tmp_path):
    draw(tmp_path, "1", "l_eye", (25, 15))
    draw(tmp_path, "1", "r_eye", (490, 15))
    draw(tmp_path, "1", "nose", (256, 256))
    draw(tmp_path, "1", "mouth", (256, 500))
    windows = windows_from_masks(tmp_path)
    assert windows["left_eye"] == [0, 0, 128]
    assert windows["right_eye"] == [CANVAS - 128, 0, 128]
    assert windows["mouth"][1] == CANVAS - 192
    Layout(windows)


def test_other_masks_of_the_data_set_are_ignored(tmp_path):
    draw_face(tmp_path, "1")
    before = windows_from_masks(tmp_path)
    for name in ("l_brow", "hair", "eye_g", "skin"):
        draw(tmp_path, "1", name, (50, 50))
    (tmp_path / "1_nose.txt").write_text("not a mask")
    assert windows_from_masks(tmp_path) == before


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(ValueError, match="nowhere"):
        windows_from_masks(tmp_path / "nowhere")


def test_folder_without_masks(tmp_path):
    draw(tmp_path, "1", "hair", (50, 50))
    with pytest.raises(ValueError, match="no masks under"):
        windows_from_masks(tmp_path)


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        (("l_eye", "r_eye", "mouth"), "nose"),
        (("l_eye", "r_eye", "nose"), "mouth"),
        (("l_eye", "nose", "mouth"), "left_eye.*r_eye"),
        (("nose", "mouth"), "left_eye"),
    ],
)
def test_part_without_any_mask_is_named(tmp_path, names, missing):
    draw_face(tmp_path, "1", names=names)
    with pytest.raises(ValueError, match=missing):
        windows_from_masks(tmp_path)


def test_unreadable_and_oblong_masks_are_named(tmp_path):
    draw_face(tmp_path, "1")
    whole = (tmp_path / "1_nose.png").read_bytes()
    (tmp_path / "1_nose.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"1_nose\.png"):
        windows_from_masks(tmp_path)
    Image.new("L", (512, 256)).save(tmp_path / "1_nose.png")
    with pytest.raises(ValueError, match=r"1_nose\.png is 512 x 256"):
        windows_from_masks(tmp_path)


def test_command_writes_json_and_reports_the_spread(tmp_path, capsys):
    draw_face(tmp_path / "masks", "1")
    draw_face(tmp_path / "masks", "2", shift=(6, 14))
    output = tmp_path / "mine.json"
    output.write_text("old")
    main(["windows", str(tmp_path / "masks"), "--output", str(output)])
    assert json.loads(output.read_text()) == windows_from_masks(tmp_path / "masks")
    Layout(json.loads(output.read_text()))
    assert {path.name for path in tmp_path.iterdir()} == {"masks", "mine.json"}  # nothing left beside it
    nose = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("nose"))
    assert nose.split()[:6] == ["nose", "2", "259.0", "307.0", "3.0", "7.0"]


def test_command_fails_with_one_line_and_keeps_the_old_file(tmp_path):
    output = tmp_path / "windows.json"
    output.write_text("old")
    with pytest.raises(SystemExit, match="error: no folder of masks at"):
        main(["windows", str(tmp_path / "nowhere"), "--output", str(output)])
    assert output.read_text() == "old"
    draw_face(tmp_path / "masks", "1")
    with pytest.raises(SystemExit, match=r"error: .*here\.json cannot be written"):
        main(["windows", str(tmp_path / "masks"), "--output", str(output / "here.json")])
