"""Forgets what visitors drew: sessions keep no values, and temporary files are deleted when they are old."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from copy import copy
from typing import Any

import gradio as gr
from gradio import route_utils, state_holder


class ForgetfulSession(state_holder.SessionState):
    """A session that keeps no component's value.

    Gradio keeps the last values of each, drawings too, for deep links, and beside them a description of all components.
    To put that together takes half as long as a face (measured), and nothing here needs it.
    """

    def __init__(self, blocks: gr.Blocks):
        self.blocks_config = copy(blocks.default_config)
        self.config_values = {}
        self.state_data = {}
        self._state_ttl = {}
        self.is_closed = False

    def __setitem__(self, key: int, value: Any) -> None:
        self.blocks_config.blocks[key] = value

    def _update_config(self, key: int) -> None:
        pass

    def _update_value_in_config(self, key: int, value: Any) -> None:
        pass


def delete_old_files(blocks: gr.Blocks, age: float | None) -> None:
    """Deletes files that the app made or was sent, except what its components show from the start.

    Gradio's own function goes over a set to which uploads and results are added from other threads, and its schedule
    ends for good at the first exception: on a busy studio visitors' files would stay until it is started again.

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
    """From here on Gradio's sessions are forgetful, and its schedule deletes by `delete_old_files`."""
    state_holder.SessionState = ForgetfulSession
    route_utils.delete_files_created_by_app = delete_old_files
