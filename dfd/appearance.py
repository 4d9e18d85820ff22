"""Codes of colours and light: the likely one of a drawing, and others to choose: a palette, a photo's, a random one.

A drawing hardly says what colour skin and hair are: a face takes that from an appearance code (see
`dfd.models.appearance`). Any code may go with any drawing, since the code comes from a thumbnail too small for shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from dfd.checks import is_whole
from dfd.components import CANVAS, COMPONENTS
from dfd.models import AppearanceEncoder
from dfd.regression import ridge
from dfd.sketch import ImageLike, read_pixels, resized, white_value

#: Swatches of the palette.
SWATCHES = 20

#: Share of the codes' variance that the palette looks at; the rest is noise. Of the shipped weights' 16 numbers three
#: directions hold 96 %: the light of the background (49 %), of the skin (31 %) and of the hair (17 %) (measured).
VARIANCE = 0.95

#: Where skin is in a thumbnail of an aligned face: centre and half axes of an ellipse, as shares of the side.
SKIN = (0.5, 0.57), (0.17, 0.24)


#: Strength of the ridge regression; of the appearances' variance it told 46 % on faces left out, and the same at a
#: third and at three times of it (measured).
RIDGE = 3000.0


def fit_appearance(codes: Mapping[str, torch.Tensor], appearance: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """How a face's likely appearance follows from its codes: a ridge regression from all five on the appearance.

    Lines do tell something of colour, such as dark hair without strands. The mean of the nearest samples' appearances
    is no good guess of it: the code of a freehand drawing lies nearer to the average than samples' codes, and next to
    it are those that have few lines, which were dark-haired people with brown skin for nearly every drawing. A linear
    guess goes to the average appearance as the codes go to the average.

    Args:
        codes: component -> float M x D.
        appearance: float M x A.

    Returns:
        slope float32 5D x A (the components in the order of `COMPONENTS`) and offset float32 A, for
        `predict_appearance`.
    """
    joined = torch.cat([codes[name].detach().float().cpu() for name in COMPONENTS], 1)
    return ridge(joined, appearance.detach().float().cpu(), RIDGE)


def predict_appearance(codes: Mapping[str, torch.Tensor], slope: torch.Tensor, offset: torch.Tensor) -> torch.Tensor:
    """float32 N x A: the likely appearance of codes (component -> float N x D, on the CPU); see `fit_appearance`."""
    return torch.cat([codes[name] for name in COMPONENTS], 1) @ slope.float().cpu() + offset.float().cpu()


def palette(codes: torch.Tensor, encoder: AppearanceEncoder | None = None, size: int = SWATCHES) -> torch.Tensor:
    """Samples' appearances, as different from each other as the bank's are, always the same ones.

    The codes are clustered in their main directions, each in units of its own spread: else the background, of which
    there is the most, would have half of the palette to itself. The sample in the middle of each cluster is a swatch.

    Args:
        codes: float M x A, a bank's appearance codes.
        encoder: what made the codes; swatches are then sorted, lightest skin first.
        size: how many.

    Returns:
        float32 size x A, copies of rows of `codes`; all of them if there are no more than `size`.
    """
    # Only here, since they take half a second, for which whoever makes faces need not wait.
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA

    codes = codes.detach().float().cpu()
    if len(codes) > size:
        directions = PCA(VARIANCE, whiten=True, svd_solver="full").fit_transform(codes.numpy())
        clusters = KMeans(size, random_state=0, n_init=10).fit(directions)
        codes = codes[np.sort(clusters.transform(directions).argmin(0))]
    if encoder is not None:
        codes = codes[(codes @ _lighter_skin(encoder)).argsort(descending=True, stable=True)]
    return codes.clone()


@torch.no_grad()
def appearance_of(photo: ImageLike, encoder: AppearanceEncoder, codes: torch.Tensor | None = None) -> torch.Tensor:
    """The appearance of a photo; of its shape nothing is taken.

    Args:
        photo: anything that `dfd.sketch.read_sketch` takes, in colour. Its middle square is used; the face should fill
            that as it does in portraits, since nobody looks for it.
        encoder: makes the code.
        codes: M x A, a bank's codes; a code farther out than nearly all of them is moved back, so that a photo of
            something else gives no face in colours that no face has.

    Returns:
        float32 A, on the CPU.

    Raises:
        ValueError: the photo cannot be read, see `dfd.sketch.read_sketch`.
    """
    pixels = read_photo(photo).to(encoder.device, encoder.dtype)
    code = encoder(2 * pixels[None] - 1)[0][0].float().cpu()
    return code if codes is None else UsualAppearances.of(codes).within(code)


def random_appearance(codes: torch.Tensor, seed: int) -> torch.Tensor:
    """float32 A: a copy of the appearance of a random sample of a bank (M x A); the same seed gives the same one.

    Raises:
        ValueError: the seed is no whole number from 0 to 2^63 - 1.
    """
    return codes[random_row(len(codes), seed)].detach().float().cpu().clone()


def random_row(count: int, seed: int) -> int:
    """A whole number from 0 to count - 1; the same seed gives the same one.

    Raises:
        ValueError: the seed is no whole number from 0 to 2^63 - 1.
    """
    if not is_whole(seed, 0, 2**63 - 1):
        raise ValueError(f"a seed is a whole number from 0 to 2^63 - 1, got {seed!r}")
    generator = torch.Generator().manual_seed(int(seed))
    return int(torch.randint(count, (), generator=generator))


def read_photo(photo: ImageLike) -> torch.Tensor:
    """The middle square of a photo: float32 3 x 512 x 512 RGB in [0, 1]; transparency is white.

    Raises:
        ValueError: see `dfd.sketch.read_sketch`.
    """
    values = read_pixels(photo)
    height, width = values.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = values[top : top + side, left : left + side]
    channels, opaque = resized(square, (CANVAS, CANVAS), white_value(values))
    if opaque is not None:
        channels = channels + 1 - opaque
    return torch.from_numpy(channels).clamp(0, 1).expand(3, -1, -1)


@torch.no_grad()
def _lighter_skin(encoder: AppearanceEncoder) -> torch.Tensor:
    """float32 A: how the code changes when the skin in a thumbnail with a light background gets lighter.

    Swatches' scores along it agree with the skin in the faces made with them by r = 0.92 to 0.96 (five examples;
    with a grey background 0.90 to 0.94, with dark hair drawn into the thumbnail 0.94 to 0.95).
    """
    place = (torch.arange(encoder.config.thumbnail) + 0.5) / encoder.config.thumbnail
    (x, y), (across, down) = SKIN
    skin = ((place[None] - x) / across) ** 2 + ((place[:, None] - y) / down) ** 2 < 1
    pictures = [torch.where(skin, shade, 0.4).to(encoder.device, encoder.dtype) for shade in (0.5, -0.1)]
    lighter, darker = (encoder(picture.expand(1, 3, -1, -1))[0][0] for picture in pictures)
    return (lighter - darker).float().cpu()


@dataclass(frozen=True)
class UsualAppearances:
    """How far the appearances of a bank are from their mean.

    Attributes:
        centre, spread: float32 A, their mean and standard deviation.
        farthest: how far out, in units of the spread, all but 1 % of them are at most.
    """

    centre: torch.Tensor
    spread: torch.Tensor
    farthest: float

    @classmethod
    def of(cls, codes: torch.Tensor) -> UsualAppearances:
        """Measures a bank's appearances, M x A."""
        codes = codes.detach().float().cpu()
        centre, spread = codes.mean(0), codes.std(0, correction=0).clamp(min=1e-6)
        return cls(centre, spread, float(((codes - centre) / spread).norm(dim=1).quantile(0.99)))

    def within(self, codes: torch.Tensor) -> torch.Tensor:
        """Codes (float32 ... x A, on the CPU), moved straight towards the mean until they are no farther out."""
        away = codes - self.centre
        distance = (away / self.spread).norm(dim=-1, keepdim=True)
        return self.centre + away * (self.farthest / distance).clamp(max=1)
