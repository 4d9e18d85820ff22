"""The five face components: where their windows lie on the canvas and how their maps are merged.

This is the only place that knows the geometry. Coordinates are pixels of the 512 x 512 canvas, `x` to the
right and `y` down; left and right are the picture's, not the person's. Source: the authors' public program.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from numbers import Real

import torch
import torch.nn.functional as F

CANVAS = 512

#: Every component, in the order in which codes, banks and tables list them.
COMPONENTS = ("left_eye", "right_eye", "nose", "mouth", "remainder")

#: Components with a window of their own; the remainder is the whole canvas with these painted white.
PARTS = COMPONENTS[:-1]

#: Merged onto the remainder's map in this order, later over earlier.
MERGE_ORDER = ("mouth", "nose", "left_eye", "right_eye")

#: Share of its rows that the nose's map loses at its bottom when merged (36 of 160), so that it leaves the upper
#: lip to the mouth.
NOSE_CUT = 36 / 160

#: Width in pixels over which a merged window fades into what lies under it (the official program has a hard
#: edge, and its users complain of visible seams).
SEAM = 16


@dataclass(frozen=True)
class Window:
    """A square window of the canvas: left and top corner and side, in pixels."""

    x: int
    y: int
    size: int

    def scaled(self, canvas: int) -> Window:
        """This window on a canvas of another size, rounded to whole pixels."""
        f = canvas / CANVAS
        return Window(round(self.x * f), round(self.y * f), round(self.size * f))

    @property
    def slices(self) -> tuple[slice, slice]:
        """Row and column slices, to index the last two axes of a map."""
        return slice(self.y, self.y + self.size), slice(self.x, self.x + self.size)


DEFAULT_WINDOWS = {
    "left_eye": Window(108, 156, 128),
    "right_eye": Window(255, 156, 128),
    "nose": Window(182, 232, 160),
    "mouth": Window(169, 301, 192),
}


class Layout:
    """Windows of the four parts, and the two operations that depend on them: `crop` and `merge`.

    Args:
        windows: part name -> `(x, y, size)` in canvas pixels; missing parts take the official window. Data
            whose faces are aligned otherwise brings its own (`python -m dfd.data windows`).

    Raises:
        ValueError: no mapping, an unknown part, or a window that is not three whole numbers inside the canvas.

    Example:

        >>> import torch
        >>> from dfd import Layout
        >>> layout = Layout({"mouth": (160, 300, 192)})
        >>> crops = layout.crop(torch.zeros(2, 1, 512, 512))
        >>> crops["mouth"].shape
        torch.Size([2, 1, 192, 192])
        >>> layout.merge(crops).shape
        torch.Size([2, 1, 512, 512])
    """

    def __init__(self, windows: Mapping[str, Window | Sequence[int]] | None = None):
        self.windows = dict(DEFAULT_WINDOWS)
        if not isinstance(windows, Mapping | None):
            raise ValueError(f"windows must be given by part, got {windows!r}")
        for name, box in (windows or {}).items():
            if name not in PARTS:
                raise ValueError(f"unknown component {name!r}; windows can be given for {', '.join(PARTS)}")
            box = (box.x, box.y, box.size) if isinstance(box, Window) else box
            whole = isinstance(box, Sequence) and all(isinstance(v, Real) and v % 1 == 0 for v in box)
            if not whole or len(box) != 3:
                raise ValueError(f"window of {name} must be three whole numbers (x, y, size), got {box!r}")
            window = Window(*(int(v) for v in box))
            inside = min(window.x, window.y) >= 0 and max(window.x, window.y) + window.size <= CANVAS
            if window.size < 32 or not inside:
                raise ValueError(
                    f"window of {name} must be 32 px or more and inside the {CANVAS} px canvas, got {box!r}"
                )
            self.windows[name] = window

    def size(self, component: str) -> int:
        """Side in pixels of the crop that the component's encoder sees."""
        return self.windows[component].size if component in self.windows else CANVAS

    @cached_property
    def remainder_mask(self) -> torch.Tensor:
        """float32 1 x 512 x 512: 1 where the remainder sees the sketch, 0 inside the four windows."""
        with torch.inference_mode(False):  # see alpha
            mask = torch.ones(1, CANVAS, CANVAS)
            for window in self.windows.values():
                mask[(..., *window.slices)] = 0
            return mask

    @property
    def boxes(self) -> dict[str, tuple[int, int, int]]:
        """Part -> (x, y, size), as a layout is made from."""
        return {name: (window.x, window.y, window.size) for name, window in self.windows.items()}

    def crop(self, sketch: torch.Tensor) -> dict[str, torch.Tensor]:
        """Cuts sketches into components.

        Args:
            sketch: N x 1 x 512 x 512, ink in [0, 1] (0 is paper).

        Returns:
            component -> N x 1 x size x size, same dtype and range; the remainder has no ink in the windows.
        """
        crops = {name: sketch[(..., *window.slices)] for name, window in self.windows.items()}
        crops["remainder"] = sketch * self.remainder_mask.to(sketch)
        return crops

    @lru_cache(maxsize=64)  # noqa: B019 - layouts are few and live as long as their model
    def alpha(self, part: str, canvas: int, seam: int = SEAM) -> torch.Tensor:
        """float32 1 x size x size in [0, 1]: how much of `part` covers what lies under it, at `canvas` px.

        Rises from the window's border to 1 over `seam` canvas pixels; the nose's cut rows are 0.
        """
        with torch.inference_mode(False):  # a mask made in inference mode could not serve training later
            size = self.windows[part].scaled(canvas).size
            width = max(seam * canvas / CANVAS, 1e-6)
            position = torch.arange(size) + 0.5
            left = (position / width).clamp(max=1)
            rows, columns = left * left.flip(0), left * left.flip(0)
            if part == "nose":
                end = size - round(NOSE_CUT * size)
                rows = left * ((end - position) / width).clamp(0, 1)
            return (rows[:, None] * columns[None, :])[None]

    def merge(self, maps: Mapping[str, torch.Tensor], seam: int = SEAM) -> torch.Tensor:
        """Merges component maps by place: the parts over the remainder, in `MERGE_ORDER`, borders softened.

        Args:
            maps: component -> N x C x s x s, where the remainder's side is the map canvas (any size) and each
                part's side is its window's at that canvas; a part of another size is resized.
            seam: width of the softened border in canvas pixels; 0 for a hard one.

        Returns:
            N x C x canvas x canvas, a new tensor.
        """
        base = maps["remainder"]
        canvas = base.shape[-1]
        for part in MERGE_ORDER:
            window = self.windows[part].scaled(canvas)
            over = maps[part]
            if over.shape[-1] != window.size:
                over = F.interpolate(over, size=(window.size, window.size), mode="bilinear", align_corners=False)
            alpha = self.alpha(part, canvas, seam).to(base)
            # Padded and added rather than written in place: one line serves training and inference alike.
            right, below = canvas - window.x - window.size, canvas - window.y - window.size
            pad = (window.x, right, window.y, below)
            base = base * (1 - F.pad(alpha, pad)) + F.pad(over * alpha, pad)
        return base
