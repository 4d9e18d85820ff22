"""`EndpointHandler` for Hugging Face Inference Endpoints.

The platform imports `handler.py` at the root of a model repository, and installs the `requirements.txt` beside it.
`python -m dfd.hub` puts both there; this package need not be installed on the platform.
"""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from dfd.pipeline import DeepFaceDrawingPipeline

#: What a request's picture may be; Pillow knows others, of which EPS is a program.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP")

#: Arguments of the pipeline that a request may give.
PARAMETERS = ("manifold", "refinement", "num_neighbors", "emphasis", "appearance")


class EndpointHandler:
    """Loads the pipeline once, and answers requests.

    A request is JSON, `{"inputs": "<base64 or data URL>", "parameters": {"refinement": 0.3}}`, or a picture's bytes
    with its content type, parameters then in the address: `?refinement=0.3`. The answer is a PNG or JPEG where the
    request's Accept header names one, else base64 in JSON.

    Args:
        path: the repository's folder, with `model_index.json`.
    """

    def __init__(self, path: str | Path = ""):
        self.pipeline = DeepFaceDrawingPipeline.from_pretrained(Path(path))
        self.pipeline.to("cuda" if torch.cuda.is_available() else "cpu")

    def __call__(self, data: Mapping[str, Any]) -> Image.Image:
        """Answers one request.

        Args:
            data: `inputs`: the drawing as base64 text, data URL, bytes of an image file or PIL image; `parameters`
                (optional): `PARAMETERS` as the pipeline takes them, numbers also as text, since those from an address
                are; as `appearance` a seed.

        Returns:
            RGB, 512 x 512; the platform writes it in the format that was asked for.

        Raises:
            ValueError: what is wrong with the request; the platform answers 400 with `{"error": <the sentence>}`.
        """
        if "inputs" not in data:
            raise ValueError('the request has no "inputs": give the drawing there, as base64 text or an image\'s bytes')
        parameters = data.get("parameters") or {}
        if not isinstance(parameters, Mapping) or not set(parameters) <= set(PARAMETERS):
            raise ValueError(f'"parameters" must be a dict of {", ".join(PARAMETERS)}, got {parameters!r}')
        arguments = {name: parsed(name, value) for name, value in parameters.items()}
        return self.pipeline(read_image(data["inputs"]), **arguments).images[0]


def parsed(name: str, value: Any) -> Any:
    """A parameter's value, where text that should be a number has become one."""
    if name == "manifold" or not isinstance(value, str):
        return value
    try:
        return int(value) if name in ("num_neighbors", "appearance") else float(value)
    except ValueError:
        raise ValueError(f"{name} must be a number, got {value!r}") from None


def read_image(inputs: Any) -> Image.Image:
    """A request's drawing. Text is never taken for a path or an address.

    Args:
        inputs: base64 text, data URL, bytes of an image file in one of `FORMATS`, or PIL image.

    Raises:
        ValueError: anything else.
    """
    if isinstance(inputs, Image.Image):
        return inputs
    if isinstance(inputs, str):
        header, _, text = inputs.rpartition(",")
        if header and not (header.startswith("data:") and header.endswith(";base64")):
            raise ValueError('"inputs" must be base64 text or a data URL that begins with data:image/png;base64,')
        try:
            inputs = base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError) as error:
            raise ValueError(f'"inputs" cannot be decoded as base64: {error}') from error
    if not isinstance(inputs, bytes):
        raise ValueError(f'"inputs" must be base64 text, bytes or a PIL image, got {type(inputs).__name__}')
    try:
        return Image.open(io.BytesIO(inputs), formats=FORMATS)
    except Exception as error:  # PIL's readers let through whatever a broken file makes them raise
        raise ValueError('"inputs" holds no picture that can be read') from error
