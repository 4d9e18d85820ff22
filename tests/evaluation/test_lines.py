"""How well lines agree with the data's: the table and its command."""

import numpy as np
import pytest

from dfd.evaluation import lines
from dfd.evaluation.lines import DAMAGES, main, measure, table
from dfd.lines import extract_lines
from dfd.models import LineExtractor


def test_the_datas_own_lines_are_perfect_and_no_lines_are_worthless(faces, monkeypatch):
    monkeypatch.setattr(lines, "DAMAGES", {"as it is": DAMAGES["as it is"]})
    drawn = {faces.photos[i].tobytes(): faces.lines(i) for i in range(2)}
    methods = {"data": lambda photo: drawn[photo.tobytes()], "none": lambda photo: np.zeros(photo.shape[:2], bool)}
    rows = measure(faces, np.arange(2), methods)
    assert rows["as it is", "data"]["f1@4"] == rows["as it is", "data"]["f1@2"] == 1
    assert rows["as it is", "none"]["f1@4"] == 0


def test_damage_is_seen_by_every_method_alike(faces):
    seen = {"a": [], "b": []}

    def remember(name):
        return lambda photo: seen[name].append(photo.tobytes()) or extract_lines(photo)

    rows = measure(faces, np.arange(1), {name: remember(name) for name in seen})
    assert seen["a"] == seen["b"] and len(set(seen["a"])) == len(DAMAGES)
    assert {damage for damage, _ in rows} == set(DAMAGES)
    text = table(rows)
    assert text.count("\n") == 1 + 2 * len(DAMAGES)
    assert "| as it is | a |" in text and "f1@4" in text.splitlines()[0]


def test_the_command_measures_and_refuses_with_a_sentence(face_data, tmp_path, capsys, monkeypatch):
    root, cache = face_data
    monkeypatch.setattr(lines, "DAMAGES", {"as it is": DAMAGES["as it is"]})
    LineExtractor((8, 8)).save_pretrained(tmp_path / "extractor")
    monkeypatch.setattr("dfd.data.faces.VALIDATION_EVERY", 2)
    common = ["--data", str(root), "--cache", str(cache), "--split", "validation"]
    main([*common, "--limit", "1", "--extractor", str(tmp_path / "extractor")])
    assert "| as it is | network |" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="cannot load LineExtractor"):
        main([*common, "--extractor", str(tmp_path / "none")])
