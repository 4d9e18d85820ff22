"""Modules put together into single files."""

import ast
import subprocess
import sys

import pytest

from dfd import remote_code
from dfd.pipeline import COMPONENT_CLASSES
from dfd.remote_code import single_file

MODULES = sorted({"dfd.pipeline", *(model.__module__ for model in COMPONENT_CLASSES.values())})


@pytest.mark.parametrize("module", MODULES)
def test_a_single_file_imports_nothing_from_the_package(module):
    tree = ast.parse(single_file(module, "1.2.3"))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not [name for name in imported if name.split(".")[0] == "dfd"]


def test_a_single_file_runs_without_the_package(tmp_path):
    (tmp_path / "code.py").write_text(single_file("dfd.models.autoencoder", "1.2.3"))
    script = "import sys; sys.modules['dfd'] = None; import code; print(code.ComponentAutoencoder.__module__)"
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.strip() == "code", done.stderr


def test_two_definitions_of_one_name_are_refused(tmp_path, monkeypatch):
    package = tmp_path / "toy"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "one.py").write_text("SIZE = 1\n")
    (package / "two.py").write_text("from toy.one import SIZE as _other\n")
    (package / "three.py").write_text("from toy.one import SIZE\n\ndef SIZE():\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(remote_code, "PACKAGE", "toy")
    with pytest.raises(ValueError, match=r"toy\.one and toy\.three define SIZE"):
        single_file("toy.three", "1")
    with pytest.raises(ValueError, match=r"toy\.two:1"):
        single_file("toy.two", "1")
