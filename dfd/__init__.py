"""DeepFaceDrawing: rough face sketches become photos.

A pipeline folder is loaded once; a drawing is a path, a PIL image, an array or a tensor, and a list of them is a batch:

>>> import dfd
>>> pipe = dfd.DeepFaceDrawingPipeline.from_pretrained("checkpoints")
>>> output = pipe("drawing.png", manifold="female", refinement={"mouth": 0.2, "nose": 0.9}, return_shadow=True)
>>> output.images[0].save("photo.png")
>>> output.shadow[0].size
(512, 512)

The call is four steps. A program encodes a drawing once, and then moves its sliders through the cheaper ones:

>>> encoding = pipe.encode("drawing.png")
>>> encoding.latents["mouth"].shape, bool(encoding.drawn["mouth"][0])
(torch.Size([1, 512]), True)
>>> projection = pipe.project(encoding, manifold="all", refinement=0.3, num_neighbors=5)
>>> projection.neighbors["nose"].ids.shape
torch.Size([1, 5])
>>> photo = pipe.synthesize(projection.latents, projection.appearance)
>>> photo.shape, photo.dtype
(torch.Size([1, 3, 512, 512]), torch.float32)
>>> shadow = pipe.shadow(projection.neighbors)

Each part can be used, and put in the place of another, alone:

>>> sketch = dfd.read_sketch("drawing.png")
>>> crops = pipe.layout.crop(sketch[None])
>>> [crops[name].shape[-1] for name in dfd.COMPONENTS]
[128, 128, 160, 192, 512]
>>> mouth = dfd.ComponentAutoencoder.from_pretrained("checkpoints", subfolder="mouth_autoencoder")
>>> bool((mouth.encode(crops["mouth"]) == encoding.latents["mouth"]).all())
True
>>> bank = dfd.ComponentManifold.from_pretrained("checkpoints", subfolder="manifold")
>>> nearest = bank.neighbors("mouth", encoding.latents["mouth"], subset="male", k=3)
>>> photos_like_these = nearest.ids[0], nearest.positive_weights[0]

The public names:

- `DeepFaceDrawingPipeline`: drawing -> photo, a diffusers pipeline; the call returns `DeepFaceDrawingPipelineOutput`,
  the step `encode` an `Encoding`, the step `project` a `Projection`.
- `read_sketch`, `sketch_to_pil`: any image -> sketch, and back.
- `COMPONENTS`, `Layout`: the five components, and where they lie on the canvas.
- `ComponentAutoencoder`, `FeatureMapping`, `ImageSynthesis`, `AppearanceEncoder`, `LineExtractor`: the networks,
  diffusers models.
- `ComponentManifold`: the bank of known faces and the projection onto it; `Neighbors`: samples of it near a code.
- `__version__`: of the package.
"""

from dfd.components import COMPONENTS, Layout
from dfd.manifold import ComponentManifold, Neighbors, Projection
from dfd.models import AppearanceEncoder, ComponentAutoencoder, FeatureMapping, ImageSynthesis, LineExtractor
from dfd.pipeline import DeepFaceDrawingPipeline, DeepFaceDrawingPipelineOutput, Encoding
from dfd.sketch import read_sketch, sketch_to_pil

__version__ = "0.14.0"

__all__ = [
    "COMPONENTS",
    "AppearanceEncoder",
    "ComponentAutoencoder",
    "ComponentManifold",
    "DeepFaceDrawingPipeline",
    "DeepFaceDrawingPipelineOutput",
    "Encoding",
    "FeatureMapping",
    "ImageSynthesis",
    "Layout",
    "LineExtractor",
    "Neighbors",
    "Projection",
    "__version__",
    "read_sketch",
    "sketch_to_pil",
]
