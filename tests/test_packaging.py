"""Files that other programs read: the Space's front matter, requirements, citation, git attributes."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

import dfd
from dfd.model_card import REPOSITORY, code_block

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
REQUIREMENTS = [Requirement(line) for line in (ROOT / "requirements.txt").read_text().splitlines()]
COLORS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}


@pytest.fixture(scope="module")
def space():
    """The README's front matter."""
    return yaml.safe_load(re.match(r"---\n(.*?)^---$", README, re.MULTILINE | re.DOTALL)[1])


def test_the_front_matter_describes_a_space(space):
    assert {"title", "emoji", "license", "tags", "pinned", "suggested_hardware"} <= set(space)
    assert space["sdk"] == "gradio"
    assert {space["colorFrom"], space["colorTo"]} <= COLORS
    assert len(space["short_description"]) <= 60
    assert (ROOT / space["app_file"]).is_file()
    assert isinstance(space["python_version"], str)
    assert f">={space['python_version']}" == PROJECT["requires-python"]
    assert space["license"] == PROJECT["license"].lower()


def test_the_space_has_the_gradio_that_requirements_ask_for(space):
    (gradio,) = [r for r in REQUIREMENTS if r.name == "gradio"]
    assert isinstance(space["sdk_version"], str)
    assert space["sdk_version"] in gradio.specifier


def test_the_space_names_the_model_but_does_not_wait_for_it(space):
    """A build that preloads from a repository which does not exist fails: only a push, which knows it, adds that."""
    assert space["models"] == [REPOSITORY]
    assert "preload_from_hub" not in space
    address, _, picture = space["thumbnail"].partition("/resolve/main/")
    assert address == f"https://huggingface.co/spaces/{REPOSITORY}"
    assert (ROOT / picture).is_file()


def test_requirements_are_the_package_and_its_demo():
    declared = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["demo"]
    assert {str(r) for r in REQUIREMENTS} == {str(Requirement(line)) for line in declared}


def test_there_are_extras_for_each_use():
    extras = PROJECT["optional-dependencies"]
    assert {"demo", "train", "evaluation", "mcp", "dev"} <= set(extras)
    assert "deepfacedrawing[demo,mcp,train]" in extras["dev"]
    assert not any(Requirement(line).name == "gradio" for line in PROJECT["dependencies"])


def test_the_citation_is_of_this_version_and_of_the_paper():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == dfd.__version__
    assert citation["license"] == PROJECT["license"]
    assert citation["authors"] == [{"name": "The DeepFaceDrawing contributors"}]
    paper = citation["preferred-citation"]
    bibtex = dict(re.findall(r"^  (\w+)\s*= \{(.*)\},?$", code_block(README, "bibtex"), re.MULTILINE))
    authors = " and ".join(f"{a['family-names']}, {a['given-names']}" for a in paper["authors"])
    assert bibtex == {
        "author": authors,
        "title": paper["title"].replace("DeepFaceDrawing", "{DeepFaceDrawing}"),
        "journal": paper["journal"],
        "volume": str(paper["volume"]),
        "number": str(paper["issue"]),
        "pages": f"{paper['start']}--{paper['end']}",
        "year": str(paper["year"]),
    }


def test_the_changelog_knows_this_version():
    text = (ROOT / "CHANGELOG.md").read_text()
    assert "semantic versioning" in text.split("\n## ")[0]
    assert f"\n## {dfd.__version__}\n" in text


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a git checkout")
def test_git_keeps_binary_files_as_they_are():
    """With filter=lfs, git-lfs would take the weights for changed and commit pointers to nowhere in their place."""
    git = ["git", "-C", str(ROOT)]
    files = subprocess.run([*git, "ls-files", "-z"], capture_output=True, text=True, check=True).stdout.split("\0")
    binary = [name for name in files if name and b"\0" in (ROOT / name).read_bytes()[:8192]]
    assert any(name.endswith(".safetensors") for name in binary)
    asked = [*git, "check-attr", "text", "filter", "--", *binary]
    lines = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines()
    assert {line.split(": ", 1)[1] for line in lines} == {"text: unset", "filter: unspecified"}
