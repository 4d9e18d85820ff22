"""Faces as most people draw them: an almond and circles for an eye, an arc for a brow, three curves for a mouth.

Line drawings made from photos never show an eye so. Strokes made from landmarks give the networks that look, with
the true photo behind it: what an almond's slant, a brow's arch or a straight mouth says about a face.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import splev, splprep

from dfd.components import CANVAS
from dfd.data import hair

#: Landmarks of the jaw, from ear to ear, in dlib's order.
JAW = range(17)

#: Landmarks of each feature, in dlib's order: (brow, lids, pupil) of the picture's left and right eye.
EYES = ((range(17, 22), range(36, 42), 68), (range(22, 27), range(42, 48), 69))
NOSE, MOUTH = range(27, 36), range(48, 68)

#: Strokes of the line drawing whose middle lies so near (px) to a feature's box are replaced by the feature.
REACH = 8

#: Lips nearer than this (px) are closed: one line is drawn between them. At 4 px every sixth of such drawings was of a
#: mouth that shows its teeth (measured), and drawn closed lips parted.
CLOSED = 2

#: Lips farther apart than this (px) are open; nearly all of such mouths smile.
OPEN = 6

#: Lips that are not closed are drawn at least so far apart (px): nearer, a pen's width makes them one line.
PARTED = 9

#: Ages between which wrinkles begin to be drawn, and shares of the drawings that have each kind of them before and
#: after. Drawn at any age, they made nobody older; at some ages only, they were taken for hair when drawn (seen).
AGES = (35, 50)
WRINKLES = {"forehead": (0.08, 0.6), "folds": (0.08, 0.5), "crows_feet": (0, 0.4), "bags": (0.08, 0.4)}

#: Shares of the drawings in which a beard is drawn, of faces without and with one.
BEARD = (0.06, 0.7)

#: Share of the drawings of faces without glasses in which glasses are drawn: goals say what they would look like
#: (`dfd.training.meanings`), as with beards. The faces that have them, every thirtieth, would be too few to learn from.
GLASSES = 0.1

#: Half the width of a lens, in shares of the eyes' distance, and its height in shares of that. Lenses from 0.3 wide and
#: 0.6 high are the size of eyes drawn large, which were taken for glasses (seen).
LENS, LENS_HEIGHT = (0.34, 0.46), (0.75, 1.05)

#: Shares of the drawings with much hair that have curls, where it is straight and where it is curly.
CURLS = (0.12, 0.7)

#: Share of the drawings with closed lips in which the corners of the mouth are drawn down, and by how much, in shares
#: of the mouth's width.
SAD, SAD_CORNERS = 0.2, (0.06, 0.2)

#: Share of the drawings in which hair is an outline with a few strands.
HAIR = 0.85

#: Share of the drawings in which the rest too is drawn anew: jaw, ears, neck, shoulders. Two lines for a neck, which no
#: photo's line drawing has without shoulders, became smudges beside it (seen).
OUTLINE = 0.4

#: By how much features are drawn too large, in the mean (logarithm of the factor). It matters for mouths: in photos a
#: wide one is a smile, in drawings it is a mouth. Closed lips of 110 px, where the data's have 75 px, became teeth;
#: reduced to 0.85 of their size four of five were more closed, by 0.05 to 0.27 of the way from open ones (measured).
LARGER, LARGER_MOUTH = 0.12, 0.24

#: By how much features are drawn beside their place (px), in most drawings and in the share of careless ones.
BESIDE, CARELESS, FAR_BESIDE = 2, 0.4, 7

#: Share of the drawings that are too large or small as a whole, or beside their place: by how much, in width and in
#: height (shares), and in px. A narrow oval with a low mouth, as one draws it on empty paper, had a patchy face whose
#: smile was overlooked (seen).
UNMEASURED, STRETCH, OFFSET = 0.5, (0.07, 0.06), 7

#: Share of the outlines that are an ellipse.
ELLIPSE = 0.35

#: Distance of points (px) in strokes so short that at 2 px `freehand` would drop them as whiskers.
SHORT_STEP = 0.6

#: Shares of the drawings whose eyes are dots or circles without lids, and whose mouth is a single line, as drawn in a
#: hurry. How far that line is bent says whether the mouth smiles. And the share of the mouths with lips far apart that
#: are a line above and one below, without lips.
DOTS, ONE_LINE, GRIN = 0.06, 0.35, 0.3

#: How far a single line that smiles is bent, in shares of its width, and how wide it is, in shares of the mouth's. In
#: photos smiles are 110 px wide; drawn as an arc of 83 px one was taken for closed lips (seen).
SMILE_BENT, SMILE_WIDTH = (0.05, 0.35), (0.5, 1.1)

#: How much wider than in the photo eyes are opened: mean and standard deviation of the factor's logarithm. Round eyes,
#: a little low, were taken for glasses too: 0.06 of the way to them when 16 px tall, 0.97 when 32 px (measured).
TALL = 0.1, 0.25

#: Radius of an iris in shares of the eye's width, and by which shares of their lengths upper and lower lid at most stop
#: short of the corners. Two arcs that do not touch, around a small circle, were taken for glasses (seen).
IRIS, SHORT_LIDS = (0.1, 0.25), (0.12, 0.3)

Strokes = list[np.ndarray]


@dataclass(frozen=True)
class Person:
    """Whom a schematic drawing shows.

    Attributes:
        landmarks: float32 70 x 2 as `dfd.data.landmarks.find` gives them.
        bearded: whether there is a beard to be drawn.
        age: in years, None if it is not known.
        hair: bool 128 x 128 as `dfd.data.hair.find` gives it, None if it is not known.
        glasses: whether glasses are worn.
        curly: whether the hair is.
    """

    landmarks: np.ndarray
    bearded: bool = False
    age: float | None = None
    hair: np.ndarray | None = None
    glasses: bool = False
    curly: bool = False

    @property
    def hairy(self) -> bool:
        """Whether there is much hair."""
        return self.hair is not None and bool(self.hair.mean() > hair.PLENTY)

    @property
    def lips_apart(self) -> float:
        """Opening of the mouth in px, from lip to lip."""
        mouth = self.landmarks[MOUTH]
        return float((mouth[17:20, 1] - mouth[[15, 14, 13], 1]).mean())

    @property
    def corners_down(self) -> float:
        """How far the corners of the mouth hang below the line between the lips' middles, in shares of its width."""
        mouth = self.landmarks[MOUTH]
        return float((mouth[[0, 6], 1].mean() - mouth[[14, 18], 1].mean()) / max(mouth[6, 0] - mouth[0, 0], 1))


def schematic(
    strokes: Sequence[np.ndarray], person: Person, rng: np.random.Generator
) -> tuple[Strokes, frozenset[str]]:
    """The strokes of a drawing with eyes, brows, nose, mouth and hair drawn anew, in a random manner.

    Args:
        strokes: n x 2 in canvas px each, as `dfd.strokes.trace` gives them.
        person: whose drawing it is.

    Returns:
        strokes, n x 2 in canvas px each, points about 2 px apart, or closer in short ones and curls; and what they say
        on purpose: which of `MARKS` are among them, "glasses", "curls", "closed" for a closed mouth, "sad" for one with
        its corners down, and "smile" for an open one without lips.
    """
    landmarks = person.landmarks
    mouth = landmarks[MOUTH]
    closed, wide = person.lips_apart < CLOSED, person.lips_apart > OPEN
    sad = closed and rng.random() < SAD
    if sad:
        mouth = _corners_down(mouth, rng)
    tall = np.exp(rng.normal(*TALL))  # both alike
    with_iris, with_crease, with_lashes = rng.random(3) < (0.9, 0.5, 0.15)
    brow, eye = rng.choice([_brow_line, _brow_shape, _brow_hatched]), rng.choice([_almond, _lids])
    if rng.random() < DOTS:
        eye, with_iris, with_crease, with_lashes = (lambda *_: []), True, False, False
    features: list[tuple[np.ndarray, Strokes]] = []
    for brows, lids, pupil in EYES:
        opening = landmarks[lids]
        opening = opening.mean(0) + (opening - opening.mean(0)) * (1, tall)
        drawn = eye(opening, rng)
        drawn += _iris(opening, landmarks[pupil], rng) if with_iris else []
        drawn += _crease(opening, rng) if with_crease else []
        drawn += _lashes(opening, rng) if with_lashes else []
        features.append((landmarks[lids], drawn))
        features.append((landmarks[brows], brow(landmarks[brows], rng)))
    features.append((landmarks[NOSE], _nose(landmarks[NOSE], rng)))
    one_line, grin = rng.random() < ONE_LINE, wide and rng.random() < GRIN
    if one_line:
        features.append((mouth, _arc(mouth, wide, rng)))
    else:
        features.append((mouth, _grin(mouth, rng) if grin else _mouth(mouth, closed, rng)))
    glasses = person.glasses or rng.random() < GLASSES
    if glasses:
        features.append(_glasses(landmarks, rng))
    marks = [name for name, shares in WRINKLES.items() if rng.random() < _by_age(shares, person.age)]
    marks += ["beard"] if rng.random() < BEARD[person.bearded] else []
    on_skin = [stroke for name in marks for stroke in MARKS[name](landmarks, rng)]
    marks += ["glasses"] if glasses else []
    marks += ["closed"] if closed else []
    marks += ["sad"] if sad else []
    marks += ["smile"] if wide and (one_line or grin) else []
    result = (
        _outline(landmarks, rng) if rng.random() < OUTLINE else _outside(strokes, [points for points, _ in features])
    )
    if person.hair is not None and rng.random() < HAIR:  # now: the middle of a hairline may lie in a feature
        curls = (person.hairy or person.curly) and rng.random() < CURLS[person.curly]
        result = hair.draw(result, person.hair, landmarks, rng, curls)
        marks += ["curls"] if curls else []
    beside = FAR_BESIDE if rng.random() < CARELESS else BESIDE
    for points, drawn in features:
        move = _hand(points.mean(0), LARGER_MOUTH if points is mouth else LARGER, beside, rng)
        result += [move(stroke) for stroke in drawn]
    result += on_skin
    if rng.random() < UNMEASURED:
        middle, size, shift = landmarks.mean(0), np.exp(rng.normal(0, STRETCH)), rng.normal(0, OFFSET, 2)
        result = [((stroke - middle) * size + middle + shift).astype(np.float32) for stroke in result]
    return result, frozenset(marks)


def _outside(strokes: Sequence[np.ndarray], features: Sequence[np.ndarray]) -> Strokes:
    """The strokes whose middle is near no feature's box (each given by its landmarks, n x 2)."""
    if not len(strokes):
        return []
    boxes = np.stack([np.concatenate([points.min(0) - REACH, points.max(0) + REACH]) for points in features])
    middles = np.stack([s.mean(0) for s in strokes])
    inside = ((middles[:, None] > boxes[:, :2]) & (middles[:, None] < boxes[:, 2:])).all(2).any(1)
    return [stroke for stroke, covered in zip(strokes, inside, strict=True) if not covered]


def _by_age(shares: tuple[float, float], age: float | None) -> float:
    """The share of drawings with wrinkles at an age; where it is not known, a third of the way to the old ones."""
    known = 1 / 3 if age is None else float(np.interp(age, AGES, (0, 1)))
    return shares[0] + known * (shares[1] - shares[0])


def curve(points: np.ndarray, step: float = 2, closed: bool = False) -> np.ndarray:
    """A smooth line through points (n x 2), with a point every `step` px."""
    points = np.asarray(points, np.float64)
    keep = np.concatenate([[True], np.abs(np.diff(points, axis=0)).max(1) > 1e-3])
    points = points[keep]
    if len(points) < 3:
        count = max(int(np.linalg.norm(points[-1] - points[0]) / step), 2)
        return np.linspace(points[0], points[-1], count).astype(np.float32)
    if closed:
        points = np.concatenate([points, points[:1]])
    spline, _ = splprep(points.T, s=0, k=min(3, len(points) - 1), per=closed)
    length = np.linalg.norm(np.diff(points, axis=0), axis=1).sum()
    return np.stack(splev(np.linspace(0, 1, max(int(length / step), 4)), spline), 1).astype(np.float32)


def _by(x: float, y: float) -> np.ndarray:
    return np.float32([x, y])


def _hand(
    middle: np.ndarray, larger: float, beside: float, rng: np.random.Generator
) -> Callable[[np.ndarray], np.ndarray]:
    """How a hand errs on one feature as a whole: mostly too large, and moved, stretched and turned a little."""
    size = np.exp(rng.normal(larger, 0.17) + rng.normal(0, 0.07, 2))
    matrix = np.diag(size) + rng.normal(0, 0.025, (2, 2))
    shift = rng.normal(0, beside, 2)
    return lambda stroke: ((stroke - middle) @ matrix + middle + shift).astype(np.float32)


def _almond(lids: np.ndarray, rng: np.random.Generator) -> Strokes:
    upper, lower = curve(lids[:4]), curve(lids[[3, 4, 5, 0]])
    return [np.concatenate([upper, lower])]


def _lids(lids: np.ndarray, rng: np.random.Generator) -> Strokes:
    """Upper and lower lid apart; both may stop short of the corners, or the lower one be left out."""
    upper = _shortened(curve(lids[:4]), rng.uniform(0, SHORT_LIDS[0]))
    lower = _shortened(curve(lids[[3, 4, 5, 0]]), rng.uniform(0, SHORT_LIDS[1]))
    return [upper, lower] if rng.random() < 0.85 else [upper]


def _shortened(line: np.ndarray, share: float) -> np.ndarray:
    """A line without a share of its points at each end."""
    short = int(share * len(line))
    return line[short : len(line) - short]


def _iris(lids: np.ndarray, pupil: np.ndarray, rng: np.random.Generator) -> Strokes:
    """A circle, cut by the lids or whole, and in it a pupil, a dot or a catchlight, or nothing."""
    radius = np.ptp(lids[:, 0]) * rng.uniform(*IRIS)
    angles = np.linspace(0, 2 * np.pi, 24)
    circle = np.stack([np.cos(angles), np.sin(angles)], 1)
    ring = pupil + radius * circle
    if rng.random() < 0.6:  # cut by the lids
        top, bottom = lids[1:3, 1].min(), lids[4:6, 1].max()
        ring = ring[(ring[:, 1] > top) & (ring[:, 1] < bottom)]
        gap = np.flatnonzero(np.linalg.norm(np.diff(ring, axis=0), axis=1) > radius)
        rings = [part for part in np.split(ring, gap + 1) if len(part) > 1]
    else:
        rings = [ring]
    inner = rng.random()
    if inner < 0.4:
        rings.append(pupil + radius * rng.uniform(0.25, 0.5) * circle)
    elif inner < 0.7:  # filled
        rings += [pupil + radius * share * circle for share in (0.1, 0.25, 0.4)]
    if inner < 0.15:
        rings.append(pupil + _by(-0.35 * radius, -0.35 * radius) + 0.2 * radius * circle)
    return [r.astype(np.float32) for r in rings]


def _crease(lids: np.ndarray, rng: np.random.Generator) -> Strokes:
    rise = np.ptp(lids[:, 0]) * rng.uniform(0.1, 0.25)
    return [curve(lids[:4] + np.float32([[0, -0.6], [0, -1], [0, -1], [0, -0.6]]) * rise)]


def _lashes(lids: np.ndarray, rng: np.random.Generator) -> Strokes:
    upper, middle = curve(lids[:4]), lids.mean(0) + _by(0, 8)
    roots = upper[:: max(len(upper) // rng.integers(4, 9), 1)]
    away = (roots - middle) / np.linalg.norm(roots - middle, axis=1, keepdims=True)
    return [
        curve(np.stack([root, root + a * rng.uniform(5, 10)]), SHORT_STEP) for root, a in zip(roots, away, strict=True)
    ]


def _brow_line(brow: np.ndarray, rng: np.random.Generator) -> Strokes:
    line = curve(brow)
    return [line + np.float32([0, down]) for down in (0, 2, 4)[: rng.integers(1, 4)]]


def _brow_shape(brow: np.ndarray, rng: np.random.Generator) -> Strokes:
    """A thin closed shape; landmarks run along its upper border, and it thins out towards the temple."""
    thick = rng.uniform(5, 10)
    profile = np.float32([0, 0.5, 0.8, 0.9, 1])[:: 1 if brow[0, 0] < 256 else -1, None]
    return [curve(brow), curve(brow + profile * np.float32([[0, thick]]))]


def _brow_hatched(brow: np.ndarray, rng: np.random.Generator) -> Strokes:
    line = curve(brow)[:: rng.integers(2, 4)]
    lean = np.float32([6 if brow[0, 0] > 256 else -6, 0]) * rng.uniform(-0.5, 1)
    return [curve(np.stack([p + _by(0, rng.uniform(5, 10)), p + lean])) for p in line]


def _nose(nose: np.ndarray, rng: np.random.Generator) -> Strokes:
    """Base, wings, nostrils and bridge, each or not: from a plain line to all of them."""
    bridge, base = nose[:4], nose[4:]
    wing = rng.uniform(8, 14)
    left, right = base[0] + _by(-wing * 0.5, -wing * 0.7), base[4] + _by(wing * 0.5, -wing * 0.7)
    kind = rng.random()
    if kind < 0.45:  # one line from wing to wing
        drawn = [curve(np.stack([left + _by(4, -wing * 0.5), left, *base, right, right + _by(-4, -wing * 0.5)]))]
    elif kind < 0.55:  # one line down the bridge and round the tip
        side = rng.choice([-1, 1])
        drawn = [curve(np.stack([*(bridge + _by(side * 6, 0)), base[2] + _by(side * 14, -4), base[2] + _by(0, 2)]))]
    elif kind < 0.75:  # two wings, a tip between them
        tip = curve(np.stack([base[1], base[2] + _by(0, 2), base[3]]))
        sides = [np.stack([left + _by(4, -wing * 0.6), left, base[0], base[1] + _by(-2, 1)])]
        sides.append(np.stack([right + _by(-4, -wing * 0.6), right, base[4], base[3] + _by(2, 1)]))
        drawn = [*map(curve, sides), tip]
    else:  # the base alone
        drawn = [curve(base)]
    if rng.random() < 0.4:  # nostrils
        for middle in (base[1], base[3]):
            drawn.append(curve(middle + np.float32([[-5, 0], [-2, -4], [3, -4], [5, 0]]) * rng.uniform(0.7, 1.2)))
    if rng.random() < 0.4:  # one side of the bridge
        side = rng.choice([-1, 1]) * rng.uniform(3, 14)
        first = rng.integers(0, 3)
        drawn.append(curve(bridge[first:] + np.float32([side, 0])))
    elif rng.random() < 0.1:
        drawn += [curve(bridge + np.float32([side, 0])) for side in (-9, 9)]
    return drawn


def _mouth(mouth: np.ndarray, closed: bool, rng: np.random.Generator) -> Strokes:
    """Lips and what is between them; or that and a lower lip hinted at."""
    above, below = _edges(mouth)
    if closed:
        above = below = (above + below) / 2
    else:
        gap = max(PARTED - float((below - above)[3, 1]), 0)
        below = below + np.outer(gap * np.sin(np.linspace(0, np.pi, 7)), (0, 1)).astype(np.float32)
    upper, lower = _upper_lip(above, mouth, rng), _lower_lip(below, mouth, rng)
    between = [curve(above)] if closed else [curve(above), curve(below)]
    kind = rng.random()
    if kind < 0.6:
        drawn = [upper, lower, *between]
    elif kind < 0.8:  # lips without their corners
        drawn = [upper[4:-4], lower[6:-6], *between]
    else:  # the line and the lower lip
        drawn = [*between, lower[8:-8]]
    if rng.random() < 0.3:  # the fold below the lower lip
        fold = lower[len(lower) // 3 : 2 * len(lower) // 3]
        drawn.append(fold * (1, 0.5) + _by(0, 0.5 * fold[:, 1].max() + rng.uniform(8, 20)))
    return drawn if closed else drawn + _teeth(*between, rng)


def _edges(mouth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The upper lip's lower edge and the lower lip's upper edge, from corner to corner, 7 x 2 each."""
    return mouth[[0, 12, 13, 14, 15, 16, 6]], mouth[[0, 12, 19, 18, 17, 16, 6]]


def _teeth(top: np.ndarray, bottom: np.ndarray, rng: np.random.Generator) -> Strokes:
    """Between two lines, in some drawings."""
    if rng.random() > 0.4:
        return []
    count = min(len(top), len(bottom))
    places = [int(k * count) for k in np.linspace(0.15, 0.85, rng.integers(4, 9))]
    return [curve(np.stack([top[i], bottom[i]])) for i in places]


def _grin(mouth: np.ndarray, rng: np.random.Generator) -> Strokes:
    """A line above and one below, wider open than it is."""
    above, below = _edges(mouth)
    flat = np.linspace(above[0], above[-1], 7)
    above = above + rng.uniform(0, 1) * (flat - above)
    lips = [curve(above), curve(_bent(below, rng.uniform(0, 0.35), rng.uniform(0.5, 1)))]
    return lips + _teeth(*lips, rng)


def _upper_lip(edge: np.ndarray, mouth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """From corner to corner above its lower edge: an arc, or with a bow in the middle; mostly fuller than it is."""
    line = curve(edge)
    along = np.linspace(0, 1, len(line))
    height = max(edge[3, 1] - mouth[[2, 4], 1].mean(), 4) * np.exp(rng.normal(0.2, 0.25))
    arc = np.sin(np.pi * along) ** rng.uniform(0.7, 1.5)
    bow = rng.choice([0, rng.uniform(0.1, 0.45)], p=[0.25, 0.75])
    return line - np.outer(height * arc * (1 - bow * np.exp(-(((along - 0.5) / 0.1) ** 2))), (0, 1)).astype(np.float32)


def _lower_lip(edge: np.ndarray, mouth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """From corner to corner below its upper edge; mostly fuller than it is: else closed lips are taken for open."""
    line = curve(edge)
    along = np.linspace(0, 1, len(line))
    height = max(mouth[[8, 9, 10], 1].mean() - edge[3, 1], 6) * np.exp(rng.normal(0.3, 0.25))
    return line + np.outer(height * np.sin(np.pi * along) ** rng.uniform(0.6, 1.3), (0, 1)).astype(np.float32)


def _arc(mouth: np.ndarray, wide: bool, rng: np.random.Generator) -> Strokes:
    """A mouth as a single line, between its lips' edges; how far it is bent says whether it smiles, mostly too much."""
    above, below = _edges(mouth)
    line = above + rng.uniform(0.3, 1) * (below - above)
    if not wide:
        return [curve(line)]
    line = line.mean(0) + (line - line.mean(0)) * _by(rng.uniform(*SMILE_WIDTH), 1)
    return [curve(_bent(line, rng.uniform(*SMILE_BENT), 1))]


def _bent(line: np.ndarray, share: float, power: float) -> np.ndarray:
    """A mouth's line (7 x 2) bent downwards in the middle, by a share of its width."""
    depth = (line[-1, 0] - line[0, 0]) * share * np.sin(np.linspace(0, np.pi, 7)) ** power
    return line + np.outer(depth, (0, 1)).astype(np.float32)


def _corners_down(mouth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A mouth's landmarks, bent so that its corners hang."""
    width = mouth[6, 0] - mouth[0, 0]
    along = (mouth[:, 0] - mouth[:, 0].mean()) / (0.5 * width)
    return mouth + np.outer(width * rng.uniform(*SAD_CORNERS) * (along**2 - 0.3), (0, 1)).astype(np.float32)


def _glasses(landmarks: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, Strokes]:
    """Two lenses, round to square, a bridge and mostly temples: where the lenses are (n x 2), and the strokes."""
    eyes = [landmarks[lids].mean(0) + _by(0, rng.uniform(0, 8)) for _, lids, _ in EYES]
    half = np.linalg.norm(eyes[1] - eyes[0]) * rng.uniform(*LENS) * _by(1, rng.uniform(*LENS_HEIGHT))
    angles = np.linspace(0, 2 * np.pi, 49)
    ring = np.stack([np.cos(angles), np.sin(angles)], 1)
    ring = np.sign(ring) * np.abs(ring) ** rng.choice([1, rng.uniform(0.5, 0.9)])  # the latter is squarer
    lenses = [(eye + half * ring).astype(np.float32) for eye in eyes]
    drawn = [curve(lens) for lens in lenses]
    if rng.random() < 0.15:  # a broad frame
        drawn += [curve(eye + (half + rng.uniform(4, 7)) * ring) for eye in eyes]
    rise = half * _by(0, -rng.uniform(0, 0.35))
    ends = eyes[0] + half * _by(1, 0) + rise, eyes[1] - half * _by(1, 0) + rise
    drawn.append(curve(np.stack([ends[0], sum(ends) / 2 - _by(0, rng.uniform(0, 8)), ends[1]])))
    if rng.random() < 0.7:
        for eye, ear, side in ((eyes[0], landmarks[JAW[0]], -1), (eyes[1], landmarks[JAW[-1]], 1)):
            start = eye + half * _by(side, 0) + rise
            drawn.append(curve(np.stack([start, start + rng.uniform(0.5, 1.1) * (ear - _by(0, 25) - start)])))
    return np.concatenate(lenses), drawn


def _outline(landmarks: np.ndarray, rng: np.random.Generator) -> Strokes:
    """The face's outline, open or closed at the top, mostly with a neck, with or without ears and shoulders."""
    jaw = _oval(landmarks[JAW], rng) if rng.random() < ELLIPSE else landmarks[JAW]
    middle, width = jaw[[0, 16]].mean(0), float(np.ptp(jaw[:, 0]))
    top = middle - _by(0, (jaw[8, 1] - middle[1]) * rng.uniform(0.75, 1.05))
    left, right = (jaw[end] + (top - jaw[end]) * (0.06, 0.55) for end in (0, 16))
    chin = jaw[:: rng.choice([1, 2, 4])]
    if rng.random() < 0.5:
        drawn = [curve(np.stack([*chin, right, top, left]), closed=True)]
    elif rng.random() < 0.6:  # up to where the hair begins
        drawn = [curve(np.stack([left, *chin, right]))]
    else:
        drawn = [curve(chin)]
    if rng.random() < 0.5:
        size = rng.uniform(0.06, 0.13) * width
        for end, towards in ((0, -1), (16, 1)):
            low = jaw[end] + 0.9 * (jaw[abs(end - 2)] - jaw[end])
            upper, lower = jaw[end] + _by(towards * size, -size), low + _by(towards * 0.7 * size, -0.3 * size)
            drawn.append(curve(np.stack([jaw[end] - _by(0, 0.3 * size), upper, lower, low])))
    if rng.random() < 0.75:
        drawn += _neck(jaw, rng)
    return drawn


def _oval(jaw: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A jaw's landmarks (17 x 2) on half an ellipse, about as wide and as long as it is."""
    middle = jaw[[0, 16]].mean(0)
    half = np.float32([np.ptp(jaw[:, 0]) / 2, jaw[8, 1] - middle[1]]) * np.exp(rng.normal(0, 0.06, 2))
    angles = np.linspace(0, np.pi, 17)
    return (middle + half * np.stack([-np.cos(angles), np.sin(angles)], 1)).astype(np.float32)


def _neck(jaw: np.ndarray, rng: np.random.Generator) -> Strokes:
    """Two lines down from the jaw, most with shoulders, some with a collar."""
    place, length, spread = rng.uniform(3.5, 6.2), rng.uniform(30, 90), rng.uniform(-6, 14)
    roots = [np.float32([np.interp(i, JAW, jaw[:, axis]) for axis in (0, 1)]) for i in (place, 16 - place)]
    ends = [root + _by(side * spread, length) for root, side in zip(roots, (-1, 1), strict=True)]
    drawn = [curve(np.stack(pair)) for pair in zip(roots, ends, strict=True)]
    if rng.random() < 0.65:
        fall, reach = rng.uniform(10, 60), rng.uniform(80, 200)
        for end, side in zip(ends, (-1, 1), strict=True):
            bend = end + _by(side * 0.4 * reach, rng.uniform(0.2, 0.6) * fall)
            drawn.append(curve(np.stack([end, bend, end + _by(side * reach, fall)])))
    if rng.random() < 0.4:
        drawn.append(curve(np.stack([ends[0], sum(ends) / 2 + _by(0, rng.uniform(8, 50)), ends[1]])))
    within = [line[((line >= 0) & (line < CANVAS)).all(1)] for line in drawn]
    return [line for line in within if len(line) >= 2]


def _forehead(landmarks: np.ndarray, rng: np.random.Generator) -> Strokes:
    """One to four wavy lines above the brows.

    Hardly a photo's line drawing has any, so that networks took them for hair: a bright lock on the forehead (seen).
    """
    brows, chin = landmarks[17:27], landmarks[8]
    height = 0.3 * (chin[1] - brows[:, 1].mean())  # from the brows nearly to the hair
    wave = 0.04 * height * rng.normal(0, 1, 5)
    bend = 0.12 * height * rng.normal(0.3, 1) * np.float32([1, 0.3, 0, 0.3, 1])
    drawn = []
    for share in np.sort(rng.uniform(0.2, 0.85, rng.integers(1, 5))):
        left, right = brows[0] + _by(0, -share * height), brows[-1] + _by(0, -share * height)
        begin, end = rng.uniform(0.15, 0.4), rng.uniform(0.6, 0.85)
        points = left + np.linspace(begin, end, 5)[:, None] * (right - left)
        points[:, 1] += wave + bend + rng.normal(0, 1, 5)
        drawn.append(curve(points))
    return drawn


def _folds(landmarks: np.ndarray, rng: np.random.Generator) -> Strokes:
    """From the wings of the nose to beside the corners of the mouth, or a part of the way."""
    out, stop = rng.uniform(4, 14), rng.uniform(0.5, 1.1)
    folds = []
    for wing, corner, side in ((31, 48, -1), (35, 54, 1)):
        top = landmarks[wing] + _by(side * 8, -4)
        bottom = top + stop * (landmarks[corner] + _by(side * out, 0) - top)
        folds.append(curve(np.stack([top, (top + bottom) / 2 + _by(side * 0.4 * out, -2), bottom])))
    return folds


def _crows_feet(landmarks: np.ndarray, rng: np.random.Generator) -> Strokes:
    """Two or three short lines from the outer corner of each eye."""
    drawn = []
    for corner, side in ((36, -1), (45, 1)):
        start = landmarks[corner] + _by(side * rng.uniform(5, 10), 0)
        for slope in np.linspace(-0.6, 0.6, rng.integers(2, 4)):
            length = rng.uniform(8, 18)
            ends = start + _by(0, 6 * slope), start + _by(side * length, (6 + length) * slope)
            drawn.append(curve(np.stack(ends), SHORT_STEP))
    return drawn


def _bags(landmarks: np.ndarray, rng: np.random.Generator) -> Strokes:
    """One or two arcs under each eye."""
    drawn = []
    for _, lids, _ in EYES:
        lower = landmarks[lids][[0, 5, 4, 3]]
        for drop in np.cumsum(rng.uniform(7, 13, rng.integers(1, 3))):
            arc = lower.mean(0) + (lower - lower.mean(0)) * rng.uniform(0.6, 0.95) + _by(0, drop)
            drawn.append(curve(arc))
    return drawn


def _beard(landmarks: np.ndarray, rng: np.random.Generator) -> Strokes:
    """Short strokes between jaw and lips, or a border around them with a few strokes; with or without a moustache."""
    jaw, below_lips = landmarks[3:14], landmarks[[48, 59, 58, 57, 56, 55, 54]]
    along = np.linspace(0, 1, 41)
    outer = np.stack([np.interp(along, np.linspace(0, 1, 11), jaw[:, i]) for i in (0, 1)], 1)
    inner = np.stack([np.interp(along, np.linspace(0, 1, 7), below_lips[:, i]) for i in (0, 1)], 1)
    nose, lip = landmarks[31:36], landmarks[[49, 50, 51, 52, 53]]
    drawn, bordered = [], rng.random() < 0.5
    for _ in range(rng.integers(8, 25) if bordered else rng.integers(20, 70)):
        i, share = rng.integers(0, 41), rng.uniform(0.08, 0.8)
        away = (outer[i] - inner[i]) / max(float(np.linalg.norm(outer[i] - inner[i])), 1)
        root, tip = outer[i] + share * (inner[i] - outer[i]), away * rng.uniform(6, 15) + rng.normal(0, 2, 2)
        drawn.append(curve(np.stack([root, root + tip]), SHORT_STEP))
    if bordered:  # along the cheeks and under the nose; mostly the jaw is a line already
        left, right = landmarks[2] + _by(6, 0), landmarks[14] + _by(-6, 0)
        cheeks = [landmarks[48] + _by(-22, -14), landmarks[31] + _by(-8, 10), landmarks[33] + _by(0, 8)]
        cheeks += [landmarks[35] + _by(8, 10), landmarks[54] + _by(22, -14)]
        drawn.append(curve(np.stack([left, *cheeks, right])))
        if rng.random() < 0.8:  # and around the lips from below; taken for a lip, it opened closed mouths (seen)
            farther = 1 + _by(rng.uniform(0.3, 0.8), rng.uniform(0.6, 1.8))  # lips are drawn large
            around = landmarks[62] + (below_lips - landmarks[62]) * farther + _by(0, rng.uniform(2, 10))
            raised = rng.uniform(0, 20) * np.float32([1, 0.5, 0, 0, 0, 0.5, 1])
            drawn.append(curve(around - np.outer(raised, (0, 1))))
    if rng.random() < 0.6:
        for _ in range(rng.integers(6, 24)):
            share, side = rng.uniform(0.2, 0.8), rng.uniform(0, 4)
            i, part = int(side), side % 1
            root = (1 - share) * (nose[i] + part * (nose[i + 1] - nose[i]))
            root = root + share * (lip[i] + part * (lip[i + 1] - lip[i]))
            tip = root + _by((side - 2) * rng.uniform(1, 4), rng.uniform(5, 9))
            drawn.append(curve(np.stack([root, tip]), SHORT_STEP))
    return drawn


#: What may be drawn on the skin: name -> what draws it from landmarks.
MARKS = {"forehead": _forehead, "folds": _folds, "crows_feet": _crows_feet, "bags": _bags, "beard": _beard}
