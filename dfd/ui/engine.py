"""The pipeline as a page needs it: what a stroke or a slider did not change is not computed again.

Nothing that is remembered belongs to a visitor: it follows from the drawing alone, so that any of several servers
can answer any request.
"""

from __future__ import annotations

import ctypes
import hashlib
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any

import numpy as np
import torch
from PIL import Image

from dfd.appearance import SWATCHES
from dfd.inspection import Inspection
from dfd.lines import trace_photo
from dfd.manifold import Neighbors, Projection
from dfd.pipeline import DeepFaceDrawingPipeline, Encoding
from dfd.sketch import sketch_to_pil
from dfd.ui.details import helpers
from dfd.ui.session import ALTERNATIVES, PROVENANCE

try:
    from spaces import GPU  # on a Space with ZeroGPU: lends a GPU for the length of a call
except ImportError:

    def GPU(call):
        """Leaves a call as it is."""
        return call


#: What is fainter than this share of a shadow's darkest lines is no line, but the blur of many samples.
HAZE = 0.25


@dataclass(frozen=True)
class Result:
    """A face and how it came about.

    Attributes:
        face: RGB, 512 x 512.
        encoding: of the one drawing.
        projection: what became of its codes.
    """

    face: Image.Image
    encoding: Encoding
    projection: Projection


#: The name of the limit in glibc's malloc.h.
M_ARENA_MAX = -8

#: How many steps are taken at the same time, if so many are asked for.
WORKERS = min(torch.get_num_threads(), 4)

#: The engine's methods that compute.
STEPS = (
    "face",
    "code",
    "picture",
    "morph",
    "swatch",
    "shadow",
    "encode",
    "inspect",
    "helpers",
    "trace",
    "palette",
    "appearance_of",
)


class Engine:
    """Faces and shadows of drawings. One visitor has all cores; where several wait, each core makes a face of its own.

    Two faces side by side on a core each take 0.7 of the time that they take one after the other on both, since cores
    that share a face wait for each other after every layer (measured on two; next to other work 0.66).

    All of `STEPS` are computed in the engine's own threads, whichever asks for them. Each thread that has ever computed
    keeps helpers and memory of its own, and a server has many. Inside of a step only what begins with an underscore may
    be called: another step would wait for the first to end.

    Args:
        pipeline: with a manifold.
    """

    def __init__(self, pipeline: DeepFaceDrawingPipeline):
        share_one_arena()
        self.pipeline = pipeline
        self.encodings = Memory(64)  # 1 MB each
        self.codes = Memory(200)  # 2 kB each
        self.neighbors = Memory(400)  # 0.3 kB each
        self.maps = Memory(20)  # up to 2 MB each
        self.shadows = Memory(64)  # 0.25 MB each
        self.outside = pipeline.layout.remainder_mask[0].bool()
        self.samples = Memory(2000)  # 16 to 37 kB each
        self.swatches = Memory(SWATCHES)  # 0.75 MB each
        self.cores = torch.get_num_threads()
        self.asked = 0  # steps that are taken or wait
        self.lock = threading.Lock()
        self.workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="engine")
        for name in STEPS:
            setattr(self, name, self._in_thread(GPU(getattr(self, name))))

    def _in_thread(self, step: Callable[..., Any]) -> Callable[..., Any]:
        """A step that is taken in one of the engine's threads, and waited for."""

        def with_its_share(*arguments: Any) -> Any:
            torch.set_num_threads(max(self.cores // min(self.asked, WORKERS), 1))  # in this thread alone
            return step(*arguments)

        @wraps(step)
        def taken(*arguments: Any) -> Any:
            with self.lock:
                self.asked += 1
            try:
                # ZeroGPU looks in the context for the visitor that a GPU is lent to.
                return self.workers.submit(copy_context().run, with_its_share, *arguments).result()
            finally:
                with self.lock:
                    self.asked -= 1

        return taken

    def face(self, drawing: Image.Image, settings: Mapping[str, Any]) -> Result:
        """The face of a drawing. Of a changed drawing only the components that changed are worked on anew.

        Args:
            drawing: "L", 512 x 512, black on white.
            settings: `manifold`, `refinement` (number, or dict by component), `num_neighbors`, `appearance` (a code,
                or None), `person` (a seed: without an appearance, the likely one is varied by it) and `alternative`
                (which completion, if the drawing is unfinished).

        Raises:
            ValueError: an empty drawing, or a setting out of range.
        """
        return self._face(drawing, settings)

    def code(self, drawing: Image.Image, settings: Mapping[str, Any]) -> Projection:
        """The face of a drawing in code form; arguments and errors as of `face`."""
        return self._code(drawing, settings)[1]

    def picture(self, face: Projection) -> Image.Image:
        """RGB, 512 x 512: a face in code form (N = 1), synthesised."""
        return self._picture(face)

    def morph(self, a: Projection, b: Projection, position: float) -> Image.Image:
        """The face at a position from 0, `a`, to 1, `b`."""
        return self.pipeline.morph(a, b, positions=[position]).images[0]

    def encode(self, drawing: Image.Image) -> Encoding:
        """`DeepFaceDrawingPipeline.encode`, remembering the last drawings."""
        return self._encode(drawing)

    def alternatives(self, drawing: Image.Image, settings: Mapping[str, Any]) -> list[Image.Image]:
        """The faces that an unfinished drawing may become; none of a finished one. Arguments as of `face`."""
        if not is_unfinished(self.encode(drawing)):
            return []
        return [self.face(drawing, {**settings, "alternative": i}).face for i in range(ALTERNATIVES)]

    def swatch_faces(self, drawing: Image.Image, settings: Mapping[str, Any]) -> list[Image.Image]:
        """One drawing in the colours of each swatch of the palette, always the drawing of the first call."""
        # A step for each, so that visitors who draw do not wait for all.
        return [self.swatch(i, drawing, settings) for i in range(len(self.palette()))]

    def swatch(self, number: int, drawing: Image.Image, settings: Mapping[str, Any]) -> Image.Image:
        """One of `swatch_faces`."""
        code = self.pipeline.palette()[number]
        return self.swatches.recall(number, lambda: self._face(drawing, {**settings, "appearance": code}).face)

    def palette(self) -> torch.Tensor:
        """`DeepFaceDrawingPipeline.palette`."""
        return self.pipeline.palette()

    def appearance_of(self, photo: torch.Tensor) -> torch.Tensor:
        """`DeepFaceDrawingPipeline.appearance_of` a photo that `dfd.appearance.read_photo` has read."""
        return self.pipeline.appearance_of(photo)

    def inspect(self, encoding: Encoding, settings: Mapping[str, Any]) -> dict[str, Inspection]:
        """`DeepFaceDrawingPipeline.inspect` with a page's settings."""
        return self.pipeline.inspect(encoding, manifold=settings["manifold"], num_neighbors=settings["num_neighbors"])

    def helpers(self, projection: Projection) -> dict[str, list[tuple[Image.Image, float]]]:
        """The samples that helped a drawing most; see `dfd.ui.details.helpers`."""
        return helpers(self._decode_samples, projection)

    def trace(self, photo: np.ndarray) -> torch.Tensor:
        """The ink of a photo (uint8 512 x 512 x 3), float32 1 x 512 x 512; see `dfd.lines.trace_photo`."""
        return trace_photo(photo, self.pipeline.line_extractor)

    def shadow(self, projection: Projection) -> Image.Image:
        """The shadow to draw on: "L", 512 x 512, black on white. Only samples not met before are decoded."""
        near = projection.neighbors
        key = tuple(x.cpu().numpy().tobytes() for n in near.values() for x in (n.indices, n.weights))
        return self.shadows.recall(
            key, lambda: sketch_to_pil(clear(self.pipeline.shadow(near, self._decode_samples), self.outside)[0])
        )

    def _face(self, drawing: Image.Image, settings: Mapping[str, Any]) -> Result:
        encoding, projection = self._code(drawing, settings)
        return Result(self._picture(projection), encoding, projection)

    def _code(self, drawing: Image.Image, settings: Mapping[str, Any]) -> tuple[Encoding, Projection]:
        encoding = self._encode(drawing)
        settings = dict(settings)
        appearance, alternative = settings.pop("appearance", None), settings.pop("alternative", 0)
        person = settings.pop("person", None)
        count = ALTERNATIVES if alternative and is_unfinished(encoding) else 1
        find_neighbors = self.neighbors.remembering(self.pipeline.manifold.neighbors)
        projection = self.pipeline.project(encoding, **settings, num_alternatives=count, find_neighbors=find_neighbors)
        if count > 1:
            projection = row_of(projection, alternative)
        if appearance is not None:
            projection = replace(projection, appearance=torch.as_tensor(appearance, dtype=torch.float32)[None])
        elif person is not None and projection.appearance is not None:
            projection = replace(projection, appearance=self.pipeline.recolor(projection.appearance, person))
        return encoding, projection

    def _encode(self, drawing: Image.Image) -> Encoding:
        key = hashlib.sha256(drawing.tobytes()).digest()
        encode_component = self.codes.remembering(self.pipeline.encode_component)
        return self.encodings.recall(key, lambda: self.pipeline.encode(drawing, encode_component))

    def _picture(self, face: Projection) -> Image.Image:
        map_component = self.maps.remembering(self.pipeline.feature_mapping.decode)
        picture = self.pipeline.synthesize(face.latents, face.appearance, map_component)[0]
        face = Image.fromarray((255 * picture).round().byte().permute(1, 2, 0).cpu().numpy())
        face.info |= PROVENANCE  # Gradio writes it into the PNGs that it sends
        return face

    def _decode_samples(self, component: str, rows: torch.Tensor) -> torch.Tensor:
        """`DeepFaceDrawingPipeline.decode_samples`, remembering 8 bits of what it decodes."""
        keys = [(component, row) for row in rows.tolist()]
        found = {key: self.samples.get(key) for key in keys}
        new = [key for key, sketch in found.items() if sketch is None]
        if new:
            sketches = self.pipeline.decode_samples(component, torch.tensor([row for _, row in new]))
            for key, sketch in zip(new, (255 * sketches).round().byte().cpu(), strict=True):
                found[key] = self.samples.recall(key, sketch.clone)
        return torch.stack([found[key] for key in keys]).float() / 255


def is_unfinished(encoding: Encoding) -> bool:
    """Whether one drawing lacks a component."""
    return not all(mask.all() for mask in encoding.drawn.values())


def row_of(projection: Projection, row: int) -> Projection:
    """What belongs to one of several drawings or alternatives, as a batch of one."""
    one = slice(row, row + 1)
    return Projection(
        {name: codes[one] for name, codes in projection.latents.items()},
        {n: Neighbors(*(values[one] for values in vars(near).values())) for n, near in projection.neighbors.items()},
        None if projection.appearance is None else projection.appearance[one],
    )


def share_one_arena() -> None:
    """Lets all threads share one arena of glibc's memory, where that is the C library.

    With one for each thread, as is usual, what one has freed is of no use to the others: after 300 faces a studio took
    1,183 MB and not 1,030, as quickly (measured, two cores).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(ctypes.c_int(M_ARENA_MAX), ctypes.c_int(1))


def clear(shadow: torch.Tensor, outside: torch.Tensor) -> torch.Tensor:
    """A shadow without its haze, in which the windows would show, and with its lines in black.

    In the windows and outside of them for themselves: one decoder draws more softly than another.

    Args:
        shadow: N x 1 x H x W.
        outside: bool H x W, what is in no window.
    """
    cleared = torch.empty_like(shadow)
    for place in (outside, ~outside):
        ink = shadow[..., place]
        peak = ink.quantile(0.99, dim=-1, keepdim=True).clamp(min=0.1)
        cleared[..., place] = ((ink / peak - HAZE) / (1 - HAZE)).clamp(0, 1)
    return cleared


class Memory:
    """Remembers the last `size` things that were asked for, by any thread."""

    def __init__(self, size: int):
        self.size = size
        self.things: OrderedDict[Hashable, Any] = OrderedDict()
        self.lock = threading.Lock()

    def get(self, key: Hashable) -> Any:
        """What was made for this key; None if it never was, or is forgotten."""
        with self.lock:
            if key in self.things:
                self.things.move_to_end(key)
            return self.things.get(key)

    def recall(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """What was made for this key; made now if it never was, or is forgotten."""
        thing = self.get(key)
        if thing is None:
            thing = make()  # others may go on meanwhile
            with self.lock:
                self.things[key] = thing
                if len(self.things) > self.size:
                    self.things.popitem(last=False)
        return thing

    def remembering(self, step: Callable[..., Any]) -> Callable[..., Any]:
        """A step of the pipeline (component, tensor, further arguments -> result) that is not taken twice."""

        def recalled(component: str, tensor: torch.Tensor, *arguments: Hashable) -> Any:
            contents = hashlib.sha256(tensor.contiguous().view(torch.uint8).cpu().numpy().tobytes()).digest()
            return self.recall((component, contents, *arguments), lambda: step(component, tensor, *arguments))

        return recalled
