"""Faces in code form, blended: along a line or an arc between two, or component by component out of several.

A face in code form is a `dfd.manifold.Projection` of one drawing. What is made here has no neighbours: no sample of
the bank stands for it alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real

import torch

from dfd.components import COMPONENTS
from dfd.manifold import Projection

INTERPOLATIONS = ("linear", "spherical")


def morph_faces(
    a: Projection,
    b: Projection,
    positions: Sequence[float],
    interpolation: str,
    statistics: Mapping[str, tuple[torch.Tensor, torch.Tensor]],
) -> Projection:
    """Faces on the way from one to the other, in every component and in appearance.

    Args:
        a, b: faces in code form, N = 1 each.
        positions: N numbers in [0, 1]; 0 is exactly `a`, 1 exactly `b`.
        interpolation: "linear" or "spherical".
        statistics: of the codes of many faces; component and "appearance" -> (mean, standard deviation), D each.
            Only "spherical" needs them.

    Returns:
        N faces, without neighbours.

    Raises:
        ValueError: no positions or one that is out of range, or an unknown interpolation.
    """
    check_morph(positions, interpolation)
    t = torch.tensor(positions, dtype=torch.float32, device=a.latents["remainder"].device)[:, None]

    def between(name: str, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        if interpolation == "linear":
            return torch.lerp(first, second, t)
        mean, std = (values.to(first) for values in statistics[name])
        return spherical(first, second, t, mean, std)

    latents = {name: between(name, a.latents[name], b.latents[name]) for name in COMPONENTS}
    appearance = None if a.appearance is None else between("appearance", a.appearance, b.appearance)
    return Projection(latents, {}, appearance)


def spherical(
    a: torch.Tensor, b: torch.Tensor, positions: torch.Tensor, mean: torch.Tensor, std: torch.Tensor
) -> torch.Tensor:
    """Codes on the arc around the mean from `a` (at 0) to `b` (at 1), both exact.

    In standardised codes the direction turns evenly, and the distance from the mean goes evenly from that of `a` to
    that of `b`. Halfway on the straight line it would be about 0.7 of theirs, as if each code were that much more
    ordinary. Without a direction between them (parallel, opposite, or at the mean) codes lie on the straight line.

    Args:
        a, b: 1 x D.
        positions: N x 1, in [0, 1].
        mean, std: D, of the codes of many faces.

    Returns:
        N x D.
    """
    first, second = (a - mean) / std, (b - mean) / std
    lengths = first.norm(dim=1, keepdim=True), second.norm(dim=1, keepdim=True)
    product = lengths[0] * lengths[1]
    angle = ((first * second).sum(1, keepdim=True) / product).clamp(-1, 1).acos()
    if product == 0 or angle.sin() < 1e-3:
        return torch.lerp(a, b, positions)
    directions = ((1 - positions) * angle).sin() * first / lengths[0] + (positions * angle).sin() * second / lengths[1]
    codes = mean + std * directions / angle.sin() * torch.lerp(*lengths, positions)
    return torch.where(positions == 0, a, torch.where(positions == 1, b, codes))


def mix_faces(faces: Mapping[str, Projection], appearance_from: str = "remainder") -> Projection:
    """One face out of several: each component's code from its giver.

    Args:
        faces: component -> a face in code form (N = 1). The rest comes from the remainder's giver, or from the
            first face given where the remainder has none.
        appearance_from: the component whose giver also gives colours and light, or "mean": that of all five
            components' givers.

    Returns:
        N = 1, without neighbours.

    Raises:
        ValueError: no face, or an unknown component.
    """
    check_mix(faces, appearance_from)
    rest = faces.get("remainder", next(iter(faces.values())))
    givers = {name: faces.get(name, rest) for name in COMPONENTS}
    if appearance_from == "mean":
        looks = [giver.appearance for giver in givers.values()]
        appearance = None if looks[0] is None else torch.cat(looks).mean(0, keepdim=True)
    else:
        appearance = givers[appearance_from].appearance
    return Projection({name: giver.latents[name] for name, giver in givers.items()}, {}, appearance)


def check_morph(positions: Sequence[float], interpolation: str) -> None:
    """Raises ValueError unless there are positions, all in [0, 1], and the interpolation is known."""
    if interpolation not in INTERPOLATIONS:
        raise ValueError(f"interpolation must be one of {', '.join(INTERPOLATIONS)}, got {interpolation!r}")
    try:
        count = len(positions)
    except TypeError:
        raise ValueError(f"positions must be a list of numbers in [0, 1], got {positions!r}") from None
    if not count:
        raise ValueError("no positions given: a morph needs at least one, from 0 (the first face) to 1 (the second)")
    for position in positions:
        if not isinstance(position, Real) or not 0 <= position <= 1:
            raise ValueError(f"positions must be numbers in [0, 1], got {position!r}")


def check_mix(faces: Mapping[str, object], appearance_from: str) -> None:
    """Raises ValueError unless there is a face, and every component is known."""
    if not faces:
        raise ValueError("no face given: a mix needs one for at least one component")
    for name in faces:
        if name not in COMPONENTS:
            raise ValueError(f"faces can be given for {', '.join(COMPONENTS)}; got {name!r}")
    if appearance_from not in (*COMPONENTS, "mean"):
        raise ValueError(f"appearance_from must be one of {', '.join(COMPONENTS)} or mean, got {appearance_from!r}")
