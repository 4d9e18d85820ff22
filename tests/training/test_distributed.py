"""Both stages on two CPU processes, started as the README says, by `accelerate launch`; and what processes agree on."""

import os
import subprocess
import sys

import pytest
import torch

from dfd.data.faces import FaceFolder
from dfd.models import ComponentAutoencoder, ImageSynthesis, presets

LAUNCH = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]


@pytest.fixture
def launch(four_faces, tmp_path):
    """Runs a stage on two processes with images for two steps, and returns its output folder."""
    FaceFolder(four_faces, tmp_path / "cache")

    def run(stage, *options):
        output = tmp_path / stage
        command = [*LAUNCH, "-m", "dfd.train", stage, "--data", four_faces, "--output", output, *options]
        command += ["--cache", tmp_path / "cache", "--preset", "tiny", "--mixed-precision", "no"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            list(map(str, command)), capture_output=True, text=True, timeout=400, check=False, env=environment
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return output

    return run


def run_on_two(folder, program, *arguments):
    """Runs lines of Python, in which there is an `accelerator`, on two processes."""
    script = folder / "script.py"
    script.write_text(
        "import sys\n"
        "from accelerate import Accelerator\n"
        "from pathlib import Path\n"
        "from dfd.training.run import Run, RunOptions\n"
        "accelerator = Accelerator(cpu=True)\n"
        f"{program}"
        "accelerator.wait_for_everyone()  # else the first to end takes the others' connection along\n"
        "accelerator.end_training()\n"
    )
    done = subprocess.run([*LAUNCH, script, *arguments], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-3000:]


def last_row(output):
    return (output / "metrics.csv").read_text().splitlines()[-1]


def test_stage_one(launch):
    output = launch("autoencoders", "--components", "nose", "--images", 8, "--batch-size", 2)
    assert last_row(output).startswith("2,8,")  # 8 images are two steps of two processes of two
    ComponentAutoencoder.from_pretrained(output, subfolder="nose_autoencoder")


def test_stage_two(launch, tmp_path):
    for name, model in presets.build("tiny", latent_dim=64).items():
        if name.endswith("_autoencoder"):
            model.save_pretrained(tmp_path / "encoders" / name)
    output = launch(
        *("synthesis", "--autoencoders", tmp_path / "encoders"),
        *("--images", 4, "--batch-size", 1, "--adversarial-start", 0),
    )
    assert last_row(output).startswith("2,4,")
    ImageSynthesis.from_pretrained(output, subfolder="image_synthesis")


def test_processes_save_at_the_same_step_though_their_clocks_differ(tmp_path):
    program = (
        "options = RunOptions(\n"
        "    data=None, output=Path(sys.argv[1]), batch_size=1, learning_rate=0, sample_steps=1, save_minutes=1\n"
        ")\n"
        "run = Run(options, accelerator, {})\n"
        "run.saved_at -= 90 * accelerator.process_index  # only the second thinks that it is time\n"
        "assert accelerator.num_processes == 2 and not run.due()\n"
        "run.saved_at -= 90 * accelerator.is_main_process\n"
        "assert run.due()\n"
    )
    run_on_two(tmp_path, program, tmp_path / "run")


def test_processes_that_find_different_checkpoints_all_stop(tmp_path):
    """As on machines with a disk each, where only the first has the main process's checkpoint."""
    program = (
        "for folder in sys.argv[1:]:\n"
        "    folder = Path(folder) / str(accelerator.process_index)\n"
        "    options = RunOptions(data=None, output=folder, batch_size=1, learning_rate=0, sample_steps=1)\n"
        "    try:\n"
        "        found = Run(options, accelerator, {}).resume()\n"
        "    except ValueError as error:\n"
        "        found = error\n"
        "    (folder / 'found.txt').write_text(str(found))\n"
    )
    folders = [tmp_path / name for name in ("same", "other", "none", "damaged")]
    for folder in folders:
        for rank, step in (("0", 7), ("1", 5 if folder.name == "other" else 7)):
            (folder / rank).mkdir(parents=True)
            torch.save({"step": step}, folder / rank / "checkpoint.pt")
    (tmp_path / "none" / "1" / "checkpoint.pt").unlink()
    (tmp_path / "damaged" / "1" / "checkpoint.pt").write_bytes(b"half")
    run_on_two(tmp_path, program, *folders)
    same, other, none, damaged = ([(f / rank / "found.txt").read_text() for rank in "01"] for f in folders)
    assert same == ["7", "7"]
    assert other[0] == other[1] and "different checkpoints (steps 7, 5): --output must be on a disk that" in other[0]
    assert none[0] == none[1] and "(steps 7, 0)" in none[0]
    assert "(steps 7, unusable)" in damaged[0] and "is damaged" in damaged[1]
