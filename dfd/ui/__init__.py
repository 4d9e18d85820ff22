"""The studio and its parts, for other Gradio apps: the whole page (`build_demo`), or its live pad alone.

>>> from dfd.ui import Pad, picture
"""

from dfd.ui.pad import Pad, picture
from dfd.ui.studio import build_demo

__all__ = ["Pad", "build_demo", "picture"]
