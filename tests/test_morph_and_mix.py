"""`DeepFaceDrawingPipeline.embed`, `morph` and `mix`."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import make_pipeline

from dfd.components import COMPONENTS
from dfd.models import ComponentAutoencoder
from dfd.pipeline import DeepFaceDrawingPipeline

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def shipped():
    """The shipped weights, and three of the page's examples in code form."""
    pipe = DeepFaceDrawingPipeline.from_pretrained(ROOT / "checkpoints")
    names = ("long_hair", "beard", "bob")
    return pipe, *(pipe.embed(ROOT / "dfd" / "ui" / "examples" / f"{name}.png") for name in names)


def pixels(picture):
    return np.asarray(picture, np.float32)


# -- Faces in code form


def test_embed_is_encode_and_project(pipe, face):
    settings = {"manifold": "female", "refinement": 0.8, "num_neighbors": 4}
    embedded = pipe.embed([face(30), face(31)], **settings)
    expected = pipe.project(pipe.encode([face(30), face(31)]), **settings)
    assert all(torch.equal(embedded.latents[name], expected.latents[name]) for name in COMPONENTS)
    assert torch.equal(embedded.appearance, expected.appearance)


def test_codes_and_drawings_serve_alike(pipe, face):
    a, b = pipe.embed(face(1), refinement=0.3), pipe.embed(face(2), refinement=0.3)
    for blend in (
        lambda one, other: pipe.morph(one, other, positions=[0.4], refinement=0.3, output_type="pt"),
        lambda one, other: pipe.mix({"nose": one, "remainder": other}, refinement=0.3, output_type="pt"),
    ):
        assert torch.equal(blend(face(1), face(2)).images, blend(a, b).images)
        assert torch.equal(blend(face(1), b).images, blend(a, b).images)


def test_faces_in_code_form_are_not_encoded_again_and_a_drawing_only_once(pipe, face, monkeypatch):
    encoded = []
    encode = ComponentAutoencoder.encode
    monkeypatch.setattr(ComponentAutoencoder, "encode", lambda self, x: encoded.append(len(x)) or encode(self, x))
    drawing = face(1)
    a = pipe.embed(drawing)
    assert len(encoded) == len(COMPONENTS)
    pipe.morph(a, a, positions=[0.5])
    pipe.mix({"nose": a})
    assert len(encoded) == len(COMPONENTS)
    pipe.mix(dict.fromkeys(COMPONENTS, drawing))
    assert len(encoded) == 2 * len(COMPONENTS)


# -- Morph


@pytest.mark.parametrize("interpolation", ["linear", "spherical"])
def test_the_ends_of_a_morph_are_the_two_faces(pipe, face, interpolation):
    ends = [pipe(drawing) for drawing in (face(1), face(2, without=("mouth",)))]
    morph = pipe.morph(face(1), face(2, without=("mouth",)), steps=4, interpolation=interpolation)
    assert len(morph.images) == 4 and morph.sketches is None
    for at, end in zip((0, -1), ends, strict=True):
        assert np.array_equal(pixels(morph.images[at]), pixels(end.images[0]))
        assert all(torch.equal(morph.latents[name][at], end.latents[name][0]) for name in COMPONENTS)


def test_every_face_of_a_morph_is_nearer_to_the_second(shipped):
    pipe, a, b, _ = shipped
    frames = [pixels(frame) for frame in pipe.morph(a, b, steps=5).images]
    left = [np.abs(frame - frames[-1]).mean() for frame in frames]
    assert all(later < earlier for earlier, later in pairwise(left))
    assert left[0] > 10, "the two examples are different faces"


def test_one_position_is_that_face_of_the_strip(pipe, face):
    strip = pipe.morph(face(1), face(2), steps=5, output_type="pt")
    one = pipe.morph(face(1), face(2), positions=[0.75], output_type="pt")
    assert torch.equal(one.images, strip.images[3:4])
    assert strip.images.shape == (5, 3, 512, 512)


def test_the_colours_of_a_morph_change_with_it(pipe, face):
    a = pipe.embed(face(1))
    b = type(a)(a.latents, {}, a.appearance + 3)
    first, middle, last = pipe.morph(a, b, steps=3, output_type="pt").images
    assert min((first - middle).abs().max(), (middle - last).abs().max()) > 1e-3


def test_the_batch_size_does_not_matter(pipe, face):
    one, many = (pipe.morph(face(1), face(2), steps=5, batch_size=size, output_type="pt").images for size in (1, 3))
    torch.testing.assert_close(one, many, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps": 1}, "steps must be a whole number of at least 2, got 1"),
        ({"steps": 2.5}, "steps must be a whole number of at least 2, got 2.5"),
        ({"positions": []}, "no positions given"),
        ({"positions": 0.5}, r"positions must be a list of numbers in \[0, 1\], got 0.5"),
        ({"positions": np.array(0.5)}, "positions must be a list"),
        ({"positions": [2]}, r"positions must be numbers in \[0, 1\], got 2"),
        ({"interpolation": "cubic"}, "interpolation must be one of linear, spherical, got 'cubic'"),
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1, got 0"),
        ({"output_type": "jpg"}, "output_type must be one of pil, np, pt, got 'jpg'"),
        ({"refinement": 2}, r"refinement must be a number in \[0, 1\], got 2"),
    ],
)
def test_a_morph_out_of_range_is_refused(pipe, face, arguments, message):
    with pytest.raises(ValueError, match=message):
        pipe.morph(face(1), face(2), **arguments)


def test_a_place_takes_one_face(pipe, face):
    pair = pipe.embed([face(1), face(2)])
    with pytest.raises(ValueError, match="one face is needed, got 2"):
        pipe.morph(pair, face(1))
    with pytest.raises(ValueError, match="one face is needed, got 2"):
        pipe.mix({"mouth": pair})


def test_codes_without_an_appearance_are_no_face(pipe, face):
    for other, name in ((pipe.encode(face(1)), "Encoding"), (pipe(face(1)), "DeepFaceDrawingPipelineOutput")):
        with pytest.raises(ValueError, match=f"{name} is no face in code form: `embed` .* `project`"):
            pipe.morph(face(1), other, steps=2)
        with pytest.raises(ValueError, match=f"{name} is no face in code form"):
            pipe.mix({"nose": other})


# -- Mix


def test_a_mix_of_one_face_is_that_face(pipe, face):
    expected = pipe(face(1))
    for faces in (dict.fromkeys(COMPONENTS, face(1)), {"remainder": face(1)}, {"nose": face(1)}):
        mix = pipe.mix(faces)
        assert len(mix.images) == 1 and mix.sketches is None
        assert np.array_equal(pixels(mix.images[0]), pixels(expected.images[0]))
        assert all(torch.equal(mix.latents[name], expected.latents[name]) for name in COMPONENTS)


def test_the_eyes_may_differ(pipe, face):
    mix = pipe.mix({"left_eye": face(1), "right_eye": face(2), "remainder": face(3)})
    for name, person in (("left_eye", 1), ("right_eye", 2), ("nose", 3)):
        assert torch.equal(mix.latents[name], pipe(face(person)).latents[name])


def test_the_map_of_another_mouth_differs_only_in_its_window(shipped):
    pipe, a, b, _ = shipped
    with torch.no_grad():
        one, other = (pipe.feature_mapping(codes) for codes in (a.latents, {**a.latents, "mouth": b.latents["mouth"]}))
    changed = (one - other).abs().amax((0, 1))
    window = pipe.layout.windows["mouth"].scaled(len(changed))
    assert changed[window.slices].max() > 0
    changed[window.slices] = 0
    assert changed.max() == 0


def test_another_mouth_changes_the_mouth_and_leaves_the_rest_nearly_alone(shipped):
    """Of nine pairs of examples the window changed by 8.3 to 22.3 levels of 255 and the rest by 0.6 to 3.3."""
    pipe, *faces = shipped
    for rest in faces[:2]:
        pictures = [pixels(pipe.mix({"mouth": mouth, "remainder": rest}).images[0]) for mouth in (rest, faces[2])]
        changed = np.abs(pictures[0] - pictures[1]).mean(2)
        window = pipe.layout.windows["mouth"].slices
        inside = changed[window].mean()
        changed[window] = np.nan
        assert inside > 4 * np.nanmean(changed) and inside > 4
        assert np.nanmean(changed) < 4  # a beard goes on beside the window


def test_the_giver_of_the_appearance_gives_the_colours(pipe, face):
    faces = {"mouth": face(1), "remainder": face(2)}
    pictures = [pipe.mix(faces, giver, output_type="pt").images for giver in ("remainder", "mouth", "mean")]
    assert torch.equal(pictures[0], pipe.mix(faces, output_type="pt").images)
    assert all((one - other).abs().max() > 1e-3 for one, other in pairwise(pictures))


@pytest.mark.parametrize(
    ("faces", "arguments", "message"),
    [
        ({}, {}, "no face given: a mix needs one"),
        ({"ear": 1}, {}, "faces can be given for left_eye, .*; got 'ear'"),
        ({"nose": 1}, {"appearance_from": "ear"}, "appearance_from must be one of left_eye, .* or mean, got 'ear'"),
        ({"nose": 1}, {"output_type": "jpg"}, "output_type must be one of pil, np, pt, got 'jpg'"),
    ],
)
def test_a_mix_of_unknown_things_is_refused(pipe, face, faces, arguments, message):
    with pytest.raises(ValueError, match=message):
        pipe.mix({name: face(person) for name, person in faces.items()}, **arguments)


def test_without_a_manifold_full_drawings_are_blended_unrefined(face):
    pipe = make_pipeline(with_manifold=False)
    assert len(pipe.morph(face(1), face(2), steps=3, refinement=0).images) == 3
    assert len(pipe.mix({"nose": face(1), "remainder": face(2)}, "mean", refinement=0).images) == 1
