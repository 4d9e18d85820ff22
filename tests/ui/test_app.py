"""The endpoint, as a program calls it."""

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from dfd.ui.draw_tab import EXAMPLES


@pytest.fixture(scope="module")
def client(server):
    return Client(server, verbose=False)


@pytest.fixture(scope="module")
def generate(client):
    """Calls the endpoint with the file as the pad's strokes; returns the bytes of the answered file."""

    def call(path=EXAMPLES[0], manifold="all", refinement=0.5) -> bytes:
        sketch = {"background": None, "layers": [handle_file(str(path))] if path else [], "composite": None}
        result = client.predict(sketch=sketch, manifold=manifold, refinement=refinement, api_name="/generate")
        with open(result, "rb") as file:
            return file.read()

    return call


@pytest.fixture
def picture(tmp_path):
    def save(*size, colour="white"):
        Image.new("RGB", size, colour).save(tmp_path / "picture.png")
        return tmp_path / "picture.png"

    return save


def test_a_drawing_gives_a_photo(generate, tmp_path):
    (tmp_path / "face.png").write_bytes(generate())
    with Image.open(tmp_path / "face.png") as face:
        assert (face.format, face.mode, face.size) == ("PNG", "RGB", (512, 512))
        assert np.asarray(face).std() > 5, "the face is one flat colour"


def test_the_same_call_gives_the_same_bytes(generate):
    assert generate() == generate()


@pytest.mark.parametrize(
    "change", [{"path": EXAMPLES[1]}, {"manifold": "female"}, {"refinement": 1}], ids=lambda change: next(iter(change))
)
def test_every_input_counts(generate, change):
    before = {"path": EXAMPLES[0], "manifold": "male", "refinement": 0}
    assert generate(**before) != generate(**{**before, **change})


def test_a_background_is_read_like_strokes(client, generate):
    sketch = {"background": handle_file(str(EXAMPLES[0])), "layers": [], "composite": None}
    result = client.predict(sketch=sketch, manifold="all", refinement=0.5, api_name="/generate")
    with open(result, "rb") as file:
        assert file.read() == generate()


def test_a_plain_file_is_a_drawing(client, generate):
    result = client.predict(sketch=handle_file(str(EXAMPLES[0])), api_name="/generate")
    with open(result, "rb") as file:
        assert file.read() == generate()


def test_a_program_must_hand_over_a_drawing(client):
    sketch = client.view_api(return_format="dict")["named_endpoints"]["/generate"]["parameters"][0]
    assert (sketch["parameter_name"], sketch["parameter_has_default"]) == ("sketch", False)


def test_an_empty_pad_gets_a_message(client, generate, picture):
    with pytest.raises(AppError, match="canvas is empty"):
        generate(path=None)
    with pytest.raises(AppError, match="canvas is empty"):
        generate(path=picture(512, 512))
    with pytest.raises(AppError, match="canvas is empty"):
        client.predict(sketch=None, manifold="all", refinement=0.5, api_name="/generate")


def test_a_tiny_picture_gets_a_message(generate, picture):
    with pytest.raises(AppError, match="8 x 8 px; a side must have at least 16 px"):
        generate(path=picture(8, 8, colour="black"))


def test_a_file_that_is_no_picture_gets_a_message(generate, tmp_path):
    path = tmp_path / "notes.png"
    path.write_text("not a picture")
    with pytest.raises(AppError, match="cannot be read: it is no picture"):
        generate(path=path)


@pytest.mark.parametrize("wrong", [{"refinement": 1.5}, {"refinement": -0.1}, {"manifold": "robot"}])
def test_values_out_of_range_are_refused(generate, wrong):
    (value,) = wrong.values()
    with pytest.raises(AppError, match=str(value)):
        generate(**wrong)


def test_only_one_endpoint_is_public(client):
    assert list(client.view_api(return_format="dict")["named_endpoints"]) == ["/generate"]
