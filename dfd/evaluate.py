"""`python -m dfd.evaluate`: one table of how good the pictures are, on faces that training never saw.

Fidelity, identity, realism, obedience and robustness, by group, next to the baselines; see `dfd/evaluation/`.
"""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from dfd.extras import needs_extra

with needs_extra("evaluation", "the evaluation", __name__):
    from dfd.components import CANVAS
    from dfd.data.faces import FaceFolder
    from dfd.evaluation.identity import check_available
    from dfd.evaluation.measure import Row, measure_rows
    from dfd.evaluation.methods import Method, from_folder, knows_bank, ours, pix2pix, retrieval, without_faces
    from dfd.evaluation.report import groups_of, summarise, to_json
    from dfd.evaluation.tables import DAMAGES, HEADLINE, TRUE, to_markdown
    from dfd.files import file_hash, folder_hash, write_atomically
    from dfd.models.unet import UNet
    from dfd.pipeline import DeepFaceDrawingPipeline

#: Damages that the U-Net is compared on: those named in what must be shown.
PIX2PIX_DAMAGES = ("displaced 8 px", "30 % erased")

#: Seconds a picture takes on two free cores, for the estimate at the start: 0.65 s of one core's time (measured).
SECONDS = 0.4


def evaluation_rows(
    pipe: DeepFaceDrawingPipeline,
    faces: FaceFolder,
    unet: UNet | None,
    others: Sequence[tuple[str, Method]] = (),
    nearest: bool = True,
) -> list[Row]:
    """All rows of the table but the true photos'.

    Args:
        others: further ways to make pictures: names of their rows, and methods.
        nearest: whether the nearest photo of the bank is among them: these faces' folder has to have it.

    Raises:
        ValueError: two rows have one name.
    """
    rows = [
        Row("refinement 0 (no projection)", ours(pipe, 0)),
        Row(HEADLINE, ours(pipe, 0.5)),
        Row("refinement 1", ours(pipe, 1)),
        Row("refinement 0.5, K = 1", ours(pipe, 0.5, num_neighbors=1)),
    ]
    if nearest:
        rows.append(Row("nearest training photo", retrieval(pipe, faces)))
    if unet is not None:
        rows.append(Row("pix2pix", pix2pix(unet)))
    rows += [Row(name, method) for name, method in others]
    rows += [Row(kind, ours(pipe, 0.5), kind) for kind in DAMAGES]
    if unet is not None:
        rows += [Row(f"pix2pix, {kind}", pix2pix(unet), kind) for kind in PIX2PIX_DAMAGES]
    names = [TRUE, *(row.name for row in rows)]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"two rows are called {twice!r}: give the folder of pictures another name")
    return rows


def select_faces(faces: FaceFolder, split: str, limit: int | None) -> np.ndarray:
    """Indices of the faces of a split with photos of 512 px; `limit` of them, evenly spread.

    Raises:
        ValueError: there are fewer than four, or `limit` is less than that.
    """
    indices = faces.select(split, CANVAS)
    if limit is not None and limit < len(indices):
        indices = indices[np.linspace(0, len(indices) - 1, max(limit, 0)).round().astype(int)]
    if len(indices) < 4:
        raise ValueError(f"the {split} split has {len(indices)} faces of {CANVAS} px to evaluate; four are needed")
    return indices


def hardware() -> str:
    """Processor and number of cores that this process may use."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line[:10] == "model name"]
        name = names[0] if names else name
    return f"{name}, cores used: {_cores()}"


def evaluate(options: argparse.Namespace, command: str) -> str:
    """Runs the evaluation, writes JSON and Markdown, and returns the Markdown.

    Raises:
        ValueError: the data or a checkpoint does not fit, or a bank holds test faces.
        ImportError: an extra is missing.
    """
    if options.identity:
        check_available()
    faces = FaceFolder(options.data, options.cache)
    indices = select_faces(faces, options.split, options.limit)
    pipe = DeepFaceDrawingPipeline.from_pretrained(options.checkpoint)
    nearest, removed = knows_bank(pipe, faces), 0
    if nearest:
        pipe, removed = without_faces(pipe, indices)
    else:
        print(f"The bank of {options.checkpoint} is of other faces, whose photos are not here: no row of the nearest.")
    if removed and options.split == "test":
        raise ValueError(f"the bank of {options.checkpoint} holds {removed} of the test faces: it must hold none")
    unet = UNet.from_pretrained(options.pix2pix / "unet") if options.pix2pix else None
    others = [(folder.name, from_folder(folder, faces, indices)) for folder in options.pictures]
    rows = evaluation_rows(pipe, faces, unet, others, nearest)
    pictures = len(indices) * (len(rows) + 1)
    print(
        f"{len(indices)} faces, {len(rows) + 1} rows, {pictures} pictures: "
        f"about {max(1, round(pictures * SECONDS / 60))} minutes on two free cores",
        flush=True,
    )
    started = time.monotonic()
    measures = measure_rows(rows, faces, indices, pipe.layout, options.identity, options.seed, workers=options.workers)
    document = {
        "command": command,
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "hardware": hardware(),
        "minutes": None,
        "versions": {name: version(name) for name in ("torch", "diffusers", "numpy", "scipy", "scikit-image")},
        "checkpoint": {"sha256": folder_hash(options.checkpoint), "bank": pipe.manifold.config.num_samples},
        "pix2pix": {"sha256": folder_hash(options.pix2pix / "unet")} if options.pix2pix else None,
        "pictures": {folder.name: {"sha256": folder_hash(folder)} for folder in options.pictures},
        "data": {
            "split": options.split,
            "faces": len(indices),
            "metadata_sha256": file_hash(faces.table),
            "left_out_of_bank": removed,
        },
        "seeds": {"damages": options.seed, "bootstrap": options.seed},
        "resamples": options.resamples,
        "rows": summarise(measures, groups_of(faces, indices), options.seed, options.resamples),
    }
    document["minutes"] = round((time.monotonic() - started) / 60, 1)
    markdown = to_markdown(document, [HEADLINE, "nearest training photo", "pix2pix"])
    write_atomically(options.output, to_json(document))
    write_atomically(options.output.with_suffix(".md"), markdown)
    return markdown


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the command line. Exits with a sentence, not a traceback, on what the user can put right."""
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(prog="python -m dfd.evaluate", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="face folder with metadata.csv, or a Hub dataset")
    parser.add_argument("--checkpoint", type=Path, default=Path("checkpoints"), help="pipeline folder (%(default)s)")
    parser.add_argument("--output", type=Path, default=Path("evaluation.json"), help="the table goes beside it as .md")
    parser.add_argument(
        "--split", choices=["test", "validation"], default="test", help="validation is for development (%(default)s)"
    )
    parser.add_argument("--limit", type=int, help="only so many faces, evenly spread, for a quick look")
    parser.add_argument("--pix2pix", type=Path, help="run folder of `python -m dfd.train pix2pix`, to compare with")
    parser.add_argument(
        "--pictures",
        type=Path,
        nargs="+",
        default=[],
        metavar="FOLDER",
        help="pictures of other systems or versions, named like the photos, .png: each folder is a row",
    )
    parser.add_argument("--no-identity", dest="identity", action="store_false", help="do without dlib")
    parser.add_argument("--seed", type=int, default=0, help="of damages and bootstrap (%(default)s)")
    parser.add_argument("--resamples", type=int, default=100, help="of the bootstrap (%(default)s)")
    parser.add_argument(
        "--workers", type=int, default=_cores(), help="processes that measure; 0 for none (%(default)s)"
    )
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"), help="folder for decoded images")
    options = parser.parse_args(argv)
    torch.manual_seed(options.seed)
    try:
        if not options.checkpoint.is_dir():
            raise ValueError(f"no pipeline folder at {options.checkpoint}")
        print(evaluate(options, shlex.join(["python", "-m", "dfd.evaluate", *argv])))
    except (OSError, ValueError, ImportError) as error:
        sys.exit(f"error: {error}")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


if __name__ == "__main__":
    main()
