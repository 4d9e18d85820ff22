"""What the page sends of its places, and what it may not."""

import json

import gradio as gr
import pytest
from PIL import Image

from dfd.ui.draw_tab import EXAMPLES, example_session
from dfd.ui.places import LETTERS, Places, thumbnail
from dfd.ui.results import Results
from dfd.ui.session import Session, write_session


@pytest.fixture
def places():
    return Places(examples={path.stem: path for path in EXAMPLES}, initial=["beard"])


def test_examples_go_by_name_and_others_as_sessions(places):
    session = Session([{"tool": "pen", "radius": 2, "points": [[1, 2], [3, 4]]}], {"manifold": "male"})
    sent = ["beard", None, write_session(session).decode(), None, None, None]
    beard = example_session(next(path for path in EXAMPLES if path.stem == "beard"))
    assert places.preprocess(json.dumps(sent)) == [beard, None, session, None, None, None]
    assert places.preprocess(None) == [None] * len(LETTERS)


@pytest.mark.parametrize(
    "sent",
    [False, 7, "{", "[]", "[1,2,3,4,5,6]", "[{},{},{},{},{},{}]", '["nobody",null,null,null,null,null]', "[" * 100_000],
)
def test_anything_else_is_refused_with_a_sentence(places, sent):
    with pytest.raises(gr.Error):
        places.preprocess(sent)


def test_a_name_is_no_path(places):
    with pytest.raises(gr.Error, match="neither a saved drawing"):
        places.preprocess(json.dumps(["../examples/beard", *[None] * 5]))


def test_a_face_from_a_file_is_sent_with_its_picture():
    session = example_session(EXAMPLES[0])
    put = Places.fill(session, Image.open(EXAMPLES[0]))["put"]
    assert put["session"] == write_session(session).decode()
    assert put["picture"] == thumbnail(Image.open(EXAMPLES[0])) and len(put["picture"]) < 10_000
    assert Places.fill(session, Image.open(EXAMPLES[0]))["put"]["id"] != put["id"]


@pytest.mark.parametrize("made", [Places(examples={}), Results()], ids=lambda made: type(made).__name__)
def test_no_listener_stands_in_for_a_prop(made):
    """Gradio would copy it, and all of the page with it, each time that the page is served."""
    assert not any(hasattr(made, name) for name in ("put", "shot", "file"))
