"""`python -m dfd.hub export|push model|space`: the model repository and the Space on the Hugging Face Hub.

A repository is first put together in a folder (`export_model`, `export_space`), then compared with what the Hub has;
only what differs is sent, in one commit, so that whoever loads it meanwhile gets the old state or the new one.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, RepoCard
from huggingface_hub.errors import RepositoryNotFoundError
from huggingface_hub.hf_api import RepoFile
from safetensors import safe_open

from dfd import __version__
from dfd.files import file_hash
from dfd.model_card import REPOSITORY
from dfd.pipeline import COMPONENT_CLASSES, DeepFaceDrawingPipeline
from dfd.remote_code import single_file

ROOT = Path(__file__).parents[1]
WEIGHTS = "diffusion_pytorch_model.safetensors"

#: What a Space consists of, besides its card.
SPACE_FILES = ("app.py", "requirements.txt", "LICENSE", "CITATION.cff", "CHANGELOG.md", "dfd/**/*", "docs/**/*")

#: Written by the Hub itself when a repository is made.
HUB_FILES = (".gitattributes",)


def export_model(checkpoint: str | Path, output: str | Path, repo: str = REPOSITORY) -> Path:
    """Writes a model repository: weights, card, and the code for those who have not installed this package.

    Half-precision weights lie there under two names, since people ask for `variant="fp16"`; the Hub stores equal
    files once.

    Args:
        checkpoint: pipeline folder.
        output: folder to make.
        repo: what the card calls the repository.

    Raises:
        OSError: `checkpoint` is no pipeline folder, a file of it is missing, or `output` is not empty.
        ValueError: see `DeepFaceDrawingPipeline.from_pretrained`.
    """
    checkpoint, output = Path(checkpoint), _new_folder(output)
    DeepFaceDrawingPipeline.from_pretrained(checkpoint)  # what cannot be loaded here is not published
    index = json.loads((checkpoint / "model_index.json").read_text("utf-8"))
    index["_class_name"] = ["pipeline", DeepFaceDrawingPipeline.__name__]
    (output / "pipeline.py").write_text(single_file("dfd.pipeline", __version__), "utf-8")
    (output / "handler.py").write_text(single_file("dfd.handler", __version__), "utf-8")
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    (output / "requirements.txt").write_text("\n".join(needed) + "\n", "utf-8")
    for name, model_class in COMPONENT_CLASSES.items():
        if not (checkpoint / name).is_dir():
            continue
        folder = output / name
        shutil.copytree(checkpoint / name, folder)
        module = model_class.__module__
        index[name] = [module, model_class.__name__]
        (folder / f"{module}.py").write_text(single_file(module, __version__), "utf-8")
        if _is_half(folder / WEIGHTS):
            shutil.copyfile(folder / WEIGHTS, folder / WEIGHTS.replace(".safetensors", ".fp16.safetensors"))
    (output / "model_index.json").write_text(json.dumps(index, indent=2) + "\n", "utf-8")
    for file in (*checkpoint.glob("*.md"), ROOT / "LICENSE"):
        (output / file.name).write_text(file.read_text("utf-8").replace(REPOSITORY, repo), "utf-8")
    return output


def export_space(model: str, output: str | Path, repo: str = REPOSITORY) -> Path:
    """Writes a Space: the app, this package, and the README as its card. The weights come from the model repository.

    Args:
        model: repository of the weights, such as "user/repo"; the card names it, so that it is fetched when the
            Space is built.
        output: folder to make.
        repo: the Space's own name, for its card.

    Raises:
        OSError: `output` is not empty, or this is no checkout of the project.
    """
    output = _new_folder(output)
    if not (ROOT / "app.py").is_file():
        raise OSError(f"{ROOT} is no checkout of the project: a Space needs its app.py")
    for pattern in SPACE_FILES:
        for file in ROOT.glob(pattern):
            if file.is_file() and "__pycache__" not in file.parts and file.suffix != ".pyi":
                target = output / file.relative_to(ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)
    card = RepoCard.load(ROOT / "README.md", ignore_metadata_errors=True)
    card.data.thumbnail = card.data.thumbnail.replace(REPOSITORY, repo)
    card.data.models = card.data.preload_from_hub = [model]
    card.save(output / "README.md")
    return output


def changes(api: HfApi, folder: Path, repo: str, repo_type: str, revision: str = "main") -> tuple[list[str], list[str]]:
    """Files of `folder` that the Hub lacks or has otherwise, and files that only the Hub has. Sends nothing."""
    try:
        tree = api.list_repo_tree(repo, recursive=True, repo_type=repo_type, revision=revision)
        there = {entry.path: entry for entry in tree if isinstance(entry, RepoFile)}
    except RepositoryNotFoundError:
        there = {}
    here = {file.relative_to(folder).as_posix(): file for file in sorted(folder.rglob("*")) if file.is_file()}
    new = [path for path, file in here.items() if path not in there or not _same(file, there[path])]
    return new, sorted(set(there) - set(here) - set(HUB_FILES))


def push(
    folder: str | Path,
    repo: str,
    repo_type: str = "model",
    private: bool = False,
    revision: str = "main",
    variables: Mapping[str, str] | None = None,
) -> str | None:
    """Makes a repository equal to a folder, in one commit.

    Args:
        folder: from `export_model` or `export_space`.
        repo: such as "user/repo"; made if it does not exist.
        repo_type: "model" or "space".
        private: whether a new repository is private.
        revision: branch.
        variables: of a Space's environment, set before its files arrive.

    Returns:
        The commit's address, or None if there was nothing to change.

    Raises:
        OSError: the Hub cannot be reached or refuses. What it had before stays as it was.
    """
    api, folder = HfApi(), Path(folder)
    sdk = "gradio" if repo_type == "space" else None
    try:
        api.create_repo(repo, repo_type=repo_type, private=private, exist_ok=True, space_sdk=sdk)
        for name, value in (variables or {}).items():
            api.add_space_variable(repo, name, value)
        new, gone = changes(api, folder, repo, repo_type, revision)
        if not new and not gone:
            return None
        operations = [CommitOperationAdd(path, folder / path) for path in new]
        operations += [CommitOperationDelete(path) for path in gone]
        message = f"DeepFaceDrawing {__version__}"
        return api.create_commit(
            repo, operations, commit_message=message, repo_type=repo_type, revision=revision
        ).commit_url
    except (OSError, ValueError):
        raise
    except Exception as error:  # the Hub's client lets the errors of its HTTP library through
        raise OSError(f"the Hub was lost on the way, {repo} is as it was before: {error}") from error


def _new_folder(path: str | Path) -> Path:
    path = Path(path)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise OSError(f"{path} exists and is not empty: give another folder")
    path.mkdir(parents=True, exist_ok=True)
    return path


def _is_half(weights: Path) -> bool:
    with safe_open(weights, "pt") as file:
        return any(file.get_slice(key).get_dtype() == "F16" for key in file.keys())  # noqa: SIM118 - no mapping


def _same(file: Path, entry: RepoFile) -> bool:
    if entry.size != file.stat().st_size:
        return False
    if entry.lfs is not None:
        return entry.lfs.sha256 == file_hash(file)
    content = file.read_bytes()
    return entry.blob_id == hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="python -m dfd.hub", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    for action, target in (("export", "OUTPUT"), ("push", "USER/REPO")):
        kinds = actions.add_parser(action, help=f"write to {target}").add_subparsers(dest="kind", required=True)
        for kind in ("model", "space"):
            command = kinds.add_parser(kind)
            command.add_argument("target", metavar=target)
            if kind == "model":
                command.add_argument("--checkpoint", type=Path, default=ROOT / "checkpoints", help="pipeline folder")
            else:
                command.add_argument("--model", required=True, metavar="USER/REPO", help="repository of the weights")
            if action == "push":
                command.add_argument("--private", action="store_true", help="if the repository has yet to be made")
                command.add_argument("--revision", default="main", help="branch")
                command.add_argument("--dry-run", action="store_true", help="only show what would be sent")
    options = parser.parse_args(arguments)
    try:
        _run(options)
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")


def _run(options: argparse.Namespace) -> None:
    repo = options.target if options.action == "push" else REPOSITORY

    def export(folder: str | Path) -> Path:
        if options.kind == "model":
            return export_model(options.checkpoint, folder, repo)
        return export_space(options.model, folder, repo)

    if options.action == "export":
        print(export(options.target))
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = export(Path(scratch) / "repository")
        if options.dry_run:
            new, gone = changes(HfApi(), folder, options.target, options.kind, options.revision)
            for path in new:
                print(f"send   {path} ({(folder / path).stat().st_size:,} bytes)")
            for path in gone:
                print(f"delete {path}")
            print(f"{len(new)} files to send to {options.target}, {len(gone)} to delete; nothing was sent")
            return
        # The app's own way of being told where its weights are.
        variables = {"DFD_CHECKPOINT": options.model} if options.kind == "space" else None
        commit = push(folder, options.target, options.kind, options.private, options.revision, variables)
        print(commit or f"{options.target} is up to date")


if __name__ == "__main__":
    main()
