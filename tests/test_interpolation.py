"""Blended codes, without networks."""

from itertools import pairwise

import pytest
import torch

from dfd.components import COMPONENTS
from dfd.interpolation import INTERPOLATIONS, mix_faces, morph_faces, spherical
from dfd.manifold import Projection

DIM, LOOKS = 64, 4
POSITIONS = [i / 8 for i in range(9)]
STATISTICS = {
    name: (torch.randn(dim, generator=torch.manual_seed(i)), torch.rand(dim, generator=torch.manual_seed(i)) + 0.5)
    for i, (name, dim) in enumerate([*((name, DIM) for name in COMPONENTS), ("appearance", LOOKS)])
}


def person(seed, count=1, appearance=True):
    generator = torch.manual_seed(seed)
    latents = {
        name: STATISTICS[name][0] + STATISTICS[name][1] * torch.randn(count, DIM, generator=generator)
        for name in COMPONENTS
    }
    return Projection(latents, {}, torch.randn(count, LOOKS, generator=generator) if appearance else None)


def codes(face):
    """Component and "appearance" -> codes."""
    return face.latents if face.appearance is None else {**face.latents, "appearance": face.appearance}


def standardised(name, values):
    mean, std = STATISTICS[name]
    return (values - mean) / std


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_ends_are_the_two_faces_exactly(interpolation):
    a, b = person(1), person(2)
    between = codes(morph_faces(a, b, [0, 1], interpolation, STATISTICS))
    for name in (*COMPONENTS, "appearance"):
        assert torch.equal(between[name], torch.cat([codes(a)[name], codes(b)[name]])), name


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_there_and_back_is_the_same_way(interpolation):
    a, b = person(1), person(2)
    there = codes(morph_faces(a, b, POSITIONS, interpolation, STATISTICS))
    back = codes(morph_faces(b, a, POSITIONS[::-1], interpolation, STATISTICS))
    for name, values in there.items():
        torch.testing.assert_close(values, back[name], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_every_step_is_nearer_to_the_second_face_and_farther_from_the_first(interpolation):
    a, b = person(1), person(2)
    for name, values in codes(morph_faces(a, b, POSITIONS, interpolation, STATISTICS)).items():
        to_a, to_b = (
            (standardised(name, values - codes(face)[name] + STATISTICS[name][0])).norm(dim=1) for face in (a, b)
        )
        assert all(later < earlier for earlier, later in pairwise(to_b.tolist())), name
        assert all(later > earlier for earlier, later in pairwise(to_a.tolist())), name


def test_spherical_goes_evenly_between_the_distances_from_the_mean_and_turns_evenly():
    mean, std = STATISTICS["mouth"]
    a, b = (torch.nn.functional.normalize(torch.randn(1, DIM, generator=torch.manual_seed(i))) for i in (1, 2))
    t = torch.tensor(POSITIONS)[:, None]
    arc = standardised("mouth", spherical(mean + 3 * std * a, mean + 5 * std * b, t, mean, std))
    torch.testing.assert_close(arc.norm(dim=1), 3 + 2 * t[:, 0])
    turns = torch.cosine_similarity(arc[1:], arc[:-1]).acos()
    torch.testing.assert_close(turns, turns[:1].expand(8), atol=1e-3, rtol=0)
    torch.testing.assert_close(turns.sum(), torch.cosine_similarity(a, b).acos()[0], atol=1e-3, rtol=0)


def test_linear_is_the_weighted_mean():
    a, b = person(1), person(2)
    (quarter,) = morph_faces(a, b, [0.25], "linear", {}).latents["nose"]
    torch.testing.assert_close(quarter, 0.75 * a.latents["nose"][0] + 0.25 * b.latents["nose"][0])


@pytest.mark.parametrize("factor", [1.0, 2.0, 0.0, -1.0])
def test_spherical_without_a_direction_between_the_faces_is_finite(factor):
    mean, std = STATISTICS["nose"]
    a = mean + std * torch.randn(1, DIM, generator=torch.manual_seed(1))
    b = mean + factor * (a - mean)
    found = spherical(a, b, torch.tensor([[0.0], [0.5], [1.0]]), mean, std)
    torch.testing.assert_close(found, torch.cat([a, (a + b) / 2, b]), atol=1e-5, rtol=1e-5)


def test_without_appearance_there_is_none_between():
    assert morph_faces(person(1, appearance=False), person(2, appearance=False), [0.5], "linear", {}).appearance is None
    assert mix_faces({"nose": person(1, appearance=False)}, "mean").appearance is None


def test_each_component_of_a_mix_is_its_givers_code():
    a, b, c = person(1), person(2), person(3)
    mixed = mix_faces({"left_eye": a, "mouth": b, "remainder": c})
    givers = {"left_eye": a, "right_eye": c, "nose": c, "mouth": b, "remainder": c}
    for name, giver in givers.items():
        assert torch.equal(mixed.latents[name], giver.latents[name]), name
    assert torch.equal(mixed.appearance, c.appearance)


def test_without_a_remainder_the_first_face_gives_the_rest():
    a, b = person(1), person(2)
    mixed = mix_faces({"nose": a, "mouth": b})
    assert torch.equal(mixed.latents["remainder"], a.latents["remainder"])
    assert torch.equal(mixed.latents["left_eye"], a.latents["left_eye"])
    assert torch.equal(mixed.appearance, a.appearance)


def test_the_appearance_is_the_chosen_givers_or_the_mean():
    a, b = person(1), person(2)
    faces = {"mouth": b, "remainder": a}
    assert torch.equal(mix_faces(faces, "mouth").appearance, b.appearance)
    torch.testing.assert_close(mix_faces(faces, "mean").appearance, 0.8 * a.appearance + 0.2 * b.appearance)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0.5], "cubic"), "interpolation must be one of linear, spherical, got 'cubic'"),
        (([], "linear"), "no positions given"),
        (([0, 1.5], "linear"), r"positions must be numbers in \[0, 1\], got 1.5"),
        (([float("nan")], "linear"), "got nan"),
        ((["half"], "linear"), "got 'half'"),
    ],
)
def test_a_morph_out_of_range_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        morph_faces(person(1), person(2), *arguments, STATISTICS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (({},), "no face given: a mix needs one"),
        (({"ear": None},), "faces can be given for left_eye, .*; got 'ear'"),
        (({"nose": None}, "ear"), "appearance_from must be one of left_eye, .* or mean, got 'ear'"),
    ],
)
def test_a_mix_of_unknown_components_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        mix_faces(*arguments)
