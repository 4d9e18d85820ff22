"""The demo's entry, locally (`python app.py`) and on a Hugging Face Space, which takes `demo` from here.

`DFD_CHECKPOINT` names another pipeline folder than the shipped `checkpoints/`.
"""

import os
from pathlib import Path

from dfd.pipeline import DeepFaceDrawingPipeline
from dfd.ui.studio import build_demo

checkpoint = os.environ.get("DFD_CHECKPOINT") or Path(__file__).parent / "checkpoints"
demo = build_demo(DeepFaceDrawingPipeline.from_pretrained(checkpoint))

if __name__ == "__main__":
    demo.launch()
