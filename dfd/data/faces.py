"""Reads a face folder (Hugging Face image folder with `metadata.csv`) through a fast on-disk cache.

Columns used: `file_name` (photo); optional: `line_file_name` (line drawing, lines of about 1 px at 512; without it the
binarised photocopy serves), `split` (`train` or `test`, default `train`), `size` (px; without it the photo's shorter
side), `gender` (`male`, `female` or `unsure`), `gender_source` (`unsure` excludes the sample from both subsets),
`age_estimate` (years: who has wrinkles), `source` (faces of one source are alike, `dfd.training.meanings`) and `group`
(for which `dfd.evaluate` gives figures).
"""

from __future__ import annotations

import csv
import hashlib
import math
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from huggingface_hub import snapshot_download
from PIL import Image
from tqdm import tqdm

from dfd.components import CANVAS
from dfd.data import hair, landmarks
from dfd.data.schematic import Person
from dfd.files import cannot_write
from dfd.manifold import GENDERS
from dfd.photocopy import photocopy
from dfd.sketch import read_pixels, read_sketch, resized, white_value
from dfd.strokes import trace

MALE, FEMALE, UNSURE = (GENDERS[name] for name in ("male", "female", "unsure"))

#: Every so many-th training face is kept out of training, to watch its progress and to choose settings.
VALIDATION_EVERY = 60

#: Change when the cached arrays change their meaning.
CACHE_VERSION = 1


def _read_face(photo: Path, lines: Path | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Photo uint8 512 x 512 x 3, packed line bits 512 x 64, photocopy ink uint8 512 x 512."""
    rgb = _read_photo(photo)
    ink = photocopy(rgb)
    bits = ink > 0.5 if lines is None else _read_lines(lines)
    return rgb, np.packbits(bits, axis=1), np.round(ink * 255).astype(np.uint8)


def _read_photo(path: Path) -> np.ndarray:
    """uint8 512 x 512 x 3. Any picture that visitors may bring, too: 16 bits, turned by EXIF, transparent on white."""
    values = read_pixels(path)
    height, width = values.shape[:2]
    if height != width:
        raise ValueError(f"{path} is {width} x {height}: photos must be square, with all faces aligned alike")
    if values.dtype == np.uint8 and values.shape[-1] in (1, 3):  # nearly all; only these are not worth floats
        image = Image.fromarray(values.squeeze(-1) if values.shape[-1] == 1 else values)
        return np.asarray(image.convert("RGB").resize((CANVAS, CANVAS), Image.Resampling.LANCZOS))
    channels, opaque = resized(values, (CANVAS, CANVAS), white_value(values))
    white = channels if opaque is None else channels + 1 - opaque
    pixels = np.round(255 * white.clip(0, 1)).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(pixels, (3, CANVAS, CANVAS)).transpose(1, 2, 0))


def _read_lines(path: Path) -> np.ndarray:
    """bool 512 x 512, True where a drawing, in any form that visitors may bring, has ink."""
    values = read_pixels(path)
    # A thin line of a larger drawing is pale when it has been reduced.
    return read_sketch(values)[0].numpy() > 0.5 * min(1, CANVAS / max(values.shape[:2]))


def _side(photo: Path) -> int:
    with Image.open(photo) as image:
        return min(image.size)


def _all_cores() -> ProcessPoolExecutor:
    # One thread each: a fork of a process whose OpenMP threads have worked would wait for them for ever.
    return ProcessPoolExecutor(initializer=torch.set_num_threads, initargs=(1,))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Holds off other processes that make the same cache."""
    lock = FileLock(f"{folder}.lock")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        raise cannot_write(folder, error) from error
    try:
        yield
    finally:
        lock.release()


def _local(root: str | Path) -> Path:
    """The folder itself, or the Hub's dataset of that name in the Hub's cache."""
    if Path(root).is_dir() or str(root).count("/") != 1:
        return Path(root)
    try:
        return Path(snapshot_download(str(root), repo_type="dataset"))
    except Exception as error:  # the Hub's client lets the errors of its HTTP library through
        raise ValueError(f"{root} is no folder here, and cannot be had from the Hub: {error}") from error


#: Strokes are stored with every so many-th of their points, in 1/64 px.
STROKE_STEP, STROKE_SCALE = 2, 64


def _trace_face(bits: np.ndarray) -> list[np.ndarray]:
    """The strokes of packed line bits 512 x 64, thinned out to `STROKE_STEP`, each n x 2 in 1/64 px."""
    strokes = trace(np.unpackbits(bits, axis=1).astype(bool))
    kept = [np.concatenate([stroke[:-1:STROKE_STEP], stroke[-1:]]) for stroke in strokes]
    return [np.round(stroke * STROKE_SCALE).astype(np.uint16) for stroke in kept]


def _save(path: Path, array: np.ndarray) -> None:
    """Writes beside `path` first and renames: its presence says that it is whole."""
    partial = path.with_name(f"{path.stem}.{os.getpid()}.partial")  # several processes may be at it
    try:
        with open(partial, "wb") as file:
            np.save(file, array)
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise cannot_write(path, error) from error


class FaceFolder:
    """Photos and drawings of a face folder, decoded once into memory-mapped arrays.

    Args:
        root: folder with `metadata.csv`, or the name of such a dataset on the Hugging Face Hub ("user/faces").
        cache: folder for the arrays (about 1.1 MB a face); built on first use, kept for the next.

    Attributes:
        table: the path of `metadata.csv`, for a dataset from the Hub that in its cache.
        photos: uint8 N x 512 x 512 x 3; photocopies: uint8 N x 512 x 512 (255 is ink); line drawings by `lines`,
            the same as strokes by `strokes`.
        landmarks: float16 N x 70 x 2 (`dfd.data.landmarks`), or None if the packages that find them are missing.
        sample_ids: int64 N, the row of `metadata.csv`; genders: uint8 N (0 male, 1 female, 2 unsure).

    Raises:
        ValueError: no `metadata.csv`, no `file_name` column, a row that is cut off, a size that is no number, or a file
            that it names is missing, unreadable or not square.
        OSError: the cache cannot be written; the message names its folder.
    """

    def __init__(self, root: str | Path, cache: str | Path = "runs/cache"):
        root = _local(root)
        self.table = table = root / "metadata.csv"
        if not table.is_file():
            raise ValueError(f"{root} is no face folder: it has no metadata.csv")
        try:
            with open(table, newline="", encoding="utf-8-sig") as file:  # Excel begins with a mark
                self.rows = list(csv.DictReader(file))
        except UnicodeDecodeError as error:
            raise ValueError(f"{table} is not in UTF-8: {error}") from error
        if not self.rows or "file_name" not in self.rows[0]:
            raise ValueError(f"{table} has no rows or no column file_name")
        cut = next((i for i, row in enumerate(self.rows, 1) if None in row or None in row.values()), None)
        if cut is not None:  # a test face whose row lost its end would be trained on
            raise ValueError(f"{table}: row {cut} has not as many fields as there are columns; is it cut off?")
        self.sample_ids = np.arange(len(self.rows))
        odd = next((who for row in self.rows if (who := row.get("gender")) and who not in GENDERS), None)
        if odd is not None:
            raise ValueError(f"{table}: gender must be one of {', '.join(GENDERS)}, or empty, got {odd!r}")
        self.genders = np.array([self._gender(row) for row in self.rows], dtype=np.uint8)
        self._root = root
        odd = next((size for row in self.rows if (size := row.get("size")) and not size.isdecimal()), None)
        if odd is not None:
            raise ValueError(f"{table}: size must be a whole number of pixels, got {odd!r}")
        self.splits = np.array([row.get("split") or "train" for row in self.rows])
        unknown = set(self.splits) - {"train", "test"}
        if unknown:
            raise ValueError(f"{table} has the splits {', '.join(sorted(unknown))}; accepted are train and test")
        folder = Path(cache) / self._key()
        # Of several processes that lack something one makes it, and the others wait.
        with _alone(folder) if self._lacks_something(folder) else nullcontext():
            self._make_and_open(folder)
        self.sizes = self._sizes(folder)
        self._points = np.load(folder / "stroke_points.npy", mmap_mode="r")
        self._stroke_starts = np.load(folder / "stroke_starts.npy")
        self._face_starts = np.load(folder / "stroke_faces.npy")
        self.landmarks = np.load(folder / "landmarks.npy") if (folder / "landmarks.npy").is_file() else None
        if self.landmarks is not None:
            self._chin_shades = np.load(folder / "chin_shades.npy")
            self._glasses = np.load(folder / "glasses.npy")
            self._hair = np.load(folder / "hair.npy", mmap_mode="r")
            self._curls = np.load(folder / "curls.npy")

    def names_sha256(self) -> str:
        """Of the photos' names in the order of the table: which face a row's number stands for. Labels may change."""
        return hashlib.sha256("\n".join(row["file_name"] for row in self.rows).encode()).hexdigest()

    @staticmethod
    def _gender(row: dict[str, str]) -> int:
        if row.get("gender_source") == "unsure":
            return UNSURE
        return GENDERS[row.get("gender") or "unsure"]

    def _files(self) -> tuple[list[Path], list[Path | None]]:
        """The photos and the line drawings."""
        photos = [self._root / row["file_name"] for row in self.rows]
        return photos, [self._root / row["line_file_name"] if row.get("line_file_name") else None for row in self.rows]

    def _key(self) -> str:
        """The name of the cache: another one for another table, or for files that were replaced."""
        photos, lines = self._files()
        files = [*photos, *filter(None, lines)]
        missing = [str(path) for path in files if not path.is_file()]
        if missing:
            raise ValueError(f"{len(missing)} files named in metadata.csv are missing, the first is {missing[0]}")
        digest = hashlib.sha256(f"{CACHE_VERSION} {self._root.resolve()}".encode() + self.table.read_bytes())
        for status in map(os.stat, files):
            digest.update(f" {status.st_size} {int(status.st_mtime)}".encode())
        return digest.hexdigest()[:12]

    def _sizes(self, folder: Path) -> np.ndarray:
        """int64 N: the table's sizes; where it has none, those of the photos."""
        sizes = [row.get("size") for row in self.rows]
        if not all(sizes):
            if not (folder / "sizes.npy").is_file():
                _save(folder / "sizes.npy", np.array([_side(path) for path in self._files()[0]]))
            measured = np.load(folder / "sizes.npy")
            sizes = [size or measured[i] for i, size in enumerate(sizes)]
        return np.array(sizes).astype(np.int64)

    @staticmethod
    def _lacks_something(folder: Path) -> bool:
        made = {file.stem for file in folder.glob("*.npy")}
        if not {"photos", "stroke_points"} <= made:
            return True
        return "curls" not in made if "landmarks" in made else landmarks.available()  # the curls are made last

    def _make_and_open(self, folder: Path) -> None:
        """Makes what the cache lacks, and opens what all the rest is made of."""
        if not folder.is_dir():
            self._build(folder)
        self.photos = np.load(folder / "photos.npy", mmap_mode="r")
        self._bits = np.load(folder / "lines.npy", mmap_mode="r")
        self.photocopies = np.load(folder / "photocopies.npy", mmap_mode="r")
        if not (folder / "stroke_points.npy").is_file():
            self._trace(folder)
        if not (folder / "landmarks.npy").is_file() and landmarks.available():
            self._mark(folder)
        looks = {
            "chin_shades": self._look_for_beards,
            "glasses": self._look_for_glasses,
            "hair": self._look_for_hair,
            "curls": self._look_for_curls,  # in the hair
        }
        for name, look_for in looks.items():
            if (folder / "landmarks.npy").is_file() and not (folder / f"{name}.npy").is_file():
                look_for(folder)

    def _build(self, folder: Path) -> None:
        photos, lines = self._files()
        partial = folder.with_name(f"{folder.name}.{os.getpid()}.partial")
        try:
            partial.mkdir(parents=True, exist_ok=True)
            self._fill(partial, photos, lines)
            partial.rename(folder)
        except OSError as error:
            if not folder.is_dir():  # else another process was quicker
                raise cannot_write(folder, error) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    @staticmethod
    def _fill(folder: Path, photos: list[Path], lines: list[Path | None]) -> None:
        n = len(photos)
        shapes = {
            "photos": (n, CANVAS, CANVAS, 3),
            "lines": (n, CANVAS, CANVAS // 8),
            "photocopies": (n, CANVAS, CANVAS),
        }
        arrays = [
            np.lib.format.open_memmap(folder / f"{name}.npy", mode="w+", dtype=np.uint8, shape=shape)
            for name, shape in shapes.items()
        ]
        if hasattr(os, "posix_fallocate"):  # else a disk that gets full ends the process, in a write to mapped memory
            for name in shapes:
                with open(folder / f"{name}.npy", "r+b") as file:
                    os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size)
        with _all_cores() as pool:
            faces = pool.map(_read_face, photos, lines, chunksize=16)
            for i, face in enumerate(tqdm(faces, total=n, desc="reading faces", unit="face")):
                for array, value in zip(arrays, face, strict=True):
                    array[i] = value
        for array in arrays:
            array.flush()

    def _of_all(self, function: Callable[..., Any], *arrays: np.ndarray, desc: str) -> list[Any]:
        """What `function` makes of each face, on all cores, with a progress bar called `desc`."""
        with _all_cores() as pool:
            found = pool.map(function, *arrays, chunksize=32)
            return list(tqdm(found, total=len(self), desc=desc, unit="face"))

    def _trace(self, folder: Path) -> None:
        """Traces all line drawings into one long list of points, with where each stroke and each face starts."""
        faces = self._of_all(_trace_face, self._bits, desc="tracing lines")
        lengths = [len(stroke) for strokes in faces for stroke in strokes]
        points = np.concatenate([stroke for strokes in faces for stroke in strokes] or [np.zeros((0, 2), np.uint16)])
        arrays = {
            "stroke_faces": np.cumsum([0, *map(len, faces)]),
            "stroke_starts": np.cumsum([0, *lengths]),
            "stroke_points": points,  # last: its presence says that all three are there
        }
        for name, array in arrays.items():
            _save(folder / f"{name}.npy", array)

    def _mark(self, folder: Path) -> None:
        """Finds the landmarks of all photos."""
        marks = self._of_all(landmarks.find, self.photos, desc="finding landmarks")
        _save(folder / "landmarks.npy", np.stack(marks).astype(np.float16))

    def _look_for_beards(self, folder: Path) -> None:
        """Measures the chins of all photos."""
        marks = np.load(folder / "landmarks.npy")
        shades = self._of_all(landmarks.chin_shade, self.photos, marks, desc="looking for beards")
        _save(folder / "chin_shades.npy", np.float16(shades))

    def _look_for_glasses(self, folder: Path) -> None:
        """Finds out who wears glasses."""
        marks = np.load(folder / "landmarks.npy")
        glasses = self._of_all(landmarks.wears_glasses, self.photos, marks, desc="looking for glasses")
        _save(folder / "glasses.npy", np.array(glasses))

    def _look_for_hair(self, folder: Path) -> None:
        """Finds the hair in all photos."""
        marks = np.load(folder / "landmarks.npy")
        masks = self._of_all(hair.find, self.photos, marks, desc="looking for hair")
        _save(folder / "hair.npy", np.packbits(np.stack(masks), axis=-1))

    def _look_for_curls(self, folder: Path) -> None:
        """Finds out whose hair is curly."""
        masks = np.unpackbits(np.load(folder / "hair.npy"), axis=-1).astype(bool)
        curls = self._of_all(hair.is_curly, self.photos, masks, desc="looking for curls")
        _save(folder / "curls.npy", np.array(curls))

    def __len__(self) -> int:
        return len(self.rows)

    def person(self, index: int) -> Person | None:
        """Whom a schematic drawing of face `index` shows; None if its landmarks are not known."""
        if self.landmarks is None:
            return None
        bearded = self.genders[index] != FEMALE and self._chin_shades[index] < landmarks.BEARDED
        mask = np.unpackbits(self._hair[index], axis=-1).astype(bool)
        return Person(
            landmarks=self.landmarks[index].astype(np.float32),
            bearded=bool(bearded),
            age=self._age(self.rows[index]),
            hair=mask,
            glasses=bool(self._glasses[index]),
            curly=bool(self._curls[index]),
        )

    @staticmethod
    def _age(row: dict[str, str]) -> float | None:
        try:
            age = float(row["age_estimate"])
        except (KeyError, TypeError, ValueError):
            return None
        return age if math.isfinite(age) else None

    def strokes(self, index: int) -> list[np.ndarray]:
        """The strokes of the line drawing of face `index`, as `dfd.strokes.trace` gives them, every second point."""
        first, last = self._face_starts[index : index + 2]
        starts = self._stroke_starts[first : last + 1]
        points = self._points[starts[0] : starts[-1]].astype(np.float32) / STROKE_SCALE
        return np.split(points, starts[1:-1] - starts[0]) if last > first else []

    def lines(self, index: int) -> np.ndarray:
        """bool 512 x 512, True where the line drawing of face `index` has ink."""
        return np.unpackbits(self._bits[index], axis=1).astype(bool)

    def select(self, split: str, size: int = 0) -> np.ndarray:
        """Indices of a split with photos of at least `size` px.

        `train` leaves out the validation faces, `validation` is those (both from the table's train rows),
        `bank` is both together, `test` is the table's test rows.
        """
        few = (self.splits == "train").sum() <= VALIDATION_EVERY  # none can be spared
        train = np.flatnonzero((self.splits == "train") & (self.sizes >= size))
        held_out = train % VALIDATION_EVERY == 0
        match split:
            case "train":
                return train if few else train[~held_out]
            case "validation":
                return train[:0] if few else train[held_out]
            case "bank":
                return train
            case "test":
                return np.flatnonzero((self.splits == "test") & (self.sizes >= size))
        raise ValueError(f"unknown split {split!r}; accepted are train, validation, bank, test")

    def to_train_on(self, size: int = 0) -> np.ndarray:
        """`train`. Raises ValueError if there is none."""
        train = self.select("train", size)
        if not len(train):
            raise ValueError(f"{self.table} has no photos to train on{f' of {size} px or more' if size else ''}")
        return train

    def held_out(self, size: int = 0) -> np.ndarray:
        """Indices of the faces by which a training is watched: `validation`; `train` where that has none."""
        validation = self.select("validation", size)
        return validation if len(validation) else self.select("train", size)
