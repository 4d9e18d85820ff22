"""Figures of all rows and groups from what was measured, as one strict JSON document."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping

import numpy as np
from tqdm import tqdm

from dfd.data.faces import FEMALE, MALE, FaceFolder
from dfd.evaluation.measure import Measures
from dfd.evaluation.realism import bootstrap_interval, frechet_distance, halves_distance, kernel_distance
from dfd.evaluation.tables import TRUE, Figure

#: Fewer pictures than this give no Fréchet distance: it would be nearly all bias. The kernel distance has none.
MIN_FRECHET, MIN_KERNEL = 50, 8

#: Vectors that realism is judged by, and their names in the tables.
POPULATIONS = {"pooled": "Lite0", "descriptor": "dlib"}
DISTANCES = {"frechet": (frechet_distance, MIN_FRECHET), "kernel": (kernel_distance, MIN_KERNEL)}


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


def to_json(document: Mapping) -> str:
    """Strict JSON: what has no value is null, never NaN."""
    return json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
