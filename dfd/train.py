"""`python -m dfd.train autoencoders|encoders|synthesis|lines|pix2pix`: options of all that is trained.

`accelerate launch` works too, but for the baseline.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import fields
from pathlib import Path

from dfd.extras import needs_extra

with needs_extra("train", "training", __name__):
    from dfd.components import COMPONENTS, Layout
    from dfd.models.presets import PRESETS
    from dfd.training import autoencoders, encoders, lines, pix2pix, synthesis
    from dfd.training.losses import ADVERSARIAL
    from dfd.training.run import TrainingDiverged


def _stage(stages, stage: str, options: type, help: str) -> argparse.ArgumentParser:
    """The parser of a stage, with the options that all stages share; those that its dataclass lacks are left out."""
    parser = stages.add_parser(stage, help=help)
    defaults = {f.name: f.default for f in fields(options) if f.name not in ("data", "output")}
    parser.add_argument("--data", type=Path, required=True, help="face folder with metadata.csv, or a Hub dataset")
    parser.add_argument("--output", type=Path, required=True, help="run folder; an interrupted run there is resumed")
    parser.add_argument("--cache", type=Path, help="folder for decoded images (about 1.1 MB a face)")
    parser.add_argument("--start-from", type=Path, help="pipeline folder whose weights to go on from")
    if stage != "encoders":  # which are never new
        parser.add_argument("--preset", choices=PRESETS, help="sizes of new networks; --start-from brings its own")
    parser.add_argument("--images", type=int, help="images to train on in all, repeats counted")
    parser.add_argument("--batch-size", type=int, help="images per step and process")
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--save-minutes", type=float, help="minutes between checkpoints")
    parser.add_argument("--sample-steps", type=int, help="steps between sample grids and lines of metrics.csv")
    if stage != "lines":  # which knows no components
        parser.add_argument(
            "--windows",
            dest="layout",
            type=_layout,
            help="JSON from `python -m dfd.data windows`; without, that of the weights, if they have one",
        )
    parser.add_argument("--seed", type=int)
    parser.add_argument("--mixed-precision", choices=["bf16", "no"], help="on this machine %(default)s is the faster")
    if "components" in defaults:
        parser.add_argument("--components", nargs="+", choices=COMPONENTS, help="train only these")
    if "weight_decay" in defaults:
        parser.add_argument("--weight-decay", type=float)
    if "ema_decay" in defaults:
        parser.add_argument("--ema-decay", type=float, help="of the moving average of weights, which is what is saved")
    parser.set_defaults(**defaults)
    return parser


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line. Exits with a sentence, not a traceback, on bad data or a diverged run."""
    parser = argparse.ArgumentParser(prog="python -m dfd.train", description=__doc__)
    stages = parser.add_subparsers(dest="stage", required=True)

    stage = _stage(
        stages, "autoencoders", autoencoders.Options, "stage I: five component auto-encoders, self-supervised"
    )
    stage.add_argument("--latent-dim", type=int, help="length of a component's code (128, 256 or 512 in the paper)")
    stage.add_argument("--freeze-encoders", action="store_true", help="train the decoders alone, after stage II")
    stage.set_defaults(run=lambda values: autoencoders.train(autoencoders.Options(**values)))

    stage = _stage(stages, "encoders", encoders.Options, "after stage I or II: encoders get used to rough drawings")
    stage.set_defaults(run=lambda values: encoders.train(encoders.Options(**values)))

    stage = _stage(stages, "synthesis", synthesis.Options, "stage II: feature mapping and image synthesis")
    stage.add_argument("--autoencoders", type=Path, required=True, help="folder with <component>_autoencoder folders")
    stage.add_argument("--discriminator", choices=["projected", "multiscale", "none"])
    stage.add_argument("--adversarial-loss", choices=list(ADVERSARIAL))
    stage.add_argument("--adversarial-weight", type=float)
    stage.add_argument("--adversarial-start", type=float, help="share of the run after which the adversary starts")
    stage.add_argument("--feature-matching-weight", type=float, help="multi-scale discriminator only")
    stage.add_argument("--latent-noise", type=float, help="noise on codes, as a share of their spread")
    stage.add_argument("--projected-share", type=float, help="share of drawings whose codes are projected, as in use")
    stage.add_argument("--swapped-share", type=float, help="share of steps with other photos' appearances")
    stage.add_argument(
        "--train-encoders", action="store_true", help="train the encoders with the rest; the paper does not"
    )
    stage.add_argument(
        "--lines", type=Path, help="output folder of the line extractor: lines of made photos are to be the photos'"
    )
    stage.add_argument("--min-size", type=int, help="smallest photo side in pixels to train on")
    stage.set_defaults(run=lambda values: synthesis.train(synthesis.Options(**values)))

    stage = _stage(
        stages, "pix2pix", pix2pix.Options, "the baseline to compare stage II with: a plain U-Net on whole drawings"
    )
    stage.add_argument("--min-size", type=int, help="smallest photo side in pixels to train on")
    stage.add_argument("--hours", type=float, help="train for so long, in place of --images")
    stage.set_defaults(run=lambda values: pix2pix.train(pix2pix.Options(**values)))

    stage = _stage(stages, "lines", lines.Options, "the line extractor: photos -> where their line drawings have lines")
    stage.add_argument("--side", type=int, help="of the pieces of photos to train on, in pixels")
    stage.set_defaults(run=lambda values: lines.train(lines.Options(**values)))

    values = vars(parser.parse_args(arguments))
    values.pop("stage")
    run = values.pop("run")
    try:
        run(values)
    except (OSError, ValueError, ImportError, TrainingDiverged) as error:
        sys.exit(f"error: {error}")


def _layout(path: str) -> Layout:
    try:
        return Layout(json.loads(Path(path).read_text()))
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{path}: {error}") from error


if __name__ == "__main__":
    main()
