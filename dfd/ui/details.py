"""What is behind a face: the training drawings nearest to its drawing, how much of that is found in the face, and what
the networks see of each part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import distance_transform_edt

from dfd.components import COMPONENTS
from dfd.inspection import Inspection
from dfd.lines import extract_lines
from dfd.manifold import Projection
from dfd.sketch import sketch_to_pil
from dfd.ui.pad import data_url

#: Side in pixels of a helper's drawing.
THUMBNAIL = 96

#: A drawn line is found again if a line of the face is at most this many pixels away; ink farther than this from
#: paper is the inside of a filled area, and no line. Of a training line drawing 83 % are found in its own photo and
#: 37 % in another person's (medians of 40; at 4 px 76 and 28, at 8 px 86 and 45).
TOLERANCE = 6

#: Every text of the panel; `component`, `percent` and `number` are filled in.
TEXTS = {
    "left_eye": "Left eye",
    "right_eye": "Right eye",
    "nose": "Nose",
    "mouth": "Mouth",
    "remainder": "Face and hair",
    "caption": "The known drawings that come nearest to yours, and how much each of them counts",
    "helper": "{component}, known drawing {number}: {percent} %",
    "agreement": "{percent} % of your lines are found again in the face",
    "codes": "Each part as you drew it, as the networks read it, and on its way to the most plausible one",
    "as_drawn": "{component}, as drawn",
    "refined": "{component}, {percent} % refined",
    "nobody": "Draw something to see which known drawings come nearest to yours.",
}


@torch.no_grad()
def helpers(
    decode_samples: Callable[[str, torch.Tensor], torch.Tensor], projection: Projection, top: int = 4
) -> dict[str, list[tuple[Image.Image, float]]]:
    """The samples that helped one drawing most, as their own drawings.

    Args:
        decode_samples: `DeepFaceDrawingPipeline.decode_samples`, or what stands in for it.
        projection: of one drawing (of several, the first is shown), from `DeepFaceDrawingPipeline.project`.
        top: how many per component; only these are decoded.

    Returns:
        component -> list of (PIL image "L" of 96 x 96, black on white; positive weight in [0, 1]), heaviest
        first; samples without weight are left out. The weights of all neighbours sum to 1, those shown to less.
        Empty without neighbours, as of a pipeline that has no manifold.
    """
    found = {}
    for name in COMPONENTS if projection.neighbors else ():
        near = projection.neighbors[name]
        weights, order = near.positive_weights[0].cpu().topk(min(top, near.indices.shape[1]))
        order, weights = order[weights > 0], weights[weights > 0]
        rows = near.indices[0].cpu()[order]
        sketches = decode_samples(name, rows)
        small = [_thumbnail(sketch) for sketch in sketches]
        found[name] = list(zip(small, weights.tolist(), strict=True))
    return found


def agreement(ink: torch.Tensor, face: Image.Image, tolerance: float = TOLERANCE) -> float:
    """How much of a drawing is found again in its face.

    Args:
        ink: 1 x 512 x 512, in [0, 1].
        face: PIL image of 512 x 512.
        tolerance: in pixels.

    Returns:
        In [0, 1]: the share of the drawn lines' pixels with a line of the face within the tolerance; 0 for an
        empty drawing.

    Raises:
        ValueError: drawing and face differ in size.
    """
    drawn = ink.detach().cpu().numpy()[0] > 0.5
    photo = np.array(face.convert("RGB"))
    if drawn.shape != photo.shape[:2]:
        raise ValueError(f"the drawing has {drawn.shape} pixels and the face {photo.shape[:2]}: they must be alike")
    # The frame is paper, so that a canvas without any has an edge too.
    depth = distance_transform_edt(np.pad(drawn, 1))[1:-1, 1:-1]
    lines = drawn & (depth <= tolerance)
    found = extract_lines(photo)
    if not lines.any() or not found.any():
        return 0.0
    return float((distance_transform_edt(~found)[lines] <= tolerance).mean())


def helpers_html(
    found: Mapping[str, Sequence[tuple[Image.Image, float]]],
    share: float | None = None,
    texts: Mapping[str, str] | None = None,
) -> str:
    """The panel as HTML that needs nothing else: one row per component, pictures as data URLs.

    Args:
        found: from `helpers`; may be empty.
        share: from `agreement`; None leaves the sentence out.
        texts: translations of `TEXTS`; what they lack stays English. Everything is escaped.

    Returns:
        A `<div class="helpers">` with a table: a row header names the component, each cell holds a picture with
        an alternative text and its weight.
    """
    words = {**TEXTS, **(texts or {})}
    parts = [] if share is None else [f"<p>{escape(words['agreement'].format(percent=round(100 * share)))}</p>"]
    if found:
        rows = "".join(_row(words, name, found[name]) for name in COMPONENTS if name in found)
        parts.append(f"<table><caption>{escape(words['caption'])}</caption><tbody>{rows}</tbody></table>")
    else:
        parts.append(f"<p>{escape(words['nobody'])}</p>")
    return f'<div class="helpers">{"".join(parts)}</div>'


def inspection_html(found: Mapping[str, Inspection], texts: Mapping[str, str] | None = None) -> str:
    """What the networks see, as HTML like that of `helpers_html`: one row per component, refinement from left to right.

    Args:
        found: from `DeepFaceDrawingPipeline.inspect`.
        texts: see `helpers_html`.
    """
    words = {**TEXTS, **(texts or {})}
    rows = []
    for name, seen in found.items():
        cells = [_cell(seen.crop, words["as_drawn"].format(component=words[name]), "")]
        for refinement, picture in zip(seen.refinements, seen.refined, strict=True):
            percent = round(100 * refinement)
            cells.append(
                _cell(picture, words["refined"].format(component=words[name], percent=percent), f"{percent} %")
            )
        rows.append(f'<tr><th scope="row">{escape(words[name])}</th>{"".join(cells)}</tr>')
    caption = f"<caption>{escape(words['codes'])}</caption>"
    return f'<div class="helpers"><table>{caption}<tbody>{"".join(rows)}</tbody></table></div>'


def _thumbnail(sketch: torch.Tensor) -> Image.Image:
    return _small(sketch_to_pil(sketch))


def _small(picture: Image.Image) -> Image.Image:
    return picture.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.HAMMING)


def _cell(picture: Image.Image, text: str, figure: str) -> str:
    """A table cell: the picture's text says all; the figure below it is for the eye."""
    source = data_url(_small(picture).quantize(16), optimize=True)  # half the bytes, and no difference at this size
    image = f'<img src="{source}" width="{THUMBNAIL}" height="{THUMBNAIL}" alt="{escape(text)}">'
    return f'<td>{image}<span aria-hidden="true">{figure}</span></td>'


def _row(words: Mapping[str, str], name: str, people: Sequence[tuple[Image.Image, float]]) -> str:
    cells = []
    for number, (picture, weight) in enumerate(people, 1):
        percent = round(100 * weight)
        text = words["helper"].format(component=words[name], number=number, percent=percent)
        cells.append(_cell(picture, text, f"{percent} %"))
    return f'<tr><th scope="row">{escape(words[name])}</th>{"".join(cells)}</tr>'
