"""Stage II: Feature Mapping and Image Synthesis (paper, section 3.4).

Encoders are frozen as in the paper, or learn with the rest (`train_encoders`): what a photo needs to know of a drawing
is more than what gives the drawing back, and faces follow their drawings better (measured, `docs/training.md`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator, DistributedDataParallelKwargs
from diffusers import ModelMixin
from diffusers.training_utils import EMAModel
from PIL import Image
from torch import nn

from dfd.components import CANVAS, COMPONENTS
from dfd.data.faces import FaceFolder
from dfd.data.pairs import Pairs, encode_plain, load_photos, plain_sketches, random_pairs, with_seldom_ones
from dfd.data.styles import freehand
from dfd.manifold import GENDERS, ComponentManifold
from dfd.models import AppearanceEncoder, ComponentAutoencoder, FeatureMapping, ImageSynthesis, presets
from dfd.models.discriminator import MultiScaleDiscriminator, ProjectedDiscriminator
from dfd.models.line_extractor import LineExtractor
from dfd.training.lite0 import CHANNELS, Lite0Features
from dfd.training.losses import ADVERSARIAL, feature_matching, gaussian_divergence, line_distance, perceptual
from dfd.training.meanings import measured_ways, moved_on, told
from dfd.training.run import (
    Run,
    RunOptions,
    chosen_layout,
    learning_rate_factor,
    set_learning_rate,
    total_steps,
    write_layout,
)

#: Loss weights and optimiser settings of the prototype, known to train stably.
LOSS_WEIGHTS = {"l1": 4.0, "preview": 2.0, "perceptual": 1.0, "kl": 0.002, "swapped": 1.0, "lines": 4.0, "codes": 0.3}
ADVERSARIAL_RAMP_STEPS = 200
CLIP_NORM = 5.0

#: Neighbours that span the manifold onto which codes are projected in training.
NEIGHBORS = 10

#: Where encoders are trained too, samples' codes and goals are made anew every so many steps; it takes a minute.
RENEWAL = 500

#: How often faces with beards or glasses and old ones are seen, in times of the others: drawings say it more clearly
#: than most photos' lines do, see `dfd.training.meanings`.
OFTENER = 3

#: The first of the features (strides 2, 4, 8, 16) that tell more of shapes than of colours.
DEEP = 2

#: Side in pixels of the full-size crop that the loss networks see, besides the halved picture.
CROP = 160


@dataclass(kw_only=True)
class Options(RunOptions):
    """Options of stage II."""

    autoencoders: Path
    batch_size: int = 8
    learning_rate: float = 2e-4
    discriminator: str = "projected"
    adversarial_loss: str = "hinge"
    adversarial_weight: float = 0.3
    adversarial_start: float = 0.45
    feature_matching_weight: float = 1.0
    latent_noise: float = 0.05
    projected_share: float = 0.5
    swapped_share: float = 0.25
    train_encoders: bool = False
    lines: Path | None = None
    min_size: int = CANVAS
    ema_decay: float = 0.998
    sample_steps: int = 200


class Generator(nn.Module):
    """The way from a drawing to a photo: all that stage II trains except the discriminator, distributed as one module.

    Args:
        encoders: component -> trained auto-encoder.
        models: `feature_mapping`, `image_synthesis` and, if there is one, `appearance_encoder`.
        train_encoders: whether the photos' losses train the encoders too; frozen as in the paper without.
    """

    def __init__(
        self,
        encoders: Mapping[str, ComponentAutoencoder],
        models: Mapping[str, nn.Module],
        train_encoders: bool = False,
    ):
        super().__init__()
        self.encoders = nn.ModuleDict(encoders).requires_grad_(False)
        for model in encoders.values():
            model.encoder.requires_grad_(train_encoders)
        self.feature_mapping = models["feature_mapping"]
        self.image_synthesis = models["image_synthesis"]
        self.appearance_encoder = models.get("appearance_encoder")

    def train(self, mode: bool = True) -> Generator:
        """As always, but the encoders' BatchNorm keeps its statistics: batches are small here."""
        super().train(mode)
        self.encoders.eval()
        return self

    def encode(self, sketches: torch.Tensor, encoders: nn.ModuleDict | None = None) -> dict[str, torch.Tensor]:
        """Sketches N x 1 x 512 x 512, ink in [0, 1] -> raw codes, component -> N x D, float32; by its own encoders."""
        crops = self.feature_mapping.layout.crop(sketches)
        return {name: model.encode(crops[name]).float() for name, model in (encoders or self.encoders).items()}

    def forward(
        self,
        sketches: torch.Tensor,
        photos: torch.Tensor | None,
        change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]],
    ):
        """`synthesize` from the codes of sketches, after `change`."""
        return self.synthesize(change(self.encode(sketches)), photos)

    def synthesize(self, latents: Mapping[str, torch.Tensor], photos: torch.Tensor | None, sample: bool = True):
        """Raw codes, photos whose appearance to take (None: the mean) -> photo, preview or None, KL divergence."""
        appearance, divergence = None, torch.zeros(())
        if self.appearance_encoder is not None and photos is not None:
            mean, log_variance = (x.float() for x in self.appearance_encoder(photos))
            divergence = gaussian_divergence(mean, log_variance)
            appearance = mean + torch.randn_like(mean) * (0.5 * log_variance).exp() if sample else mean
        photo, preview = self.image_synthesis.with_preview(self.feature_mapping(latents), appearance)
        return photo.float(), None if preview is None else preview.float(), divergence


def other_framing(photos: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """The same people in another framing: half of the batches mirrored, and all cut to 70 to 100 % of the side.

    Appearance is taken from these. Taken from the photo itself it tells where hair ends, which is for the drawing to
    say: whole-drawing F1 then varied by 7.4 % over twenty appearances of a long-haired drawing (measured).
    """
    if rng.random() < 0.5:
        photos = photos.flip(-1)
    side = int(CANVAS * rng.uniform(0.7, 1))
    y, x = rng.integers(0, CANVAS - side + 1, 2)
    return photos[..., y : y + side, x : x + side]


def swap_appearances(photos: torch.Tensor, share: float, rng: np.random.Generator) -> tuple[torch.Tensor, bool]:
    """A share of the batches in another order, so that each face takes its appearance from another; and whether it is.

    In use a drawing's colours are no photo's of that face. Never having met such a pair, the networks take from an
    appearance what is for the drawing to say: where the hair ends, what is behind it.
    """
    swapped = len(photos) > 1 and rng.random() < share
    return photos.roll(1, 0) if swapped else photos, swapped


def views(pictures: torch.Tensor, corner: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """What the loss networks see: pictures halved, and a crop of `CROP` px at full size from `corner` (y, x).

    The whole picture at full size would cost three times as much (counted), and teaches little more.
    """
    y, x = corner
    return F.avg_pool2d(pictures, 2), pictures[..., y : y + CROP, x : x + CROP]


def perceptual_of_views(real: list[list[torch.Tensor]], fake: list[list[torch.Tensor]], first: int = 0) -> torch.Tensor:
    """Mean over the views of the perceptual distance, on the features up to stride 16, from the `first` on."""
    return torch.stack([perceptual(r[first:4], f[first:4]) for r, f in zip(real, fake, strict=True)]).mean()


class ProjectedAdversary(nn.Module):
    """Projected discriminators on the two views, with heads of their own for each."""

    def __init__(self):
        super().__init__()
        self.heads = nn.ModuleList(ProjectedDiscriminator(CHANNELS[1:]) for _ in range(2))

    def forward(self, photos: torch.Tensor, features: list[list[torch.Tensor]], sketches: list[torch.Tensor]):
        """Features (all strides) and sketches of each view; the photos themselves are not looked at."""
        by_view = zip(self.heads, features, sketches, strict=True)
        return [outputs for head, f, s in by_view for outputs in head(f[1:], s)]


class MultiScaleAdversary(MultiScaleDiscriminator):
    """pix2pixHD's discriminators on the whole photo."""

    def forward(self, photos: torch.Tensor, features: list[list[torch.Tensor]], sketches: torch.Tensor):
        """Whole photos and whole sketches; the features are not looked at."""
        return super().forward(photos, sketches)


def build_discriminator(kind: str) -> nn.Module | None:
    """`projected`, `multiscale` or `none`."""
    match kind:
        case "projected":
            return ProjectedAdversary()
        case "multiscale":
            return MultiScaleAdversary()
        case "none":
            return None
    raise ValueError(f"unknown discriminator {kind!r}; accepted are projected, multiscale, none")


class SynthesisTrainer:
    """One training step of stage II and the state that it changes.

    Args:
        encoders: component -> trained auto-encoder; frozen without `options.train_encoders`.
        models: `feature_mapping`, `image_synthesis` and, if there is one, `appearance_encoder`.
        options: weights, rates and choices.
        total_steps: on which the learning rate and the start of the adversarial loss depend.
    """

    def __init__(
        self,
        encoders: Mapping[str, ComponentAutoencoder],
        models: Mapping[str, nn.Module],
        options: Options,
        total_steps: int,
        accelerator: Accelerator | None = None,
    ):
        self.accelerator = accelerator or Accelerator(mixed_precision=options.mixed_precision, cpu=True)
        self.options = options
        self.total_steps = total_steps
        device = self.accelerator.device
        self.features = Lite0Features().to(device, memory_format=torch.channels_last)
        self.line_extractor = None
        if options.lines is not None:
            self.line_extractor = LineExtractor.from_pretrained(options.lines / "line_extractor")
            self.line_extractor.eval().requires_grad_(False).to(device, memory_format=torch.channels_last)
        self.raw_generator = Generator(encoders, models, options.train_encoders)
        self.raw_generator.to(device, memory_format=torch.channels_last)
        self.layout = self.raw_generator.feature_mapping.layout
        self.optimizer = torch.optim.Adam(
            (p for p in self.raw_generator.parameters() if p.requires_grad),
            options.learning_rate,
            betas=(0.5, 0.99),
            fused=True,
        )
        self.ema = EMAModel(self.averaged_tensors(), decay=options.ema_decay)
        self.manifold: ComponentManifold | None = None
        self.ways: dict[str, dict[str, torch.Tensor]] = {}  # on which marks move goals, see `dfd.training.meanings`
        self.state = {"generator": self.raw_generator, "optimizer": self.optimizer, "ema": self.ema}
        self.teachers: nn.ModuleDict | None = None
        if options.train_encoders:
            self.teachers = deepcopy(self.raw_generator.encoders).eval().requires_grad_(False)
            self.state["teachers"] = self.teachers
        self.raw_discriminator = build_discriminator(options.discriminator)
        self.discriminator_loss, self.generator_loss = ADVERSARIAL[options.adversarial_loss]
        if self.raw_discriminator is not None:
            self.raw_discriminator.to(memory_format=torch.channels_last)
            self.discriminator_optimizer = torch.optim.Adam(
                self.raw_discriminator.parameters(), options.learning_rate, betas=(0.5, 0.99), fused=True
            )
            self.state["discriminator"] = self.raw_discriminator
            self.state["discriminator_optimizer"] = self.discriminator_optimizer

    def distribute(self) -> None:
        """Hands the networks to accelerate; call after a resumed state was loaded."""
        prepare = self.accelerator.prepare
        self.generator, self.optimizer = prepare(self.raw_generator, self.optimizer)
        self.ema.to(self.accelerator.device)
        if self.raw_discriminator is not None:
            self.discriminator, self.discriminator_optimizer = prepare(
                self.raw_discriminator, self.discriminator_optimizer
            )

    def averaged_tensors(self) -> list[nn.Parameter]:
        """What the moving average is of: the generator's parameters, and its BatchNorm statistics (preset `paper`).

        The statistics come last, for checkpoints of runs that averaged parameters alone, and as parameters on the same
        memory, because `EMAModel` only copies what needs no gradient.
        """
        statistics = (b for name, b in self.raw_generator.named_buffers() if "running_" in name)
        return [*self.raw_generator.parameters(), *map(nn.Parameter, statistics)]

    @contextmanager
    def averaged(self):
        """The generator with its moving average's weights and statistics, for as long as the block lasts."""
        self.ema.store(self.averaged_tensors())
        self.ema.copy_to(self.averaged_tensors())
        self.raw_generator.eval()
        try:
            yield
        finally:
            self.ema.restore(self.averaged_tensors())

    def set_manifold(self, latents: Mapping[str, torch.Tensor], ids: torch.Tensor) -> None:
        """Sets the codes (component -> M x D) of the training drawings that `refine` projects onto, and their ids."""
        self.manifold = ComponentManifold.from_codes(latents, ids, torch.full((len(ids),), GENDERS["unsure"]))

    def renew_teachers(self) -> None:
        """Sets what drawings are to mean from now on: what their line drawings mean now, moved on the ways.

        The goals are frozen encoders': with the moving ones' own, the codes of left eyes ran away, and were 10^10 times
        as large after 300 steps (measured).
        """
        self.teachers.load_state_dict(self.raw_generator.encoders.state_dict())

    def refine(
        self, latents: dict[str, torch.Tensor], ids: torch.Tensor, rng: np.random.Generator
    ) -> dict[str, torch.Tensor]:
        """Projects a share of the drawings' codes onto the other faces, as refinement does it in use.

        Args:
            latents: component -> N x D.
            ids: int64 N, the samples that the drawings show.
        """
        if self.manifold is None:
            return latents
        chosen = torch.from_numpy(rng.random((len(ids), 1)) < self.options.projected_share)
        refined = {}
        for name, codes in latents.items():
            near = self.manifold.neighbors(name, codes, k=NEIGHBORS, exclude=ids)
            strength = torch.from_numpy(rng.random((len(ids), 1), dtype=np.float32)) * chosen
            refined[name] = codes.lerp(self.manifold.mean(name, near), strength.to(codes.device))
        return refined

    def disturb(
        self, latents: dict[str, torch.Tensor], ids: torch.Tensor, rng: np.random.Generator
    ) -> dict[str, torch.Tensor]:
        """What training does to codes: `refine`, and a little noise."""
        with torch.autocast(self.accelerator.device.type, enabled=False):  # sums of many neighbours: in float32
            latents = self.refine(latents, ids, rng)
        spread = self.raw_generator.feature_mapping.latent_std
        return {
            name: latents[name] + self.options.latent_noise * spread[i] * torch.randn_like(latents[name])
            for i, name in enumerate(COMPONENTS)
        }

    def code_distance(self, codes: Mapping[str, torch.Tensor], pairs: Pairs) -> torch.Tensor:
        """How far drawings are from meaning what their line drawings mean, and what they say on purpose.

        Args:
            codes: component -> N x D, of the drawings of `pairs`.

        Returns:
            mean squared distance from the goals in standard deviations of the samples' codes, mean over components.
        """
        goals = moved_on(self.encode(pairs.lines, self.teachers), pairs.marks, self.ways)
        spread = self.raw_generator.feature_mapping.latent_std
        distances = [((codes[name] - goals[name]) / spread[i]).square().mean() for i, name in enumerate(COMPONENTS)]
        return torch.stack(distances).mean()

    @torch.no_grad()
    def encode(self, sketches: torch.Tensor, encoders: nn.ModuleDict | None = None) -> dict[str, torch.Tensor]:
        """Sketches N x 1 x 512 x 512, ink in [0, 1] -> raw codes, float32; by the generator's encoders or others."""
        with self.accelerator.autocast():
            return self.raw_generator.encode(sketches, encoders)

    def adversarial_weight(self, step: int) -> float:
        """0 until `adversarial_start` of the run, then rising to full weight: the discriminator learns first."""
        since = step - self.options.adversarial_start * self.total_steps
        return self.options.adversarial_weight * min(max(since / ADVERSARIAL_RAMP_STEPS, 0), 1)

    def step(self, step: int, pairs: Pairs, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        """Trains on a batch and returns its losses.

        Args:
            step: number of the step.
            pairs: drawings and photos; where there is a manifold, the drawings' codes are also refined.
            rng: for what is random in the step besides torch's own generator.
        """
        options = self.options
        learning_rate = options.learning_rate * learning_rate_factor(step, self.total_steps)
        set_learning_rate(self.optimizer, learning_rate)
        corner = tuple(int(v) for v in rng.integers(0, CANVAS - CROP + 1, 2))
        self.raw_generator.train()
        sketches, photos, losses = pairs.sketches, pairs.photos, {}

        def change(codes: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
            if options.train_encoders:
                drawn, plain = ({name: both.chunk(2)[i] for name, both in codes.items()} for i in range(2))
                losses["codes"] = self.code_distance(drawn, pairs)
                for name, own in drawn.items():
                    codes[name] = torch.where(told(pairs.marks, name).to(own.device)[:, None], plain[name], own)
            return self.disturb(codes, pairs.ids, rng)

        seen = torch.cat([pairs.drawings, pairs.lines]) if options.train_encoders else sketches
        # Without an appearance encoder nothing would be swapped, and the step only lose its losses of colours.
        share = 0 if self.raw_generator.appearance_encoder is None else options.swapped_share
        with self.accelerator.autocast():
            with torch.no_grad():
                real_features = [self.features(view) for view in views(photos, corner)]
            looks, swapped = swap_appearances(other_framing(photos, rng), share, rng)
            made, preview, losses["kl"] = self.generator(seen, looks, change)
            fake_features = [self.features(view) for view in views(made, corner)]
        if self.line_extractor is not None:  # whatever the colours, lines are where the photo has them
            with self.accelerator.autocast():
                with torch.no_grad():
                    real_lines = self.line_extractor.features(photos)
                losses["lines"] = line_distance(real_lines, self.line_extractor.features(made))
        if swapped:  # the colours are not the photo's: only what is where can be compared
            losses["swapped"] = perceptual_of_views(real_features, fake_features, DEEP)
        else:
            losses["l1"] = F.l1_loss(made, photos)
            losses["perceptual"] = perceptual_of_views(real_features, fake_features)
            if preview is not None:
                losses["preview"] = F.l1_loss(preview, F.avg_pool2d(photos, CANVAS // preview.shape[-1]))
        total = sum(LOSS_WEIGHTS[name] * value for name, value in losses.items())
        if swapped and preview is not None:
            total = total + 0 * preview.sum()  # several processes wait until every parameter has a gradient
        adversarial = self.raw_discriminator is not None and step >= options.adversarial_start * self.total_steps
        if adversarial:
            projected = options.discriminator == "projected"
            conditions = views(sketches, corner) if projected else sketches
            self.raw_discriminator.requires_grad_(False)
            with self.accelerator.autocast():
                outputs = self.raw_discriminator(made, fake_features, conditions)
                losses["generator"] = self.generator_loss(outputs)
                total = total + self.adversarial_weight(step) * losses["generator"]
                if not projected:
                    with torch.no_grad():
                        real_outputs = self.raw_discriminator(photos, real_features, conditions)
                    losses["matching"] = feature_matching(real_outputs, outputs)
                    total = total + options.feature_matching_weight * losses["matching"]
            self.raw_discriminator.requires_grad_(True)
        self.optimizer.zero_grad()
        self.accelerator.backward(total)
        losses["gradient"] = self.accelerator.clip_grad_norm_(self.raw_generator.parameters(), CLIP_NORM)
        self.optimizer.step()
        self.ema.step(self.averaged_tensors())
        if adversarial:
            set_learning_rate(self.discriminator_optimizer, learning_rate)
            with self.accelerator.autocast():
                real = self.discriminator(photos, real_features, conditions)
                fake = self.discriminator(
                    made.detach(), [[f.detach() for f in view] for view in fake_features], conditions
                )
                losses["discriminator"] = self.discriminator_loss(real, fake)
            self.discriminator_optimizer.zero_grad()
            self.accelerator.backward(losses["discriminator"])
            self.discriminator_optimizer.step()
        return {name: value.detach() for name, value in losses.items()}


def train(options: Options) -> Path:
    """Trains FM and IS and writes them (the moving average) to `output/`; resumes if it can.

    Raises:
        TrainingDiverged: a loss is not finite; the last good checkpoint stays.
        ValueError: auto-encoders or data do not fit.
    """
    # Buffers are not broadcast: the discriminator runs twice before its backward pass. BatchNorm's statistics (preset
    # paper) are then each process's own; the main process's moving average of its own is what is saved.
    kwargs = DistributedDataParallelKwargs(broadcast_buffers=False)
    accelerator = Accelerator(
        mixed_precision=options.mixed_precision, cpu=not torch.cuda.is_available(), kwargs_handlers=[kwargs]
    )
    encoders = {
        name: ComponentAutoencoder.from_pretrained(options.autoencoders / f"{name}_autoencoder") for name in COMPONENTS
    }
    faces = FaceFolder(options.data, options.cache)
    indices = faces.to_train_on(options.min_size)
    torch.manual_seed(options.seed)
    models = build_models(options, encoders)
    trainer = SynthesisTrainer(encoders, models, options, total_steps(options, accelerator), accelerator)
    layout = trainer.layout
    run = Run(options, accelerator, trainer.state, optional=("teachers",))
    done = run.resume()
    if "teachers" in run.lacking:
        trainer.renew_teachers()
    ids = torch.from_numpy(faces.sample_ids[indices])

    def encode(sketches: torch.Tensor) -> dict[str, torch.Tensor]:
        return trainer.encode(sketches, trainer.teachers)

    def set_samples() -> dict[str, torch.Tensor]:
        codes = encode_plain(faces, indices, encode, accelerator.device, quiet=not accelerator.is_main_process)
        if len(indices) > NEIGHBORS:
            trainer.set_manifold(codes, ids)
        if options.train_encoders:
            trainer.ways = measured_ways(codes, faces, indices)
        return codes

    codes = set_samples()
    if done == 0:  # of a start from other weights too: the encoders may have gone on since
        models["feature_mapping"].set_statistics(codes)
    trainer.distribute()
    held_out = faces.held_out(options.min_size)
    choice = with_seldom_ones(faces, indices, OFTENER)

    def step(number: int, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        if options.train_encoders and number % RENEWAL == 0 and number > 0:
            trainer.renew_teachers()
            set_samples()
        pairs = random_pairs(faces, choice, layout, rng, options.batch_size)
        return trainer.step(number, pairs.to(accelerator.device), rng)

    def save_models(folder: Path) -> None:
        for name, model in models.items():
            model.save_pretrained(folder / name)
        if options.train_encoders:
            write_layout(layout, folder)
            for name, model in encoders.items():
                model.save_pretrained(folder / f"{name}_autoencoder")

    return run.train(
        done,
        step=step,
        evaluate=lambda: evaluate(trainer, faces, held_out[:32]),
        sample=lambda: sample_grid(trainer, faces, held_out[:8]),
        save_models=save_models,
        averaged=trainer.averaged,
    )


def build_models(options: Options, encoders: Mapping[str, ComponentAutoencoder]) -> dict[str, ModelMixin]:
    """The networks of stage II: new ones of the preset, or those of the pipeline folder `start_from`.

    Raises:
        ValueError: the encoders' codes have another length than these networks take.
    """
    names = ("feature_mapping", "image_synthesis", "appearance_encoder")
    if options.start_from is not None:
        classes = (FeatureMapping, ImageSynthesis, AppearanceEncoder)
        models = {
            name: cls.from_pretrained(options.start_from / name)
            for name, cls in zip(names, classes, strict=True)
            if (options.start_from / name).is_dir()
        }
    else:
        windows = chosen_layout(options).windows
        models = presets.build(options.preset, encoders["nose"].config.latent_dim, windows)
    length = models["feature_mapping"].config.latent_dim
    for name, model in encoders.items():
        if (given := model.config.latent_dim) != length:
            raise ValueError(
                f"the {name}'s auto-encoder in {options.autoencoders} gives codes of {given} numbers, the feature "
                f"mapping takes {length}: choose auto-encoders and --start-from that belong together"
            )
    return {name: models[name] for name in names if name in models}


@torch.no_grad()
def evaluate(trainer: SynthesisTrainer, faces: FaceFolder, indices: np.ndarray) -> dict[str, float]:
    """Perceptual distance and L1 on faces not trained on, from plain line drawings and the photo's appearance."""
    sums = np.zeros(2)
    for part in np.split(indices, range(8, len(indices), 8)):
        photos = load_photos(faces, part).to(trainer.accelerator.device)
        with trainer.accelerator.autocast():
            latents = trainer.encode(plain_sketches(faces, part).to(photos.device))
            made = trainer.raw_generator.synthesize(latents, photos, sample=False)[0]
            corner = ((CANVAS - CROP) // 2, (CANVAS - CROP) // 2)
            distance = perceptual_of_views(*([trainer.features(v) for v in views(x, corner)] for x in (photos, made)))
        sums += len(part) * np.array([float(distance), float(F.l1_loss(made, photos))])
    return {"val_perceptual": sums[0] / len(indices), "val_l1": sums[1] / len(indices)}


@torch.no_grad()
def sample_grid(trainer: SynthesisTrainer, faces: FaceFolder, indices: np.ndarray, side: int = 256) -> Image.Image:
    """Rows: line drawing, its face, freehand drawing, its face, the same fully refined, photo.

    All with the photo's appearance: what differs from the photo is for the drawing and the networks to answer.
    """
    rng = np.random.default_rng(0)
    photos = load_photos(faces, indices).to(trainer.accelerator.device)
    lines = plain_sketches(faces, indices).to(photos.device)
    rough = torch.stack([freehand(faces.strokes(i), trainer.layout, rng) for i in indices]).to(photos.device)
    with trainer.accelerator.autocast():
        codes = [trainer.encode(lines), trainer.encode(rough)]
        if trainer.manifold is not None:
            near = {name: trainer.manifold.neighbors(name, code, k=NEIGHBORS) for name, code in codes[1].items()}
            codes.append({name: trainer.manifold.mean(name, n) for name, n in near.items()})
        made = [trainer.raw_generator.synthesize(c, photos, sample=False)[0] for c in codes]
    paper = [(1 - 2 * s).expand(-1, 3, -1, -1) for s in (lines, rough)]
    rows = [paper[0], made[0], paper[1], *made[1:], photos]
    grid = torch.cat([torch.cat(list(F.interpolate(r, (side, side), mode="area")), 2) for r in rows], 1)
    pixels = ((grid.clamp(-1, 1) + 1) * 127.5).round().byte()
    return Image.fromarray(pixels.permute(1, 2, 0).cpu().numpy())
