"""Photos become drawings: `pipe.extract_lines`."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import draw_face
from PIL import Image
from scipy.ndimage import distance_transform_edt

from dfd import DeepFaceDrawingPipeline, LineExtractor
from dfd.lines import extract_lines, trace_photo
from dfd.sketch import sketch_to_pil

SHIPPED = Path(__file__).parents[1] / "checkpoints"


@pytest.fixture(scope="module")
def shipped():
    return LineExtractor.from_pretrained(SHIPPED, subfolder="line_extractor")


def test_a_photo_becomes_a_drawing_that_the_pipeline_reads(pipe, faces):
    photo = np.array(faces.photos[0])
    lines = pipe.extract_lines(photo)
    assert lines.mode == "L" and lines.size == (512, 512)
    assert np.array_equal(lines, sketch_to_pil(trace_photo(photo, pipe.line_extractor)))
    assert set(np.unique(lines)) <= {0, 255}


def test_a_pipeline_without_the_network_uses_the_classical_filter(pipe, faces):
    photo = Image.fromarray(faces.photos[0])
    classical = DeepFaceDrawingPipeline(**{**pipe.components, "line_extractor": None}).extract_lines(photo)
    assert np.array_equal(classical, sketch_to_pil(trace_photo(np.array(photo))))
    assert not np.array_equal(classical, pipe.extract_lines(photo))
    assert classical.getbbox() and pipe(classical).images[0].size == (512, 512)


def test_folders_from_before_it_still_load(checkpoint, tmp_path):
    folder = shutil.copytree(checkpoint, tmp_path / "old")
    shutil.rmtree(folder / "line_extractor")
    index = folder / "model_index.json"
    text = index.read_text()
    entry = text[text.index('  "line_extractor"') :].partition("],\n")[0] + "],\n"
    index.write_text(text.replace(entry, ""))
    assert "line_extractor" not in index.read_text()
    assert DeepFaceDrawingPipeline.from_pretrained(folder).line_extractor is None


def test_an_oblong_grey_or_half_transparent_photo_is_taken_too(pipe, faces):
    photo = Image.fromarray(faces.photos[0])
    wide = Image.new("RGB", (1000, 512), "gray")
    wide.paste(photo, (244, 0))
    assert np.array_equal(pipe.extract_lines(wide), pipe.extract_lines(photo))
    for mode in ("L", "RGBA"):
        assert pipe.extract_lines(photo.convert(mode)).size == (512, 512)


def test_what_is_no_photo_is_refused(pipe, tmp_path):
    (tmp_path / "text.png").write_text("not a picture")
    with pytest.raises(ValueError, match="cannot read"):
        pipe.extract_lines(tmp_path / "text.png")
    with pytest.raises(ValueError, match="at least 16"):
        pipe.extract_lines(Image.new("RGB", (8, 8)))


def test_the_shipped_network_is_small_and_finite(shipped):
    file = SHIPPED / "line_extractor" / "diffusion_pytorch_model.safetensors"
    assert file.stat().st_size < 1.3e6
    assert all(values.isfinite().all() for values in shipped.state_dict().values())


def test_the_shipped_network_finds_the_lines_of_a_face_in_any_light(shipped):
    """Made from a known drawing, so that it is known where lines are; darker and noisy, it still draws them."""
    pipe = DeepFaceDrawingPipeline.from_pretrained(SHIPPED, line_extractor=shipped)
    photo = np.asarray(pipe(draw_face(), refinement=1).images[0], np.float32)
    lines = np.asarray(pipe.extract_lines(photo.astype(np.uint8))) < 128
    classical = extract_lines(photo.astype(np.uint8))
    assert (distance_transform_edt(~lines)[classical] <= 4).mean() > 0.6
    noise = np.random.default_rng(0).normal(0, 10, photo.shape)
    worse = np.asarray(pipe.extract_lines((photo * 0.4 + noise).clip(0, 255).astype(np.uint8))) < 128
    assert (distance_transform_edt(~worse)[lines] <= 4).mean() > 0.75
    assert (distance_transform_edt(~lines)[worse] <= 4).mean() > 0.75


@torch.no_grad()
def test_the_shipped_network_draws_nothing_on_plain_paper(shipped):
    for level in (0, 128, 255):
        assert not trace_photo(np.full((512, 512, 3), level, np.uint8), shipped).any()
