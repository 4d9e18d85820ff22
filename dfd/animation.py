"""A strip of faces as a file that moves: GIF, animated WebP or MP4."""

from __future__ import annotations

import os
from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise
from numbers import Real
from pathlib import Path

import numpy as np
from PIL import Image

from dfd.extras import needs_extra
from dfd.provenance import NOTICE, XMP

#: Endings of file names that are understood.
FORMATS = (".gif", ".webp", ".mp4")


def save_animation(
    frames: Iterable[Image.Image],
    path: str | os.PathLike,
    seconds: float = 3.0,
    loop: bool = True,
    bounce: bool = False,
) -> None:
    """Writes frames as an animation that says in its metadata that a machine made it.

    It is written beside `path` first and renamed, so that a file that is there is replaced whole or not at all.

    Args:
        frames: PIL images of one size, any mode; written as RGB.
        path: ends in .gif, .webp or .mp4. MP4 is H.264 in yuv420p, which browsers play; a frame of odd sides gets
            its last row or column twice, since the format has even ones only.
        seconds: from the first frame's beginning to the last one's end, shared evenly. GIF counts in hundredths.
        loop: play again and again. An MP4 cannot say so: there its player decides.
        bounce: play back to the first frame, too, within the same seconds.

    Raises:
        ValueError: another ending, no frames, frames of different sizes, or seconds that are not above 0.
        OSError: the file cannot be written.
        ImportError: an MP4 without the extra `demo`.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in FORMATS:
        raise ValueError(f"an animation's name must end in {', '.join(FORMATS)}, got {path.name!r}")
    if isinstance(seconds, bool) or not isinstance(seconds, Real) or not 0 < seconds < float("inf"):
        raise ValueError(f"seconds must be a number above 0, got {seconds!r}")
    pictures = [frame.convert("RGB") for frame in frames]
    if not pictures:
        raise ValueError("no frames given: an animation needs at least one")
    sizes = {picture.size for picture in pictures}
    if len(sizes) > 1:
        raise ValueError(f"all frames must have one size, got {', '.join(f'{w} x {h}' for w, h in sorted(sizes))}")
    if bounce:
        # In a loop the first frame comes next anyway.
        pictures += pictures[-2 : 0 if loop else None : -1]

    beside = path.with_name(f"{path.stem}.part{kind}")  # the ending tells the writers the format
    try:
        if kind == ".mp4":
            _write_mp4(pictures, beside, seconds)
        else:
            _write_picture(pictures, beside, seconds, loop)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _write_picture(pictures: list[Image.Image], path: Path, seconds: float, loop: bool) -> None:
    gif = path.suffix == ".gif"
    tick = 10 if gif else 1  # milliseconds
    # Times are rounded, not durations: what one frame loses, the next one gets.
    times = [tick * round(1000 * seconds * i / len(pictures) / tick) for i in range(len(pictures) + 1)]
    options = {
        "save_all": True,
        "append_images": pictures[1:],
        "duration": [max(end - start, tick) for start, end in pairwise(times)],
    }
    if gif:
        # GIF's number counts repetitions, and without one it plays once.
        pictures[0].save(path, **options, comment=NOTICE, **({"loop": 0} if loop else {}))
    else:
        pictures[0].save(path, **options, loop=0 if loop else 1, quality=85, xmp=XMP.encode())


def _write_mp4(pictures: list[Image.Image], path: Path, seconds: float) -> None:
    with needs_extra("demo", "an MP4"):  # nothing else here needs it
        import imageio.v3 as imageio
    stack = np.stack([np.asarray(picture) for picture in pictures])
    stack = np.pad(stack, ((0, 0), (0, stack.shape[1] % 2), (0, stack.shape[2] % 2), (0, 0)), "edge")
    notes = {"title": "Synthetic face", "comment": NOTICE}
    imageio.imwrite(
        path,
        stack,
        plugin="FFMPEG",
        fps=Fraction(len(stack) / seconds).limit_denominator(10_000),
        codec="libx264",
        pixelformat="yuv420p",
        quality=8,
        macro_block_size=2,
        # The index in front: a browser begins to play before it has the whole file.
        output_params=[
            "-movflags",
            "+faststart",
            *(f for n in notes.items() for f in ("-metadata", "{}={}".format(*n))),
        ],
    )
