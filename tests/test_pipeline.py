import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import BANK_SIZE, LATENT_DIM, draw_face, make_pipeline
from safetensors.torch import load_file, save_file

from dfd.components import COMPONENTS, PARTS, Layout
from dfd.manifold import ComponentManifold, Neighbors
from dfd.models import ComponentAutoencoder
from dfd.models.presets import build
from dfd.pipeline import DeepFaceDrawingPipeline, drawn_components
from dfd.sketch import read_sketch

WEIGHTS = "diffusion_pytorch_model.safetensors"


def digest(images):
    return hashlib.sha256(np.ascontiguousarray(images).tobytes()).hexdigest()


# -- The call


def test_one_drawing_gives_one_photo(pipe, face):
    output = pipe(face())
    (image,) = output.images
    assert image.size == (512, 512) and image.mode == "RGB"
    assert torch.equal(output.sketches, read_sketch(face())[None])
    assert {name: tuple(codes.shape) for name, codes in output.latents.items()} == dict.fromkeys(
        COMPONENTS, (1, LATENT_DIM)
    )
    assert output.shadow is None and output.neighbors is None


def test_output_types_hold_the_same_picture(pipe, face):
    pil, array, tensor = (pipe([face(), face(1)], output_type=t).images for t in ("pil", "np", "pt"))
    assert array.shape == (2, 512, 512, 3) and array.dtype == np.float32
    assert tensor.shape == (2, 3, 512, 512) and tensor.dtype == torch.float32
    assert 0 <= array.min() < array.max() <= 1
    assert np.array_equal(array, tensor.permute(0, 2, 3, 1).numpy())
    for i in range(2):
        assert np.abs(np.asarray(pil[i]) / 255 - array[i]).max() <= 0.5 / 255 + 1e-6


def test_the_same_call_gives_the_same_picture(pipe, face):
    first = pipe(face(), refinement=0.7, output_type="np").images
    pipe(face(3))
    assert digest(first) == digest(pipe(face(), refinement=0.7, output_type="np").images)


def test_a_batch_gives_what_its_drawings_give_alone(pipe, face):
    drawings = [face(1), face(2, without=("mouth",)), face(30)]
    together = pipe(drawings, output_type="pt", return_shadow=True)
    for i, drawing in enumerate(drawings):
        alone = pipe(drawing, output_type="pt", return_shadow=True)
        torch.testing.assert_close(together.images[i], alone.images[0], atol=1e-3, rtol=0)
        torch.testing.assert_close(together.shadow[i], alone.shadow[0], atol=1e-3, rtol=0)


def test_different_drawings_and_settings_give_different_pictures(pipe, face):
    pictures = [
        pipe(face(person), **{"num_neighbors": 5, **settings}, output_type="np").images
        for person, settings in [
            (30, {"refinement": 0}),
            (31, {"refinement": 0}),
            (30, {"refinement": 1}),
            (30, {"refinement": {**dict.fromkeys(COMPONENTS, 0), "mouth": 1}}),
            (30, {"refinement": 1, "manifold": "male"}),
            (30, {"refinement": 1, "num_neighbors": 2}),
        ]
    ]
    assert len({digest(picture) for picture in pictures}) == len(pictures)


def test_return_dict_false_gives_a_tuple(pipe, face):
    output = pipe(face(), output_type="np", return_neighbors=True)
    images, sketches, latents, shadow, neighbors = pipe(
        face(), output_type="np", return_neighbors=True, return_dict=False
    )
    assert np.array_equal(images, output.images) and torch.equal(sketches, output.sketches)
    assert torch.equal(latents["nose"], output.latents["nose"]) and shadow is None
    assert torch.equal(neighbors["nose"].ids, output.neighbors["nose"].ids)


def test_models_are_used_in_evaluation_mode_and_without_gradients(face):
    pipe = make_pipeline()
    before = {name: value.clone() for name, value in pipe.mouth_autoencoder.state_dict().items()}
    output = pipe(face(), output_type="pt")
    assert not output.images.requires_grad
    assert all(torch.equal(before[n], v) for n, v in pipe.mouth_autoencoder.state_dict().items())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"manifold": "men"}, "manifold must be one of male, female, all, got 'men'"),
        ({"refinement": 1.5}, r"refinement must be a number in \[0, 1\], got 1.5"),
        ({"refinement": {"nose": -1}}, "got -1 for nose"),
        ({"refinement": {"ear": 1}}, "got 'ear'"),
        ({"num_neighbors": 0}, "from 1 to 24, .*'all'; got 0"),
        ({"num_neighbors": 25}, "from 1 to 24, .*'all'; got 25"),
        ({"num_neighbors": 9, "manifold": "male"}, "from 1 to 8, .*'male'; got 9"),
        ({"num_neighbors": 2.5}, "got 2.5"),
        ({"output_type": "jpg"}, "output_type must be one of pil, np, pt, got 'jpg'"),
        ({"appearance": [1.0, 2.0]}, r"appearance must be 4 or 1 x 4 finite numbers, got shape \(2,\)"),
        ({"appearance": [float("nan")] * 4}, "finite"),
        ({"appearance": "red"}, "appearance must be 4 or 1 x 4 finite numbers, got 'red'"),
        ({"appearance": {"skin": 1}}, "appearance must be 4 or 1 x 4 finite numbers, got {'skin': 1}"),
        ({"appearance": [None] * 4}, r"appearance must be 4 or 1 x 4 finite numbers, got \[None"),
        ({"appearance": [10**400] * 4}, "appearance must be 4 or 1 x 4 finite numbers, got"),
        ({"appearance": [[1, 2], [3]]}, "appearance must be 4 or 1 x 4 finite numbers, got"),
        ({"appearance": 10**400}, "a seed is a whole number"),
    ],
)
def test_arguments_out_of_range_are_refused(pipe, face, arguments, message):
    with pytest.raises(ValueError, match=message):
        pipe(face(), **{"num_neighbors": 5, **arguments})


def test_an_empty_drawing_is_refused(pipe, face):
    white = face(without=COMPONENTS)
    with pytest.raises(ValueError, match="the drawing is empty: draw something"):
        pipe(white)
    with pytest.raises(ValueError, match="drawing 1 is empty: draw something"):
        pipe([face(), white])
    with pytest.raises(ValueError, match="no drawing given"):
        pipe([])
    speck = white.copy()
    speck.paste(0, (200, 230, 202, 232))
    with pytest.raises(ValueError, match="draw something"):
        pipe(speck)


# -- The steps


def test_the_call_is_its_four_steps(pipe, face):
    output = pipe(face(30), manifold="female", refinement=0.8, num_neighbors=4, output_type="pt", return_shadow=True)
    encoding = pipe.encode(face(30))
    projection = pipe.project(encoding, manifold="female", refinement=0.8, num_neighbors=4)
    assert torch.equal(pipe.synthesize(projection.latents, projection.appearance), output.images)
    assert torch.equal(pipe.shadow(projection.neighbors), output.shadow)


def test_a_step_takes_no_seed(pipe, face):
    projection = pipe.project(pipe.encode(face(30)), num_neighbors=4)
    for seed in (7, 10**400):
        with pytest.raises(ValueError, match="is no appearance: `recolor` varies"):
            pipe.synthesize(projection.latents, seed)


def test_editing_does_not_encode_again(pipe, face, monkeypatch):
    encoding = pipe.encode(face())

    def encode(*_):
        raise AssertionError("encoded again")

    for autoencoder in pipe.autoencoders.values():
        monkeypatch.setattr(autoencoder.encoder, "forward", encode)
    projection = pipe.project(encoding, refinement=0.3)
    pipe.synthesize(projection.latents)
    pipe.shadow(projection.neighbors)


def test_refinement_0_keeps_what_was_drawn(pipe, face):
    output = pipe(face(30), refinement=0, num_neighbors=5, emphasis=0)
    encoding = pipe.encode(face(30))
    assert all(torch.equal(output.latents[name], encoding.latents[name]) for name in COMPONENTS)


def test_emphasis_makes_parts_distinct_and_leaves_the_remainder(pipe, face):
    average = {name: pipe.manifold.codes.get_buffer(name).mean(0) for name in COMPONENTS}
    distances = []
    for emphasis in (0, 0.5, 1):
        latents = pipe(face(30), num_neighbors=5, emphasis=emphasis).latents
        distances.append({name: float((latents[name] - average[name]).norm()) for name in COMPONENTS})
    none, half, full = distances
    assert any(none[name] < half[name] < full[name] for name in PARTS)
    assert all(none[name] <= half[name] + 1e-4 and half[name] <= full[name] + 1e-4 for name in PARTS)
    assert none["remainder"] == full["remainder"]


@pytest.mark.parametrize("emphasis", [-0.1, 2.1, float("nan"), "much", None])
def test_other_emphasis_is_refused(pipe, face, emphasis):
    with pytest.raises(ValueError, match=r"emphasis must be a number in \[0, 2\]"):
        pipe(face(30), num_neighbors=5, emphasis=emphasis)


def test_a_seed_varies_the_likely_appearance_and_nothing_else(pipe, face):
    likely, one, same, other = (pipe(face(30), num_neighbors=5, appearance=a) for a in (None, 1, 1, 2))
    assert np.array_equal(one.images[0], same.images[0])
    assert not np.array_equal(one.images[0], likely.images[0]) and not np.array_equal(one.images[0], other.images[0])
    assert all(torch.equal(one.latents[name], likely.latents[name]) for name in COMPONENTS)
    with pytest.raises(ValueError, match="seed"):
        pipe(face(30), num_neighbors=5, appearance=-1)


def test_refinement_1_of_a_training_drawing_gives_it_back(pipe, face):
    output = pipe(face(7), refinement=1, num_neighbors=1, return_neighbors=True, emphasis=0)
    for name in COMPONENTS:
        assert output.neighbors[name].ids.tolist() == [[107]]
        torch.testing.assert_close(output.latents[name], pipe.manifold.codes.get_buffer(name)[[7]])


def test_neighbours_on_request_belong_to_the_subset(pipe, face):
    neighbors = pipe(face(30), manifold="male", num_neighbors=4, return_neighbors=True).neighbors
    assert set(neighbors) == set(COMPONENTS)
    for near in neighbors.values():
        assert near.ids.shape == near.weights.shape == near.distances.shape == (1, 4)
        assert (pipe.manifold.genders[near.ids - 100] == 0).all()
        torch.testing.assert_close(near.weights.sum(1), torch.ones(1))
        assert (near.distances.diff() >= 0).all()


# -- Half-finished faces


@pytest.mark.parametrize("missing", [("mouth",), ("nose", "mouth"), ("left_eye", "right_eye"), ("remainder",)])
def test_what_is_not_drawn_comes_from_the_same_person(pipe, face, missing):
    for person in (3, 11, 20):
        latents = pipe(face(person, without=missing), refinement=0).latents
        for name in missing:
            distance = (pipe.manifold.codes.get_buffer(name) - latents[name]).norm(dim=1)
            assert distance.argmin() == person


def test_completion_stays_within_the_subset(pipe, face):
    male = int(torch.nonzero(pipe.manifold.genders == 0)[1])
    output = pipe(face(male, without=("mouth",)), manifold="female", num_neighbors=3, return_neighbors=True)
    assert (pipe.manifold.genders[output.neighbors["mouth"].ids - 100] == 1).all()


@pytest.mark.parametrize("only", COMPONENTS)
def test_a_component_is_not_drawn_by_its_neighbours_lines(only):
    """Windows overlap: the nose's tip lies in the mouth's, the eyes' corners in the nose's."""
    sketch = read_sketch(draw_face(without=tuple(name for name in COMPONENTS if name != only)))[None]
    assert {name: bool(drawn) for name, drawn in drawn_components(Layout(), sketch).items()} == {
        name: name == only for name in COMPONENTS
    }


def test_a_full_face_has_all_components(face):
    sketches = torch.stack([read_sketch(face(i)) for i in range(BANK_SIZE)])
    assert all(mask.all() for mask in drawn_components(Layout(), sketches).values())


# -- Shadow


def test_shadow_types(pipe, face):
    tensor, array, (image,) = (pipe(face(), return_shadow=True, output_type=t).shadow for t in ("pt", "np", "pil"))
    assert tensor.shape == (1, 1, 512, 512) and array.shape == (1, 512, 512, 1)
    assert tensor.dtype == torch.float32 and tensor.min() >= 0 and tensor.max() <= 1
    assert np.array_equal(array[0, ..., 0], tensor[0, 0].numpy())
    assert image.mode == "L" and image.size == (512, 512)
    # Ink is dark in the picture.
    assert np.abs(1 - np.asarray(image) / 255 - array[0, ..., 0]).max() <= 0.5 / 255 + 1e-6


def test_shadow_decodes_one_batch_a_component_and_what_has_weight_once(pipe, face, monkeypatch):
    batches = []
    decode = ComponentAutoencoder.decode
    monkeypatch.setattr(ComponentAutoencoder, "decode", lambda self, x: batches.append(len(x)) or decode(self, x))
    drawings = [face(), face(1), face()]
    near = pipe(drawings, return_shadow=True, return_neighbors=True, num_neighbors=6).neighbors
    assert batches == [len(n.indices[n.weights > 0].unique()) for n in near.values()]
    assert 5 < sum(batches) < 5 * 12


def test_shadow_is_the_weighted_mean_of_the_decoded_neighbours_without_negative_weights(pipe, monkeypatch):
    """Decoders are replaced by one that paints the window in the code's first number."""
    bank = {name: torch.zeros(3, LATENT_DIM) for name in COMPONENTS}
    for name in COMPONENTS:
        bank[name][:, 0] = torch.tensor([0.2, 0.6, 1.7])  # the last is clamped to 1
    bank["mouth"][:, 0] = 0.9
    manifold = ComponentManifold.from_codes(bank, range(3), [0, 0, 1], torch.zeros(3, 4))
    painted = DeepFaceDrawingPipeline(**{**pipe.components, "manifold": manifold})

    def decode(self, latent):
        size = self.config.window_size // self.config.pool
        return latent[:, :1, None, None].expand(-1, 1, size, size)

    monkeypatch.setattr(ComponentAutoencoder, "decode", decode)
    rows = torch.tensor([[0, 1, 2]])
    near = Neighbors(rows, rows, torch.tensor([[0.9, 0.3, -0.2]]), torch.ones(1, 3))
    shadow = painted.shadow(dict.fromkeys(COMPONENTS, near))
    mean = (0.9 * 0.2 + 0.3 * 0.6) / 1.2
    torch.testing.assert_close(shadow[0, 0, 10, 10], torch.tensor(mean))
    torch.testing.assert_close(shadow[0, 0, 220, 172], torch.tensor(mean))
    torch.testing.assert_close(shadow[0, 0, 420, 265], torch.tensor(0.9))  # the mouth's window
    brightest = painted.shadow(dict.fromkeys(COMPONENTS, Neighbors(rows, rows, torch.eye(3)[2:], torch.ones(1, 3))))
    assert brightest.max() <= 1 and brightest[0, 0, 10, 10] == 1


# -- Appearance


def test_appearance_is_the_likely_one_unless_given(pipe, face):
    default = pipe(face(5), num_neighbors=1, output_type="pt").images
    own = pipe.project(pipe.encode(face(5)), num_neighbors=1).appearance[0]
    torch.testing.assert_close(pipe(face(5), num_neighbors=1, appearance=own, output_type="pt").images, default)
    other = pipe(face(5), num_neighbors=1, appearance=(own + 3).tolist(), output_type="pt").images
    assert (other - default).abs().max() > 1e-3
    pair = pipe([face(5)] * 2, num_neighbors=1, appearance=torch.stack([own, own + 3]), output_type="pt").images
    torch.testing.assert_close(pair, torch.cat([default, other]), atol=1e-3, rtol=0)


# -- Without a manifold


def test_without_a_manifold_full_drawings_pass_unrefined(face):
    pipe = make_pipeline(with_manifold=False)
    output = pipe(face(), refinement=0, output_type="pt")
    assert output.images.shape == (1, 3, 512, 512)
    with pytest.raises(ValueError, match=r"no manifold: refinement must be 0, got 0\.5"):
        pipe(face())
    with pytest.raises(ValueError, match="no manifold to draw what is missing: mouth"):
        pipe(face(without=("mouth",)), refinement=0)
    for wish in ("return_shadow", "return_neighbors"):
        with pytest.raises(ValueError, match="cannot return a shadow or neighbours"):
            pipe(face(), refinement=0, **{wish: True})


# -- Checkpoints


def test_a_checkpoint_gives_the_same_bits_in_a_fresh_process_that_imports_dfd(pipe, checkpoint, face, tmp_path):
    face(30, without=("nose",)).save(tmp_path / "drawing.png")
    code = """
import hashlib, sys
import dfd
pipe = dfd.DeepFaceDrawingPipeline.from_pretrained(sys.argv[1])
images = pipe(sys.argv[2], output_type="np").images
assert "gradio" not in sys.modules
print(hashlib.sha256(images.tobytes()).hexdigest())
"""
    root = Path(__file__).parent.parent
    run = subprocess.run(
        [sys.executable, "-c", code, checkpoint, tmp_path / "drawing.png"],
        capture_output=True,
        text=True,
        cwd=root,
    )
    assert run.returncode == 0, run.stderr
    assert "Expected types" not in run.stderr
    assert run.stdout.split()[-1] == digest(pipe(face(30, without=("nose",)), output_type="np").images)


def test_loaded_weights_are_the_saved_ones_in_evaluation_mode(pipe, checkpoint):
    loaded = DeepFaceDrawingPipeline.from_pretrained(checkpoint)
    assert loaded.components.keys() == pipe.components.keys()
    for name, model in pipe.components.items():
        again = getattr(loaded, name)
        assert not again.training
        assert again.state_dict().keys() == model.state_dict().keys()
        assert all(torch.equal(again.state_dict()[key], value) for key, value in model.state_dict().items())


def test_a_pipeline_without_optional_components_round_trips(tmp_path, face):
    pipe = make_pipeline(with_manifold=False)
    pipe.save_pretrained(tmp_path)
    loaded = DeepFaceDrawingPipeline.from_pretrained(tmp_path)
    assert loaded.manifold is None
    first, second = (p(face(), refinement=0, output_type="np").images for p in (pipe, loaded))
    assert digest(first) == digest(second)


def test_a_component_loads_alone(pipe, checkpoint):
    mouth = ComponentAutoencoder.from_pretrained(checkpoint, subfolder="mouth_autoencoder")
    assert all(torch.equal(v, mouth.state_dict()[k]) for k, v in pipe.mouth_autoencoder.state_dict().items())


def test_half_precision_on_disk_is_float32_in_memory(face, tmp_path):
    make_pipeline().to(torch.float16).save_pretrained(tmp_path)
    stored = load_file(tmp_path / "image_synthesis" / WEIGHTS)
    assert all(value.dtype == torch.float16 for value in stored.values())
    loaded = DeepFaceDrawingPipeline.from_pretrained(tmp_path)
    assert loaded.image_synthesis.dtype == loaded.manifold.codes.nose.dtype == torch.float32
    assert all(torch.equal(v.float(), loaded.image_synthesis.state_dict()[k]) for k, v in stored.items())
    loaded(face())
    half = DeepFaceDrawingPipeline.from_pretrained(tmp_path, dtype=torch.float16)
    assert half.image_synthesis.dtype == torch.float16


def test_a_variant_is_saved_beside_the_other_weights(checkpoint, tmp_path):
    folder = tmp_path / "both"
    shutil.copytree(checkpoint, folder)
    whole, half = (folder / "nose_autoencoder" / name for name in (WEIGHTS, WEIGHTS.replace(".", ".fp16.")))
    before = whole.read_bytes()
    DeepFaceDrawingPipeline.from_pretrained(folder, dtype=torch.float16).save_pretrained(folder, variant="fp16")
    assert whole.read_bytes() == before and half.stat().st_size < 0.6 * whole.stat().st_size
    loaded = DeepFaceDrawingPipeline.from_pretrained(folder, variant="fp16").nose_autoencoder.state_dict()
    assert all(torch.equal(value.float(), loaded[name]) for name, value in load_file(half).items())
    with pytest.raises(ValueError, match="saved as safetensors only"):
        DeepFaceDrawingPipeline.from_pretrained(folder).save_pretrained(folder, safe_serialization=False)


def missing(state):
    del state["decoder.0.weight"]


def extra(state):
    state["decoder.99.weight"] = torch.zeros(1)


def misshapen(state):
    state["decoder.0.weight"] = torch.zeros(3, 3)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (missing, "missing decoder.0.weight"),
        (extra, "unexpected decoder.99.weight"),
        (misshapen, r"decoder.0.weight expected shape .* but got torch.Size\(\[3, 3\]\)"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_an_error(checkpoint, tmp_path, damage, message):
    folder = tmp_path / "damaged"
    shutil.copytree(checkpoint, folder)
    file = folder / "mouth_autoencoder" / WEIGHTS
    state = load_file(file)
    damage(state)
    save_file(state, file, metadata={"format": "pt"})
    (file.parent / "checksums.json").unlink()
    where = rf"(?s)ComponentAutoencoder.*mouth_autoencoder.*{message}"
    with pytest.raises(ValueError, match=where):
        DeepFaceDrawingPipeline.from_pretrained(folder)
    with pytest.raises(ValueError, match=where):
        ComponentAutoencoder.from_pretrained(folder, subfolder="mouth_autoencoder")


def test_components_that_do_not_belong_together_are_refused(pipe):
    other = build("tiny", latent_dim=2 * LATENT_DIM)["nose_autoencoder"]
    with pytest.raises(ValueError, match=r"different latent_dim do not.*'nose_autoencoder': 128"):
        DeepFaceDrawingPipeline(**{**pipe.components, "nose_autoencoder": other})


def test_precision_can_be_chosen_by_component(checkpoint):
    dtypes = {"image_synthesis": torch.bfloat16, "default": torch.float16}
    loaded = DeepFaceDrawingPipeline.from_pretrained(checkpoint, dtype=dtypes)
    assert (loaded.image_synthesis.dtype, loaded.feature_mapping.dtype) == (torch.bfloat16, torch.float16)


def test_a_component_can_be_handed_in_or_left_out(pipe, checkpoint):
    mouth = pipe.mouth_autoencoder
    loaded = DeepFaceDrawingPipeline.from_pretrained(checkpoint, mouth_autoencoder=mouth, manifold=None)
    assert loaded.mouth_autoencoder is mouth and loaded.manifold is None


@pytest.mark.parametrize("missing_name", ["image_synthesis", "nose_autoencoder"])
def test_only_optional_components_can_be_left_out(pipe, checkpoint, missing_name):
    with pytest.raises(ValueError, match=f"{missing_name} is needed: only manifold, .* may be None"):
        DeepFaceDrawingPipeline.from_pretrained(checkpoint, **{missing_name: None})
    with pytest.raises(ValueError, match=f"{missing_name} is needed"):
        DeepFaceDrawingPipeline(**{**pipe.components, missing_name: None})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"line_extracter": None}, "from_pretrained does not take 'line_extracter'; accepted are .*line_extractor"),
        ({"dtype": {"nose": torch.float16}}, "dtype does not take 'nose'; accepted are default, .*nose_autoencoder"),
        ({"dtype": "float16"}, r"dtype must be torch\.float32, .*, got 'float16'"),
        ({"dtype": {"default": torch.int64}}, r"dtype must be torch\.float32, .*, got torch\.int64"),
    ],
)
def test_unknown_arguments_are_refused(checkpoint, arguments, message):
    with pytest.raises(ValueError, match=message):
        DeepFaceDrawingPipeline.from_pretrained(checkpoint, **arguments)


def test_diffusers_own_arguments_are_taken(checkpoint):
    options = {"trust_remote_code": True, "use_safetensors": True, "low_cpu_mem_usage": False, "local_files_only": True}
    assert DeepFaceDrawingPipeline.from_pretrained(checkpoint, **options).layout


@pytest.mark.parametrize("kind", [[], 5, {}, "Other", ["code", "Other"]])
def test_an_index_of_another_class_is_named(checkpoint, tmp_path, kind):
    index = json.loads((checkpoint / "model_index.json").read_text())
    (tmp_path / "model_index.json").write_text(json.dumps({**index, "_class_name": kind}))
    with pytest.raises(ValueError, match=r"model_index\.json describes a .*, not a DeepFaceDrawingPipeline"):
        DeepFaceDrawingPipeline.from_pretrained(tmp_path)


def test_shipped_decoders_give_the_same_sketches_in_half_precision():
    """Two mouths only: processors are slow in fp16."""
    checkpoint = Path(__file__).parents[1] / "checkpoints"
    mouths = []
    for dtype in (torch.float32, torch.float16):
        pipe = DeepFaceDrawingPipeline.from_pretrained(checkpoint, dtype=dtype)
        mouths.append(pipe.decode_samples("mouth", torch.tensor([0, 1])))
    assert (mouths[0] - mouths[1]).abs().max() < 0.02
    assert mouths[0].max() > 0.3
