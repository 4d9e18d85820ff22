"""`python -m dfd.convert DRAWINGS FACES`: a folder of drawings becomes a folder of photos.

`accelerate launch -m dfd.convert ...` splits the folder over processes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import gather_object
from PIL import Image
from tqdm import tqdm

from dfd.files import whole_file
from dfd.manifold import DEFAULT_REFINEMENT, SUBSETS
from dfd.pipeline import DEFAULT_EMPHASIS, DeepFaceDrawingPipeline


def find_drawings(folder: Path, output: Path) -> dict[Path, Path]:
    """The image files of a folder, not of those in it, and the PNG that each becomes.

    Raises:
        ValueError: no folder, no images in it, two that would become one, or drawings that would be overwritten.
    """
    if not folder.is_dir():
        raise ValueError(f"no folder at {folder}")
    if output.resolve() == folder.resolve():
        raise ValueError(f"the faces need a folder of their own: in {folder} they would replace the drawings")
    readable = {suffix for suffix, kind in Image.registered_extensions().items() if kind in Image.OPEN}
    files = (path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith("."))
    drawings = [path for path in files if path.suffix.lower() in readable]
    if not drawings:
        raise ValueError(f"no image files in {folder}")
    sources: dict[Path, Path] = {}
    for path in drawings:
        face = output / f"{path.stem}.png"
        if face in sources:
            raise ValueError(f"{sources[face].name} and {path.name} would both become {face.name}: rename one")
        sources[face] = path
    return {path: face for face, path in sources.items()}


def convert(
    pipeline: DeepFaceDrawingPipeline, drawings: Mapping[Path, Path], settings: Mapping[str, Any]
) -> dict[Path, str]:
    """Makes the faces of a batch and saves them.

    Args:
        drawings: file of a drawing -> PNG to write.
        settings: further arguments of the pipeline.

    Returns:
        Drawing -> why it could not be read.
    """
    try:
        faces = pipeline(list(drawings), **settings).images
    except ValueError as error:
        if len(drawings) == 1:
            return dict.fromkeys(drawings, str(error))
        # The pipeline refuses the batch for one of its drawings: each by itself, then.
        failed: dict[Path, str] = {}
        for path, target in drawings.items():
            failed |= convert(pipeline, {path: target}, settings)
        return failed
    for face, target in zip(faces, drawings.values(), strict=True):
        with whole_file(target) as partial:
            face.save(partial, "PNG")
    return {}


def run(options: argparse.Namespace) -> list[tuple[Path, str]]:
    """Converts what is this process's share; returns what all processes could not read, with the reasons.

    Raises:
        ValueError: a folder or a setting does not fit.
        OSError: the checkpoint cannot be loaded, or a face cannot be written.
    """
    state = PartialState(cpu=not torch.cuda.is_available())
    settings = {name: getattr(options, name) for name in ("manifold", "refinement", "num_neighbors", "emphasis")}
    if options.batch_size < 1:
        raise ValueError(f"--batch-size must be at least 1, got {options.batch_size}")
    drawings = find_drawings(options.drawings, options.output)
    todo = [(path, face) for path, face in drawings.items() if options.overwrite or not face.exists()]
    pipeline = DeepFaceDrawingPipeline.from_pretrained(options.checkpoint).to(state.device)
    pipeline.check_inputs(**settings, output_type="pil")
    options.output.mkdir(parents=True, exist_ok=True)
    state.wait_for_everyone()  # all have looked at what is there before the first writes
    if state.is_main_process and len(todo) < len(drawings):
        print(f"left alone, since they exist: {len(drawings) - len(todo)} (--overwrite makes them again)")
    failed: dict[Path, str] = {}
    with (
        state.split_between_processes(todo) as share,
        tqdm(total=len(share), desc="faces", unit="face", disable=not state.is_main_process) as bar,
    ):
        for start in range(0, len(share), options.batch_size):
            batch = dict(share[start : start + options.batch_size])
            failed |= convert(pipeline, batch, settings)
            bar.update(len(batch))
    everywhere = gather_object(list(failed.items()))
    if state.is_main_process:
        print(f"faces made: {len(todo) - len(everywhere)}, in {options.output}")
    return everywhere if state.is_main_process else []


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line. Exits with sentences, not a traceback, and with status 1 if a drawing was left out."""
    parser = argparse.ArgumentParser(prog="python -m dfd.convert", description=__doc__)
    parser.add_argument("drawings", metavar="DRAWINGS", type=Path, help="folder of image files")
    parser.add_argument("output", metavar="FACES", type=Path, help="folder for the photos, made if it does not exist")
    parser.add_argument("--checkpoint", default="checkpoints", help="pipeline folder (%(default)s)")
    parser.add_argument("--manifold", choices=SUBSETS, default="all", help="whose faces to look like (%(default)s)")
    parser.add_argument(
        "--refinement",
        type=float,
        default=DEFAULT_REFINEMENT,
        help="from 0, keep to the lines, to 1, the most plausible face (%(default)s)",
    )
    parser.add_argument(
        "--num-neighbors", type=int, default=10, help="samples that span the manifold around a drawing (%(default)s)"
    )
    parser.add_argument(
        "--emphasis",
        type=float,
        default=DEFAULT_EMPHASIS,
        help="how distinct eyes, nose and mouth are made, from 0, as the paper has them, to 2 (%(default)s)",
    )
    parser.add_argument("--batch-size", type=int, default=4, help="drawings at a time, by process (%(default)s)")
    parser.add_argument("--overwrite", action="store_true", help="make faces again that exist already")
    try:
        failed = run(parser.parse_args(arguments))
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
    if failed:
        reasons = [f"  {path.name}: {reason}" for path, reason in failed]
        sys.exit("\n".join([f"drawings that did not become faces: {len(failed)}", *reasons]))


if __name__ == "__main__":
    main()
