"""The choice between float32 and bfloat16."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dfd import DeepFaceDrawingPipeline, precision

ROOT = Path(__file__).parents[1]
DRAWING = next((ROOT / "dfd/ui/examples").glob("*.png"))


@pytest.fixture
def shipped():
    return DeepFaceDrawingPipeline.from_pretrained(ROOT / "checkpoints")


def times(monkeypatch, exact, rounded):
    def seconds(pipeline):
        return exact if pipeline.image_synthesis.dtype == torch.float32 else rounded

    monkeypatch.setattr(precision, "_seconds", seconds)


def test_bfloat16_is_taken_where_it_is_faster_and_gives_the_same_face(shipped, monkeypatch):
    before = np.asarray(shipped(DRAWING).images[0], dtype=int)
    times(monkeypatch, exact=1.0, rounded=0.6)
    assert precision.use_fastest_precision(shipped) == torch.bfloat16
    assert shipped.image_synthesis.dtype == shipped.feature_mapping.dtype == torch.bfloat16
    assert shipped.mouth_autoencoder.dtype == torch.float32
    difference = np.abs(np.asarray(shipped(DRAWING).images[0], dtype=int) - before)
    assert 0 < difference.mean() < 1
    assert difference.max() < 16


def test_otherwise_the_pipeline_stays_exactly_as_it_was(shipped, monkeypatch):
    before = np.asarray(shipped(DRAWING).images[0])
    times(monkeypatch, exact=1.0, rounded=0.95)
    assert precision.use_fastest_precision(shipped) == torch.float32
    assert np.array_equal(np.asarray(shipped(DRAWING).images[0]), before)


def test_it_measures(shipped):
    assert precision.use_fastest_precision(shipped) == shipped.image_synthesis.dtype
