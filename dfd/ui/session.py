"""What a visitor drew and set, as files that can be saved and loaded again: session JSON, face PNG, sketch PNG.

Both PNGs carry the session's JSON in a text chunk. Files come from strangers and so does what the pad sends:
everything is checked here, by what it is and not by what it is called, and every refusal is a ValueError with a
sentence for the visitor. A `Session` that exists is valid; what `read_session` returns can go to the pad as it is.
Equal sessions have equal JSON, wherever they were made: browsers write 314 for 314.0, and so does a session.
"""

from __future__ import annotations

import base64
import io
import json
import warnings
import zlib
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin

from dfd.checks import is_whole
from dfd.components import CANVAS, COMPONENTS
from dfd.lines import trace_photo
from dfd.manifold import DEFAULT_REFINEMENT, SUBSETS
from dfd.provenance import NOTICE, SOFTWARE, XMP
from dfd.sketch import MAX_PIXELS
from dfd.ui.importing import Tracer, import_picture, ink_element
from dfd.ui.pad import PNG

FORMAT, VERSION = "deepfacedrawing-session", 1

#: Keyword of the text chunk that holds the session's JSON.
CHUNK = "deepfacedrawing"

#: Endings of the pictures that are read. Contents decide; these are for the browser's file chooser.
PICTURES = [".png", ".jpg", ".jpeg", ".webp"]

#: Largest file that is read.
MAX_FILE_BYTES = 4 * 2**20

#: Largest session as JSON. PIL, and whatever is built on it, refuses to open a PNG with a text of over 1 MiB.
MAX_SESSION_BYTES = 1_000_000

#: Largest PNG inside a session or from the pad; 512 x 512 px of noise in grey and alpha fit.
MAX_PNG_BYTES = 700_000

MAX_STROKES, MAX_POINTS, MAX_IMAGES = 5_000, 100_000, 16

#: Coordinates in canvas pixels. Strokes may leave the canvas: the drawing can be moved and scaled.
FARTHEST = 10_000

#: Radii, and sides of images, in canvas pixels: the pad's own radii are 1 to 7, and scaling changes both.
RADII, SIDES = (0.1, 512), (0.1, FARTHEST)

MAX_NEIGHBORS = 50

DEFAULT_SETTINGS = {
    "manifold": "all",
    "refinement": dict.fromkeys(COMPONENTS, DEFAULT_REFINEMENT),
    "num_neighbors": 10,
    "appearance": None,
    "alternative": 0,
}

#: Completions of an unfinished drawing that a visitor may choose from.
ALTERNATIVES = 4

#: Longest appearance code, and its largest number: those of the shipped weights have 16, and stay below 8.
MAX_APPEARANCE, MAX_COLOUR = 64, 100

#: What the PNG of a face says of itself: keyword -> text. XMP has a keyword of its own there.
PROVENANCE = {"Description": NOTICE, "XML:com.adobe.xmp": XMP}

# Refusals that several checks share.
TOO_LARGE = f"This file is too large: at most {MAX_FILE_BYTES // 2**20} MB can be opened."
NO_SESSION = "This file is neither a saved drawing nor a PNG, JPEG or WebP picture."
DAMAGED = "This picture cannot be opened: the file is damaged or cut off."
LOST_DRAWING = "The drawing did not arrive in one piece. Draw another stroke to send it again."


@dataclass(frozen=True)
class Session:
    """A drawing and the settings of the page. Checked, completed and copied when it is made.

    Attributes:
        strokes: the drawing's elements, oldest first, in pixels of the 512 x 512 canvas; each is

            - `{"tool": "pen" | "eraser", "radius": number, "points": [[x, y] | [x, y, pressure], ...]}`, and
              optionally `"mirror": bool`, or
            - `{"tool": "image", "png": "data:image/png;base64,...", "box": [x, y, width, height]}`: a PNG of at
              most 512 x 512 px.

        settings: `manifold` ("all", "female" or "male"), `refinement` (component -> number in [0, 1]),
            `num_neighbors` (1 to 50), `appearance` (a code as a list of numbers, or None for the person's own),
            `alternative` (0 to 3, which completion of an unfinished drawing). What is left out takes its default.

    Raises:
        ValueError: a wrong type, an unknown tool, a number out of range or not finite, too many strokes, points
            or images, or more than 1 MB of JSON in all. Unknown keys are dropped.
    """

    strokes: list[dict[str, Any]] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        object.__setattr__(self, "strokes", _checked_strokes(self.strokes))
        object.__setattr__(self, "settings", _checked_settings(self.settings))
        if len(write_session(self)) > MAX_SESSION_BYTES:
            raise ValueError("This drawing is too large to be saved or opened: it has too many strokes.")

    @property
    def wishes(self) -> dict[str, Any]:
        """The settings as `Engine.face` takes them: with `person`, who has colours of its own.

        Who that is hangs on where the first stroke begins, so that it stays the same person while a drawing grows, and
        the next drawing is another one.
        """
        first = self.strokes[0] if self.strokes else {}
        begin = first.get("points", [first.get("box", [])])[0]
        return {**self.settings, "person": zlib.crc32(json.dumps(begin[:2]).encode())}


def read_session(file: str | PathLike | bytes, tracer: Tracer = trace_photo) -> Session:
    """Reads a saved drawing, or makes one of a picture.

    Args:
        file: path or contents of a session JSON, a face PNG or a sketch PNG as written here, or of any PNG, JPEG
            or WebP picture: that is read by `import_picture` and becomes the only element of a session
            with default settings.
        tracer: draws photos, see `import_picture`.

    Raises:
        ValueError: none of these, over 4 MB, damaged, from a newer version, without any ink, or anything that
            `Session` refuses.
    """
    data = file if isinstance(file, bytes) else _file_bytes(Path(file))
    if len(data) > MAX_FILE_BYTES:
        raise ValueError(TOO_LARGE)
    if data.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")) or (data[:4], data[8:12]) == (b"RIFF", b"WEBP"):
        return _from_picture(data, tracer)
    return _from_json(data)


def write_session(session: Session) -> bytes:
    """The session as JSON (ASCII); `read_session` gives an equal one back."""
    content = {"format": FORMAT, "version": VERSION, "strokes": session.strokes, "settings": session.settings}
    return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()


def face_png(face: Image.Image, session: Session | None) -> bytes:
    """The face as a PNG that says what it is, to people and to programs, and carries the session.

    Args:
        face: any mode; written as RGB.
        session: the drawing and settings that it was made of; None for a face made of several.
    """
    chunks = _chunks("Synthetic face", session)
    for keyword, text in PROVENANCE.items():
        chunks.add_text(keyword, text)
    return _png(face.convert("RGB"), chunks)


def sketch_png(drawing: Image.Image, session: Session) -> bytes:
    """The drawing as a PNG that carries the session.

    Args:
        drawing: as `pad_image` gives it; any mode, written as "L".
        session: the drawing's elements and the settings.
    """
    return _png(drawing.convert("L"), _chunks("Sketch of a face", session))


def pad_image(value: dict | None) -> Image.Image | None:
    """Decodes what the pad sent.

    Args:
        value: None, or a dict whose `png` is a data URL of a PNG of 512 x 512 px, or None. Other keys are not
            looked at; the strokes are for `Session`.

    Returns:
        PIL image "L" of 512 x 512, black ink on white; None for an empty pad.

    Raises:
        ValueError: anything else.
    """
    if value is None or (isinstance(value, dict) and value.get("png") is None):
        return None
    picture = decode_png(value.get("png")) if isinstance(value, dict) else None
    if picture is None or picture.size != (CANVAS, CANVAS):
        raise ValueError(LOST_DRAWING)
    picture = picture.convert("RGBA")
    paper = Image.new("RGBA", picture.size, "white")
    drawing = Image.alpha_composite(paper, picture).convert("L")
    return drawing if drawing.getextrema()[0] < 255 else None


# Reading files


def _file_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES + 1)  # one more than allowed: enough to refuse it
    except (OSError, ValueError) as error:  # ValueError: no path at all
        raise ValueError("This file cannot be opened. Please choose it again.") from error


def _from_picture(data: bytes, tracer: Tracer) -> Session:
    try:
        with warnings.catch_warnings():  # PIL warns of large pictures; the check below refuses them
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP"))
        # Our chunk stands before the pixels, so a saved drawing opens without decoding them.
        text = image.info.get(CHUNK) if image.format == "PNG" else None
        if text is None and image.width * image.height > MAX_PIXELS:
            raise Image.DecompressionBombError
        if text is None and image.format == "PNG" and not image.is_animated:  # a million frames are work
            text = image.text.get(CHUNK)  # other programs may write it behind the pixels
    except Image.DecompressionBombError as error:
        raise ValueError(f"This picture is too large: at most {MAX_PIXELS // 10**6} megapixels.") from error
    except Exception as error:  # PIL lets through whatever a broken file makes its readers raise
        raise ValueError(DAMAGED) from error
    if isinstance(text, str):
        return _from_json(text.encode("utf-8", "replace"))
    ink = import_picture(image, tracer=tracer)
    if not ink.any():
        raise ValueError("There is nothing drawn in this picture.")
    return Session([ink_element(ink)])


def _from_json(data: bytes) -> Session:
    if len(data) > MAX_SESSION_BYTES:
        raise ValueError(TOO_LARGE if len(data) > MAX_FILE_BYTES else NO_SESSION)
    try:
        content = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:  # nested a million deep, not text, not JSON
        raise ValueError(NO_SESSION) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(NO_SESSION)
    version = content.get("version")
    if type(version) is not int or version != VERSION:
        raise ValueError("This drawing was saved by another version of this page and cannot be opened here.")
    return Session(content.get("strokes"), content.get("settings", {}))


# Checking what was read


def _checked_strokes(strokes: Any) -> list[dict[str, Any]]:
    if not isinstance(strokes, list | tuple):
        raise ValueError("This file holds no list of strokes.")
    if len(strokes) > MAX_STROKES:
        raise ValueError(f"This drawing has too many strokes: at most {MAX_STROKES:,} can be opened.")
    images = points = 0
    checked = []
    for stroke in strokes:
        tool = stroke.get("tool") if isinstance(stroke, dict) else None
        if tool == "image":
            images += 1
            if images > MAX_IMAGES:
                raise ValueError(f"This drawing has too many pictures in it: at most {MAX_IMAGES} can be opened.")
            checked.append(_checked_image(stroke))
        elif tool in ("pen", "eraser"):
            checked.append(_checked_line(stroke))
            points += len(checked[-1]["points"])
            if points > MAX_POINTS:
                raise ValueError(f"This drawing has too many points: at most {MAX_POINTS:,} can be opened.")
        else:
            raise ValueError("This drawing has a stroke of a kind that is not known here.")
    return checked


def _checked_line(stroke: dict) -> dict[str, Any]:
    points = stroke.get("points")
    if not isinstance(points, list | tuple) or not points:
        raise ValueError("This drawing has a stroke without points.")
    if not _is_number(stroke.get("radius"), *RADII):
        raise ValueError("This drawing has a stroke of a width that is not possible.")
    mirror = stroke.get("mirror", False)
    if not isinstance(mirror, bool):
        raise ValueError("This drawing has a stroke that cannot be read.")
    if len(points) > MAX_POINTS or not all(map(_is_point, points)):
        raise ValueError("This drawing has a stroke whose points cannot be read.")
    points = [list(map(whole, point)) for point in points]
    line = {"tool": stroke["tool"], "radius": whole(stroke["radius"]), "points": points}
    return {**line, "mirror": mirror} if "mirror" in stroke else line


def _is_point(point: Any) -> bool:
    return (
        isinstance(point, list | tuple)
        and 2 <= len(point) <= 3
        and all(_is_number(value, -FARTHEST, FARTHEST) for value in point[:2])
        and all(_is_number(value, 0, 1) for value in point[2:])
    )


def _checked_image(element: dict) -> dict[str, Any]:
    box = element.get("box")
    if not isinstance(box, list | tuple) or len(box) != 4 or not _is_point(box[:2]):
        raise ValueError("This drawing has a picture in it whose place cannot be read.")
    if not all(_is_number(side, *SIDES) for side in box[2:]):
        raise ValueError("This drawing has a picture in it of a size that is not possible.")
    picture = decode_png(element.get("png"))
    if picture is None or max(picture.size) > CANVAS:
        raise ValueError(f"This drawing has a picture in it that is no PNG of at most {CANVAS} x {CANVAS} pixels.")
    return {"tool": "image", "png": element["png"], "box": list(map(whole, box))}


def _checked_settings(settings: Any) -> dict[str, Any]:
    if not isinstance(settings, dict):
        raise ValueError("The settings in this file cannot be read.")
    settings = {**DEFAULT_SETTINGS, **settings}
    manifold, given, count, appearance, alternative = (settings[key] for key in DEFAULT_SETTINGS)
    if not isinstance(manifold, str) or manifold not in SUBSETS:
        raise ValueError("The settings in this file name faces to follow that are not known here.")
    if not is_whole(count, 1, MAX_NEIGHBORS):
        raise ValueError(f"The number of neighbours in this file is not a whole number from 1 to {MAX_NEIGHBORS}.")
    if not isinstance(given, dict):
        raise ValueError("The refinement in this file cannot be read.")
    refinement = {name: whole(given.get(name, DEFAULT_REFINEMENT)) for name in COMPONENTS}
    if not all(_is_number(value, 0, 1) for value in refinement.values()):
        raise ValueError("The refinement in this file is not made of numbers from 0 to 1.")
    if appearance is not None and not _is_appearance(appearance):
        raise ValueError("The colours in this file cannot be read.")
    if not is_whole(alternative, 0, ALTERNATIVES - 1):
        raise ValueError("The settings in this file name a suggestion that is not known here.")
    appearance = appearance and list(map(whole, appearance))
    return dict(zip(DEFAULT_SETTINGS, (manifold, refinement, count, appearance, alternative), strict=True))


def _is_appearance(values: Any) -> bool:
    return (
        isinstance(values, list | tuple)
        and 1 <= len(values) <= MAX_APPEARANCE
        and all(_is_number(value, -MAX_COLOUR, MAX_COLOUR) for value in values)
    )


def whole(value: Any) -> Any:
    """A whole number as an integer, however it was sent; anything else as it is, for the checks to refuse."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _is_number(value: Any, low: float, high: float) -> bool:
    """Whether it is a number, finite and in range; NaN compares as out of range."""
    return type(value) in (int, float) and low <= value <= high


def decode_png(url: Any) -> Image.Image | None:
    """The picture in a data URL, decoded whole; None unless it is a PNG of a sane size."""
    if not isinstance(url, str) or not url.startswith(PNG) or len(url) > MAX_PNG_BYTES * 4 // 3 + 64:
        return None
    try:
        data = base64.b64decode(url.removeprefix(PNG), validate=True)
        picture = Image.open(io.BytesIO(data), formats=("PNG",))
        if max(picture.size) > CANVAS:
            return None
        picture.load()
    except Exception:  # see _from_picture
        return None
    return picture


# Writing files


def _chunks(title: str, session: Session | None) -> PngImagePlugin.PngInfo:
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("Title", title)
    chunks.add_text("Software", SOFTWARE)
    if session is not None:
        chunks.add_text(CHUNK, write_session(session).decode(), zip=True)
    return chunks


def _png(picture: Image.Image, chunks: PngImagePlugin.PngInfo) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG", pnginfo=chunks)
    return file.getvalue()
