"""Hostile picture files: of every format that the page names and some more, odd, damaged and lying ones."""

import io
import struct
import zlib

import numpy as np
from hypothesis import strategies as st
from PIL import Image

MODES = {
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "JPEG": ("L", "RGB", "CMYK"),
    "WEBP": ("RGB", "RGBA"),
    "GIF": ("L", "P"),
    "TIFF": ("1", "L", "P", "RGB", "RGBA", "CMYK", "I", "I;16", "F"),
    "BMP": ("1", "L", "P", "RGB"),
}
SIDES = st.one_of(st.integers(1, 40), st.sampled_from([1, 15, 16, 17, 64, 513]))
SIZES = st.one_of(st.tuples(SIDES, SIDES), st.sampled_from([(30_000, 1), (1, 30_000), (16_000, 16), (16, 16_000)]))

#: Sizes that headers claim.
LIES = [(0, 0), (1, 1), (7_000, 7_000), (60_000, 60_000), (2**31 - 1, 1), (2**32 - 1, 2**32 - 1), (30_000, 1)]


def pixels(mode: str, size: tuple[int, int], kind: str, seed: int) -> Image.Image:
    width, height = size
    if kind == "flat":
        values = np.full((height, width, 4), seed % 256, np.uint8)
    elif kind == "alpha only":
        values = np.zeros((height, width, 4), np.uint8)
        values[::3, :, 3] = 255
    else:
        values = np.random.default_rng(seed).integers(0, 256, (height, width, 4), np.uint8)
    if mode in ("F", "I"):
        grey = values[..., 0].astype(np.float32 if mode == "F" else np.int32)
        if mode == "F" and kind == "noise":
            grey.flat[0] = (np.nan, np.inf, -1e30, 1e30)[seed % 4]
        return Image.fromarray(grey)
    if mode == "I;16":
        return Image.fromarray(values[..., 0].astype(np.uint16) * 257)
    return Image.fromarray(values).convert(mode)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def claiming(data: bytes, size: tuple[int, int]) -> bytes:
    """The file with another size in its header, and a checksum that fits."""
    width, height = size
    if data.startswith(b"\x89PNG"):
        header = struct.pack(">II", width, height) + data[24:29]
        return data[:8] + png_chunk(b"IHDR", header) + data[33:]
    short = struct.pack("<HH", min(width, 65535), min(height, 65535))
    if data.startswith(b"GIF"):
        return data[:6] + short + data[10:]
    if data.startswith(b"BM"):
        return data[:18] + struct.pack("<ii", min(width, 2**31 - 1), min(height, 2**31 - 1)) + data[26:]
    if data.startswith(b"\xff\xd8"):
        at = next((i for kind in (b"\xff\xc0", b"\xff\xc2") if (i := data.find(kind)) > 0), 0)
        return data[: at + 5] + struct.pack(">HH", min(height, 65535), min(width, 65535)) + data[at + 9 :]
    if data.startswith(b"RIFF"):
        at = data.find(b"VP8X") + 12
        return data[:at] + struct.pack("<I", min(width, 2**24) - 1 & 0xFFFFFF)[:3] * 2 + data[at + 6 :]
    for tag in (256, 257):  # TIFF, little-endian: the tags of width and height
        at = data.find(struct.pack("<H", tag))
        if at > 0:
            data = data[: at + 8] + struct.pack("<I", size[tag - 256]) + data[at + 12 :]
    return data


@st.composite
def picture_files(draw) -> bytes:
    """A picture's file, and what may have happened to it."""
    name = draw(st.sampled_from(sorted(MODES)))
    mode = draw(st.sampled_from(MODES[name]))
    kind, seed = draw(st.sampled_from(["noise", "flat", "alpha only"])), draw(st.integers(0, 999))
    size = draw(SIZES)
    if name == "WEBP":
        size = tuple(min(side, 16_000) for side in size)
    options = {}
    if name in ("PNG", "JPEG", "WEBP", "TIFF") and draw(st.booleans()):
        exif = Image.Exif()
        exif[274] = draw(st.integers(0, 9))
        options["exif"] = exif
    if name in ("GIF", "WEBP", "PNG", "TIFF") and draw(st.booleans()) and max(size) < 100:
        more = [pixels(mode, size, kind, seed + i) for i in range(draw(st.integers(1, 3)))]
        options |= {"save_all": True, "append_images": more}
    file = io.BytesIO()
    pixels(mode, size, kind, seed).save(file, name, **options)
    data = file.getvalue()
    for damage in draw(st.lists(st.sampled_from(["cut", "flip", "fill", "lie", "tail", "text"]), max_size=3)):
        if damage == "cut":
            data = data[: draw(st.integers(0, len(data)))]
        elif damage == "flip":
            changed = bytearray(data)
            for _ in range(draw(st.integers(1, 8))):
                # Most of the structure lies at the beginning.
                at = draw(st.integers(0, min(200, len(data)) or 1) | st.integers(0, len(data) or 1))
                if at < len(data):
                    changed[at] = draw(st.integers(0, 255))
            data = bytes(changed)
        elif damage == "fill":
            at = draw(st.integers(0, max(0, len(data) - 4)))
            data = data[:at] + draw(st.sampled_from([b"\xff" * 4, b"\0" * 4, b"\x7f" + b"\xff" * 3])) + data[at + 4 :]
        elif damage == "lie" and len(data) > 33:
            data = claiming(data, draw(st.sampled_from(LIES)))
        elif damage == "tail":
            data += draw(st.binary(max_size=50))
        elif damage == "text" and data.startswith(b"\x89PNG"):
            keyword = draw(st.sampled_from([b"deepfacedrawing", b"Comment", b""]))
            text = draw(st.sampled_from([b"{}", b"[" * 100_000, bytes(3 * 2**20), b'{"format":1}', b"\xff\xfe"]))
            data = data[:33] + png_chunk(b"zTXt", keyword + b"\0\0" + zlib.compress(text)) + data[33:]
    return data
