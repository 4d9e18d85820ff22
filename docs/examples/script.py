"""A drawing becomes three photos, from closest to the lines to most plausible.

python docs/examples/script.py drawing.png faces.png
"""

import sys

from PIL import Image

from dfd import DeepFaceDrawingPipeline

drawing, faces = sys.argv[1:]
pipe = DeepFaceDrawingPipeline.from_pretrained("checkpoints")

row = Image.new("RGB", (3 * 512, 512))
for i, refinement in enumerate((0, 0.5, 1)):
    photo = pipe(drawing, manifold="all", refinement=refinement).images[0]
    row.paste(photo, (512 * i, 0))
row.save(faces)
