"""`read_sketch`: any image -> canonical sketch."""

import struct
import warnings
import zlib

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFilter

from dfd.components import CANVAS
from dfd.sketch import read_sketch, sketch_to_pil


def drawing(size=CANVAS, paper=255, ink=0, width=4, mode="L"):
    """A PIL drawing without symmetry: an ellipse left of the centre and a stroke at the top right."""
    image = Image.new(mode, (size, size), paper)
    draw = ImageDraw.Draw(image)
    draw.ellipse([size * v for v in (0.2, 0.3, 0.6, 0.9)], outline=ink, width=width)
    draw.line([size * v for v in (0.6, 0.1, 0.9, 0.2)], fill=ink, width=width)
    return image


def soft_drawing():
    """The drawing with every grey between paper and ink along its strokes."""
    return drawing().filter(ImageFilter.GaussianBlur(2))


def ink_of(image):
    """What a clean 512 x 512 drawing must become, exactly."""
    return 1 - torch.from_numpy(np.array(image)).float()[None] / 255


def close(image, expected, atol=0.02):
    sketch = read_sketch(image)
    assert sketch.shape == expected.shape
    return torch.allclose(sketch, expected, rtol=0, atol=atol)


# The canonical sketch


def test_clean_drawing_is_exact():
    image = soft_drawing()
    sketch = read_sketch(image)
    assert sketch.dtype == torch.float32
    assert sketch.shape == (1, CANVAS, CANVAS)
    assert torch.equal(sketch, ink_of(image))


def test_pale_pencil_stays_pale():
    image = drawing(ink=200)
    assert torch.equal(read_sketch(image), ink_of(image))


def test_ink_stays_in_range():
    """Reducing and blending round; neither may leave paper a hair below 0."""
    for size in (517, 777, 1500):
        layer = drawing(size, mode="RGB").convert("RGBA")
        layer.putalpha(drawing(size, paper=77))
        sketch = read_sketch(layer)
        assert sketch.min() >= 0
        assert sketch.max() <= 1


def test_mostly_black_drawing_is_not_inverted():
    image = drawing()
    ImageDraw.Draw(image).rectangle((40, 40, 472, 472), fill=0)
    assert torch.equal(read_sketch(image), ink_of(image))


@pytest.mark.parametrize("level", [0, 40, 90, 128, 200, 255])
def test_blank_sheet_has_no_ink(level):
    assert read_sketch(Image.new("L", (300, 200), level)).abs().max() == 0


def test_a_sketch_reads_as_itself():
    sketch = read_sketch(soft_drawing())
    assert torch.allclose(read_sketch(sketch), sketch, atol=1e-6)


def test_round_trip_to_pil():
    image = soft_drawing()
    back = sketch_to_pil(read_sketch(image))
    assert back.mode == "L"
    assert np.array_equal(np.array(back), np.array(image))
    assert sketch_to_pil(torch.tensor([[0.0, 1.0], [2.0, -1.0]])).tobytes() == bytes([255, 0, 0, 255])


def test_to_pil_refuses_other_shapes():
    with pytest.raises(ValueError, match=r"\(3, 8, 8\)"):
        sketch_to_pil(torch.zeros(3, 8, 8))


def test_input_is_left_alone():
    array = np.array(soft_drawing())
    before = array.copy()
    read_sketch(array).fill_(1)
    assert np.array_equal(array, before)


# Files


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.gif", "a.bmp", "a.tiff"])
def test_lossless_files_are_exact(tmp_path, name):
    image = soft_drawing()
    image.save(tmp_path / name, **({"lossless": True} if name.endswith("webp") else {}))
    assert torch.equal(read_sketch(tmp_path / name), ink_of(image))
    assert torch.equal(read_sketch(str(tmp_path / name)), ink_of(image))


@pytest.mark.parametrize("name", ["a.jpg", "a.webp"])
def test_lossy_files(tmp_path, name):
    image = soft_drawing()
    image.save(tmp_path / name, quality=95)
    assert close(tmp_path / name, ink_of(image), atol=0.1)


def test_one_bit_png(tmp_path):
    image = drawing().convert("1")
    image.save(tmp_path / "a.png")
    assert torch.equal(read_sketch(tmp_path / "a.png"), ink_of(image.convert("L")))


def test_16_bit_png(tmp_path):
    grey = np.array(soft_drawing())
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as opened:
        assert opened.mode == "I;16"
    assert close(tmp_path / "a.png", ink_of(grey), atol=1e-5)


def test_transparent_png(tmp_path):
    """Strokes as alpha alone: colour and transparency are both black."""
    image = soft_drawing()
    layer = Image.new("RGBA", image.size)
    layer.putalpha(image.point(lambda v: 255 - v))
    layer.save(tmp_path / "a.png")
    assert close(tmp_path / "a.png", ink_of(image), atol=1e-5)


def test_white_strokes_on_a_transparent_layer():
    image = drawing()
    layer = Image.new("RGBA", image.size, (255, 255, 255, 0))
    layer.putalpha(image.point(lambda v: 255 - v))
    assert close(layer, ink_of(image), atol=1e-5)


def test_palette_with_a_transparent_colour(tmp_path):
    image = drawing().convert("P")
    image.save(tmp_path / "a.png", transparency=image.getpixel((0, 0)))
    assert torch.equal(read_sketch(tmp_path / "a.png"), ink_of(drawing()))


def test_first_frame_of_several(tmp_path):
    first, second = drawing(), Image.new("L", (CANVAS, CANVAS), 255)
    first.save(tmp_path / "a.gif", save_all=True, append_images=[second, second], duration=100)
    assert torch.equal(read_sketch(tmp_path / "a.gif"), ink_of(first))
    with Image.open(tmp_path / "a.gif") as opened:
        opened.seek(1)
        assert torch.equal(read_sketch(opened), ink_of(first))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation(tmp_path, orientation):
    upright = drawing().crop((0, 0, CANVAS, 384))
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # EXIF orientation -> the Transpose that it undoes
    stored = upright.transpose(Image.Transpose(undo[orientation])) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "a.jpg", quality=95, exif=exif)
    assert close(tmp_path / "a.jpg", read_sketch(upright), atol=0.2)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr", "HSV"])
def test_pil_modes(mode):
    image = drawing()
    via = {"PA": "RGBA", "RGBa": "RGBA", "HSV": "RGB"}.get(mode)
    converted = (image.convert(via) if via else image).convert(mode)
    assert torch.equal(read_sketch(converted), ink_of(image))


@pytest.mark.parametrize(
    "image",
    [
        Image.fromarray(np.array(soft_drawing(), np.int32)),
        Image.fromarray(np.array(soft_drawing(), np.int32) * 257),
        Image.fromarray(np.array(soft_drawing(), np.uint16) * 257),
        Image.fromarray(np.array(soft_drawing(), np.float32)),
        Image.fromarray(np.array(soft_drawing(), np.float32) / 255),
    ],
    ids=["I of 8 bits", "I of 16 bits", "I;16", "F to 255", "F to 1"],
)
def test_pil_numeric_modes(image):
    assert close(image, ink_of(soft_drawing()), atol=1e-5)


@pytest.mark.parametrize("mode", ["L", "RGBA", "I;16"])
def test_strips_of_a_large_picture_change_nothing(mode, monkeypatch):
    grey = np.array(soft_drawing().resize((700, 900)))
    image = Image.fromarray(grey.astype(np.uint16) * 257 if mode == "I;16" else grey)
    if mode == "RGBA":
        image = image.convert(mode)
        image.putalpha(image.getchannel("R").rotate(180))
    whole = read_sketch(image)
    monkeypatch.setattr("dfd.sketch.STRIP", 10_000)
    assert torch.equal(read_sketch(image), whole)


# Arrays and tensors

GREY = np.array(soft_drawing())


@pytest.mark.parametrize(
    "array",
    [
        GREY,
        GREY[..., None],
        GREY[None],
        np.stack([GREY, np.full_like(GREY, 255)], -1),
        np.repeat(GREY[..., None], 3, 2),
        np.repeat(GREY[None], 3, 0),
        np.concatenate([np.repeat(GREY[..., None], 3, 2), np.full((*GREY.shape, 1), 255, np.uint8)], 2),
        np.concatenate([np.zeros((*GREY.shape, 3), np.uint8), 255 - GREY[..., None]], 2),
        GREY.astype(np.uint16) * 257,
        GREY.astype(np.int64),
        GREY / 255,
        (GREY / 255).astype(np.float32),
        np.asfortranarray(GREY)[:, ::-1][:, ::-1],
    ],
    ids=[
        "HW",
        "HW1",
        "1HW",
        "HW2",
        "HW3",
        "3HW",
        "HW4",
        "alpha",
        "uint16",
        "int64",
        "float64",
        "float32",
        "strided",
    ],
)
def test_arrays_and_tensors(array):
    assert close(array, ink_of(GREY), atol=1e-5)
    assert close(torch.from_numpy(np.ascontiguousarray(array)), ink_of(GREY), atol=1e-5)


def test_bool_true_is_white():
    array = np.array(drawing()) > 127
    assert torch.equal(read_sketch(array), ink_of(drawing()))
    assert torch.equal(read_sketch(torch.from_numpy(array)), ink_of(drawing()))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_float_tensors(dtype):
    tensor = (torch.from_numpy(GREY) / 255).to(dtype).requires_grad_()
    sketch = read_sketch(tensor)
    assert not sketch.requires_grad
    assert torch.allclose(sketch, ink_of(GREY), atol=0.01)


def test_rounding_of_interpolation_is_no_error():
    assert close(GREY / 255 * (1 + 1e-6), ink_of(GREY), atol=1e-5)


# Size and shape


@pytest.mark.parametrize("size", [(1024, 512), (300, 1000), (16, 700), (200, 120)])
def test_padded_with_paper_and_centred(size):
    image = Image.new("L", size, 255)
    w, h = size
    ImageDraw.Draw(image).rectangle((w // 4, h // 4, w * 3 // 4, h * 3 // 4), fill=0)
    ImageDraw.Draw(image).rectangle((0, 0, w - 1, h - 1), outline=0, width=1)
    ink = read_sketch(image)[0]
    width, height = (round(v * CANVAS / max(size)) for v in size)
    left, top = (CANVAS - width) // 2, (CANVAS - height) // 2
    outside = torch.ones(CANVAS, CANVAS, dtype=torch.bool)
    outside[top : top + height, left : left + width] = False
    assert ink[outside].sum() == 0
    assert (ink[top, left : left + width] > 0.2).all()  # the frame lies where the picture should
    assert (ink[top : top + height, left] > 0.2).all()
    assert ink[CANVAS // 2, CANVAS // 2] == pytest.approx(1, abs=1e-4)


def test_never_stretched():
    image = Image.new("L", (900, 300), 255)
    ImageDraw.Draw(image).ellipse((350, 50, 550, 250), fill=0)
    ink = read_sketch(image)[0] > 0.5
    assert abs(int(ink.any(0).sum()) - int(ink.any(1).sum())) <= 1


@pytest.mark.parametrize("size", [1024, 2048, 4000])
def test_thin_lines_stay_visible(size):
    """One pixel keeps its share of ink wherever it falls; picking samples would lose most lines."""
    image = Image.new("L", (size, size), 255)
    places = [round(size * v) for v in (0.1, 0.3003, 0.5511, 0.7777)]
    for x in places:
        ImageDraw.Draw(image).line((x, 0, x, size), fill=0)
    ink = read_sketch(image)[0]
    for x in places:
        column = round(x * CANVAS / size)
        assert ink[256, column - 3 : column + 4].sum() == pytest.approx(CANVAS / size, rel=0.15)
        assert ink[256, column - 3 : column + 4].max() > 0.4 * CANVAS / size


def test_small_images_are_enlarged():
    assert close(drawing(256, width=8), ink_of(drawing(512, width=16)), atol=1)
    ink = read_sketch(drawing(256, width=8))
    assert ink.sum() == pytest.approx(float(ink_of(drawing(512, width=16)).sum()), rel=0.05)


def test_smallest_and_too_small():
    read_sketch(Image.new("L", (16, 16), 255))
    for image in (Image.new("L", (15, 400)), np.zeros((400, 15), np.uint8), torch.zeros(3, 8, 8)):
        with pytest.raises(ValueError, match="at least 16 px"):
            read_sketch(image)


# Paper that is not white


def line_ink(image):
    """Mean ink on the strokes of `drawing`, and largest ink away from them."""
    strokes = ink_of(drawing())
    core = 1 - ink_of(drawing().filter(ImageFilter.MaxFilter(3)))
    away = ink_of(drawing().filter(ImageFilter.MinFilter(9))) == 0
    sketch = read_sketch(image)
    return float(sketch[(strokes == 1) & (core < 1)].mean()), float(sketch[away].max())


def test_white_on_black_is_inverted_exactly():
    image = drawing(paper=0, ink=255)
    assert torch.equal(read_sketch(image), ink_of(drawing()))


@pytest.mark.parametrize(("paper", "ink"), [(60, 230), (100, 255), (60, 5), (100, 10), (180, 20), (235, 0)])
def test_grey_paper_and_blackboard(paper, ink):
    strokes, away = line_ink(drawing(paper=paper, ink=ink))
    assert strokes > 0.7
    assert away == 0


@pytest.mark.parametrize(
    ("paper", "ink"),
    [
        ((255, 255, 255), (255, 230, 0)),
        ((255, 255, 255), (40, 70, 190)),
        ((255, 255, 255), (210, 30, 30)),
        ((181, 144, 103), (20, 20, 60)),
        ((255, 0, 0), (0, 0, 0)),
        ((0, 0, 90), (255, 255, 0)),
        ((20, 70, 40), (250, 250, 250)),
    ],
    ids=[
        "yellow pen",
        "blue pen",
        "red pen",
        "brown paper",
        "red paper",
        "yellow on blue",
        "chalk on green board",
    ],
)
def test_coloured_pens_and_papers(paper, ink):
    strokes, away = line_ink(drawing(paper=paper, ink=ink, mode="RGB"))
    assert strokes > 0.7
    assert away == 0


@pytest.mark.parametrize("light", [0.9, 0.4], ids=["light", "dim"])
@pytest.mark.parametrize("lamp", ["window", "spot"])
def test_photo_of_a_drawing_under_uneven_light(light, lamp):
    y, x = np.mgrid[:CANVAS, :CANVAS] / CANVAS
    grain = np.random.default_rng(0).normal(0, 0.015, x.shape)
    shade = 0.5 * x + 0.2 * y * y if lamp == "window" else 0.55 * np.hypot(x - 0.2, y - 0.3)
    photo = ((0.15 + 0.85 * np.array(drawing()) / 255) * light * (1 - shade) + grain).clip(0, 1)
    strokes, _ = line_ink(photo)
    assert strokes > 0.5
    sketch = read_sketch(photo)
    empty = ink_of(drawing().filter(ImageFilter.MinFilter(9))) == 0
    assert sketch[empty].mean() < 0.005
    assert sketch[0, -40:, -40:].mean() < 0.03  # the darkest corner


def test_grey_wash_on_dim_paper_is_ink():
    """What smooths the light must not take drawn shadow for bad light."""
    grain = np.random.default_rng(0).normal(0, 0.01, (CANVAS, CANVAS))
    photo = np.full((CANVAS, CANVAS), 0.4) * np.linspace(1, 0.8, CANVAS) + grain
    photo[100:300, 30:230] -= 0.14
    sketch = read_sketch(photo.clip(0, 1))[0]
    assert sketch[100:300, 30:230].mean() > 0.2
    assert sketch[350:, :].mean() < 0.01


def test_sheet_on_a_dark_table_is_not_inverted():
    photo = Image.new("L", (CANVAS, CANVAS), 40)
    photo.paste(drawing(paper=220, ink=30).resize((450, 450)), (31, 31))
    sketch = read_sketch(photo)[0]
    assert sketch[100:120, 60:100].max() < 0.05  # paper
    assert sketch[2:20, 2:20].min() > 0.5  # table


# Refusals


@pytest.mark.parametrize("thing", [None, 7, b"bytes", {"image": 1}, [[0, 1]]])
def test_not_an_image(thing):
    with pytest.raises(ValueError, match=f"{type(thing).__name__}.*accepted are"):
        read_sketch(thing)


def test_missing_path_and_folder_are_named(tmp_path):
    with pytest.raises(ValueError, match="no image file"):
        read_sketch("data:image/png;base64," + "A" * 5000)
    with pytest.raises(ValueError, match="nowhere"):
        read_sketch(tmp_path / "nowhere.png")
    with pytest.raises(ValueError, match=tmp_path.name):
        read_sketch(str(tmp_path))


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"<svg></svg>"])
def test_unreadable_file_is_named(tmp_path, content):
    (tmp_path / "odd.png").write_bytes(content)
    with pytest.raises(ValueError, match=r"odd\.png"):
        read_sketch(tmp_path / "odd.png")


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.gif", "a.bmp", "a.tiff"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_truncated_file_is_named(tmp_path, name, share):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    Image.fromarray(noise).save(tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ValueError, match=name.replace(".", r"\.")):
        read_sketch(tmp_path / name)


def test_pil_image_of_a_truncated_file(tmp_path):
    soft_drawing().save(tmp_path / "a.png")
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(whole[: len(whole) // 2])
    with Image.open(tmp_path / "a.png") as opened, pytest.raises(ValueError, match="cannot read the image"):
        read_sketch(opened)


@pytest.mark.parametrize("size", [(8000, 8000), (10000, 10000), (30000, 30000)], ids=["ours", "warned", "bomb"])
def test_too_large_is_refused_by_the_header(tmp_path, size):
    """A PNG of a header and no pixels: decoding it would fail otherwise."""
    header = b"IHDR" + struct.pack(">IIBBBBB", *size, 1, 0, 0, 0, 0)
    chunks = b"".join(
        struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (header, b"IDAT", b"IEND")
    )
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
    with (
        warnings.catch_warnings(record=True) as seen,
        pytest.raises(ValueError, match=r"bomb\.png.*50 megapixels"),
    ):
        warnings.simplefilter("always")
        read_sketch(tmp_path / "bomb.png")
    assert not seen


def test_too_large_arrays():
    huge = np.broadcast_to(np.uint8(255), (8000, 8000, 3))
    with pytest.raises(ValueError, match="50 megapixels"):
        read_sketch(huge)
    with pytest.raises(ValueError, match="50 megapixels"):
        read_sketch(torch.ones(1, 1).expand(8000, 8000))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite(bad):
    array = np.ones((64, 64), np.float32)
    array[3, 4] = bad
    for image in (array, torch.from_numpy(array), Image.fromarray(array)):
        with pytest.raises(ValueError, match="NaN or infinite"):
            read_sketch(image)


@pytest.mark.parametrize(
    "array",
    [
        np.full((64, 64), 255.0),
        np.full((64, 64), -0.5),
        np.full((64, 64), -1),
        np.full((64, 64), 70000),
    ],
)
def test_values_out_of_range(array):
    with pytest.raises(ValueError, match=r"must lie in \[0, "):
        read_sketch(array)


@pytest.mark.parametrize("shape", [(64,), (64, 64, 5), (5, 64, 64), (1, 3, 64, 64), (0, 64, 64), (64, 64, 0)])
def test_wrong_shape_or_channel_count(shape):
    for image in (np.ones(shape, np.float32), torch.ones(shape)):
        with pytest.raises(ValueError, match="got shape"):
            read_sketch(image)


@pytest.mark.parametrize("array", [np.ones((64, 64), complex), np.full((64, 64), "x"), np.full((64, 64), None)])
def test_arrays_of_other_things(array):
    with pytest.raises(ValueError, match="bool, integers or floats"):
        read_sketch(array)
