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


@pytest.fixture
def native(monkeypatch):
    """A processor that computes in bfloat16, or the pretence of one: what is imitated is the same, and takes longer."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})


@pytest.fixture
def imitated(monkeypatch):
    """A processor without instructions for bfloat16."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, "avx512_bf16": False})


def times(monkeypatch, exact, rounded):
    def seconds(feature_mapping):
        return exact if feature_mapping.dtype == torch.float32 else rounded

    monkeypatch.setattr(precision, "_seconds", seconds)


@pytest.mark.parametrize(
    ("able", "expected"),
    [({"avx512_bf16": True}, True), ({"amx_bf16": True}, True), ({"avx512_f": True, "avx512_bf16": False}, False)],
)
def test_a_processor_computes_in_bfloat16_if_it_has_the_instructions(monkeypatch, able, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    assert precision.computes_in_bfloat16() is precision.computes_in_bfloat16(torch.device("cpu")) is expected


@pytest.mark.parametrize("able", [True, False])
def test_a_gpu_that_imitates_bfloat16_does_not_count(monkeypatch, imitated, able):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation or able)
    assert precision.computes_in_bfloat16("cuda") is precision.computes_in_bfloat16("cuda:0") is able


def test_bfloat16_is_taken_where_it_is_faster_and_gives_the_same_face(shipped, native, monkeypatch):
    # Of two neighbours, since where bfloat16 is imitated each sample of a shadow takes long.
    options = {"output_type": "np", "return_shadow": True, "num_neighbors": 2}
    before = shipped(DRAWING, **options)
    times(monkeypatch, exact=1.0, rounded=0.6)
    assert precision.use_fastest_precision(shipped) == torch.bfloat16
    mouth = shipped.mouth_autoencoder
    for model in (shipped.image_synthesis, shipped.feature_mapping, mouth.decoder):
        assert next(model.parameters()).dtype == torch.bfloat16
    assert mouth.dtype == next(mouth.encoder.parameters()).dtype == torch.float32
    after = shipped(DRAWING, **options)
    difference = np.abs(after.images - before.images)
    assert 0 < difference.mean() < 1 / 255
    assert difference.max() < 16 / 255
    assert 0 < np.abs(after.shadow - before.shadow).max() < 8 / 255


def test_otherwise_the_pipeline_stays_exactly_as_it_was(shipped, native, monkeypatch):
    before = shipped(DRAWING, output_type="np", return_shadow=True)
    times(monkeypatch, exact=1.0, rounded=0.95)
    assert precision.use_fastest_precision(shipped) == torch.float32
    after = shipped(DRAWING, output_type="np", return_shadow=True)
    assert np.array_equal(after.images, before.images)
    assert np.array_equal(after.shadow, before.shadow)


def test_where_bfloat16_is_imitated_it_is_not_even_tried(pipe, imitated, monkeypatch):
    monkeypatch.setattr(precision, "_seconds", lambda model: pytest.fail("timed"))

    def models():
        return pipe.feature_mapping, pipe.image_synthesis, pipe.mouth_autoencoder.decoder

    before = models()
    assert precision.use_fastest_precision(pipe) == pipe.image_synthesis.dtype == torch.float32
    assert all(one is other for one, other in zip(before, models(), strict=True))


def test_it_measures_both_where_both_are_native(checkpoint, native, monkeypatch):
    pipe, seconds, measured = DeepFaceDrawingPipeline.from_pretrained(checkpoint), precision._seconds, {}

    def measure(model):
        return measured.setdefault(model.dtype, seconds(model))

    monkeypatch.setattr(precision, "_seconds", measure)
    chosen = precision.use_fastest_precision(pipe)
    assert set(measured) == {torch.float32, torch.bfloat16} and min(measured.values()) > 0
    faster = measured[torch.bfloat16] < precision.WORTH * measured[torch.float32]
    assert chosen == pipe.image_synthesis.dtype == (torch.bfloat16 if faster else torch.float32)
