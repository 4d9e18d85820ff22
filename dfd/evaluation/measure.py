"""Makes the pictures of every row and measures each of them: the slow half of the evaluation."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
import torch
from tqdm import tqdm

from dfd.components import Layout
from dfd.data.faces import FaceFolder
from dfd.data.pairs import plain_sketches
from dfd.evaluation.damages import Drawing, damage
from dfd.evaluation.fidelity import PictureFeatures, psnr, ssim
from dfd.evaluation.identity import describe
from dfd.evaluation.methods import Method, true_photos
from dfd.evaluation.obedience import agreement, component_masks
from dfd.evaluation.tables import TRUE
from dfd.lines import extract_lines
from dfd.strokes import trace

#: Faces whose pictures are made at once.
BATCH = 8

#: Figure -> N values or N x D vectors, one for each face in order.
Measures = dict[str, np.ndarray]


@dataclass(frozen=True)
class Row:
    """A row of the table: a way to make pictures, from drawings that may be damaged.

    Attributes:
        name: as the table shows it.
        make: see `dfd.evaluation.methods`.
        damage: one of `dfd.evaluation.tables.DAMAGES`, or None for the line drawing as it is.
    """

    name: str
    make: Method
    damage: str | None = None


def measure_rows(
    rows: Sequence[Row],
    faces: FaceFolder,
    indices: np.ndarray,
    layout: Layout,
    identity: bool = True,
    seed: int = 0,
    workers: int = 0,
) -> dict[str, Measures]:
    """Measures the true photos and all rows, a batch of faces at a time: a true photo's features serve all rows.

    Args:
        rows: in the order of the table; the row of the true photos goes before them.
        indices: faces to evaluate.
        layout: the component windows.
        identity: whether faces are sought and described (extra `evaluation`).
        seed: of the damages; a face's damage does not depend on which other faces are evaluated.
        workers: processes that measure while the next pictures are made; 0 measures in this one.

    Returns:
        row name -> figure -> array over `indices`. Figures: perceptual, ssim, psnr; precision, recall, f1 by
        component (`f1/mouth`) against the drawing given and, as `meant_…`, against the undamaged one; pooled
        (N x 320); with `identity` also faces, descriptor (N x 128), identity (distance to the true photo's).
    """
    network = PictureFeatures()
    masks = component_masks(layout)
    rows = [Row(TRUE, true_photos(faces)), *rows]
    results: dict[str, list[dict]] = {row.name: [] for row in rows}
    batches = np.split(indices, range(BATCH, len(indices), BATCH))
    progress = tqdm(total=len(rows) * len(indices), desc="evaluating", unit="picture")
    with _executor(workers) as executor, progress:
        for batch in batches:
            photos = np.stack([faces.photos[i] for i in batch])
            real = network(photos)
            clean = plain_sketches(faces, batch)
            meant = [faces.lines(i) for i in batch]
            strokes = [trace(lines) for lines in meant]
            pending: list[tuple[str, list[dict], list[Future]]] = []
            for row in rows:
                if row.damage is None:
                    drawings = [Drawing(*pair) for pair in zip(clean, meant, strict=True)]
                else:
                    drawings = [
                        damage(s, row.damage, layout, damage_generator(seed, row.damage, i))
                        for s, i in zip(strokes, batch, strict=True)
                    ]
                made = row.make(torch.stack([d.sketch for d in drawings]), batch)
                features = network(made)
                parts = zip(network.distances(real, features), network.pooled(features), strict=True)
                records = [{"perceptual": distance, "pooled": vector} for distance, vector in parts]
                tasks = zip(made, photos, drawings, meant, strict=True)
                futures = [executor.submit(measure_picture, m, p, d.lines, t, masks, identity) for m, p, d, t in tasks]
                pending.append((row.name, records, futures))
                progress.update(len(batch))
            for name, records, futures in pending:
                results[name] += [{**r, **f.result()} for r, f in zip(records, futures, strict=True)]
    measures = {name: {k: np.array([r[k] for r in records]) for k in records[0]} for name, records in results.items()}
    if identity:
        for figures in measures.values():
            figures["identity"] = np.linalg.norm(figures["descriptor"] - measures[TRUE]["descriptor"], axis=1)
    return measures


def measure_picture(
    made: np.ndarray, photo: np.ndarray, drawn: np.ndarray, meant: np.ndarray, masks: dict, identity: bool
) -> dict[str, float | np.ndarray]:
    """What can be measured without the feature network; see `measure_rows`."""
    figures: dict[str, float | np.ndarray] = {"ssim": ssim(made, photo), "psnr": psnr(made, photo)}
    found = extract_lines(made)
    given = agreement(found, drawn, masks)
    intended = given if np.array_equal(drawn, meant) else agreement(found, meant, masks)
    for prefix, scores in (("", given), ("meant_", intended)):
        for component, values in scores.items():
            for name, value in zip(("precision", "recall", "f1"), values, strict=True):
                figures[f"{prefix}{name}/{component}"] = value
    if identity:
        figures["faces"], figures["descriptor"] = describe(made)
    return figures


def damage_generator(seed: int, kind: str, face: int) -> np.random.Generator:
    """The randomness of one damage to one face."""
    return np.random.default_rng([seed, zlib.crc32(kind.encode()), int(face)])


class _Here(Executor):
    """Runs everything at once, in this process."""

    def submit(self, function, /, *args, **kwargs) -> Future:
        future: Future = Future()
        future.set_result(function(*args, **kwargs))
        return future


@contextmanager
def _executor(workers: int) -> Iterator[Executor]:
    if not workers:
        yield _Here()
        return
    # Spawned, not forked: a fork of a process in which torch has threads may hang.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as executor:
        yield executor
