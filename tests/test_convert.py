"""A folder of drawings becomes a folder of photos: on one process, and on two started by `accelerate launch`."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dfd.convert import main
from dfd.pipeline import DeepFaceDrawingPipeline

ROOT = Path(__file__).parents[1]
LAUNCH = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]


@pytest.fixture
def drawings(face, tmp_path):
    """A folder with five drawings in three formats, and what is no drawing: a text, a hidden file, a folder."""
    folder = tmp_path / "drawings"
    (folder / "more.png").mkdir(parents=True)
    for i, suffix in enumerate(("png", "jpg", "PNG", "webp", "png")):
        face(i).save(folder / f"{i}.{suffix}")
    (folder / "notes.md").write_text("no drawing")
    (folder / "._0.png").write_text("what a file manager leaves behind")
    return folder


@pytest.fixture
def convert(checkpoint, drawings, tmp_path):
    """Runs the command line; returns the names of the faces there are."""

    def run(*options, output=tmp_path / "faces"):
        main([str(value) for value in (drawings, output, "--checkpoint", checkpoint, *options)])
        return sorted(path.name for path in output.iterdir())

    return run


def refusal(call, *options, **places) -> str:
    with pytest.raises(SystemExit) as refused:
        call(*options, **places)
    return str(refused.value)


def test_every_drawing_becomes_its_face(convert, drawings, checkpoint, tmp_path):
    settings = {"manifold": "female", "refinement": 0.9, "num_neighbors": 5}
    options = [word for key, value in settings.items() for word in (f"--{key.replace('_', '-')}", value)]
    assert convert("--batch-size", 2, *options) == [f"{i}.png" for i in range(5)]
    pipe = DeepFaceDrawingPipeline.from_pretrained(checkpoint)
    for name in ("0.png", "1.jpg", "4.png"):  # from a batch of one as well
        expected = pipe(drawings / name, **settings).images[0]
        with Image.open(tmp_path / "faces" / f"{name[0]}.png") as face:
            assert (face.format, face.mode) == ("PNG", "RGB")
            difference = np.abs(np.asarray(face, int) - np.asarray(expected, int))
        assert difference.max() <= 1, name


def test_what_cannot_be_read_is_named_and_stops_nothing(convert, drawings, tmp_path):
    (drawings / "2b.png").write_text("no picture")
    Image.new("L", (512, 512), 255).save(drawings / "3b.png")
    message = refusal(convert, "--batch-size", 3)
    assert message.startswith("drawings that did not become faces: 2")
    assert "2b.png: cannot read" in message
    assert "3b.png: the drawing is empty" in message
    assert sorted(path.name for path in (tmp_path / "faces").iterdir()) == [f"{i}.png" for i in range(5)]


def test_faces_that_exist_are_left_alone(convert, tmp_path, capsys):
    (tmp_path / "faces").mkdir()
    kept = tmp_path / "faces" / "1.png"
    kept.write_text("mine")
    convert()
    assert kept.read_text() == "mine"
    assert "since they exist: 1 " in capsys.readouterr().out
    convert("--overwrite")
    with Image.open(kept) as face:
        assert face.size == (512, 512)


def test_bad_settings_are_refused_before_anything_is_made(convert, drawings, tmp_path):
    assert "2.0" in refusal(convert, "--refinement", 2)
    assert "--batch-size must be at least 1" in refusal(convert, "--batch-size", 0)
    assert "folder of their own" in refusal(convert, output=drawings)
    Image.new("L", (64, 64)).save(drawings / "4.bmp")
    assert "4.bmp and 4.png would both become 4.png" in refusal(convert)
    for path in drawings.glob("*.*"):
        if path.is_file():
            path.unlink()
    assert "no image files" in refusal(convert)
    assert not (tmp_path / "faces").exists()


def test_two_processes_share_the_folder(drawings, checkpoint, tmp_path):
    (drawings / "2b.png").write_text("no picture")
    command = [*LAUNCH, "-m", "dfd.convert", drawings, tmp_path / "faces", "--checkpoint", checkpoint]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, timeout=400, check=False, env=environment
    )
    assert done.returncode == 1, done.stderr[-3000:]
    assert done.stderr.count("2b.png: cannot read") == 1
    assert "faces made: 5, in" in done.stdout
    assert "3/3" in done.stderr, "each process has half of the six drawings"
    assert sorted(path.name for path in (tmp_path / "faces").iterdir()) == [f"{i}.png" for i in range(5)]
