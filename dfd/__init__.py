"""DeepFaceDrawing: rough face sketches become photos.

>>> import dfd
>>> pipe = dfd.DeepFaceDrawingPipeline.from_pretrained("checkpoints")
>>> pipe("drawing.png").images[0].save("photo.png")
"""

from dfd.manifold import ComponentManifold
from dfd.pipeline import DeepFaceDrawingPipeline, DeepFaceDrawingPipelineOutput
from dfd.sketch import read_sketch

__all__ = ["ComponentManifold", "DeepFaceDrawingPipeline", "DeepFaceDrawingPipelineOutput", "read_sketch"]
