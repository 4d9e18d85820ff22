"""`python -m dfd.model_card`: the checkpoint's README.md, a Hugging Face model card, from what other files hold.

Sizes are counted from the checkpoint, results come from the evaluation's JSON, usage, citation and the terms of the
data from the project's README, and what no other file holds from `docs/training.json`.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from huggingface_hub import EvalResult, ModelCard, ModelCardData
from safetensors import safe_open

from dfd.components import CANVAS
from dfd.evaluation.tables import DAMAGES, HEADLINE, LEGEND, TRUE, summary
from dfd.files import folder_hash, write_atomically
from dfd.manifold import GENDERS
from dfd.pipeline import DeepFaceDrawingPipeline

#: Stands for the model's and the Space's names on the Hub; `dfd.hub` puts the real ones in its place.
REPOSITORY = "deepfacedrawing/deepfacedrawing"

#: Section of the project's README that the card repeats.
DATA_SECTION = "Data, weights, and what they may be used for"

#: Figures of the headline row that go into the card's metadata: key -> type and name.
METRICS = {
    "perceptual": ("perceptual_distance", "perceptual distance (EfficientNet-Lite0)"),
    "ssim": ("ssim", "SSIM"),
    "psnr": ("psnr", "PSNR in dB"),
    "identity": ("identity_distance", "identity distance (dlib)"),
    "one_face": ("one_face", "share of pictures with exactly one face (dlib)"),
    "frechet/pooled": ("frechet_lite0", "Fréchet distance (EfficientNet-Lite0)"),
    "f1/all": ("line_f1", "F1 of the drawing's lines found again"),
}

#: What `docs/training.json` must hold.
FACTS = {"hardware", "runs", "sources", "gender_labels", "ages", "limits"}

NOT_EVALUATED = "These weights are not evaluated yet."


def model_card(checkpoint: Path, evaluation: Mapping | None, training: Mapping, readme: str) -> ModelCard:
    """The card of a pipeline folder.

    Args:
        checkpoint: the folder, as `DeepFaceDrawingPipeline.save_pretrained` writes it.
        evaluation: what `dfd.evaluate` wrote about it; None, or that of other weights, gives a card without results.
        training: what `docs/training.json` holds.
        readme: text of the project's README.

    Raises:
        ValueError: the checkpoint does not load, or one of the others lacks what the card needs.
    """
    pipe = DeepFaceDrawingPipeline.from_pretrained(checkpoint)
    if pipe.manifold is None:
        raise ValueError(f"the pipeline in {checkpoint} has no manifold: the card describes complete pipelines")
    if missing := FACTS - set(training):
        raise ValueError(f"the facts about the training lack {', '.join(sorted(missing))}")
    measured = evaluation if evaluation and evaluation["checkpoint"]["sha256"] == folder_hash(checkpoint) else None
    results = _results(measured) if measured else None
    genders = pipe.manifold.genders
    return ModelCard.from_template(
        ModelCardData(
            model_name="DeepFaceDrawing",
            library_name="diffusers",
            pipeline_tag="image-to-image",
            license="other",
            license_name="research-and-demonstration-only",
            license_link="LICENSE.md",
            tags=["sketch-to-image", "sketch", "face-generation", "faces", "manifold-projection"],
            metrics=sorted({result.metric_type for result in results}) if results else None,
            eval_results=results,
        ),
        template_path=str(Path(__file__).with_name("model_card_template.md")),
        repository=REPOSITORY,
        usage=code_block(readme, "python"),
        bibtex=code_block(readme, "bibtex"),
        data_text=section(readme, DATA_SECTION),
        parts=_parts(pipe, checkpoint),
        path_parameters=_path_parameters(pipe),
        precisions=_precisions(checkpoint),
        bank={"all": len(genders), **{name: int((genders == label).sum()) for name, label in GENDERS.items()}},
        evaluation=_evaluation(measured) if measured else NOT_EVALUATED,
        duration=lambda minutes: f"{minutes // 60} h {minutes % 60:02d} min",
        **training,
    )


def code_block(markdown: str, language: str) -> str:
    """The first fenced block of a language, without its fences.

    Raises:
        ValueError: there is none.
    """
    found = re.search(rf"^```{language}\n(.*?)\n```$", markdown, re.MULTILINE | re.DOTALL)
    if not found:
        raise ValueError(f"the README has no block of {language}")
    return found[1]


def section(markdown: str, title: str) -> str:
    """The text under a heading of the second level, up to the next.

    Raises:
        ValueError: there is no such heading.
    """
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", markdown, re.MULTILINE | re.DOTALL)
    if not found:
        raise ValueError(f"the README has no section {title!r}")
    return found[1].strip()


def _parts(pipe: DeepFaceDrawingPipeline, checkpoint: Path) -> list[dict[str, str | int | float]]:
    """One row of the architecture table for each component: counted, not known."""
    describe = {
        "ComponentAutoencoder": lambda c: (
            f"window of {c.window_size} px, reduced to {c.window_size // c.pool}, code of {c.latent_dim}"
        ),
        "FeatureMapping": lambda c: f"map of {c.out_channels} channels, {CANVAS // c.map_scale} px",
        "ImageSynthesis": lambda c: f"{c.architecture} generator, widths {', '.join(map(str, c.widths))}",
        "AppearanceEncoder": lambda c: f"thumbnail of {c.thumbnail} px, code of {c.appearance_dim}",
        "LineExtractor": lambda c: f"U-Net, photo to lines, widths {', '.join(map(str, c.widths))}",
        "ComponentManifold": lambda c: f"codes of {c.num_samples:,} faces, searched, not trained",
    }
    rows = []
    for name, model in pipe.components.items():
        if model is not None:
            kind = type(model).__name__
            size = sum(path.stat().st_size for path in (checkpoint / name).glob("*.safetensors"))
            row = {"name": name, "kind": kind, "what": describe[kind](model.config), "megabytes": size / 1e6}
            rows.append({**row, "parameters": _count(model)})
    return rows


def _count(model: torch.nn.Module) -> int:
    return sum(values.numel() for values in model.parameters())


def _path_parameters(pipe: DeepFaceDrawingPipeline) -> int:
    """Parameters that a drawing passes on its way to a photo."""
    encoders = [model.encoder for model in pipe.autoencoders.values()]
    return sum(map(_count, [*encoders, pipe.feature_mapping, pipe.image_synthesis]))


def _precisions(checkpoint: Path) -> str:
    """What numbers the files hold, such as "F16, F32, I64"."""
    kinds = set()
    for path in checkpoint.glob("*/*.safetensors"):
        with safe_open(path, "pt") as file:
            kinds |= {file.get_slice(key).get_dtype() for key in file.keys()}  # noqa: SIM118 - not a dict
    return ", ".join(sorted(kinds))


def _results(evaluation: Mapping) -> list[EvalResult]:
    """The headline row's figures as the Hub's metadata; those without a value are left out."""
    data, figures = evaluation["data"], evaluation["rows"][HEADLINE]["all"]
    return [
        EvalResult(
            task_type="image-to-image",
            dataset_type="machine-made-portraits",
            dataset_name=f"machine-made portraits, {data['split']} split, {data['faces']} faces",
            dataset_split=data["split"],
            metric_type=kind,
            metric_name=name,
            metric_value=round(figures[key]["value"], 4),
        )
        for key, (kind, name) in METRICS.items()
        if figures.get(key, {}).get("value") is not None
    ]


def _evaluation(evaluation: Mapping) -> str:
    """The section's text: what was measured on what, and three tables."""
    data, rows = evaluation["data"], evaluation["rows"]
    everybody = {name: groups["all"] for name, groups in rows.items()}
    whole = {name: figures for name, figures in everybody.items() if is_undamaged(name)}
    baselines = [name for name in whole if name != TRUE and not name.startswith("refinement ")]
    damaged = {HEADLINE: everybody[HEADLINE]} | {n: f for n, f in everybody.items() if not is_undamaged(n)}
    if data["split"] == "test":
        split = (
            "This is the test split, which was used neither for training nor for choosing settings (drawings of its "
            "faces are what the grids in `docs/grids/` are made from, by which versions were judged by eye)."
        )
    else:
        split = (
            f"**This is the {data['split']} split, not the test split.** It was looked at during development, so "
            "that the figures may flatter; the test split is not evaluated yet."
        )
    where = f"{data['faces']} faces of the {data['split']} split, {evaluation['date']}, {evaluation['hardware']}, by"
    if removed := data["left_out_of_bank"]:
        split += f" {removed} of the faces were in the bank, and were taken out of it for this."
    return "\n\n".join(
        [
            f"{where} `python -m dfd.evaluate`, on line drawings of true photos. {split}",
            LEGEND,
            f"Visitors get the row `{HEADLINE}`. Baselines: {', '.join(f'`{name}`' for name in baselines)}.",
            summary("row", whole),
            f"Robustness: damaged drawings, made into pictures as in `{HEADLINE}` where no other method is named.",
            summary("drawing", damaged),
            f"By group, `{HEADLINE}`:",
            summary("group", rows[HEADLINE]),
        ]
    )


def is_undamaged(row: str) -> bool:
    """Whether a row of the table has its drawings as they were made, by the row's name."""
    return row.removeprefix("pix2pix, ") not in DAMAGES


def read_evaluation(path: Path) -> dict | None:
    """A JSON document of `dfd.evaluate`, or None if there is no file.

    Raises:
        ValueError: the file is something else.
    """
    if not path.exists():
        return None
    document = json.loads(path.read_text(encoding="utf-8"))
    needed = {"date", "hardware", "checkpoint", "data", "rows"}
    if not isinstance(document, dict) or not needed <= set(document) or HEADLINE not in document["rows"]:
        raise ValueError(f"{path} is not what `python -m dfd.evaluate` writes")
    return document


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="python -m dfd.model_card", description=__doc__)
    parser.add_argument("--checkpoint", type=Path, default=Path("checkpoints"), help="pipeline folder (%(default)s)")
    parser.add_argument(
        "--evaluation",
        type=Path,
        default=Path("docs/evaluation.json"),
        help="what `dfd.evaluate` wrote (%(default)s); without it the card says so",
    )
    parser.add_argument("--training", type=Path, default=Path("docs/training.json"), help="facts (%(default)s)")
    parser.add_argument("--readme", type=Path, default=Path("README.md"), help="the project's (%(default)s)")
    options = parser.parse_args(arguments)
    try:
        evaluation = read_evaluation(options.evaluation)
        training = json.loads(options.training.read_text(encoding="utf-8"))
        card = model_card(options.checkpoint, evaluation, training, options.readme.read_text(encoding="utf-8"))
        write_atomically(options.checkpoint / "README.md", f"{card.content.rstrip()}\n")
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
    print(f"wrote {options.checkpoint / 'README.md'}")
    if NOT_EVALUATED in card.content:
        reason = "is of other weights" if evaluation else "does not exist"
        print(f"The card has no results: {options.evaluation} {reason}.")


if __name__ == "__main__":
    main()
