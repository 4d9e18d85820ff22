"""The handler, called as the platform calls it: `inputs` and `parameters` from JSON, from bytes or from an address."""

import base64
import importlib.util
import io
import runpy
from pathlib import Path

import numpy as np
import pytest
from fastapi import HTTPException
from PIL import Image

from dfd.handler import EndpointHandler

#: A program, which PIL would take for a picture and have Ghostscript run.
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\n"


@pytest.fixture(scope="module")
def handler(checkpoint):
    return EndpointHandler(str(checkpoint))


@pytest.fixture
def png(face):
    """The bytes of a drawing's file."""
    file = io.BytesIO()
    face(3).save(file, "PNG")
    return file.getvalue()


def test_text_bytes_and_pictures_are_the_same_drawing(handler, pipe, face, png):
    expected = np.asarray(pipe(face(3)).images[0], int)
    text = base64.b64encode(png).decode()
    wrapped = "\n".join(text[i : i + 76] for i in range(0, len(text), 76))
    for inputs in (text, wrapped, f"data:image/png;base64,{text}", png, face(3), face(3).convert("RGB")):
        photo = handler({"inputs": inputs})
        assert isinstance(photo, Image.Image) and (photo.mode, photo.size) == ("RGB", (512, 512))
        assert np.abs(np.asarray(photo, int) - expected).max() <= 1


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ({"refinement": "0.9", "num_neighbors": "3"}, {"refinement": 0.9, "num_neighbors": 3}),  # from an address
        2 * ({"manifold": "female", "num_neighbors": 5, "refinement": {"mouth": 0}},),
        (None, {}),
    ],
)
def test_parameters_reach_the_pipeline(handler, pipe, face, sent, meant):
    expected = np.asarray(pipe(face(3), **meant).images[0], int)
    photo = handler({"inputs": face(3), "parameters": sent})
    assert np.abs(np.asarray(photo, int) - expected).max() <= 1


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        ({}, 'no "inputs"'),
        ({"inputs": None}, "NoneType"),
        ({"inputs": "/etc/passwd!"}, "base64"),
        ({"inputs": "https://example.org/a,b.png"}, "data URL"),
        ({"inputs": "bm8gcGljdHVyZQ=="}, "no picture"),
        ({"inputs": b"no picture"}, "no picture"),
        ({"inputs": EPS}, "no picture"),
        ({"inputs": Image.new("L", (512, 512), 255)}, "empty"),
        ({"inputs": Image.new("L", (8, 8))}, "at least 16 px"),
    ],
)
def test_bad_inputs_get_a_sentence(handler, request_, sentence):
    with pytest.raises(ValueError, match=sentence):
        handler(request_)


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"refinement": 2}, "2"),
        ({"refinement": "much"}, "much"),
        ({"refinement": "nan"}, "nan"),
        ({"manifold": "robot"}, "robot"),
        ({"output_type": "pt"}, "manifold, refinement, num_neighbors"),
        (["refinement"], "must be a dict"),
    ],
)
def test_bad_parameters_get_a_sentence(handler, face, parameters, sentence):
    with pytest.raises(ValueError, match=sentence):
        handler({"inputs": face(3), "parameters": parameters})


def test_a_cut_off_picture_gets_a_sentence(handler, png):
    with pytest.raises(ValueError, match="cannot read"):
        handler({"inputs": png[: len(png) // 2]})


def test_the_web_service_of_the_docs_refuses_such_pictures_too(checkpoint, tmp_path, monkeypatch):
    (tmp_path / "checkpoints").symlink_to(checkpoint)
    monkeypatch.chdir(tmp_path)
    example = runpy.run_path(Path(__file__).parents[1] / "docs/examples/fastapi_app.py")
    with pytest.raises(HTTPException, match="not a picture") as refused:
        example["face"](EPS)
    assert refused.value.status_code == 400


def test_the_platform_finds_it_in_a_repository(checkpoint, face, tmp_path):
    (tmp_path / "handler.py").write_text("from dfd.handler import EndpointHandler\n")
    spec = importlib.util.spec_from_file_location("handler", tmp_path / "handler.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.EndpointHandler(str(checkpoint))({"inputs": face(0)}).size == (512, 512)
