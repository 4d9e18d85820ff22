"""Figures of all rows and groups from what was measured, as one JSON document and as Markdown tables."""

from __future__ import annotations

import json
import math
import os
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from dfd.components import COMPONENTS
from dfd.data.faces import FEMALE, MALE, FaceFolder
from dfd.evaluation.measure import TRUE, Measures
from dfd.evaluation.realism import bootstrap_interval, frechet_distance, halves_distance, kernel_distance

#: Fewer pictures than this give no Fréchet distance: it would be nearly all bias. The kernel distance has none.
MIN_FRECHET, MIN_KERNEL = 50, 8

#: Vectors that realism is judged by, and their names in the tables.
POPULATIONS = {"pooled": "Lite0", "descriptor": "dlib"}
DISTANCES = {"frechet": (frechet_distance, MIN_FRECHET), "kernel": (kernel_distance, MIN_KERNEL)}

#: A figure: value (None where there is none), n, and a 95 % interval or a standard error where it has one.
Figure = dict[str, float | int | None]


def groups_of(faces: FaceFolder, indices: np.ndarray) -> dict[str, np.ndarray]:
    """`all`, `male`, `female` and every value of the column `group` -> bool over `indices`."""
    genders = faces.genders[indices]
    labels = np.array([faces.rows[i].get("group") or "" for i in indices])
    groups = {"all": np.ones(len(indices), bool), "male": genders == MALE, "female": genders == FEMALE}
    for label in sorted(set(labels) - {""}):
        groups[label] = labels == label
    return groups


def summarise(
    measures: Mapping[str, Measures], groups: Mapping[str, np.ndarray], seed: int = 0, resamples: int = 100
) -> dict[str, dict[str, dict[str, Figure]]]:
    """Row -> group -> figure -> value, n and interval.

    The row of the true photos holds, as its distances, the floor: the distance of two halves of them.
    """
    true = measures[TRUE]
    summary: dict[str, dict[str, dict[str, Figure]]] = {}
    for name, values in tqdm(measures.items(), desc="summarising", unit="row"):
        summary[name] = {}
        for group, members in groups.items():
            figures = {k: _mean(v[members]) for k, v in values.items() if v.ndim == 1 and k != "faces"}
            if "faces" in values:
                figures["one_face"] = _mean((values["faces"][members] == 1).astype(float))
            for vectors in POPULATIONS:
                if vectors in values:
                    made, photos = values[vectors][members], true[vectors][members]
                    figures |= _distances(vectors, made, photos, name == TRUE, seed, resamples)
            summary[name][group] = figures
    return summary


def _mean(values: np.ndarray) -> Figure:
    values = values[np.isfinite(values)]
    if not len(values):
        return {"value": None, "n": 0}
    error = float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else None
    return {"value": float(values.mean()), "n": len(values), "error": error}


def _distances(vectors: str, made: np.ndarray, true: np.ndarray, floor: bool, seed: int, resamples: int):
    """Realism by one kind of vector; pictures without one (no face found) are left out on both sides."""
    usable = np.isfinite(made).all(1) & np.isfinite(true).all(1)
    made, true = made[usable], true[usable]
    figures: dict[str, Figure] = {}
    for name, (distance, least) in DISTANCES.items():
        key = f"{name}/{vectors}"
        # The same draws for every row: what differs between rows is then not the luck of the draw.
        rng = np.random.default_rng([seed, zlib.crc32(key.encode())])
        halves = None
        if len(made) // 2 >= least:
            halves = halves_distance(distance, made, true, rng)
        if floor:
            figures[key] = {"value": halves, "n": len(made) // 2}
        elif len(made) < least:
            figures[key] = {"value": None, "n": len(made)}
        else:
            low, high = bootstrap_interval(distance, made, true, rng, resamples)
            figures[key] = {"value": distance(made, true), "n": len(made), "low": low, "high": high, "halves": halves}
    return figures


def write_atomically(path: Path, text: str) -> None:
    """Writes beside `path` first and renames, so that a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


def to_json(document: Mapping) -> str:
    """Strict JSON: what has no value is null, never NaN."""
    return json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def to_markdown(document: Mapping, headline: Sequence[str] = ()) -> str:
    """The tables of a document that `dfd.evaluate` made.

    Args:
        headline: rows to show by group too.
    """
    rows: Mapping = document["rows"]
    seed = document["seeds"]["damages"]
    text = [
        f"# Evaluation on the {document['data']['split']} split",
        f"{document['data']['faces']} faces, {document['date']}, "
        f"checkpoint {document['checkpoint']['sha256'][:12]}, "
        f"seed {seed}, {document['hardware']}.",
        "Higher is better for SSIM, PSNR, one face, F1, precision and recall; lower for the distances (kernel "
        "distances x 1000). In square brackets: 95 % interval. The distances of the true photos are those of two "
        "halves of them: the floor; in round brackets stands what other rows have in the same way, one half's "
        "pictures against the other half's photos. Obedience is measured against the drawing given; `F1 meant` "
        "against the undamaged one.",
        _table("row", _MAIN, {name: groups["all"] for name, groups in rows.items()}),
        "## Obedience by component (F1)",
        _table("row", _COMPONENTS, {name: groups["all"] for name, groups in rows.items()}),
    ]
    for name in headline:
        if name in rows:
            text += [f"## By group: {name}", _table("group", _GROUPS, rows[name])]
    return "\n\n".join(text) + "\n"


def _number(digits: int, scale: float = 1.0, interval: bool = False):
    def show(figure: Figure | None) -> str:
        if not figure or figure["value"] is None:
            return "-"
        shown = f"{figure['value'] * scale:.{digits}f}"
        if interval and figure.get("low") is not None:
            shown += f" [{figure['low'] * scale:.{digits}f}, {figure['high'] * scale:.{digits}f}]"
        if interval and figure.get("halves") is not None:
            shown += f" ({figure['halves'] * scale:.{digits}f})"
        return shown

    return show


def _count(figure: Figure | None) -> str:
    return str(figure["n"]) if figure else "-"


_Columns = Sequence[tuple[str, str, object]]

_FIDELITY: _Columns = [
    ("perceptual", "perceptual", _number(3)),
    ("SSIM", "ssim", _number(3)),
    ("PSNR", "psnr", _number(2)),
]
_IDENTITY: _Columns = [("identity", "identity", _number(3)), ("one face %", "one_face", _number(1, 100))]
_OBEDIENCE: _Columns = [
    ("F1", "f1/all", _number(3)),
    ("precision", "precision/all", _number(3)),
    ("recall", "recall/all", _number(3)),
    ("F1 meant", "meant_f1/all", _number(3)),
]


def _realism(interval: bool) -> _Columns:
    return [
        ("Fréchet Lite0", "frechet/pooled", _number(3, 1, interval)),
        ("kernel Lite0", "kernel/pooled", _number(2, 1000, interval)),
        ("Fréchet dlib", "frechet/descriptor", _number(4, 1, interval)),
        ("kernel dlib", "kernel/descriptor", _number(3, 1000, interval)),
        ("n dlib", "kernel/descriptor", _count),
    ]


_MAIN = [*_FIDELITY, *_IDENTITY, *_realism(True), *_OBEDIENCE]
_COMPONENTS = [(name.replace("_", " "), f"f1/{name}", _number(3)) for name in ("all", *COMPONENTS)]
_GROUPS = [("n", "perceptual", _count), *_FIDELITY, *_IDENTITY, *_realism(False), *_OBEDIENCE]


def _table(corner: str, columns: _Columns, rows: Mapping[str, Mapping[str, Figure]]) -> str:
    """A Markdown table; columns that no row has a figure for (no identity asked for) are left out."""
    columns = [c for c in columns if any(c[1] in figures for figures in rows.values())]
    lines = [f"| {' | '.join([corner, *(title for title, _, _ in columns)])} |", f"|{'---|' * (len(columns) + 1)}"]
    for name, figures in rows.items():
        lines.append(f"| {' | '.join([name, *(show(figures.get(key)) for _, key, show in columns)])} |")
    return "\n".join(lines)
