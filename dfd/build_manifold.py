"""`python -m dfd.build_manifold`: training codes -> manifold, and the pipeline folder that people load.

The bank holds the codes of plain line drawings, since that is what a visitor's pen gives, of the rows marked
`train` alone: test faces never enter it.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers import ModelMixin
from tqdm import tqdm

from dfd.extras import needs_extra

with needs_extra("train", "building a manifold", __name__):
    from dfd.components import COMPONENTS
    from dfd.data.faces import FaceFolder
    from dfd.data.pairs import encode_plain, load_photos
    from dfd.manifold import ComponentManifold
    from dfd.models import AppearanceEncoder, ComponentAutoencoder, FeatureMapping, ImageSynthesis, LineExtractor
    from dfd.pipeline import DeepFaceDrawingPipeline

BATCH = 32

#: What two networks of one shape may differ in: where they were loaded from.
NAMELESS = {"_name_or_path": "", "_diffusers_version": ""}


@torch.no_grad()
def build_manifold(
    faces: FaceFolder,
    autoencoders: dict[str, ComponentAutoencoder],
    feature_mapping: FeatureMapping,
    appearance_encoder: AppearanceEncoder | None,
    min_size: int = 0,
) -> ComponentManifold:
    """Encodes the line drawings (and the appearance of the photos) of all training faces.

    Args:
        autoencoders: component -> trained auto-encoder.
        min_size: smallest photo side in pixels.

    Raises:
        ValueError: there are no such faces.
    """
    indices = faces.select("bank", min_size)
    if not len(indices):
        raise ValueError(f"{faces.table} has no photos for the bank{f' of {min_size} px or more' if min_size else ''}")

    def encode(sketches: torch.Tensor) -> dict[str, torch.Tensor]:
        crops = feature_mapping.layout.crop(sketches)
        return {name: model.encode(crops[name]) for name, model in autoencoders.items()}

    codes = encode_plain(faces, indices, encode, torch.device("cpu"))
    appearance = None
    if appearance_encoder is not None:
        parts = tqdm(np.split(indices, range(BATCH, len(indices), BATCH)), desc="appearances", unit="batch")
        appearance = torch.cat([appearance_encoder(load_photos(faces, part))[0] for part in parts])
    ids, genders = faces.sample_ids[indices], faces.genders[indices]
    return ComponentManifold.from_codes(codes, ids, genders, appearance, faces.names_sha256())


def load_mean(cls: type[ModelMixin], folders: Sequence[Path]) -> ModelMixin:
    """Loads a network; of several that went on from the same weights, a network with the mean of their weights.

    The mean has what the runs agree on, without the artefacts that each of them brings (`docs/training.md`).

    Raises:
        ValueError: the networks are not of one shape.
    """
    first, *others = (cls.from_pretrained(folder) for folder in folders)
    if any(dict(model.config) | NAMELESS != dict(first.config) | NAMELESS for model in others):
        raise ValueError(f"{' and '.join(map(str, folders))} are of different shapes: they have no mean")
    states = [model.state_dict() for model in (first, *others)]
    mean = {
        name: torch.stack([state[name] for state in states]).mean(0) if value.is_floating_point() else value
        for name, value in states[0].items()
    }
    first.load_state_dict(mean)
    return first


def save_pipeline(pipeline: DeepFaceDrawingPipeline, output: Path) -> None:
    """Writes the pipeline in fp16 beside `output`, then puts it in its place; other files there are kept."""
    partial = output.with_name(f"{output.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    for model in filter(None, pipeline.components.values()):
        model.half()
        model.register_to_config(_name_or_path="")  # where it was loaded from is nobody else's business
    pipeline.save_pretrained(partial)
    output.mkdir(parents=True, exist_ok=True)
    for new in sorted(partial.iterdir()):
        old = output / new.name
        if old.is_dir():
            shutil.rmtree(old)
        new.replace(old)
    partial.rmdir()


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="python -m dfd.build_manifold", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="face folder with metadata.csv, or a Hub dataset")
    parser.add_argument("--autoencoders", type=Path, required=True, help="output folder of stage I")
    parser.add_argument(
        "--synthesis",
        type=Path,
        nargs="+",
        required=True,
        help="output folder of stage II; of several, the mean of their weights",
    )
    parser.add_argument("--lines", type=Path, help="output folder of the line extractor; without it there is none")
    parser.add_argument("--output", type=Path, required=True, help="pipeline folder to write")
    parser.add_argument("--min-size", type=int, default=0, help="smallest photo side in pixels")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"), help="folder for decoded images")
    options = parser.parse_args(arguments)
    try:
        autoencoders = {
            name: ComponentAutoencoder.from_pretrained(options.autoencoders / f"{name}_autoencoder")
            for name in COMPONENTS
        }
        feature_mapping = load_mean(FeatureMapping, [folder / "feature_mapping" for folder in options.synthesis])
        image_synthesis = load_mean(ImageSynthesis, [folder / "image_synthesis" for folder in options.synthesis])
        appearance_encoder = None
        if image_synthesis.config.appearance_dim:
            appearance_encoder = load_mean(
                AppearanceEncoder, [folder / "appearance_encoder" for folder in options.synthesis]
            )
        faces = FaceFolder(options.data, options.cache)
        manifold = build_manifold(faces, autoencoders, feature_mapping, appearance_encoder, options.min_size)
        pipeline = DeepFaceDrawingPipeline(
            **{f"{name}_autoencoder": model for name, model in autoencoders.items()},
            feature_mapping=feature_mapping,
            image_synthesis=image_synthesis,
            manifold=manifold,
            appearance_encoder=appearance_encoder,
            line_extractor=LineExtractor.from_pretrained(options.lines / "line_extractor") if options.lines else None,
        )
        save_pipeline(pipeline, options.output)
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
