"""Stage II: gradients reach every parameter of generator and discriminator, it overfits, it resumes."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from dfd.components import COMPONENTS, Layout
from dfd.data.faces import FaceFolder
from dfd.data.pairs import Pairs, load_photos, plain_sketches
from dfd.models import FeatureMapping, LineExtractor, presets
from dfd.training import synthesis
from dfd.training.meanings import FARTHER
from dfd.training.run import WINDOWS_FILE, Run, write_layout
from dfd.training.synthesis import Options, SynthesisTrainer, other_framing, swap_appearances, train, views

LATENT_DIM = 64
LOGIT_BIAS = {"projected": ".6.bias", "multiscale": ".4.bias"}
GENERATOR = ("feature_mapping", "image_synthesis", "appearance_encoder")


def tiny_models():
    torch.manual_seed(0)
    return presets.build("tiny", latent_dim=LATENT_DIM)


@pytest.fixture(scope="module")
def four(four_faces, tmp_path_factory):
    faces = FaceFolder(four_faces, tmp_path_factory.mktemp("cache"))
    indices = faces.select("train")
    lines = plain_sketches(faces, indices)
    ids = torch.from_numpy(faces.sample_ids[indices])
    return Pairs(lines, [frozenset()] * len(ids), lines, load_photos(faces, indices), ids)


def first(pairs, count=2):
    """The first of some pairs."""
    return Pairs(*(x[:count] for x in vars(pairs).values()))


@pytest.fixture
def options(quick, tmp_path):
    models = tiny_models()
    for name, model in models.items():
        if name.endswith("_autoencoder"):
            model.save_pretrained(tmp_path / "stage1" / name)
    return Options(**quick, autoencoders=tmp_path / "stage1", images=8, sample_steps=2)


def make_trainer(options, total_steps, **changes):
    for name, value in changes.items():
        setattr(options, name, value)
    models = tiny_models()
    encoders = {n.removesuffix("_autoencoder"): m for n, m in models.items() if n.endswith("_autoencoder")}
    trainer = SynthesisTrainer(encoders, {n: models[n] for n in GENERATOR}, options, total_steps)
    trainer.distribute()
    return trainer


@pytest.mark.parametrize(
    ("discriminator", "loss"), [("projected", "hinge"), ("multiscale", "hinge"), ("multiscale", "least_squares")]
)
def test_every_generator_and_discriminator_parameter_receives_a_gradient(
    options, four, monkeypatch, discriminator, loss
):
    build = synthesis.build_discriminator  # the paper's width takes long at 512 px; the wiring is the same
    narrow = {"multiscale": lambda kind: synthesis.MultiScaleAdversary(width=8), "projected": build}
    monkeypatch.setattr(synthesis, "build_discriminator", narrow[discriminator])
    trainer = make_trainer(
        options, 3, discriminator=discriminator, adversarial_loss=loss, adversarial_start=0, swapped_share=0
    )
    networks = torch.nn.ModuleDict({"g": trainer.raw_generator, "d": trainer.raw_discriminator})
    frozen = {name for name, p in networks.named_parameters() if not p.requires_grad}
    assert frozen and all(name.startswith("g.encoders.") for name in frozen)
    learning = {name: p for name, p in networks.named_parameters() if name not in frozen}
    before = {name: p.detach().clone() for name, p in learning.items()}
    reached = set()
    for step in range(3):  # a block's second convolution starts at zero, so its first waits for a second step
        losses = trainer.step(step, first(four), np.random.default_rng(step))
        reached |= {name for name, p in learning.items() if p.grad is not None and p.grad.any()}
    assert all(p.grad is not None for p in learning.values())
    silent = set(before) - reached
    if loss == "hinge":  # inside the margin, true and made photos pull the logits' own bias by exactly -1 and +1
        silent -= {name for name in silent if name.startswith("d.") and name.endswith(LOGIT_BIAS[discriminator])}
    assert sorted(silent) == []
    assert [name for name, p in learning.items() if name in reached and torch.equal(before[name], p)] == []
    assert {"l1", "perceptual", "kl", "preview", "generator", "discriminator"} <= set(losses)


def test_the_adversarial_loss_itself_reaches_the_generator(options, four, monkeypatch):
    """With every other loss at zero weight the generator still learns: the adversarial loss is not detached."""
    monkeypatch.setattr(synthesis, "LOSS_WEIGHTS", dict.fromkeys(synthesis.LOSS_WEIGHTS, 0.0))
    monkeypatch.setattr(synthesis, "perceptual", lambda real, fake: torch.zeros(()))
    monkeypatch.setattr(synthesis, "ADVERSARIAL_RAMP_STEPS", 1e-9)
    trainer = make_trainer(options, 10, adversarial_start=0)
    trainer.step(1, first(four), np.random.default_rng(0))
    gradients = [p.grad for p in trainer.raw_generator.feature_mapping.parameters()]
    assert all(g is not None and g.any() for g in gradients)


def test_lines_of_made_photos_are_compared_with_the_photos(options, four, tmp_path, monkeypatch):
    """Whatever the colours: in steps with another's appearance too. With every other loss at zero it still teaches."""
    monkeypatch.setattr(synthesis, "LOSS_WEIGHTS", dict.fromkeys(synthesis.LOSS_WEIGHTS, 0.0) | {"lines": 1.0})
    LineExtractor((8, 8)).save_pretrained(tmp_path / "line_extractor")
    trainer = make_trainer(options, 10, discriminator="none", lines=tmp_path, swapped_share=1)
    before = deepcopy(trainer.line_extractor.state_dict())
    losses = trainer.step(1, first(four), np.random.default_rng(0))
    assert {"lines", "swapped"} <= losses.keys() and losses["lines"] > 0
    assert all(p.grad.any() for p in trainer.raw_generator.feature_mapping.parameters())
    after = trainer.line_extractor.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before), "a yardstick does not learn"


@pytest.mark.parametrize("trained", [False, True])
def test_encoders_stay_frozen_unless_they_are_asked_to_learn(options, four, trained):
    trainer = make_trainer(options, 1, discriminator="none", train_encoders=trained)
    encoders = trainer.raw_generator.encoders
    before = {name: value.clone() for name, value in encoders.state_dict().items()}
    trainer.step(100, first(four), np.random.default_rng(0))  # the rate has risen by then
    changed = {name for name, value in encoders.state_dict().items() if not torch.equal(before[name], value)}
    weights = {name for name, p in encoders.named_parameters() if p.requires_grad}
    assert {name.split(".")[0] for name in weights} == (set(COMPONENTS) if trained else set())
    assert changed <= weights, "neither the decoders nor the statistics"
    assert len(changed) >= 0.9 * len(weights)


def test_what_is_drawn_on_purpose_teaches_encoders_alone(options, four, monkeypatch):
    """There the photo is made from the plain lines; its own code is to be theirs, moved on. Other losses are zero."""
    monkeypatch.setattr(synthesis, "LOSS_WEIGHTS", dict.fromkeys(synthesis.LOSS_WEIGHTS, 0.0) | {"codes": 1.0})
    trainer = make_trainer(options, 10, discriminator="none", train_encoders=True, swapped_share=0)
    rough = replace(first(four), drawings=torch.zeros(2, 1, 512, 512), marks=[frozenset(), frozenset({"beard"})])
    trainer.raw_generator.train()  # as in the step
    drawn, plain = (trainer.encode(x) for x in (rough.drawings, rough.lines))
    disturb, seen = trainer.disturb, {}
    monkeypatch.setattr(trainer, "disturb", lambda codes, *rest: disturb(seen.setdefault("codes", codes), *rest))
    losses = trainer.step(1, rough, np.random.default_rng(0))
    for name, codes in seen["codes"].items():
        second = plain if name in ("nose", "mouth") else drawn
        wanted = torch.stack([drawn[name][0], second[name][1]])
        torch.testing.assert_close(codes.detach(), wanted, rtol=0.05, atol=0.05)
    assert losses["codes"] > 0
    encoders = [p for model in trainer.raw_generator.encoders.values() for p in model.encoder.parameters()]
    assert sum(bool(p.grad.any()) for p in encoders) > 0.9 * len(encoders)
    assert not any(p.grad.any() for p in trainer.raw_generator.image_synthesis.parameters())


def test_codes_are_compared_with_the_lines_codes_moved_on(options, four):
    trainer = make_trainer(options, 1, discriminator="none", train_encoders=True)
    trainer.raw_generator.eval()
    trainer.raw_generator.feature_mapping.latent_std.fill_(2)
    marked = replace(four, marks=[frozenset(), frozenset({"beard"}), frozenset(), frozenset()])
    codes = trainer.encode(four.lines)
    assert trainer.code_distance(codes, marked) == 0, "no way is known"
    trainer.ways = {"bearded": {name: torch.ones(LATENT_DIM) for name in COMPONENTS}}
    wanted = (FARTHER["bearded"] / 2) ** 2 / 4 * 2 / len(COMPONENTS)  # one of four drawings, nose and mouth
    assert float(trainer.code_distance(codes, marked)) == pytest.approx(wanted, rel=1e-5)
    with torch.no_grad():
        for p in trainer.raw_generator.encoders.parameters():
            p.mul_(2)
    assert float(trainer.code_distance(codes, marked)) == pytest.approx(wanted, rel=1e-5), "goals stay"
    trainer.renew_teachers()
    assert trainer.code_distance(codes, marked) > 10, "until they are renewed"


def test_trained_encoders_are_saved_and_their_samples_renewed(options, monkeypatch):
    options.train_encoders, options.adversarial_start, options.learning_rate, options.images = True, 1, 5e-3, 6
    monkeypatch.setattr(synthesis, "RENEWAL", 2)
    monkeypatch.setattr(synthesis, "NEIGHBORS", 2)
    samples, set_manifold = [], SynthesisTrainer.set_manifold

    def noted(self, codes, ids):
        samples.append(codes["nose"])
        set_manifold(self, codes, ids)

    monkeypatch.setattr(SynthesisTrainer, "set_manifold", noted)
    folder = train(options)
    assert len(samples) == 2 and not torch.allclose(*samples)
    weights = "nose_autoencoder/diffusion_pytorch_model.safetensors"
    old, new = load_file(options.autoencoders / weights), load_file(folder / weights)
    assert {name.split(".")[0] for name in old if not torch.equal(old[name], new[name])} == {"encoder"}
    assert (folder / WINDOWS_FILE).is_file()


def test_overfits_four_faces(options, four, monkeypatch):
    monkeypatch.setattr(synthesis, "other_framing", lambda photos, rng: photos)
    trainer = make_trainer(options, 10_000, discriminator="none", learning_rate=5e-3, latent_noise=0, swapped_share=0)
    trainer.raw_generator.feature_mapping.set_statistics(trainer.encode(four.lines))
    losses = [trainer.step(step + 100, four, np.random.default_rng(0)) for step in range(100)]
    l1 = [float(loss["l1"]) for loss in losses]
    assert l1[-1] < 0.3 * l1[0], l1[::10]
    assert losses[-1]["perceptual"] < 0.75 * losses[0]["perceptual"]
    # The faces differ as the drawings differ: each is nearer to its own photo than to the others.
    with torch.no_grad():
        made = trainer.raw_generator.synthesize(trainer.encode(four.lines), four.photos, sample=False)[0]
    distances = (made[:, None] - four.photos[None]).abs().flatten(2).mean(2)
    others = (distances.sum(1) - distances.diagonal()) / 3
    assert (distances.diagonal() < others).all(), distances


def test_codes_are_refined_onto_the_other_faces(options):
    trainer = make_trainer(options, 1, discriminator="none", projected_share=1.0)
    generator = torch.Generator().manual_seed(0)
    bank = {name: torch.randn(30, LATENT_DIM, generator=generator) for name in COMPONENTS}
    codes, ids = {name: bank[name][:4] for name in COMPONENTS}, torch.arange(4)
    assert trainer.refine(codes, ids, np.random.default_rng(0)) is codes, "nothing to refine on"
    trainer.set_manifold(bank, torch.arange(30))
    refined = trainer.refine(codes, ids, np.random.default_rng(0))
    for name in COMPONENTS:
        assert (refined[name] - codes[name]).norm(dim=1).min() > 0, "a face's own sample would leave it as it is"
        target = trainer.manifold.mean(name, trainer.manifold.neighbors(name, codes[name], k=10, exclude=ids))
        path = torch.cosine_similarity(refined[name] - codes[name], target - codes[name])
        assert path.min() > 0.999, "towards its projection"
    trainer.options.projected_share = 0.0
    kept = trainer.refine(codes, ids, np.random.default_rng(0))
    assert all(torch.equal(kept[name], codes[name]) for name in COMPONENTS)


def test_some_faces_take_their_appearance_from_another(options, four):
    swaps = [swap_appearances(four.photos, 0.25, np.random.default_rng(seed)) for seed in range(40)]
    assert 3 <= sum(swapped for _, swapped in swaps) <= 20
    for photos, swapped in swaps:
        assert [torch.equal(a, b) for a, b in zip(photos, four.photos, strict=True)] == [not swapped] * 4
    assert not swap_appearances(four.photos[:1], 1.0, np.random.default_rng(0))[1], "there is no other"

    trainer = make_trainer(options, 10, swapped_share=1.0, adversarial_start=0)
    losses = trainer.step(1, first(four), np.random.default_rng(0))
    assert set(losses) == {"kl", "swapped", "generator", "gradient", "discriminator"}, "no colours are compared"
    assert all(p.grad is not None for p in trainer.raw_generator.parameters() if p.requires_grad)


def test_nothing_is_swapped_without_an_appearance_encoder(options, four, monkeypatch):
    monkeypatch.setitem(presets._IMAGE_SYNTHESIS, "tiny", presets._IMAGE_SYNTHESIS["tiny"] | {"appearance_dim": 0})
    monkeypatch.setattr(f"{__name__}.GENERATOR", GENERATOR[:2])
    trainer = make_trainer(options, 10, discriminator="none", swapped_share=1.0)
    losses = trainer.step(1, first(four), np.random.default_rng(0))
    assert {"l1", "perceptual"} <= losses.keys() and "swapped" not in losses


def test_statistics_are_averaged_with_the_weights(options, four, monkeypatch):
    monkeypatch.setitem(presets._FEATURE_MAPPING, "tiny", presets._FEATURE_MAPPING["tiny"] | {"norm": "batch"})
    trainer = make_trainer(options, 10, discriminator="none")
    mapping = trainer.raw_generator.feature_mapping
    mapping.set_statistics(trainer.encode(four.lines))

    def buffers():
        return {name: value.clone() for name, value in mapping.named_buffers()}

    seen = []
    for step in range(3):
        trainer.step(step, first(four), np.random.default_rng(step))
        seen.append(buffers())
    with trainer.averaged():
        averaged = buffers()
    assert all(torch.equal(value, seen[-1][name]) for name, value in buffers().items()), "training goes on from its own"
    statistics = [name for name in averaged if "running_" in name]
    assert statistics and all(torch.equal(averaged[n], seen[-1][n]) for n in averaged if n not in statistics)
    decays = [trainer.ema.get_decay(step) for step in (1, 2, 3)]
    for name in statistics:
        expected = seen[0][name]
        for decay, step in zip(decays[1:], seen[1:], strict=True):
            expected = decay * expected + (1 - decay) * step[name]
        torch.testing.assert_close(averaged[name], expected)
        assert not torch.equal(averaged[name], seen[-1][name])

    old = trainer.ema.state_dict()
    old["shadow_params"] = old["shadow_params"][: len(list(trainer.raw_generator.parameters()))]
    trainer.ema.load_state_dict(old)  # of a run begun when parameters alone were averaged
    trainer.step(3, first(four), np.random.default_rng(3))
    last = buffers()
    with trainer.averaged():
        assert all(torch.equal(value, last[name]) for name, value in buffers().items())


def test_appearance_is_taken_from_another_framing_of_the_same_photos(four):
    framed = [other_framing(four.photos, np.random.default_rng(seed)) for seed in range(12)]
    assert {x.shape[:2] for x in framed} == {(4, 3)} and all(358 <= x.shape[2] == x.shape[3] <= 512 for x in framed)
    assert len({x.shape[2] for x in framed}) > 4
    bright = four.photos.mean((2, 3))
    assert all((x.mean((2, 3)) - bright).abs().max() < 0.5 for x in framed), "the colours stay"


def test_views_are_the_halved_picture_and_a_crop(four):
    photos = four.photos[:1]
    halved, crop = views(photos, (10, 20))
    assert halved.shape == (1, 3, 256, 256)
    assert torch.equal(crop, photos[..., 10:170, 20:180])
    assert torch.allclose(halved[0, :, 0, 0], photos[0, :, :2, :2].mean((1, 2)))


def test_the_adversary_starts_late_and_gently(options):
    trainer = make_trainer(options, 1000, adversarial_start=0.4, adversarial_weight=0.3)
    assert [round(trainer.adversarial_weight(s), 4) for s in (0, 400, 500, 600, 999)] == [0, 0, 0.15, 0.3, 0.3]


def test_a_killed_run_resumes_to_the_same_weights(options, monkeypatch):
    options.adversarial_start, options.images = 0, 6
    weights = "image_synthesis/diffusion_pytorch_model.safetensors"
    expected = load_file(train(options) / weights)
    options.output = options.output.with_name("interrupted")
    add, calls = Run.add, []

    def killed_in_step_three(self, losses, images):
        calls.append(images)
        if len(calls) == 3:
            raise KeyboardInterrupt
        add(self, losses, images)

    monkeypatch.setattr(Run, "add", killed_in_step_three)
    with pytest.raises(KeyboardInterrupt):
        train(options)
    monkeypatch.setattr(Run, "add", add)
    actual = load_file(train(options) / weights)
    assert len(calls) == 3
    assert all(torch.equal(actual[name], value) for name, value in expected.items())


def test_a_killed_run_with_trained_encoders_goes_on_with_its_goals(options, die_after_saving, monkeypatch):
    options.train_encoders, options.discriminator, options.learning_rate = True, "none", 5e-3
    monkeypatch.setattr(synthesis, "RENEWAL", 2)
    monkeypatch.setattr(synthesis, "NEIGHBORS", 2)
    weights = "nose_autoencoder/diffusion_pytorch_model.safetensors"
    expected = load_file(train(options) / weights)
    options.output = options.output.with_name("killed")
    for last in (2, 3):  # just before goals are renewed, and after
        die_after_saving(last, train, options)
    actual = load_file(train(options) / weights)
    assert all(torch.equal(actual[name], value) for name, value in expected.items())


def test_a_checkpoint_without_teachers_goes_on_with_the_encoders_as_they_are(options, die_after_saving, monkeypatch):
    options.train_encoders, options.discriminator, options.learning_rate, options.images = True, "none", 5e-3, 4
    die_after_saving(1, train, options)
    path = options.output / "checkpoint.pt"
    stored = torch.load(path, weights_only=True)
    del stored["teachers"]  # as runs were saved once
    torch.save(stored, path)
    own = {n.removeprefix("encoders."): v for n, v in stored["generator"].items() if n.startswith("encoders.")}
    seen, ways = [], synthesis.measured_ways
    monkeypatch.setattr(synthesis, "measured_ways", lambda codes, *rest: seen.append(codes) or ways(codes, *rest))
    step = SynthesisTrainer.step

    def look(trainer, *arguments):
        teachers = trainer.teachers.state_dict()
        assert all(torch.equal(teachers[name], value) for name, value in own.items())
        seen.append("step")
        return step(trainer, *arguments)

    monkeypatch.setattr(SynthesisTrainer, "step", look)
    train(options)
    assert seen[-1] == "step" and len(seen) == 2


def test_training_goes_on_from_a_pipeline_folder(options):
    options.images = 2
    first = train(options)
    options.start_from, options.output = first, options.output.with_name("second")
    stored = FeatureMapping.from_pretrained(first, subfolder="feature_mapping").latent_mean
    second = FeatureMapping.from_pretrained(train(options), subfolder="feature_mapping").latent_mean
    assert stored.any()
    torch.testing.assert_close(stored, second)


def test_auto_encoders_of_other_codes_are_refused(options, tmp_path):
    for name, model in presets.build("tiny", latent_dim=128).items():
        if name in GENERATOR:
            model.save_pretrained(tmp_path / "start" / name)
    options.start_from = tmp_path / "start"
    with pytest.raises(ValueError, match=r"left_eye's auto-encoder in .* gives codes of 64 numbers, .* takes 128"):
        train(options)


def test_own_windows_reach_the_feature_mapping(options):
    layout = Layout({"nose": (150, 200, 160)})
    write_layout(layout, options.autoencoders)
    encoders = {n.removesuffix("_autoencoder"): m for n, m in tiny_models().items() if n.endswith("_autoencoder")}
    mapping = synthesis.build_models(options, encoders)["feature_mapping"]
    assert mapping.layout.windows == layout.windows
