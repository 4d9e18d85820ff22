from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import make_pipeline
from PIL import Image

from dfd import DeepFaceDrawingPipeline
from dfd import pipeline as pipeline_module
from dfd.appearance import SWATCHES, appearance_of, palette, random_appearance, read_photo
from dfd.data import landmarks
from dfd.evaluation.obedience import agreement, component_masks
from dfd.lines import extract_lines

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "dfd" / "ui" / "examples"


@pytest.fixture(scope="module")
def shipped():
    return DeepFaceDrawingPipeline.from_pretrained(ROOT / "checkpoints")


def photo(width=300, height=300, seed=0):
    """Patches of colour."""
    colours = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
    return Image.fromarray(colours).resize((width, height), Image.Resampling.NEAREST)


def pixels(face):
    return (255 * face.permute(1, 2, 0)).round().byte().numpy()


# -- Palette


def test_swatches_are_different_samples_of_the_bank_and_always_the_same(shipped):
    swatches = shipped.palette()
    bank = shipped.manifold.appearance.float()
    assert swatches.shape == (SWATCHES, shipped.image_synthesis.config.appearance_dim)
    assert all((bank == swatch).all(1).any() for swatch in swatches)
    assert torch.equal(shipped.palette(), swatches)
    assert torch.equal(palette(shipped.manifold.appearance, shipped.appearance_encoder), swatches)
    # Differing from each other by more than a sample does from the next one in the bank (1.8 and 0.7 spreads measured).
    spread = bank.std(0)
    apart = torch.pdist(swatches / spread).min()
    usual = torch.cdist(bank[:500] / spread, bank / spread).topk(2, largest=False).values[:, 1].median()
    assert apart > 1.5 * usual


def test_swatches_show_the_lightest_skin_first(shipped):
    projection = shipped.project(shipped.encode(EXAMPLES / "bob.png"))
    cheeks = [
        pixels(shipped.synthesize(projection.latents, code)[0])[300:340, 180:330].mean() for code in shipped.palette()
    ]
    assert np.corrcoef(cheeks, range(len(cheeks), 0, -1))[0, 1] > 0.85
    assert cheeks[0] > cheeks[-1] + 30


def test_a_small_bank_is_its_own_palette():
    codes = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(palette(codes), codes)
    assert len(palette(codes, size=2)) == 2


def test_what_the_helpers_give_may_be_changed():
    pipe = make_pipeline()
    bank = pipe.manifold.appearance.clone()
    for ask in (pipe.palette, lambda: pipe.random_appearance(1), lambda: palette(pipe.manifold.appearance, size=99)):
        before = ask().clone()
        ask().fill_(7)
        assert torch.equal(ask(), before)
    assert torch.equal(pipe.manifold.appearance, bank)


def test_another_manifold_or_encoder_has_another_palette(monkeypatch):
    made = []
    monkeypatch.setattr(pipeline_module, "palette", lambda codes, encoder: made.append(1) or palette(codes, encoder))
    pipe, other = make_pipeline(), make_pipeline()
    other.manifold.appearance.add_(1)
    first = pipe.palette()
    assert torch.equal(pipe.palette(), first) and len(made) == 1, "remembered"
    pipe.register_modules(manifold=other.manifold)
    assert torch.equal(pipe.palette(), palette(other.manifold.appearance, pipe.appearance_encoder))
    pipe.register_modules(appearance_encoder=None)
    assert torch.equal(pipe.palette(), palette(other.manifold.appearance))
    pipe.register_modules(manifold=None)
    with pytest.raises(ValueError, match="no manifold with appearance codes"):
        pipe.palette()


# -- Photos


def test_a_swatch_gives_a_face_whose_photo_gives_the_swatch_again(shipped):
    swatches = shipped.palette()
    spread = shipped.manifold.appearance.float().std(0)
    for i in (0, 19):
        face = shipped(EXAMPLES / "bob.png", appearance=swatches[i]).images[0]
        distances = ((shipped.appearance_of(face) - swatches) / spread).norm(dim=1)
        # The bob's own outline has a say in its thumbnail, so a swatch beside it may come nearer.
        assert int((distances < distances[i]).sum()) < 4


def test_only_the_middle_square_of_a_photo_counts(pipe):
    middle, wide = photo(), Image.new("RGB", (500, 300), "red")
    wide.paste(middle, (100, 0))
    assert torch.equal(read_photo(wide), read_photo(middle))
    assert torch.equal(pipe.appearance_of(wide), pipe.appearance_of(middle))
    assert not torch.allclose(pipe.appearance_of(photo(seed=1)), pipe.appearance_of(middle))


def test_kinds_of_photos(tmp_path):
    usual = read_photo(photo())
    assert usual.shape == (3, 512, 512) and usual.min() >= 0 and usual.max() <= 1
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: to be shown a quarter turned to the right
    photo().rotate(90).save(tmp_path / "turned.png", exif=exif)
    assert torch.equal(read_photo(tmp_path / "turned.png"), usual)
    torch.testing.assert_close(read_photo(np.asarray(photo()) / 255), usual)
    clear = photo().convert("RGBA")
    clear.putalpha(0)
    assert (read_photo(clear) > 0.999).all(), "nothing on white"
    grey = read_photo(photo().convert("L"))
    assert torch.equal(grey[0], grey[1]) and torch.equal(grey[0], grey[2])


def test_unreadable_photos_are_refused_in_words(pipe, tmp_path):
    broken = tmp_path / "broken.jpg"
    photo().save(broken)
    broken.write_bytes(broken.read_bytes()[:300])
    for bad, message in [
        (broken, "cannot read"),
        (tmp_path / "nothing.png", "no image file"),
        (photo(300, 8), "at least 16 px"),
        (7, "cannot read an image from int"),
    ]:
        with pytest.raises(ValueError, match=message):
            pipe.appearance_of(bad)


def test_a_photo_of_no_face_gives_no_colours_beyond_the_banks(shipped):
    red = Image.new("RGB", (64, 64), "red")
    bank = shipped.manifold.appearance.float()

    def away(code):
        return ((code - bank.mean(0)) / bank.std(0)).norm(dim=-1)

    assert away(appearance_of(red, shipped.appearance_encoder)) > away(bank).max()
    assert away(shipped.appearance_of(red)) < away(bank).quantile(0.991)


# -- Random ones


def test_a_seed_gives_a_sample_and_always_the_same(pipe):
    codes = pipe.manifold.appearance
    chosen = [pipe.random_appearance(seed) for seed in range(8)]
    assert all((codes == code).all(1).any() for code in chosen)
    assert len({tuple(code.tolist()) for code in chosen}) > 3
    assert torch.equal(pipe.random_appearance(5), chosen[5])


@pytest.mark.parametrize("seed", [-1, 2**63, 1.0, True, None, "7"])
def test_other_seeds_are_refused(seed):
    with pytest.raises(ValueError, match="a seed is a whole number from 0"):
        random_appearance(torch.zeros(3, 4), seed)


# -- In the pipeline


def test_what_the_helpers_give_is_what_appearance_takes(pipe, face):
    codes = [pipe.palette()[3], pipe.appearance_of(photo()), pipe.random_appearance(1)]
    one_by_one = [pipe(face(), appearance=code, output_type="pt").images for code in codes]
    together = pipe([face()] * 3, appearance=torch.stack(codes), output_type="pt").images
    torch.testing.assert_close(together, torch.cat(one_by_one), atol=1e-3, rtol=0)
    assert (together[0] - together[1]).abs().max() > 1e-3


def test_a_pipeline_without_appearances_says_so():
    pipe = make_pipeline(with_manifold=False)
    for ask in (pipe.palette, lambda: pipe.random_appearance(1)):
        with pytest.raises(ValueError, match="no manifold with appearance codes"):
            ask()
    assert pipe.appearance_of(photo()).shape == (4,)
    without = DeepFaceDrawingPipeline(**{**pipe.components, "appearance_encoder": None})
    with pytest.raises(ValueError, match="no appearance_encoder"):
        without.appearance_of(photo())


# -- The drawing decides the shape

# Measured over all twenty swatches, as mean deviation from their mean. F1 of the whole drawing, landmarks: long_hair
# 4.7 %, 0.8 px; short_hair 1.8 %, 0.8 px; older 2.0 %, 0.9 px.


@pytest.mark.parametrize("example", ["long_hair", "short_hair"])
def test_appearances_leave_the_shape_to_the_drawing(shipped, example):
    encoding = shipped.encode(EXAMPLES / f"{example}.png")
    latents = shipped.project(encoding).latents
    faces = [pixels(shipped.synthesize(latents, code)[0]) for code in shipped.palette()]
    masks = component_masks(shipped.layout)
    masks = {"whole": masks["all"], "inside": masks["all"] & ~masks["remainder"]}
    drawn = encoding.sketches[0, 0].numpy() > 0.5
    found = [agreement(extract_lines(face), drawn, masks) for face in faces]
    for name in masks:
        f1 = np.array([figures[name][2] for figures in found])
        assert np.abs(f1 / f1.mean() - 1).mean() < 0.05
    if landmarks.available():
        points = np.stack([landmarks.find(face) for face in faces])
        assert np.linalg.norm(points - points.mean(0), axis=-1).mean() < 3
