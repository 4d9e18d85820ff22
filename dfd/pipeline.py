"""A drawing becomes a photo: `encode`, `project`, `synthesize`, `shadow`, and the call that is these four.
Several drawings become faces between them: `morph` and `mix`.

Each step takes what the one before returned, so that an interactive program encodes a drawing once and then
moves its sliders through the cheaper steps.
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import DiffusionPipeline, ModelMixin
from diffusers.utils import BaseOutput
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from PIL import Image

from dfd.appearance import appearance_of, palette, random_appearance, read_photo
from dfd.checks import check_emphasis, check_whole, is_whole
from dfd.completion import alternatives, with_both_eyes
from dfd.components import CANVAS, COMPONENTS, Layout
from dfd.inspection import Inspection, inspect
from dfd.interpolation import check_mix, check_morph, mix_faces, morph_faces
from dfd.lines import trace_photo
from dfd.manifold import (
    DEFAULT_REFINEMENT,
    SUBSETS,
    ComponentManifold,
    Neighbors,
    Projection,
    refinement_by_component,
)
from dfd.models import AppearanceEncoder, ComponentAutoencoder, FeatureMapping, ImageSynthesis, LineExtractor
from dfd.sketch import ImageLike, read_sketch, sketch_to_pil

OUTPUT_TYPES = ("pil", "np", "pt")

#: Folder of a pipeline's component -> its class.
COMPONENT_CLASSES = {
    **{f"{name}_autoencoder": ComponentAutoencoder for name in COMPONENTS},
    "feature_mapping": FeatureMapping,
    "image_synthesis": ImageSynthesis,
    "manifold": ComponentManifold,
    "appearance_encoder": AppearanceEncoder,
    "line_extractor": LineExtractor,
}

#: What says where in the Hub a pipeline is, and how to get it.
HUB_OPTIONS = ("cache_dir", "force_download", "local_files_only", "proxies", "revision", "token")

#: Of diffusers' own options, those that a component's `from_pretrained` takes, and one that changes nothing here.
LOAD_OPTIONS = (
    "device_map",
    "disable_mmap",
    "low_cpu_mem_usage",
    "max_memory",
    "offload_folder",
    "offload_state_dict",
    "quantization_config",
    "trust_remote_code",
    "use_safetensors",
    "variant",
)

#: How distinct eyes, nose and mouth are made, see `dfd.manifold.ComponentManifold.emphasize`; 0 as in the paper.
DEFAULT_EMPHASIS = 1.0

#: A component counts as drawn from this much ink on (in pixels, summed): a speck is no eye.
MIN_INK = 8.0

#: Part of a window's side that is left out all around when its ink is counted, since windows overlap. Of 400
#: line drawings reduced to their eyes, their nose or their mouth, all had ink in a neighbour's window; in the
#: middle of one only a quarter of the mouths had (an upper lip, in the nose's); full faces had it in all four
#: (measured).
WINDOW_MARGIN = 0.3


@dataclass(frozen=True)
class Encoding:
    """What `encode` makes of N drawings.

    Attributes:
        sketches: float32 N x 1 x 512 x 512, ink in [0, 1].
        latents: component -> float32 N x D, the raw codes.
        drawn: component -> bool N, whether the drawing has that component; of a single eye it has both, since the
            other is its mirror image.
    """

    sketches: torch.Tensor
    latents: dict[str, torch.Tensor]
    drawn: dict[str, torch.Tensor]


@dataclass
class DeepFaceDrawingPipelineOutput(BaseOutput):
    """Output of `DeepFaceDrawingPipeline` for N drawings.

    Attributes:
        images: list of N PIL images (RGB, 512 x 512), or in [0, 1] float32 numpy N x 512 x 512 x 3 or float32
            tensor N x 3 x 512 x 512.
        sketches: float32 tensor N x 1 x 512 x 512, ink in [0, 1]: the drawings as they were read. None for faces
            between drawings, from `morph` and `mix`.
        latents: component -> float32 tensor N x D, the codes that made the images.
        shadow: on request; list of N PIL images (L, black on white), or ink in [0, 1] as float32 numpy
            N x 512 x 512 x 1 or tensor N x 1 x 512 x 512.
        neighbors: on request; component -> `Neighbors` (ids, weights, distances of the samples used).
    """

    images: list[Image.Image] | np.ndarray | torch.Tensor
    sketches: torch.Tensor | None
    latents: dict[str, torch.Tensor]
    shadow: list[Image.Image] | np.ndarray | torch.Tensor | None = None
    neighbors: dict[str, Neighbors] | None = None


class DeepFaceDrawingPipeline(DiffusionPipeline):
    """Face photos from rough sketches.

    Models are put into evaluation mode; nothing is random, so that the same call gives the same picture.

    Args:
        left_eye_autoencoder: `dfd.models.ComponentAutoencoder`, as are the next four.
        right_eye_autoencoder, nose_autoencoder, mouth_autoencoder, remainder_autoencoder: the others.
        feature_mapping: `dfd.models.FeatureMapping`; its layout is the pipeline's.
        image_synthesis: `dfd.models.ImageSynthesis`.
        manifold: `dfd.manifold.ComponentManifold`, or None: then only complete drawings can be synthesised,
            without refinement, shadow and neighbours.
        appearance_encoder: `dfd.models.AppearanceEncoder`, or None; no step needs it, it makes an
            `appearance` from a photo.
        line_extractor: `dfd.models.LineExtractor`, or None; it draws the lines of a photo. Without it `extract_lines`
            uses a classical filter.

    Raises:
        ValueError: a component that is not optional is None, or lengths of codes differ between them.

    Example:

        >>> import dfd
        >>> pipe = dfd.DeepFaceDrawingPipeline.from_pretrained("checkpoints")
        >>> pipe("drawing.png", manifold="female", refinement=0.7).images[0].save("photo.png")
    """

    _optional_components = ["manifold", "appearance_encoder", "line_extractor"]  # noqa: RUF012 - diffusers reads a plain list

    def __init__(
        self,
        left_eye_autoencoder: ModelMixin,
        right_eye_autoencoder: ModelMixin,
        nose_autoencoder: ModelMixin,
        mouth_autoencoder: ModelMixin,
        remainder_autoencoder: ModelMixin,
        feature_mapping: ModelMixin,
        image_synthesis: ModelMixin,
        manifold: ModelMixin | None = None,
        appearance_encoder: ModelMixin | None = None,
        line_extractor: ModelMixin | None = None,
    ):
        super().__init__()
        self.register_modules(
            left_eye_autoencoder=left_eye_autoencoder,
            right_eye_autoencoder=right_eye_autoencoder,
            nose_autoencoder=nose_autoencoder,
            mouth_autoencoder=mouth_autoencoder,
            remainder_autoencoder=remainder_autoencoder,
            feature_mapping=feature_mapping,
            image_synthesis=image_synthesis,
            manifold=manifold,
            appearance_encoder=appearance_encoder,
            line_extractor=line_extractor,
        )
        models = {name: model for name, model in self.components.items() if model is not None}
        for name in COMPONENT_CLASSES:
            if name not in models and name not in self._optional_components:
                raise ValueError(f"{name} is needed: only {', '.join(self._optional_components)} may be None")
        for model in models.values():
            model.eval()
        # With the channels last, layers between convolutions need not turn the maps around: on two cores a face takes
        # 0.74 of the time, a shadow 0.62 (measured in float32). Encoders gain nothing (0.97), and stay as they are: a
        # code is to the last bit what its auto-encoder alone gives.
        for network in (feature_mapping, image_synthesis, *(a.decoder for a in self.autoencoders.values())):
            network.to(memory_format=torch.channels_last)
        for key in ("latent_dim", "appearance_dim"):
            dims = {name: model.config[key] for name, model in models.items() if model.config.get(key)}
            if len(set(dims.values())) > 1:
                raise ValueError(f"components with different {key} do not belong together: {dims}")
        self._palette = None

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path, **kwargs) -> DeepFaceDrawingPipeline:
        """Loads a pipeline from a folder or from a Hub repository.

        Every component is loaded by the class of this package that belongs to its name, so that nothing in the
        folder is executed, also when it carries code for those who have not installed this package. diffusers' own
        would need that code, or refuse.

        Args:
            pretrained_model_name_or_path: folder, or repository such as "user/repo".
            **kwargs: diffusers' own, such as `dtype` (one, or a dict by component, of torch.float32, the default,
                float16 and bfloat16), `variant`, `revision`, `token`, `cache_dir`, `local_files_only`, or a
                component by its name, ready made (None for an optional one to do without).

        Raises:
            OSError: it is not there, or a file is missing; the message names it.
            ValueError: it is another pipeline, or a file does not fit; the message names it. Or an unknown argument,
                a dtype that is no floating one of torch, or None for a component that is not optional.
        """
        hub = {key: kwargs.pop(key) for key in HUB_OPTIONS if key in kwargs}
        given = {name: kwargs.pop(name) for name in COMPONENT_CLASSES if name in kwargs}
        precision = kwargs.pop("dtype", None) or kwargs.pop("torch_dtype", None)
        if isinstance(precision, Mapping):
            _check_names("dtype", precision, ("default", *COMPONENT_CLASSES))
        _check_names("from_pretrained", kwargs, LOAD_OPTIONS, ("dtype", *HUB_OPTIONS, *COMPONENT_CLASSES))
        folder = Path(pretrained_model_name_or_path)
        if not folder.is_dir():
            folder = Path(cls.download(str(pretrained_model_name_or_path), variant=kwargs.get("variant"), **hub))
        index = cls._read_index(folder)
        models = {}
        for name, model_class in COMPONENT_CLASSES.items():
            found = index.get(name, (None, None))[1]
            if name in given or (found is None and name in cls._optional_components):
                models[name] = given.get(name)
                continue
            if found != model_class.__name__:
                raise ValueError(f"{folder}: {name} should be a {model_class.__name__}, model_index.json says {found}")
            dtype = precision
            if isinstance(precision, Mapping):
                dtype = precision.get(name, precision.get("default"))
            models[name] = model_class.from_pretrained(folder, subfolder=name, dtype=dtype, **kwargs)
        pipeline = cls(**models)
        pipeline.register_to_config(_name_or_path=str(pretrained_model_name_or_path))
        return pipeline

    @classmethod
    def download(cls, pretrained_model_name: str, variant: str | None = None, **kwargs) -> str:
        """Gets a Hub repository's models into the cache: configs and safetensors, no code, no pickles.

        diffusers' own refuses components of classes outside diffusers.

        Args:
            pretrained_model_name: repository, such as "user/repo".
            variant: of the weights' files, such as "fp16".
            **kwargs: `revision`, `token`, `cache_dir`, `force_download`, `local_files_only`, `proxies`.

        Returns:
            The folder in the cache.

        Raises:
            OSError: there is no such repository or revision, or no way to reach it and nothing in the cache.
        """
        stem = f"diffusion_pytorch_model.{variant}" if variant else "diffusion_pytorch_model"
        patterns = [f"*/{stem}.safetensors", f"*/{stem}-*.safetensors", "*/*.json", cls.config_name]
        options = {key: kwargs[key] for key in HUB_OPTIONS if kwargs.get(key) is not None}
        try:
            return snapshot_download(pretrained_model_name, allow_patterns=patterns, **options)
        except HFValidationError:
            raise OSError(f"{pretrained_model_name!r} is neither a folder nor the name of a Hub repository") from None
        except Exception as error:  # the Hub's client lets the errors of its HTTP library through
            message = f"{pretrained_model_name!r} is no folder, and cannot be had from the Hub: {error}"
            if not isinstance(error, HfHubHTTPError):  # the Hub did not refuse: the way to it is broken
                message += ". Check the connection and start again: files that have arrived are not fetched twice"
            raise OSError(message) from error

    @classmethod
    def _read_index(cls, folder: Path) -> dict[str, list]:
        path = folder / cls.config_name
        if not path.is_file():
            raise OSError(f"{folder} is no pipeline folder: it has no {cls.config_name}")
        try:
            index = cls.load_config(folder)
            kind = index.get("_class_name")
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise ValueError(f"{path} cannot be read: {error}") from error
        if isinstance(kind, list):  # a repository may name a file of code before the class
            kind = kind[-1] if kind else None
        if kind != cls.__name__:
            raise ValueError(f"{path} describes a {kind}, not a {cls.__name__}")
        return {name: entry for name, entry in index.items() if isinstance(entry, list) and len(entry) == 2}

    @property
    def autoencoders(self) -> dict[str, ModelMixin]:
        """Component -> its auto-encoder."""
        return {name: getattr(self, f"{name}_autoencoder") for name in COMPONENTS}

    @property
    def layout(self) -> Layout:
        """Where the components lie on the canvas."""
        return self.feature_mapping.layout

    @torch.no_grad()
    def encode(
        self,
        sketch: ImageLike | Sequence[ImageLike],
        encode_component: Callable[[str, torch.Tensor], torch.Tensor] | None = None,
    ) -> Encoding:
        """Reads drawings and encodes their components.

        Args:
            sketch: anything that `dfd.sketch.read_sketch` takes, or a list of such.
            encode_component: stands in for the method of that name, such as one that remembers its codes.

        Raises:
            ValueError: an image that cannot be read, an empty list, or a drawing without ink.
        """
        images = list(sketch) if isinstance(sketch, list | tuple) else [sketch]
        if not images:
            raise ValueError("no drawing given: the list is empty")
        sketches = torch.stack([read_sketch(image) for image in images])
        drawn = drawn_components(self.layout, sketches)
        blank = ~torch.stack(list(drawn.values())).any(0)
        if blank.any():
            which = f"drawing {int(blank.nonzero()[0])}" if len(sketches) > 1 else "the drawing"
            raise ValueError(f"{which} is empty: draw something first")
        device = self.device  # asked for once: diffusers looks through all modules to answer
        sketches = sketches.to(device)
        crops, drawn = with_both_eyes(self.layout, sketches, drawn)
        encode_component = encode_component or self.encode_component
        latents = {name: encode_component(name, crop) for name, crop in crops.items()}
        return Encoding(sketches, latents, {name: mask.to(device) for name, mask in drawn.items()})

    @torch.no_grad()
    def encode_component(self, component: str, crops: torch.Tensor) -> torch.Tensor:
        """Crops of one component's window, N x 1 x size x size, ink in [0, 1]  ->  raw codes, float32 N x D."""
        autoencoder = self.autoencoders[component]
        return autoencoder.encode(crops.to(autoencoder.dtype)).float()

    @torch.no_grad()
    def project(
        self,
        encoding: Encoding,
        manifold: str = "all",
        refinement: float | Mapping[str, float] = DEFAULT_REFINEMENT,
        num_neighbors: int = 10,
        num_alternatives: int = 1,
        find_neighbors: Callable[[str, torch.Tensor, str, int], Neighbors] | None = None,
        emphasis: float = DEFAULT_EMPHASIS,
    ) -> Projection:
        """Refines the codes of drawings on the manifold and completes what was not drawn.

        Args:
            encoding: from `encode`.
            manifold, refinement, num_neighbors, num_alternatives, emphasis: see `__call__`.
            find_neighbors: see `dfd.manifold.ComponentManifold.project`.

        Returns:
            `dfd.manifold.Projection`: latents, neighbors by component, appearance; of each drawing as many as there
            are alternatives, one after the other. Without a manifold neighbors are empty and appearance is None.

        Raises:
            ValueError: an argument is out of range, or the pipeline has no manifold and needs one.
        """
        strengths = refinement_by_component(refinement)
        check_emphasis(emphasis)
        if self.manifold is not None:
            latents, drawn, givers = alternatives(
                self.manifold, encoding.latents, encoding.drawn, manifold, num_neighbors, num_alternatives
            )
            return self.manifold.project(
                latents, drawn, manifold, strengths, num_neighbors, givers, find_neighbors, emphasis
            )
        if num_alternatives != 1:
            raise ValueError(f"this pipeline has no manifold: num_alternatives must be 1, got {num_alternatives!r}")
        if any(strengths.values()):
            raise ValueError(f"this pipeline has no manifold: refinement must be 0, got {refinement!r}")
        lacking = [name for name, drawn in encoding.drawn.items() if not drawn.all()]
        if lacking:
            raise ValueError(f"this pipeline has no manifold to draw what is missing: {', '.join(lacking)}")
        return Projection(dict(encoding.latents), {}, None)

    def embed(
        self,
        sketch: ImageLike | Sequence[ImageLike],
        manifold: str = "all",
        refinement: float | Mapping[str, float] = DEFAULT_REFINEMENT,
        num_neighbors: int = 10,
        emphasis: float = DEFAULT_EMPHASIS,
    ) -> Projection:
        """Faces in code form, as `morph` and `mix` take them: `encode` and `project` in one. See `__call__`."""
        return self.project(self.encode(sketch), manifold, refinement, num_neighbors, emphasis=emphasis)

    @torch.no_grad()
    def synthesize(
        self,
        latents: Mapping[str, torch.Tensor],
        appearance=None,
        map_component: Callable[[str, torch.Tensor], torch.Tensor] | None = None,
    ) -> torch.Tensor:
        """Codes -> photos.

        Args:
            latents: component -> N x D, as in `Projection.latents`.
            appearance: code of colours and light, A or N x A numbers, such as `Projection.appearance`; None takes the
                zero code. It takes no seed: that varies a likely appearance, see `recolor`.
            map_component: stands in for `FeatureMapping.decode`, such as one that remembers its maps.

        Returns:
            float32 N x 3 x 512 x 512 in [0, 1].

        Raises:
            ValueError: the appearance is a seed, or not so many finite numbers.
        """
        place = {"device": self.device, "dtype": self.feature_mapping.dtype}
        latents = {name: latents[name].to(**place) for name in COMPONENTS}
        maps = self.feature_mapping(latents, map_component).to(self.image_synthesis.dtype)
        if appearance is not None:
            appearance = self._appearance(appearance, len(maps)).to(maps)
        return (self.image_synthesis(maps, appearance).float() / 2 + 0.5).clamp(0, 1)

    @torch.no_grad()
    def decode_samples(self, component: str, rows: torch.Tensor) -> torch.Tensor:
        """The sketches of samples of the manifold, decoded in one batch.

        Args:
            component: one of `COMPONENTS`.
            rows: int64 N, rows of the bank, as in `Neighbors.indices`.

        Returns:
            float32 N x 1 x H x W, ink in [0, 1]; H and W are the window's, divided by the auto-encoder's `pool`.
        """
        codes = self.manifold.codes.get_buffer(component)
        latents = codes[rows.to(codes.device)].to(self.device)
        return self.autoencoders[component].decode(latents).float().clamp(0, 1)

    @torch.no_grad()
    def shadow(
        self,
        neighbors: Mapping[str, Neighbors],
        decode_samples: Callable[[str, torch.Tensor], torch.Tensor] | None = None,
    ) -> torch.Tensor:
        """The shadow to draw on: the neighbours' sketches, averaged by positive weight, merged by place.

        Args:
            neighbors: component -> `Neighbors` N x K, as in `Projection.neighbors`.
            decode_samples: stands in for the method of that name, such as one that remembers what it decoded.

        Returns:
            float32 N x 1 x 512 x 512, ink in [0, 1].
        """
        if self.manifold is None:
            raise ValueError("this pipeline has no manifold: there are no neighbours to make a shadow of")
        decode_samples = decode_samples or self.decode_samples
        maps, device = {}, self.device
        for name in COMPONENTS:
            near = neighbors[name].to(device)
            rows, place = near.indices.unique(return_inverse=True)
            weights = torch.zeros(len(place), len(rows), device=device)
            weights.scatter_add_(1, place, near.positive_weights)
            used = weights.any(0)  # a third are not: their weight was negative
            sketches = decode_samples(name, rows[used]).to(device)
            maps[name] = torch.einsum("nr,rchw->nchw", weights[:, used], sketches)
        size = (CANVAS, CANVAS)
        maps["remainder"] = F.interpolate(maps["remainder"], size=size, mode="bilinear", align_corners=False)
        # Hard borders: the remainder is blank inside the windows, so softened ones would show as white bands.
        return self.layout.merge(maps, seam=0)

    @torch.no_grad()
    def inspect(
        self,
        encoding: Encoding,
        component: str | None = None,
        steps: int = 5,
        manifold: str = "all",
        num_neighbors: int = 10,
    ) -> dict[str, Inspection]:
        """What the networks see in one drawing, and how refinement changes it, component by component.

        Args:
            encoding: from `encode`, of one drawing.
            component: one of `COMPONENTS`, or None for all.
            steps: how many refinements from 0 to 1, both included; 2 to 100.
            manifold, num_neighbors: see `__call__`.

        Returns:
            component -> `dfd.inspection.Inspection`: the drawn crop and its decoded codes as PIL images.

        Raises:
            ValueError: an argument is out of range, several drawings, or the pipeline has no manifold.
        """
        return inspect(self, encoding, component, steps, manifold, num_neighbors)

    def extract_lines(self, photo: ImageLike) -> Image.Image:
        """The drawing of a photo, by the network, or by the classical filter of `dfd.lines` if there is none.

        Args:
            photo: anything that `dfd.sketch.read_sketch` takes; what exceeds its middle square is cut off, and nobody
                looks for the face in that.

        Returns:
            PIL image of mode "L", 512 x 512: black lines 3 px wide on white, to be drawn on or handed to `__call__`.

        Raises:
            ValueError: the photo cannot be read.

        Example:

            >>> pipe = DeepFaceDrawingPipeline.from_pretrained("checkpoints")
            >>> photo = pipe("drawing.png").images[0]
            >>> lines = pipe.extract_lines(photo)
            >>> lines.mode, lines.size
            ('L', (512, 512))
        """
        pixels = (255 * read_photo(photo)).round().byte().permute(1, 2, 0).contiguous().numpy()
        return sketch_to_pil(trace_photo(pixels, self.line_extractor))

    def palette(self) -> torch.Tensor:
        """Twenty appearances to choose from, float32 20 x A, sorted by the skin's lightness; see `dfd.appearance`.

        Each is a copy of a sample's of the manifold; found when first asked for, in half a second.

        Raises:
            ValueError: the pipeline has no appearances.
        """
        codes, made_with = self._appearances(), (self.manifold, self.appearance_encoder)
        # Both may have been replaced since, by `register_modules`.
        if self._palette is None or any(a is not b for a, b in zip(self._palette[0], made_with, strict=True)):
            self._palette = made_with, palette(codes, self.appearance_encoder)
        return self._palette[1].clone()

    def appearance_of(self, photo: ImageLike) -> torch.Tensor:
        """The appearance of a photo, float32 A, and nothing of its shape; see `dfd.appearance.appearance_of`.

        Args:
            photo: anything that `dfd.sketch.read_sketch` takes, in colour; the face should fill its middle square
                as in portraits, since nobody looks for it.

        Raises:
            ValueError: the photo cannot be read, or the pipeline cannot make appearances.
        """
        if self.appearance_encoder is None:
            raise ValueError("this pipeline has no appearance_encoder: it cannot take the appearance of a photo")
        known = self.manifold is not None and self.manifold.config.appearance_dim
        return appearance_of(photo, self.appearance_encoder, self.manifold.appearance if known else None)

    def random_appearance(self, seed: int) -> torch.Tensor:
        """The appearance of a random sample of the manifold, float32 A; the same seed gives the same one.

        Raises:
            ValueError: the seed is no whole number from 0 to 2^63 - 1, or the pipeline has no appearances.
        """
        return random_appearance(self._appearances(), seed)

    def recolor(self, appearance: torch.Tensor, seed: int) -> torch.Tensor:
        """Likely appearances, float32 N x A, such as a projection's, varied as people vary; the same for the same seed.

        Raises:
            ValueError: the seed is no whole number from 0 to 2^63 - 1, or the pipeline has no appearances.
        """
        self._appearances()
        return self.manifold.varied(appearance, seed)

    def _appearances(self) -> torch.Tensor:
        """float M x A: all that the manifold has."""
        if self.manifold is None or not self.manifold.config.appearance_dim:
            raise ValueError("this pipeline has no manifold with appearance codes to choose from")
        return self.manifold.appearance

    def check_inputs(
        self,
        manifold,
        refinement,
        num_neighbors,
        output_type,
        appearance=None,
        need_manifold=False,
        emphasis=DEFAULT_EMPHASIS,
    ):
        """Raises ValueError, with what was given and what is accepted, before anything is computed."""
        if output_type not in OUTPUT_TYPES:
            raise ValueError(f"output_type must be one of {', '.join(OUTPUT_TYPES)}, got {output_type!r}")
        refinement_by_component(refinement)
        check_emphasis(emphasis)
        if self.manifold is not None:
            self.manifold.check_neighbors(manifold, num_neighbors)
        elif manifold not in SUBSETS:
            raise ValueError(f"manifold must be one of {', '.join(SUBSETS)}, got {manifold!r}")
        elif need_manifold:
            raise ValueError("this pipeline has no manifold: it cannot return a shadow or neighbours")
        if appearance is not None and not self.image_synthesis.config.appearance_dim:
            raise ValueError("image_synthesis takes no appearance code (appearance_dim is 0)")

    @torch.no_grad()
    def __call__(
        self,
        sketch: ImageLike | Sequence[ImageLike],
        manifold: str = "all",
        refinement: float | Mapping[str, float] = DEFAULT_REFINEMENT,
        num_neighbors: int = 10,
        output_type: str = "pil",
        return_shadow: bool = False,
        return_neighbors: bool = False,
        appearance: torch.Tensor | np.ndarray | Sequence | int | None = None,
        return_dict: bool = True,
        num_alternatives: int = 1,
        emphasis: float = DEFAULT_EMPHASIS,
    ) -> DeepFaceDrawingPipelineOutput | tuple:
        """Photos from drawings.

        Args:
            sketch: anything that `dfd.sketch.read_sketch` takes (path, PIL image, array, tensor), or a list.
            manifold: whose faces to look like: "male", "female" or "all".
            refinement: in [0, 1], for all components or a dict by component, where those left out take 0.5.
                0 follows the drawing, 1 replaces what was drawn by the nearest thing on the manifold. A
                component that was not drawn always comes from the manifold.
            num_neighbors: training samples that span the manifold around a drawing, from 1 to all there are.
            output_type: "pil", "np" or "pt", see `DeepFaceDrawingPipelineOutput`.
            return_shadow, return_neighbors: also return these.
            appearance: code of colours and light, A or N x A numbers, from `palette`, `appearance_of` or
                `random_appearance`; None takes the drawing's likely one, and a seed, a whole number from 0, varies
                that as people vary (`recolor`), the same for the same seed. N is the number of drawings, or of faces
                where there are alternatives.
            emphasis: how distinct eyes, nose and mouth are made, which rough drawings leave ordinary, in [0, 2]; 0 as
                in the paper. It does more with less refinement, with components that were not drawn too.
            return_dict: False returns the tuple (images, sketches, latents, shadow, neighbors).
            num_alternatives: how many different completions of each unfinished drawing, from 1 to 16. The first is
                the one that a single completion gives. Everything returned but the sketches has N x num_alternatives
                rows then, the first drawing's alternatives first.

        Raises:
            ValueError: an argument is out of range, an image cannot be read, or a drawing is empty.
        """
        need_manifold = return_shadow or return_neighbors
        self.check_inputs(manifold, refinement, num_neighbors, output_type, appearance, need_manifold, emphasis)
        if is_whole(appearance):
            self._appearances()  # that there are some, before anything is computed
        encoding = self.encode(sketch)
        projection = self.project(encoding, manifold, refinement, num_neighbors, num_alternatives, emphasis=emphasis)
        if is_whole(appearance):
            appearance = self.recolor(projection.appearance, appearance)
        elif appearance is not None:
            appearance = self._appearance(appearance, len(encoding.sketches) * num_alternatives, num_alternatives)
        elif self.image_synthesis.config.appearance_dim:
            appearance = projection.appearance
        images = _output(self.synthesize(projection.latents, appearance), output_type)
        shadow = None
        if return_shadow:
            shadow = self.shadow(projection.neighbors)
            shadow = _output(1 - shadow if output_type == "pil" else shadow, output_type)
        output = DeepFaceDrawingPipelineOutput(
            images=images,
            sketches=encoding.sketches,
            latents=projection.latents,
            shadow=shadow,
            neighbors=projection.neighbors if return_neighbors else None,
        )
        if return_dict:
            return output
        return output.images, output.sketches, output.latents, output.shadow, output.neighbors

    @torch.no_grad()
    def morph(
        self,
        a: ImageLike | Projection,
        b: ImageLike | Projection,
        steps: int = 8,
        positions: Sequence[float] | None = None,
        interpolation: str = "spherical",
        manifold: str = "all",
        refinement: float | Mapping[str, float] = DEFAULT_REFINEMENT,
        num_neighbors: int = 10,
        output_type: str = "pil",
        batch_size: int = 1,
    ) -> DeepFaceDrawingPipelineOutput:
        """Faces on the way from one to the other, in shapes and colours.

        Args:
            a, b: a drawing each, or a face in code form (from `embed` or `project`; N = 1).
            steps: how many faces, evenly spaced, the first being `a` and the last `b`; at least 2.
            positions: in place of steps, where the faces lie, from 0 (`a`) to 1 (`b`): `[0.3]` for a live slider.
            interpolation: "spherical" keeps the faces between as distinct as the two; "linear" takes the straight
                line, on which they are more ordinary.
            manifold, refinement, num_neighbors: of drawings, see `__call__`; faces in code form have theirs.
            output_type: "pil", "np" or "pt".
            batch_size: faces synthesised at once. More than 1 is for accelerators: on a CPU it saves little, and
                pixels may differ by one rounding.

        Returns:
            The faces and their latents; without sketches, shadow and neighbours.

        Raises:
            ValueError: an argument is out of range, or an image cannot be read or is empty.
        """
        self.check_inputs(manifold, refinement, num_neighbors, output_type)
        if positions is None:
            check_whole("steps", steps, 2)
            positions = [i / (steps - 1) for i in range(steps)]
        check_morph(positions, interpolation)
        check_whole("batch_size", batch_size, 1)
        first, second = self._faces([a, b], manifold, refinement, num_neighbors)
        faces = morph_faces(first, second, positions, interpolation, self._statistics())
        return self._blended(faces, output_type, batch_size)

    @torch.no_grad()
    def mix(
        self,
        faces: Mapping[str, ImageLike | Projection],
        appearance_from: str = "remainder",
        manifold: str = "all",
        refinement: float | Mapping[str, float] = DEFAULT_REFINEMENT,
        num_neighbors: int = 10,
        output_type: str = "pil",
    ) -> DeepFaceDrawingPipelineOutput:
        """One face whose components come from different ones.

        Args:
            faces: component -> a drawing, or a face in code form (N = 1). The rest comes from the remainder's
                face, or from the first one given where the remainder has none.
            appearance_from: the component whose face also gives colours and light, or "mean": that of all five.
            manifold, refinement, num_neighbors: of drawings, see `__call__`; faces in code form have theirs.
            output_type: "pil", "np" or "pt".

        Returns:
            The face and its latents; without sketches, shadow and neighbours.

        Raises:
            ValueError: no face, an unknown component, an argument out of range, or an image that cannot be read or
                is empty.
        """
        self.check_inputs(manifold, refinement, num_neighbors, output_type)
        check_mix(faces, appearance_from)
        embedded = self._faces(faces.values(), manifold, refinement, num_neighbors)
        return self._blended(mix_faces(dict(zip(faces, embedded, strict=True)), appearance_from), output_type)

    def _faces(self, faces, *settings) -> list[Projection]:
        """Drawings and faces in code form -> faces in code form; what comes more than once is encoded once."""
        made = {}
        for face in faces:
            if id(face) not in made:
                # Known by what it has: code from a repository defines its classes once in every file.
                coded = hasattr(face, "latents")
                if coded and not hasattr(face, "appearance"):
                    raise ValueError(
                        f"{type(face).__name__} is no face in code form: `embed` makes one of a drawing, `project` one "
                        "of what `encode` returns"
                    )
                code = face if coded else self.embed(face, *settings)
                if len(code.latents["remainder"]) != 1:
                    raise ValueError(f"one face is needed, got {len(code.latents['remainder'])} in one place")
                made[id(face)] = code
        return [made[id(face)] for face in faces]

    def _statistics(self) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
        """Component and "appearance" -> mean and standard deviation of training codes, see `FeatureMapping`."""
        model = self.feature_mapping
        means, spreads = model.latent_mean.float(), model.latent_std.float()
        found = {name: (means[i], spreads[i]) for i, name in enumerate(COMPONENTS)}
        if self.manifold is not None and self.manifold.config.appearance_dim:
            looks = self.manifold.appearance.float()
            found["appearance"] = (looks.mean(0), looks.std(0, correction=0).clamp(min=1e-6))
        return found

    def _blended(self, faces: Projection, output_type: str, batch_size: int = 1) -> DeepFaceDrawingPipelineOutput:
        looks = faces.appearance if self.image_synthesis.config.appearance_dim else None
        pictures = []
        for start in range(0, len(faces.latents["remainder"]), batch_size):
            batch = slice(start, start + batch_size)
            codes = {name: latents[batch] for name, latents in faces.latents.items()}
            pictures.append(self.synthesize(codes, None if looks is None else looks[batch]))
        return DeepFaceDrawingPipelineOutput(_output(torch.cat(pictures), output_type), None, faces.latents)

    def _appearance(self, appearance, count: int, each: int = 1) -> torch.Tensor:
        """float32 N x A from A or N x A numbers, or from a row for `each` alternatives of a drawing."""
        dim = self.image_synthesis.config.appearance_dim
        if is_whole(appearance):
            raise ValueError(f"a seed, {appearance!r}, is no appearance: `recolor` varies a likely one by it")
        expected = f"appearance must be {dim} or {count} x {dim} finite numbers"
        try:
            codes = torch.as_tensor(appearance, dtype=torch.float32)
        except (TypeError, ValueError, RuntimeError, OverflowError) as error:
            raise ValueError(f"{expected}, got {reprlib.repr(appearance)}") from error
        shape = tuple(codes.shape)
        if codes.ndim == 1:
            codes = codes.expand(count, -1)
        elif codes.ndim == 2 and len(codes) * each == count:
            codes = codes.repeat_interleave(each, 0)  # a drawing's alternatives come one after the other
        if codes.shape != (count, dim) or not torch.isfinite(codes).all():
            raise ValueError(f"{expected}, got shape {shape}")
        return codes


def _check_names(where: str, given: Iterable[str], *accepted: Sequence[str]) -> None:
    """Raises ValueError if a name is given that is not accepted."""
    known = [name for names in accepted for name in names]
    for name in given:
        if name not in known:
            raise ValueError(f"{where} does not take {name!r}; accepted are {', '.join(known)}")


def drawn_components(layout: Layout, sketches: torch.Tensor) -> dict[str, torch.Tensor]:
    """Which components are drawn: ink in the middle of its window, or for the remainder outside all windows.

    Every drawing with at least `MIN_INK` of ink somewhere has at least one component.

    Args:
        sketches: N x 1 x 512 x 512, ink in [0, 1].

    Returns:
        component -> bool N.
    """
    drawn, amounts = {}, []
    for name, crop in layout.crop(sketches.float()).items():
        margin = 0 if name == "remainder" else round(WINDOW_MARGIN * layout.size(name))
        end = layout.size(name) - margin
        drawn[name] = crop[..., margin:end, margin:end].flatten(1).sum(1) >= MIN_INK
        amounts.append(crop.flatten(1).sum(1))
    # A first stroke may lie in margins only: then it belongs to the component that has the most of it.
    amounts = torch.stack(amounts)
    lost = ~torch.stack(list(drawn.values())).any(0) & (amounts.amax(0) >= MIN_INK)
    most = amounts.argmax(0)
    return {name: mask | (lost & (most == i)) for i, (name, mask) in enumerate(drawn.items())}


def _output(images: torch.Tensor, output_type: str) -> list[Image.Image] | np.ndarray | torch.Tensor:
    """float32 N x C x H x W in [0, 1] in the form that was asked for."""
    if output_type == "pt":
        return images
    images = images.permute(0, 2, 3, 1).cpu().numpy()
    return images if output_type == "np" else DiffusionPipeline.numpy_to_pil(images)
