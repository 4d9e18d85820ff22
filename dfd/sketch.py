"""Any image that a person may hand over -> the canonical sketch, and back to an image.

Everything downstream speaks of ink: float32 1 x 512 x 512, 0 is paper and 1 is black ink. A clean
black-on-white drawing of 512 x 512 passes unchanged (ink = 1 - grey / 255): the networks were trained on such
drawings, and any further "improvement" of contrast would be a mismatch. Only paper that is not white is
touched, and only so far that it becomes paper.
"""

from __future__ import annotations

import os
import warnings
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from PIL import ExifTags, Image, ImageOps

from dfd.components import CANVAS

#: Shortest side in pixels that is still accepted.
MIN_SIDE = 16

#: Largest accepted image in pixels; files are refused by their header, before anything is decoded.
MAX_PIXELS = 50_000_000

#: Paper at least this light is white: the drawing is clean and its values are left alone.
WHITE = 254.5 / 255

#: Large pictures are gone through in strips of about so many pixels: as a whole, each further copy in float of
#: 50 megapixels would take 200 MB or more.
STRIP = 2**20

ImageLike = str | PathLike | Image.Image | np.ndarray | torch.Tensor


def read_sketch(image: ImageLike) -> torch.Tensor:
    """Reads a drawing.

    The picture is reduced (anti-aliased) or enlarged until its longer side is 512, never stretched, and
    centred on paper. Transparency is paper. Light drawings on dark paper are inverted. Ink is how much darker
    than the paper a pixel is in its darkest colour channel, so that a yellow pen leaves a line too.

    Args:
        image: one of

            - a path to an image file; its EXIF rotation is applied, the first of several frames is read;
            - a PIL image, treated like a file;
            - a numpy array or torch tensor, H x W, H x W x C or C x H x W, with 1 (grey), 2 (grey, alpha),
              3 (RGB) or 4 (RGBA) channels: bool, uint8 (0 to 255), uint16 (0 to 65535), other integers
              (0 to 255, or to 65535 if any value is above 255), or float in [0, 1].

            Numbers mean brightness as in any picture: 0 is black, the largest is white paper.

    Returns:
        float32 1 x 512 x 512 on the CPU, ink in [0, 1]; 0 is paper, 1 is black ink.

    Raises:
        ValueError: not an image, a file that is missing, unreadable or cut off, a side under 16 px, more than
            50 megapixels, values that are not finite or out of range, or a wrong number of channels.

    Example:

        >>> from dfd import read_sketch, sketch_to_pil
        >>> sketch = read_sketch("drawing.png")
        >>> sketch.shape, sketch.dtype, float(sketch.min())
        (torch.Size([1, 512, 512]), torch.float32, 0.0)
        >>> sketch_to_pil(sketch).save("clean.png")
    """
    ink = _ink(_fit(read_pixels(image)))
    sketch = torch.zeros(1, CANVAS, CANVAS)
    height, width = ink.shape
    top, left = (CANVAS - height) // 2, (CANVAS - width) // 2
    sketch[0, top : top + height, left : left + width] = torch.from_numpy(ink)
    return sketch


def sketch_to_pil(sketch: torch.Tensor) -> Image.Image:
    """The inverse of `read_sketch`: a PIL image of mode "L", black ink on white.

    Args:
        sketch: 1 x H x W or H x W, ink in [0, 1]; values outside are clamped.

    Raises:
        ValueError: another shape.
    """
    if sketch.ndim not in (2, 3) or (sketch.ndim == 3 and sketch.shape[0] != 1):
        raise ValueError(f"a sketch is 1 x H x W or H x W, got {tuple(sketch.shape)}")
    ink = sketch.detach().float().cpu().reshape(sketch.shape[-2:]).clamp(0, 1)
    return Image.fromarray(((1 - ink) * 255).round().to(torch.uint8).numpy())


# Reading: every kind of image becomes an H x W x C array of brightness, C in 1, 2, 3, 4, with its own dtype
# kept (a scan of 50 megapixels is dear in float).


def read_pixels(image: ImageLike) -> np.ndarray:
    """The pixels of any image that `read_sketch` takes, checked as it says.

    Returns:
        H x W x C: grey, grey and alpha, RGB or RGBA, in the image's own dtype and scale, see `white_value`.

    Raises:
        ValueError: see `read_sketch`.
    """
    if isinstance(image, str | PathLike):
        return _from_file(Path(image))
    if isinstance(image, Image.Image):
        return _from_pil(image, "the image")
    if isinstance(image, np.ndarray | torch.Tensor):
        return _from_array(image)
    raise ValueError(
        f"cannot read an image from {type(image).__name__}; "
        "accepted are a path, a PIL image, a numpy array and a torch tensor"
    )


def _from_file(path: Path) -> np.ndarray:
    if not os.path.isfile(path):  # unlike Path.is_file, it takes a name that is too long for a file
        raise ValueError(f"no image file at {path}")
    try:
        # PIL warns of large images, and refuses very large ones, when it opens them: both mean our refusal.
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            opened = Image.open(path)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(f"{path} is too large; at most {MAX_PIXELS // 10**6} megapixels are accepted") from error
    except Exception as error:  # PIL's readers let through whatever a broken file makes them raise
        raise ValueError(f"cannot read {path}: {error}") from error
    with opened:
        return _from_pil(opened, str(path))


def upright(image: Image.Image) -> Image.Image:
    """The picture as its EXIF data says that the camera was held; not copied if it is so: it may take 200 MB."""
    turned = image.getexif().get(ExifTags.Base.Orientation, 1) != 1
    return ImageOps.exif_transpose(image) if turned else image


def _from_pil(image: Image.Image, name: str) -> np.ndarray:
    _check_size(image.height, image.width, name)
    try:
        image.seek(0)
        image = upright(image)
        if image.has_transparency_data:
            image = image if image.mode == "RGBA" else image.convert("RGBA")
        elif image.mode == "1":
            image = image.convert("L")
        elif image.mode not in ("L", "RGB", "I", "F") and not image.mode.startswith("I;16"):
            image = image.convert("RGB")
        values = _values(image)
    except Exception as error:  # see _from_file: decoding happens here
        raise ValueError(f"cannot read {name}: {error}") from error
    if image.mode == "F":
        # PIL has no rule for this mode: its own conversions keep 0 to 255, scientific files keep anything.
        _check_finite(values)
        values = values / _full_scale(values, (1, 255, 65535))
    return _check_range(values)[..., None] if values.ndim == 2 else values


def _values(image: Image.Image) -> np.ndarray:
    """`np.asarray(image)`, which would hold several copies for a moment."""
    strips = _strips(image.height, image.width)
    if len(strips) == 1:
        return np.asarray(image)
    values = None
    for rows in strips:
        strip = np.asarray(image.crop((0, rows.start, image.width, rows.stop)))
        values = np.empty((image.height, *strip.shape[1:]), strip.dtype) if values is None else values
        values[rows] = strip
    return values


def _strips(height: int, width: int) -> list[slice]:
    """Rows from top to bottom, about `STRIP` pixels at a time."""
    rows = max(1, STRIP // width)
    return [slice(top, min(top + rows, height)) for top in range(0, height, rows)]


def _from_array(image: np.ndarray | torch.Tensor) -> np.ndarray:
    shape = tuple(image.shape)
    # A side has at least 16 px, so an axis of 4 or less can only be the channels.
    if len(shape) == 3 and shape[0] <= 4 < shape[2]:
        image = image.permute(1, 2, 0) if isinstance(image, torch.Tensor) else image.transpose(1, 2, 0)
    elif len(shape) == 2:
        image = image[..., None]
    if image.ndim != 3 or not 1 <= image.shape[-1] <= 4:
        raise ValueError(f"an image is H x W, H x W x C or C x H x W with 1 to 4 channels, got shape {shape}")
    _check_size(*image.shape[:2], "the image")
    if isinstance(image, torch.Tensor):
        image = image.detach().cpu()
        image = (image.float() if image.is_floating_point() else image).numpy()
    return _check_range(image)


def _check_size(height: int, width: int, name: str) -> None:
    if height * width > MAX_PIXELS:
        raise ValueError(f"{name} has {width} x {height} px; at most {MAX_PIXELS // 10**6} megapixels are accepted")
    if min(height, width) < MIN_SIDE:
        raise ValueError(f"{name} has {width} x {height} px; a side must have at least {MIN_SIDE} px")


def _check_range(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind not in "buif":
        raise ValueError(f"an image holds bool, integers or floats, got {values.dtype}")
    if values.dtype.kind == "f":
        _check_finite(values)
        low, high, top = values.min(), values.max(), 1
    else:
        low, high, top = int(values.min()), int(values.max()), 65535
    if low < -1e-4 or high > top + 1e-4:  # interpolation leaves white at 1.0000001
        raise ValueError(
            f"{values.dtype} values must lie in [0, {top}] (0 = black, {top} = white), got {low} to {high}"
        )
    return values


def _check_finite(values: np.ndarray) -> None:
    if not np.isfinite(values).all():
        raise ValueError("the image holds NaN or infinite values")


def _full_scale(values: np.ndarray, scales: tuple[int, ...]) -> int:
    """The smallest scale that holds the largest value; what exceeds them all fails the range check."""
    return next((scale for scale in scales if values.max() <= scale), 1)


# Normalising: brightness as float32 in [0, 1], at most 512 px a side, then ink.


def _fit(values: np.ndarray) -> np.ndarray:
    """H x W x C -> brightness, float32 c x h x w in [0, 1]; longer side 512, c 1 or 3, no alpha."""
    height, width = values.shape[:2]
    scale = CANVAS / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    # Transparency waits until the picture is small: resizing and laying it on white are both linear.
    drawn, opaque = resized(values, size, white_value(values))
    if opaque is None:
        return drawn
    on_white = drawn + (1 - opaque)
    # White strokes on a transparent layer would vanish; on black they are seen, and inverted later.
    return drawn if opaque.mean() < 0.5 and on_white.min() > WHITE else on_white


def white_value(values: np.ndarray) -> int:
    """The value that means white in what `read_pixels` returns."""
    if values.dtype.kind in "bf":
        return 1
    if values.dtype in (np.uint8, np.uint16):
        return np.iinfo(values.dtype).max
    return _full_scale(values, (255, 65535))


def resized(values: np.ndarray, size: tuple[int, int], white: int) -> tuple[np.ndarray, np.ndarray | None]:
    """What `read_pixels` returns, at another size.

    Args:
        values: H x W x C.
        size: width and height.
        white: see `white_value`.

    Returns:
        Brightness, float32 1 or 3 x height x width in [0, 1], 0 where the picture is transparent; and how opaque it
        is, float32 height x width in [0, 1], or None without transparency.
    """
    has_alpha = values.shape[-1] in (2, 4)
    narrow = []
    for rows in _strips(*values.shape[:2]):
        strip = values[rows].astype(np.float32)
        strip /= white
        strip.clip(0, 1, out=strip)
        if has_alpha:
            strip[..., :-1] *= strip[..., -1:]
        narrow.append([_resize(channel, (size[0], len(strip))) for channel in strip.transpose(2, 0, 1)])
    # PIL resizes across before down too, so strips change no value.
    channels = [_resize(np.concatenate(strips), size) for strips in zip(*narrow, strict=True)]
    opaque = channels.pop() if has_alpha else None
    return np.stack(channels), opaque


def _resize(channel: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    # PIL widens its filter by the reduction, so a thin line fades but never falls between the samples; this
    # filter does not overshoot, so lines have no halo.
    return np.asarray(Image.fromarray(channel).resize(size, Image.Resampling.HAMMING))


def _ink(colour: np.ndarray) -> np.ndarray:
    """float32 C x h x w brightness in [0, 1] -> float32 h x w ink in [0, 1]."""
    grey = _grey(colour)
    level = _paper_level(grey)
    if level < 0.5:
        # Dark paper: ink is whatever stands out from it; squares let strokes outweigh uneven light. A tie is
        # an empty sheet.
        difference = grey - _paper(grey, grey)
        if (difference.clip(min=0) ** 2).sum() >= (difference.clip(max=0) ** 2).sum():
            colour = 1 - colour
            grey = _grey(colour)
            level = _paper_level(grey)
    if level >= WHITE:
        return (1 - colour.min(0)).clip(0, 1)

    papers = np.stack([_paper(channel, grey) for channel in colour])
    usable = papers.mean((1, 2)) >= papers.mean((1, 2)).max() / 2  # deep blue paper has no red to take away
    ink = 1 - colour[usable] / papers[usable].clip(min=1 / 255)
    # Grain and uneven light of the paper, as three times the usual deviation from it, are not ink.
    grain = min(3 * 1.48 * float(np.median(np.abs(ink))), 0.3)
    return ((ink.max(0) - grain) / (1 - grain)).clip(0, 1)


def _grey(colour: np.ndarray) -> np.ndarray:
    if len(colour) == 1:
        return colour[0]
    return np.tensordot(np.array([0.299, 0.587, 0.114], np.float32), colour, 1)


def _paper_level(grey: np.ndarray) -> float:
    """Brightness of the paper: what most of the picture or most of its rim has, whichever is lighter.

    Two looks: filled black hair may cover most of a drawing, and a photo may show the table around the sheet.
    """
    rim = max(1, round(0.03 * min(grey.shape)))
    inside = np.zeros(grey.shape, bool)
    inside[rim:-rim, rim:-rim] = True
    return max(float(np.median(grey)), float(np.median(grey[~inside])))


def _paper(channel: np.ndarray, grey: np.ndarray) -> np.ndarray:
    """`channel` as it would be without ink, h x w: a smooth surface through its blocks of bare paper."""
    block = max(1, min(grey.shape) // 16)
    values, greys = _block_medians(channel, block), _block_medians(grey, block)
    level = _paper_level(grey)
    bare = np.abs(greys - level) <= 0.2 * level
    surface = _quadratic(*values.shape)
    if bare.sum() < 2 * surface.shape[-1]:
        return np.full_like(channel, _paper_level(channel))
    for _ in range(6):  # blocks full of ink leave the fit, paper in the shade joins it
        fit = np.linalg.lstsq(surface[bare], values[bare], rcond=None)[0]
        off = np.abs(values - surface @ fit)
        bare = off <= max(3 * float(np.median(off[bare])), 0.02)
    paper = _quadratic(*grey.shape) @ fit
    return paper.clip(values[bare].min(), values[bare].max()).astype(np.float32)


def _block_medians(channel: np.ndarray, block: int) -> np.ndarray:
    rows, columns = channel.shape[0] // block, channel.shape[1] // block
    blocks = channel[: rows * block, : columns * block].reshape(rows, block, columns, block)
    return np.median(blocks, axis=(1, 3))


def _quadratic(height: int, width: int) -> np.ndarray:
    """height x width x 6: the terms of a quadratic in x and y, which run over (-1, 1)."""
    y, x = (((np.arange(n) + 0.5) / n * 2 - 1) for n in (height, width))
    y, x = np.meshgrid(y, x, indexing="ij")
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], -1)
