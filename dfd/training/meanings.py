"""What is drawn on purpose is to be seen: beards, wrinkles, glasses, closed lips.

A photo's line drawing hardly tells of a beard, and neither does its code; and the mean of what rough lips may be is a
mouth a little open. So the code of a drawing with such marks is to be that of the plain line drawing, moved on the way
that leads from faces without to faces with them; of one with glasses also where the photo has none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

import numpy as np
import torch

from dfd.data.faces import FaceFolder
from dfd.data.pairs import OLD
from dfd.data.schematic import CLOSED, OPEN

#: Faces not older than this (years) are those from which the way to the old ones leads.
YOUNG = 35

#: What a drawing says on purpose (`dfd.data.schematic.schematic`) -> the trait, and the components that see it.
MEANINGS = {
    "closed": ("closed", ("nose", "mouth")),
    "smile": ("open", ("nose", "mouth")),
    "sad": ("sad", ("nose", "mouth")),
    "glasses": ("glasses", ("left_eye", "right_eye", "nose")),
    "curls": ("curly", ("remainder",)),
    "beard": ("bearded", ("nose", "mouth")),
    "forehead": ("old", ("left_eye", "right_eye", "remainder")),
    "crows_feet": ("old", ("left_eye", "right_eye")),
    "bags": ("old", ("left_eye", "right_eye")),
    "folds": ("old", ("nose", "mouth")),
}

#: How far goals are moved, in ways from the mean of the faces without a trait to the mean of those with it: at twice
#: the way a beard is hinted at, at three times it is seen; hair is grey and recedes after four or five to the old
#: (seen). Lips drawn closed still parted after 0.7 of the way, closed 0.6 of it farther on, and one more below a beard
#: (seen). Glasses are a wire at one way, a frame from two on; hair waves at one and has curls at two (seen). Corners of
#: a mouth hang a little at four (seen): in photos people are hardly ever sad.
FARTHER = {"bearded": 3.0, "old": 4.5, "closed": 2.2, "open": 0.7, "sad": 4.0, "glasses": 2.5, "curly": 2.0}

#: Corners of a closed mouth that hang so far (`Person.corners_down`) are sad, every twelfth; the way to them leads from
#: those between the other two, the middle half of all.
SAD, LEVEL = 0.01, (-0.055, -0.015)

#: A way is measured from so many faces at least on both sides, who are alike otherwise.
ENOUGH = 8


def told(marks: Sequence[Set[str]], component: str) -> torch.Tensor:
    """Of which drawings a component says something on purpose: bool N.

    Learnt with the photo it would be toned down again: the photo is to be made from its plain lines.
    """
    return torch.tensor([any(component in MEANINGS[mark][1] for mark in drawn) for drawn in marks])


def moved_on(
    codes: Mapping[str, torch.Tensor], marks: Sequence[Set[str]], ways: Mapping[str, Mapping[str, torch.Tensor]]
) -> dict[str, torch.Tensor]:
    """The codes that drawings are to get, component -> N x D.

    Args:
        codes: component -> N x D, of the plain line drawings of the same faces.
        marks: what each drawing says on purpose (`MEANINGS`); nothing where there are none.
        ways: trait -> component -> D, see `measured_ways`.
    """
    moved = {name: code.clone() for name, code in codes.items()}
    for row, drawn in enumerate(marks):
        # A set, since several wrinkles together make nobody older than one does.
        shown = {(trait, name) for mark in drawn for trait, names in [MEANINGS[mark]] for name in names}
        for trait, name in shown:
            if name in moved and trait in ways:
                moved[name][row] += FARTHER[trait] * ways[trait][name].to(moved[name])
    return moved


@torch.no_grad()
def measured_ways(
    codes: Mapping[str, torch.Tensor], faces: FaceFolder, indices: np.ndarray
) -> dict[str, dict[str, torch.Tensor]]:
    """Trait -> component -> D: the way from the mean code of faces without a trait to that of faces with it.

    Measured among faces of the same source and gender, of mouths as far open, and with or without glasses alike, so
    that it leads to nothing else: to no other background, nor from wrinkles to glasses, which the old wear more often.
    Averaged by the number of faces with the trait. A trait of too few faces is left out.

    Args:
        codes: component -> float32 N x D, of the plain line drawings of the N faces `indices`.
    """
    groups: dict[str, dict[tuple, tuple[list[int], list[int]]]] = {}

    def note(trait: str, row: int, having: bool, *alike: object) -> None:
        groups.setdefault(trait, {}).setdefault(alike, ([], []))[not having].append(row)

    for row, i in enumerate(indices):
        person = faces.person(i)
        if person is None:
            continue
        kind = faces.rows[i].get("source"), int(faces.genders[i])
        opening, down = np.digitize(person.lips_apart, (CLOSED, OPEN)), person.corners_down
        note("bearded", row, person.bearded, kind, opening, person.glasses)
        note("glasses", row, person.glasses, kind, opening)
        if opening != 1:
            note("closed", row, opening == 0, kind, person.glasses)
        if opening == 0 and (down > SAD or LEVEL[0] < down < LEVEL[1]):
            note("sad", row, down > SAD, kind, person.glasses)
        if person.hairy:  # else the way would lead to more hair
            note("curly", row, person.curly, kind, person.glasses)
        if person.age is not None and not YOUNG < person.age <= OLD:
            note("old", row, person.age > OLD, kind, opening, person.glasses)
    device = next(iter(codes.values())).device
    ways = {}
    for trait, sides in groups.items():
        enough = [pair for pair in sides.values() if min(map(len, pair)) >= ENOUGH]
        if not enough:
            continue
        weights = torch.tensor([len(having) for having, _ in enough], dtype=torch.float32, device=device)
        ways[trait] = {}
        for name, samples in codes.items():
            steps = [samples[having].mean(0) - samples[lacking].mean(0) for having, lacking in enough]
            ways[trait][name] = (weights / weights.sum()) @ torch.stack(steps)
    if {"old", "glasses"} <= ways.keys():  # some glasses go unnoticed: old eyes got a wire, half of a way to glasses
        for name, way in ways["glasses"].items():
            ways["old"][name] -= (ways["old"][name] @ way) / (way @ way) * way
    if "closed" in ways:
        ways["open"] = {name: -way for name, way in ways["closed"].items()}
    return ways
