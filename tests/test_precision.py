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
    def seconds(feature_mapping):
        return exact if feature_mapping.dtype == torch.float32 else rounded

    monkeypatch.setattr(precision, "_seconds", seconds)


def test_bfloat16_is_taken_where_it_is_faster_and_gives_the_same_face(shipped, monkeypatch):
    before = shipped(DRAWING, output_type="np", return_shadow=True)
    times(monkeypatch, exact=1.0, rounded=0.6)
    assert precision.use_fastest_precision(shipped) == torch.bfloat16
    mouth = shipped.mouth_autoencoder
    for model in (shipped.image_synthesis, shipped.feature_mapping, mouth.decoder):
        assert next(model.parameters()).dtype == torch.bfloat16
    assert mouth.dtype == next(mouth.encoder.parameters()).dtype == torch.float32
    after = shipped(DRAWING, output_type="np", return_shadow=True)
    difference = np.abs(after.images - before.images)
    assert 0 < difference.mean() < 1 / 255
    assert difference.max() < 16 / 255
    assert 0 < np.abs(after.shadow - before.shadow).max() < 4 / 255


def test_otherwise_the_pipeline_stays_exactly_as_it_was(shipped, monkeypatch):
    before = shipped(DRAWING, output_type="np", return_shadow=True)
    times(monkeypatch, exact=1.0, rounded=0.95)
    assert precision.use_fastest_precision(shipped) == torch.float32
    after = shipped(DRAWING, output_type="np", return_shadow=True)
    assert np.array_equal(after.images, before.images)
    assert np.array_equal(after.shadow, before.shadow)


def test_it_measures(shipped):
    assert precision.use_fastest_precision(shipped) == shipped.image_synthesis.dtype
