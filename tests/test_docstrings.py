"""Every example in the docstrings and in README.md is run, where a newcomer runs it: beside `checkpoints`.

A README block that cannot run here, since it needs a server or another host, stands under a line
`<!-- not run: why -->`; all others are run in their order, in one namespace.
"""

import doctest
import importlib
import re
from pathlib import Path

import pytest

import dfd

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"(<!-- not run: .+ -->\n)?^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def modules_with_examples() -> list[str]:
    files = [path for path in sorted((ROOT / "dfd").rglob("*.py")) if ">>>" in path.read_text()]
    return [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in files]


@pytest.fixture(autouse=True)
def newcomer(tmp_path, monkeypatch, face):
    """The working folder holds the shipped weights and a drawing."""
    (tmp_path / "checkpoints").symlink_to(ROOT / "checkpoints")
    face().save(tmp_path / "drawing.png")
    face(7).save(tmp_path / "another.png")
    monkeypatch.chdir(tmp_path)


def run_blocks(markdown: str) -> list[str]:
    """Runs the blocks and returns them."""
    blocks = [source for skipped, source in BLOCK.findall(markdown) if not skipped]
    names: dict = {}
    for source in blocks:
        exec(compile(source, "block", "exec"), names)
    return blocks


@pytest.mark.parametrize("module", modules_with_examples())
def test_examples_in_docstrings_run(module):
    result = doctest.testmod(importlib.import_module(module))
    assert result.attempted
    assert not result.failed


def test_examples_in_the_readme_run():
    assert run_blocks((ROOT / "README.md").read_text())
    assert Path("face.png").stat().st_size > 10_000


def test_the_four_lines_of_the_model_card_run():
    assert len(run_blocks((ROOT / "checkpoints" / "README.md").read_text())) == 1
    assert Path("face.png").stat().st_size > 10_000


def test_a_marked_block_is_not_run():
    marked = "<!-- not run: needs a server -->\n```python\nraise RuntimeError\n```\n\n```python\nx = 1\n```\n"
    assert run_blocks(marked) == ["x = 1\n"]


def test_public_names_are_all_there_and_explained():
    for name in dfd.__all__:
        assert f"`{name}`" in dfd.__doc__
        value = getattr(dfd, name)
        if callable(value):
            assert value.__doc__
    imported = {name for name, value in vars(dfd).items() if getattr(value, "__module__", "").startswith("dfd.")}
    assert imported <= set(dfd.__all__)
