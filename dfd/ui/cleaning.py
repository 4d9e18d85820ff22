"""Deletes temporary files that are old, whatever happens meanwhile.

Gradio's own function goes over a set to which uploads and results are added from other threads, and its schedule ends
for good at the first exception: on a busy studio visitors' files would stay until it is started again.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress

import gradio as gr
from gradio import route_utils


def delete_old_files(blocks: gr.Blocks, age: float | None) -> None:
    """Deletes files that the app made or was sent, except what its components show from the start.

    Args:
        blocks: the app.
        age: seconds; None for any.
    """
    kept = set().union(*(getattr(component, "keep_in_cache", ()) for component in blocks.blocks.values()))
    for names in list(blocks.temp_file_sets):
        for name in names.copy() - kept:  # a copy: names are added meanwhile
            with suppress(OSError, ValueError):  # gone already, or it cannot be deleted: others can
                if age is None or time.time() - os.lstat(name).st_ctime > age:
                    os.remove(name)
            if not os.path.lexists(name):
                names.discard(name)


def install() -> None:
    """From here on Gradio's schedule deletes by `delete_old_files`."""
    route_utils.delete_files_created_by_app = delete_old_files
