"""Pictures that visitors bring: photographed drawings, scans, photos."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFilter
from scipy.ndimage import distance_transform_edt, gaussian_filter

from dfd.lines import extract_lines
from dfd.sketch import read_sketch
from dfd.ui import importing
from dfd.ui.importing import clean_drawing, import_picture, ink_element, is_photo

EXAMPLES = sorted((Path(importing.__file__).parent / "examples").glob("*.png"))

Y, X = np.mgrid[:600, :600] / 600
SHADES = {
    "even": np.ones((600, 600)),
    "gradient": 0.6 + 0.4 * X,
    "vignette": 1 - 0.8 * ((X - 0.5) ** 2 + (Y - 0.5) ** 2),
    "shadow with an edge": 1 - 0.4 / (1 + np.exp(-150 * (0.8 * X + 0.6 * Y - 0.8))),
    "shadow of a hand": 1 - 0.45 / (1 + np.exp(20 * (np.hypot((X - 0.7) / 0.35, (Y - 0.8) / 0.45) - 1))),
    "dim": np.full((600, 600), 0.5),
}


def photographed(drawing, shade="even", pen=(40, 40, 45), ruled=False, table=False) -> Image.Image:
    """A drawing (L, black on white) on grey-white paper, as a 600 px JPEG of a phone."""
    ink = 1 - np.asarray(drawing.resize((600, 600)), float)[..., None] / 255
    paper = np.full((600, 600, 3), (235.0, 232, 225))
    if ruled:
        paper[20::28] = paper[21::28] = (165, 190, 220)
    sheet = paper * (1 - ink) + np.array(pen) * ink
    if table:
        sheet = np.pad(sheet[60:-60, 60:-60], ((60, 60), (60, 60), (0, 0)))
        around = sheet.sum(-1) == 0
        sheet[around] = (np.array([120, 85, 55]) * (1 + 0.12 * np.sin(60 * Y))[..., None])[around]
    sheet = sheet * SHADES[shade][..., None] + np.random.default_rng(0).normal(0, 3, sheet.shape)
    file = io.BytesIO()
    Image.fromarray(sheet.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=60)
    return Image.open(file)


def alike(ink: torch.Tensor, drawing: Image.Image, tolerance=3) -> float:
    """F1 of the ink against the drawing's lines."""
    found, lines = ink[0].numpy() > 0.4, np.asarray(drawing) < 128
    precision = (distance_transform_edt(~lines)[found] <= tolerance).mean()
    recall = (distance_transform_edt(~found)[lines] <= tolerance).mean()
    return 2 * precision * recall / (precision + recall)


def portrait(colour=True) -> Image.Image:
    """Something round in soft light, as photos have it: head, hair, eyes and mouth."""
    light = np.clip(1.1 - 1.8 * ((X - 0.42) ** 2 + (Y - 0.4) ** 2), 0, 1)
    head = np.hypot((X - 0.5) / 0.28, (Y - 0.5) / 0.36)
    image = np.where(
        head[..., None] < 1, (225, 175, 150), np.where(head[..., None] < 1.3, (70, 45, 35), (120, 140, 150))
    )
    for x, y, colours in ((0.38, 0.45, (60, 40, 30)), (0.62, 0.45, (60, 40, 30)), (0.5, 0.7, (180, 80, 80))):
        image[np.hypot((X - x) / 0.07, (Y - y) / 0.03) < 1] = colours
    waves = gaussian_filter(np.random.default_rng(0).normal(size=light.shape), 9)
    photo = Image.fromarray(
        (image * (light * (1 + 0.1 * waves / waves.std()))[..., None]).clip(0, 255).astype(np.uint8)
    )
    photo = photo.filter(ImageFilter.GaussianBlur(2))
    return photo if colour else photo.convert("L")


# Drawings


@pytest.mark.parametrize("pen", [(40, 40, 45), (150, 150, 152), (50, 70, 160)], ids=["ink", "pencil", "blue pen"])
@pytest.mark.parametrize("shade", SHADES)
def test_photographed_drawings_are_cleaned(face, shade, pen):
    ink = import_picture(photographed(face(1), shade, pen))
    assert (ink.shape, ink.dtype) == ((1, 512, 512), torch.float32)
    assert (ink >= 0).all() and (ink <= 1).all()
    assert alike(ink, face(1)) > 0.97
    assert (ink == 0).float().mean() > 0.9, "paper is white"


@pytest.mark.parametrize("pen", [(40, 40, 45), (130, 130, 132), (50, 70, 160)], ids=["ink", "pencil", "blue pen"])
def test_ruled_paper_is_bare(face, pen):
    assert alike(import_picture(photographed(face(), "shadow with an edge", pen, ruled=True)), face()) > 0.97


def test_pencil_becomes_ink(face):
    photo = photographed(face(), pen=(165, 165, 167))
    lines = np.asarray(face()) < 50
    assert read_sketch(photo)[0].numpy()[lines].mean() < 0.35
    assert import_picture(photo)[0].numpy()[lines].mean() > 0.7


def test_the_table_around_the_sheet_is_no_ink(face):
    ink = import_picture(photographed(face(without=("remainder",)), table=True), "drawing")
    plain = import_picture(photographed(face(without=("remainder",))), "drawing")
    assert abs(float(ink.sum() / plain.sum()) - 1) < 0.1


def test_filled_hair_stays_black():
    drawing = Image.new("L", (512, 512), 255)
    ImageDraw.Draw(drawing).ellipse((80, 40, 430, 240), fill=0)
    ImageDraw.Draw(drawing).ellipse((100, 100, 410, 480), outline=0, width=4)
    ink = import_picture(photographed(drawing), "drawing")[0].numpy()
    assert ink[np.asarray(drawing) < 50].mean() > 0.9


def test_chalk_on_a_blackboard(face):
    chalk = Image.fromarray((40 + 0.6 * (255 - np.asarray(face(), float))).astype(np.uint8))
    assert alike(import_picture(chalk, "drawing"), face()) > 0.97


def test_specks_are_dropped(face):
    spotted = photographed(face())
    for x, y in np.random.default_rng(1).integers(0, 598, (40, 2)):
        spotted.paste((90, 90, 90), (int(x), int(y), int(x) + 2, int(y) + 2))
    assert alike(import_picture(spotted), face()) > 0.97


def test_blank_paper_has_no_ink(face):
    for shade in SHADES:
        assert not import_picture(photographed(Image.new("L", (512, 512), 255), shade), "drawing").any()


@pytest.mark.parametrize("kind", ["auto", "drawing"])
def test_clean_drawings_pass_unchanged(face, kind):
    transparent = Image.new("RGBA", (512, 512))
    transparent.putalpha(face().point(lambda value: 255 - value))
    eyes = face(without=("nose", "mouth", "remainder"))
    for drawing in (face(), eyes, face().resize((700, 400)), transparent, *map(Image.open, EXAMPLES)):
        assert torch.equal(import_picture(drawing, kind), read_sketch(drawing))


def test_scans_of_sixteen_bits(face):
    scan = Image.fromarray((np.asarray(face(), float) * 200 + 9000).astype(np.uint16))
    assert alike(import_picture(scan), face()) > 0.97


# Place


def test_a_small_drawing_in_a_corner_is_brought_to_the_face(face):
    sheet = Image.new("L", (1200, 900), 255)
    sheet.paste(face().resize((300, 300)), (850, 40))
    ink = import_picture(photographed(sheet.resize((512, 512))), "drawing")[0]
    rows, columns = (np.flatnonzero((ink > 0.3).any(axis).numpy()) for axis in (1, 0))
    assert abs((columns[0] + columns[-1]) / 2 - 256) < 15
    assert abs((rows[0] + rows[-1]) / 2 - 262) < 15
    assert 430 < max(np.ptp(rows), np.ptp(columns)) < 480


def test_a_drawing_in_place_stays(face):
    assert alike(import_picture(photographed(face(4)), "drawing"), face(4), tolerance=2) > 0.97


def test_the_camera_may_have_been_turned(face):
    turned, file = photographed(face()).transpose(Image.Transpose.ROTATE_90), io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by 90 degrees clockwise
    turned.save(file, "JPEG", exif=exif)
    assert alike(import_picture(Image.open(file)), face()) > 0.97


# Photos


@pytest.mark.parametrize("colour", [True, False], ids=["colour", "grey"])
def test_photos_are_traced(colour):
    photo = portrait(colour)
    assert is_photo(photo.convert("RGB"))
    ink = import_picture(photo)
    assert torch.equal(ink, import_picture(photo, "photo"))
    lines = extract_lines(np.array(photo.convert("RGB").resize((512, 512), Image.Resampling.HAMMING)))
    assert alike(ink, Image.fromarray(np.where(lines, 0, 255).astype(np.uint8)), tolerance=2) > 0.97


def test_only_photos_go_to_the_tracer(face):
    seen = []

    def tracer(photo):
        seen.append((photo.shape, photo.dtype))
        return torch.ones(1, 512, 512)

    assert import_picture(portrait(), tracer=tracer).all()
    assert seen == [((512, 512, 3), np.uint8)]
    assert not import_picture(photographed(face()), tracer=tracer).all()
    assert len(seen) == 1


def test_a_wide_photo_loses_its_sides():
    photo = portrait()
    wide = Image.new("RGB", (1000, 600), (120, 140, 150))
    wide.paste(photo, (200, 0))
    assert torch.equal(import_picture(wide, "photo"), import_picture(photo, "photo"))


@pytest.mark.parametrize("shade", SHADES)
def test_drawings_are_no_photos(shade):
    for path in EXAMPLES[:3]:
        assert not is_photo(photographed(Image.open(path), shade, table=shade == "even").convert("RGB"))


def test_the_visitor_has_the_last_word(face):
    photo = photographed(face())
    assert not torch.equal(import_picture(photo, "photo"), import_picture(photo, "drawing"))
    assert torch.equal(import_picture(photo), import_picture(photo, "drawing"))


# Refusals and shape


@pytest.mark.parametrize("size", [(16, 16), (16, 2000), (2000, 16), (17, 33), (3, 512)])
@pytest.mark.parametrize("kind", ["auto", "drawing", "photo"])
def test_odd_sizes(size, kind):
    picture = Image.effect_noise(size, 60)
    if min(size) < 16:
        with pytest.raises(ValueError, match="too small"):
            import_picture(picture, kind)
    else:
        assert import_picture(picture, kind).shape == (1, 512, 512)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I", "F", "I;16"])
def test_every_mode(mode):
    for kind in ("auto", "drawing", "photo"):
        assert import_picture(Image.new(mode, (64, 64)), kind).shape == (1, 512, 512)


def test_refusals(face, tmp_path):
    with pytest.raises(ValueError, match="kind must be one of auto, drawing, photo"):
        import_picture(face(), "painting")
    with pytest.raises(ValueError, match="at most 50 megapixels"):
        import_picture(Image.new("1", (10_000, 5_001)))
    face().save(tmp_path / "cut.jpg")
    data = (tmp_path / "cut.jpg").read_bytes()
    with pytest.raises(ValueError, match="damaged or cut off"):
        import_picture(Image.open(io.BytesIO(data[: len(data) // 2])))


def test_the_picture_is_left_alone(face):
    photo = photographed(face())
    photo.load()
    before = photo.tobytes()
    clean_drawing(photo)
    import_picture(photo).fill_(1)
    assert photo.tobytes() == before


# For the pad


def test_an_element_is_black_with_the_ink_as_alpha(face):
    ink = read_sketch(face().filter(ImageFilter.GaussianBlur(2)))
    element = ink_element(ink)
    assert (element["tool"], element["box"]) == ("image", [0, 0, 512, 512])
    picture = Image.open(io.BytesIO(base64.b64decode(element["png"].removeprefix("data:image/png;base64,"))))
    assert (picture.format, picture.mode, picture.size) == ("PNG", "RGBA", (512, 512))
    assert picture.convert("RGB").getextrema() == ((0, 0),) * 3
    assert torch.allclose(read_sketch(picture), ink, rtol=0, atol=1e-6)
