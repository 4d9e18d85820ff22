"""The command line, end to end on a few drawn faces, without network, dlib and workers."""

import json

import numpy as np
import pytest
from PIL import Image

from dfd import evaluate
from dfd.components import COMPONENTS
from dfd.data.faces import FaceFolder
from dfd.evaluate import main, select_faces
from dfd.evaluation.tables import DAMAGES
from dfd.models.unet import WIDTHS, UNet


@pytest.fixture(scope="module")
def data(face_folder, tmp_path_factory):
    """A folder with four test faces and one for training, and its cache."""
    folder = tmp_path_factory.mktemp("evaluate")
    columns = {"split": ["test"] * 4 + ["train"], "group": ["white", "black", "", "white", ""]}
    return face_folder(folder / "faces", 5, **columns), folder / "cache"


@pytest.fixture(scope="module")
def arguments(data, pipe, tmp_path_factory):
    """A command line that works: the bank's samples all have the id of the training face."""
    root, cache = data
    folder = tmp_path_factory.mktemp("pipeline")
    bank = type(pipe.manifold).from_codes(
        {name: pipe.manifold.codes.get_buffer(name) for name in COMPONENTS},
        np.full(pipe.manifold.config.num_samples, 4),
        pipe.manifold.genders,
        pipe.manifold.appearance,
    )
    type(pipe)(**{**pipe.components, "manifold": bank}).save_pretrained(folder)
    common = ["--data", root, "--cache", cache, "--no-identity", "--workers", 0, "--resamples", 2]
    return [str(a) for a in [*common, "--checkpoint", folder]]


def test_it_writes_json_and_markdown(arguments, data, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(evaluate, "DAMAGES", ("redrawn", "30 % erased"))  # all of them are tested where they live
    UNet(WIDTHS["tiny"]).save_pretrained(tmp_path / "pix2pix" / "unet")
    output = tmp_path / "out" / "table.json"
    (tmp_path / "a rival").mkdir()
    for i in range(4):
        Image.fromarray(FaceFolder(*data).photos[i]).save(tmp_path / "a rival" / f"drawn-{i:05d}.png")
    more = ["--pix2pix", tmp_path / "pix2pix", "--pictures", tmp_path / "a rival"]
    main([*arguments, "--output", str(output), *map(str, more)])
    document = json.loads(output.read_text())
    assert "python -m dfd.evaluate --data" in document["command"]
    assert document["data"] | {"metadata_sha256": ""} == {
        "split": "test",
        "faces": 4,
        "left_out_of_bank": 0,
        "metadata_sha256": "",
    }
    rows = document["rows"]
    assert list(rows) == [
        "true photos",
        "refinement 0 (no projection)",
        "refinement 0.5",
        "refinement 1",
        "refinement 0.5, K = 1",
        "nearest training photo",
        "pix2pix",
        "a rival",
        "redrawn",
        "30 % erased",
        "pix2pix, displaced 8 px",
        "pix2pix, 30 % erased",
    ]
    true = rows["true photos"]["all"]
    assert true["perceptual"]["value"] == 0
    assert true["ssim"]["value"] == pytest.approx(1)
    assert true["f1/all"]["value"] > rows["nearest training photo"]["all"]["f1/all"]["value"]
    assert rows["a rival"]["all"]["perceptual"]["value"] == pytest.approx(0, abs=1e-6)  # it has the true photos
    assert len(document["pictures"]["a rival"]["sha256"]) == 64
    assert rows["refinement 0.5"]["male"]["perceptual"]["n"] == 2
    assert rows["refinement 0.5"]["white"]["perceptual"]["n"] == 2
    assert rows["30 % erased"]["all"]["meant_recall/all"]["n"] == 4
    markdown = output.with_suffix(".md").read_text()
    assert markdown in capsys.readouterr().out
    assert "## By group: pix2pix" in markdown
    assert sorted(p.name for p in output.parent.iterdir()) == ["table.json", "table.md"]


def test_figures_depend_neither_on_the_run_nor_on_the_workers(arguments, tmp_path, monkeypatch):
    all_rows = evaluate.evaluation_rows
    monkeypatch.setattr(evaluate, "DAMAGES", ("displaced 8 px",))
    monkeypatch.setattr(evaluate, "evaluation_rows", lambda *given: all_rows(*given)[-1:])
    rows = []
    for i, workers in enumerate(("0", "1")):
        main([*arguments, "--output", str(tmp_path / f"{i}.json"), "--workers", workers])
        rows.append(json.loads((tmp_path / f"{i}.json").read_text())["rows"])
    assert rows[0] == rows[1]


def test_every_damage_is_a_row(pipe, data):
    names = [row.name for row in evaluate.evaluation_rows(pipe, FaceFolder(*data), None)]
    assert set(DAMAGES) <= set(names)
    assert not any(name.startswith("pix2pix") for name in names)


def test_two_rows_of_one_name_are_refused(pipe, data):
    with pytest.raises(ValueError, match="two rows are called 'refinement 1'"):
        evaluate.evaluation_rows(pipe, FaceFolder(*data), None, [("refinement 1", lambda *_: None)])


def test_a_bank_with_test_faces_is_refused(arguments, pipe, tmp_path, data):
    bank = type(pipe.manifold).from_codes(
        {name: pipe.manifold.codes.get_buffer(name)[:2] for name in COMPONENTS},
        [0, 4],
        pipe.manifold.genders[:2],
        pipe.manifold.appearance[:2],
    )
    type(pipe)(**{**pipe.components, "manifold": bank}).save_pretrained(tmp_path / "leak")
    with pytest.raises(SystemExit, match=r"error: the bank of .*leak holds 1 of the test faces"):
        main([*arguments, "--checkpoint", str(tmp_path / "leak"), "--output", str(tmp_path / "x.json")])
    assert not (tmp_path / "x.json").exists()


def test_faces_that_the_bank_does_not_know_are_compared_with_no_nearest_one(
    arguments, pipe, data, monkeypatch, tmp_path
):
    rows = []
    monkeypatch.setattr(evaluate, "measure_rows", lambda given, *_, **__: rows.extend(given))
    monkeypatch.setattr(evaluate, "summarise", lambda *_: {})
    monkeypatch.setattr(evaluate, "to_markdown", lambda *_: "")
    bank = pipe.manifold
    other = type(
        bank
    ).from_codes(
        {name: bank.codes.get_buffer(name)[:2] for name in COMPONENTS},
        [0, 4],  # numbers that test faces of this folder have too
        bank.genders[:2],
        bank.appearance[:2],
        data_sha256="0" * 64,
    )
    type(pipe)(**{**pipe.components, "manifold": other}).save_pretrained(tmp_path / "other")
    main([*arguments, "--checkpoint", str(tmp_path / "other"), "--output", str(tmp_path / "x.json")])
    names = [row.name for row in rows]
    assert "refinement 0.5" in names and "nearest training photo" not in names


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--data", "nowhere"], "no face folder"),
        (["--checkpoint", "nowhere"], "no pipeline folder"),
        (["--split", "validation"], "the validation split has 0 faces"),
        (["--limit", "3"], "the test split has 3 faces"),
        (["--pictures", "nowhere"], "nowhere lacks 4 of 4 pictures"),
    ],
)
def test_what_the_user_can_put_right_is_one_sentence(arguments, change, message, tmp_path):
    with pytest.raises(SystemExit, match=f"error: .*{message}"):
        main([*arguments, "--output", str(tmp_path / "x.json"), *change])


def test_a_limit_spreads_over_the_split(face_folder, tmp_path):
    faces = FaceFolder(face_folder(tmp_path / "faces", 9, split="test"), tmp_path / "cache")
    assert select_faces(faces, "test", 5).tolist() == [0, 2, 4, 6, 8]
    assert select_faces(faces, "test", None).tolist() == list(range(9))
    assert select_faces(faces, "test", 50).tolist() == list(range(9))
