"""What the results tell the page, and what they take from it."""

import base64
import io

import gradio as gr
import numpy as np
import pytest
from PIL import Image

from dfd.ui.results import TEXTS, Results, problem, shot
from dfd.ui.session import Session, read_session, write_session

from .browsing import PATIENCE, needs_chromium

SESSION = Session([{"tool": "pen", "radius": 2, "points": [[1, 2], [3, 4]]}], {"manifold": "male"})


def test_a_shot_holds_the_face_and_its_session():
    face = Image.linear_gradient("L").resize((512, 512)).convert("RGB")
    held = shot(face, SESSION, 0.25)
    picture = Image.open(io.BytesIO(base64.b64decode(held["face"].removeprefix("data:image/jpeg;base64,"))))
    assert np.abs(np.asarray(picture, int) - np.asarray(face, int)).mean() < 2
    assert b"shows nobody" in picture.info["comment"]
    assert b"trainedAlgorithmicMedia" in picture.info["xmp"]
    assert read_session(held["session"].encode()) == SESSION
    assert held["seconds"] == 0.25
    assert shot(face, None)["id"] != held["id"]


def test_the_page_gives_a_session_back():
    results = Results()
    assert results.preprocess(write_session(SESSION).decode()) == SESSION
    assert results.preprocess("") is results.preprocess(None) is None
    for strange in ("{}", "nonsense", '{"format": 1}', 7):
        with pytest.raises(gr.Error):
            results.preprocess(strange)


def test_files_travel_whole():
    file = Results.deliver("a.json", b"\x00\xff{}", "application/json", share=True)["file"]
    assert file["name"] == "a.json" and file["share"] is True
    kind, data = file["url"].split(",")
    assert kind == "data:application/json;base64" and base64.b64decode(data) == b"\x00\xff{}"


def test_problems_are_sentences_or_known_words():
    assert problem("nothing_drawn")["problem"] in TEXTS
    assert problem("The drawing is odd.")["problem"] == "The drawing is odd."


@needs_chromium
def test_a_page_shows_no_older_answer_and_keeps_the_last_faces(browser):
    def answer(name, *turns):
        def steps():
            for turn in turns:
                yield Results.show(shot(Image.new("RGB", (8, 8)), SESSION, turn or 9, turn)), gr.skip()
            yield gr.skip(), name

        return steps

    with gr.Blocks(analytics_enabled=False) as demo:
        results, done = Results(elem_id="results"), gr.Textbox(elem_id="done")
        gr.Button(elem_id="late").click(answer("late", 1, 3, 2), None, [results, done])
        gr.Button(elem_id="plain").click(answer("plain", None), None, [results, done])
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    try:
        page.goto(demo.launch(server_name="127.0.0.1", prevent_thread_lock=True, quiet=True, run_history=False)[1])
        for button, seconds in (("late", "3.00"), ("plain", "9.00")):
            page.click(f"#{button}")
            page.wait_for_function(
                "name => document.querySelector('#done :is(input, textarea)').value === name", arg=button
            )
            assert seconds in page.inner_text("#results figcaption")
        page.reload()
        page.wait_for_selector("#results .strip img")
        page.evaluate("sessionStorage.setItem('dfd-last-faces', '[{}]')")
        page.reload()
        page.wait_for_selector("#results .results")
        assert page.locator("#results .strip img").count() == 0
    finally:
        page.close()
        demo.close()
