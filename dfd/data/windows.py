"""Derives the component windows of a data set from masks of the face's parts, as the paper did.

A window's centre is the mean, over all faces, of the centre of its part; its size stays the official one.
Masks are files as CelebAMask-HQ has them, `00012_nose.png`, white where the part is, in one folder or in
nested ones.
"""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from dfd.components import CANVAS, DEFAULT_WINDOWS, PARTS
from dfd.files import write_atomically

#: What a mask's file name ends with. The mouth is the open mouth and both lips together.
MASK_NAMES = {
    "l_eye": "eye",
    "r_eye": "eye",
    "nose": "nose",
    "mouth": "mouth",
    "u_lip": "mouth",
    "l_lip": "mouth",
}

MASK_FILE = re.compile(rf"(?P<face>.+)_(?P<mask>{'|'.join(MASK_NAMES)})\.png", re.IGNORECASE)


def mask_centres(folder: str | os.PathLike) -> dict[str, np.ndarray]:
    """Centres (of mass) of the parts of every face.

    A face may lack parts, as a file or as an empty one. Eyes are told apart by position, not by name, so a
    face counts for them only if it shows both.

    Returns:
        part -> float64 faces x 2: x and y in pixels of the canvas. Masks of another size are scaled to it.

    Raises:
        ValueError: no such folder, no masks in it, a part that no face has, or a mask that cannot be read or
            is not square.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"no folder of masks at {folder}")
    faces: dict[tuple[Path, str], list[Path]] = defaultdict(list)
    for path in sorted(folder.rglob("*")):
        if match := MASK_FILE.fullmatch(path.name):
            faces[path.parent, match["face"]].append(path)
    if not faces:
        raise ValueError(f"no masks under {folder}; expected files such as 00012_nose.png, one for each part")

    centres: dict[str, list[np.ndarray]] = {part: [] for part in PARTS}
    for paths in faces.values():
        for part, centre in _face_centres(paths).items():
            centres[part].append(centre)
    for part, found in centres.items():
        if not found:
            files = "*_l_eye.png together with *_r_eye.png" if part.endswith("eye") else "its masks"
            raise ValueError(f"no face under {folder} has a {part} ({files}, not empty)")
    return {part: np.array(found) for part, found in centres.items()}


def windows_from_centres(centres: Mapping[str, np.ndarray]) -> dict[str, list[int]]:
    """Windows around the mean centres, moved inside the canvas where they leave it.

    Args:
        centres: part -> faces x 2, x and y in pixels of the canvas.

    Returns:
        part -> `[x, y, size]`.
    """
    windows = {}
    for part, found in centres.items():
        size = DEFAULT_WINDOWS[part].size
        corner = np.round(found.mean(0) - size / 2).clip(0, CANVAS - size)
        windows[part] = [int(corner[0]), int(corner[1]), size]
    return windows


def write_windows(windows: Mapping[str, list[int]], path: str | os.PathLike) -> None:
    """Writes windows as JSON, all of them or nothing.

    Raises:
        OSError: the file cannot be written.
    """
    write_atomically(Path(path), json.dumps(windows, indent=2) + "\n")


def _face_centres(paths: list[Path]) -> dict[str, np.ndarray]:
    """Part -> centre, for the parts that one face shows."""
    moments: dict[str, list[np.ndarray]] = defaultdict(list)
    for path in paths:
        moment = _moment(path)
        if moment[0] > 0:
            moments[MASK_NAMES[MASK_FILE.fullmatch(path.name)["mask"].lower()]].append(moment)
    centres = {}
    if len(moments["eye"]) == 2:
        eyes = sorted((m[1:] / m[0] for m in moments["eye"]), key=lambda centre: centre[0])
        centres["left_eye"], centres["right_eye"] = eyes
    for part in ("nose", "mouth"):
        if moments[part]:
            area, *sums = sum(moments[part])
            centres[part] = np.array(sums) / area
    return centres


def _moment(path: Path) -> np.ndarray:
    """Area of a mask, and the sums of x and y over it, on the canvas. An empty mask has area 0."""
    try:
        with Image.open(path) as image:
            values = np.asarray(image.convert("L"))
    except Exception as error:  # PIL's readers let through whatever a broken file makes them raise
        raise ValueError(f"cannot read the mask {path}: {error}") from error
    height, width = values.shape
    if height != width:
        raise ValueError(f"the mask {path} is {width} x {height} px; masks must be square, as the canvas is")
    mask = values > values.max() / 2  # masks of 0 and 1 serve as well as those of 0 and 255
    position = (np.arange(width) + 0.5) * CANVAS / width
    sums = [mask.sum(), mask.sum(0) @ position, mask.sum(1) @ position]
    return np.array(sums) * (CANVAS / width) ** 2
