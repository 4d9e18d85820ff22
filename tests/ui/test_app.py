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


def assert_says_what_it_is(face):
    assert "shows nobody" in face.text["Description"]
    assert "trainedAlgorithmicMedia" in face.text["XML:com.adobe.xmp"]


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
        assert_says_what_it_is(face)
        assert np.asarray(face).std() > 5, "the face is one flat colour"


def test_the_same_call_gives_the_same_bytes(generate):
    assert generate() == generate()


@pytest.mark.parametrize(
    "change", [{"path": EXAMPLES[1]}, {"manifold": "female"}, {"refinement": 1}], ids=lambda change: next(iter(change))
)
def test_every_input_counts(generate, change):
    before = {"path": EXAMPLES[0], "manifold": "male", "refinement": 0.5}
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
    with pytest.raises(AppError, match="Draw something"):
        generate(path=None)
    with pytest.raises(AppError, match="Draw something"):
        generate(path=picture(512, 512))
    with pytest.raises(AppError, match="Draw something"):
        client.predict(sketch=None, manifold="all", refinement=0.5, api_name="/generate")


def test_messages_are_in_the_language_of_the_request(server):
    german = Client(server, verbose=False, headers={"Accept-Language": "de"})
    with pytest.raises(AppError, match="Zeichne etwas"):
        german.predict(sketch=None, api_name="/generate")
    with pytest.raises(AppError, match="Einer der gewählten Plätze ist leer"):
        german.predict(None, None, api_name="/morph")


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


def test_a_morph_of_any_two_files_is_an_animation(client, tmp_path):
    files = {"a": handle_file(str(EXAMPLES[0])), "b": handle_file(str(EXAMPLES[4].with_suffix(".json")))}
    with Image.open(client.predict(**files, steps=3, kind="gif", bounce=False, api_name="/morph")) as file:
        assert (file.format, file.n_frames, file.size) == ("GIF", 3, (512, 512))
    with pytest.raises(AppError, match="61"):
        client.predict(**files, steps=61, kind="gif", bounce=False, api_name="/morph")
    (tmp_path / "notes.json").write_text("{}")
    with pytest.raises(AppError, match="neither a saved drawing nor"):
        client.predict(**{**files, "b": handle_file(str(tmp_path / "notes.json"))}, api_name="/morph")


def test_a_mix_of_files_is_one_face(client):
    def mix(**parts):
        files = {name: handle_file(str(EXAMPLES[i])) for name, i in parts.items()}
        with Image.open(client.predict(**files, api_name="/mix")) as file:
            assert file.size == (512, 512)
            assert_says_what_it_is(file)
            return np.asarray(file.convert("RGB"), np.float32)

    assert np.array_equal(mix(remainder=0), mix(left_eye=0, nose=0))
    assert np.abs(mix(remainder=0) - mix(remainder=0, mouth=2)).mean() > 0.5
    with pytest.raises(AppError, match="no face given"):
        client.predict(api_name="/mix")


def test_no_other_endpoints_are_public(client):
    endpoints = client.view_api(return_format="dict")["named_endpoints"]
    assert set(endpoints) == {"/generate", "/morph", "/mix"}
