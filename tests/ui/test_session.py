"""Saved drawings: exact round trips, and files from strangers."""

import base64
import io
import json
import random
import struct
import xml.etree.ElementTree as ET
import zlib

import numpy as np
import pytest
import torch
from PIL import Image, PngImagePlugin

from dfd.components import COMPONENTS
from dfd.sketch import read_sketch
from dfd.ui import session as module
from dfd.ui.importing import ink_element
from dfd.ui.session import Session, face_png, pad_image, read_session, sketch_png, write_session

PEN = {"tool": "pen", "radius": 2, "points": [[10, 20.25], [30.5, 40, 0.5], [-3, 600]]}
ERASER = {"tool": "eraser", "radius": 4.5, "points": [[1, 2]], "mirror": True}
SETTINGS = {"manifold": "female", "refinement": dict(zip(COMPONENTS, (0, 0.1, 0.25, 0.7, 1), strict=True))}


def png(size=(512, 512), mode="L", colour=255) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, colour).save(file, "PNG")
    return file.getvalue()


def url(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


def picture(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def file(**change) -> bytes:
    """A session file with other values at its top."""
    return json.dumps({**json.loads(write_session(Session([PEN]))), **change}).encode()


def image(**change) -> dict:
    return {"tool": "image", "png": url(png((20, 30))), "box": [1, 2, 20, 30.5], **change}


@pytest.fixture(scope="module")
def session(face):
    return Session([ink_element(read_sketch(face(3))), PEN, ERASER], {**SETTINGS, "num_neighbors": 7})


@pytest.fixture(scope="module")
def files(session, face):
    """The three files that are saved."""
    photo = Image.effect_noise((512, 512), 40).convert("RGB")
    return {"json": write_session(session), "face": face_png(photo, session), "sketch": sketch_png(face(3), session)}


# Round trips


@pytest.mark.parametrize("kind", ["json", "face", "sketch"])
def test_what_is_saved_is_loaded(session, files, kind, tmp_path):
    assert read_session(files[kind]) == session
    (tmp_path / "file").write_bytes(files[kind])
    assert read_session(tmp_path / "file") == session
    assert read_session(str(tmp_path / "file")) == session


def test_settings_are_completed_and_unknown_keys_dropped():
    session = read_session(file(strokes=[{**PEN, "colour": "red"}], settings={"manifold": "male", "x": 1}, more=[1]))
    assert session.strokes == [PEN]
    assert session.settings == {**module.DEFAULT_SETTINGS, "manifold": "male"}


def test_colours_and_suggestion_are_saved_and_may_be_lacking():
    chosen = {"appearance": [0.5, -2, 3.25], "alternative": 3}
    session = Session([PEN], chosen)
    assert read_session(write_session(session)) == session
    assert {key: session.settings[key] for key in chosen} == chosen
    # As saved before there were any.
    old = read_session(file(settings={"manifold": "all", "num_neighbors": 10}))
    assert old.settings["appearance"] is None and old.settings["alternative"] == 0


def test_equal_sessions_have_equal_json():
    """Python writes 2.0 and a browser 2."""
    strokes = [{**PEN, "radius": 2.0, "points": [[1.0, -0.0, 1.0], [2.5, 3]]}, image(box=[1.0, 2, 20.0, 30.5])]
    settings = {"refinement": dict.fromkeys(COMPONENTS, 1.0), "appearance": [-2.0, 0.5]}
    session = Session(strokes, settings)
    written = write_session(session)
    assert written == write_session(read_session(written)) and b".0" not in written
    assert session == Session(strokes, settings) and b"[[1,0,1],[2.5,3]]" in written


def test_who_is_drawn_hangs_on_where_the_first_stroke_begins():
    def stroke(x, y):
        return {"tool": "pen", "radius": 2, "points": [[x, y, 0.3], [x + 9, y]]}

    def person(*strokes):
        return Session(list(strokes)).wishes["person"]

    one = person(stroke(10, 20))
    assert one == person(stroke(10, 20), stroke(70, 80)), "the drawing grows, the person stays"
    assert one != person(stroke(11, 20))
    wishes = Session([stroke(10, 20)], {"num_neighbors": 3}).wishes
    assert {**wishes, "person": None} == {**Session([], {"num_neighbors": 3}).settings, "person": None}
    assert person(image()) != person(image(box=[2, 2, 20, 30.5]))


def test_a_session_keeps_copies():
    strokes = json.loads(json.dumps([PEN]))
    session = Session(strokes)
    strokes[0]["points"][0][0] = "x"
    assert session == Session([PEN])
    session.settings["refinement"]["nose"] = 9
    assert Session().settings["refinement"]["nose"] == 0.5


def test_the_largest_session_opens_in_any_program():
    """PIL refuses text chunks of over a mebibyte; what can be saved stays below."""
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 512, (20_000, 2)).round(3).tolist()
    strokes = [{**PEN, "points": points}] * 2
    session = Session(strokes)
    data = face_png(Image.new("RGB", (512, 512)), session)
    assert json.loads(picture(data).text["deepfacedrawing"])["strokes"] == strokes
    with pytest.raises(ValueError, match="too large to be saved"):
        Session(strokes * 2)


# What the files say


def test_the_face_says_that_it_is_synthetic(files):
    face = picture(files["face"])
    assert (face.size, face.mode) == ((512, 512), "RGB")
    assert face.text["Title"] == "Synthetic face"
    assert face.text["Software"] == "DeepFaceDrawing"
    assert "synthetic" in face.text["Description"] and "nobody" in face.text["Description"]


def test_the_face_carries_valid_xmp(files):
    chunk = picture(files["face"]).text["XML:com.adobe.xmp"]
    assert isinstance(chunk, PngImagePlugin.iTXt)
    names = {"rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#", "ext": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"}
    (source,) = ET.fromstring(chunk).findall("rdf:RDF/rdf:Description/ext:DigitalSourceType", names)
    assert source.text == "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"


def test_the_sketch_is_the_drawing_and_no_synthetic_face(files, face):
    sketch = picture(files["sketch"])
    assert sketch.tobytes() == face(3).tobytes()
    assert set(sketch.text) == {"Title", "Software", "deepfacedrawing"}


# Other pictures


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_becomes_an_element(face, kind):
    data = io.BytesIO()
    face(2).save(data, kind)
    session = read_session(data.getvalue())
    (element,) = session.strokes
    assert session.settings == module.DEFAULT_SETTINGS
    alpha = picture(base64.b64decode(element["png"].partition(",")[2])).getchannel("A")
    ink = torch.from_numpy(np.array(alpha)).float() / 255
    assert torch.allclose(ink, read_sketch(picture(data.getvalue()))[0], rtol=0, atol=0.5 / 255)


def test_a_session_behind_the_pixels_is_found(files):
    """As programs that rewrite a PNG may order it."""
    data = files["sketch"]
    start = data.index(b"zTXt") - 4
    length = 12 + struct.unpack(">I", data[start : start + 4])[0]
    end = data.index(b"IEND") - 4
    moved = data[:start] + data[start + length : end] + data[start : start + length] + data[end:]
    assert read_session(moved) == read_session(data)


# Files from strangers: only a ValueError, with one sentence


def refuses(data, match):
    with pytest.raises(ValueError, match=match) as caught:
        read_session(data)
    message = str(caught.value)
    assert message[0].isupper() and message.endswith(".") and "\n" not in message and len(message) < 120


def bomb(text: bytes, keyword=b"deepfacedrawing") -> bytes:
    """A PNG with a zTXt chunk of this text."""
    data = png((16, 16))
    body = b"zTXt" + keyword + b"\0\0" + zlib.compress(text, 9)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return data[:33] + chunk + data[33:]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"\xff\xfe\x00",
        b"[]",
        b"{}",
        b"null",
        b"[" * 900_000,
        b'{"a":' * 150_000,
        b'{"format": "other"}',
        b"1" * 9_000,
        b"GIF89a" + bytes(100),
        b"%PDF-1.7",
        bytes(1_000_001),
    ],
    ids=lambda data: repr(data[:12]),
)
def test_other_files_are_refused(data):
    refuses(data, "neither a saved drawing nor a PNG, JPEG or WebP picture")


def test_folders_missing_and_large_files_are_refused(tmp_path):
    for path in (tmp_path / "none", tmp_path, "a\0b", "x" * 5000):
        refuses(path, "cannot be opened")
    (tmp_path / "large").write_bytes(bytes(4 * 2**20 + 1))
    refuses(tmp_path / "large", "too large: at most 4 MB")
    refuses(bytes(4 * 2**20 + 1), "too large: at most 4 MB")


@pytest.mark.parametrize("version", [None, 0, 2, "1", 1.0, True, [1]])
def test_other_versions_are_refused(version):
    refuses(file(version=version), "another version")


def test_text_bombs_are_refused():
    refuses(bomb(b"[" * 900_000), "neither")
    refuses(bomb(bytes(50 * 2**20)), "damaged")
    refuses(bomb(bytes(50 * 2**20), b"Comment"), "damaged")


def test_pictures_that_cannot_be_drawings_are_refused():
    refuses(png((64, 64)), "nothing drawn")
    refuses(png((8, 64)), "too small")
    header = struct.pack(">II", 60_000, 60_000)
    data = png((64, 64))
    body = b"IHDR" + header + data[24:29]
    huge = data[:8] + data[8:12] + body + struct.pack(">I", zlib.crc32(body)) + data[33:]
    refuses(huge, "too large: at most 50 megapixels")
    refuses(png()[:-40], "damaged")


@pytest.mark.parametrize(
    "stroke",
    [
        None,
        [],
        "pen",
        {},
        {"tool": "laser"},
        {"tool": ["pen"]},
        {**PEN, "points": []},
        {**PEN, "points": None},
        {**PEN, "points": {"0": [1, 2]}},
        {**PEN, "points": [[1]]},
        {**PEN, "points": [[1, 2, 3]]},
        {**PEN, "points": [[1, 2, 0.5, 0]]},
        {**PEN, "points": [["1", 2]]},
        {**PEN, "points": [[True, 2]]},
        {**PEN, "points": [[float("nan"), 2]]},
        {**PEN, "points": [[1, float("inf")]]},
        {**PEN, "points": [[1, 10**400]]},
        {**PEN, "points": [[1, 2, float("nan")]]},
        {**PEN, "points": [[1, 2, -0.1]]},
        {**PEN, "radius": 0},
        {**PEN, "radius": 1e9},
        {**PEN, "radius": float("nan")},
        {**PEN, "radius": "2"},
        {"tool": "pen", "points": [[1, 2]]},
        {**PEN, "mirror": "yes"},
        image(box=None),
        image(box=[0, 0, 10]),
        image(box=[0, 0, 0, 10]),
        image(box=[0, 0, 10, float("inf")]),
        image(box=[float("nan"), 0, 10, 10]),
        image(png=None),
        image(png=""),
        image(png="https://example.org/a.png"),
        image(png="data:image/svg+xml;base64,PHN2Zz4="),
        image(png=url(b"no picture")),
        image(png=url(png()[:-30])),
        image(png=url(png((513, 10)))),
        image(png=url(png((20, 20))) + '"><script>'),
        image(png=url(png((20, 20)) + bytes(700_000))),
    ],
    ids=lambda stroke: repr(stroke)[:60],
)
def test_strokes_of_other_kinds_are_refused(stroke):
    refuses(file(strokes=[PEN, stroke]), "This drawing has a ")


@pytest.mark.parametrize("strokes", [None, {}, "pen", 3])
def test_strokes_must_be_a_list(strokes):
    refuses(file(strokes=strokes), "no list of strokes")


def test_counts_are_limited(monkeypatch):
    refuses(file(strokes=[{**PEN, "points": [[1, 2]]}] * 5001), "too many strokes")
    refuses(file(strokes=[image()] * 17), "too many pictures")
    monkeypatch.setattr(module, "MAX_POINTS", 20)
    refuses(file(strokes=[PEN] * 7), "too many points")


@pytest.mark.parametrize(
    "settings",
    [
        None,
        [],
        {"manifold": "cats"},
        {"manifold": None},
        {"manifold": ["all"]},
        {"num_neighbors": 0},
        {"num_neighbors": 51},
        {"num_neighbors": 2.5},
        {"num_neighbors": True},
        {"num_neighbors": "3"},
        {"appearance": []},
        {"appearance": [0.0] * 65},
        {"appearance": [1, float("nan")]},
        {"appearance": ["1"]},
        {"appearance": "1"},
        {"appearance": [101]},
        {"alternative": 4},
        {"alternative": -1},
        {"alternative": True},
        {"alternative": 1.0},
        {"refinement": 0.5},
        {"refinement": {"nose": 1.01}},
        {"refinement": {"nose": float("nan")}},
        {"refinement": {"nose": "1"}},
        {"refinement": {"nose": True}},
    ],
    ids=repr,
)
def test_other_settings_are_refused(settings):
    refuses(file(settings=settings), "in this file")


@pytest.mark.parametrize("kind", ["json", "face", "sketch"])
def test_damaged_files_raise_nothing_but_value_errors(files, kind):
    """Random cuts and changes; a change that does not matter may pass."""
    rng, data, refused = random.Random(0), files[kind], 0
    for turn in range(150):
        damaged = bytearray(data)
        if turn % 3 == 0:
            del damaged[rng.randrange(len(data)) :]
        for _ in range(rng.choice([0, 1, 30]) if turn % 3 == 0 else 3):
            if damaged:
                # Changes near the start meet the file's structure rather than its pixels.
                place = rng.randrange(rng.choice([min(200, len(damaged)), len(damaged)]))
                damaged[place] = rng.choice(b'[]{}",0-9e\x00\xff') if turn % 2 else rng.randrange(256)
        if turn % 3 == 2:
            start = rng.randrange(len(damaged))
            del damaged[start : start + rng.randrange(1, 50)]
        try:
            assert isinstance(read_session(bytes(damaged)), Session)
        except ValueError as error:
            refused += 1
            assert str(error).endswith(".") and len(str(error)) < 120
    assert refused > 75


# What the pad sends


def test_the_pad_sends_black_on_white_or_on_nothing(face):
    ink = Image.new("RGBA", (512, 512))
    ink.putalpha(face().point(lambda value: 255 - value))
    for drawing in (face(), face().convert("RGB"), ink):
        data = io.BytesIO()
        drawing.save(data, "PNG")
        received = pad_image({"png": url(data.getvalue()), "strokes": [PEN], "n": 3})
        assert received.mode == "L"
        assert received.tobytes() == face().tobytes()


@pytest.mark.parametrize(
    "value", [None, {}, {"png": None, "n": 4}, {"png": url(png())}, {"png": url(png(mode="RGBA", colour=0))}], ids=repr
)
def test_an_empty_pad_is_none(value):
    assert pad_image(value) is None


@pytest.mark.parametrize(
    "value",
    [
        "drawing",
        [1],
        {"png": ""},
        {"png": 5},
        {"png": "data:image/png;base64,####"},
        {"png": "data:image/jpeg;base64,AAAA"},
        {"png": url(b"")},
        {"png": url(png((512, 511)))},
        {"png": url(png((4096, 4096)))},
        {"png": url(png()[:200])},
        {"png": url(png() + bytes(2**20))},
    ],
    ids=lambda value: repr(value)[:50],
)
def test_what_is_no_drawing_is_refused(value):
    with pytest.raises(ValueError, match="did not arrive in one piece"):
        pad_image(value)


def test_a_photo_is_drawn_by_the_tracer(faces):
    data = io.BytesIO()
    Image.fromarray(faces.photos[0]).save(data, "PNG")
    ink = torch.zeros(1, 512, 512)
    ink[:, 100:200, 250:253] = 1
    assert read_session(data.getvalue(), lambda photo: ink) == Session([ink_element(ink)])
