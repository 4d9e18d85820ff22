"""Draws the app's example sketches: `python -m dfd.ui.draw_examples` rewrites `dfd/ui/examples/*`.

Each is a picture and a session of the same strokes, which the pad opens.

Every face is a list of curves through hand-placed points, 512 x 512 px, `x` to the right and `y` down. The
points follow the alignment of the training data: eyes at (195, 241) and (317, 241), nose tip near (256, 315),
mouth near (256, 365), chin near 452. Most curves are given for the left half only and mirrored.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from dfd.components import CANVAS
from dfd.ui.session import Session, write_session

FOLDER = Path(__file__).parent / "examples"


class Pen:
    """A slightly shaky pen on white paper; `passes` > 1 goes over every line again, a little beside it."""

    SCALE = 4  # drawn larger and reduced, for smooth edges

    def __init__(self, seed: int, width: float = 2.8, wobble: float = 1.0, passes: int = 1):
        self.random = np.random.default_rng(seed)
        self.width, self.wobble, self.passes = width, wobble, passes
        self.strokes: list[dict] = []
        self.paper = Image.new("L", (CANVAS * self.SCALE, CANVAS * self.SCALE), 255)
        self.draw = ImageDraw.Draw(self.paper)

    def line(self, *points: tuple[float, float]) -> None:
        """A smooth stroke through the points."""
        for _ in range(self.passes):
            path = _through(np.array(points, float))
            steps = np.linspace(0, np.linalg.norm(np.diff(path, axis=0), axis=1).sum() / 45, len(path))
            for axis in (0, 1):  # the hand drifts slowly: about one swing every 45 px
                phase, speed = self.random.uniform(0, 6.28, 3), self.random.uniform(0.5, 2.2, 3)
                path[:, axis] += self.wobble * 0.5 * np.sin(steps[:, None] * speed * 3 + phase).sum(1)
            path += self.random.normal(0, 0.7 if self.passes == 1 else 2, 2)
            self._ink(path * self.SCALE)
            length = np.linalg.norm(np.diff(path, axis=0), axis=1).sum()
            kept = np.round(path[np.linspace(0, len(path) - 1, int(length / 8) + 3).astype(int)], 1)
            self.strokes.append({"tool": "pen", "radius": self.width / 2, "points": kept.tolist()})

    def both(self, *points: tuple[float, float]) -> None:
        """The stroke and its mirror image, each with its own shake."""
        self.line(*points)
        self.line(*[(CANVAS - x, y) for x, y in points])

    def across(self, *points: tuple[float, float]) -> None:
        """One symmetric stroke, given from its left end to the middle."""
        self.line(*points, *[(CANVAS - x, y) for x, y in points[::-1] if x != CANVAS / 2])

    def _ink(self, path: np.ndarray) -> None:
        radius = self.width * self.SCALE / 2
        self.draw.line([tuple(p) for p in path], fill=0, width=round(2 * radius), joint="curve")
        for x, y in (path[0], path[-1]):
            self.draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=0)

    def image(self) -> Image.Image:
        return self.paper.resize((CANVAS, CANVAS), Image.Resampling.BOX)


def _through(points: np.ndarray, per_piece: int = 24) -> np.ndarray:
    """Catmull-Rom curve through the points."""
    p = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    t = np.linspace(0, 1, per_piece, endpoint=False)[:, None]
    pieces = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(p, p[1:], p[2:], p[3:], strict=False)
    ]
    return np.concatenate([*pieces, points[-1:]])


def eyes(pen: Pen, lid: float = 228, bag: bool = True, lashes: bool = False) -> None:
    """Lids, iris, pupil and crease; `lid` is the height of the upper lid's top."""
    pen.both((163, 245), (175, lid + 5), (194, lid - 1), (213, lid + 5), (227, 247))
    pen.both((163, 245), (179, 254), (197, 256), (214, 253), (227, 247))
    pen.both((183, lid + 1), (181, 241), (186, 251), (195, 254), (204, 251), (209, 241), (207, lid + 1))
    pen.both((191, 240), (195, 236), (199, 240), (195, 244), (191, 240))
    pen.both((164, lid + 2), (178, lid - 9), (197, lid - 12), (216, lid - 6), (226, lid + 6))
    if bag:
        pen.both((174, 264), (193, 269), (213, 264))
    if lashes:
        for x, y in ((164, 242), (170, 236), (177, 231)):
            pen.both((x, y), (x - 7, y - 6))


def brows(pen: Pen, arch: float = 0, thick: float = 9) -> None:
    pen.both((147, 214), (168, 200 - arch), (196, 197 - arch), (231, 205))
    pen.both((147, 214), (169, 201 - arch + thick), (197, 199 - arch + thick), (230, 204 + thick), (231, 205))


def nose(pen: Pen, wide: float = 0, bridge: bool = True) -> None:
    pen.both((219 - wide, 294), (211 - wide, 304), (213 - wide, 316), (223 - wide, 319))
    pen.across((223 - wide, 319), (233, 313), (243, 320), (256, 326))
    if bridge:
        pen.line((243, 232), (241, 258), (236, 285))


def closed_mouth(pen: Pen, smile: float = 0) -> None:
    left = (203 - smile, 364 - smile)
    pen.across(left, (222, 362), (243, 364), (256, 366))
    pen.across(left, (228, 353), (247, 348), (256, 352))
    pen.across((207 - smile, 367 - smile), (228, 381), (256, 387))
    pen.across((238, 403), (256, 406))


def laughing_mouth(pen: Pen, teeth: bool = True) -> None:
    pen.across((194, 353), (225, 346), (246, 341), (256, 345))
    pen.across((198, 355), (226, 357), (256, 359))
    pen.across((202, 358), (226, 375), (256, 380))
    pen.across((194, 353), (205, 372), (228, 389), (256, 395))
    pen.across((240, 409), (256, 412))
    if teeth:
        pen.line((256, 359), (256, 379))
        for x, bottom in ((243, 378), (230, 375), (218, 369)):
            pen.both((x, 358), (x, bottom))
    pen.both((203, 312), (187, 326), (177, 346))


def jaw(pen: Pen, square: float = 0, chin: float = 452) -> None:
    """From ear to ear; `square` pushes the corners of the jaw outwards, in px."""
    corner = (166 - square, 388 + square / 2)
    pen.across((130, 238), (133, 285), (143 - square / 2, 335), corner, (206 - square, chin - 20), (256, chin))


def ears(pen: Pen) -> None:
    pen.both((129, 240), (117, 228), (109, 242), (113, 272), (123, 297), (136, 300))
    pen.both((126, 248), (118, 246), (120, 270), (127, 284))


def shoulders(pen: Pen, collar: float = 496, neck: float = 408) -> None:
    pen.both((173, neck), (174, 440), (168, 462))
    pen.both((168, 462), (120, 478), (62, 494), (22, 511))
    pen.across((168, 462), (196, collar - 10), (256, collar))


def long_hair(pen: Pen) -> None:
    eyes(pen, lashes=True, bag=False)
    brows(pen, arch=4, thick=6)
    nose(pen, bridge=False)
    closed_mouth(pen, smile=2)
    jaw(pen)
    pen.line((238, 26), (180, 36), (118, 88), (86, 170), (72, 270), (58, 370), (30, 440), (16, 511))
    pen.line((238, 26), (310, 22), (380, 70), (418, 150), (434, 250), (446, 350), (470, 430), (490, 511))
    pen.line(
        (238, 26),
        (226, 60),
        (190, 100),
        (152, 150),
        (134, 210),
        (130, 270),
        (140, 350),
        (132, 430),
        (146, 511),
    )
    pen.line(
        (238, 26),
        (268, 72),
        (320, 110),
        (362, 160),
        (380, 220),
        (384, 280),
        (374, 350),
        (384, 430),
        (370, 511),
    )
    for x in (60, 90):
        pen.line((x + 66, 110), (x + 32, 210), (x + 22, 310), (x + 8, 410), (x - 4, 505))
    for x in (410, 438):
        pen.line((x - 52, 100), (x - 14, 210), (x - 4, 310), (x + 6, 410), (x + 16, 505))
    pen.both((178, 425), (180, 455), (164, 480))
    pen.across((166, 484), (205, 503), (256, 508))


def short_hair(pen: Pen) -> None:
    eyes(pen, lid=231)
    brows(pen, arch=-3, thick=11)
    nose(pen, wide=4)
    closed_mouth(pen)
    jaw(pen, square=10, chin=458)
    ears(pen)
    shoulders(pen, neck=421)
    pen.across((112, 236), (100, 190), (102, 130), (130, 68), (186, 30), (256, 18))
    pen.line((131, 238), (137, 190), (146, 146), (176, 112), (230, 96), (290, 104), (348, 92))
    pen.line((348, 92), (366, 140), (375, 190), (381, 238))
    for x in (176, 214, 252, 290, 326):
        pen.line((x - 12, 98), (x + 2, 72), (x + 24, 48))


def glasses(pen: Pen) -> None:
    eyes(pen, lid=230, bag=False, lashes=True)
    brows(pen, arch=8, thick=6)
    nose(pen, bridge=False)
    laughing_mouth(pen)
    jaw(pen)
    ears(pen)
    pen.both((150, 240), (158, 220), (194, 213), (230, 220), (237, 240), (230, 266), (194, 278), (160, 268), (150, 240))
    pen.across((237, 238), (246, 233), (256, 231))
    pen.both((150, 236), (136, 234), (124, 236))
    pen.both((172, 410), (176, 450), (158, 482), (90, 498), (40, 511))
    pen.across((152, 488), (196, 508), (256, 511))
    pen.across((116, 234), (106, 180), (116, 120), (152, 74), (204, 50), (256, 46))
    pen.across((131, 238), (138, 186), (156, 140), (196, 106), (256, 94))
    for x, y in ((150, 120), (186, 94), (222, 82)):
        pen.both((x, y), (x + 8, y - 18), (x + 24, y - 34))


def beard(pen: Pen) -> None:
    eyes(pen, lid=231)
    brows(pen, arch=-2, thick=12)
    nose(pen, wide=5)
    closed_mouth(pen)
    jaw(pen, square=8, chin=466)
    ears(pen)
    shoulders(pen, collar=502, neck=428)
    pen.across((130, 300), (150, 330), (178, 346), (206, 338), (228, 336), (256, 340))
    pen.across((196, 352), (190, 376), (210, 398), (256, 404))
    for x, y in (
        (148, 350),
        (162, 376),
        (180, 398),
        (202, 416),
        (226, 424),
        (170, 356),
        (186, 410),
        (222, 442),
    ):
        pen.both((x, y), (x + 4, y + 16))
    pen.line((256, 418), (257, 440))
    pen.across((112, 240), (98, 186), (94, 120), (130, 52), (196, 14), (256, 10))
    pen.across((131, 240), (140, 190), (144, 140), (190, 104), (256, 110))
    for x in (124, 160, 196, 232):
        pen.both((x - 6, 98), (x - 4, 70), (x + 12, 42))


def older(pen: Pen) -> None:
    eyes(pen, lid=233)
    brows(pen, arch=-2, thick=8)
    nose(pen, wide=4)
    closed_mouth(pen, smile=1)
    jaw(pen, square=14, chin=460)
    ears(pen)
    shoulders(pen, neck=426)
    pen.both((205, 312), (189, 330), (180, 356), (186, 376))
    pen.both((146, 236), (154, 243))
    pen.both((145, 256), (155, 251))
    pen.both((180, 274), (198, 278), (216, 270))
    for y, reach in ((134, 62), (152, 70), (170, 58)):
        pen.across((256 - reach, y), (226, y - 4), (256, y))
    pen.both((246, 200), (248, 216))
    pen.across((112, 236), (102, 190), (108, 130), (140, 72), (192, 40), (256, 30))
    pen.both((131, 238), (138, 196), (140, 150), (164, 104), (206, 74))
    pen.across((206, 74), (232, 84), (256, 90))
    pen.both((118, 150), (126, 172), (124, 200))


def bob(pen: Pen) -> None:
    eyes(pen, lashes=True)
    brows(pen, arch=2, thick=7)
    nose(pen, bridge=False)
    laughing_mouth(pen, teeth=False)
    jaw(pen, square=6, chin=446)
    pen.across((118, 430), (80, 412), (66, 330), (70, 230), (92, 130), (140, 60), (200, 24), (256, 16))
    pen.both((118, 430), (146, 410), (142, 350), (132, 290), (130, 220), (138, 178))
    pen.line((138, 178), (190, 186), (256, 178), (320, 186), (374, 178))
    for x in (170, 205, 240, 275, 310, 345):
        pen.line((x, 180), (x - (256 - x) // 12, 130), (x + (256 - x) // 4, 70))
    for x in (92, 112):
        pen.both((x + 14, 180), (x, 260), (x - 2, 340), (x + 12, 408))
    pen.both((180, 422), (182, 455), (160, 478), (96, 492), (50, 511))
    pen.across((164, 478), (206, 498), (256, 504))


def scribble(pen: Pen) -> None:
    eyes(pen, bag=False)
    brows(pen, thick=6)
    nose(pen)
    closed_mouth(pen, smile=3)
    jaw(pen, square=4)
    pen.across((100, 250), (92, 170), (120, 80), (190, 30), (256, 22))
    pen.both((100, 250), (92, 330), (104, 400), (90, 470))
    pen.line((131, 250), (138, 170), (190, 120), (256, 100), (330, 128), (372, 170), (382, 250))
    pen.both((120, 120), (110, 200), (116, 280), (108, 370))
    pen.both((174, 410), (172, 460), (110, 488), (60, 511))


def half_finished(pen: Pen) -> None:
    eyes(pen, bag=False)
    jaw(pen)
    pen.across((130, 238), (134, 180), (160, 122), (206, 96), (256, 90))
    pen.across((112, 240), (100, 170), (122, 84), (186, 34), (256, 22))


#: Name of the example -> who is drawn, and with what kind of pen.
FACES = {
    "long_hair": (long_hair, {"seed": 1}),
    "short_hair": (short_hair, {"seed": 2}),
    "glasses": (glasses, {"seed": 3}),
    "beard": (beard, {"seed": 4}),
    "bob": (bob, {"seed": 5}),
    "older": (older, {"seed": 6}),
    "scribble": (scribble, {"seed": 7, "width": 2.2, "wobble": 1.6, "passes": 2}),
    "half_finished": (half_finished, {"seed": 8, "wobble": 1.4}),
}


def draw(name: str) -> Pen:
    """The pen that has drawn the example of that name; always the same."""
    face, kind = FACES[name]
    pen = Pen(**kind)
    face(pen)
    return pen


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name in FACES:
        pen = draw(name)
        pen.image().save(FOLDER / f"{name}.png", optimize=True)
        (FOLDER / f"{name}.json").write_bytes(write_session(Session(pen.strokes)))
