"""What an unfinished drawing may become: the other eye as the mirror image of the one drawn, and several completions.

`ComponentManifold.project` completes a drawing from the samples that are nearest in what is drawn. Farther samples
fit nearly as well and lack nothing either: groups of them that differ in the missing components are the alternatives.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F

from dfd.checks import check_whole
from dfd.components import COMPONENTS, Layout
from dfd.manifold import ComponentManifold

EYES = ("left_eye", "right_eye")

#: Samples, nearest in what is drawn, that alternatives are made of; more of them differ more and fit less.
CANDIDATES = 200

MAX_ALTERNATIVES = 16

Codes = dict[str, torch.Tensor]


def with_both_eyes(layout: Layout, sketches: torch.Tensor, drawn: Mapping[str, torch.Tensor]) -> tuple[Codes, Codes]:
    """The components' crops, where a drawing with one eye has the mirror image of that for the other.

    Args:
        layout: where the components lie.
        sketches: N x 1 x 512 x 512, ink in [0, 1].
        drawn: component -> bool N, whether the drawing has it.

    Returns:
        component -> N x 1 x size x size, and component -> bool N with both eyes wherever there was one.
    """
    crops, drawn = layout.crop(sketches), dict(drawn)
    # The whole canvas is mirrored: faces are aligned to its middle, but the eyes' windows are not each other's mirror
    # image (their axis lies 10 px to the left).
    mirrored = layout.crop(sketches.flip(-1))
    left, right = (drawn[name] for name in EYES)
    for name, lacking in zip(EYES, (right & ~left, left & ~right), strict=True):
        choose = lacking.to(sketches.device)[:, None, None, None]
        crops[name] = torch.where(choose, mirrored[name], crops[name])
        drawn[name] = drawn[name] | lacking
    return crops, drawn


def alternatives(
    manifold: ComponentManifold,
    latents: Mapping[str, torch.Tensor],
    drawn: Mapping[str, torch.Tensor],
    subset: str,
    k: int,
    count: int,
) -> tuple[Codes, Codes, tuple[torch.Tensor, torch.Tensor] | None]:
    """Different samples to complete each of N drawings with, as arguments of `ComponentManifold.project`.

    Each alternative is a group of k samples. The first are the k nearest in what is drawn. Each next one is a sample
    out of the `CANDIDATES` nearest with those of them that are most like it in what is missing, chosen so that their
    mean there is as far as can be from what all groups before it give. Groups of all candidates would be the same one:
    at most 1 / count of them have a share in each group after the first, the others of its k samples weigh nothing.

    Args:
        manifold: with at least k samples in the subset.
        latents, drawn, subset, k: see `ComponentManifold.project`.
        count: how many alternatives of each drawing.

    Returns:
        latents and drawn, each row repeated `count` times, and the givers: int64 rows and float32 weights, each
        (N * count) x k. With a count of 1, latents and drawn as they are and None.

    Raises:
        ValueError: a count out of range, a drawing that lacks nothing, or what `project` refuses.
    """
    check_whole("num_alternatives", count, 1, MAX_ALTERNATIVES)
    if count == 1:
        return dict(latents), dict(drawn), None
    manifold.check_neighbors(subset, k)
    codes = {name: manifold.aim(name, latents[name].detach().float().cpu(), subset) for name in COMPONENTS}
    masks = {name: drawn[name].cpu() for name in COMPONENTS}
    complete = torch.stack(list(masks.values())).all(0)
    if complete.any():
        raise ValueError(f"drawing {int(complete.byte().argmax())} lacks nothing: it has no alternatives")
    chosen = []
    for i in range(len(complete)):
        one = ({name: values[i : i + 1] for name, values in part.items()} for part in (codes, masks))
        chosen.append(_different_groups(manifold, *one, subset, k, count))
    rows, weights = (torch.cat(parts) for parts in zip(*chosen, strict=True))
    repeated = ({name: v.repeat_interleave(count, 0) for name, v in part.items()} for part in (latents, drawn))
    return *repeated, (rows, weights)


def _different_groups(manifold, latents, drawn, subset: str, k: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows and weights, count x k each, of the groups for one drawing (tensors of one row)."""
    candidates = min(max(CANDIDATES, k), len(manifold.subset_rows(subset)))
    near = manifold.nearest_in_drawn(latents, drawn, subset, candidates)[0]
    missing = [name for name in COMPONENTS if not drawn[name]]

    def given(rows: torch.Tensor) -> torch.Tensor:
        codes = (manifold.codes.get_buffer(name).float().cpu() for name in missing)
        return torch.cat([c[rows] / manifold.spread(name, subset) for name, c in zip(missing, codes, strict=True)], -1)

    samples = given(near)
    alike = torch.cdist(samples, samples).topk(k, largest=False).indices
    size = min(k, max(1, candidates // count))
    means = torch.zeros(candidates, candidates).scatter_(1, alike[:, :size], 1 / size) @ samples
    groups = [near[:k]]
    weights = [manifold.weights_in_drawn(latents, drawn, subset, groups[0][None])[0]]
    distance = torch.full((candidates,), torch.inf)
    while len(groups) < count:
        distance = distance.minimum((means - weights[-1] @ given(groups[-1])).norm(dim=1))
        groups.append(near[alike[distance.argmax()]])
        shares = manifold.weights_in_drawn(latents, drawn, subset, groups[-1][None, :size])[0]
        weights.append(F.pad(shares, (0, k - size)))
    return torch.stack(groups), torch.stack(weights)
