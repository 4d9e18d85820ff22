"""What the page computes, and what it does not compute twice."""

import platform
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import ImageDraw

from dfd.appearance import read_photo
from dfd.components import COMPONENTS, Layout
from dfd.sketch import sketch_to_pil
from dfd.ui import engine as engine_module
from dfd.ui.engine import WORKERS, Engine, Memory, clear

SETTINGS = {"manifold": "all", "refinement": 0.5, "num_neighbors": 4}


@pytest.fixture
def engine(pipe):
    return Engine(pipe)


@pytest.fixture
def calls(pipe, monkeypatch):
    """The names of the pipeline's steps that were called, and the samples decoded."""
    called = []
    for name in ("encode", "project", "synthesize", "shadow", "decode_samples"):
        step = getattr(pipe, name)

        def counted(*args, _name=name, _step=step, **kwargs):
            called.extend(args[1].tolist() if _name == "decode_samples" else [_name])
            return _step(*args, **kwargs)

        monkeypatch.setattr(pipe, name, counted, raising=False)
    return called


def test_the_face_is_the_pipelines(engine, pipe, face):
    drawing = face(30)
    result = engine.face(drawing, SETTINGS)
    expected = pipe(drawing, **SETTINGS).images[0]
    assert np.abs(np.asarray(result.face, int) - np.asarray(expected, int)).max() <= 1
    assert result.face.size == (512, 512)


def test_a_chosen_appearance_is_the_faces(engine, pipe, face):
    code = pipe.random_appearance(2)
    result = engine.face(face(30), {**SETTINGS, "appearance": code.tolist()})
    expected = pipe(face(30), **SETTINGS, appearance=code).images[0]
    assert np.abs(np.asarray(result.face, int) - np.asarray(expected, int)).max() <= 1
    with pytest.raises(ValueError, match="appearance must be 4"):
        engine.face(face(30), {**SETTINGS, "appearance": [1.0, 2.0]})


def test_a_person_has_colours_of_its_own_unless_some_are_chosen(engine, pipe, face):
    drawing, settings = face(30), {"manifold": "all", "refinement": 0.5, "num_neighbors": 5}
    likely = engine.code(drawing, settings).appearance
    one = engine.code(drawing, {**settings, "person": 4}).appearance
    assert torch.equal(one, pipe.recolor(likely, 4)) and not torch.equal(one, likely)
    chosen = pipe.random_appearance(1)
    assert torch.equal(engine.code(drawing, {**settings, "person": 4, "appearance": chosen}).appearance[0], chosen)


def test_alternatives_are_those_of_an_unfinished_drawing(engine, pipe, face):
    unfinished = face(30, without=("nose", "mouth"))
    expected = pipe.project(pipe.encode(unfinished), **SETTINGS, num_alternatives=4)
    for i in range(4):
        projection = engine.face(unfinished, {**SETTINGS, "alternative": i}).projection
        torch.testing.assert_close(projection.latents["mouth"], expected.latents["mouth"][i : i + 1])
        assert torch.equal(projection.neighbors["mouth"].ids, expected.neighbors["mouth"].ids[i : i + 1])
    faces = engine.alternatives(unfinished, {**SETTINGS, "alternative": 2})
    first = engine.face(unfinished, SETTINGS).face
    assert len(faces) == 4 and np.array_equal(faces[0], first)
    # What is chosen for an unfinished drawing does no harm when it is finished.
    assert engine.alternatives(face(30), SETTINGS) == []
    kept = engine.face(face(30), {**SETTINGS, "alternative": 2}).face
    assert np.array_equal(kept, engine.face(face(30), SETTINGS).face)


def test_photos_are_traced_as_by_the_pipeline(engine, pipe, faces):
    photo = np.array(faces.photos[0])
    assert np.array_equal(sketch_to_pil(engine.trace(photo)), pipe.extract_lines(photo))


def test_swatches_are_made_once(engine, pipe, face, calls):
    pictures = engine.swatch_faces(face(3), SETTINGS)
    assert len(pictures) == len(pipe.palette()) == calls.count("synthesize")
    expected = engine.face(face(3), {**SETTINGS, "appearance": pipe.palette()[7]}).face
    assert np.array_equal(pictures[7], expected)
    calls.clear()
    engine.swatch_faces(face(3), SETTINGS)
    assert calls == []


def test_the_shadow_is_the_pipelines(engine, pipe, face):
    drawing = face(30)
    ink = pipe(drawing, **SETTINGS, return_shadow=True, output_type="pt").shadow
    expected = sketch_to_pil(clear(ink, pipe.layout.remainder_mask[0].bool())[0])
    shadow = engine.shadow(engine.face(drawing, SETTINGS).projection)
    assert (shadow.mode, shadow.size) == ("L", (512, 512))
    assert np.abs(np.asarray(shadow, int) - np.asarray(expected, int)).max() <= 8, "8 bits, stretched"


def test_haze_is_cleared_and_lines_become_black():
    shadow, outside = torch.full((2, 1, 100, 100), 0.05), torch.arange(100).expand(100, 100) < 50
    shadow[0, :, :5], shadow[1, :, :5] = 0.4, 0.8
    shadow[0, :, :5, 50:] = 0.9  # in the windows another decoder has drawn
    cleared = clear(shadow, outside)
    assert cleared[:, :, :5].min() == 1 and cleared[:, :, 5:].max() == 0
    assert not clear(torch.full((1, 1, 100, 100), 0.02), outside).any(), "an empty shadow stays empty"


def test_a_slider_does_not_encode_again_and_leaves_the_shadow(engine, face, calls):
    engine.shadow(engine.face(face(30), SETTINGS).projection)
    assert calls[:3] == ["encode", "project", "synthesize"]
    calls.clear()
    engine.shadow(engine.face(face(30), {**SETTINGS, "refinement": 0.9}).projection)
    assert calls == ["project", "synthesize"]


def test_a_stroke_in_one_window_leaves_the_other_components_alone(engine, pipe, face, monkeypatch):
    worked_on = {}

    def count(owner, name):
        step, worked = getattr(owner, name), worked_on.setdefault(name, [])
        monkeypatch.setattr(owner, name, lambda c, *rest: worked.append(c) or step(c, *rest), raising=False)

    count(pipe, "encode_component")
    count(pipe.manifold, "neighbors")
    count(pipe.feature_mapping, "decode")
    drawing = face(30)
    engine.face(drawing, SETTINGS)
    assert all(sorted(components) == sorted(COMPONENTS) for components in worked_on.values())
    eye = Layout().windows["left_eye"]  # its upper left corner lies in no other window
    ImageDraw.Draw(drawing).line(
        [(eye.x + 10, eye.y + 20), (eye.x + 60, eye.y + 40)], fill=0, width=4
    )  # in no other window
    for components in worked_on.values():
        components.clear()
    touched = engine.face(drawing, SETTINGS)
    assert worked_on == {"encode_component": ["left_eye"], "neighbors": ["left_eye"], "decode": ["left_eye"]}
    expected = pipe(drawing, **SETTINGS).images[0]
    assert np.abs(np.asarray(touched.face, int) - np.asarray(expected, int)).max() <= 1


def test_a_stroke_decodes_only_samples_not_met_before(engine, face, calls):
    engine.shadow(engine.face(face(30), SETTINGS).projection)
    calls.clear()
    result = engine.face(face(30, without=("mouth",)), SETTINGS)
    engine.shadow(result.projection)
    decoded = [row for row in calls if isinstance(row, int)]
    assert 0 < len(decoded) < sum(near.indices.numel() for near in result.projection.neighbors.values())
    assert calls.count("encode") == 1


def test_samples_are_decoded_in_the_order_asked_for_even_when_many_are_forgotten(engine, pipe):
    engine.samples = Memory(3)
    rows = torch.tensor([4, 2, 4, 9, 11, 2])
    engine._decode_samples("nose", torch.tensor([4, 5]))
    expected = pipe.decode_samples("nose", rows)
    assert torch.allclose(engine._decode_samples("nose", rows), expected, atol=0.5 / 255)


def test_many_threads_that_ask_are_served_by_few(engine, pipe, face, faces, monkeypatch):
    """Whatever the page asks for, the networks run in the engine's threads, which are none of those that ask."""
    computed, asked = set(), set()
    for owner, name in [
        (pipe, "encode"),
        (pipe, "decode_samples"),
        (pipe, "synthesize"),
        (pipe, "palette"),
        (pipe, "appearance_of"),
        (engine_module, "trace_photo"),
    ]:
        step = getattr(owner, name)

        def watched(*args, _step=step, **kwargs):
            computed.add(threading.get_ident())
            return _step(*args, **kwargs)

        monkeypatch.setattr(owner, name, watched, raising=False)
    photo = faces.photos[0]

    def ask(number):
        asked.add(threading.get_ident())
        result = engine.face(face(number), SETTINGS)
        engine.shadow(result.projection)
        engine.helpers(result.projection)
        engine.inspect(result.encoding, SETTINGS)
        engine.morph(result.projection, engine.code(face(0), SETTINGS), 0.5)
        engine.alternatives(face(number, without=("mouth",)), SETTINGS)
        engine.swatch_faces(face(0), SETTINGS)
        engine.trace(np.array(photo))
        engine.appearance_of(read_photo(photo))
        return result.face

    expected = [np.asarray(Engine(pipe).face(face(number), SETTINGS).face) for number in range(4)]
    computed.clear()
    barrier = threading.Barrier(4)
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda number: barrier.wait() >= 0 and ask(number), range(4)))
    # Sums in another order, on fewer cores, may be rounded to the next of 255 steps.
    assert all(np.abs(np.asarray(a, int) - b).max() <= 1 for a, b in zip(found, expected, strict=True))
    assert len(asked) == 4 and len(computed) <= WORKERS and not computed & asked


@pytest.mark.parametrize(("others", "share"), [(0, 8), (1, 4), (9, 4)])
def test_cores_are_shared_among_faces_that_are_made_side_by_side(pipe, face, monkeypatch, others, share):
    monkeypatch.setattr(engine_module, "WORKERS", 2)
    engine, shares = Engine(pipe), []
    engine.cores, engine.asked = 8, others
    monkeypatch.setattr(torch, "set_num_threads", shares.append)
    engine.face(face(1), SETTINGS)
    assert shares == [share] and engine.asked == others


def test_two_faces_are_made_at_the_same_time_where_there_are_cores(pipe, face, monkeypatch):
    monkeypatch.setattr(engine_module, "WORKERS", 2)
    engine, both = Engine(pipe), threading.Barrier(2)
    monkeypatch.setattr(pipe, "project", lambda *_, **__: both.wait(timeout=30), raising=False)
    monkeypatch.setattr(Engine, "_picture", lambda *_: None)
    with ThreadPoolExecutor(2) as visitors:
        list(visitors.map(lambda number: engine.face(face(number), SETTINGS), range(2)))


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's arenas")
def test_threads_share_one_arena():
    code = """
import ctypes, threading
from dfd.ui import engine
engine.share_one_arena()
libc, barrier = ctypes.CDLL(None), threading.Barrier(6)
libc.fdopen.restype = ctypes.c_void_p
def work():
    barrier.wait()
    libc.malloc(50_000)
    barrier.wait()
threads = [threading.Thread(target=work) for _ in range(6)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
out = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, out)
libc.fflush(out)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.count("<heap nr=") == 1


def test_errors_come_through_as_they_are(engine, face, monkeypatch):
    class Peculiar(Exception):
        pass

    def crash(self, face):
        raise Peculiar("out of order")

    with monkeypatch.context() as patch:
        patch.setattr(Engine, "_picture", crash)
        with pytest.raises(Peculiar, match="out of order"):
            engine.face(face(30), SETTINGS)
    assert engine.face(face(30), SETTINGS).face.size == (512, 512)


def test_who_draws_does_not_wait_for_all_swatches(engine, face, monkeypatch):
    picture, order = Engine._picture, []

    def slow(self, face):
        time.sleep(0.02)
        order.append("swatch")
        return picture(self, face)

    monkeypatch.setattr(Engine, "_picture", slow)
    with ThreadPoolExecutor(1) as another:
        swatches = another.submit(engine.swatch_faces, face(0), SETTINGS)
        while not order:
            time.sleep(0.01)
        engine.face(face(1), SETTINGS)
        assert not swatches.done()
        assert len(swatches.result()) > 3


def test_an_empty_drawing_is_refused(engine, face):
    with pytest.raises(ValueError, match="empty"):
        engine.face(face(0).point(lambda _: 255), SETTINGS)


def test_memory_forgets_what_was_not_asked_for_longest():
    memory = Memory(2)
    for key in ("a", "b", "a", "c"):
        memory.recall(key, lambda key=key: key.upper())
    assert [memory.get(key) for key in "abc"] == ["A", None, "C"]
    assert memory.recall("a", lambda: "anew") == "A"


def test_on_zerogpu_the_networks_run_in_calls_that_are_lent_a_gpu(pipe, face, monkeypatch):
    lent = []

    def gpu(call):
        def lending(*args):
            lent.append(call.__name__)
            return call(*args)

        return lending

    monkeypatch.setattr(engine_module, "GPU", gpu)
    engine = Engine(pipe)
    engine.shadow(engine.face(face(30), SETTINGS).projection)
    assert lent == ["face", "shadow"]
