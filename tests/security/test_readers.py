"""Whatever is handed to the readers, they read it or raise a ValueError: soon, in little memory, and no other file."""

import base64
import functools
import io
import json
import zlib

import gradio as gr
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from dfd.appearance import read_photo
from dfd.sketch import read_sketch
from dfd.ui.draw_tab import EXAMPLES, settings_of
from dfd.ui.pad import PNG, Pad
from dfd.ui.places import Places
from dfd.ui.rendering import render
from dfd.ui.session import Session, pad_image, read_session, write_session

from .pictures import picture_files, png_chunk

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from([10**400, -1, 0, 1, 0.5, 1e308, float("nan"), float("inf"), "", "all", "\0", "../../etc/passwd"]),
    st.text(max_size=20),
)
JSON = st.recursive(
    ODD, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
)


def sketch_is_sane(sketch):
    assert sketch.shape == (1, 512, 512) and sketch.dtype == torch.float32
    assert torch.isfinite(sketch).all() and sketch.min() >= 0 and sketch.max() <= 1


@given(data=picture_files())
def test_sketches_from_files(watch, tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "picture"
    path.write_bytes(data)
    with watch.case("sketch from a file"):
        try:
            sketch_is_sane(read_sketch(path))
        except ValueError as error:
            assert str(error)


ARRAYS = hnp.arrays(
    dtype=st.one_of(
        hnp.integer_dtypes(),
        hnp.unsigned_integer_dtypes(),
        hnp.floating_dtypes(),
        hnp.boolean_dtypes(),
        hnp.complex_number_dtypes(),
    ),
    shape=st.one_of(hnp.array_shapes(max_dims=4, max_side=24), st.sampled_from([(16, 16), (0, 16), (1, 4000)])),
    fill=st.nothing() | st.just(0) | st.just(1),
)


@given(array=ARRAYS)
def test_sketches_from_arrays(watch, array):
    with watch.case("sketch from an array"):
        try:
            sketch_is_sane(read_sketch(array))
        except ValueError as error:
            assert str(error)


@given(data=picture_files())
def test_sessions_from_pictures(watch, data):
    with watch.case("session from a picture"):
        try:
            session = read_session(data)
        except ValueError as error:
            message = str(error)
            assert message.endswith(".") and len(message) < 120
        else:
            assert read_session(write_session(session)) == session


EXAMPLE = json.loads(EXAMPLES[0].with_suffix(".json").read_bytes())


@st.composite
def session_texts(draw):
    """A good session, of which some values are replaced, at any depth."""
    content = json.loads(json.dumps({**EXAMPLE, "strokes": EXAMPLE["strokes"][:3]}))
    for _ in range(draw(st.integers(1, 3))):
        place, value = content, draw(JSON)
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = draw(st.sampled_from(keys)) if keys else None
            if key is None or not isinstance(place[key], dict | list) or draw(st.integers(0, 3)) == 0:
                break
            place = place[key]
        if key is not None:
            place[key] = value
    text = json.dumps(content)
    return text[: draw(st.integers(0, len(text)))] if draw(st.integers(0, 9)) == 0 else text


@given(text=st.one_of(session_texts(), JSON.map(json.dumps), st.text()))
def test_sessions_from_text(watch, text):
    with watch.case("session from text"):
        try:
            session = read_session(text.encode("utf-8", "replace"))
        except ValueError as error:
            assert str(error).endswith(".")
        else:
            drawing = render(session)
            assert (drawing.mode, drawing.size) == ("L", (512, 512))


@given(strokes=JSON, settings=JSON, values=st.lists(ODD, min_size=9, max_size=9))
def test_sessions_from_the_pages_values(watch, strokes, settings, values):
    with watch.case("session from values"):
        for make in (lambda: Session(strokes, settings), lambda: Session([], settings_of(*values))):
            try:
                json.loads(write_session(make()))
            except ValueError as error:
                assert str(error)


@given(value=st.one_of(JSON, JSON.map(json.dumps), st.builds(lambda png: {"png": png}, JSON), picture_files().map(
    lambda data: json.dumps({"png": PNG + base64.b64encode(data).decode()})
)))  # fmt: skip
def test_what_the_pad_sends(watch, value):
    with watch.case("pad"):
        try:
            pad_image(Pad().preprocess(value))
        except (ValueError, gr.Error) as error:
            assert str(error)


places = Places(examples={"one": EXAMPLES[0]})


@given(
    value=st.one_of(
        ODD,
        JSON.map(json.dumps),
        st.lists(session_texts() | st.none() | st.text(), min_size=6, max_size=6).map(json.dumps),
    )
)
def test_what_the_places_send(watch, value):
    with watch.case("places"):
        try:
            assert all(face is None or isinstance(face, Session) for face in places.preprocess(value))
        except gr.Error as error:
            assert str(error)


@functools.cache
def bomb(side, mode="RGBA"):
    """A PNG of one colour: small as a file."""
    depth, colour = {"RGBA": (4, 6), "L": (1, 0)}[mode]
    rows = zlib.compressobj(1)
    line = bytes(1 + depth * side)
    data = b"".join(rows.compress(line) for _ in range(side)) + rows.flush()
    header = side.to_bytes(4, "big") * 2 + bytes([8, colour, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", data) + png_chunk(b"IEND", b"")


READERS = {
    "sketch": lambda data: read_sketch(Image.open(io.BytesIO(data))),
    "photo": lambda data: read_photo(Image.open(io.BytesIO(data))),
    "session": read_session,
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_the_largest_picture_that_is_read_is_read_in_time(watch, read):
    """7,070 x 7,070 px with transparency, 200 MB of pixels."""
    data = bomb(7_070)
    with watch.case("49 megapixels"):
        try:
            read(data)
        except ValueError as error:
            assert "nothing drawn" in str(error)


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_larger_ones_are_not_decoded(watch, read):
    data = bomb(9_000, "L")
    with watch.case("81 megapixels"), pytest.raises(ValueError, match="50 megapixels"):
        read(data)
