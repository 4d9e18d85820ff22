"""`python -m dfd.evaluation.lines`: how well the lines of photos agree with the data's drawings of them.

The classical filter beside the network, on photos as they are and on worse ones.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from dfd.extras import needs_extra

with needs_extra("evaluation", "the evaluation", __name__):
    from dfd.data.faces import FaceFolder
    from dfd.data.photos import blurred, noisy
    from dfd.evaluation.obedience import agreement
    from dfd.lines import extract_lines, network_lines
    from dfd.models import LineExtractor

#: Damage -> a photo, float32 3 x H x W in [0, 1], and a random generator -> the same, damaged.
DAMAGES: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "as it is": lambda photo, rng: photo,
    "blurred by 2 px": lambda photo, rng: blurred(photo, 2),
    "a third of the light": lambda photo, rng: photo / 3,
    "noise of 0.08": lambda photo, rng: noisy(photo, 0.08, rng),
}

#: Lines are found within so many pixels.
TOLERANCES = (4.0, 2.0)


def measure(
    faces: FaceFolder, indices: np.ndarray, methods: dict[str, Callable[[np.ndarray], np.ndarray]]
) -> dict[tuple[str, str], dict[str, float]]:
    """Means over faces.

    Args:
        methods: name -> photo, uint8 512 x 512 x 3 -> lines, bool 512 x 512.

    Returns:
        (damage, method) -> `precision@4`, `recall@4`, `f1@4`, the same at 2 px, and `seconds` of processor time.
    """
    rows = {}
    for damage, change in DAMAGES.items():
        figures: dict[str, list[dict[str, float]]] = {name: [] for name in methods}
        for index in indices:
            photo = faces.photos[index].transpose(2, 0, 1).astype(np.float32) / 255
            changed = (255 * change(photo, np.random.default_rng(index))).round().astype(np.uint8)
            for name, lines_of in methods.items():
                start = time.process_time()
                lines = lines_of(np.ascontiguousarray(changed.transpose(1, 2, 0)))
                row = {"seconds": time.process_time() - start}
                for tolerance in TOLERANCES:
                    everywhere = {"all": np.ones_like(lines)}
                    values = agreement(lines, faces.lines(index), everywhere, tolerance)["all"]
                    row |= {f"{k}@{tolerance:g}": v for k, v in zip(("precision", "recall", "f1"), values, strict=True)}
                figures[name].append(row)
        for name, found in figures.items():
            rows[damage, name] = {key: float(np.mean([row[key] for row in found])) for key in found[0]}
    return rows


def table(rows: dict[tuple[str, str], dict[str, float]]) -> str:
    """The figures as Markdown."""
    columns = sorted(next(iter(rows.values())), key=lambda key: (key.split("@")[-1], key), reverse=True)
    lines = ["| photo | lines by | " + " | ".join(columns) + " |", "|---" * (2 + len(columns)) + "|"]
    for (damage, name), row in rows.items():
        lines.append(f"| {damage} | {name} | " + " | ".join(f"{row[key]:.3f}" for key in columns) + " |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="python -m dfd.evaluation.lines", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="face folder with metadata.csv, or a Hub dataset")
    parser.add_argument("--extractor", type=Path, default=Path("checkpoints/line_extractor"), help="(%(default)s)")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"), help="folder for decoded images")
    parser.add_argument("--split", choices=["validation", "test"], default="test")
    parser.add_argument("--limit", type=int, default=64, help="faces, evenly spaced over the split (%(default)s)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    try:
        extractor = LineExtractor.from_pretrained(options.extractor)
        faces = FaceFolder(options.data, options.cache)
        indices = faces.select(options.split)
        if not len(indices):
            raise ValueError(f"{options.data} has no faces of the {options.split} split")
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
    indices = indices[np.linspace(0, len(indices) - 1, min(options.limit, len(indices))).round().astype(int)]
    methods = {"classical": extract_lines, "network": lambda photo: network_lines(photo, extractor)}
    print(table(measure(faces, indices, methods)))


if __name__ == "__main__":
    main()
