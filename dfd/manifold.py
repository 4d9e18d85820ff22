"""The manifold of faces: the training drawings' codes, and the projection of a new drawing's codes onto them.

A code f is projected onto the plane through its K nearest training codes n_k (locally linear embedding):
w = argmin |f - sum w_k n_k|^2 with sum w = 1, in closed form; p = sum w_k n_k. Refinement r then gives
(1 - r) f + r p: 0 keeps the drawn code, 1 replaces it by its projection, as in the official program.

Both the encoders' guess at what a rough drawing means and the mean of several samples lie nearer to the average than
faces do, so that faces made of them are too much alike: `emphasis` moves what was drawn out again, see
`ComponentManifold.emphasize`.

Among male or female samples alone, the plane through ten of them still comes so near to f that hardly anything
changed (seen). So there f is first moved to where such faces are: see `ComponentManifold.aim`.

All of it is small beside the networks, so it runs on the CPU in float32 whatever holds the bank; results are
returned on the device of the codes that were asked about.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real

import torch
from diffusers import ModelMixin  # noqa: F401 - diffusers looks for the name in a component's module
from diffusers.configuration_utils import register_to_config
from torch import nn

from dfd.appearance import UsualAppearances, fit_appearance, predict_appearance, random_row
from dfd.checks import is_whole
from dfd.components import COMPONENTS, PARTS
from dfd.models.base import Model
from dfd.regression import ridge

#: The label of a sample in `ComponentManifold.genders`; "unsure" samples belong to the subset "all" only.
GENDERS = {"male": 0, "female": 1, "unsure": 2}

#: Which samples may be neighbours.
SUBSETS = ("male", "female", "all")

#: Refinement of a component for which none is given.
DEFAULT_REFINEMENT = 0.5

#: How far codes are moved for male or female faces, in halves of the way from the mean of one to the mean of the other.
#: The remainder less than the parts: long hair on a man is for the drawing to say (chosen by eye).
AIM = {**dict.fromkeys(PARTS, 2.0), "remainder": 0.8}

#: Strength of the ridge regression that tells male from female codes.
AIM_RIDGE = 1000.0

#: How far from the average, in units of the samples' usual distance, an emphasised part lies at least without and with
#: full refinement: a slider goes from a face with a character of its own to an ordinary one. And the most by which the
#: distance is multiplied (chosen by eye).
FARTHEST_IN, EMPHASIS_LIMIT = (1.1, 0.6), 2.0


@dataclass(frozen=True)
class Neighbors:
    """The K training samples nearest to each of N codes, nearest first.

    Attributes:
        indices: int64 N x K, rows of the bank.
        ids: int64 N x K, the samples' ids.
        weights: float32 N x K, sum to 1; may be negative.
        distances: float32 N x K, Euclidean, from the code to each sample's code.
    """

    indices: torch.Tensor
    ids: torch.Tensor
    weights: torch.Tensor
    distances: torch.Tensor

    @property
    def positive_weights(self) -> torch.Tensor:
        """float32 N x K in [0, 1]: the weights without the negative ones, summing to 1 again."""
        return _positive(self.weights)

    def to(self, device: torch.device | str) -> Neighbors:
        """The same on another device."""
        return Neighbors(*(value.to(device) for value in vars(self).values()))


@dataclass(frozen=True)
class Projection:
    """What `ComponentManifold.project` makes of N drawings.

    Attributes:
        latents: component -> float32 N x D, ready for the feature mapping.
        neighbors: component -> `Neighbors`. Those of a component that was not drawn are the samples that gave
            its code, with distances from that code before it was emphasised.
        appearance: float32 N x A, the likely one of what was drawn, before refinement, so that colours stay while a
            slider moves or alternatives are looked through; None when the bank has no appearance codes.
    """

    latents: dict[str, torch.Tensor]
    neighbors: dict[str, Neighbors]
    appearance: torch.Tensor | None


class ComponentManifold(Model):
    """The bank: codes of every component, sample ids, gender labels and appearance codes of M samples.

    Args:
        num_samples: M.
        latent_dim: D, the length of a code.
        appearance_dim: A, the length of an appearance code; 0 for none.
        data_sha256: `FaceFolder.names_sha256` of the faces whose rows the samples' ids are; None if not known.

    Buffers: `codes.<component>` M x D, `sample_ids` int64 M, `genders` uint8 M (see `GENDERS`), and
    when A > 0 `appearance` M x A, with `appearance_slope` and `appearance_offset`, which tell the likely appearance of
    codes (see `dfd.appearance.fit_appearance`). Made by `from_codes`, or loaded.
    """

    @register_to_config
    def __init__(
        self, num_samples: int, latent_dim: int = 512, appearance_dim: int = 0, data_sha256: str | None = None
    ):
        super().__init__()
        self.codes = nn.Module()
        for component in COMPONENTS:
            self.codes.register_buffer(component, torch.zeros(num_samples, latent_dim))
        self.register_buffer("sample_ids", torch.zeros(num_samples, dtype=torch.int64))
        self.register_buffer("genders", torch.zeros(num_samples, dtype=torch.uint8))
        if appearance_dim:
            self.register_buffer("appearance", torch.zeros(num_samples, appearance_dim))
            self.register_buffer("appearance_slope", torch.zeros(len(COMPONENTS) * latent_dim, appearance_dim))
            self.register_buffer("appearance_offset", torch.zeros(appearance_dim))
        self._indexes: dict[tuple[str, str], _Index] = {}
        self._gender_axes: dict[str, _GenderAxis | None] = {}
        self._usual_appearances: UsualAppearances | None = None
        self.register_load_state_dict_post_hook(_forget_indexes)

    @classmethod
    def from_codes(
        cls,
        codes: Mapping[str, torch.Tensor],
        sample_ids: Sequence[int] | torch.Tensor,
        genders: Sequence[int] | torch.Tensor,
        appearance: torch.Tensor | None = None,
        data_sha256: str | None = None,
    ) -> ComponentManifold:
        """A bank of these codes, copied to float32.

        Args:
            codes: component -> M x D, for all five components.
            sample_ids: M whole numbers.
            genders: M labels, see `GENDERS`.
            appearance: M x A, or None.
            data_sha256: `FaceFolder.names_sha256` of the faces whose rows `sample_ids` are, if it is known.

        Raises:
            ValueError: a component is missing, shapes differ, a value is not finite, a label is unknown, or M
                is 0.
        """
        if set(codes) != set(COMPONENTS):
            raise ValueError(f"codes are needed for {', '.join(COMPONENTS)}; got {', '.join(codes)}")
        ids, labels = torch.as_tensor(sample_ids), torch.as_tensor(genders)
        count = len(ids)
        if count == 0:
            raise ValueError("a bank needs at least one sample")
        if ids.is_floating_point():
            raise ValueError(f"sample_ids must be whole numbers, got {ids.dtype}")
        if len(labels) != count or not set(labels.tolist()) <= set(GENDERS.values()):
            raise ValueError(
                f"genders must be {count} labels out of {GENDERS}, got {len(labels)}: {sorted(set(labels.tolist()))}"
            )
        dim = codes[COMPONENTS[0]].shape[-1]
        given = dict(codes) if appearance is None else {**codes, "appearance": appearance}
        for name, values in given.items():
            if values.ndim != 2 or len(values) != count or (name in codes and values.shape[1] != dim):
                raise ValueError(
                    f"{name} must hold {count} codes{f' of length {dim}' if name in codes else ''}, "
                    f"got shape {tuple(values.shape)}"
                )
            if not torch.isfinite(values).all():
                raise ValueError(f"the codes of {name} are not all finite")
        bank = cls(count, dim, 0 if appearance is None else appearance.shape[1], data_sha256)
        for component in COMPONENTS:
            bank.codes.get_buffer(component).copy_(codes[component])
        bank.sample_ids.copy_(ids)
        bank.genders.copy_(labels)
        if bank.config.appearance_dim:
            bank.appearance.copy_(appearance)
            slope, offset = fit_appearance(codes, appearance)
            bank.appearance_slope.copy_(slope)
            bank.appearance_offset.copy_(offset)
        return bank

    def subset_rows(self, subset: str = "all") -> torch.Tensor:
        """int64: rows of the bank that belong to a subset, "male", "female" or "all"."""
        if subset not in SUBSETS:
            raise ValueError(f"manifold must be one of {', '.join(SUBSETS)}, got {subset!r}")
        if subset == "all":
            return torch.arange(self.config.num_samples)
        return torch.nonzero(self.genders.cpu() == GENDERS[subset]).flatten()

    def neighbors(
        self,
        component: str,
        latents: torch.Tensor,
        subset: str = "all",
        k: int = 10,
        exclude: torch.Tensor | None = None,
    ) -> Neighbors:
        """The `k` nearest samples of a subset and their locally linear weights; exact.

        Args:
            component: one of `COMPONENTS`.
            latents: N x D.
            subset: "male", "female" or "all".
            k: how many, from 1 to the size of the subset (one less with `exclude`).
            exclude: int64 N, the id of a sample that may not be found for each code: a training face would
                otherwise be its own neighbour.

        Raises:
            ValueError: an unknown component or subset, a `k` out of range, or codes of another length.
        """
        device, latents = latents.device, self._on_cpu(component, latents)
        asked = k + (exclude is not None)
        self.check_neighbors(subset, asked)
        index = self._index(component, subset)
        found = distances(latents, index.codes).topk(asked, largest=False).indices
        if exclude is not None:
            own = self.sample_ids.cpu()[index.rows[found]] == exclude.cpu()[:, None]
            found = found.gather(1, own.byte().argsort(dim=1, stable=True)[:, :k])  # one's own goes last, and off
        weights = locally_linear_weights(latents, index.codes[found])
        return self._neighbors(component, latents, index.rows[found], weights).to(device)

    def aim(self, component: str, latents: torch.Tensor, subset: str) -> torch.Tensor:
        """Codes moved towards the male or the female ones; for "all", and in a bank of one gender, as they are.

        A code is moved along the line from the mean of the one to the mean of the other, the farther the less it looks
        like what is asked for, as far as `AIM` says. Each component is moved by its own looks alone, so that a stroke
        in one changes no other.

        Args:
            component: one of `COMPONENTS`.
            latents: float32 N x D.
            subset: "male", "female" or "all".
        """
        axis = None if subset == "all" else self._gender_axis(component)
        if axis is None:
            return latents
        half = axis.half.to(latents)
        guess = (latents @ axis.slope.to(latents) + axis.offset).clamp(-1, 1)
        goal = 1 if subset == "male" else -1
        return latents + AIM[component] * (goal - guess)[:, None] * half

    def emphasize(self, component: str, latents: torch.Tensor, refinement: float, emphasis: float) -> torch.Tensor:
        """Codes moved away from the average so that a part is as distinct as those of faces are.

        Codes that are so already, such as those of careful line drawings, hardly move. The remainder never does:
        moved out, hair gets harder contrast, and nobody another shape (seen).

        Args:
            component: one of `COMPONENTS`.
            latents: float32 N x D, on the CPU.
            refinement: that they were made with, in [0, 1]: the more of it, the nearer to the average they may stay.
            emphasis: how much of the way they are moved: 0 not at all, 1 all of it (`FARTHEST_IN`).
        """
        if component not in PARTS or not emphasis:
            return latents
        index = self._index(component, "all")
        away = latents - index.centre
        distance = away.norm(dim=1, keepdim=True).clamp(min=1e-6) / index.spread
        begin, end = FARTHEST_IN
        wanted = begin + (end - begin) * refinement**2
        return index.centre + away * (wanted / distance).clamp(1, EMPHASIS_LIMIT) ** emphasis

    def varied(self, appearance: torch.Tensor, seed: int) -> torch.Tensor:
        """Appearances (float32 N x A) as they may be where a likely one is only a guess; the same for the same seed.

        What sets a random sample apart from the appearance that its codes make likely is added: so drawings get the
        variety of colours that people have, and still those that fit what was drawn.

        Raises:
            ValueError: the seed is no whole number from 0 to 2^63 - 1.
        """
        row = random_row(len(self.appearance), seed)
        codes = {name: self.codes.get_buffer(name)[row][None].float().cpu() for name in COMPONENTS}
        likely = predict_appearance(codes, self.appearance_slope, self.appearance_offset)
        if self._usual_appearances is None:
            self._usual_appearances = UsualAppearances.of(self.appearance)
        moved = appearance.float().cpu() + self.appearance[row].float().cpu() - likely
        return self._usual_appearances.within(moved).to(appearance.device)

    def project(
        self,
        latents: Mapping[str, torch.Tensor],
        drawn: Mapping[str, torch.Tensor] | None = None,
        subset: str = "all",
        refinement: float | Mapping[str, float] = DEFAULT_REFINEMENT,
        k: int = 10,
        givers: tuple[torch.Tensor, torch.Tensor] | None = None,
        find_neighbors: Callable[[str, torch.Tensor, str, int], Neighbors] | None = None,
        emphasis: float = 0,
    ) -> Projection:
        """Projects the codes of N drawings, and finds codes for what they lack.

        What is projected is the code aimed at the subset, see `aim`. A component that was not drawn takes its code,
        whatever the refinement, from the samples that are nearest in all drawn components together; the same weighted
        samples serve everything that a drawing lacks, so that a half-finished face is still one person. Last, all are
        emphasised.

        Args:
            latents: component -> N x D, for all five; rows of components that were not drawn are not used.
            drawn: component -> bool N, whether the drawing has it; None for everything.
            subset: "male", "female" or "all".
            refinement: see `refinement_by_component`.
            k: how many neighbours, from 1 to the size of the subset.
            givers: the samples that give each drawing what it lacks, as int64 N x k rows of the bank and their
                float32 N x k weights; None for the nearest ones.
            find_neighbors: stands in for `neighbors`, such as one that remembers what it found.
            emphasis: see `emphasize`; 0 as in the paper.

        Raises:
            ValueError: an argument is out of range, or a drawing has no component at all.
        """
        strength = refinement_by_component(refinement)
        self.check_neighbors(subset, k)
        device = next(iter(latents.values())).device
        latents = {name: self._on_cpu(name, latents[name]) for name in COMPONENTS}
        count = len(latents[COMPONENTS[0]])
        if drawn is None:
            drawn = dict.fromkeys(COMPONENTS, torch.ones(count, dtype=torch.bool))
        drawn = {name: drawn[name].cpu() for name in COMPONENTS}
        having = torch.stack(list(drawn.values())).sum(0)
        if not having.all():
            raise ValueError(f"drawing {int(having.argmin())} has no component drawn: there is nothing to go by")

        aimed = {name: self.aim(name, latents[name], subset) for name in COMPONENTS}
        if int(having.min()) < len(COMPONENTS):
            rows = givers[0].cpu() if givers else self.nearest_in_drawn(aimed, drawn, subset, k)
            shares = givers[1].cpu() if givers else self.weights_in_drawn(aimed, drawn, subset, rows)
        result, neighbors, drawn_codes = {}, {}, {}
        for name in COMPONENTS:
            near = (find_neighbors or self.neighbors)(name, aimed[name], subset, k)
            code = torch.lerp(latents[name], self._mean(name, near.indices, near.weights), strength[name])
            missing = ~drawn[name][:, None]
            if missing.any():
                found = torch.where(missing, self._mean(name, rows, shares), aimed[name])
                code = torch.where(missing, found, code)
                indices = torch.where(missing, rows, near.indices)
                near = self._neighbors(name, found, indices, torch.where(missing, shares, near.weights))
            drawn_codes[name] = torch.where(missing, self._index(name, "all").centre, latents[name])
            result[name] = self.emphasize(name, code, strength[name], emphasis).to(device)
            neighbors[name] = near.to(device)
        appearance = None
        if self.config.appearance_dim:
            appearance = predict_appearance(drawn_codes, self.appearance_slope, self.appearance_offset).to(device)
        return Projection(result, neighbors, appearance)

    def nearest_in_drawn(
        self, latents: Mapping[str, torch.Tensor], drawn: Mapping[str, torch.Tensor], subset: str, k: int
    ) -> torch.Tensor:
        """Rows, int64 N x k, of the samples nearest in the drawn components together, nearest first.

        Distances count in units of each component's own spread, so that no component outvotes the others.
        Arguments on the CPU, as of `project`.
        """
        votes = 0
        for name in COMPONENTS:
            index = self._index(name, subset)
            # A component that is not drawn has no say.
            scale = drawn[name].float()[:, None] / index.spread
            votes = votes + (distances(latents[name], index.codes) * scale).square()
        return index.rows[votes.topk(k, largest=False).indices]

    def weights_in_drawn(
        self,
        latents: Mapping[str, torch.Tensor],
        drawn: Mapping[str, torch.Tensor],
        subset: str,
        rows: torch.Tensor,
    ) -> torch.Tensor:
        """Positive weights, float32 N x k, of samples that together come near to what is drawn; they sum to 1."""
        drawing, samples = [], []
        for name in COMPONENTS:
            scale = drawn[name].float()[:, None] / self.spread(name, subset)
            drawing.append(latents[name] * scale)
            samples.append(self._index(name, "all").codes[rows] * scale[:, None])
        return _positive(locally_linear_weights(torch.cat(drawing, dim=-1), torch.cat(samples, dim=-1)))

    def spread(self, component: str, subset: str = "all") -> float:
        """Root mean square distance of a subset's codes from their mean; 1 if they are all the same."""
        return self._index(component, subset).spread

    def _index(self, component: str, subset: str) -> _Index:
        """What is searched of one component and subset, put together when first asked for."""
        key = (component, subset)
        if key not in self._indexes:
            rows = self.subset_rows(subset)
            codes = self.codes.get_buffer(component).float().cpu()
            codes = codes if subset == "all" else codes[rows]
            spread = float(codes.var(0, correction=0).sum().sqrt()) or 1.0
            self._indexes[key] = _Index(rows, codes, codes.mean(0), spread)
        return self._indexes[key]

    def _gender_axis(self, component: str) -> _GenderAxis | None:
        """What tells male from female codes of a component, put together when first asked for; None if nothing can."""
        if component not in self._gender_axes:
            groups = [self._index(component, name).codes for name in ("male", "female")]
            self._gender_axes[component] = _GenderAxis.between(*groups) if all(map(len, groups)) else None
        return self._gender_axes[component]

    def mean(self, component: str, near: Neighbors) -> torch.Tensor:
        """float32 N x D: the neighbours' weighted sum, which is the projection of the code that they are nearest to."""
        return self._mean(component, near.indices.cpu(), near.weights.cpu()).to(near.weights.device)

    def _mean(self, component: str, indices: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """float32 N x D: weighted sum of the samples' codes."""
        codes = self._index(component, "all").codes[indices]
        return torch.einsum("nk,nkd->nd", weights, codes)

    def _neighbors(self, component, latents, indices, weights) -> Neighbors:
        distance = (self._index(component, "all").codes[indices] - latents[:, None]).norm(dim=-1)
        return Neighbors(indices, self.sample_ids.cpu()[indices], weights, distance)

    def _on_cpu(self, component: str, latents: torch.Tensor) -> torch.Tensor:
        if component not in COMPONENTS:
            raise ValueError(f"component must be one of {', '.join(COMPONENTS)}, got {component!r}")
        if latents.ndim != 2 or latents.shape[1] != self.config.latent_dim:
            raise ValueError(
                f"codes of {component} must be N x {self.config.latent_dim}, got shape {tuple(latents.shape)}"
            )
        return latents.detach().float().cpu()

    def check_neighbors(self, subset: str, k: int) -> None:
        """Raises ValueError unless `subset` is known and `k` is a whole number from 1 to its size."""
        size = len(self.subset_rows(subset))
        if not is_whole(k, 1, size):
            raise ValueError(
                f"the number of neighbours must be a whole number from 1 to {size}, the number of samples in "
                f"{subset!r}; got {k!r}"
            )

    def _apply(self, *args, **kwargs):
        _forget_indexes(self)  # the codes may change precision
        return super()._apply(*args, **kwargs)


@dataclass(frozen=True)
class _Index:
    rows: torch.Tensor  # int64 M', rows of the bank
    codes: torch.Tensor  # float32 M' x D
    centre: torch.Tensor  # float32 D, the codes' mean
    spread: float  # root mean square distance of the codes from their mean


@dataclass(frozen=True)
class _GenderAxis:
    half: torch.Tensor  # float32 D, half of the way from the mean female code to the mean male one
    slope: torch.Tensor  # float32 D, with the offset: codes -> about 1 for male ones, -1 for female ones
    offset: float

    @classmethod
    def between(cls, male: torch.Tensor, female: torch.Tensor) -> _GenderAxis:
        """Ridge regression of codes (M x D each) on 1 and -1, scaled so that the means of both give just that."""
        middle, half = (male.mean(0) + female.mean(0)) / 2, (male.mean(0) - female.mean(0)) / 2
        labels = torch.cat([torch.ones(len(male), 1), -torch.ones(len(female), 1)])
        slope = ridge(torch.cat([male, female]), labels, AIM_RIDGE)[0][:, 0]
        slope = slope / (slope @ half).clamp(min=1e-6)
        return cls(half, slope, -float(slope @ middle))


def _forget_indexes(manifold: ComponentManifold, _incompatible=None) -> None:
    manifold._indexes.clear()
    manifold._gender_axes.clear()
    manifold._usual_appearances = None


def _positive(weights: torch.Tensor) -> torch.Tensor:
    weights = weights.clamp(min=0)  # they summed to 1, so some are above 0
    return weights / weights.sum(-1, keepdim=True)


def distances(latents: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    """N x D and M x D  ->  Euclidean distances N x M, in full precision: by way of scalar products they lose digits."""
    return torch.cdist(latents, codes, compute_mode="donot_use_mm_for_euclid_dist")


def locally_linear_weights(latents: torch.Tensor, neighbors: torch.Tensor, ridge: float = 1e-3) -> torch.Tensor:
    """Weights that sum to 1 and bring the weighted neighbours closest to each code, in closed form.

    Solves (G + ridge * trace(G) / K) w = 1 for the local Gram matrix G_ij = (n_i - f) . (n_j - f), then
    divides by the sum. The ridge makes the solution unique when neighbours coincide or outnumber the
    dimensions, and prefers even weights.

    Args:
        latents: N x D.
        neighbors: N x K x D.
        ridge: as a fraction of the Gram matrix's mean diagonal, trace(G) / K.

    Returns:
        float32 N x K; may be negative.
    """
    offsets = neighbors.double() - latents.double()[:, None]
    gram = offsets @ offsets.mT
    diagonal = gram.diagonal(dim1=-2, dim2=-1)
    # Where all neighbours equal the code, any weights do: the floor makes them even.
    diagonal += (ridge * diagonal.mean(-1, keepdim=True)).clamp(min=1e-30)
    weights = torch.linalg.solve(gram, torch.ones_like(gram[..., 0]))
    return (weights / weights.sum(-1, keepdim=True)).float()


def refinement_by_component(refinement: float | Mapping[str, float]) -> dict[str, float]:
    """Refinement of each component, from one number for all or a dict by component.

    Args:
        refinement: in [0, 1]; 0 keeps the drawn code, 1 replaces it by its projection. Components that a dict
            leaves out take `DEFAULT_REFINEMENT`.

    Raises:
        ValueError: a value outside [0, 1] or not a number, or an unknown component.
    """
    given = refinement if isinstance(refinement, Mapping) else dict.fromkeys(COMPONENTS, refinement)
    for name, value in given.items():
        if name not in COMPONENTS:
            raise ValueError(f"refinement can be given for {', '.join(COMPONENTS)}; got {name!r}")
        if not isinstance(value, Real) or not 0 <= value <= 1:
            raise ValueError(f"refinement must be a number in [0, 1], got {value!r} for {name}")
    return {name: float(given.get(name, DEFAULT_REFINEMENT)) for name in COMPONENTS}
