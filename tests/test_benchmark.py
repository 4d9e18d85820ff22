"""The benchmark's figures and tables."""

import json

import pytest
import torch
from PIL import Image

from dfd import benchmark, precision
from dfd.models import presets
from dfd.pipeline import DeepFaceDrawingPipeline


@pytest.fixture
def small_paper(monkeypatch):
    """The paper's networks would take minutes here."""
    monkeypatch.setattr(benchmark.presets, "build", lambda _, build=presets.build: build("tiny"))


def test_one_run_measures_every_step_of_both_sizes(checkpoint, face, small_paper):
    result = benchmark.run(checkpoint, face(3), rounds=1, banks=(50, 100))
    shipped, paper = result["pipelines"]["shipped, float32"], result["pipelines"]["paper preset"]
    assert list(shipped["steps"]) == [
        *("prepare", "encode", "project", "shadow", "FM", "IS", "PNG", "all", "all, with shadow")
    ]
    assert "shadow" not in paper["steps"] and "IS" in paper["steps"]
    assert all(times["p95_ms"] >= times["median_ms"] > 0 for times in shipped["steps"].values())
    assert shipped["gflop"]["IS"] > 0 and shipped["gflop_per_second"]["IS"] > 0
    assert list(result["projection_by_bank"]) == [50, 100]
    # Which processor this is decides whether bfloat16 may be there; the rate of float32 always is.
    native, rates = result["computes_in_bfloat16"], result["machine_gflop_per_second"]
    assert native == benchmark.computes_in_bfloat16() == any("bfloat16" in name for name in rates)
    assert native or "shipped, bfloat16" not in result["pipelines"]
    assert rates["convolution, float32"] > 0
    json.dumps(result)
    table = benchmark.to_markdown(result)
    assert "| paper preset |" in table and "| 100 |" in table


@pytest.mark.parametrize("native", [True, False])
def test_bfloat16_is_measured_only_where_the_processor_computes_in_it(
    checkpoint, face, small_paper, monkeypatch, native
):
    """Imitated, the rates alone took ten minutes. Nothing is really timed here: this processor may be of any kind."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": native})
    monkeypatch.setattr(precision, "_seconds", lambda model: 1.0 if model.dtype == torch.float32 else 0.5)
    monkeypatch.setattr(benchmark, "timed", lambda call, rounds, warm_up=1: [1.0] * rounds)
    measured = benchmark.measure_pipeline(DeepFaceDrawingPipeline.from_pretrained(checkpoint), face(3), 1)
    monkeypatch.setattr(benchmark, "measure_pipeline", lambda pipe, drawing, rounds: measured)
    result = benchmark.run(checkpoint, face(3), rounds=1, banks=(50,))
    kinds = ["float32", "bfloat16"] if native else ["float32"]
    assert list(result["pipelines"]) == [*(f"shipped, {kind}" for kind in kinds), "paper preset"]
    assert list(result["machine_gflop_per_second"]) == [
        f"{what}, {kind}" for kind in kinds for what in ("matrix product", "convolution")
    ]
    assert result["computes_in_bfloat16"] is native
    table = benchmark.to_markdown(result)
    assert ("| bfloat16 | imitated: not measured |" in table) is not native
    assert ("| matrix product, bfloat16 |" in table) is native


def test_flops_are_those_of_the_design():
    """Design: FM and IS at most 30 GFLOP for a picture, encoders hardly anything."""
    counted = benchmark.count_flops(DeepFaceDrawingPipeline(**presets.build("compact")))
    assert counted["FM"] + counted["IS"] < 30
    assert counted["encode"] < 0.2 * counted["IS"]


def test_bad_arguments_are_refused_in_a_sentence(tmp_path):
    with pytest.raises(SystemExit, match="error: "):
        benchmark.main(["--drawing", str(tmp_path / "nothing.png")])
    Image.new("L", (8, 8)).save(tmp_path / "drawing.png")
    with pytest.raises(SystemExit, match="--rounds"):
        benchmark.main(["--drawing", str(tmp_path / "drawing.png"), "--rounds", "0"])


def test_figures_that_cannot_be_written_are_shown_all_the_same(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(benchmark, "run", lambda *options: {})
    monkeypatch.setattr(benchmark, "to_markdown", lambda result: "the table")
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit, match=r"error: .*here\.json cannot be written"):
        benchmark.main(["--output", str(tmp_path / "file" / "here.json")])
    assert "the table" in capsys.readouterr().out
