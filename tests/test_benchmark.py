"""The benchmark's figures and tables."""

import json

import pytest
from PIL import Image

from dfd import benchmark
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
    json.dumps(result)
    table = benchmark.to_markdown(result)
    assert "| paper preset |" in table and "| 100 |" in table


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
