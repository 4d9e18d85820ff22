"""Ways from drawings to pictures, on the tiny pipeline."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from dfd.data.pairs import plain_sketches
from dfd.evaluation.methods import from_folder, knows_bank, ours, pix2pix, retrieval, true_photos, without_faces
from dfd.manifold import ComponentManifold
from dfd.models.unet import WIDTHS, UNet
from dfd.pipeline import DeepFaceDrawingPipeline

INDICES = np.arange(4)


@pytest.fixture(scope="module")
def sketches(faces):
    return plain_sketches(faces, INDICES)


@pytest.fixture(scope="module")
def own_bank(pipe, faces, sketches):
    """The pipeline with a bank of the four drawn faces themselves."""
    codes = pipe.encode([1 - s for s in sketches]).latents
    appearance = torch.zeros(4, pipe.image_synthesis.config.appearance_dim)
    bank = ComponentManifold.from_codes(codes, INDICES, [0, 1, 0, 1], appearance)
    return DeepFaceDrawingPipeline(**{**pipe.components, "manifold": bank})


def test_ours_is_what_the_pipeline_returns(pipe, sketches):
    made = ours(pipe, 0.5)(sketches[:1], INDICES[:1])
    assert made.shape == (1, 512, 512, 3)
    assert made.dtype == np.uint8
    expected = pipe([1 - sketches[0]], refinement=0.5).images[0]
    assert np.abs(made[0].astype(int) - np.asarray(expected)).max() <= 1
    assert (ours(pipe, 1, num_neighbors=1)(sketches[:1], INDICES[:1]) != made).any()


def test_retrieval_finds_the_face_in_the_bank_and_another_without_it(own_bank, faces, sketches):
    assert (retrieval(own_bank, faces)(sketches, INDICES) == faces.photos).all()
    smaller, removed = without_faces(own_bank, INDICES[:2])
    assert removed == 2
    assert smaller.manifold.sample_ids.tolist() == [2, 3]
    found = retrieval(smaller, faces)(sketches[:2], INDICES[:2])
    assert all(any((photo == faces.photos[i]).all() for i in (2, 3)) for photo in found)


def test_a_bank_without_the_faces_is_left_alone(pipe):
    assert without_faces(pipe, INDICES) == (pipe, 0)


def test_a_pipeline_without_a_bank_is_refused(pipe, faces):
    with pytest.raises(ValueError, match="no manifold"):
        knows_bank(DeepFaceDrawingPipeline(**{**pipe.components, "manifold": None}), faces)


def test_a_bank_says_of_which_faces_it_is(pipe, faces):
    assert knows_bank(pipe, faces), "a bank that does not say is taken for theirs"
    bank = ComponentManifold(2, data_sha256=faces.names_sha256())
    assert knows_bank(SimpleNamespace(manifold=bank), faces)
    assert not knows_bank(SimpleNamespace(manifold=ComponentManifold(2, data_sha256="0" * 64)), faces)


def test_true_photos_and_pix2pix(faces, sketches):
    assert (true_photos(faces)(sketches, INDICES) == faces.photos).all()
    torch.manual_seed(0)
    make = pix2pix(UNet(WIDTHS["tiny"]).eval())
    made = make(sketches[:2], INDICES[:2])
    assert made.shape == (2, 512, 512, 3)
    assert made.dtype == np.uint8
    assert (make(sketches[:1], INDICES[:1]) == made[:1]).all()


def test_pictures_in_a_folder_are_taken_by_name(faces, sketches, tmp_path):
    names = [Path(faces.rows[i]["file_name"]).with_suffix(".png").name for i in INDICES]
    for i, name in enumerate(names):
        Image.new("RGB", (512, 512), (i, 2, 3)).save(tmp_path / name)
    made = from_folder(tmp_path, faces, INDICES)(sketches[1:3], INDICES[1:3])
    assert made.shape == (2, 512, 512, 3)
    assert (made == np.array([[1, 2, 3], [2, 2, 3]], np.uint8)[:, None, None]).all()
    Image.new("RGB", (256, 256)).save(tmp_path / names[1])
    with pytest.raises(ValueError, match="is 256 x 256, not 512 x 512"):
        from_folder(tmp_path, faces, INDICES)
    (tmp_path / names[0]).unlink()
    with pytest.raises(ValueError, match=f"lacks 1 of 4 pictures, {names[0]}"):
        from_folder(tmp_path, faces, INDICES)


def test_photos_of_one_name_are_refused(faces, tmp_path):
    rows = [{"file_name": f"{folder}/one.png"} for folder in "ab"]
    with pytest.raises(ValueError, match=r"several faces' pictures would be called one\.png"):
        from_folder(tmp_path, SimpleNamespace(rows=rows), INDICES[:2])
