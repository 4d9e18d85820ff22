"""How programs hand over a drawing to the endpoint `/generate`, and to the MCP tool of the same function.

The Sketchpad's own value is a nested dict of files, which MCP clients cannot fill in: Gradio gives them a schema with
references that lead nowhere. A drawing is one picture's file here.
"""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.components.image_editor import EditorData
from gradio.data_classes import FileData
from pydantic import model_validator


class DrawingData(EditorData):
    """A Sketchpad's value; the file of a picture is one that has nothing but a background."""

    @model_validator(mode="before")
    @classmethod
    def from_file(cls, value: Any) -> Any:
        return {"background": value} if isinstance(value, dict) and "path" in value else value


class Drawing(gr.ImageEditor):
    """An input for programs alone: no page shows it, and it has no value that a program could leave it at.

    It takes a picture's file, or a Sketchpad's value with `background`, `layers` and `composite`; functions get
    the latter.
    """

    data_model = DrawingData

    def __init__(self):
        super().__init__(type="pil", label="Drawing", visible=False)

    def get_block_name(self) -> str:
        return "api"  # as of gr.Api: a tab that is opened would mount an editor, although it is invisible

    def preprocess(self, payload: DrawingData | None) -> dict[str, Any] | None:
        try:
            return super().preprocess(payload)
        except OSError as error:  # PIL's words would name a path on the server
            raise gr.Error(
                "The sketch cannot be read: it is no picture, or a damaged one.", print_exception=False
            ) from error

    def api_info(self) -> dict[str, Any]:
        return FileData.model_json_schema()
