"""The demo's entry, locally (`python app.py`) and on a Hugging Face Space, which takes `demo` from here.

`DFD_CHECKPOINT` names another pipeline than the shipped `checkpoints/`: a folder or a Hub repository.
"""

import os
from pathlib import Path

import torch

from dfd.extras import needs_extra
from dfd.pipeline import DeepFaceDrawingPipeline
from dfd.precision import use_fastest_precision

with needs_extra("demo", "the studio", __name__):
    from dfd.ui.studio import build_demo

checkpoint = os.environ.get("DFD_CHECKPOINT") or Path(__file__).parent / "checkpoints"
pipeline = DeepFaceDrawingPipeline.from_pretrained(checkpoint)
if torch.cuda.is_available():
    pipeline.to("cuda")
else:
    use_fastest_precision(pipeline)
demo = build_demo(pipeline)

if __name__ == "__main__":
    demo.launch()
